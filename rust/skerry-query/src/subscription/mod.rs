//! Subscription queries: what a client sends and what a server accepts (server 3, sync-engine 4.3).
//!
//! The device joins its subscriptions of a class with [`combine`]; the server reads the result with
//! [`check_subscription`]. [`check_locally`] is the same check before anything is sent, by who does not
//! know which fields are queryable. `dialect` says what of the language is left, `queryable` which
//! properties can be fields of it.
//!
//! Invariant: that every field in the *text* is queryable is what is checked, also when simplification
//! removes it: an index over the history can only answer for fields it keeps. A predicate that comes
//! from here reaches no other object than the one it is decided on.

mod dialect;
mod queryable;

use std::collections::{BTreeMap, BTreeSet};

use skerry_model::{Name, Schema};

use crate::ast::{DescriptorSyntax, Syntax};
use crate::check;
use crate::error::{QueryError, QueryErrorKind};
use crate::limits::{COMBINED, QUERY_MAX_BYTES};
use crate::parser::parse_within;
use crate::predicate::Predicate;
use crate::query::AllExist;

use dialect::Dialect;
pub use queryable::{POINT_FIELDS, QueryableKind};

/// Why a server refuses a subscription. The texts are those that clients of the original know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// The text is not in the language.
    #[error("Client provided query with bad syntax: \"{class}\": {error}")]
    BadSyntax {
        /// The subscribed class.
        class: Name,
        /// Where and what.
        error: QueryError,
    },
    /// The text does not fit the schema, or uses what is not supported.
    #[error("Invalid query: \"{class}\": {error}")]
    Invalid {
        /// The subscribed class.
        class: Name,
        /// Where and what.
        error: QueryError,
    },
    /// There is no such class.
    #[error("Invalid query: there is no class \"{class}\"")]
    UnknownClass {
        /// The name.
        class: String,
    },
    /// A field that the server keeps no record of.
    #[error("Invalid query: \"{class}\": key \"{field}\" is not a queryable field")]
    NotQueryable {
        /// The subscribed class.
        class: Name,
        /// The field, or the path.
        field: String,
    },
    /// Legal in queries, but not in subscriptions.
    #[error("Invalid query: \"{class}\": {what} is not supported in subscriptions")]
    NotInSubscriptions {
        /// The subscribed class.
        class: Name,
        /// What.
        what: &'static str,
    },
    /// A queryable field used in a way that is legal in queries, but not in subscriptions.
    #[error(
        "Invalid query: \"{class}\": key \"{field}\": {what} is not supported in subscriptions"
    )]
    FieldUse {
        /// The subscribed class.
        class: Name,
        /// The field.
        field: String,
        /// What is done with it.
        what: &'static str,
    },
    /// A query that is too long.
    #[error(
        "LimitsExceeded: \"{class}\": a subscription query is {actual_bytes} bytes long; at most \
         {max_bytes} are allowed"
    )]
    TooLong {
        /// The subscribed class.
        class: Name,
        /// Its length.
        actual_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
}

impl SubscriptionError {
    /// What kind of fault it is, in the terms of queries.
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            Self::BadSyntax { error, .. } | Self::Invalid { error, .. } => error.kind(),
            Self::UnknownClass { .. } | Self::NotQueryable { .. } => {
                QueryErrorKind::InvalidProperty
            }
            Self::NotInSubscriptions { .. } | Self::FieldUse { .. } | Self::TooLong { .. } => {
                QueryErrorKind::Unsupported
            }
        }
    }
}

/// The subscription's condition on objects of `class`, or why the server refuses it.
///
/// `text` is one query, or several joined by [`combine`]. `queryable` are the names configured for
/// the class or for all classes; `_id` always is one.
pub fn check_subscription(
    schema: &Schema,
    class: &str,
    text: &str,
    queryable: &[&str],
) -> Result<Predicate, SubscriptionError> {
    check(schema, class, text, Some(queryable))
}

/// Whether some server could accept the subscription: everything is checked but which of the fields
/// that can be queryable are.
pub fn check_locally(
    schema: &Schema,
    class: &str,
    text: &str,
) -> Result<Predicate, SubscriptionError> {
    check(schema, class, text, None)
}

fn check(
    schema: &Schema,
    class: &str,
    text: &str,
    queryable: Option<&[&str]>,
) -> Result<Predicate, SubscriptionError> {
    let Some(class) = schema.class(class) else {
        return Err(SubscriptionError::UnknownClass { class: class.to_owned() });
    };
    let name = || class.name.clone();
    if class.embedded {
        let (class, what) = (name(), "a class of embedded objects");
        return Err(SubscriptionError::NotInSubscriptions { class, what });
    }
    let refuse = |error: QueryError| match error.kind() {
        QueryErrorKind::Syntax => SubscriptionError::BadSyntax { class: name(), error },
        QueryErrorKind::InvalidProperty
        | QueryErrorKind::TypeMismatch
        | QueryErrorKind::BadArgument
        | QueryErrorKind::Unsupported => SubscriptionError::Invalid { class: name(), error },
    };
    let (actual_bytes, max_bytes) = (longest_part_bytes(text), QUERY_MAX_BYTES);
    if actual_bytes > max_bytes {
        return Err(SubscriptionError::TooLong { class: name(), actual_bytes, max_bytes });
    }
    let Syntax { condition, descriptors } = parse_within(text, &COMBINED).map_err(refuse)?;
    if let Some(descriptor) = descriptors.first() {
        let what = match descriptor {
            DescriptorSyntax::Sort(_) => "SORT",
            DescriptorSyntax::Distinct(_) => "DISTINCT",
            DescriptorSyntax::Limit(_) => "LIMIT",
        };
        return Err(SubscriptionError::NotInSubscriptions { class: name(), what });
    }
    Dialect { schema, class, queryable }.condition(&condition)?;
    check::condition(schema, class, &condition, &[], &AllExist).map_err(refuse)
}

/// Length of the longest of the queries that [`combine`] has joined; of the whole text when it is
/// not of that form.
fn longest_part_bytes(text: &str) -> usize {
    let mut rest = text;
    let mut longest = 0;
    loop {
        let Some(inside) = inside_bytes(rest) else { return text.len() };
        longest = longest.max(inside);
        let after = &rest[inside + 2..];
        if after.is_empty() {
            return longest;
        }
        let Some(next) = after.strip_prefix(OR) else { return text.len() };
        rest = next;
    }
}

/// Length of what the parentheses enclose with which a text begins.
fn inside_bytes(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 1 => return at.checked_sub(1),
            (None, b')') => depth = depth.checked_sub(1)?,
            (None, _) if depth == 0 => return None,
            (Some(_) | None, _) => {}
        }
    }
    None
}

/// What stands between joined queries.
const OR: &str = " OR ";

/// The wire form of a subscription set: for each class the queries in parentheses, without
/// repetitions, sorted and joined by OR, so that equal sets give equal text. Classes without queries
/// do not appear.
pub fn combine(queries: BTreeMap<Name, Vec<String>>) -> BTreeMap<Name, String> {
    let joined = queries.into_iter().map(|(class, queries)| {
        let queries: BTreeSet<String> = queries.into_iter().collect();
        let parts: Vec<String> = queries.iter().map(|query| format!("({query})")).collect();
        (class, parts.join(OR))
    });
    joined.filter(|(_, text)| !text.is_empty()).collect()
}
