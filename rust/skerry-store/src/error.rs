//! What can go wrong in a file, said with the name of the file and what to do.
//!
//! Functions that work on a bare connection do not know its file; the types that own one add it on
//! the way out with [`StoreError::in_file`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;
use skerry_model::edit::EditError;
use skerry_model::{
    ClientVersion, CollectionType, DecodeError, Misfit, Name, ObjectKey, PropertyType, QueryVersion,
};

use crate::file_fault::FileFault;

/// Why a store operation failed. Nothing of a failed transaction is ever written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum StoreError {
    /// The file is damaged or is no file of ours. Restore it from a copy, or delete it and sync anew.
    #[error("file {file:?} is damaged or not a Skerry file: {detail}; restore it or delete it")]
    Corrupted { file: PathBuf, detail: String },
    /// The file was written by a newer release. Update this program.
    #[error("file {file:?} has format {found}, this release reads up to {supported}; update it")]
    VersionUnsupported { file: PathBuf, found: i32, supported: i32 },
    /// The file was written by an older release. Opening it for writing brings it up to date.
    #[error("file {file:?} has format {found}; open it for writing first, which upgrades it")]
    UpgradeNeeded { file: PathBuf, found: i32 },
    /// The disk is full. Free some space and repeat the transaction: nothing of it was written.
    #[error("the disk that holds {file:?} is full; nothing was written, make room and repeat it")]
    DiskFull { file: PathBuf },
    /// Another writer, of this process or another, held the file for too long. May be repeated.
    #[error("the write lock of {file:?} was not free within {} ms", waited.as_millis())]
    LockTimeout { file: PathBuf, waited: Duration },
    /// A synced file opened as a local one, or the reverse. Open it as what it is.
    #[error("file {file:?} is {}", if *synced { "synced, not local" } else { "local, not synced" })]
    SyncedMismatch { file: PathBuf, synced: bool },
    /// The operating system refused access to the file.
    #[error("file {file:?}: {source}")]
    Io { file: PathBuf, source: std::io::Error },
    /// `SQLite` reported something else.
    #[error("file {file:?}: {source}")]
    Sqlite { file: PathBuf, source: rusqlite::Error },
    /// The realm or transaction was closed before.
    #[error("the realm file is closed")]
    Closed,
    /// A schema that contradicts itself.
    #[error(transparent)]
    Schema(#[from] skerry_model::SchemaError),
    /// A schema that is no extension of the file's. Open another file, or keep the old definition.
    #[error("schema change of \"{class}\"{} is not additive: {change}", dotted(property.as_ref()))]
    DestructiveChange { class: Name, property: Option<Name>, change: String },
    /// An instruction, or a variant of one, that this release does not apply.
    #[error("instruction {0} is not supported")]
    UnsupportedInstruction(&'static str),
    /// An instruction or a local write that does not fit the file ("bad changeset", sync-engine 1.3).
    #[error("{instruction} on {class}{}: {fault}", keyed(key.as_ref()))]
    BadInstruction { instruction: &'static str, class: Name, key: Option<ObjectKey>, fault: Fault },
    /// An object with this key exists already (local creation with policy "error").
    #[error("{class} {} exists already", shown(key))]
    PrimaryKeyExists { class: Name, key: ObjectKey },
    /// Creation in a class without subscription (client-api 1.13). Subscribe to the class first.
    #[error("Cannot write to class {class} when no flexible sync subscription has been created.")]
    NoSubscriptionForWrite { class: Name },
    /// A query that does not parse or does not fit the schema.
    #[error(transparent)]
    Query(#[from] skerry_query::QueryError),
    /// A key path of an observer that leads nowhere. Name properties of the classes on the way.
    #[error("key path {path:?} from class \"{class}\": {reason}")]
    KeyPath { class: Name, path: String, reason: String },
    /// The subscriptions were changed by somebody else since they were read. Read and repeat.
    #[error("the latest subscription set is {latest}, not {expected}")]
    StaleSubscriptionSet { expected: QueryVersion, latest: QueryVersion },
    /// Two subscriptions of one name, or two unnamed ones of one class and query.
    #[error("two subscriptions named {name:?} on class \"{class}\" with query {query:?}")]
    DuplicateSubscription { name: Option<String>, class: Name, query: String },
    /// A transition that sync-engine 5.1 does not have.
    #[error("subscription set {version} in state {state}: {event} is not possible")]
    BadSubscriptionTransition { version: QueryVersion, state: &'static str, event: &'static str },
    /// A stored changeset that does not decode.
    #[error("stored changeset {version} does not decode: {source}")]
    BadStoredChangeset { version: ClientVersion, source: DecodeError },
    /// A transaction that is too large for one changeset. Split it.
    #[error("the transaction cannot be recorded: {0}")]
    Encode(#[from] skerry_model::EncodeError),
    /// An earlier error has ended the transaction; nothing of it was written. Repeat it whole.
    #[error("the transaction was rolled back by an earlier error")]
    RolledBack,
    /// A call that the state of the file forbids.
    #[error("{0}")]
    Misuse(&'static str),
    /// The file cannot be used in this way; its fault says how it can.
    #[error("file {file:?} {fault}")]
    File { file: PathBuf, fault: FileFault },
}

/// What does not fit between an instruction or edit and the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum Fault {
    #[error("no such class")]
    NoSuchClass,
    #[error("the class is an embedded one and has no objects of its own")]
    EmbeddedClass,
    #[error("no such object")]
    NoSuchObject,
    #[error("property \"{property}\" is the primary key")]
    PrimaryKeyUpdate { property: Name },
    #[error("the primary key \"{property}\" cannot be erased")]
    PrimaryKeyErase { property: Name },
    #[error("the class exists {}", with_key(key.as_ref()))]
    TableMismatch {
        /// Of the class that exists; `None` when it is embedded.
        key: Option<(Name, PropertyType)>,
    },
    #[error("property \"{property}\" exists: {}", described(*ty, *collection, target.as_ref()))]
    ColumnMismatch {
        property: Name,
        ty: PropertyType,
        collection: CollectionType,
        target: Option<Name>,
    },
    #[error("link target \"{target}\" of property \"{property}\" does not exist")]
    NoSuchTarget { property: Name, target: Name },
    #[error("property \"{by}.{property}\" links to the class")]
    ClassInUse { by: Name, property: Name },
    #[error("{reason}")]
    BadDefinition { reason: String },
    /// Something inside the object.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// An edit that an application cannot make.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// The result of store operations.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

fn dotted(property: Option<&Name>) -> String {
    property.map(|name| format!(".\"{name}\"")).unwrap_or_default()
}

fn keyed(key: Option<&ObjectKey>) -> String {
    key.map(|key| format!(" {}", shown(key))).unwrap_or_default()
}

/// A key for people to read.
fn shown(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Null => "with key null".to_owned(),
        ObjectKey::Int(int) => int.to_string(),
        ObjectKey::String(text) => format!("{text:?}"),
        ObjectKey::ObjectId(id) => id.to_string(),
        ObjectKey::Uuid(id) => id.to_string(),
        ObjectKey::GlobalKey { hi, lo } => format!("{hi:x}-{lo:x}"),
    }
}

fn with_key(key: Option<&(Name, PropertyType)>) -> String {
    match key {
        Some((name, ty)) => format!("with primary key \"{name}\" of type {ty:?}"),
        None => "as an embedded one".to_owned(),
    }
}

fn described(ty: PropertyType, collection: CollectionType, target: Option<&Name>) -> String {
    let of = target.map(|target| format!(" to \"{target}\"")).unwrap_or_default();
    format!("{}, {ty:?}{of}", collection.name())
}

impl StoreError {
    /// Puts the file's name into an error that was made without knowing it.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        match &mut self {
            Self::Corrupted { file, .. }
            | Self::VersionUnsupported { file, .. }
            | Self::UpgradeNeeded { file, .. }
            | Self::DiskFull { file }
            | Self::LockTimeout { file, .. }
            | Self::SyncedMismatch { file, .. }
            | Self::Io { file, .. }
            | Self::Sqlite { file, .. }
            | Self::File { file, .. } => {
                if file.as_os_str().is_empty() {
                    *file = path.to_path_buf();
                }
            }
            Self::Closed
            | Self::Schema(_)
            | Self::DestructiveChange { .. }
            | Self::UnsupportedInstruction(_)
            | Self::BadInstruction { .. }
            | Self::PrimaryKeyExists { .. }
            | Self::NoSubscriptionForWrite { .. }
            | Self::Query(_)
            | Self::KeyPath { .. }
            | Self::StaleSubscriptionSet { .. }
            | Self::DuplicateSubscription { .. }
            | Self::BadSubscriptionTransition { .. }
            | Self::BadStoredChangeset { .. }
            | Self::Encode(_)
            | Self::RolledBack
            | Self::Misuse(_) => {}
        }
        self
    }

    /// An error for content that only damage can have produced.
    pub fn corrupted(detail: impl fmt::Display) -> Self {
        Self::Corrupted { file: PathBuf::new(), detail: detail.to_string() }
    }

    /// An error about the file as a whole.
    pub fn of_file(fault: FileFault) -> Self {
        Self::File { file: PathBuf::new(), fault }
    }
}

fn is_damaged_page(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(skerry_vault::DAMAGED_PAGE_CODE)
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        let file = PathBuf::new();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { file },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupted { file, detail: source.to_string() }
            }
            Some(ErrorCode::SystemIoFailure) if is_damaged_page(&source) => Self::Corrupted {
                file,
                detail: "an encrypted page is not as it was written".to_owned(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::LockTimeout { file, waited: Duration::ZERO }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::File { file, fault: FileFault::NotWritable }
            }
            Some(ErrorCode::CannotOpen) => {
                Self::File { file, fault: FileFault::Unreachable { detail: source.to_string() } }
            }
            _ => Self::Sqlite { file, source },
        }
    }
}
