//! What of the language a subscription may use (server 3): queryable fields of the object itself, each
//! against constants.
//!
//! What the documentation leaves open is refused. Refusals are by name and come before the checker's,
//! which has the last word on what is not refused here.

use skerry_model::{ClassSchema, Schema};

use crate::ast::{
    Comparison, Condition, ConstantKind, Element, ElementKind, Expression, Operation, Operator,
    Path, Quantifier,
};

use super::{QueryableKind, SubscriptionError};

/// The field that is queryable without being configured.
const ALWAYS_QUERYABLE: &str = "_id";

/// The dialect of one class.
pub(super) struct Dialect<'a> {
    pub(super) schema: &'a Schema,
    pub(super) class: &'a ClassSchema,
    /// The names configured; `None` when they are not known.
    pub(super) queryable: Option<&'a [&'a str]>,
}

/// One side of a comparison.
#[derive(Clone, Copy)]
enum Side<'p> {
    Field(&'p Path, QueryableKind),
    /// The number of elements of an array.
    Count,
    Constant,
    /// Constants, of which some one decides; whether that was said with ANY.
    List {
        has_any: bool,
    },
    Region,
}

type Result<T = ()> = std::result::Result<T, SubscriptionError>;

impl Dialect<'_> {
    pub(super) fn condition(&self, condition: &Condition) -> Result {
        match condition {
            Condition::True | Condition::False => Ok(()),
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().try_for_each(|part| self.condition(part))
            }
            Condition::Not(part) => self.condition(part),
            Condition::Comparison(comparison) => self.comparison(comparison),
        }
    }

    fn comparison(&self, comparison: &Comparison) -> Result {
        let (left, right) = (self.side(&comparison.left)?, self.side(&comparison.right)?);
        match (left, right) {
            (Side::Field(..) | Side::Count, Side::Field(..) | Side::Count) => {
                Err(self.unsupported("a comparison of two properties"))
            }
            (Side::Field(path, kind), other) | (other, Side::Field(path, kind)) => {
                self.field(path, kind, comparison.operator, other)
            }
            // A number against constants; what is no comparison, the checker refuses.
            (Side::Count, _) | (_, Side::Count) => match comparison.operator {
                Operator::Compare(_) | Operator::In | Operator::Between => Ok(()),
                Operator::Text => Err(self.unsupported("TEXT")),
                Operator::GeoWithin => Err(self.unsupported("GEOWITHIN on a number")),
            },
            // So are two constants.
            (
                Side::Constant | Side::List { .. } | Side::Region,
                Side::Constant | Side::List { .. } | Side::Region,
            ) => Ok(()),
        }
    }

    /// A field on one side, and no field on the other.
    fn field(
        &self,
        path: &Path,
        kind: QueryableKind,
        operator: Operator,
        other: Side<'_>,
    ) -> Result {
        let refused = |what| Err(self.misused(path, what));
        match (kind, operator) {
            (_, Operator::Text) => refused("TEXT"),
            (QueryableKind::Point, Operator::GeoWithin) => Ok(()),
            (QueryableKind::Point, _) => refused("anything but GEOWITHIN on a point"),
            (_, Operator::GeoWithin) => refused("GEOWITHIN on what is no GeoJSON point"),
            (QueryableKind::Scalar, Operator::Compare(_) | Operator::In | Operator::Between) => {
                Ok(())
            }
            (QueryableKind::Array, Operator::Between) => refused("BETWEEN on an array"),
            (QueryableKind::Array, Operator::Compare(_) | Operator::In) => match other {
                Side::List { has_any: false } if path.quantifier == Some(Quantifier::Any) => Ok(()),
                Side::List { .. } => refused("a comparison of two lists"),
                Side::Constant | Side::Region | Side::Field(..) | Side::Count => Ok(()),
            },
        }
    }

    fn side<'p>(&self, expression: &'p Expression) -> Result<Side<'p>> {
        match expression {
            Expression::Path(path) => self.path(path),
            Expression::Constant(constant) => match constant.kind {
                ConstantKind::Literal(_) | ConstantKind::Argument(_) => Ok(Side::Constant),
                ConstantKind::Object { .. } => Err(self.unsupported("an object as a constant")),
            },
            Expression::List(list) => self.list(list.quantifier),
            Expression::ListArgument(quantifier, _) => self.list(Some(*quantifier)),
            Expression::Region(_) => Ok(Side::Region),
            Expression::Subquery(_) => Err(self.unsupported("SUBQUERY")),
            Expression::Arithmetic(_) => Err(self.unsupported("arithmetic")),
        }
    }

    fn list<'p>(&self, quantifier: Option<Quantifier>) -> Result<Side<'p>> {
        match quantifier {
            None => Ok(Side::List { has_any: false }),
            Some(Quantifier::Any) => Ok(Side::List { has_any: true }),
            Some(Quantifier::All) => Err(self.unsupported("ALL before a list")),
            Some(Quantifier::None) => Err(self.unsupported("NONE before a list")),
        }
    }

    fn path<'p>(&self, path: &'p Path) -> Result<Side<'p>> {
        let kind = self.queryable_kind(path)?;
        match path.quantifier {
            None | Some(Quantifier::Any) => {}
            Some(Quantifier::All) => return Err(self.misused(path, "ALL")),
            Some(Quantifier::None) => return Err(self.misused(path, "NONE")),
        }
        let operation = path.operation.as_ref();
        match operation {
            None => Ok(Side::Field(path, kind)),
            Some(Operation::Count) if kind == QueryableKind::Array => Ok(Side::Count),
            Some(Operation::Count) => Err(self.misused(path, "@count on what is no array")),
            Some(Operation::Type) => Err(self.misused(path, "@type")),
            Some(Operation::Aggregate(..)) => Err(self.misused(path, "an aggregate")),
        }
    }

    /// What the field is that the path consists of.
    fn queryable_kind(&self, path: &Path) -> Result<QueryableKind> {
        let is_key_path = |element: &Element| matches!(element.kind, ElementKind::KeyPath(_));
        if path.elements.iter().any(is_key_path) {
            return Err(self.unsupported("a key-path argument"));
        }
        if path.elements.iter().any(|element| element.kind == ElementKind::Links) {
            return Err(self.unsupported("a backlink"));
        }
        let not_queryable = || {
            let (class, field) = (self.class.name.clone(), dotted(path));
            SubscriptionError::NotQueryable { class, field }
        };
        let Some((Element { kind: ElementKind::Name(name), .. }, rest)) =
            path.elements.split_first()
        else {
            return Err(not_queryable());
        };
        let is_listed = self.queryable.is_none_or(|names| names.contains(&name.as_str()))
            || **name == *ALWAYS_QUERYABLE;
        let property = self.class.property(name).filter(|_| is_listed);
        let kind = property.and_then(|property| QueryableKind::of(self.schema, property));
        let kind = kind.ok_or_else(not_queryable)?;
        match rest.first().map(|element| &element.kind) {
            None => Ok(kind),
            Some(ElementKind::Index(_)) => Err(self.misused(path, "an index")),
            Some(ElementKind::Keys) => Err(self.misused(path, "@keys")),
            Some(ElementKind::Values) => Err(self.misused(path, "@values")),
            Some(ElementKind::Name(_) | ElementKind::Links | ElementKind::KeyPath(_)) => {
                Err(not_queryable())
            }
        }
    }

    fn unsupported(&self, what: &'static str) -> SubscriptionError {
        SubscriptionError::NotInSubscriptions { class: self.class.name.clone(), what }
    }

    fn misused(&self, path: &Path, what: &'static str) -> SubscriptionError {
        SubscriptionError::FieldUse { class: self.class.name.clone(), field: dotted(path), what }
    }
}

/// The names of a path.
fn dotted(path: &Path) -> String {
    let names = path.elements.iter().filter_map(|element| match &element.kind {
        ElementKind::Name(name) => Some(name.as_str()),
        ElementKind::Links
        | ElementKind::Keys
        | ElementKind::Values
        | ElementKind::KeyPath(_)
        | ElementKind::Index(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}
