//! What others did to an object since an upload's base, as the upload's changesets meet it.
//!
//! Where that is much, it is kept while the upload is integrated: reading, decoding and sorting it is
//! done once for an upload and not once for each of its changesets, and the forms that merging gives
//! the entries are stored once, at the end. The invariant: what is kept is what the store would say,
//! but for those forms, which nobody else reads before they are stored.

use rustc_hash::FxHashMap;
use skerry_merge::{Concurrent, Entry, MergeError};
use skerry_model::{Instruction, ObjectRef, Schema, ServerVersion};
use skerry_store::server::ObjectEntry;

/// From so many entries on an object is kept. Fewer are read again in less time than it takes to keep
/// them for nothing.
const ENTRIES_MIN: usize = 16;

/// Objects of one upload that are kept.
pub(super) type BusyObjects = FxHashMap<ObjectRef, Past>;

/// What happened to an object.
#[derive(Debug)]
pub(super) struct Past {
    /// The common entries after the base, ascending, those of the client among them.
    pub(super) history: Vec<ObjectEntry>,
    merging: Option<Merging>,
}

/// The entries of others that are in the client's stream, as they meet its changesets.
#[derive(Debug)]
struct Merging {
    versions: Vec<ServerVersion>,
    /// As they were at the beginning; empty if the object is not kept.
    start: Vec<Entry>,
    /// What of the client has been merged with them since, as it was uploaded; likewise.
    accepted: Vec<Entry>,
    concurrent: Concurrent,
}

impl Past {
    pub(super) fn new(history: Vec<ObjectEntry>) -> Self {
        Self { history, merging: None }
    }

    /// Whether it is worth being kept.
    pub(super) fn is_long(&self) -> bool {
        self.history.len() >= ENTRIES_MIN
    }

    /// Whether the entries that are met have been given.
    pub(super) fn is_merging(&self) -> bool {
        self.merging.is_some()
    }

    /// Gives the entries that the client's changesets meet, with their versions, ascending.
    pub(super) fn begin_merging(&mut self, others: Vec<(ServerVersion, Entry)>) {
        let (versions, entries): (Vec<_>, Vec<Entry>) = others.into_iter().unzip();
        let start = if self.is_long() { entries.clone() } else { Vec::new() };
        let concurrent = Concurrent::new(entries);
        self.merging = Some(Merging { versions, start, accepted: Vec::new(), concurrent });
    }

    /// Merges what a changeset does to the object; nothing happens before merging has begun.
    pub(super) fn merge(&mut self, schema: &Schema, theirs: &mut Entry) -> Result<(), MergeError> {
        let is_long = self.is_long();
        let Some(merging) = &mut self.merging else { return Ok(()) };
        if is_long {
            merging.accepted.push(theirs.clone());
        }
        merging.concurrent.merge(schema, theirs)?;
        Ok(())
    }

    /// Undoes the last merge: its changeset is not integrated after all.
    pub(super) fn take_back(&mut self, schema: &Schema) -> Result<(), MergeError> {
        let Some(merging) = &mut self.merging else { return Ok(()) };
        merging.accepted.pop();
        merging.concurrent = Concurrent::new(merging.start.clone());
        for entry in &merging.accepted {
            merging.concurrent.merge(schema, &mut entry.clone())?;
        }
        Ok(())
    }

    /// The entries whose form for the client has changed.
    pub(super) fn changed_forms(self) -> Vec<(ServerVersion, Vec<Instruction>)> {
        let Some(merging) = self.merging else { return Vec::new() };
        let entries = merging.versions.into_iter().zip(merging.concurrent.into_entries());
        let changed = entries.filter(|(_, entry)| entry.dirty);
        changed.map(|(version, entry)| (version, entry.instructions)).collect()
    }
}
