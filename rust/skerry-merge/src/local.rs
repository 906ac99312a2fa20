//! A device's unacknowledged changes and the integration of downloads into them (sync-engine 3.3).
//!
//! The changes stay decoded, in reciprocal form, and indexed per object from commit to
//! acknowledgement. Integrating m instructions therefore costs O(m) lookups plus the pairs on
//! objects that both sides touched; what is pending on other objects is not looked at. A failed
//! integration leaves everything as it was.
//!
//! This is memory only: the store keeps the reciprocal forms and is told which of them changed.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use skerry_model::{Changeset, ClientVersion, FileIdent, Instruction, ObjectRef, Schema, Stamp};

use crate::frame::{self, Slots};
use crate::index::{Index, Position};
use crate::object::rewrite;
use crate::place::is_schema_erase;
use crate::slot::Fate;
use crate::{Author, MergeError, PairMerge, Slot};

/// A changeset from the server, with its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Author of the changeset.
    pub author: Author,
    /// Its instructions; rewritten by [`LocalChanges::integrate`] into what is to be applied.
    pub changeset: Changeset,
}

#[derive(Clone, Debug)]
struct LocalEntry {
    version: ClientVersion,
    stamp: Stamp,
    /// `None` where merging discarded an instruction, so that positions stay what they are.
    instructions: Vec<Option<Instruction>>,
    /// What a merge has put in place of some, by their places; kept for a moment only.
    additions: Vec<(usize, Vec<Instruction>)>,
}

/// The local changes that the server has not acknowledged, in reciprocal form.
#[derive(Clone, Debug, Default)]
pub struct LocalChanges {
    entries: VecDeque<LocalEntry>,
    /// Number of the first of `entries`, counted since the beginning.
    first: u64,
    last_version: ClientVersion,
    index: Index,
}

/// What meets: positions of ours from the base on, and of theirs, both ascending.
#[derive(Debug, Default)]
struct Conflict {
    ours: Vec<Position>,
    theirs: Vec<Position>,
}

/// What the merge made of the instructions that it did not keep as they were.
#[derive(Debug, Default)]
struct Effects {
    ours: Vec<(Position, Fate)>,
    theirs: Vec<(Position, Fate)>,
}

impl LocalChanges {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a local change behind all others: at commit the changeset itself, when a file is
    /// opened its stored reciprocal form. An empty changeset only moves the version.
    ///
    /// # Errors
    ///
    /// [`MergeError::VersionOrder`] when `version` is not above all that were pushed.
    pub fn push(
        &mut self,
        version: ClientVersion,
        stamp: Stamp,
        changeset: &Changeset,
    ) -> Result<(), MergeError> {
        if version <= self.last_version {
            return Err(MergeError::VersionOrder { last: self.last_version, pushed: version });
        }
        self.last_version = version;
        if changeset.is_empty() {
            return Ok(());
        }
        let entry = self.first + self.entries.len() as u64;
        for (at, instruction) in changeset.instructions.iter().enumerate() {
            self.index.push(instruction, Position { entry, at });
        }
        let instructions = changeset.instructions.iter().cloned().map(Some).collect();
        self.entries.push_back(LocalEntry { version, stamp, instructions, additions: Vec::new() });
        Ok(())
    }

    /// Forgets the changes up to and including `version`: the server has integrated them, and
    /// nothing that it sends from now on has an earlier base.
    pub fn acknowledge_through(&mut self, version: ClientVersion) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.version <= version) {
            for (at, instruction) in entry.instructions.iter().enumerate() {
                if let Some(instruction) = instruction {
                    self.index.remove(instruction, Position { entry: self.first, at });
                }
            }
            self.first += 1;
        }
    }

    /// Forgets all changes, as when a file is replaced. Versions still have to increase.
    pub fn clear(&mut self) {
        *self = Self { last_version: self.last_version, ..Self::default() };
    }

    /// Whether no change is pending.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of pending changesets.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The reciprocal form of a pending change, empty when merging left nothing of it; `None`
    /// when no change of that version is pending.
    pub fn reciprocal(&self, version: ClientVersion) -> Option<Changeset> {
        let at = self.entries.binary_search_by_key(&version, |entry| entry.version).ok()?;
        Some(Changeset {
            instructions: self.entries[at].instructions.iter().flatten().cloned().collect(),
        })
    }

    /// Merges incoming changesets, which share one base, with the pending changes after that base,
    /// rewrites `theirs` into what is to be applied, and returns the versions, ascending, of the
    /// changes whose reciprocal form has changed and must be stored with it.
    ///
    /// `base` is the last of this client's versions that the server had integrated when it made
    /// them; `own_ident` stands for this client in the tie-break; `schema` has the classes of both
    /// sides' objects.
    ///
    /// # Errors
    ///
    /// Any [`MergeError`]; then neither the pending changes nor `theirs` have changed.
    pub fn integrate(
        &mut self,
        schema: &Schema,
        own_ident: FileIdent,
        base: ClientVersion,
        theirs: &mut [Incoming],
    ) -> Result<Vec<ClientVersion>, MergeError> {
        self.integrate_by(own_ident, base, theirs, |ours, theirs| frame::run(schema, ours, theirs))
    }

    /// [`LocalChanges::integrate`] visiting all pairs with another merge of pairs, for tests of tests.
    pub fn integrate_with(
        &mut self,
        schema: &Schema,
        own_ident: FileIdent,
        base: ClientVersion,
        theirs: &mut [Incoming],
        merge: PairMerge,
    ) -> Result<Vec<ClientVersion>, MergeError> {
        self.integrate_by(own_ident, base, theirs, |ours, theirs| {
            frame::run_all(schema, ours, theirs, merge)
        })
    }

    fn integrate_by(
        &mut self,
        own_ident: FileIdent,
        base: ClientVersion,
        theirs: &mut [Incoming],
        run: impl Fn(&mut [Slot<'_>], &mut [Slot<'_>]) -> Result<(), MergeError>,
    ) -> Result<Vec<ClientVersion>, MergeError> {
        let past_base = self.entries.partition_point(|entry| entry.version <= base);
        if past_base == self.entries.len() {
            return Ok(Vec::new());
        }
        let start = Position { entry: self.first + past_base as u64, at: 0 };
        let mut effects = Effects::default();
        for conflict in self.conflicts(start, theirs) {
            self.merge(own_ident, &conflict, theirs, &run, &mut effects)?;
        }
        settle_theirs(theirs, effects.theirs);
        Ok(self.settle(effects.ours))
    }

    /// What meets what, in the order of first appearance in `theirs`, so that of several errors
    /// always the same one is reported.
    fn conflicts(&self, start: Position, theirs: &[Incoming]) -> Vec<Conflict> {
        let erases = theirs.iter().any(|t| t.changeset.instructions.iter().any(is_schema_erase));
        if erases || self.index.has_schema_erase() {
            return vec![self.everything(start, theirs)];
        }
        let mut conflicts: Vec<Conflict> = Vec::new();
        let mut of_object: FxHashMap<(&str, Option<&ObjectRef>), usize> = FxHashMap::default();
        for (position, instruction) in positions_of(theirs) {
            let Some(ours) = self.index.find(instruction) else { continue };
            let past_base = ours.partition_point(|position| *position < start);
            if past_base == ours.len() {
                continue;
            }
            let subject = (instruction.class().as_str(), instruction.object());
            let number = *of_object.entry(subject).or_insert_with(|| {
                let ours = ours.range(past_base..).copied().collect();
                conflicts.push(Conflict { ours, theirs: Vec::new() });
                conflicts.len() - 1
            });
            conflicts[number].theirs.push(position);
        }
        conflicts
    }

    /// All against all, which erasing from the schema needs (sync-engine 2.5).
    fn everything(&self, start: Position, theirs: &[Incoming]) -> Conflict {
        let ours = self.entries.iter().zip(self.first..).flat_map(|(entry, number)| {
            let live = entry.instructions.iter().enumerate().filter(|(_, i)| i.is_some());
            live.map(move |(at, _)| Position { entry: number, at })
        });
        Conflict {
            ours: ours.filter(|position| *position >= start).collect(),
            theirs: positions_of(theirs).map(|(position, _)| position).collect(),
        }
    }

    fn entry_index(&self, position: Position) -> usize {
        usize::try_from(position.entry - self.first).expect("an entry in memory has a small index")
    }

    fn merge(
        &self,
        own_ident: FileIdent,
        conflict: &Conflict,
        theirs: &[Incoming],
        run: impl Fn(&mut [Slot<'_>], &mut [Slot<'_>]) -> Result<(), MergeError>,
        effects: &mut Effects,
    ) -> Result<(), MergeError> {
        let ours = conflict.ours.iter().map(|&position| {
            let entry = &self.entries[self.entry_index(position)];
            let live = entry.instructions[position.at].as_ref();
            let instruction = live.expect("only live instructions are in the index");
            Slot::new(Author::new(entry.stamp, own_ident), instruction)
        });
        let incoming = conflict.theirs.iter().map(|&position| {
            let incoming = &theirs[their_index(position)];
            Slot::new(incoming.author, &incoming.changeset.instructions[position.at])
        });
        let mut our_slots: Slots<'_> = ours.collect();
        let mut their_slots: Slots<'_> = incoming.collect();
        run(&mut our_slots, &mut their_slots)?;
        collect(&conflict.ours, our_slots, &mut effects.ours);
        collect(&conflict.theirs, their_slots, &mut effects.theirs);
        Ok(())
    }

    fn settle(&mut self, effects: Vec<(Position, Fate)>) -> Vec<ClientVersion> {
        let mut dirty = Vec::new();
        let mut has_additions = false;
        for (position, fate) in effects {
            let index = self.entry_index(position);
            let entry = &mut self.entries[index];
            if let (Fate::Changed(rewritten), Some(before)) =
                (&fate, &entry.instructions[position.at])
                && **rewritten == *before
            {
                // It has been changed back.
                continue;
            }
            dirty.push(entry.version);
            let slot = &mut entry.instructions[position.at];
            match fate {
                Fate::Kept => {}
                Fate::Changed(rewritten) => *slot = Some(*rewritten),
                Fate::Discarded => {
                    let gone = slot.take().expect("it was live when it was discarded");
                    self.index.remove(&gone, position);
                }
                Fate::Replaced(instructions) => {
                    has_additions = true;
                    entry.additions.push((position.at, instructions));
                }
            }
        }
        if has_additions {
            self.reindex();
        }
        dirty.sort_unstable();
        dirty.dedup();
        dirty
    }

    /// Puts additions into their places, which moves what is behind them.
    fn reindex(&mut self) {
        self.index = Index::default();
        for (entry, number) in self.entries.iter_mut().zip(self.first..) {
            let mut additions = std::mem::take(&mut entry.additions);
            additions.sort_by_key(|(at, _)| *at);
            let mut additions = additions.into_iter().peekable();
            let mut instructions = Vec::with_capacity(entry.instructions.len());
            for (at, instruction) in std::mem::take(&mut entry.instructions).into_iter().enumerate()
            {
                match additions.next_if(|(place, _)| *place == at) {
                    Some((_, replacement)) => {
                        instructions.extend(replacement.into_iter().map(Some));
                    }
                    None => instructions.push(instruction),
                }
            }
            for (at, instruction) in instructions.iter().enumerate() {
                if let Some(instruction) = instruction {
                    self.index.push(instruction, Position { entry: number, at });
                }
            }
            entry.instructions = instructions;
        }
    }
}

fn their_index(position: Position) -> usize {
    usize::try_from(position.entry).expect("it was made from an index")
}

fn positions_of(theirs: &[Incoming]) -> impl Iterator<Item = (Position, &Instruction)> {
    theirs.iter().zip(0..).flat_map(|(incoming, entry)| {
        let instructions = incoming.changeset.instructions.iter().enumerate();
        instructions.map(move |(at, instruction)| (Position { entry, at }, instruction))
    })
}

fn collect(positions: &[Position], slots: Slots<'_>, effects: &mut Vec<(Position, Fate)>) {
    for (position, slot) in positions.iter().zip(slots) {
        match slot.into_fate() {
            Fate::Kept => {}
            fate @ (Fate::Changed(_) | Fate::Discarded | Fate::Replaced(_)) => {
                effects.push((*position, fate));
            }
        }
    }
}

fn settle_theirs(theirs: &mut [Incoming], mut effects: Vec<(Position, Fate)>) {
    effects.sort_unstable_by_key(|(position, _)| *position);
    let mut effects = effects.into_iter().peekable();
    let mut discarded = Vec::new();
    for (incoming, number) in theirs.iter_mut().zip(0..) {
        let instructions = &mut incoming.changeset.instructions;
        let mut additions = Vec::new();
        while let Some((position, fate)) = effects.next_if(|(p, _)| p.entry == number) {
            match fate {
                Fate::Kept => {}
                Fate::Changed(rewritten) => instructions[position.at] = *rewritten,
                Fate::Discarded => discarded.push(position.at),
                Fate::Replaced(replacement) => additions.push((position.at, replacement)),
            }
        }
        rewrite(instructions, &discarded, additions);
        discarded.clear();
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
