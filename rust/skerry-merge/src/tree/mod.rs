//! The merge of many instructions on one object, without visiting each pair.
//!
//! Our instructions are sorted by place: object, property, and on along their paths. An incoming one
//! goes down to its own place and meets only what is on its way or below it. In lists it is placed by
//! the elements beside it ([`sequence`]). Rules are those of the table; what is saved are visits that
//! would have no effect, so the result is that of [`crate::frame::run_all`], which a test checks.
//!
//! Ours are kept sorted while incoming ones pass one after another, in order. Positions in lists of ours
//! are written back at the end, by [`Side::settle`].

mod list;
mod node;
mod order;
mod sequence;

use rustc_hash::FxHashMap;
use skerry_model::{Instruction, Name, Schema};

use crate::pair::apply;
use crate::place::path;
use crate::rules::{nested_rule, pair_rule};
use crate::{MergeError, Slot, lists};
use node::Node;

/// Our instructions on one object, sorted by place.
#[derive(Debug, Default)]
pub(crate) struct Side {
    runs: Vec<Run>,
}

/// Neighbours in the order of our history.
#[derive(Debug)]
enum Run {
    /// Creations and erasures of the object.
    Whole(Vec<usize>),
    /// Instructions inside it, by property.
    Inside(FxHashMap<Name, Node>),
}

fn retain_left(ours: &[Slot<'_>], slots: &mut Vec<usize>) {
    slots.retain(|slot| !ours[*slot].is_discarded());
}

impl Side {
    /// Sorts instructions on one object.
    pub(crate) fn new(ours: &[Slot<'_>]) -> Result<Self, MergeError> {
        let mut side = Self::default();
        for slot in 0..ours.len() {
            side.push(ours, slot)?;
        }
        Ok(side)
    }

    /// Adds one of our instructions behind the others, unless it has been discarded.
    pub(crate) fn push(&mut self, ours: &[Slot<'_>], slot: usize) -> Result<(), MergeError> {
        if ours[slot].is_discarded() {
            return Ok(());
        }
        let instruction = ours[slot].instruction();
        lists::check_position(instruction)?;
        let Some(path) = path(instruction) else {
            match self.runs.last_mut() {
                Some(Run::Whole(slots)) => slots.push(slot),
                Some(Run::Inside(_)) | None => self.runs.push(Run::Whole(vec![slot])),
            }
            return Ok(());
        };
        if !matches!(self.runs.last(), Some(Run::Inside(_))) {
            self.runs.push(Run::Inside(FxHashMap::default()));
        }
        let Some(Run::Inside(properties)) = self.runs.last_mut() else {
            unreachable!("pushed above when it was not there")
        };
        let node = match properties.get_mut(&path.field) {
            Some(node) => node,
            None => properties.entry(path.field.clone()).or_default(),
        };
        node.push(ours, slot, 0)
    }

    /// Merges an incoming instruction with all of ours. Those that come later have to pass later.
    pub(crate) fn pass(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
    ) -> Result<(), MergeError> {
        lists::check_position(incoming.instruction())?;
        for run in &mut self.runs {
            if incoming.is_discarded() {
                break;
            }
            match (run, path(incoming.instruction())) {
                (Run::Whole(slots), incoming_path) => {
                    let is_inside = incoming_path.is_some();
                    pass_whole(schema, ours, slots, incoming, is_inside)?;
                }
                (Run::Inside(properties), Some(path)) => {
                    let field = path.field.clone();
                    if let Some(node) = properties.get_mut(&field) {
                        node.pass(schema, ours, incoming, 0)?;
                    }
                }
                (Run::Inside(properties), None) => {
                    pass_above(schema, ours, properties, incoming)?;
                }
            }
        }
        Ok(())
    }

    /// Writes back the positions in lists that have changed.
    pub(crate) fn settle(&mut self, ours: &mut [Slot<'_>]) {
        for run in &mut self.runs {
            if let Run::Inside(properties) = run {
                for node in properties.values_mut() {
                    node.settle(ours);
                }
            }
        }
    }
}

/// Merges an incoming instruction with our creations and erasures.
fn pass_whole(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    slots: &mut Vec<usize>,
    incoming: &mut Slot<'_>,
    is_inside: bool,
) -> Result<(), MergeError> {
    let mut has_discarded = false;
    for &slot in slots.iter() {
        if incoming.is_discarded() {
            break;
        }
        let own = &mut ours[slot];
        let row = if is_inside {
            nested_rule(own.instruction())
        } else {
            pair_rule(own.instruction(), incoming.instruction())
        };
        apply(schema, &row, own, incoming)?;
        has_discarded |= own.is_discarded();
    }
    if has_discarded {
        retain_left(ours, slots);
    }
    Ok(())
}

/// Merges the incoming creation or erasure of the object with what is inside.
fn pass_above(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    properties: &mut FxHashMap<Name, Node>,
    incoming: &mut Slot<'_>,
) -> Result<(), MergeError> {
    if matches!(incoming.instruction(), Instruction::CreateObject { .. }) {
        return Ok(());
    }
    let row = nested_rule(incoming.instruction());
    for slot in properties.values().flat_map(Node::slots) {
        if !ours[slot].is_discarded() {
            apply(schema, &row, incoming, &mut ours[slot])?;
        }
    }
    properties.clear();
    Ok(())
}
