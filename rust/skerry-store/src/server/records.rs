//! The records that cross the store's traits.

use skerry_model::{
    ClientVersion, Content, FileIdent, Instruction, Name, ObjectKey, ObjectRef, QueryVersion, Salt,
    ServerVersion, Stamp,
};

/// What an object's queryable fields hold: (position in the class's properties, content), ascending.
/// Values, lists of values and embedded objects of these: nothing else is queryable (server 2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldValues(pub Vec<(u32, Content)>);

/// What one history entry did to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The object.
    pub object: ObjectRef,
    /// Its queryable fields before; `None` if it did not exist.
    pub before: Option<FieldValues>,
    /// Its queryable fields after; `None` if it does not exist any more.
    pub after: Option<FieldValues>,
    /// Of an object that exists neither before nor after: its queryable fields when it last existed, if
    /// that is known. Who could have seen it then learns of the erase, nobody else.
    pub ghost: Option<FieldValues>,
    /// The instructions about it, in order.
    pub instructions: Vec<Instruction>,
}

/// One version of the history, as appended.
#[derive(Clone, Debug)]
pub struct HistoryRecord {
    /// Who made it.
    pub origin: FileIdent,
    /// The uploaded client version, or for an event made for one client its newest integrated version.
    pub client_version: ClientVersion,
    /// Origin timestamp, as uploaded.
    pub stamp: Stamp,
    /// The one client that sees it; `None` = everybody.
    pub only_for: Option<FileIdent>,
    /// Schema instructions that changed something.
    pub schema: Vec<Instruction>,
    /// What it did, object by object.
    pub touches: Vec<Touch>,
    /// The rejected writes that this version undoes.
    pub rejected: Vec<RejectedUpdate>,
}

/// One version of the history, as read.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The version.
    pub version: ServerVersion,
    /// The rest; `rejected` is left empty.
    pub record: HistoryRecord,
}

/// One version of the history, restricted to one object.
#[derive(Clone, Debug)]
pub struct ObjectEntry {
    /// The version.
    pub version: ServerVersion,
    /// Who made it.
    pub origin: FileIdent,
    /// Origin timestamp.
    pub stamp: Stamp,
    /// Queryable fields before.
    pub before: Option<FieldValues>,
    /// Queryable fields after.
    pub after: Option<FieldValues>,
    /// See [`Touch::ghost`].
    pub ghost: Option<FieldValues>,
    /// The instructions about the object.
    pub instructions: Vec<Instruction>,
}

/// A rejected write (sync-engine 4.6 `rejectedUpdates`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedUpdate {
    /// Class.
    pub class: Name,
    /// Primary key.
    pub key: ObjectKey,
    /// The reason that the client is told.
    pub reason: String,
}

/// A compensating event for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compensation {
    /// W, the version that undoes the writes.
    pub version: ServerVersion,
    /// The client version that was rejected.
    pub client_version: ClientVersion,
    /// The writes.
    pub rejected: Vec<RejectedUpdate>,
}

/// What is kept of a client file (sync-engine 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// The file ident.
    pub ident: FileIdent,
    /// Its salt.
    pub salt: Salt,
    /// The user that it belongs to.
    pub user: String,
    /// The newest client version integrated.
    pub client_version: ClientVersion,
    /// The newest server version that the client has acknowledged: the base of its next uploads is not older.
    pub base: ServerVersion,
}

/// A view definition in force from a version on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRecord {
    /// From here on.
    pub version: ServerVersion,
    /// The subscription set that asked for it.
    pub query_version: QueryVersion,
    /// The definition, in the engine's own text form.
    pub definition: String,
}

/// An object and what it holds, in the order of its class's properties.
#[derive(Clone, Debug)]
pub struct StoredObject {
    /// Its key.
    pub key: ObjectKey,
    /// What it holds.
    pub values: Vec<Content>,
}

/// A page of found objects.
#[derive(Clone, Debug, Default)]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<StoredObject>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<i64>,
}

impl FieldValues {
    /// What the property at that position in its class held; `None` when it was not queryable at the time.
    pub fn get(&self, property: usize) -> Option<&Content> {
        let is_it = |position: u32| usize::try_from(position).is_ok_and(|at| at == property);
        self.0.iter().find(|(position, _)| is_it(*position)).map(|(_, content)| content)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, property: usize) -> Option<&mut Content> {
        let is_it = |position: u32| usize::try_from(position).is_ok_and(|at| at == property);
        self.0.iter_mut().find(|(position, _)| is_it(*position)).map(|(_, content)| content)
    }
}
