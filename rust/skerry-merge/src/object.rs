//! The merge of what two sides did to one object: the server's side of the work.
//!
//! The server looks an uploaded changeset's objects up in the history of each, in that client's
//! reciprocal form, and merges them one by one. What it does not get back changed it need not
//! store again.

use skerry_model::{Instruction, Schema};
use smallvec::SmallVec;

use crate::frame::{self, Slots};
use crate::slot::Fate;
use crate::{Author, MergeError, PairMerge, Slot};

/// The instructions of one changeset on one object, or its schema instructions on one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Author of the changeset.
    pub author: Author,
    /// The instructions, in the order in which they were made.
    pub instructions: Vec<Instruction>,
    /// Set by a merge that changed `instructions`, so that the entry must be stored anew.
    pub dirty: bool,
}

/// What a merge did to theirs. What it did to ours is told by [`Entry::dirty`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Positions, before the merge and ascending, of their instructions that were discarded; what
    /// is left has moved together. With it the whole changeset can be put in order again.
    pub discarded: SmallVec<[usize; 4]>,
    /// Whether the merge has put instructions in that were not there: an erased class takes the
    /// properties with it that link to it. Positions then say nothing.
    pub has_additions: bool,
}

impl Entry {
    /// An entry that no merge has touched.
    pub fn new(author: Author, instructions: Vec<Instruction>) -> Self {
        Self { author, instructions, dirty: false }
    }
}

/// Merges one incoming entry with ours that are concurrent with it, in version order, all on one
/// object. `ours` must be past the base of `theirs`, made by others, and in reciprocal form;
/// `schema` has the classes of both.
///
/// Schema instructions of one class are merged in the same way; a class or property that is
/// erased ([`crate::is_schema_erase`]) conflicts with objects as well, and needs
/// [`merge_sequences`] on all of the class. For several incoming entries in turn see
/// [`crate::Concurrent`].
///
/// # Errors
///
/// Any [`MergeError`]; then neither side has changed.
pub fn merge_object(
    schema: &Schema,
    ours: &mut [Entry],
    theirs: &mut Entry,
) -> Result<Outcome, MergeError> {
    let run = |ours: &mut [Slot<'_>], theirs: &mut [Slot<'_>]| frame::run(schema, ours, theirs);
    let mut outcomes = merge(ours, std::slice::from_mut(theirs), run)?;
    Ok(outcomes.pop().expect("one outcome for the one entry"))
}

/// Merges two concurrent sequences of entries, on whatever objects, pair by pair, and tells what
/// became of each of theirs. This is the definition of merging; its cost is the product of the
/// lengths.
///
/// # Errors
///
/// Any [`MergeError`]; then neither side has changed.
pub fn merge_sequences(
    schema: &Schema,
    ours: &mut [Entry],
    theirs: &mut [Entry],
    pair: PairMerge,
) -> Result<Vec<Outcome>, MergeError> {
    merge(ours, theirs, |ours, theirs| frame::run_all(schema, ours, theirs, pair))
}

/// As [`merge_sequences`] for entries on one object, by place whatever their number: what
/// [`merge_object`] does where there are many instructions.
///
/// # Errors
///
/// Any [`MergeError`]; then neither side has changed.
pub fn merge_by_place(
    schema: &Schema,
    ours: &mut [Entry],
    theirs: &mut [Entry],
) -> Result<Vec<Outcome>, MergeError> {
    merge(ours, theirs, |ours, theirs| frame::run_by_place(schema, ours, theirs))
}

fn merge(
    ours: &mut [Entry],
    theirs: &mut [Entry],
    run: impl FnOnce(&mut [Slot<'_>], &mut [Slot<'_>]) -> Result<(), MergeError>,
) -> Result<Vec<Outcome>, MergeError> {
    let (our_fates, their_fates) = {
        let (mut our_slots, mut their_slots) = (slots(ours), slots(theirs));
        run(&mut our_slots, &mut their_slots)?;
        (fates(our_slots), fates(their_slots))
    };
    settle(ours, our_fates);
    Ok(settle(theirs, their_fates))
}

pub(crate) fn slots(entries: &[Entry]) -> Slots<'_> {
    entries
        .iter()
        .flat_map(|entry| {
            entry.instructions.iter().map(|instruction| Slot::new(entry.author, instruction))
        })
        .collect()
}

pub(crate) fn fates(slots: Slots<'_>) -> SmallVec<[Fate; 4]> {
    slots.into_iter().map(Slot::into_fate).collect()
}

pub(crate) fn settle(entries: &mut [Entry], fates: SmallVec<[Fate; 4]>) -> Vec<Outcome> {
    let mut fates = fates.into_iter();
    entries.iter_mut().map(|entry| settle_entry(entry, &mut fates)).collect()
}

fn settle_entry(entry: &mut Entry, fates: &mut impl Iterator<Item = Fate>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut changed = false;
    let mut additions: Vec<(usize, Vec<Instruction>)> = Vec::new();
    // `zip` in this order takes no fate for an instruction that is not there.
    for (at, (instruction, fate)) in entry.instructions.iter_mut().zip(fates).enumerate() {
        match fate {
            Fate::Kept => {}
            // It may have been changed back.
            Fate::Changed(rewritten) => {
                changed |= *instruction != *rewritten;
                *instruction = *rewritten;
            }
            Fate::Discarded => outcome.discarded.push(at),
            Fate::Replaced(instructions) => additions.push((at, instructions)),
        }
    }
    outcome.has_additions = !additions.is_empty();
    rewrite(&mut entry.instructions, &outcome.discarded, additions);
    entry.dirty |= changed || outcome.has_additions || !outcome.discarded.is_empty();
    outcome
}

/// Removes the instructions at `discarded`, and puts others in place of some; both ascend.
pub(crate) fn rewrite(
    instructions: &mut Vec<Instruction>,
    discarded: &[usize],
    additions: Vec<(usize, Vec<Instruction>)>,
) {
    if discarded.is_empty() && additions.is_empty() {
        return;
    }
    let mut discarded = discarded.iter().copied().peekable();
    let mut additions = additions.into_iter().peekable();
    let before = std::mem::take(instructions);
    instructions.reserve(before.len());
    for (at, instruction) in before.into_iter().enumerate() {
        if let Some((_, replacement)) = additions.next_if(|(place, _)| *place == at) {
            instructions.extend(replacement);
        } else if discarded.next_if_eq(&at).is_none() {
            instructions.push(instruction);
        }
    }
}
