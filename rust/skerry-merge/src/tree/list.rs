//! Our instructions on one list and inside its elements.
//!
//! Insertions, erasures and what is done at elements are merged by [`Sequence`]. A move is not: the
//! engine's rules for moves depend on positions and not on elements alone. One of ours stands between
//! two sequences and is visited by itself; an incoming one visits each of ours.

use skerry_model::{Instruction, Schema};

use super::sequence::Sequence;
use crate::pair::apply;
use crate::place::path;
use crate::rules::{nested_rule, pair_rule};
use crate::{MergeError, Slot};

/// See the module.
#[derive(Debug)]
pub(super) struct List {
    /// Depth of the list's positions in paths.
    depth: usize,
    runs: Vec<Run>,
}

#[derive(Debug)]
enum Run {
    Sequence(Box<Sequence>),
    Move(usize),
}

fn is_move(instruction: &Instruction, depth: usize) -> bool {
    matches!(
        instruction,
        Instruction::ArrayMove { path, .. } if path.elements.len() == depth + 1
    )
}

impl List {
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, runs: Vec::new() }
    }

    /// Adds one of our instructions behind the others.
    pub(super) fn push(&mut self, ours: &[Slot<'_>], slot: usize) -> Result<(), MergeError> {
        if is_move(ours[slot].instruction(), self.depth) {
            self.runs.push(Run::Move(slot));
            return Ok(());
        }
        if !matches!(self.runs.last(), Some(Run::Sequence(_))) {
            self.runs.push(Run::Sequence(Box::new(Sequence::new(self.depth))));
        }
        match self.runs.last_mut() {
            Some(Run::Sequence(sequence)) => sequence.push(ours, slot),
            Some(Run::Move(_)) | None => unreachable!("pushed above when it was not there"),
        }
    }

    /// Merges an incoming instruction with all of ours.
    pub(super) fn pass(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
    ) -> Result<(), MergeError> {
        let visits = is_move(incoming.instruction(), self.depth);
        let mut has_discarded = false;
        for run in &mut self.runs {
            if incoming.is_discarded() {
                break;
            }
            match run {
                Run::Move(slot) => {
                    visit(schema, self.depth, &mut ours[*slot], incoming)?;
                    has_discarded |= ours[*slot].is_discarded();
                }
                Run::Sequence(sequence) if visits => {
                    sequence.settle(ours);
                    for slot in sequence.slots() {
                        if !incoming.is_discarded() && !ours[slot].is_discarded() {
                            visit(schema, self.depth, &mut ours[slot], incoming)?;
                        }
                    }
                    **sequence = rebuilt(self.depth, sequence, ours)?;
                }
                Run::Sequence(sequence) => sequence.pass(schema, ours, incoming)?,
            }
        }
        if has_discarded {
            self.runs.retain(|run| match run {
                Run::Move(slot) => !ours[*slot].is_discarded(),
                Run::Sequence(_) => true,
            });
        }
        Ok(())
    }

    /// Numbers of the slots, in order.
    pub(super) fn slots(&self) -> Vec<usize> {
        let mut all = Vec::new();
        for run in &self.runs {
            match run {
                Run::Sequence(sequence) => all.extend(sequence.slots()),
                Run::Move(slot) => all.push(*slot),
            }
        }
        all
    }

    /// Whether nothing of ours is left.
    pub(super) fn is_discarded(&self, ours: &[Slot<'_>]) -> bool {
        self.slots().into_iter().all(|slot| ours[slot].is_discarded())
    }

    /// Starts again with what is left, after something else than an edit of the list has discarded
    /// some.
    pub(super) fn rebuild(&mut self, ours: &mut [Slot<'_>]) -> Result<(), MergeError> {
        self.settle(ours);
        let mut list = Self::new(self.depth);
        for slot in self.slots() {
            if !ours[slot].is_discarded() {
                list.push(ours, slot)?;
            }
        }
        *self = list;
        Ok(())
    }

    pub(super) fn settle(&mut self, ours: &mut [Slot<'_>]) {
        for run in &mut self.runs {
            if let Run::Sequence(sequence) = run {
                sequence.settle(ours);
            }
        }
    }
}

/// Merges one of ours and an incoming one, at least one of which is a move in the list.
fn visit(
    schema: &Schema,
    depth: usize,
    own: &mut Slot<'_>,
    incoming: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let is_here =
        |slot: &Slot<'_>| path(slot.instruction()).is_some_and(|p| p.elements.len() == depth + 1);
    match (is_here(own), is_here(incoming)) {
        (true, true) => {
            let row = pair_rule(own.instruction(), incoming.instruction());
            apply(schema, &row, own, incoming)
        }
        (true, false) => apply(schema, &nested_rule(own.instruction()), own, incoming),
        (false, _) => apply(schema, &nested_rule(incoming.instruction()), incoming, own),
    }
}

fn rebuilt(depth: usize, sequence: &Sequence, ours: &[Slot<'_>]) -> Result<Sequence, MergeError> {
    let mut rebuilt = Sequence::new(depth);
    for slot in sequence.slots() {
        if !ours[slot].is_discarded() {
            rebuilt.push(ours, slot)?;
        }
    }
    Ok(rebuilt)
}
