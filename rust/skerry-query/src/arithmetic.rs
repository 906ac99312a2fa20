//! Calculating with values, as the engine does: integers wrap, dividing one by zero gives the greatest
//! or the least, and what is no number gives null.

use std::ops::{Add, Div, Mul, Sub};

use skerry_model::{Decimal128, Value};

use crate::ast::ArithmeticOp;

/// Whether the value is a number.
pub(crate) fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Decimal(_))
}

/// `left op right`, of the wider of the two types (int < float < double < decimal); null for null, and
/// where no type has both.
///
/// The engine orders all types for this. Those before the float are bool, text, bytes and dates: beside
/// a number of floating point or a decimal, and only there, they count as 0.
pub(crate) fn calculate(op: ArithmeticOp, left: &Value, right: &Value) -> Value {
    let both = (left, right);
    match both {
        (Value::Int(left), Value::Int(right)) => Value::Int(integers(op, *left, *right)),
        (Value::Decimal(_), other) | (other, Value::Decimal(_)) if yields(other) => {
            calculate_as(op, both, to_decimal, Value::Decimal)
        }
        (Value::Double(_), other) | (other, Value::Double(_)) if yields(other) => {
            calculate_as(op, both, to_double, Value::Double)
        }
        (Value::Float(_), other) | (other, Value::Float(_)) if yields(other) => {
            calculate_as(op, both, to_float, Value::Float)
        }
        _ => Value::Null,
    }
}

/// Whether the value takes the type of a number of floating point or a decimal beside it.
fn yields(value: &Value) -> bool {
    is_number(value) || is_zero(value)
}

/// Whether the value counts as 0 beside such a number.
fn is_zero(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::String(_) | Value::Binary(_) | Value::Timestamp(_))
}

fn integers(op: ArithmeticOp, left: i64, right: i64) -> i64 {
    match op {
        ArithmeticOp::Add => left.wrapping_add(right),
        ArithmeticOp::Subtract => left.wrapping_sub(right),
        ArithmeticOp::Multiply => left.wrapping_mul(right),
        ArithmeticOp::Divide if right == 0 => {
            if left < 0 {
                i64::MIN
            } else {
                i64::MAX
            }
        }
        ArithmeticOp::Divide => left.wrapping_div(right),
    }
}

fn fractions<T>(op: ArithmeticOp, left: T, right: T) -> T
where
    T: Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
{
    match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
    }
}

/// The operation on both as numbers of one type; null where one is none.
fn calculate_as<T>(
    op: ArithmeticOp,
    (left, right): (&Value, &Value),
    number: impl Fn(&Value) -> Option<T>,
    value: impl Fn(T) -> Value,
) -> Value
where
    T: Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
{
    let operands = operand(left, &number).zip(operand(right, &number));
    operands.map_or(Value::Null, |(left, right)| value(fractions(op, left, right)))
}

fn operand<T>(value: &Value, number: impl Fn(&Value) -> Option<T>) -> Option<T> {
    if is_zero(value) { number(&Value::Int(0)) } else { number(value) }
}

/// A number as a decimal: floats through 7 digits, doubles through 15.
pub(crate) fn to_decimal(value: &Value) -> Option<Decimal128> {
    Some(match value {
        Value::Int(int) => Decimal128::from(*int),
        Value::Float(float) => Decimal128::from_f32_7_digits(*float),
        Value::Double(double) => Decimal128::from_f64_15_digits(*double),
        Value::Decimal(decimal) => *decimal,
        _ => return None,
    })
}

/// A number that is no decimal as a double.
#[expect(clippy::cast_precision_loss, reason = "as the engine does, in floating point")]
pub(crate) fn to_double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(f64::from(*float)),
        Value::Double(double) => Some(*double),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the engine does, in floating point")]
fn to_float(value: &Value) -> Option<f32> {
    match value {
        Value::Int(int) => Some(*int as f32),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}
