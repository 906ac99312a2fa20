//! The order that SORT gives, for rows that are put in one by one.
//!
//! Invariant: rows sorted by their [`SortPlace`]s, those with equal ones in the order that they came in,
//! stand as [`Descriptor::apply`] of all the SORTs, one after the other, leaves them.

use std::cmp::Ordering;

use crate::descriptor::{Descriptor, Direction, Place, SortKey};
use crate::eval::{Objects, Row};

/// The keys of neighbouring SORTs, the most significant first.
#[derive(Clone, Debug)]
pub struct SortOrder<'q> {
    keys: Vec<&'q SortKey>,
}

/// Where a row belongs in a [`SortOrder`]. Only places of one order may be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortPlace(Vec<Directed>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Directed {
    place: Place,
    direction: Direction,
}

impl<'q> SortOrder<'q> {
    /// The order of descriptors that do nothing but sort; `None` when there are others, or none.
    pub fn of(descriptors: &'q [Descriptor]) -> Option<Self> {
        let mut keys = Vec::new();
        // The last SORT counts most.
        for descriptor in descriptors.iter().rev() {
            match descriptor {
                Descriptor::Sort(sorted) => keys.extend(sorted),
                Descriptor::Distinct(_) | Descriptor::Limit(_) => return None,
            }
        }
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// The keys, the most significant first.
    pub fn keys(&self) -> &[&'q SortKey] {
        &self.keys
    }

    /// Where a row belongs.
    pub fn place(&self, row: &dyn Row, objects: &dyn Objects) -> SortPlace {
        let places = self.keys.iter().map(|key| Directed {
            place: Place::of(&key.path, row, objects),
            direction: key.direction,
        });
        SortPlace(places.collect())
    }
}

impl Ord for SortPlace {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for SortPlace {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Directed {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.direction {
            Direction::Ascending => self.place.cmp(&other.place),
            Direction::Descending => other.place.cmp(&self.place),
        }
    }
}

impl PartialOrd for Directed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
