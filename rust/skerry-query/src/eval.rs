//! Evaluating a predicate on one object.
//!
//! Infallible: the checker has refused whatever could go wrong. How values compare is in `compare`.

use std::borrow::Cow;

use skerry_model::{Name, ObjectKey, Value};

use crate::compare::{self, Rule};
use crate::predicate::{Operand, Predicate, PropertyRef};

/// An object as a query sees it.
///
/// A link whose target does not exist is null here (sync-engine 1.3): the implementor decides what
/// exists.
pub trait Row {
    /// The primary key.
    fn key(&self) -> &ObjectKey;

    /// The value of a property of the queried class.
    fn value(&self, property: &PropertyRef) -> Cow<'_, Value>;
}

impl<R: Row + ?Sized> Row for &R {
    fn key(&self) -> &ObjectKey {
        (**self).key()
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
    pub fields: &'a [(Name, Value)],
}

impl Row for FieldRow<'_> {
    fn key(&self) -> &ObjectKey {
        self.key
    }

    fn value(&self, property: &PropertyRef) -> Cow<'_, Value> {
        let field = self.fields.iter().find(|(name, _)| *name == property.name);
        field.map_or(Cow::Owned(Value::Null), |(_, value)| Cow::Borrowed(value))
    }
}

impl Predicate {
    /// Whether the object matches.
    pub fn matches(&self, row: &dyn Row) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::And(parts) => parts.iter().all(|part| part.matches(row)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(row)),
            Self::Not(part) => !part.matches(row),
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
    use skerry_model::PropertyType;

    use super::*;

    /// Rules make such lists of the numbers in their configuration.
    #[test]
    fn lists_of_mixed_numbers_are_searched() {
        let property =
            PropertyRef { name: "d".into(), index: 0, ty: PropertyType::Double, nullable: false };
        let decimal = "0.3".parse().expect("a decimal");
        let list = vec![Value::Double(1.5), Value::Decimal(decimal), Value::Int(7), Value::Null];
        let predicate = Predicate::is_in(property, list);
        let matches = |value| {
            let fields = [("d".into(), value)];
            predicate.matches(&FieldRow { key: &ObjectKey::Null, fields: &fields })
        };
        assert!(matches(Value::Double(0.1 + 0.2)) && matches(Value::Double(7.0)));
        assert!(matches(Value::Double(1.5)) && matches(Value::Null));
        assert!(!matches(Value::Double(0.31)) && !matches(Value::Double(f64::NAN)));
    }
}
