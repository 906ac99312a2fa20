//! SORT, DISTINCT and LIMIT: what happens to the matching rows, in the written order.
//!
//! Sorting is stable, so ties keep the order they came in. Neighbouring SORTs are one sort in which
//! the last one counts most, which stable sorting one after the other gives by itself. A path that is
//! broken by a null link has no value: such rows come last, and DISTINCT drops them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use skerry_model::{Name, Value};

use crate::compare;
use crate::eval::{Objects, Row};
use crate::expression::{End, PathExpr};
use crate::predicate::PropertyRef;
use crate::values::{Datum, Evaluator};

/// Which way a sort key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Null first, then from small to great, then what has no value.
    Ascending,
    /// The reverse.
    Descending,
}

/// One key of a SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Leads to one value.
    pub path: PathExpr,
    /// Its direction.
    pub direction: Direction,
}

impl SortKey {
    /// The property, when the key is a scalar of the object itself that is no link.
    pub fn as_property(&self) -> Option<&PropertyRef> {
        self.path.as_property()
    }
}

/// One step of the pipeline behind the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// Sorts by the keys; the first is the most significant.
    Sort(Vec<SortKey>),
    /// Keeps the first row of each combination of values.
    Distinct(Vec<PathExpr>),
    /// Keeps the first so many rows.
    Limit(u64),
}

/// What a row is sorted by. The order of the variants is that of SORT.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// No link.
    Value(Value),
    /// An object: its class, and its place in the order of insertion there.
    Object(Name, u64),
    List,
    Dictionary,
    Embedded,
    /// A null link on the way.
    Broken,
}

impl Place {
    fn rank(&self) -> u8 {
        match self {
            Self::Value(_) => 0,
            Self::Object(..) => 1,
            Self::List => 2,
            Self::Dictionary => 3,
            Self::Embedded => 4,
            Self::Broken => 5,
        }
    }

    pub(crate) fn of(path: &PathExpr, row: &dyn Row, objects: &dyn Objects) -> Self {
        let evaluator = Evaluator { row, objects };
        if is_broken(path, &evaluator) {
            return Self::Broken;
        }
        match evaluator.path(path).into_iter().next() {
            None => Self::Value(Value::Null),
            Some(Datum::Value(Value::Link(link))) => match objects.position(&link) {
                Some(position) => Self::Object(link.class, position),
                None => Self::Value(Value::Null),
            },
            Some(Datum::Value(value)) => Self::Value(value),
            Some(Datum::List(_)) => Self::List,
            Some(Datum::Dictionary(_)) => Self::Dictionary,
            Some(Datum::Embedded | Datum::Types(_)) => Self::Embedded,
        }
    }
}

/// Whether a link before the last element is null.
fn is_broken(path: &PathExpr, evaluator: &Evaluator<'_>) -> bool {
    let hops = match path.end {
        End::Objects => path.hops.split_last().map_or(&[][..], |(_, before)| before),
        End::Property { .. } | End::Incoming(_) => &path.hops,
    };
    let mut found = hops.is_empty();
    if !found {
        evaluator.nodes(hops, &mut |node| found |= node.is_some());
    }
    !found
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Value(left), Self::Value(right)) => compare::order(left, right),
            (Self::Object(class, at), Self::Object(other_class, other_at)) => {
                class.cmp(other_class).then(at.cmp(other_at))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

impl Descriptor {
    /// Applies the step to rows that have come through those before it.
    pub fn apply<R: Row>(&self, rows: Vec<R>, objects: &dyn Objects) -> Vec<R> {
        match self {
            Self::Sort(keys) => sort(keys, rows, objects),
            Self::Distinct(paths) => {
                let mut seen = BTreeSet::new();
                let is_new = |row: &R| {
                    let places: Vec<_> =
                        paths.iter().map(|path| Place::of(path, row, objects)).collect();
                    !places.contains(&Place::Broken) && seen.insert(places)
                };
                rows.into_iter().filter(is_new).collect()
            }
            Self::Limit(limit) => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                rows.into_iter().take(limit).collect()
            }
        }
    }
}

/// Reads every key once, not at each of the comparisons.
fn sort<R: Row>(keys: &[SortKey], rows: Vec<R>, objects: &dyn Objects) -> Vec<R> {
    let with_places = |row: R| {
        let places: Vec<_> = keys.iter().map(|key| Place::of(&key.path, &row, objects)).collect();
        (places, row)
    };
    let mut decorated: Vec<_> = rows.into_iter().map(with_places).collect();
    decorated.sort_by(|(left, _), (right, _)| {
        let orders = keys.iter().zip(left.iter().zip(right)).map(|(key, (left, right))| match key
            .direction
        {
            Direction::Ascending => left.cmp(right),
            Direction::Descending => right.cmp(left),
        });
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    decorated.into_iter().map(|(_, row)| row).collect()
}
