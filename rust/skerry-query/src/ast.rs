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
    /// `TEXT`
    Text,
    /// `GEOWITHIN`
    GeoWithin,
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
    /// A property, a path, or an operation at the end of one.
    Path(Path),
    /// A literal or an argument.
    Constant(Constant),
    /// A list of constants.
    List(ListSyntax),
    /// An argument with a quantifier before it, which wants a list.
    ListArgument(Quantifier, Constant),
    /// `SUBQUERY(…).@count`
    Subquery(Box<SubquerySyntax>),
    /// `left + right` and its like.
    Arithmetic(Box<ArithmeticSyntax>),
    /// A region, on the right of `GEOWITHIN`.
    Region(RegionSyntax),
}

impl Expression {
    /// Offset of its first byte.
    pub fn position(&self) -> usize {
        match self {
            Self::Path(path) => path.position,
            Self::Constant(constant) | Self::ListArgument(_, constant) => constant.position,
            Self::List(list) => list.position,
            Self::Subquery(subquery) => subquery.position,
            Self::Arithmetic(arithmetic) => arithmetic.left.position(),
            Self::Region(region) => region.position,
        }
    }
}

/// How many elements of what is compared must satisfy a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// ANY or SOME: at least one.
    Any,
    /// ALL: every one, so also those of an empty collection.
    All,
    /// NONE: not one.
    None,
}

/// Elements separated by points or in brackets; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// ANY, ALL or NONE before it.
    pub quantifier: Option<Quantifier>,
    /// The elements, from left to right.
    pub elements: Vec<Element>,
    /// The operation at its end.
    pub operation: Option<Operation>,
    /// Offset of the first element.
    pub position: usize,
}

impl Path {
    /// The name, when the path is nothing but one.
    pub fn as_name(&self) -> Option<&Name> {
        match (self.elements.as_slice(), &self.operation, self.quantifier) {
            ([Element { kind: ElementKind::Name(name), .. }], None, None) => Some(name),
            _ => None,
        }
    }
}

/// One element of a path, and its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub kind: ElementKind,
    /// Offset of its first byte.
    pub position: usize,
}

/// What an element of a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// A name, unescaped: of a property, a class after `@links`, a key or a variable.
    Name(Name),
    /// `@links`
    Links,
    /// `@keys`
    Keys,
    /// `@values`
    Values,
    /// `$K<n>`, which stands for names.
    KeyPath(usize),
    /// Something in brackets.
    Index(Index),
}

/// What stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// A position, from 0.
    Position(u64),
    /// FIRST
    First,
    /// LAST
    Last,
    /// `*`
    Every,
    /// A key in quotes.
    Key(Arc<str>),
    /// `$<n>`: a position or a key.
    Argument(usize),
}

/// What stands at the end of a path and makes one value of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `@count`, `@size` or `[SIZE]`
    Count,
    /// `@type`
    Type,
    /// `@min` and its like, with the property behind it.
    Aggregate(Aggregate, Option<Name>),
}

/// What an aggregate makes of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The smallest; null of nothing.
    Min,
    /// The greatest; null of nothing.
    Max,
    /// The sum; 0 of nothing.
    Sum,
    /// The average; null of nothing.
    Average,
}

/// `{…}`
#[derive(Clone, Debug, PartialEq)]
pub struct ListSyntax {
    /// ANY, ALL or NONE before it.
    pub quantifier: Option<Quantifier>,
    /// Its elements.
    pub elements: Vec<Constant>,
    /// Offset of the brace.
    pub position: usize,
}

/// `SUBQUERY(path, $variable, condition).@count`
#[derive(Clone, Debug, PartialEq)]
pub struct SubquerySyntax {
    /// The objects counted.
    pub path: Path,
    /// The name that stands for one of them.
    pub variable: Name,
    /// What they must satisfy.
    pub condition: Condition,
    /// Offset of the word.
    pub position: usize,
}

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// `left op right`
#[derive(Clone, Debug, PartialEq)]
pub struct ArithmeticSyntax {
    /// Left side.
    pub left: Expression,
    /// The operator.
    pub op: ArithmeticOp,
    /// Right side.
    pub right: Expression,
    /// Offset of the operator.
    pub position: usize,
    /// How deep it is nested, itself included.
    pub depth: usize,
}

/// A region of the earth, and its offset.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionSyntax {
    /// Its shape.
    pub shape: Shape,
    /// Offset of the word.
    pub position: usize,
}

/// The shape of a region; its numbers may be out of range.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Two opposite corners.
    Box(PointSyntax, PointSyntax),
    /// The centre, and the radius in radians.
    Circle(PointSyntax, Coordinate),
    /// The outer ring, then the holes.
    Polygon(Vec<Vec<PointSyntax>>),
}

/// Longitude and latitude in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointSyntax {
    /// East.
    pub longitude: Coordinate,
    /// North.
    pub latitude: Coordinate,
}

/// A number, or the argument that gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinate {
    /// In the text.
    Number(f64),
    /// `$<n>` and its offset.
    Argument(usize, usize),
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
