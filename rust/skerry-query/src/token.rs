//! The words of the language.

use skerry_model::{ObjectId, Timestamp, Uuid};

/// A word with a fixed meaning. Which letter cases are accepted differs by word (sync-engine 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    And,
    Or,
    Not,
    In,
    Any,
    All,
    None,
    True,
    False,
    Null,
    TruePredicate,
    FalsePredicate,
    BeginsWith,
    EndsWith,
    Contains,
    Like,
    Text,
    Between,
    GeoWithin,
    GeoShape,
    Sort,
    Distinct,
    Limit,
    Ascending,
    Descending,
    Binary,
    Object,
    Subquery,
    First,
    Last,
    Size,
}

impl Keyword {
    /// Length of the longest, FALSEPREDICATE.
    const MAX_BYTES: usize = 14;

    /// The keyword that an identifier is, if it is one.
    pub(crate) fn from_identifier(text: &str) -> Option<Self> {
        let mut small = [0; Self::MAX_BYTES];
        let small = small.get_mut(..text.len())?;
        small.copy_from_slice(text.as_bytes());
        small.make_ascii_lowercase();
        let is_lower = small == text.as_bytes();
        let uniform = is_lower || !text.bytes().any(|byte| byte.is_ascii_lowercase());
        Some(match std::str::from_utf8(small).ok()? {
            "and" => Self::And,
            "or" => Self::Or,
            "null" | "nil" => Self::Null,
            "truepredicate" => Self::TruePredicate,
            "falsepredicate" => Self::FalsePredicate,
            "beginswith" => Self::BeginsWith,
            "endswith" => Self::EndsWith,
            "contains" => Self::Contains,
            "like" => Self::Like,
            "text" => Self::Text,
            "between" => Self::Between,
            "geowithin" => Self::GeoWithin,
            "geobox" | "geocircle" | "geopolygon" => Self::GeoShape,
            "sort" => Self::Sort,
            "distinct" => Self::Distinct,
            "limit" => Self::Limit,
            "asc" | "ascending" => Self::Ascending,
            "desc" | "descending" => Self::Descending,
            "bin" | "binary" => Self::Binary,
            "obj" => Self::Object,
            "subquery" => Self::Subquery,
            "not" if uniform => Self::Not,
            "in" if uniform => Self::In,
            "any" | "some" if uniform => Self::Any,
            "all" if uniform => Self::All,
            "none" if uniform => Self::None,
            "true" if uniform => Self::True,
            "false" if uniform => Self::False,
            "first" if uniform => Self::First,
            "last" if uniform => Self::Last,
            "size" if uniform => Self::Size,
            _ => return None,
        })
    }

    /// Whether the word may also be the name of a property.
    pub(crate) fn is_name(self) -> bool {
        match self {
            Self::In
            | Self::BeginsWith
            | Self::EndsWith
            | Self::Contains
            | Self::Like
            | Self::Text
            | Self::Between
            | Self::Sort
            | Self::Distinct
            | Self::Limit
            | Self::Ascending
            | Self::Descending
            | Self::Binary
            | Self::First
            | Self::Last
            | Self::Size => true,
            Self::And
            | Self::Or
            | Self::Not
            | Self::Any
            | Self::All
            | Self::None
            | Self::True
            | Self::False
            | Self::Null
            | Self::TruePredicate
            | Self::FalsePredicate
            | Self::GeoWithin
            | Self::GeoShape
            | Self::Object
            | Self::Subquery => false,
        }
    }
}

/// A mark made of punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Comma,
    Dot,
    Plus,
    Minus,
    Times,
    Divide,
    CaseInsensitive,
}

/// A token. Text is borrowed from the query, undecoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// The end of the text.
    End,
    /// A name that is no keyword; escaped blanks are still escaped.
    Identifier(&'a str),
    /// A keyword; its spelling is the span of the token. `&&`, `||` and `!` are keywords too.
    Keyword(Keyword),
    /// Punctuation.
    Symbol(Symbol),
    /// Digits only, where LIMIT and indexes want them.
    Natural(&'a str),
    /// A signed or hexadecimal integer.
    Number(&'a str),
    /// A number with a point, an exponent or the suffix `f`.
    Real(&'a str),
    /// Infinity or NaN, with its optional sign.
    Special(&'a str),
    /// What stands between the quotes; escapes are not decoded (sync-engine 8.2, as observed).
    Text(&'a str),
    /// What stands between the quotes of `B64"…"`.
    Base64(&'a str),
    /// `uuid(…)`.
    Uuid(Uuid),
    /// `oid(…)`.
    ObjectId(ObjectId),
    /// `T<seconds>:<nanoseconds>` or a readable date.
    Timestamp(Timestamp),
    /// `$<n>`.
    Argument(&'a str),
    /// `$K<n>`.
    KeyPathArgument(&'a str),
    /// `O<n>` or `L<n>:<n>`: an object by a number of the engine's storage.
    ObjectNumber,
    /// `@count` and its like.
    Operation(&'a str),
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spanned<'a> {
    pub(crate) token: Token<'a>,
    /// Byte offset of its first byte.
    pub(crate) start: usize,
    /// Byte offset after its last byte.
    pub(crate) end: usize,
}
