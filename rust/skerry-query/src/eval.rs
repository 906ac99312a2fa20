//! Evaluating a predicate on one object.
//!
//! Infallible: the checker has refused whatever could go wrong. How values compare is in `compare`.

use std::borrow::Cow;

use std::sync::Arc;

use skerry_model::{Content, Link, Name, ObjectKey, Schema, Value};

use crate::compare::{self, Rule};
use crate::predicate::{Operand, Predicate, PropertyRef};

/// An object as a query sees it.
///
/// A link whose target does not exist is null here (sync-engine 1.3): the implementor decides what
/// exists.
pub trait Row {
    /// The primary key.
    fn key(&self) -> &ObjectKey;

    /// What a property of the queried class holds, as an application sees it.
    fn content(&self, property: &PropertyRef) -> Cow<'_, Content>;

    /// The value of a property that is a scalar; null for what is none.
    fn value(&self, property: &PropertyRef) -> Cow<'_, Value> {
        match self.content(property) {
            Cow::Borrowed(Content::Value(value)) => Cow::Borrowed(value),
            Cow::Owned(Content::Value(value)) => Cow::Owned(value),
            Cow::Borrowed(_) | Cow::Owned(_) => Cow::Owned(Value::Null),
        }
    }
}

/// The other objects that a condition reaches from the one it is evaluated on: over links and
/// backlinks, and for their order.
///
/// Everything is as an application sees it: a link to an absent object is null, and in lists and
/// sets it is not there.
pub trait Objects {
    /// The classes, as the query was compiled against them.
    fn schema(&self) -> &Schema;

    /// What an object holds, in the order of the properties of its class; `None` when it does not
    /// exist.
    fn object(&self, link: &Link) -> Option<Arc<[Content]>>;

    /// The objects that hold a link to `target`, at whatever depth, each once: those of class `of`
    /// that do so with a property that is a single link or a collection of links, or those of all
    /// classes in any way.
    fn referrers(&self, target: &Link, of: Option<(&Name, &PropertyRef)>) -> Vec<Link>;

    /// Where an object stands in the order of insertion of its class; `None` when it does not exist.
    fn position(&self, link: &Link) -> Option<u64>;

    /// Asked before each step from one object to others, of which a short text can ask for very many
    /// (`friends.friends.friends…`). `false` ends the evaluation; what it gives then counts for
    /// nothing, and who said so tells why.
    fn may_step(&self) -> bool {
        true
    }
}

/// Has no objects: for conditions that reach none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObjects;

impl Objects for NoObjects {
    fn schema(&self) -> &Schema {
        static NONE: Schema = Schema::EMPTY;
        &NONE
    }

    fn object(&self, _link: &Link) -> Option<Arc<[Content]>> {
        None
    }

    fn referrers(&self, _target: &Link, _of: Option<(&Name, &PropertyRef)>) -> Vec<Link> {
        Vec::new()
    }

    fn position(&self, _link: &Link) -> Option<u64> {
        None
    }
}

impl<R: Row + ?Sized> Row for &R {
    fn key(&self) -> &ObjectKey {
        (**self).key()
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        (**self).content(property)
    }

    fn value(&self, property: &PropertyRef) -> Cow<'_, Value> {
        (**self).value(property)
    }
}

/// A row made of named values, such as the queryable fields of an object before and after a change.
/// A field that is not among them is null.
#[derive(Clone, Copy, Debug)]
pub struct FieldRow<'a> {
    /// The primary key.
    pub key: &'a ObjectKey,
    /// The values, in any order, each name once.
    pub fields: &'a [(Name, Content)],
}

impl Row for FieldRow<'_> {
    fn key(&self) -> &ObjectKey {
        self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        let field = self.fields.iter().find(|(name, _)| *name == property.name);
        field.map_or(Cow::Owned(Content::NULL), |(_, content)| Cow::Borrowed(content))
    }
}

impl Predicate {
    /// Whether the object matches.
    pub fn matches(&self, row: &dyn Row, objects: &dyn Objects) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::And(parts) => parts.iter().all(|part| part.matches(row, objects)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(row, objects)),
            Self::Not(part) => !part.matches(row, objects),
            Self::Compare { left, op, right, case_insensitive } => {
                let rule = Rule::of(left, right);
                let (left, right) = (operand_value(left, row), operand_value(right, row));
                if *case_insensitive {
                    compare::matches_folded(*op, &left, &right, rule)
                } else {
                    compare::matches_as(*op, &left, &right, rule)
                }
            }
            Self::In { property, values } => values.contains(&row.value(property)),
            Self::Evaluated(evaluated) => evaluated.matches(row, objects),
        }
    }
}

fn operand_value<'a>(operand: &'a Operand, row: &'a dyn Row) -> Cow<'a, Value> {
    match operand {
        Operand::Property(property) => row.value(property),
        Operand::Constant(value) => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use skerry_model::{CollectionType, PropertyType};

    use super::*;

    /// Rules make such lists of the numbers in their configuration.
    #[test]
    fn lists_of_mixed_numbers_are_searched() {
        let property = PropertyRef {
            name: "d".into(),
            index: 0,
            ty: PropertyType::Double,
            nullable: false,
            collection: CollectionType::Single,
        };
        let decimal = "0.3".parse().expect("a decimal");
        let list = vec![Value::Double(1.5), Value::Decimal(decimal), Value::Int(7), Value::Null];
        let predicate = Predicate::is_in(property, list);
        let matches = |value| {
            let fields = [("d".into(), Content::Value(value))];
            predicate.matches(&FieldRow { key: &ObjectKey::Null, fields: &fields }, &NoObjects)
        };
        assert!(matches(Value::Double(0.1 + 0.2)) && matches(Value::Double(7.0)));
        assert!(matches(Value::Double(1.5)) && matches(Value::Null));
        assert!(!matches(Value::Double(0.31)) && !matches(Value::Double(f64::NAN)));
    }
}
