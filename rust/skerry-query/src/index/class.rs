//! The conditions on one class.
//!
//! Invariant: every branch of every condition held lies under exactly the keys of its accesses, or
//! among those that every object reaches; whatever has no entry any more is gone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use skerry_model::{CollectionType, Content, Value};

use super::access::{Access, Branch, Planner, PropertyPair, Reach};
use super::axis::{Axis, Ordered};
use super::intervals::Intervals;
use crate::eval::{NoObjects, Row};
use crate::predicate::{Predicate, PropertyRef};

/// A branch of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The place of the condition.
    pub(super) view: u32,
    /// Which of its branches.
    pub(super) branch: u32,
}

#[derive(Clone, Debug)]
pub(super) struct ClassIndex<Id> {
    views: Vec<Option<View<Id>>>,
    /// Places in `views` that are empty.
    free: Vec<u32>,
    fields: Vec<Field>,
    pairs: Vec<Pair>,
    /// What every object reaches.
    always: BTreeSet<Entry>,
}

#[derive(Clone, Debug)]
struct View<Id> {
    id: Id,
    branches: Vec<Branch>,
}

/// What is laid down under the values of a property.
#[derive(Clone, Debug)]
struct Field {
    property: PropertyRef,
    equal: BTreeMap<Axis, BTreeSet<(Ordered, Entry)>>,
    ranges: BTreeMap<Axis, Intervals>,
}

/// What is laid down under the values of two properties.
#[derive(Clone, Debug)]
struct Pair {
    properties: PropertyPair,
    equal: BTreeMap<[Axis; 2], BTreeSet<(Ordered, Ordered, Entry)>>,
}

/// Below all entries.
const FIRST: Entry = Entry { view: 0, branch: 0 };

impl<Id> Default for ClassIndex<Id> {
    fn default() -> Self {
        Self {
            views: Vec::new(),
            free: Vec::new(),
            fields: Vec::new(),
            pairs: Vec::new(),
            always: BTreeSet::new(),
        }
    }
}

impl<Id: Copy> ClassIndex<Id> {
    /// Adds a condition; returns its place.
    pub(super) fn insert(&mut self, id: Id, predicate: &Predicate) -> u32 {
        let pairs = self.pairs.iter().map(|pair| pair.properties.clone());
        let branches = Planner::new(pairs).plan(predicate);
        let view = self.free.pop().unwrap_or_else(|| {
            self.views.push(None);
            number(self.views.len() - 1)
        });
        for (branch, entry) in entries(view, &branches) {
            match &branch.reach {
                Reach::Always => {
                    self.always.insert(entry);
                }
                Reach::Through(accesses) => {
                    for access in accesses {
                        self.lay_down(access, entry);
                    }
                }
            }
        }
        self.views[place(view)] = Some(View { id, branches });
        view
    }

    /// Removes the condition at a place.
    pub(super) fn remove(&mut self, view: u32) {
        let slot = self.views.get_mut(place(view));
        let Some(View { branches, .. }) = slot.and_then(Option::take) else { return };
        self.free.push(view);
        for (branch, entry) in entries(view, &branches) {
            match &branch.reach {
                Reach::Always => {
                    self.always.remove(&entry);
                }
                Reach::Through(accesses) => {
                    for access in accesses {
                        self.take_up(access, entry);
                    }
                }
            }
        }
    }

    fn field(&mut self, property: &PropertyRef) -> &mut Field {
        let found = self.fields.iter().position(|field| field.property == *property);
        let at = found.unwrap_or_else(|| {
            self.fields.push(Field {
                property: property.clone(),
                equal: BTreeMap::new(),
                ranges: BTreeMap::new(),
            });
            self.fields.len() - 1
        });
        &mut self.fields[at]
    }

    fn lay_down(&mut self, access: &Access, entry: Entry) {
        match access {
            Access::Equal { property, points } => {
                let field = self.field(property);
                for point in points {
                    let axis = field.equal.entry(point.axis).or_default();
                    axis.insert((point.value.clone(), entry));
                }
            }
            Access::Range { property, spans } => {
                let field = self.field(property);
                for (axis, span) in spans {
                    field.ranges.entry(*axis).or_default().insert(span.clone(), entry);
                }
            }
            Access::Pair { properties, points } => {
                let found = self.pairs.iter().position(|pair| pair.properties == *properties);
                let at = found.unwrap_or_else(|| {
                    self.pairs
                        .push(Pair { properties: properties.clone(), equal: BTreeMap::new() });
                    self.pairs.len() - 1
                });
                for [a, b] in points {
                    let axes = self.pairs[at].equal.entry([a.axis, b.axis]).or_default();
                    axes.insert((a.value.clone(), b.value.clone(), entry));
                }
            }
        }
    }

    fn take_up(&mut self, access: &Access, entry: Entry) {
        match access {
            Access::Equal { property, points } => {
                let Some(field) = self.fields.iter_mut().find(|field| field.property == *property)
                else {
                    return;
                };
                for point in points {
                    if let Some(axis) = field.equal.get_mut(&point.axis) {
                        axis.remove(&(point.value.clone(), entry));
                    }
                }
                field.equal.retain(|_, axis| !axis.is_empty());
            }
            Access::Range { property, spans } => {
                let Some(field) = self.fields.iter_mut().find(|field| field.property == *property)
                else {
                    return;
                };
                for (axis, span) in spans {
                    if let Some(axis) = field.ranges.get_mut(axis) {
                        axis.remove(span, entry);
                    }
                }
                field.ranges.retain(|_, axis| axis.len() > 0);
            }
            Access::Pair { properties, points } => {
                let Some(pair) = self.pairs.iter_mut().find(|pair| pair.properties == *properties)
                else {
                    return;
                };
                for [a, b] in points {
                    if let Some(axes) = pair.equal.get_mut(&[a.axis, b.axis]) {
                        axes.remove(&(a.value.clone(), b.value.clone(), entry));
                    }
                }
                pair.equal.retain(|_, axes| !axes.is_empty());
            }
        }
        self.fields.retain(|field| !field.equal.is_empty() || !field.ranges.is_empty());
        self.pairs.retain(|pair| !pair.equal.is_empty());
    }

    /// See [`PredicateIndex::touched`](super::PredicateIndex::touched).
    pub(super) fn touched(
        &self,
        before: Option<&dyn Row>,
        after: Option<&dyn Row>,
        found: &mut impl FnMut(Id),
    ) {
        let mut touched: Vec<u32> = Vec::new();
        for row in [before, after].into_iter().flatten() {
            let mut reach = |entry: Entry| {
                if self.holds(entry, row) {
                    touched.push(entry.view);
                }
            };
            self.always.iter().copied().for_each(&mut reach);
            self.fields.iter().for_each(|field| field.visit(row, &mut reach));
            self.pairs.iter().for_each(|pair| pair.visit(row, &mut reach));
        }
        touched.sort_unstable();
        touched.dedup();
        for view in touched {
            if let Some(View { id, .. }) = &self.views[place(view)] {
                found(*id);
            }
        }
    }

    /// Whether a row that reaches the branch meets the rest.
    fn holds(&self, entry: Entry, row: &dyn Row) -> bool {
        let view = self.views[place(entry.view)].as_ref();
        let branch = view.and_then(|view| view.branches.get(place(entry.branch)));
        branch.is_some_and(|branch| {
            branch.rest.as_ref().is_none_or(|rest| rest.matches(row, &NoObjects))
        })
    }
}

impl<Id> ClassIndex<Id> {
    pub(super) fn is_empty(&self) -> bool {
        self.views.len() == self.free.len()
    }

    pub(super) fn entries(&self) -> usize {
        let field = |field: &Field| {
            field.equal.values().map(BTreeSet::len).sum::<usize>()
                + field.ranges.values().map(Intervals::len).sum::<usize>()
        };
        let pair = |pair: &Pair| pair.equal.values().map(BTreeSet::len).sum::<usize>();
        self.always.len()
            + self.fields.iter().map(field).sum::<usize>()
            + self.pairs.iter().map(pair).sum::<usize>()
    }
}

impl Field {
    fn visit(&self, row: &dyn Row, reach: &mut impl FnMut(Entry)) {
        if self.property.collection == CollectionType::Single {
            return self.visit_value(&row.value(&self.property), reach);
        }
        let mut visit = |element: &Content| {
            if let Some(value) = element.as_value() {
                self.visit_value(value, reach);
            }
        };
        match &*row.content(&self.property) {
            Content::List(elements) => elements.iter().for_each(visit),
            Content::Dictionary(fields) => fields.values().for_each(visit),
            Content::Set(set) => set.iter().for_each(|value| self.visit_value(value, reach)),
            single @ (Content::Value(_) | Content::Object(_)) => visit(single),
        }
    }

    fn visit_value(&self, value: &Value, reach: &mut impl FnMut(Entry)) {
        for (axis, entries) in &self.equal {
            let Some(value) = axis.place(value) else { continue };
            let first = (value, FIRST);
            let same = entries.range(&first..).take_while(|(found, _)| *found == first.0);
            same.for_each(|(_, entry)| reach(*entry));
        }
        for (axis, spans) in &self.ranges {
            if let Some(value) = axis.place(value) {
                spans.stab(&value, reach);
            }
        }
    }
}

impl Pair {
    fn visit(&self, row: &dyn Row, reach: &mut impl FnMut(Entry)) {
        let [a, b]: [Cow<'_, Value>; 2] = self.properties.each_ref().map(|found| row.value(found));
        for ([axis_a, axis_b], entries) in &self.equal {
            let (Some(a), Some(b)) = (axis_a.place(&a), axis_b.place(&b)) else { continue };
            let first = (a, b, FIRST);
            let same =
                entries.range(&first..).take_while(|(a, b, _)| (a, b) == (&first.0, &first.1));
            same.for_each(|(.., entry)| reach(*entry));
        }
    }
}

/// The branches of the condition at a place, each with its entry.
fn entries(view: u32, branches: &[Branch]) -> impl Iterator<Item = (&Branch, Entry)> {
    let entry = move |(at, branch)| (branch, Entry { view, branch: number(at) });
    branches.iter().enumerate().map(entry)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("memory ends before 2^32 conditions or branches")
}

fn place(number: u32) -> usize {
    usize::try_from(number).expect("a usize has 32 bits at least")
}
