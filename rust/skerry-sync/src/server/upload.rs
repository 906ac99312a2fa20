//! Integrating uploaded changesets: one version of the history for each, and a compensating one for what is
//! undone (design 6, sync-engine 3.5 and 5.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde_json::{Map, Value as Json, json};
use skerry_merge::Author;
use skerry_model::content::spell;
use skerry_model::{
    Changeset, ClassSchema, ClientVersion, Content, FileIdent, Instruction, ObjectRef, Schema,
    ServerVersion, Stamp,
};
use skerry_store::server::{
    ClientRecord, FieldValues, HistoryRecord, ObjectEntry, RejectedUpdate, Touch, Transaction,
};

use super::EngineConfig;
use super::busy::BusyObjects;
use super::error::UploadError;
use super::fields::QueryableFields;
use super::judge::{BoundRoles, Judge, Rejection, Verdict, key_text};
use super::timeline::Timeline;
use super::view::Presence;
use super::wire;
use crate::protocol::{Action, ProtocolErrorCode, Upload, UploadEntry};

/// Integrates the uploads of one client inside a transaction.
pub(super) struct Integrator<'a> {
    pub(super) txn: &'a mut dyn Transaction,
    pub(super) config: &'a EngineConfig,
    pub(super) timeline: &'a Timeline,
    pub(super) roles: &'a mut BoundRoles,
    pub(super) user: &'a Json,
    pub(super) client: ClientRecord,
    pub(super) now: Stamp,
    /// What the changesets of this upload may still unpack to.
    pub(super) room_bytes: usize,
    /// Objects of which much is known from changesets of this upload, all of one base.
    pub(super) busy: BusyObjects,
}

/// What an upload did.
#[derive(Debug, Default)]
pub(super) struct Integrated {
    /// Whether it added to the schema.
    pub(super) schema_changed: bool,
    /// Changesets integrated.
    pub(super) changesets: usize,
    /// Entries for the server's log (server 4.4).
    pub(super) log: Vec<Json>,
    /// What was written, by class: [inserted, updated, deleted].
    pub(super) writes: BTreeMap<String, [u64; 3]>,
}

/// A rejected object of one changeset.
struct Undo {
    object: ObjectRef,
    rejection: Rejection,
}

type Groups = IndexMap<ObjectRef, Vec<Instruction>, FxBuildHasher>;

impl Integrator<'_> {
    /// Integrates what is new in the upload and moves the client's cursors. Returns the client's new record.
    pub(super) fn integrate(
        mut self,
        upload: &Upload,
    ) -> Result<(ClientRecord, Integrated), UploadError> {
        let mut done = Integrated::default();
        let mut base = None;
        for entry in &upload.entries {
            // Sent again after a lost acknowledgement: it is in the history already.
            if entry.client_version > self.client.client_version {
                self.check_base(entry)?;
                if base
                    .replace(entry.server_version)
                    .is_some_and(|last| last != entry.server_version)
                {
                    self.store_forms()?;
                }
                self.changeset(entry, &mut done)?;
                done.changesets += 1;
            }
        }
        self.store_forms()?;
        let client = &mut self.client;
        client.client_version = client.client_version.max(upload.progress_client_version);
        // Changes that are still to come have no older base than the last one here. Only an upload without
        // changes says that none is left which was made before the version it acknowledges.
        let last = upload.entries.last();
        let base = last.map_or(upload.progress_server_version, |entry| entry.server_version);
        if base > client.base {
            client.base = base;
            self.txn.trim(client.ident, client.base)?;
        }
        self.txn.put_client(&self.client)?;
        Ok((self.client, done))
    }

    /// Stores the forms that merging has given to what others did to busy objects.
    fn store_forms(&mut self) -> Result<(), UploadError> {
        for (object, past) in std::mem::take(&mut self.busy) {
            for (version, form) in past.changed_forms() {
                self.txn.put_reciprocal(self.client.ident, &object, version, &form)?;
            }
        }
        Ok(())
    }

    fn changeset(&mut self, entry: &UploadEntry, done: &mut Integrated) -> Result<(), UploadError> {
        self.check_stamp(entry.stamp)?;
        let changeset = wire::unpack_changeset(&entry.changeset, &mut self.room_bytes)?;
        let (schema, groups) = split(changeset);
        let schema = self.schema_changes(schema)?;
        done.schema_changed |= !schema.is_empty();

        let author = Author { stamp: entry.stamp, ident: self.client.ident };
        let (mut touches, mut undone) = (Vec::new(), Vec::new());
        let (class_schema, head) = (self.txn.schema()?, self.txn.head()?);
        for (object, instructions) in groups {
            match self.judge(
                &class_schema,
                head,
                &object,
                author,
                entry.server_version,
                instructions,
            )? {
                Verdict::Accepted { touch, reciprocals } => {
                    for (version, form) in reciprocals {
                        self.txn.put_reciprocal(self.client.ident, &object, version, &form)?;
                    }
                    if let Some(touch) = touch {
                        self.txn.apply(&touch.instructions)?;
                        count(&touch, &mut done.writes);
                        touches.push(touch);
                    }
                }
                Verdict::Condemned => {}
                Verdict::Rejected(rejection) => undone.push(Undo { object, rejection }),
            }
        }
        let remembered = busy_touches(&self.busy, &touches);
        // Also when nothing is left of it: an empty changeset keeps its version (sync-engine 9.6).
        let version = self.txn.append(HistoryRecord {
            origin: self.client.ident,
            client_version: entry.client_version,
            stamp: entry.stamp,
            only_for: None,
            schema,
            touches,
            rejected: Vec::new(),
        })?;
        remember(&mut self.busy, remembered, version, author);
        self.client.client_version = entry.client_version;
        if !undone.is_empty() {
            self.compensate(&class_schema, entry.client_version, undone, done)?;
        }
        Ok(())
    }

    fn judge(
        &mut self,
        schema: &Schema,
        head: ServerVersion,
        object: &ObjectRef,
        author: Author,
        base: ServerVersion,
        instructions: Vec<Instruction>,
    ) -> Result<Verdict, UploadError> {
        Judge {
            read: &*self.txn,
            config: self.config,
            schema,
            timeline: self.timeline,
            roles: self.roles,
            user: self.user,
            ident: self.client.ident,
            head,
            busy: &mut self.busy,
        }
        .judge(object, author, base, instructions)
    }

    /// What an older base would need has been given up when the client acknowledged a newer one.
    fn check_base(&self, entry: &UploadEntry) -> Result<(), UploadError> {
        let (base, acknowledged) = (entry.server_version, self.client.base);
        if base >= acknowledged {
            return Ok(());
        }
        Err(UploadError::session(
            ProtocolErrorCode::BadServerVersion,
            format!("base version {base} is older than {acknowledged}, which was acknowledged"),
        ))
    }

    fn check_stamp(&self, stamp: Stamp) -> Result<(), UploadError> {
        let ahead_ms = stamp.0.saturating_sub(self.now.0);
        if ahead_ms <= self.config.clock_skew_max_ms {
            return Ok(());
        }
        // Waiting mends it, so the client may try again and nothing is lost.
        Err(UploadError::Session {
            code: ProtocolErrorCode::OtherSessionError,
            message: format!(
                "changeset is stamped {ahead_ms} ms in the future; at most {} ms are accepted",
                self.config.clock_skew_max_ms
            ),
            action: Some(Action::Transient),
        })
    }

    /// Applies the schema instructions that are new and returns them. Outside development mode there must be
    /// none (server 7.3).
    fn schema_changes(
        &mut self,
        instructions: Vec<Instruction>,
    ) -> Result<Vec<Instruction>, UploadError> {
        let mut new = Vec::new();
        for instruction in instructions {
            if self.config.development_mode {
                refuse_erase(&instruction)?;
            } else {
                let schema = self.txn.schema()?;
                refuse_new(&schema, &instruction)?;
            }
            if self.txn.apply_schema(std::slice::from_ref(&instruction))? {
                new.push(instruction);
            }
        }
        if !new.is_empty() {
            self.roles.clear();
        }
        Ok(new)
    }

    /// Appends the version W that undoes the rejected writes on that client alone.
    fn compensate(
        &mut self,
        schema: &Arc<Schema>,
        rejected: ClientVersion,
        undone: Vec<Undo>,
        done: &mut Integrated,
    ) -> Result<(), UploadError> {
        let mut touches = Vec::with_capacity(undone.len());
        let mut updates = Vec::with_capacity(undone.len());
        let mut details: BTreeMap<String, Map<String, Json>> = BTreeMap::new();
        let head = self.txn.head()?;
        for Undo { object, rejection } in undone {
            updates.push(RejectedUpdate {
                class: object.class.clone(),
                key: object.key.clone(),
                reason: rejection.client_reason(&object),
            });
            let key = key_text(&object.key).trim_matches('"').to_owned();
            let reason = Json::String(rejection.log_reason(&object));
            details.entry(object.class.to_string()).or_default().insert(key, reason);
            let (fields, instructions) = self.restoration(schema, head, &object)?;
            touches.push(Touch {
                object,
                before: fields.clone(),
                after: fields,
                ghost: None,
                instructions,
            });
        }
        let version = self.txn.append(HistoryRecord {
            origin: FileIdent::SERVER,
            client_version: rejected,
            stamp: Stamp::SYNTHETIC,
            only_for: Some(self.client.ident),
            schema: Vec::new(),
            touches,
            rejected: updates,
        })?;
        done.log.push(json!({
            "type": "SYNC_ERROR",
            "error": "Client attempted a write that is outside of permissions or query filters; it has been \
                      reverted (ProtocolErrorCode=231)",
            "details": details,
            "client_version": rejected.0,
            "server_version": version.0,
        }));
        Ok(())
    }

    /// The object's queryable fields, and the instructions that give the client what it may see of it: nothing,
    /// or its whole state.
    fn restoration(
        &self,
        schema: &Schema,
        head: ServerVersion,
        object: &ObjectRef,
    ) -> Result<(Option<FieldValues>, Vec<Instruction>), UploadError> {
        let erase = vec![Instruction::EraseObject { object: object.clone() }];
        let values = self.txn.object(object)?;
        let class = schema.class(&object.class);
        let (Some(values), Some(class)) = (values, class) else {
            return Ok((None, erase));
        };
        let queryable = QueryableFields::of(schema, class, self.config.queryable(&class.name));
        let fields = Some(queryable.values(&values));
        let presence = self.timeline.at(head).presence(object, fields.as_ref());
        Ok(match presence {
            Presence::Inside => (fields, whole_object(schema, class, object, &values)),
            Presence::Outside | Presence::Absent => (fields, erase),
        })
    }
}

/// What a changeset did to objects that are kept.
fn busy_touches(busy: &BusyObjects, touches: &[Touch]) -> Vec<Touch> {
    if busy.is_empty() {
        return Vec::new();
    }
    touches.iter().filter(|touch| busy.contains_key(&touch.object)).cloned().collect()
}

/// Adds what a changeset did, now that it has a version, to what is known of busy objects.
fn remember(busy: &mut BusyObjects, touches: Vec<Touch>, version: ServerVersion, author: Author) {
    for touch in touches {
        let Touch { object, before, after, ghost, instructions } = touch;
        if let Some(past) = busy.get_mut(&object) {
            past.history.push(ObjectEntry {
                version,
                origin: author.ident,
                stamp: author.stamp,
                before,
                after,
                ghost,
                instructions,
            });
        }
    }
}

/// Erase, create, set: the state of an object as instructions that beat whatever the client has of it
/// (sync-engine 5.3). What a new object has anyway is left out.
pub(super) fn whole_object(
    schema: &Schema,
    class: &ClassSchema,
    object: &ObjectRef,
    contents: &[Content],
) -> Vec<Instruction> {
    let mut instructions = vec![
        Instruction::EraseObject { object: object.clone() },
        Instruction::CreateObject { object: object.clone() },
    ];
    instructions.extend(spell(schema, class, object, contents));
    instructions
}

/// Splits a changeset into schema instructions and groups by object, each in order. The order between
/// objects has no meaning, as no rule crosses them (sync-engine 2.5).
fn split(changeset: Changeset) -> (Vec<Instruction>, Groups) {
    let mut schema = Vec::new();
    let mut groups = Groups::default();
    for instruction in changeset.instructions {
        match instruction.object() {
            None => schema.push(instruction),
            Some(object) => match groups.get_mut(object) {
                Some(group) => group.push(instruction),
                None => {
                    groups.insert(object.clone(), vec![instruction]);
                }
            },
        }
    }
    (schema, groups)
}

fn count(touch: &Touch, writes: &mut BTreeMap<String, [u64; 3]>) {
    let kind = match (&touch.before, &touch.after) {
        (None, Some(_)) => 0,
        (Some(_), Some(_)) => 1,
        (Some(_), None) => 2,
        (None, None) => return,
    };
    writes.entry(touch.object.class.to_string()).or_default()[kind] += 1;
}

/// 225 when the instruction would take something away: in no mode may a client do that to the others.
fn refuse_erase(instruction: &Instruction) -> Result<(), UploadError> {
    let refused = |what: &str| {
        let detail = format!("breaking schema change: erasing \"{what}\"");
        Err(UploadError::invalid_schema_change(detail))
    };
    match instruction {
        Instruction::EraseTable { class } => refused(class),
        Instruction::EraseColumn { class, field } => refused(&format!("{class}.{field}")),
        _ => Ok(()),
    }
}

/// 225 with the texts of server 7.3, when the instruction would add something.
fn refuse_new(schema: &Schema, instruction: &Instruction) -> Result<(), UploadError> {
    let restricted = "schema changes from clients are restricted when developer mode is disabled";
    let refused = |change: String| {
        Err(UploadError::session(
            ProtocolErrorCode::InvalidSchemaChange,
            format!("Invalid schema change (UPLOAD): {change}, {restricted}"),
        ))
    };
    match instruction {
        Instruction::AddTable { class, .. } if schema.class(class).is_none() => refused(format!(
            "non-breaking schema change: adding schema for Realm table \"{class}\""
        )),
        Instruction::AddColumn { class, field, ty, .. }
            if schema.class(class).is_none_or(|found| found.property(field).is_none()) =>
        {
            refused(format!(
                "non-breaking schema change: adding \"{ty:?}\" column at field \"{field}\" in schema \"{class}\""
            ))
        }
        Instruction::EraseTable { class } => {
            refused(format!("breaking schema change: erasing \"{class}\""))
        }
        Instruction::EraseColumn { class, field } => {
            refused(format!("breaking schema change: erasing \"{class}.{field}\""))
        }
        _ => Ok(()),
    }
}
