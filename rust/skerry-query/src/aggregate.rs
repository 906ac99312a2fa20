//! `@min`, `@max`, `@sum` and `@avg`.
//!
//! Null and NaN do not count. The sum of nothing is 0; everything else of nothing is null.

use std::cmp::Ordering;

use skerry_model::{Decimal128, PropertyType, Value};

use crate::arithmetic::{calculate, is_number, to_decimal, to_double};
use crate::ast::{Aggregate, ArithmeticOp};
use crate::compare;
use crate::values::Datum;

/// The aggregate of values of a property of type `ty`.
pub(crate) fn aggregate(of: Aggregate, ty: PropertyType, data: &[Datum]) -> Value {
    let values = data.iter().filter_map(|datum| match datum {
        Datum::Value(value) if !value.is_null() && !is_nan(value) => Some(value),
        _ => None,
    });
    match of {
        Aggregate::Min => limit(values, Ordering::Less),
        Aggregate::Max => limit(values, Ordering::Greater),
        Aggregate::Sum => sum(ty, values).0,
        Aggregate::Average => match sum(ty, values) {
            (_, 0) => Value::Null,
            (Value::Decimal(sum), count) => Value::Decimal(sum / Decimal128::from(count)),
            (sum, count) => average(&sum, count),
        },
    }
}

fn is_nan(value: &Value) -> bool {
    match value {
        Value::Float(float) => float.is_nan(),
        Value::Double(double) => double.is_nan(),
        Value::Decimal(decimal) => decimal.is_nan(),
        _ => false,
    }
}

/// The first value that no other is before or behind.
fn limit<'v>(values: impl Iterator<Item = &'v Value>, wanted: Ordering) -> Value {
    let better = |best: &'v Value, value: &'v Value| {
        if compare::order(value, best) == wanted { value } else { best }
    };
    values.reduce(better).cloned().unwrap_or(Value::Null)
}

/// The sum of the numbers, and how many there are.
fn sum<'v>(ty: PropertyType, values: impl Iterator<Item = &'v Value>) -> (Value, i64) {
    let zero = match ty {
        PropertyType::Int => Value::Int(0),
        PropertyType::Decimal | PropertyType::Mixed => Value::Decimal(Decimal128::ZERO),
        _ => Value::Double(0.0),
    };
    let mut count = 0;
    let add = |sum: Value, value: &Value| {
        count += 1;
        let value = match ty {
            PropertyType::Mixed => to_decimal(value).map(Value::Decimal),
            PropertyType::Float => to_double(value).map(Value::Double),
            _ => Some(value.clone()),
        };
        calculate(ArithmeticOp::Add, &sum, &value.unwrap_or(Value::Null))
    };
    let sum = values.filter(|value| is_number(value)).fold(zero, add);
    (sum, count)
}

#[expect(clippy::cast_precision_loss, reason = "as the engine does, in floating point")]
fn average(sum: &Value, count: i64) -> Value {
    to_double(sum).map_or(Value::Null, |sum| Value::Double(sum / count as f64))
}
