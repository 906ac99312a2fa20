//! Where values lie: the lines on which the values of a property are equal and ordered as in
//! [`compare`](crate::compare).
//!
//! Invariant: for a constant that is no NaN, a value of any kind relates to it as its place on one of
//! the constant's axes does to the constant's there, and if it has no place on any, not at all.
//!
//! Numbers need three. Integers and binary fractions have one order. A decimal compares with a binary
//! fraction after rounding that, so two fractions may equal one decimal without equalling each other:
//! decimal constants and decimal values have axes of their own, on which the other side is put as
//! the decimal that it becomes.

use std::cmp::Ordering;

use skerry_model::{Decimal128, Value};

use crate::compare;

/// A kind of value with a total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    /// Text, and null before it.
    Text,
    Bool,
    /// Binary numbers against constants of their kind.
    Number,
    /// All numbers against constants that are decimals.
    Decimal,
    /// Decimals against constants that are binary numbers.
    Rounded,
    Bytes,
    Timestamp,
    ObjectId,
    Uuid,
    Link,
}

/// A value in the order of its axis.
#[derive(Clone, Debug)]
pub(super) struct Ordered(pub(super) Value);

/// A constant's place on an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) axis: Axis,
    pub(super) value: Ordered,
}

/// A place between values, or at an end of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before all values.
    Start,
    /// Just before a value.
    Before(Ordered),
    /// Just after a value.
    After(Ordered),
    /// After all values.
    End,
}

/// What lies between two cuts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) low: Cut,
    pub(super) high: Cut,
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        compare::order(&self.0, &other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl Ord for Cut {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.parts(), other.parts());
        left.0.cmp(&right.0).then_with(|| left.1.cmp(&right.1)).then(left.2.cmp(&right.2))
    }
}

impl PartialOrd for Cut {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Cut {
    /// Which third of the axis, at which value, on which side of it.
    fn parts(&self) -> (u8, Option<&Ordered>, u8) {
        match self {
            Self::Start => (0, None, 0),
            Self::Before(value) => (1, Some(value), 0),
            Self::After(value) => (1, Some(value), 1),
            Self::End => (2, None, 0),
        }
    }

    /// Whether the value lies after the cut.
    pub(super) fn is_below(&self, value: &Ordered) -> bool {
        match self {
            Self::Start => true,
            Self::Before(cut) => cut <= value,
            Self::After(cut) => cut < value,
            Self::End => false,
        }
    }
}

impl Span {
    /// What lies in both.
    pub(super) fn meet(&self, other: &Self) -> Self {
        let low = (&self.low).max(&other.low).clone();
        Self { low, high: (&self.high).min(&other.high).clone() }
    }

    /// Whether no value can lie in it.
    pub(super) fn is_empty(&self) -> bool {
        self.low >= self.high
    }

    /// Whether both ends are at values.
    pub(super) fn is_bounded(&self) -> bool {
        // The beginning of the numbers is written as the place after NaN.
        let has_low = match &self.low {
            Cut::Before(value) | Cut::After(value) => !compare::is_binary_nan(&value.0),
            Cut::Start | Cut::End => false,
        };
        has_low && self.high != Cut::End
    }
}

impl Axis {
    /// Where a value of an object lies on this axis, if it does.
    pub(super) fn place(self, value: &Value) -> Option<Ordered> {
        let is_here = match value {
            Value::Null | Value::String(_) => self == Self::Text,
            Value::Bool(_) => self == Self::Bool,
            Value::Int(_) | Value::Float(_) | Value::Double(_) => {
                if self == Self::Decimal {
                    return decimal(value).map(Ordered);
                }
                self == Self::Number
            }
            Value::Decimal(_) => self == Self::Decimal || self == Self::Rounded,
            Value::Binary(_) => self == Self::Bytes,
            Value::Timestamp(_) => self == Self::Timestamp,
            Value::ObjectId(_) => self == Self::ObjectId,
            Value::Uuid(_) => self == Self::Uuid,
            Value::Link(_) => self == Self::Link,
        };
        is_here.then(|| Ordered(value.clone()))
    }
}

/// The places of a constant: all that values may have to be compared with.
pub(super) fn points(constant: &Value) -> impl Iterator<Item = Point> {
    let axis = match constant {
        Value::Null | Value::String(_) => Axis::Text,
        Value::Bool(_) => Axis::Bool,
        Value::Int(_) | Value::Float(_) | Value::Double(_) => Axis::Number,
        Value::Decimal(_) => Axis::Decimal,
        Value::Binary(_) => Axis::Bytes,
        Value::Timestamp(_) => Axis::Timestamp,
        Value::ObjectId(_) => Axis::ObjectId,
        Value::Uuid(_) => Axis::Uuid,
        Value::Link(_) => Axis::Link,
    };
    let own = Point { axis, value: Ordered(constant.clone()) };
    let rounded =
        decimal(constant).map(|value| Point { axis: Axis::Rounded, value: Ordered(value) });
    [Some(own), rounded].into_iter().flatten()
}

/// The decimal that a binary number is when it is compared with one.
fn decimal(value: &Value) -> Option<Value> {
    let decimal = match value {
        Value::Int(int) => Decimal128::from(*int),
        Value::Float(float) => Decimal128::from_f32_7_digits(*float),
        Value::Double(double) => Decimal128::from_f64_15_digits(*double),
        Value::Null
        | Value::Bool(_)
        | Value::String(_)
        | Value::Binary(_)
        | Value::Timestamp(_)
        | Value::Decimal(_)
        | Value::Link(_)
        | Value::ObjectId(_)
        | Value::Uuid(_) => return None,
    };
    Some(Value::Decimal(decimal))
}

/// Whether the value is a NaN of any type.
pub(super) fn is_nan(value: &Value) -> bool {
    match value {
        Value::Decimal(decimal) => decimal.is_nan(),
        value => compare::is_binary_nan(value),
    }
}
