//! The syntax of a query, before any name is resolved or any literal has met a type.
//!
//! Every node that the checker may complain about knows its byte offset. Nesting is bounded by
//! [`crate::limits::NESTING_MAX_DEPTH`], so walking and dropping may recurse.

use std::sync::Arc;

use skerry_model::{Name, ObjectId, Timestamp, Uuid};

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Syntax {
    /// The condition.
    pub condition: Condition,
    /// SORT, DISTINCT and LIMIT in the written order.
    pub descriptors: Vec<DescriptorSyntax>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// TRUEPREDICATE
    True,
    /// FALSEPREDICATE
    False,
    /// A chain of AND.
    And(Vec<Condition>),
    /// A chain of OR.
    Or(Vec<Condition>),
    /// NOT
    Not(Box<Condition>),
    /// One comparison.
    Comparison(Comparison),
}

/// An operator between two expressions, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`, `<`, `LIKE` and the others that compare two values.
    Compare(crate::CompareOp),
    /// `IN`
    In,
    /// `BETWEEN`
    Between,
}

/// `left operator right`
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Left side.
    pub left: Expression,
    /// The operator.
    pub operator: Operator,
    /// Whether `[c]` follows the operator.
    pub case_insensitive: bool,
    /// Right side.
    pub right: Expression,
    /// Offset of the operator.
    pub position: usize,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A property, or a path through links.
    Path(Path),
    /// A literal or an argument.
    Constant(Constant),
    /// `{…}` and its offset.
    List(Vec<Constant>, usize),
}

impl Expression {
    /// Offset of its first byte.
    pub fn position(&self) -> usize {
        match self {
            Self::Path(path) => path.position,
            Self::Constant(constant) => constant.position,
            Self::List(_, position) => *position,
        }
    }
}

/// Names separated by points; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The names, unescaped.
    pub names: Vec<Name>,
    /// Offset of the first.
    pub position: usize,
}

/// A literal or an argument, and its offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// What it is.
    pub kind: ConstantKind,
    /// Offset of its first byte.
    pub position: usize,
}

/// What a constant is.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantKind {
    /// A value in the text.
    Literal(Literal),
    /// `$n`
    Argument(usize),
    /// `obj("Class", key)`
    Object {
        /// The class, as written.
        class: String,
        /// The key: a literal or an argument.
        key: Box<Constant>,
    },
}

/// A value in the text, as far as the text alone says what it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// An integer; what is beyond 64 bits has become the nearest that is not.
    Int(i64),
    /// A number with a point or an exponent, `inf` or `nan`. The text is kept for decimals.
    Real(Arc<str>),
    /// The same with the suffix `f`, which is not in the text: 32-bit precision.
    Single(Arc<str>),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Binary(Arc<[u8]>),
    /// A point in time.
    Timestamp(Timestamp),
    /// An object id.
    ObjectId(ObjectId),
    /// A UUID.
    Uuid(Uuid),
}

/// SORT, DISTINCT or LIMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DescriptorSyntax {
    /// Paths and their directions; the first key is the most significant.
    Sort(Vec<(Path, crate::Direction)>),
    /// Paths whose values together must be new.
    Distinct(Vec<Path>),
    /// At most so many objects.
    Limit(u64),
}
