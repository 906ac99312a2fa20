//! Finds, among many conditions, those that a changed object matches: which views a change touches.
//!
//! A condition is *touched* by a change when it holds for the object before or after it. That is
//! whom the change concerns: whoever had the object, and whoever has it now.
//!
//! Invariant: what is found is exactly what evaluating every condition on both states would find.
//! A condition is laid down under what an object must have to match it (`access`): values that a
//! property must equal, alone or together with another property's (`axis` says what counts as
//! equal), or a stretch that its value must lie in (`intervals`). What that does not decide is
//! evaluated on the objects found there, and a condition of which nothing can be said beforehand on
//! every object. Memory is proportional to the conditions held, and nothing stays of those removed.
//!
//! Ordered maps and not hash tables: the constants come from clients, who might choose them to
//! collide, and order makes equality of numbers that of [`compare`](crate::compare) without a second
//! definition of it.

mod access;
mod axis;
mod class;
mod intervals;

use std::collections::BTreeMap;

use skerry_model::Name;

use crate::eval::Row;
use crate::predicate::Predicate;

use class::ClassIndex;

/// Conditions on objects by class, each with an id. An id has one condition per class at most.
#[derive(Clone, Debug)]
pub struct PredicateIndex<Id> {
    classes: BTreeMap<Name, ClassIndex<Id>>,
    places: BTreeMap<Id, BTreeMap<Name, u32>>,
}

impl<Id> Default for PredicateIndex<Id> {
    fn default() -> Self {
        Self { classes: BTreeMap::new(), places: BTreeMap::new() }
    }
}

impl<Id: Copy + Ord> PredicateIndex<Id> {
    /// Adds a condition, in place of the one that the id has for the class.
    pub fn insert(&mut self, id: Id, class: &Name, predicate: &Predicate) {
        self.remove_class(id, class);
        let place = self.classes.entry(class.clone()).or_default().insert(id, predicate);
        self.places.entry(id).or_default().insert(class.clone(), place);
    }

    /// Removes all conditions of an id; tells whether there were any.
    pub fn remove(&mut self, id: Id) -> bool {
        let Some(places) = self.places.remove(&id) else { return false };
        for (class, place) in places {
            self.forget(&class, place);
        }
        true
    }

    fn remove_class(&mut self, id: Id, class: &Name) {
        let Some(places) = self.places.get_mut(&id) else { return };
        let Some(place) = places.remove(class) else { return };
        if places.is_empty() {
            self.places.remove(&id);
        }
        self.forget(class, place);
    }

    fn forget(&mut self, class: &Name, place: u32) {
        let Some(index) = self.classes.get_mut(class) else { return };
        index.remove(place);
        if index.is_empty() {
            self.classes.remove(class);
        }
    }

    /// Calls `found` for each id whose condition on `class` holds for the object before or after a
    /// change, `None` standing for a state in which it does not exist. Each id once, in an order that
    /// depends on nothing but the calls made before.
    ///
    /// Conditions see the object alone: what is reached from it counts as absent.
    pub fn touched(
        &self,
        class: &str,
        before: Option<&dyn Row>,
        after: Option<&dyn Row>,
        found: &mut impl FnMut(Id),
    ) {
        if let Some(index) = self.classes.get(class) {
            index.touched(before, after, found);
        }
    }

    /// Number of ids that have a condition.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no id has a condition.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Number of keys, stretches and conditions to be evaluated always, under which the conditions
    /// are laid down.
    pub fn entries(&self) -> usize {
        self.classes.values().map(ClassIndex::entries).sum()
    }
}
