//! SORT, DISTINCT and LIMIT: what happens to the matching rows, in the written order.
//!
//! Sorting is stable, so ties keep the order they came in. Neighbouring SORTs are one sort in which
//! the last one counts most, which stable sorting one after the other gives by itself.

use std::collections::BTreeSet;

use skerry_model::Value;

use crate::compare;
use crate::eval::Row;
use crate::predicate::PropertyRef;

/// Which way a sort key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Null first, then from small to great.
    Ascending,
    /// The reverse.
    Descending,
}

/// One key of a SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The property.
    pub property: PropertyRef,
    /// Its direction.
    pub direction: Direction,
}

/// One step of the pipeline behind the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// Sorts by the keys; the first is the most significant.
    Sort(Vec<SortKey>),
    /// Keeps the first row of each combination of values.
    Distinct(Vec<PropertyRef>),
    /// Keeps the first so many rows.
    Limit(u64),
}

/// Values ordered as SORT does, so that equal numbers of any type are one.
struct Ordered(Vec<Value>);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .map(|(a, b)| compare::order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl Descriptor {
    /// Applies the step to rows that have come through those before it.
    pub fn apply<R: Row>(&self, rows: Vec<R>) -> Vec<R> {
        match self {
            Self::Sort(keys) => sort(keys, rows),
            Self::Distinct(properties) => {
                let mut seen = BTreeSet::new();
                let values = |row: &R| {
                    let value = |property| row.value(property).into_owned();
                    Ordered(properties.iter().map(value).collect())
                };
                rows.into_iter().filter(|row| seen.insert(values(row))).collect()
            }
            Self::Limit(limit) => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                rows.into_iter().take(limit).collect()
            }
        }
    }
}

/// Reads every key once, not at each of the comparisons.
fn sort<R: Row>(keys: &[SortKey], rows: Vec<R>) -> Vec<R> {
    let with_values = |row: R| {
        let value = |key: &SortKey| row.value(&key.property).into_owned();
        (keys.iter().map(value).collect::<Vec<_>>(), row)
    };
    let mut decorated: Vec<_> = rows.into_iter().map(with_values).collect();
    decorated.sort_by(|(left, _), (right, _)| {
        let orders = keys.iter().zip(left.iter().zip(right)).map(|(key, (left, right))| match key
            .direction
        {
            Direction::Ascending => compare::order(left, right),
            Direction::Descending => compare::order(right, left),
        });
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    decorated.into_iter().map(|(_, row)| row).collect()
}
