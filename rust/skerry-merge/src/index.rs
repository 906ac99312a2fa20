//! Where the pending instructions on an object or class are.
//!
//! Kept while changes are pending, so that a download costs one lookup for each of its
//! instructions however much is pending. Positions of an object ascend.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use skerry_model::{Instruction, Name, ObjectRef};

use crate::place::is_schema_erase;

/// A pending instruction: number of its entry since the beginning of time, and place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) entry: u64,
    pub(crate) at: usize,
}

/// Positions of the live instructions, per object and, for schema instructions, per class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    objects: FxHashMap<ObjectRef, VecDeque<Position>>,
    classes: FxHashMap<Name, VecDeque<Position>>,
    schema_erases: usize,
}

impl Index {
    /// Whether a pending instruction erases a class or property, so that lookups per object and
    /// per class do not find all that conflicts (sync-engine 2.5).
    pub(crate) fn has_schema_erase(&self) -> bool {
        self.schema_erases > 0
    }

    /// Positions of what is pending on the object, or class, that `instruction` is about.
    pub(crate) fn find(&self, instruction: &Instruction) -> Option<&VecDeque<Position>> {
        match instruction.object() {
            Some(object) => self.objects.get(object),
            None => self.classes.get(instruction.class()),
        }
    }

    /// Adds an instruction behind all others.
    pub(crate) fn push(&mut self, instruction: &Instruction, position: Position) {
        let positions = match instruction.object() {
            Some(object) => match self.objects.get_mut(object) {
                Some(positions) => positions,
                None => self.objects.entry(object.clone()).or_default(),
            },
            None => self.classes.entry(instruction.class().clone()).or_default(),
        };
        positions.push_back(position);
        self.schema_erases += usize::from(is_schema_erase(instruction));
    }

    /// Forgets an instruction. Cheap from either end, which is where acknowledging and merging
    /// in order take from.
    pub(crate) fn remove(&mut self, instruction: &Instruction, position: Position) {
        let emptied = match instruction.object() {
            Some(object) => take(self.objects.get_mut(object), position),
            None => take(self.classes.get_mut(instruction.class()), position),
        };
        if emptied {
            match instruction.object() {
                Some(object) => drop(self.objects.remove(object)),
                None => drop(self.classes.remove(instruction.class())),
            }
        }
        self.schema_erases -= usize::from(is_schema_erase(instruction));
    }

    /// Number of objects and classes with something pending.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.objects.len() + self.classes.len()
    }
}

/// Takes one position out, and tells whether none is left.
fn take(positions: Option<&mut VecDeque<Position>>, position: Position) -> bool {
    let positions = positions.expect("every live instruction is in the index");
    let at = positions.binary_search(&position).expect("every live instruction is in the index");
    positions.remove(at);
    positions.is_empty()
}
