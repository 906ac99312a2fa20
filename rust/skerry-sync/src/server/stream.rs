//! A client's stream: the history filtered by its view, with what enters and leaves made explicit (design 6).
//!
//! For a window of versions and each object touched in it: in view throughout, its entries as they are; in
//! view at the end but not throughout, the whole object placed at the end; gone from the view, an erase where
//! it left; else nothing. This mirrors [`super::judge`]; together they make replicas agree.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use skerry_model::{
    ClassSchema, ClientVersion, Content, FileIdent, Instruction, ObjectKey, ObjectRef, PathElement,
    Payload, Schema, ServerVersion, Stamp, Value,
};
use skerry_store::StoreError;
use skerry_store::server::{FieldValues, HistoryEntry, Read, Touch};

use super::shared::distinct;
use super::timeline::{Course, Step, Timeline};
use super::tuning::Tuning;
use super::upload::whole_object;
use super::wire::pack_instructions;
use crate::protocol::DownloadEntry;

/// A stretch of the history to be sent to a client.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) read: &'a dyn Read,
    pub(super) timeline: &'a Timeline,
    pub(super) tuning: Tuning,
    pub(super) ident: FileIdent,
    /// The client has everything up to here.
    pub(super) after: ServerVersion,
    /// The newest version to send. The state read from `read` is the state at this version.
    pub(super) up_to: ServerVersion,
    /// The client's newest version integrated at `after`.
    pub(super) client_version: ClientVersion,
}

/// What is to be sent for a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    /// The entries, by ascending version.
    pub(super) entries: Vec<DownloadEntry>,
    /// How far it goes; less than the window when that was too long for once.
    pub(super) up_to: ServerVersion,
    /// The client's newest version integrated there.
    pub(super) client_version: ClientVersion,
    /// From this version on the batch must not be cut: objects that entered there are only sent at its end.
    pub(super) whole_from: Option<ServerVersion>,
    /// Who made what is in it.
    pub(super) origins: Vec<FileIdent>,
    /// Whether nothing in it was made by the client or for it alone.
    pub(super) is_common: bool,
}

struct Path<'a> {
    start: Option<&'a FieldValues>,
    steps: Vec<Step<'a>>,
    /// The last compensation that took the object from the client although it exists.
    taken_at: Option<ServerVersion>,
}

type Paths<'a> = IndexMap<&'a ObjectRef, Path<'a>, FxBuildHasher>;

impl Window<'_> {
    /// Collects the batch; it may end before the window does.
    pub(super) fn collect(self) -> Result<Batch, StoreError> {
        let max = self.tuning.history_touches_max;
        let entries = self.read.history(self.ident, self.after, self.up_to, max)?;
        self.collect_from(&entries)
    }

    /// The same, with the entries that are read first.
    pub(super) fn collect_from(self, entries: &[HistoryEntry]) -> Result<Batch, StoreError> {
        let touches: usize = entries.iter().map(|entry| entry.record.touches.len()).sum();
        let last = entries.last().map_or(self.up_to, |entry| entry.version);
        if touches < self.tuning.history_touches_max || last == self.up_to {
            return self.emit_all(entries);
        }
        let mut window = Self { up_to: last, ..self };
        let entered = window.courses(entries).values().filter_map(entering).min();
        match entered {
            None => window.emit_all(entries),
            // The state of what entered is known at the window's end only, so stop before it …
            Some(version) if version.0 - 1 > self.after.0 => {
                window.up_to = ServerVersion(version.0 - 1);
                let kept = entries.partition_point(|entry| entry.version <= window.up_to);
                window.emit_all(&entries[..kept])
            }
            // … or go the whole way.
            Some(_) => {
                let all = self.read.history(self.ident, self.after, self.up_to, usize::MAX)?;
                self.emit_all(&all)
            }
        }
    }

    /// The courses of the objects that the entries touch.
    pub(super) fn courses<'e>(
        &self,
        entries: &'e [HistoryEntry],
    ) -> IndexMap<&'e ObjectRef, Course, FxBuildHasher> {
        let mut paths = Paths::default();
        for entry in entries {
            for touch in &entry.record.touches {
                let path =
                    paths.entry(&touch.object).or_insert_with(|| Path::from(touch.before.as_ref()));
                let is_own = entry.record.origin == self.ident;
                if entry.record.only_for.is_some() && takes_away(touch) {
                    path.taken_at = Some(entry.version);
                }
                path.steps.push(Step {
                    version: entry.version,
                    after: touch.after.as_ref(),
                    ghost: touch.ghost.as_ref(),
                    is_own,
                });
            }
        }
        let course = |object: &ObjectRef, path: Path<'_>| {
            let Path { start, steps, taken_at } = path;
            let course = self.timeline.course(object, self.after, self.up_to, start, steps);
            // By the rules of now it may have been inside at the time.
            taken_at.map_or(course, |version| course.with_absence(version))
        };
        paths.into_iter().map(|(object, path)| (object, course(object, path))).collect()
    }

    /// The instructions of an entry that the client gets as they are.
    fn passing(
        &self,
        entry: &HistoryEntry,
        courses: &IndexMap<&ObjectRef, Course, FxBuildHasher>,
    ) -> Vec<Instruction> {
        let own_event = entry.record.only_for.is_some();
        let mut instructions = entry.record.schema.clone();
        for touch in &entry.record.touches {
            let object = &touch.object;
            let stays = || courses.get(object).is_some_and(|course| !course.was_outside);
            let is_shown = || {
                touch.before.is_some()
                    || touch.after.is_some()
                    || self.timeline.passes_ghost(object, entry.version, touch.ghost.as_ref())
            };
            if stays() && (own_event || is_shown()) {
                instructions.extend(touch.instructions.iter().cloned());
            } else if own_event {
                // What the client did is undone in any case; what it may see instead comes by its course.
                instructions.push(Instruction::EraseObject { object: object.clone() });
            }
        }
        instructions
    }

    fn is_common(&self, entry: &HistoryEntry) -> bool {
        entry.record.origin != self.ident && entry.record.only_for.is_none()
    }

    /// The batch for exactly these entries, which are all of the window's.
    pub(super) fn emit_all(&self, entries: &[HistoryEntry]) -> Result<Batch, StoreError> {
        let courses = self.courses(entries);
        let mut versions: BTreeMap<ServerVersion, ClientVersion> = BTreeMap::new();
        let mut client_version = self.client_version;
        let mut sent: Vec<DownloadEntry> = Vec::new();
        for entry in entries {
            let record = &entry.record;
            if record.origin == self.ident || record.only_for.is_some() {
                client_version = client_version.max(record.client_version);
            }
            versions.insert(entry.version, client_version);
            if record.origin == self.ident {
                continue;
            }
            let instructions = self.passing(entry, &courses);
            if !instructions.is_empty() {
                let changeset = pack_instructions(instructions)?;
                sent.push(DownloadEntry::new(
                    entry.version,
                    client_version,
                    record.stamp,
                    record.origin,
                    changeset,
                ));
            }
        }
        let client_version_at = |version: ServerVersion| {
            versions.range(..=version).next_back().map_or(self.client_version, |(_, found)| *found)
        };
        let mut left: BTreeMap<ServerVersion, Vec<Instruction>> = BTreeMap::new();
        let mut whole = WholeObjects::new(self.tuning);
        for (object, course) in &courses {
            if course.must_be_sent_whole() {
                whole.add(self.read, object)?;
            } else if let Some(version) = course.must_be_erased_at() {
                let erase = Instruction::EraseObject { object: (*object).clone() };
                left.entry(version).or_default().push(erase);
            }
        }
        for (version, instructions) in left {
            sent.push(synthetic(
                version,
                client_version_at(version),
                pack_instructions(instructions)?,
            ));
        }
        sent.sort_by_key(|entry| entry.server_version);
        for changeset in whole.finish()? {
            sent.push(synthetic(self.up_to, client_version, changeset));
        }
        Ok(Batch {
            entries: sent,
            up_to: self.up_to,
            client_version,
            whole_from: courses.values().filter_map(entering).min(),
            origins: distinct(entries.iter().map(|entry| entry.record.origin)),
            is_common: entries.iter().all(|entry| self.is_common(entry)),
        })
    }
}

impl<'a> From<Option<&'a FieldValues>> for Path<'a> {
    fn from(start: Option<&'a FieldValues>) -> Self {
        Self { start, steps: Vec::new(), taken_at: None }
    }
}

/// Whether a compensation only erased an object that the server has.
fn takes_away(touch: &Touch) -> bool {
    let restores = |one: &Instruction| matches!(one, Instruction::CreateObject { .. });
    touch.after.is_some() && !touch.instructions.iter().any(restores)
}

/// When an object that has to be sent whole came into view.
fn entering(course: &Course) -> Option<ServerVersion> {
    if course.must_be_sent_whole() { course.entered_at } else { None }
}

/// An entry that only the receiver's stream has.
pub(super) fn synthetic(
    version: ServerVersion,
    client_version: ClientVersion,
    changeset: Arc<[u8]>,
) -> DownloadEntry {
    DownloadEntry::new(version, client_version, Stamp::SYNTHETIC, FileIdent::SERVER, changeset)
}

/// Collects whole objects into changesets of moderate size.
#[derive(Debug)]
pub(super) struct WholeObjects {
    tuning: Tuning,
    open: Vec<Instruction>,
    payload_bytes: usize,
    closed: Vec<Arc<[u8]>>,
}

impl WholeObjects {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self { tuning, open: Vec::new(), payload_bytes: 0, closed: Vec::new() }
    }

    /// Adds an object with the state that `read` has.
    pub(super) fn add(&mut self, read: &dyn Read, object: &ObjectRef) -> Result<(), StoreError> {
        let schema = read.schema()?;
        let contents = read.object(object)?;
        if let (Some(contents), Some(class)) = (contents, schema.class(&object.class)) {
            self.add_contents(&schema, class, object, &contents)?;
        }
        Ok(())
    }

    /// Adds an object with a known state.
    ///
    /// A large object may be spread over several changesets, which are integrated together.
    pub(super) fn add_contents(
        &mut self,
        schema: &Schema,
        class: &ClassSchema,
        object: &ObjectRef,
        contents: &[Content],
    ) -> Result<(), StoreError> {
        for instruction in whole_object(schema, class, object, contents) {
            self.payload_bytes += payload_bytes(&instruction);
            self.open.push(instruction);
            self.close_if_full()?;
        }
        Ok(())
    }

    /// Adds the erasure of an object.
    pub(super) fn add_erase(&mut self, object: &ObjectRef) -> Result<(), StoreError> {
        self.open.push(Instruction::EraseObject { object: object.clone() });
        self.close_if_full()
    }

    fn close_if_full(&mut self) -> Result<(), StoreError> {
        let full = self.open.len() >= self.tuning.whole_instructions_soft_max
            || self.payload_bytes >= self.tuning.whole_payload_soft_bytes;
        if full { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.payload_bytes = 0;
        self.closed.push(pack_instructions(std::mem::take(&mut self.open))?);
        Ok(())
    }

    /// The changesets that are full.
    pub(super) fn take_closed(&mut self) -> Vec<Arc<[u8]>> {
        std::mem::take(&mut self.closed)
    }

    /// All changesets.
    pub(super) fn finish(mut self) -> Result<Vec<Arc<[u8]>>, StoreError> {
        if !self.open.is_empty() {
            self.close()?;
        }
        Ok(self.closed)
    }
}

/// What the values and dictionary keys of an instruction take; the rest is small.
fn payload_bytes(instruction: &Instruction) -> usize {
    match instruction {
        Instruction::Update { path, value: payload, .. }
        | Instruction::ArrayInsert { path, value: payload, .. } => {
            let key_bytes = match path.elements.last() {
                Some(PathElement::Key(key)) => key.len(),
                Some(PathElement::Index(_)) | None => 0,
            };
            key_bytes
                + match payload {
                    Payload::Value(value) => value_bytes(value),
                    Payload::ObjectValue
                    | Payload::List
                    | Payload::Dictionary
                    | Payload::Erased => 0,
                }
        }
        Instruction::SetInsert { value, .. } | Instruction::SetErase { value, .. } => {
            value_bytes(value)
        }
        Instruction::CreateObject { object } | Instruction::EraseObject { object } => {
            key_bytes(&object.key)
        }
        Instruction::AddTable { .. }
        | Instruction::EraseTable { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. }
        | Instruction::AddInteger { .. }
        | Instruction::ArrayMove { .. }
        | Instruction::ArrayErase { .. }
        | Instruction::Clear { .. } => 0,
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        Value::Link(link) => key_bytes(&link.key),
        Value::Null
        | Value::Int(_)
        | Value::Bool(_)
        | Value::Timestamp(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::ObjectId(_)
        | Value::Uuid(_) => 0,
    }
}

fn key_bytes(key: &ObjectKey) -> usize {
    match key {
        ObjectKey::String(text) => text.len(),
        ObjectKey::Null
        | ObjectKey::Int(_)
        | ObjectKey::GlobalKey { .. }
        | ObjectKey::ObjectId(_)
        | ObjectKey::Uuid(_) => 0,
    }
}
