//! Making a constant fit the property that it is compared with (sync-engine 8.4).
//!
//! After this a constant is null, or of the property's type, or a number that the type cannot hold
//! and that compares nevertheless (1.5 against an int, 42 against a
//! double). Conversions are the engine's:
//! numbers in text are read, a literal with a point takes the property's type from its text, a double
//! becomes a decimal of 15 digits.

use std::sync::Arc;

use skerry_model::decimal::DecimalParts;
use skerry_model::{Decimal128, PropertyType, Value};

use crate::ast::Literal;
use crate::compare::integral;

/// A constant before adaptation: a literal, which may keep its text, or the value of an argument.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Literal(Literal),
    Value(Value),
}

/// The constant does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

/// Name of a type as error texts have it.
pub(crate) fn type_name(ty: PropertyType) -> &'static str {
    match ty {
        PropertyType::Mixed => "mixed",
        PropertyType::Int => "int",
        PropertyType::Bool => "bool",
        PropertyType::String => "string",
        PropertyType::Binary => "data",
        PropertyType::Timestamp => "date",
        PropertyType::Float => "float",
        PropertyType::Double => "double",
        PropertyType::Decimal => "decimal128",
        PropertyType::Link => "link",
        PropertyType::ObjectId => "objectId",
        PropertyType::Uuid => "uuid",
        PropertyType::GlobalKey => "global key",
    }
}

impl Raw {
    /// The constant as error texts show it: short, and not the whole of long text.
    pub(crate) fn describe(&self) -> String {
        const SHOWN_MAX_CHARACTERS: usize = 40;
        let text = match self {
            Self::Literal(Literal::Real(text)) => text.to_string(),
            Self::Literal(Literal::Single(text)) => format!("{text}f"),
            raw => crate::print::constant(&raw.plain()),
        };
        if text.chars().count() <= SHOWN_MAX_CHARACTERS {
            return text;
        }
        text.chars().take(SHOWN_MAX_CHARACTERS).chain("...".chars()).collect()
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Literal(Literal::Null) | Self::Value(Value::Null))
    }

    /// The constant as a value of its own type.
    pub(crate) fn plain(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Literal(literal) => match literal {
                Literal::Null => Value::Null,
                Literal::Bool(bool) => Value::Bool(*bool),
                Literal::Int(int) => Value::Int(*int),
                Literal::Real(text) => Value::Double(real(text)),
                Literal::Single(text) => Value::Float(single(text)),
                Literal::String(text) => Value::String(text.clone()),
                Literal::Binary(bytes) => Value::Binary(bytes.clone()),
                Literal::Timestamp(timestamp) => Value::Timestamp(*timestamp),
                Literal::ObjectId(oid) => Value::ObjectId(*oid),
                Literal::Uuid(uuid) => Value::Uuid(*uuid),
            },
        }
    }

    /// The constant for a property of type `ty`, which is no link.
    pub(crate) fn adapt(&self, ty: PropertyType) -> Result<Value, Unfit> {
        let plain = self.plain();
        if plain.is_null() {
            return Ok(Value::Null);
        }
        match ty {
            PropertyType::Int => to_int(&plain),
            PropertyType::Double => to_double(plain),
            PropertyType::Decimal => match self {
                Self::Literal(Literal::Real(text)) => parse_decimal(text),
                Self::Literal(_) | Self::Value(_) => to_decimal(&plain),
            },
            PropertyType::Bool => only(plain, |value| matches!(value, Value::Bool(_))),
            PropertyType::String => only(plain, |value| matches!(value, Value::String(_))),
            PropertyType::Binary => only(plain, |value| matches!(value, Value::Binary(_))),
            PropertyType::Timestamp => only(plain, |value| matches!(value, Value::Timestamp(_))),
            PropertyType::ObjectId => only(plain, |value| matches!(value, Value::ObjectId(_))),
            PropertyType::Uuid => only(plain, |value| matches!(value, Value::Uuid(_))),
            PropertyType::Float => match self {
                // Rounded once, from the text.
                Self::Literal(Literal::Real(text)) => Ok(float(single(text))),
                Self::Literal(_) | Self::Value(_) => to_float(plain),
            },
            PropertyType::Mixed => Ok(plain),
            PropertyType::Link | PropertyType::GlobalKey => Err(Unfit),
        }
    }

    /// The constant as an element of an IN list: what is not of the type after adaptation is ignored
    /// and gives `None`, as the engine has it (an int among doubles, too).
    pub(crate) fn adapt_element(&self, ty: PropertyType) -> Option<Value> {
        let value = self.adapt(ty).ok()?;
        let fits = match ty {
            PropertyType::Int => matches!(value, Value::Int(_) | Value::Null),
            PropertyType::Double => matches!(value, Value::Double(_) | Value::Null),
            PropertyType::Float => matches!(value, Value::Float(_) | Value::Null),
            _ => true,
        };
        fits.then_some(value)
    }
}

fn only(value: Value, fits: impl Fn(&Value) -> bool) -> Result<Value, Unfit> {
    if fits(&value) { Ok(value) } else { Err(Unfit) }
}

/// The token rules have made sure that the text is a number.
fn real(text: &str) -> f64 {
    text.parse().expect("a real token is a number")
}

fn single(text: &str) -> f32 {
    text.parse().expect("a real token is a number")
}

fn double_to_int(double: f64) -> Result<Value, Unfit> {
    if double.is_infinite() {
        return Err(Unfit);
    }
    let double = if double.is_nan() { f64::NAN } else { double };
    Ok(integral(double).map_or(Value::Double(double), Value::Int))
}

fn to_int(plain: &Value) -> Result<Value, Unfit> {
    match plain {
        Value::Int(int) => Ok(Value::Int(*int)),
        Value::Float(float) => double_to_int(f64::from(*float)),
        Value::Double(double) => double_to_int(*double),
        Value::Decimal(decimal) => decimal_to_int(*decimal),
        Value::String(text) => leading_int(text).map(Value::Int).ok_or(Unfit),
        _ => Err(Unfit),
    }
}

fn decimal_to_int(decimal: Decimal128) -> Result<Value, Unfit> {
    match decimal.parts() {
        DecimalParts::Infinity { .. } => Err(Unfit),
        // Against an int it matches nothing; only the NaN of doubles does that.
        DecimalParts::Nan => Ok(Value::Double(f64::NAN)),
        DecimalParts::Finite { negative, coefficient, exponent } => {
            finite_decimal_to_int(negative, coefficient, exponent)
        }
    }
}

/// What is no whole number becomes a double between the same two, which compares with every int as the
/// decimal does, and unlike the decimal can be written as a literal.
fn finite_decimal_to_int(negative: bool, coefficient: u128, exponent: i32) -> Result<Value, Unfit> {
    const EXACT_HALVES_BELOW: u128 = 1 << 52;
    const BEYOND_ALL_INTS: f64 = 1e19;
    let with_sign = |double: f64| Value::Double(if negative { -double } else { double });
    let power = 10_u128.checked_pow(exponent.unsigned_abs());
    let (whole, is_whole) = match power {
        _ if coefficient == 0 => (0, true),
        Some(power) if exponent < 0 => (coefficient / power, coefficient.is_multiple_of(power)),
        None if exponent < 0 => (0, false),
        power => {
            let whole = power.and_then(|power| coefficient.checked_mul(power));
            (whole.unwrap_or(u128::MAX), true)
        }
    };
    let int = i128::try_from(whole).map(|whole| if negative { -whole } else { whole });
    match int.ok().and_then(|int| i64::try_from(int).ok()) {
        None => Ok(with_sign(BEYOND_ALL_INTS)),
        Some(int) if is_whole => Ok(Value::Int(int)),
        Some(_) if whole < EXACT_HALVES_BELOW => {
            let whole =
                u32::try_from(whole >> 32).ok().zip(u32::try_from(whole & 0xFFFF_FFFF).ok());
            let (high, low) = whole.expect("below 2^52");
            Ok(with_sign(f64::from(high) * 4_294_967_296.0 + f64::from(low) + 0.5))
        }
        Some(_) => Err(Unfit),
    }
}

/// Numbers of other types stay what they are: they compare as in an expression, not as in a column.
fn to_double(plain: Value) -> Result<Value, Unfit> {
    match plain {
        // One NaN is as good as another, and only one can be written.
        Value::Double(double) if double.is_nan() => Ok(Value::Double(f64::NAN)),
        Value::Float(float) if float.is_nan() => Ok(Value::Double(f64::NAN)),
        Value::Float(float) if float.is_infinite() => Ok(Value::Double(f64::from(float))),
        Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Decimal(_) => Ok(plain),
        Value::String(text) => leading_double(&text).map(Value::Double).ok_or(Unfit),
        _ => Err(Unfit),
    }
}

/// Numbers of other types stay what they are, but doubles are rounded.
fn to_float(plain: Value) -> Result<Value, Unfit> {
    match plain {
        #[expect(clippy::cast_possible_truncation, reason = "the type of the property")]
        Value::Double(double) => Ok(float(double as f32)),
        Value::Float(value) => Ok(float(value)),
        Value::Int(_) | Value::Decimal(_) => Ok(plain),
        #[expect(clippy::cast_possible_truncation, reason = "the type of the property")]
        Value::String(text) => leading_double(&text).map(|d| float(d as f32)).ok_or(Unfit),
        _ => Err(Unfit),
    }
}

/// One NaN is as good as another, and only one can be written.
fn float(value: f32) -> Value {
    Value::Float(if value.is_nan() { f32::NAN } else { value })
}

fn to_decimal(plain: &Value) -> Result<Value, Unfit> {
    match plain {
        Value::Int(int) => Ok(Value::Decimal(Decimal128::from(*int))),
        Value::Float(float) => Ok(Value::Decimal(Decimal128::from_f32_7_digits(*float))),
        Value::Double(double) => Ok(Value::Decimal(Decimal128::from_f64_15_digits(*double))),
        Value::Decimal(decimal) => Ok(Value::Decimal(*decimal)),
        Value::String(text) if text.bytes().any(|byte| byte.is_ascii_digit()) => {
            parse_decimal(text)
        }
        _ => Err(Unfit),
    }
}

/// Exactly; what a decimal cannot hold does not fit.
fn parse_decimal(text: &Arc<str>) -> Result<Value, Unfit> {
    text.parse().map(Value::Decimal).map_err(|_| Unfit)
}

/// What a C++ stream reads from the beginning of a text: blanks, a sign, digits; the rest is ignored.
fn leading_number(text: &str) -> (&str, usize) {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    (text, sign + digits)
}

fn leading_int(text: &str) -> Option<i64> {
    let (text, length) = leading_number(text);
    text[..length].parse().ok()
}

fn leading_double(text: &str) -> Option<f64> {
    let (text, whole) = leading_number(text);
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = whole;
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    text[..length].parse().ok()
}
