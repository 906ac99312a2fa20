//! Subscription queries: what a client sends and what a server accepts (server 3, sync-engine 4.3).
//!
//! The device joins its subscriptions of a class with [`combine`]; the server reads the result with
//! [`check_subscription`]. The server's dialect is the scalar language without SORT, DISTINCT, LIMIT,
//! arguments, link paths and comparisons between two properties, over queryable fields only; `_id`
//! is always one. That every field in the *text* is queryable is what is checked, also when
//! simplification removes it: an index over the history can only answer for fields it keeps.

use std::collections::{BTreeMap, BTreeSet};

use skerry_model::{ClassSchema, CollectionType, Name, Property, PropertyType, Schema};

use crate::ast::{Comparison, Condition, DescriptorSyntax, Expression, Path, Syntax};
use crate::check;
use crate::error::{QueryError, QueryErrorKind};
use crate::limits::COMBINED;
use crate::parser::parse_within;
use crate::predicate::Predicate;
use crate::query::AllExist;

/// The field that is queryable without being configured.
const ALWAYS_QUERYABLE: &str = "_id";

/// What a field that can be queryable holds (server 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryableKind {
    /// One value.
    Scalar,
    /// A list of values.
    Array,
    /// A `GeoJSON` point: an embedded object of [`POINT_FIELDS`], and perhaps more.
    Point,
}

/// The properties that make an embedded object a `GeoJSON` point, in order: its type, a text, and the
/// list of its coordinates.
pub const POINT_FIELDS: [&str; 2] = ["type", "coordinates"];

impl QueryableKind {
    /// What the property is; `None` for links, sets, dictionaries, mixed, lists of what is no plain value
    /// and embedded objects of other kinds, which are never queryable.
    pub fn of(schema: &Schema, property: &Property) -> Option<Self> {
        let is_plain = !matches!(property.ty, PropertyType::Link | PropertyType::Mixed);
        match property.collection {
            CollectionType::Single if is_plain => Some(Self::Scalar),
            CollectionType::Single => is_point(schema, property).then_some(Self::Point),
            CollectionType::List if is_plain => Some(Self::Array),
            CollectionType::List | CollectionType::Set | CollectionType::Dictionary => None,
        }
    }
}

fn is_point(schema: &Schema, property: &Property) -> bool {
    let target = property.target.as_ref().and_then(|target| schema.class(target));
    let Some(class) = target.filter(|class| class.embedded) else { return false };
    let has = |name: &str, ty: PropertyType, collection: CollectionType| {
        let found = class.property(name);
        found.is_some_and(|found| found.ty == ty && found.collection == collection)
    };
    let [kind, coordinates] = POINT_FIELDS;
    has(kind, PropertyType::String, CollectionType::Single)
        && has(coordinates, PropertyType::Double, CollectionType::List)
}

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
}

/// The subscription's condition on objects of `class`, or why the server refuses it.
///
/// `text` is one query, or several joined by [`combine`]. `queryable` are the names configured for
/// the class or for all classes.
pub fn check_subscription(
    schema: &Schema,
    class: &str,
    text: &str,
    queryable: &[&str],
) -> Result<Predicate, SubscriptionError> {
    let Some(class) = schema.class(class) else {
        return Err(SubscriptionError::UnknownClass { class: class.to_owned() });
    };
    if class.embedded {
        let (class, what) = (class.name.clone(), "a class of embedded objects");
        return Err(SubscriptionError::NotInSubscriptions { class, what });
    }
    let refuse = |error: QueryError| {
        let class = class.name.clone();
        match error.kind() {
            QueryErrorKind::Syntax => SubscriptionError::BadSyntax { class, error },
            QueryErrorKind::InvalidProperty
            | QueryErrorKind::TypeMismatch
            | QueryErrorKind::BadArgument
            | QueryErrorKind::Unsupported => SubscriptionError::Invalid { class, error },
        }
    };
    let syntax = parse_within(text, &COMBINED).map_err(refuse)?;
    if let Some(descriptor) = syntax.descriptors.first() {
        let what = match descriptor {
            DescriptorSyntax::Sort(_) => "SORT",
            DescriptorSyntax::Distinct(_) => "DISTINCT",
            DescriptorSyntax::Limit(_) => "LIMIT",
        };
        return Err(SubscriptionError::NotInSubscriptions { class: class.name.clone(), what });
    }
    let dialect = Dialect { class, queryable };
    dialect.condition(&syntax.condition)?;
    let Syntax { condition, .. } = &syntax;
    check::condition(schema, class, condition, &[], &AllExist).map_err(refuse)
}

struct Dialect<'a> {
    class: &'a ClassSchema,
    queryable: &'a [&'a str],
}

impl Dialect<'_> {
    fn condition(&self, condition: &Condition) -> Result<(), SubscriptionError> {
        match condition {
            Condition::True | Condition::False => Ok(()),
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().try_for_each(|part| self.condition(part))
            }
            Condition::Not(part) => self.condition(part),
            Condition::Comparison(comparison) => self.comparison(comparison),
        }
    }

    fn comparison(&self, comparison: &Comparison) -> Result<(), SubscriptionError> {
        let mut fields = 0;
        for side in [&comparison.left, &comparison.right] {
            match side {
                Expression::Path(path) => {
                    self.field(path)?;
                    fields += 1;
                }
                Expression::Constant(_) | Expression::List(_) => {}
                Expression::ListArgument(..)
                | Expression::Subquery(_)
                | Expression::Arithmetic(_)
                | Expression::Region(_) => {
                    let (class, what) = (self.class.name.clone(), "this expression");
                    return Err(SubscriptionError::NotInSubscriptions { class, what });
                }
            }
        }
        if fields > 1 {
            let (class, what) = (self.class.name.clone(), "a comparison of two properties");
            return Err(SubscriptionError::NotInSubscriptions { class, what });
        }
        Ok(())
    }

    fn field(&self, path: &Path) -> Result<(), SubscriptionError> {
        let refused = || SubscriptionError::NotQueryable {
            class: self.class.name.clone(),
            field: shown(path),
        };
        let Some(name) = path.as_name() else { return Err(refused()) };
        let listed = **name == *ALWAYS_QUERYABLE || self.queryable.contains(&name.as_str());
        let property = self.class.property(name).filter(|_| listed).ok_or_else(refused)?;
        match (property.ty, property.collection) {
            (PropertyType::Link, _) | (_, CollectionType::Dictionary | CollectionType::Set) => {
                Err(refused())
            }
            (_, CollectionType::Single | CollectionType::List) => Ok(()),
        }
    }
}

/// The names of a path.
fn shown(path: &Path) -> String {
    let names = path.elements.iter().filter_map(|element| match &element.kind {
        crate::ast::ElementKind::Name(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// The wire form of a subscription set: for each class the queries in parentheses, without
/// repetitions, sorted and joined by OR, so that equal sets give equal text. Classes without queries
/// do not appear.
pub fn combine(queries: BTreeMap<Name, Vec<String>>) -> BTreeMap<Name, String> {
    let joined = queries.into_iter().map(|(class, queries)| {
        let queries: BTreeSet<String> = queries.into_iter().collect();
        let parts: Vec<String> = queries.iter().map(|query| format!("({query})")).collect();
        (class, parts.join(" OR "))
    });
    joined.filter(|(_, text)| !text.is_empty()).collect()
}
