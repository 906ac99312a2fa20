//! A checked query: class, condition and what happens to the rows that match.

use skerry_model::{Link, Name, Schema, Value};

use crate::check;
use crate::descriptor::Descriptor;
use crate::error::QueryError;
use crate::eval::{Objects, Row};
use crate::predicate::Predicate;

/// A value for `$0`, `$1`, … of a query text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A single value.
    Value(Value),
    /// A list, as IN takes it.
    List(Vec<Value>),
}

impl From<Value> for Argument {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// Knows which objects exist.
///
/// In the engine a link constant whose object does not exist is null, so its meaning depends on when
/// it is looked up: once, when the query is compiled.
pub trait Targets {
    /// Whether the object exists.
    fn exists(&self, link: &Link) -> bool;
}

/// Takes every object for existing: for queries that do not depend on stored data.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllExist;

impl Targets for AllExist {
    fn exists(&self, _link: &Link) -> bool {
        true
    }
}

/// A checked query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The queried class.
    pub class: Name,
    /// The condition, in normal form.
    pub predicate: Predicate,
    /// SORT, DISTINCT and LIMIT in the written order.
    pub descriptors: Vec<Descriptor>,
}

impl Query {
    /// Parses and checks a query on `class`. A link constant stands for itself, whether or not its
    /// object exists.
    pub fn compile(
        schema: &Schema,
        class: &str,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Self, QueryError> {
        Self::compile_with(schema, class, text, arguments, &AllExist)
    }

    /// The same, with link constants to absent objects taken for null.
    pub fn compile_with(
        schema: &Schema,
        class: &str,
        text: &str,
        arguments: &[Argument],
        targets: &dyn Targets,
    ) -> Result<Self, QueryError> {
        check::compile(schema, class, text, arguments, targets)
    }

    /// The rows that match, in the order given by the descriptors and otherwise in that of `rows`.
    pub fn run<R: Row>(&self, rows: impl IntoIterator<Item = R>, objects: &dyn Objects) -> Vec<R> {
        let matching =
            rows.into_iter().filter(|row| self.predicate.matches(row, objects)).collect();
        self.arrange(matching, objects)
    }

    /// What SORT, DISTINCT and LIMIT make of the rows that match.
    pub fn arrange<R: Row>(&self, matching: Vec<R>, objects: &dyn Objects) -> Vec<R> {
        let descriptors = self.descriptors.iter();
        descriptors.fold(matching, |rows, descriptor| descriptor.apply(rows, objects))
    }
}
