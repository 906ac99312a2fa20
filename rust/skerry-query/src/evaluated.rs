//! Conditions that are more than one property against a constant.

use crate::eval::{Objects, Row};
use crate::predicate::PropertyRef;

/// A condition that only the evaluator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluated {}

impl Evaluated {
    /// Whether the object matches.
    pub fn matches(&self, _row: &dyn Row, _objects: &dyn Objects) -> bool {
        match *self {}
    }

    /// Calls `visit` for every property of the object itself that the condition reads.
    pub fn visit_properties<'a>(&'a self, _visit: &mut impl FnMut(&'a PropertyRef)) {
        match *self {}
    }
}

impl std::fmt::Display for Evaluated {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}
