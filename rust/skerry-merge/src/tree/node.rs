//! What our side did at one place and inside it.

use rustc_hash::FxHashMap;
use skerry_model::{Instruction, Name, PathElement, Payload, Schema, SetKey};

use super::list::List;
use super::retain_left;
use crate::pair::apply;
use crate::place::{path, set_value};
use crate::rules::{nested_rule, pair_rule};
use crate::{MergeError, Slot};

/// Our instructions at a place and inside it, in order.
#[derive(Debug, Default)]
pub(super) struct Node {
    runs: Vec<Run>,
}

/// Neighbours in the order of our history.
#[derive(Debug)]
enum Run {
    /// Instructions at the place itself.
    At(Vec<usize>),
    /// Instructions inside it.
    Inside(Inside),
}

/// Instructions inside a place, apart by where they go on.
#[derive(Debug, Default)]
struct Inside {
    /// Properties of an embedded object, or keys of a dictionary.
    keys: FxHashMap<Name, Node>,
    /// Elements of a set.
    values: FxHashMap<SetKey, Vec<usize>>,
    /// Elements of a list.
    list: Option<Box<List>>,
}

/// How an instruction goes on from a place.
enum Way<'i> {
    /// It is at the place.
    Here,
    Value(SetKey),
    Key(&'i Name),
    Index,
}

fn way(instruction: &Instruction, depth: usize) -> Way<'_> {
    let path = path(instruction).expect("only path instructions are inside an object");
    match (path.elements.get(depth), set_value(instruction)) {
        (Some(PathElement::Key(key)), _) => Way::Key(key),
        (Some(PathElement::Index(_)), _) => Way::Index,
        (None, Some(value)) => Way::Value(SetKey::of(value)),
        (None, None) => Way::Here,
    }
}

impl Node {
    /// Adds one of our instructions behind the others.
    pub(super) fn push(
        &mut self,
        ours: &[Slot<'_>],
        slot: usize,
        depth: usize,
    ) -> Result<(), MergeError> {
        let way = way(ours[slot].instruction(), depth);
        if matches!(way, Way::Here) {
            if let Some(Run::At(slots)) = self.runs.last_mut() {
                slots.push(slot);
            } else {
                self.runs.push(Run::At(vec![slot]));
            }
            return Ok(());
        }
        if !matches!(self.runs.last(), Some(Run::Inside(_))) {
            self.runs.push(Run::Inside(Inside::default()));
        }
        let Some(Run::Inside(inside)) = self.runs.last_mut() else {
            unreachable!("pushed above when it was not there")
        };
        inside.push(ours, slot, depth, way)
    }

    /// Merges an incoming instruction, which is at the place or inside it, with all of ours.
    pub(super) fn pass(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
        depth: usize,
    ) -> Result<(), MergeError> {
        let mut has_emptied = false;
        for run in &mut self.runs {
            if incoming.is_discarded() {
                break;
            }
            has_emptied |= match run {
                Run::At(slots) => pass_at(schema, ours, slots, incoming, depth)?,
                Run::Inside(inside) => inside.pass(schema, ours, incoming, depth)?,
            };
        }
        if has_emptied {
            self.runs.retain(|run| match run {
                Run::At(slots) => !slots.is_empty(),
                Run::Inside(inside) => !inside.is_empty(),
            });
        }
        Ok(())
    }

    /// Numbers of all slots.
    pub(super) fn slots(&self) -> Vec<usize> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    pub(super) fn collect(&self, all: &mut Vec<usize>) {
        for run in &self.runs {
            match run {
                Run::At(slots) => all.extend(slots),
                Run::Inside(inside) => inside.collect(all),
            }
        }
    }

    pub(super) fn settle(&mut self, ours: &mut [Slot<'_>]) {
        for run in &mut self.runs {
            if let Run::Inside(inside) = run {
                inside.keys.values_mut().for_each(|node| node.settle(ours));
                if let Some(list) = &mut inside.list {
                    list.settle(ours);
                }
            }
        }
    }
}

/// Merges an incoming instruction with ours at the place; whether none of ours is left.
fn pass_at(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    slots: &mut Vec<usize>,
    incoming: &mut Slot<'_>,
    depth: usize,
) -> Result<bool, MergeError> {
    let is_inside = matches!(way(incoming.instruction(), depth), Way::Key(_) | Way::Index);
    let mut has_discarded = false;
    for &slot in slots.iter() {
        if incoming.is_discarded() {
            break;
        }
        let own = &mut ours[slot];
        if is_inside {
            apply(schema, &nested_rule(own.instruction()), own, incoming)?;
        } else {
            apply(schema, &pair_rule(own.instruction(), incoming.instruction()), own, incoming)?;
        }
        has_discarded |= own.is_discarded();
    }
    if has_discarded {
        retain_left(ours, slots);
    }
    Ok(slots.is_empty())
}

impl Inside {
    fn push(
        &mut self,
        ours: &[Slot<'_>],
        slot: usize,
        depth: usize,
        way: Way<'_>,
    ) -> Result<(), MergeError> {
        match way {
            Way::Here => unreachable!("only what is inside the place comes here"),
            Way::Value(value) => self.values.entry(value).or_default().push(slot),
            Way::Key(key) => {
                let node = match self.keys.get_mut(key) {
                    Some(node) => node,
                    None => self.keys.entry(key.clone()).or_default(),
                };
                node.push(ours, slot, depth + 1)?;
            }
            Way::Index => {
                let list = self.list.get_or_insert_with(|| Box::new(List::new(depth)));
                list.push(ours, slot)?;
            }
        }
        Ok(())
    }

    /// Merges an incoming instruction with ours; whether none of ours is left.
    fn pass(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
        depth: usize,
    ) -> Result<bool, MergeError> {
        match way(incoming.instruction(), depth) {
            Way::Here => self.pass_above(schema, ours, incoming, depth)?,
            Way::Value(value) => {
                if let Some(slots) = self.values.get_mut(&value)
                    && pass_at(schema, ours, slots, incoming, depth)?
                {
                    self.values.remove(&value);
                }
            }
            Way::Key(key) => {
                let key = key.clone();
                if let Some(node) = self.keys.get_mut(&key) {
                    node.pass(schema, ours, incoming, depth + 1)?;
                    if node.runs.is_empty() {
                        self.keys.remove(&key);
                    }
                }
            }
            Way::Index => {
                if let Some(list) = &mut self.list {
                    list.pass(schema, ours, incoming)?;
                }
            }
        }
        Ok(self.is_empty())
    }

    /// Merges an incoming instruction at the place itself with what is inside.
    fn pass_above(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
        depth: usize,
    ) -> Result<(), MergeError> {
        // The commonest without effect, which may come as often as there is something inside.
        if let Instruction::Update { path, value: Payload::ObjectValue, .. } =
            incoming.instruction()
            && !schema.is_embedded_dictionary_key(path)
        {
            return Ok(());
        }
        let mut slots = Vec::new();
        self.collect(&mut slots);
        slots.sort_unstable();
        let mut has_discarded = false;
        for slot in slots {
            if incoming.is_discarded() {
                break;
            }
            let own = &mut ours[slot];
            if own.is_discarded() {
                continue;
            }
            if matches!(way(own.instruction(), depth), Way::Value(_)) {
                let row = pair_rule(incoming.instruction(), own.instruction());
                apply(schema, &row, incoming, own)?;
            } else {
                apply(schema, &nested_rule(incoming.instruction()), incoming, own)?;
            }
            has_discarded |= own.is_discarded();
        }
        self.drop_discarded(ours, has_discarded)
    }

    /// Forgets what has been discarded, now (`is_news`) or before: a list of which nothing is left, at
    /// whatever depth, must not be met by what the other side does after it has cleared the place.
    fn drop_discarded(&mut self, ours: &mut [Slot<'_>], is_news: bool) -> Result<(), MergeError> {
        self.values.retain(|_, slots| {
            retain_left(ours, slots);
            !slots.is_empty()
        });
        self.keys.retain(|_, node| node.slots().iter().any(|slot| !ours[*slot].is_discarded()));
        match &mut self.list {
            Some(list) if list.is_discarded(ours) => self.list = None,
            Some(list) if is_news => list.rebuild(ours)?,
            Some(_) | None => {}
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.values.is_empty() && self.list.is_none()
    }

    fn collect(&self, all: &mut Vec<usize>) {
        self.keys.values().for_each(|node| node.collect(all));
        self.values.values().for_each(|slots| all.extend(slots));
        if let Some(list) = &self.list {
            all.extend(list.slots());
        }
    }
}
