//! Why a query is refused.
//!
//! Every error names the byte offset in the query text where it was noticed and the data that it is
//! about. [`QueryError::kind`] sorts them into the five classes that the conformance cases of the
//! real engine distinguish.

use std::fmt;

use skerry_model::Name;

/// The neutral class of a query error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryErrorKind {
    /// The text is not in the language.
    Syntax,
    /// A class or property that the schema does not have.
    InvalidProperty,
    /// Operands that do not compare, or an operator that their type does not have.
    TypeMismatch,
    /// An argument that is missing or of a shape that its place does not take.
    BadArgument,
    /// Legal text whose meaning is not defined, or not implemented.
    Unsupported,
}

impl fmt::Display for QueryErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "syntax",
            Self::InvalidProperty => "invalid property",
            Self::TypeMismatch => "type mismatch",
            Self::BadArgument => "bad argument",
            Self::Unsupported => "unsupported",
        })
    }
}

/// Why a query is refused. `position` is a byte offset in the query text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A token stands where the grammar wants another.
    #[error("expected {expected}, found {found} at {position}")]
    Unexpected {
        /// What the grammar allows here.
        expected: &'static str,
        /// The token that is there.
        found: String,
        /// Where.
        position: usize,
    },
    /// A character with which no token begins, or a literal that is malformed inside.
    #[error("{what} at {position}")]
    BadToken {
        /// What is wrong.
        what: String,
        /// Where.
        position: usize,
    },
    /// The text is longer than a query may be.
    #[error("the query is {actual_bytes} bytes long; at most {max_bytes} are allowed")]
    TooLong {
        /// Its length.
        actual_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// Parentheses and negations are nested too deeply.
    #[error("the query is nested more than {max_depth} levels deep at {position}")]
    TooDeep {
        /// The limit.
        max_depth: usize,
        /// Where it was passed.
        position: usize,
    },
    /// A list has too many elements.
    #[error("a list has more than {max_elements} elements at {position}")]
    ListTooLong {
        /// The limit.
        max_elements: usize,
        /// Where it was passed.
        position: usize,
    },
    /// The schema has no such class.
    #[error("there is no class \"{class}\" (at {position})")]
    UnknownClass {
        /// The name.
        class: String,
        /// Where.
        position: usize,
    },
    /// The class has no such property.
    #[error("class \"{class}\" has no property \"{property}\" (at {position})")]
    UnknownProperty {
        /// The class.
        class: Name,
        /// The name.
        property: String,
        /// Where.
        position: usize,
    },
    /// Two operands whose types do not compare.
    #[error("{left} cannot be compared with {right} (at {position})")]
    TypeMismatch {
        /// Type of the left operand.
        left: &'static str,
        /// Type of the right operand.
        right: &'static str,
        /// Where.
        position: usize,
    },
    /// A value that the type of the other operand cannot take.
    #[error("{value} is no value to compare with {ty} (at {position})")]
    BadValue {
        /// The value, as written.
        value: String,
        /// Type of the other operand.
        ty: &'static str,
        /// Where.
        position: usize,
    },
    /// An operator that the type of its operand does not have.
    #[error("operator {operator} is not defined for {ty} (at {position})")]
    BadOperator {
        /// The operator.
        operator: &'static str,
        /// Type of the operand.
        ty: &'static str,
        /// Where.
        position: usize,
    },
    /// A link compared with an object of another class.
    #[error("{path} leads to class \"{target}\", not to \"{class}\" (at {position})")]
    LinkClass {
        /// The link.
        path: String,
        /// Its target class.
        target: Name,
        /// The class of the other operand.
        class: Name,
        /// Where.
        position: usize,
    },
    /// An argument that was not given.
    #[error("argument ${index} is missing; {given} were given (at {position})")]
    MissingArgument {
        /// The number in the text.
        index: usize,
        /// How many arguments there are.
        given: usize,
        /// Where.
        position: usize,
    },
    /// A list argument where a single value belongs.
    #[error("argument ${index} is a list where a single value belongs (at {position})")]
    ListArgument {
        /// The number in the text.
        index: usize,
        /// Where.
        position: usize,
    },
    /// A comparison in which no property takes part.
    #[error("two constants cannot be compared (at {position})")]
    TwoConstants {
        /// Where.
        position: usize,
    },
    /// The right side of IN is a single value.
    #[error("what follows IN must be a list (at {position})")]
    InNeedsList {
        /// Where.
        position: usize,
    },
    /// BETWEEN without exactly two limits.
    #[error("BETWEEN takes a list of two constants, not of {actual} (at {position})")]
    BetweenNeedsTwo {
        /// How many there are.
        actual: usize,
        /// Where.
        position: usize,
    },
    /// A readable date before the first year that the language can write.
    #[error("readable dates begin with the year {min_year} (at {position})")]
    DateTooEarly {
        /// The first year.
        min_year: i64,
        /// Where.
        position: usize,
    },
    /// Found while evaluating: the paths of the query lead over too many objects.
    #[error("the query takes more than {max_steps} steps from object to object")]
    TooManySteps {
        /// The limit.
        max_steps: u64,
    },
    /// Anything else that is well-formed and has no meaning.
    #[error("{what} (at {position})")]
    Refused {
        /// The class of the error.
        kind: QueryErrorKind,
        /// What it is, and about which data.
        what: String,
        /// Where.
        position: usize,
    },
}

impl QueryError {
    pub(crate) fn refused(kind: QueryErrorKind, what: impl Into<String>, position: usize) -> Self {
        Self::Refused { kind, what: what.into(), position }
    }

    pub(crate) fn unsupported(what: impl Into<String>, position: usize) -> Self {
        Self::refused(QueryErrorKind::Unsupported, what, position)
    }

    pub(crate) fn mismatch(what: impl Into<String>, position: usize) -> Self {
        Self::refused(QueryErrorKind::TypeMismatch, what, position)
    }

    pub(crate) fn bad_argument(what: impl Into<String>, position: usize) -> Self {
        Self::refused(QueryErrorKind::BadArgument, what, position)
    }

    pub(crate) fn invalid_property(what: impl Into<String>, position: usize) -> Self {
        Self::refused(QueryErrorKind::InvalidProperty, what, position)
    }

    /// The class of the error.
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            Self::Unexpected { .. }
            | Self::BadToken { .. }
            | Self::TooLong { .. }
            | Self::TooDeep { .. }
            | Self::ListTooLong { .. } => QueryErrorKind::Syntax,
            Self::UnknownClass { .. } | Self::UnknownProperty { .. } => {
                QueryErrorKind::InvalidProperty
            }
            Self::TypeMismatch { .. }
            | Self::BadValue { .. }
            | Self::BadOperator { .. }
            | Self::LinkClass { .. } => QueryErrorKind::TypeMismatch,
            Self::MissingArgument { .. } | Self::ListArgument { .. } => QueryErrorKind::BadArgument,
            Self::TwoConstants { .. }
            | Self::InNeedsList { .. }
            | Self::BetweenNeedsTwo { .. }
            | Self::DateTooEarly { .. }
            | Self::TooManySteps { .. } => QueryErrorKind::Unsupported,
            Self::Refused { kind, .. } => *kind,
        }
    }

    /// Byte offset in the query text where the error was noticed.
    pub fn position(&self) -> usize {
        match self {
            Self::TooLong { max_bytes, .. } => *max_bytes,
            Self::TooManySteps { .. } => 0,
            Self::Unexpected { position, .. }
            | Self::BadToken { position, .. }
            | Self::TooDeep { position, .. }
            | Self::ListTooLong { position, .. }
            | Self::UnknownClass { position, .. }
            | Self::UnknownProperty { position, .. }
            | Self::TypeMismatch { position, .. }
            | Self::BadValue { position, .. }
            | Self::BadOperator { position, .. }
            | Self::LinkClass { position, .. }
            | Self::MissingArgument { position, .. }
            | Self::ListArgument { position, .. }
            | Self::TwoConstants { position }
            | Self::InNeedsList { position }
            | Self::BetweenNeedsTwo { position, .. }
            | Self::DateTooEarly { position, .. }
            | Self::Refused { position, .. } => *position,
        }
    }
}
