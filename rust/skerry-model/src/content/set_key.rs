//! When two values are one element of a set.
//!
//! Numbers are compared as numbers, whatever their types: the int 1, the double 1.0 and the decimal
//! 1.00 are one element. A double and a decimal are equal when the decimal is what the double reads
//! as with 15 digits, as Realm converts it. That alone is not transitive (two doubles may read alike),
//! so each number is first brought to one form, and forms are compared: equal or not, for good.

use std::sync::Arc;

use crate::{Decimal128, DecimalParts, Link, ObjectId, Timestamp, Uuid, Value};

/// A value as an element of a set. Its order is the order in which sets are stored; it has no other
/// meaning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetKey {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number of 64 bits, of whatever type.
    Whole(i64),
    /// Bits of any other number that a double is, infinities and the one NaN included.
    Double(u64),
    /// A number that only a decimal is: sign, coefficient without trailing zeros, exponent.
    Decimal(bool, u128, i32),
    /// A text.
    String(Arc<str>),
    /// Bytes.
    Binary(Arc<[u8]>),
    /// A point in time.
    Timestamp(Timestamp),
    /// An object id.
    ObjectId(ObjectId),
    /// A UUID.
    Uuid(Uuid),
    /// A link.
    Link(Box<Link>),
}

impl SetKey {
    /// The key of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Int(int) => Self::Whole(*int),
            Value::Float(float) => Self::double(f64::from(*float)),
            Value::Double(double) => Self::double(*double),
            Value::Decimal(decimal) => Self::decimal(*decimal),
            Value::String(text) => Self::String(text.clone()),
            Value::Binary(bytes) => Self::Binary(bytes.clone()),
            Value::Timestamp(timestamp) => Self::Timestamp(*timestamp),
            Value::ObjectId(oid) => Self::ObjectId(*oid),
            Value::Uuid(uuid) => Self::Uuid(*uuid),
            Value::Link(link) => Self::Link(link.clone()),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    fn double(double: f64) -> Self {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if double.is_nan() {
            return Self::Double(f64::NAN.to_bits());
        }
        if double.fract() == 0.0 && (-LIMIT..LIMIT).contains(&double) {
            return Self::Whole(double as i64);
        }
        Self::Double(double.to_bits())
    }

    fn decimal(decimal: Decimal128) -> Self {
        let DecimalParts::Finite { negative, mut coefficient, mut exponent } = decimal.parts()
        else {
            return Self::double(match decimal.parts() {
                DecimalParts::Infinity { negative: true } => f64::NEG_INFINITY,
                DecimalParts::Infinity { negative: false } => f64::INFINITY,
                DecimalParts::Nan | DecimalParts::Finite { .. } => f64::NAN,
            });
        };
        if coefficient == 0 {
            return Self::Whole(0);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        if let Some(whole) = whole(negative, coefficient, exponent) {
            return Self::Whole(whole);
        }
        let nearest: Option<f64> = decimal.to_string().parse().ok();
        match nearest.filter(|double| double.is_finite() && decimal.cmp_f64(*double).is_eq()) {
            Some(double) => Self::double(double),
            None => Self::Decimal(negative, coefficient, exponent),
        }
    }
}

/// The number, if it is a whole one of 64 bits.
fn whole(negative: bool, coefficient: u128, exponent: i32) -> Option<i64> {
    let power = u32::try_from(exponent).ok().filter(|power| *power < 20)?;
    let magnitude = i128::try_from(coefficient.checked_mul(10_u128.pow(power))?).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: impl Into<Value>) -> SetKey {
        SetKey::of(&value.into())
    }

    impl From<&str> for Value {
        fn from(decimal: &str) -> Self {
            Self::Decimal(decimal.parse().unwrap())
        }
    }

    #[test]
    fn equal_numbers_are_one_element() {
        let one = key(Value::Int(1));
        for same in
            [Value::Double(1.0), Value::Float(1.0), "1".into(), "1.00".into(), "0.1E1".into()]
        {
            assert_eq!(key(same.clone()), one, "{same:?}");
        }
        assert_eq!(key(Value::Double(0.5)), key("0.50"));
        assert_eq!(key(Value::Double(0.1)), key("0.1"));
        assert_eq!(key(Value::Double(-0.0)), key(Value::Int(0)));
        assert_eq!(key(Value::Double(f64::NAN)), key("NaN"));
        assert_eq!(key(Value::Double(f64::INFINITY)), key("Infinity"));
        assert_eq!(key(Value::Int(i64::MIN)), key(Value::Double(-9_223_372_036_854_775_808.0)));
    }

    #[test]
    fn different_values_are_different_elements() {
        let all = [
            Value::Null,
            Value::Bool(true),
            Value::Int(1),
            Value::Double(1.5),
            "0.1234567890123456789".into(),
            Value::string("1"),
            Value::binary(*b"1"),
            Value::Int(i64::MAX),
            Value::Double(9_223_372_036_854_775_808.0),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(SetKey::of(a) == SetKey::of(b), i == j, "{a:?} {b:?}");
            }
        }
    }
}
