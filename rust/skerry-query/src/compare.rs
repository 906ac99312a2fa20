//! How values compare: the only place that says so (sync-engine 8.4, and the outcomes recorded from
//! the engine, which win where they differ).
//!
//! There are two rules. A property against a constant of its type goes by [`Rule::Column`], everything
//! else by [`Rule::Expression`]; they differ only in these:
//!
//! - text: a column sorts null before all text, an expression orders null with nothing but null;
//! - binary floating point: a column follows IEEE 754 for NaN, in an expression NaN equals itself and
//!   is smaller than all numbers (so `d < 42` with an int literal matches NaN, `d < 42.0` does not);
//! - searching for null: a column finds it in everything, an expression only where something is, and
//!   not at all with `[c]`.
//!
//! In both, numbers compare by value across their types (a double against a decimal after rounding
//! to 15 digits, as the engine does), NaN of a decimal is an ordinary smallest number, and
//! values of different kinds are unequal and unordered.

use std::borrow::Cow;
use std::cmp::Ordering;

use skerry_model::{Decimal128, PropertyType, Value};

use crate::like;
use crate::predicate::{CompareOp, Operand};

/// Which rule a comparison goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A property against a constant, on its right, as its own type has it.
    Column,
    /// Two properties, a number of another type against doubles, a constant that is searched.
    Expression,
}

impl Rule {
    /// The rule for two operands.
    pub fn of(left: &Operand, right: &Operand) -> Self {
        match (left, right) {
            (Operand::Property(property), Operand::Constant(constant)) => {
                let widened = match property.ty {
                    PropertyType::Double => !matches!(constant, Value::Double(_) | Value::Null),
                    PropertyType::Float => !matches!(constant, Value::Float(_) | Value::Null),
                    _ => false,
                };
                if widened { Self::Expression } else { Self::Column }
            }
            (Operand::Property(_) | Operand::Constant(_), Operand::Property(_))
            | (Operand::Constant(_), Operand::Constant(_)) => Self::Expression,
        }
    }
}

/// Whether `left op right` holds as a property against a constant, case-sensitively.
pub fn matches(op: CompareOp, left: &Value, right: &Value) -> bool {
    matches_as(op, left, right, Rule::Column)
}

/// Whether `left op right` holds by the given rule.
pub fn matches_as(op: CompareOp, left: &Value, right: &Value, rule: Rule) -> bool {
    let relation = || relation(left, right, rule);
    match op {
        CompareOp::Equal => relation() == Some(Ordering::Equal),
        CompareOp::NotEqual => relation() != Some(Ordering::Equal),
        CompareOp::Less => relation() == Some(Ordering::Less),
        CompareOp::LessOrEqual => relation().is_some_and(Ordering::is_le),
        CompareOp::Greater => relation() == Some(Ordering::Greater),
        CompareOp::GreaterOrEqual => relation().is_some_and(Ordering::is_ge),
        CompareOp::BeginsWith | CompareOp::EndsWith | CompareOp::Contains | CompareOp::Like => {
            text_matches(op, left, right, rule)
        }
    }
}

/// The same with `[c]`: ASCII and Latin-1 letters of either case are the same.
pub fn matches_folded(op: CompareOp, left: &Value, right: &Value, rule: Rule) -> bool {
    // Text and bytes only ever match their own kind, so folding may turn both into bytes.
    match (left, right) {
        (Value::String(a), Value::String(b)) => {
            matches_as(op, &folded_value(a.as_bytes()), &folded_value(b.as_bytes()), rule)
        }
        (Value::Binary(a), Value::Binary(b)) => {
            matches_as(op, &folded_value(a), &folded_value(b), rule)
        }
        (_, Value::Null) if rule == Rule::Expression && op.is_string_operator() => false,
        _ => matches_as(op, left, right, rule),
    }
}

/// The total order of SORT: null < bool < numbers (NaN first, across all types) < text (bytewise) <
/// bytes < dates < object ids < UUIDs < links.
///
/// Numbers of different types that are equal as numbers tie. Links are ordered by class and key.
pub fn order(left: &Value, right: &Value) -> Ordering {
    same_kind_order(left, right).unwrap_or_else(|| rank(left).cmp(&rank(right)))
}

/// How the values relate; `None` when they do not.
fn relation(left: &Value, right: &Value, rule: Rule) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, Value::String(_)) if rule == Rule::Column => Some(Ordering::Less),
        (Value::String(_), Value::Null) if rule == Rule::Column => Some(Ordering::Greater),
        _ if rule == Rule::Column && (is_binary_nan(left) || is_binary_nan(right)) => None,
        _ => same_kind_order(left, right),
    }
}

/// Whether the value is a NaN of a binary floating-point type.
pub(crate) fn is_binary_nan(value: &Value) -> bool {
    match value {
        Value::Float(float) => float.is_nan(),
        Value::Double(double) => double.is_nan(),
        _ => false,
    }
}

/// Place of a value's kind in the total order. All numbers are one kind.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Decimal(_) => 2,
        Value::String(_) => 3,
        Value::Binary(_) => 4,
        Value::Timestamp(_) => 5,
        Value::ObjectId(_) => 6,
        Value::Uuid(_) => 7,
        Value::Link(_) => 8,
    }
}

fn same_kind_order(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::ObjectId(a), Value::ObjectId(b)) => a.cmp(b),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (Value::Link(a), Value::Link(b)) => a.cmp(b),
        _ => return Some(numeric_order(Number::of(left)?, Number::of(right)?)),
    })
}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    /// A float counts as the double of the same value, except against decimals.
    Float(f32),
    Double(f64),
    Decimal(Decimal128),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(int) => Some(Self::Int(*int)),
            Value::Float(float) => Some(Self::Float(*float)),
            Value::Double(double) => Some(Self::Double(*double)),
            Value::Decimal(decimal) => Some(Self::Decimal(*decimal)),
            _ => None,
        }
    }

    fn to_decimal(self) -> Decimal128 {
        match self {
            Self::Int(int) => Decimal128::from(int),
            Self::Float(float) => Decimal128::from_f32_7_digits(float),
            Self::Double(double) => Decimal128::from_f64_15_digits(double),
            Self::Decimal(decimal) => decimal,
        }
    }
}

/// Exact order of numbers; NaN equals NaN and is smallest, and both zeros are one.
fn numeric_order(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Decimal(_), _) | (_, Number::Decimal(_)) => {
            left.to_decimal().cmp_numeric(&right.to_decimal())
        }
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Int(a), Number::Double(b)) => int_double_order(a, b),
        (Number::Int(a), Number::Float(b)) => int_double_order(a, f64::from(b)),
        (Number::Double(a), Number::Int(b)) => int_double_order(b, a).reverse(),
        (Number::Float(a), Number::Int(b)) => int_double_order(b, f64::from(a)).reverse(),
        (Number::Double(a), Number::Double(b)) => double_order(a, b),
        (Number::Double(a), Number::Float(b)) => double_order(a, f64::from(b)),
        (Number::Float(a), Number::Double(b)) => double_order(f64::from(a), b),
        (Number::Float(a), Number::Float(b)) => double_order(f64::from(a), f64::from(b)),
    }
}

fn double_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Compares without rounding the integer to a double.
fn int_double_order(int: i64, double: f64) -> Ordering {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return Ordering::Greater;
    }
    if double >= TWO_POW_63 {
        return Ordering::Less;
    }
    if double < -TWO_POW_63 {
        return Ordering::Greater;
    }
    let whole = double.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the range of i64")]
    let whole_int = whole as i64;
    int.cmp(&whole_int).then_with(|| double_order(whole, double))
}

/// The integer that a double is exactly, if it is one.
pub(crate) fn integral(double: f64) -> Option<i64> {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    let in_range = (-TWO_POW_63..TWO_POW_63).contains(&double);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    let int = double as i64;
    (in_range && int_double_order(int, double).is_eq()).then_some(int)
}

fn text_matches(op: CompareOp, haystack: &Value, needle: &Value, rule: Rule) -> bool {
    let (haystack, needle) = match (haystack, needle) {
        (Value::String(a), Value::String(b)) => (a.as_bytes(), b.as_bytes()),
        (Value::Binary(a), Value::Binary(b)) => (&**a, &**b),
        (haystack, Value::Null) => return null_needle_matches(op, haystack, rule),
        _ => return false,
    };
    match op {
        CompareOp::BeginsWith => haystack.starts_with(needle),
        CompareOp::EndsWith => haystack.ends_with(needle),
        CompareOp::Contains => like::contains(haystack, needle),
        CompareOp::Like => like::like(haystack, needle),
        CompareOp::Equal
        | CompareOp::NotEqual
        | CompareOp::Less
        | CompareOp::LessOrEqual
        | CompareOp::Greater
        | CompareOp::GreaterOrEqual => false,
    }
}

/// Searching for null: LIKE finds it in null only, the others in everything (but by the rule for
/// expressions not in null).
fn null_needle_matches(op: CompareOp, haystack: &Value, rule: Rule) -> bool {
    match haystack {
        Value::Null => op == CompareOp::Like || rule == Rule::Column,
        Value::String(_) | Value::Binary(_) => op != CompareOp::Like,
        Value::Int(_)
        | Value::Bool(_)
        | Value::Timestamp(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Link(_)
        | Value::ObjectId(_)
        | Value::Uuid(_) => false,
    }
}

fn folded_value(bytes: &[u8]) -> Value {
    Value::binary(fold(bytes).into_owned())
}

/// The text with its ASCII and Latin-1 capitals made small; lengths stay the same.
pub fn fold(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_capital = |i: usize| match bytes[i] {
        b'A'..=b'Z' => true,
        // À to Þ without the multiplication sign, as the second byte of two.
        0x80..=0x96 | 0x98..=0x9E => i > 0 && bytes[i - 1] == 0xC3,
        _ => false,
    };
    let Some(first) = (0..bytes.len()).find(|&i| is_capital(i)) else {
        return Cow::Borrowed(bytes);
    };
    let mut folded = bytes.to_vec();
    for (i, byte) in folded.iter_mut().enumerate().skip(first) {
        if is_capital(i) {
            *byte += 0x20;
        }
    }
    Cow::Owned(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = Value> {
        let near = |center: f64| (-3..4_i32).prop_map(move |step| center + f64::from(step) / 2.0);
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            (-4..4_i64).prop_map(|step| Value::Int((1 << 53) + step)),
            prop_oneof![near(0.0), near(9_007_199_254_740_992.0), near(9.3e18), Just(f64::NAN)]
                .prop_map(Value::Double),
            any::<f32>().prop_map(Value::Float),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            4 => number(),
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => "[a-zé]{0,2}".prop_map(Value::string),
            1 => prop::collection::vec(any::<u8>(), 0..2).prop_map(Value::binary),
        ]
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in value(), b in value(), c in value()) {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            prop_assert_eq!(order(&a, &a), Ordering::Equal);
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }

        #[test]
        fn ints_and_doubles_compare_as_in_128_bits(int: i64, step in -3..4_i32) {
            // Both sides doubled are whole numbers, and those of this size i128 holds exactly.
            #[expect(clippy::cast_precision_loss, reason = "any double near the int will do")]
            let double = int as f64 + f64::from(step) / 2.0;
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^65")]
            let doubled = (double * 2.0) as i128;
            prop_assert_eq!(
                order(&Value::Int(int), &Value::Double(double)),
                (i128::from(int) * 2).cmp(&doubled)
            );
        }

        #[test]
        fn folding_is_that_of_latin_1(text in "[ -~À-ÿŒœİıΣσ]{0,8}") {
            let small = |c: char| match c {
                'A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' => c.to_lowercase().next().unwrap_or(c),
                c => c,
            };
            let wanted: String = text.chars().map(small).collect();
            let folded = fold(text.as_bytes());
            prop_assert_eq!(folded.as_ref(), wanted.as_bytes());
        }
    }

    #[test]
    fn null_text_is_least_in_a_column_and_has_no_order_elsewhere() {
        let (null, text) = (Value::Null, Value::string(""));
        assert!(matches(CompareOp::Less, &null, &text));
        assert!(matches(CompareOp::GreaterOrEqual, &text, &null));
        assert!(!matches_as(CompareOp::Less, &null, &text, Rule::Expression));
        assert!(!matches(CompareOp::Less, &null, &Value::Int(1)));
        assert!(matches(CompareOp::NotEqual, &null, &Value::Int(1)));
    }

    #[test]
    fn values_of_different_kinds_are_unequal_and_unordered() {
        let (text, bytes) = (Value::string("a"), Value::binary(b"a".as_slice()));
        for op in [CompareOp::Equal, CompareOp::Less, CompareOp::Greater, CompareOp::Contains] {
            assert!(!matches(op, &text, &bytes) && !matches(op, &bytes, &text));
        }
        assert!(matches(CompareOp::NotEqual, &text, &bytes));
    }
}
