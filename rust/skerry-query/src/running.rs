//! `@min`, `@max`, `@sum` and `@avg` over a property of many objects, one value after the other.
//!
//! Invariant: the result is that of the aggregate over a list of the same values, wherever the values
//! come from. Of mixed values only scalars are taken.

use std::cmp::Ordering;

use skerry_model::{CollectionType, Name, Property, PropertyType, Value};

use crate::aggregate::{Sum, is_nan};
use crate::ast::Aggregate;
use crate::compare;
use crate::error::QueryError;

/// An aggregate on its way.
#[derive(Clone, Debug)]
pub struct Running {
    of: Aggregate,
    is_mixed: bool,
    best: Option<Value>,
    sum: Sum,
}

impl Running {
    /// Of the values of a property of `class`.
    ///
    /// # Errors
    ///
    /// The property is a collection, or its type has no such aggregate: sums and averages are of
    /// numbers, the least and the greatest of numbers and dates, and all of them of mixed.
    pub fn new(of: Aggregate, class: &Name, property: &Property) -> Result<Self, QueryError> {
        let is_number = match property.ty {
            PropertyType::Int
            | PropertyType::Float
            | PropertyType::Double
            | PropertyType::Decimal
            | PropertyType::Mixed => true,
            PropertyType::Timestamp => matches!(of, Aggregate::Min | Aggregate::Max),
            PropertyType::Bool
            | PropertyType::String
            | PropertyType::Binary
            | PropertyType::Link
            | PropertyType::ObjectId
            | PropertyType::Uuid
            | PropertyType::GlobalKey => false,
        };
        if !is_number || property.collection != CollectionType::Single {
            let ty = match property.collection {
                CollectionType::Single => property.ty.name(),
                CollectionType::List | CollectionType::Set | CollectionType::Dictionary => {
                    property.collection.name()
                }
            };
            let what = format!(
                "property \"{class}.{}\" of type {ty} has no {}; {}",
                property.name,
                name(of),
                takes(of)
            );
            return Err(QueryError::mismatch(what, 0));
        }
        let is_mixed = property.ty == PropertyType::Mixed;
        Ok(Self { of, is_mixed, best: None, sum: Sum::new(property.ty) })
    }

    /// Takes the next value.
    pub fn push(&mut self, value: &Value) {
        let wanted = match self.of {
            Aggregate::Min => Ordering::Less,
            Aggregate::Max => Ordering::Greater,
            Aggregate::Sum | Aggregate::Average => {
                let counts = match value {
                    Value::Float(_) | Value::Double(_) if self.is_mixed => true,
                    _ => !is_nan(value),
                };
                if counts {
                    self.sum.add(value);
                }
                return;
            }
        };
        if value.is_null() || (is_nan(value) && !self.is_mixed) {
            return;
        }
        if self.best.as_ref().is_none_or(|best| compare::order(value, best) == wanted) {
            self.best = Some(value.clone());
        }
    }

    /// The aggregate of what was taken.
    pub fn finish(self) -> Value {
        match self.of {
            Aggregate::Min | Aggregate::Max => self.best.unwrap_or(Value::Null),
            Aggregate::Sum => self.sum.finish(),
            Aggregate::Average => self.sum.average(),
        }
    }
}

fn name(of: Aggregate) -> &'static str {
    match of {
        Aggregate::Min => "minimum",
        Aggregate::Max => "maximum",
        Aggregate::Sum => "sum",
        Aggregate::Average => "average",
    }
}

fn takes(of: Aggregate) -> &'static str {
    match of {
        Aggregate::Min | Aggregate::Max => {
            "int, float, double, decimal128, date and mixed have one"
        }
        Aggregate::Sum | Aggregate::Average => "int, float, double, decimal128 and mixed have one",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skerry_model::Timestamp;

    use super::*;
    use crate::aggregate::aggregate;
    use crate::predicate::PropertyRef;
    use crate::values::Datum;

    fn value(ty: PropertyType) -> BoxedStrategy<Value> {
        let int = any::<i64>().prop_map(Value::Int);
        let float = any::<f32>().prop_map(Value::Float);
        let double = any::<f64>().prop_map(Value::Double);
        let decimal = ("-?[0-9]{1,30}(E-?[0-9]{1,3})?|NaN|-?Infinity")
            .prop_map(|text| Value::Decimal(text.parse().unwrap()));
        let date = (any::<u32>(), 0i32..999_999_999).prop_map(|(seconds, nanoseconds)| {
            Value::Timestamp(Timestamp::new(seconds.into(), nanoseconds).unwrap())
        });
        match ty {
            PropertyType::Int => int.boxed(),
            PropertyType::Float => float.boxed(),
            PropertyType::Double => double.boxed(),
            PropertyType::Decimal => decimal.boxed(),
            PropertyType::Timestamp => date.boxed(),
            _ => {
                let text = "[a-c]{0,2}".prop_map(Value::string);
                prop_oneof![int, float, double, decimal, date, text].boxed()
            }
        }
    }

    fn values() -> impl Strategy<Value = (PropertyType, Vec<Value>)> {
        let ty = prop::sample::select(vec![
            PropertyType::Int,
            PropertyType::Float,
            PropertyType::Double,
            PropertyType::Decimal,
            PropertyType::Timestamp,
            PropertyType::Mixed,
        ]);
        ty.prop_flat_map(|ty| {
            let value = prop_oneof![1 => Just(Value::Null), 6 => value(ty)];
            (Just(ty), prop::collection::vec(value, 0..12))
        })
    }

    proptest! {
        #[test]
        fn it_is_the_aggregate_of_a_list((ty, values) in values()) {
            let property = Property::scalar("p", ty, true);
            let reference = PropertyRef {
                index: 0,
                name: "p".into(),
                ty,
                nullable: true,
                collection: CollectionType::List,
            };
            let data: Vec<Datum> = values.iter().cloned().map(Datum::Value).collect();
            for of in [Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Average] {
                let Ok(mut running) = Running::new(of, &"C".into(), &property) else {
                    prop_assert_eq!(ty, PropertyType::Timestamp);
                    continue;
                };
                for value in &values {
                    running.push(value);
                }
                let wanted = aggregate(of, &reference, &data);
                prop_assert_eq!(format!("{:?}", Datum::Value(running.finish())), format!("{wanted:?}"));
            }
        }
    }
}
