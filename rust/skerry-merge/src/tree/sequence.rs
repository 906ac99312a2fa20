//! What our side did to one list, without moving elements, as incoming instructions meet it.
//!
//! Visiting pairs, an incoming insertion is compared with each of ours. Here it is placed by the
//! elements that stand beside it: only insertions into the very same gap are compared, and these not
//! one by one. Visited in the order of our history, the earliest insertion in the gap divides it, and
//! the incoming one goes behind it if it is later than that one, else before it; then on in the part
//! where it is. As long as our stamps do not fall, all that are earlier come first and all that are
//! later afterwards, so that the incoming element ends behind the last one in the gap that is earlier
//! than itself. Where our stamps fall, a new stretch begins and the same is done again.
//!
//! The invariant: passing an instruction gives what visiting it with each of ours gives. Erased
//! elements keep their place in the order; where there are some beside an insertion of both sides,
//! the life of that place is gone through event by event.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use skerry_model::{Instruction, PathElement, Schema};

use super::node::Node;
use super::order::{Count, NEVER, NIL, Orders, Unit};
use crate::place::{path, prior_size};
use crate::{Author, MergeError, Slot, lists};

/// One of our instructions on the list, or inside an element of it.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// Number of its slot.
    slot: usize,
    /// The element.
    unit: Unit,
}

/// Our instructions on one list. See the module.
#[derive(Debug)]
pub(super) struct Sequence {
    /// Depth of the list's positions in paths.
    depth: usize,
    orders: Orders,
    root: Unit,
    /// Our instructions; the index is their time.
    events: Vec<Event>,
    authors: Vec<Author>,
    /// For each time the end of the stretch, from there on, in which stamps do not fall.
    stretch_ends: Vec<u32>,
    /// What our side did at or inside elements.
    inside: FxHashMap<Unit, Node>,
    /// Number of shared elements, once an instruction has told.
    size: Option<i64>,
    /// By how much our instructions change the size.
    growth: i64,
    /// Whether positions of ours have to be written anew.
    is_shifted: bool,
}

/// What an instruction does to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Insert,
    Erase,
    /// It is at or inside an element.
    Element,
}

fn effect(instruction: &Instruction, depth: usize) -> Effect {
    let is_here = path(instruction).is_some_and(|path| path.elements.len() == depth + 1);
    match instruction {
        Instruction::ArrayInsert { .. } if is_here => Effect::Insert,
        Instruction::ArrayErase { .. } if is_here => Effect::Erase,
        _ => Effect::Element,
    }
}

fn position(instruction: &Instruction, depth: usize) -> u64 {
    match path(instruction).map(|path| &path.elements[depth]) {
        Some(PathElement::Index(index)) => u64::from(*index),
        Some(PathElement::Key(_)) | None => unreachable!("the path goes through the list"),
    }
}

impl Sequence {
    pub(super) fn new(depth: usize) -> Self {
        let mut orders = Orders::default();
        // More elements than any list has: what is behind the end is never asked for.
        let root = orders.shared_unit(u32::MAX);
        Self {
            depth,
            orders,
            root,
            events: Vec::new(),
            authors: Vec::new(),
            stretch_ends: Vec::new(),
            inside: FxHashMap::default(),
            size: None,
            growth: 0,
            is_shifted: false,
        }
    }

    /// Numbers of the slots of our instructions, in order.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        self.events.iter().map(|event| event.slot)
    }

    /// The stated size of an instruction on the list itself.
    fn stated(&self, instruction: &Instruction) -> Option<u32> {
        let is_here = path(instruction).is_some_and(|path| path.elements.len() == self.depth + 1);
        prior_size(instruction).filter(|_| is_here)
    }

    /// Checks the size that an instruction states against `growth` more than the shared elements.
    fn check_size(&mut self, instruction: &Instruction, growth: i64) -> Result<(), MergeError> {
        let Some(stated) = self.stated(instruction) else { return Ok(()) };
        let size = i64::from(stated) - growth;
        match self.size {
            Some(known) if known != size => {
                let path = path(instruction).expect("an instruction on a list has a path");
                let (class, field) = (path.object.class.clone(), path.field.clone());
                let other = u32::try_from(known + growth).unwrap_or(0);
                Err(MergeError::ListSizeMismatch { class, field, one: stated, other })
            }
            Some(_) => Ok(()),
            None => {
                self.size = Some(size);
                Ok(())
            }
        }
    }

    /// Adds one of our instructions behind the others.
    pub(super) fn push(&mut self, ours: &[Slot<'_>], slot: usize) -> Result<(), MergeError> {
        let instruction = ours[slot].instruction();
        self.check_size(instruction, self.growth)?;
        let time = u32::try_from(self.events.len()).expect("instructions are fewer than 2^32");
        let at = position(instruction, self.depth);
        let unit = match effect(instruction, self.depth) {
            Effect::Insert => {
                self.growth += 1;
                let (first, second) = self.orders.cut_after(self.root, Count::Left, at);
                let unit = self.orders.inserted_unit(time);
                self.root = self.assemble(&[first, unit, second]);
                unit
            }
            Effect::Erase => {
                self.growth -= 1;
                let (first, unit, second) = self.single_out(Count::Left, at);
                self.orders.set_death(unit, time);
                self.root = self.assemble(&[first, unit, second]);
                unit
            }
            Effect::Element => {
                let (first, unit, second) = self.single_out(Count::Left, at);
                self.root = self.assemble(&[first, unit, second]);
                self.inside.entry(unit).or_default().push(ours, slot, self.depth + 1)?;
                unit
            }
        };
        self.events.push(Event { slot, unit });
        self.authors.push(ours[slot].author());
        self.stretch_ends.clear();
        Ok(())
    }

    fn assemble(&mut self, parts: &[Unit]) -> Unit {
        parts.iter().fold(NIL, |root, part| self.orders.join(root, *part))
    }

    /// What is before the element at a position, the element alone, and what is behind it.
    fn single_out(&mut self, count: Count, at: u64) -> (Unit, Unit, Unit) {
        let (first, rest) = self.orders.cut_before(self.root, count, at);
        let (unit, second) = self.orders.take_first(rest, count);
        (first, unit, second)
    }

    /// Merges an incoming instruction with all of ours.
    pub(super) fn pass(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
    ) -> Result<(), MergeError> {
        self.check_size(incoming.instruction(), 0)?;
        let at = position(incoming.instruction(), self.depth);
        let growth = self.growth;
        match effect(incoming.instruction(), self.depth) {
            Effect::Insert => self.pass_insert(incoming, at)?,
            Effect::Erase => self.pass_erase(ours, incoming, at),
            Effect::Element => self.pass_element(schema, ours, incoming, at)?,
        }
        if !incoming.is_discarded()
            && let Some(stated) = self.stated(incoming.instruction())
        {
            let size = u32::try_from(i64::from(stated) + growth).unwrap_or(0);
            lists::set_prior_size(incoming, size);
        }
        Ok(())
    }

    fn put(&self, incoming: &mut Slot<'_>, position: u64) {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        lists::set_index(incoming, self.depth, position);
    }

    fn grow(&mut self, by: i64) {
        self.is_shifted = true;
        self.size = self.size.map(|size| size + by);
    }

    fn pass_element(
        &mut self,
        schema: &Schema,
        ours: &mut [Slot<'_>],
        incoming: &mut Slot<'_>,
        at: u64,
    ) -> Result<(), MergeError> {
        let found = self.orders.find(self.root, at);
        let (unit, position) = found.expect("the order is longer than any list");
        if let Some(node) = self.inside.get_mut(&unit) {
            node.pass(schema, ours, incoming, self.depth + 1)?;
        }
        if incoming.is_discarded() {
            return Ok(());
        }
        if self.orders.death(unit) == NEVER {
            self.put(incoming, position);
        } else {
            incoming.discard();
        }
        Ok(())
    }

    /// Erasing discards what our side did to the element; if that was to erase it, once is enough.
    fn pass_erase(&mut self, ours: &mut [Slot<'_>], incoming: &mut Slot<'_>, at: u64) {
        let (first, unit, second) = self.single_out(Count::Shared, at);
        if let Some(node) = self.inside.remove(&unit) {
            node.slots().into_iter().for_each(|slot| ours[slot].discard());
        }
        let death = self.orders.death(unit);
        if death == NEVER {
            let position = self.orders.left_in(first);
            self.put(incoming, position);
        } else {
            incoming.discard();
            ours[self.events[death as usize].slot].discard();
            self.growth += 1;
        }
        self.root = self.assemble(&[first, second]);
        self.grow(-1);
    }

    fn pass_insert(&mut self, incoming: &mut Slot<'_>, at: u64) -> Result<(), MergeError> {
        let (before, rest) = self.orders.cut_after(self.root, Count::Shared, at);
        let (gap, behind) = self.orders.cut_before(rest, Count::Shared, 0);
        let is_dead = |orders: &Orders, unit| unit != NIL && orders.death(unit) != NEVER;
        let has_dead = self.orders.has_dead(gap)
            || is_dead(&self.orders, self.orders.last(before))
            || is_dead(&self.orders, self.orders.first(behind));
        let placed = if has_dead {
            self.place_among_dead(incoming.author(), before, gap, behind)
        } else {
            let placed = self.place_in_gap(incoming.author(), gap);
            placed.map(|(first, second)| {
                (self.orders.join(before, first), self.orders.join(second, behind))
            })
        };
        let (before, behind) = placed?;
        let position = self.orders.left_in(before);
        self.put(incoming, position);
        let unit = self.orders.shared_unit(1);
        self.root = self.assemble(&[before, unit, behind]);
        self.grow(1);
        Ok(())
    }

    /// The end of the stretch of our instructions from `time` on in which stamps do not fall.
    fn stretch_end(&mut self, time: u32) -> u32 {
        if self.stretch_ends.is_empty() {
            let mut ends = vec![0; self.authors.len()];
            let mut end = self.authors.len();
            for at in (0..self.authors.len()).rev() {
                if at + 1 < self.authors.len() && self.authors[at] > self.authors[at + 1] {
                    end = at + 1;
                }
                ends[at] = u32::try_from(end).expect("instructions are fewer than 2^32");
            }
            self.stretch_ends = ends;
        }
        self.stretch_ends[time as usize]
    }

    /// Divides what our side inserted in one gap into what comes before the author's element and what
    /// comes after it.
    fn place_in_gap(&mut self, author: Author, gap: Unit) -> Result<(Unit, Unit), MergeError> {
        let (mut before, mut gap, mut behind) = (NIL, gap, NIL);
        while gap != NIL {
            let time = self.orders.first_birth(gap);
            let end = self.stretch_end(time);
            match self.authors[time as usize].cmp(&author) {
                Ordering::Equal => return Err(MergeError::SameAuthor { author }),
                Ordering::Less => {
                    let stretch = &self.authors[time as usize..end as usize];
                    let earlier = stretch.partition_point(|other| *other < author);
                    let until = time + u32::try_from(earlier).expect("part of a stretch");
                    let (first, rest) = self.orders.cut_after_born(gap, until);
                    before = self.orders.join(before, first);
                    gap = rest;
                }
                Ordering::Greater => {
                    let (rest, last) = self.orders.cut_before_born(gap, end);
                    behind = self.orders.join(last, behind);
                    gap = rest;
                }
            }
        }
        Ok((before, behind))
    }

    /// As [`Sequence::place_in_gap`], where our side has erased something nearby: goes through what
    /// happened, from the nearest lasting element on the left to the nearest on the right.
    fn place_among_dead(
        &mut self,
        author: Author,
        before: Unit,
        gap: Unit,
        behind: Unit,
    ) -> Result<(Unit, Unit), MergeError> {
        let (outer_left, near_left) = self.orders.cut_after_lasting(before);
        let (near_right, outer_right) = self.orders.cut_before_lasting(behind);
        let has_inserted = [near_left, gap, near_right].map(|part| self.orders.has_inserted(part));
        if !has_inserted.contains(&true) {
            let before = self.assemble(&[outer_left, near_left]);
            return Ok((before, self.assemble(&[gap, near_right, outer_right])));
        }
        let mut units = self.orders.units(near_left);
        let left_of_gap = units.len();
        units.extend(self.orders.units(gap));
        let right_of_gap = units.len();
        units.extend(self.orders.units(near_right));
        let mut life = Life::new(units.len(), left_of_gap, right_of_gap);
        let mut events = Vec::new();
        for (at, &unit) in units.iter().enumerate() {
            let (birth, death) = (self.orders.birth(unit), self.orders.death(unit));
            if birth == NEVER {
                life.begin(at);
            } else {
                events.push((birth, at, true));
            }
            if death != NEVER {
                events.push((death, at, false));
            }
        }
        events.sort_unstable();
        for (time, at, is_birth) in events {
            if is_birth {
                life.birth(at, self.authors[time as usize], author)?;
            } else {
                life.death(at);
            }
        }
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (at, unit) in units.into_iter().enumerate() {
            if life.is_before[at] { first.push(unit) } else { second.push(unit) }
        }
        let (first, second) = (self.orders.gather(&first), self.orders.gather(&second));
        Ok((self.orders.join(outer_left, first), self.orders.join(second, outer_right)))
    }

    /// Writes the positions and sizes of our instructions as they are after all that has passed.
    pub(super) fn settle(&mut self, ours: &mut [Slot<'_>]) {
        for node in self.inside.values_mut() {
            node.settle(ours);
        }
        if !std::mem::take(&mut self.is_shifted) {
            return;
        }
        let units = self.orders.units(self.root);
        let mut places = vec![usize::MAX; self.orders.len()];
        let mut standing = Standing::new(units.len());
        for (place, &unit) in units.iter().enumerate() {
            places[unit as usize] = place;
            if self.orders.birth(unit) == NEVER {
                standing.add(place, i64::from(self.orders.weight(unit)));
            }
        }
        let mut size = self.size;
        for Event { slot, unit } in &self.events {
            let slot = &mut ours[*slot];
            if slot.is_discarded() {
                continue;
            }
            let place = places[*unit as usize];
            let position = u32::try_from(standing.before(place)).unwrap_or(u32::MAX);
            lists::set_index(slot, self.depth, position);
            if let Some(size) = size.filter(|_| self.stated(slot.instruction()).is_some()) {
                lists::set_prior_size(slot, u32::try_from(size).unwrap_or(0));
            }
            let change = match effect(slot.instruction(), self.depth) {
                Effect::Insert => 1,
                Effect::Erase => -1,
                Effect::Element => 0,
            };
            if change != 0 {
                standing.add(place, change);
                size = size.map(|size| size + change);
            }
        }
    }
}

/// The life of the places around an insertion while our side edits the list.
struct Life {
    alive: BTreeSet<usize>,
    /// Places of the elements that stand next to the insertion, when they are among these.
    left: Option<usize>,
    right: Option<usize>,
    is_before: Vec<bool>,
}

impl Life {
    fn new(places: usize, left_of_gap: usize, right_of_gap: usize) -> Self {
        let mut is_before = vec![false; places];
        is_before[..left_of_gap].fill(true);
        let left = left_of_gap.checked_sub(1);
        let right = Some(right_of_gap).filter(|place| *place < places);
        Self { alive: BTreeSet::new(), left, right, is_before }
    }

    /// An element that is there from the beginning.
    fn begin(&mut self, place: usize) {
        self.alive.insert(place);
    }

    /// Our side inserts an element at a place.
    fn birth(&mut self, place: usize, by: Author, author: Author) -> Result<(), MergeError> {
        self.alive.insert(place);
        if self.left.is_some_and(|left| place < left) {
            self.is_before[place] = true;
        } else if self.right.is_some_and(|right| place > right) {
            self.is_before[place] = false;
        } else {
            match by.cmp(&author) {
                Ordering::Equal => return Err(MergeError::SameAuthor { author }),
                Ordering::Less => {
                    self.is_before[place] = true;
                    self.left = Some(place);
                }
                Ordering::Greater => {
                    self.is_before[place] = false;
                    self.right = Some(place);
                }
            }
        }
        Ok(())
    }

    /// Our side erases the element at a place.
    fn death(&mut self, place: usize) {
        self.alive.remove(&place);
        if self.left == Some(place) {
            self.left = self.alive.range(..place).next_back().copied();
        }
        if self.right == Some(place) {
            self.right = self.alive.range(place..).next().copied();
        }
    }
}

/// How many elements stand before a place, kept while they come and go: a binary indexed tree.
struct Standing {
    sums: Vec<i64>,
}

impl Standing {
    fn new(places: usize) -> Self {
        Self { sums: vec![0; places + 1] }
    }

    fn add(&mut self, place: usize, count: i64) {
        let mut at = place + 1;
        while at < self.sums.len() {
            self.sums[at] += count;
            at += at & at.wrapping_neg();
        }
    }

    fn before(&self, place: usize) -> i64 {
        let (mut at, mut sum) = (place, 0);
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }
}
