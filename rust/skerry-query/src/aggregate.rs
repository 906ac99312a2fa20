//! `@min`, `@max`, `@sum` and `@avg`.
//!
//! Null does not count, and neither does NaN, with two exceptions that the engine makes: among mixed values
//! and in dictionaries, whose values are taken for mixed, NaN may be the least; and the NaN of a float
//! or double is summed with other mixed values. Of mixed values all may be the least or the greatest,
//! nested collections included, and only numbers are summed. The sum of nothing is 0; everything
//! else of nothing is null.

use std::cmp::Ordering;

use skerry_model::{CollectionType, Decimal128, PropertyType, Value};

use crate::arithmetic::{calculate, is_number, to_decimal, to_double};
use crate::ast::{Aggregate, ArithmeticOp};
use crate::compare;
use crate::predicate::PropertyRef;
use crate::values::Datum;

/// The aggregate of values of a property.
pub(crate) fn aggregate(of: Aggregate, property: &PropertyRef, data: &[Datum]) -> Datum {
    let is_mixed = property.ty == PropertyType::Mixed;
    let in_dictionary = property.collection == CollectionType::Dictionary;
    let values = data.iter().filter_map(|datum| match datum {
        Datum::Value(value @ (Value::Float(_) | Value::Double(_))) if is_mixed => Some(value),
        Datum::Value(value) if !is_nan(value) => Some(value),
        _ => None,
    });
    let with_nan = is_mixed || in_dictionary;
    match of {
        Aggregate::Min => limit(data, with_nan, Ordering::Less),
        Aggregate::Max => limit(data, with_nan, Ordering::Greater),
        Aggregate::Sum => Datum::Value(sum(property.ty, values).finish()),
        Aggregate::Average => Datum::Value(sum(property.ty, values).average()),
    }
}

pub(crate) fn is_nan(value: &Value) -> bool {
    match value {
        Value::Float(float) => float.is_nan(),
        Value::Double(double) => double.is_nan(),
        Value::Decimal(decimal) => decimal.is_nan(),
        _ => false,
    }
}

/// The first value that no other is before or behind.
fn limit(data: &[Datum], with_nan: bool, wanted: Ordering) -> Datum {
    let counts = |datum: &&Datum| match datum {
        Datum::Value(value) => !value.is_null() && (with_nan || !is_nan(value)),
        Datum::List(_) | Datum::Dictionary(_) => true,
        Datum::Embedded | Datum::Types(_) => false,
    };
    let better = |best, datum| if order(datum, best) == wanted { datum } else { best };
    data.iter().filter(counts).reduce(better).cloned().unwrap_or(Datum::NULL)
}

/// Lists come behind all values, and dictionaries behind lists.
fn order(left: &Datum, right: &Datum) -> Ordering {
    let rank = |datum: &Datum| match datum {
        Datum::Value(_) => 0,
        Datum::List(_) => 1,
        Datum::Dictionary(_) | Datum::Embedded | Datum::Types(_) => 2,
    };
    match (left, right) {
        (Datum::Value(left), Datum::Value(right)) => compare::order(left, right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn sum<'v>(ty: PropertyType, values: impl Iterator<Item = &'v Value>) -> Sum {
    let mut sum = Sum::new(ty);
    values.for_each(|value| sum.add(value));
    sum
}

/// A sum of numbers, and how many there are.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    ty: PropertyType,
    total: Value,
    count: i64,
}

impl Sum {
    /// Of values of a property of that type.
    pub(crate) fn new(ty: PropertyType) -> Self {
        let total = match ty {
            PropertyType::Int => Value::Int(0),
            PropertyType::Decimal | PropertyType::Mixed => Value::Decimal(Decimal128::ZERO),
            _ => Value::Double(0.0),
        };
        Self { ty, total, count: 0 }
    }

    /// Adds what is a number.
    pub(crate) fn add(&mut self, value: &Value) {
        if !is_number(value) {
            return;
        }
        self.count += 1;
        let value = match self.ty {
            PropertyType::Mixed => to_decimal(value).map(Value::Decimal),
            PropertyType::Float => to_double(value).map(Value::Double),
            _ => Some(value.clone()),
        };
        self.total = calculate(ArithmeticOp::Add, &self.total, &value.unwrap_or(Value::Null));
    }

    pub(crate) fn finish(self) -> Value {
        self.total
    }

    pub(crate) fn average(self) -> Value {
        match (self.total, self.count) {
            (_, 0) => Value::Null,
            (Value::Decimal(sum), count) => Value::Decimal(sum / Decimal128::from(count)),
            (sum, count) => average(&sum, count),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the engine does, in floating point")]
fn average(sum: &Value, count: i64) -> Value {
    to_double(sum).map_or(Value::Null, |sum| Value::Double(sum / count as f64))
}
