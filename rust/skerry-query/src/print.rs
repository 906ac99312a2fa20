//! Writing the typed form as text again, in the canonical form that goes over the wire (sync-engine
//! 8.5): `and`, `or`, `!(…)`, text with anything but plain characters as base64, dates as seconds and
//! nanoseconds, arguments put in.
//!
//! Law: what is printed compiles to the same typed form. Printing may add a few levels of nesting, for
//! which [`crate::limits`] leaves room where subscriptions are read.

use std::fmt::{self, Display, Formatter, Write};

use skerry_model::{ObjectKey, Value};

use crate::descriptor::{Descriptor, Direction};
use crate::literal::to_base64;
use crate::predicate::{Operand, Predicate, PropertyRef};
use crate::query::Query;

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("TRUEPREDICATE"),
            Self::False => f.write_str("FALSEPREDICATE"),
            Self::And(parts) => joined(f, parts, " and "),
            // AND binds more tightly, and every pair of parentheses is a level of nesting.
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(part) => write!(f, "!({part})"),
            Self::Compare { left, op, right, case_insensitive } => {
                let fold = if *case_insensitive { "[c]" } else { "" };
                write!(f, "{left} {}{fold} {right}", op.symbol())
            }
            Self::In { property, values } => {
                write!(f, "{property} IN {{")?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_constant(f, value)?;
                }
                f.write_char('}')
            }
            Self::Evaluated(evaluated) => evaluated.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Predicate], separator: &str) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { separator })?;
        match part {
            Predicate::Or(_) => write!(f, "({part})")?,
            Predicate::And(_)
            | Predicate::True
            | Predicate::False
            | Predicate::Not(_)
            | Predicate::Compare { .. }
            | Predicate::In { .. }
            | Predicate::Evaluated(_) => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(property) => property.fmt(f),
            Self::Constant(value) => write_constant(f, value),
        }
    }
}

impl Display for PropertyRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_name(f, &self.name)
    }
}

/// A name with its blanks escaped.
pub(crate) fn write_name(f: &mut impl Write, name: &str) -> fmt::Result {
    for character in name.chars() {
        match character {
            ' ' => f.write_str("\\ ")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            character => f.write_char(character)?,
        }
    }
    Ok(())
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.predicate.fmt(f)?;
        for descriptor in &self.descriptors {
            write!(f, " {descriptor}")?;
        }
        Ok(())
    }
}

impl Display for Descriptor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sort(keys) => {
                f.write_str("SORT(")?;
                for (i, key) in keys.iter().enumerate() {
                    let direction = match key.direction {
                        Direction::Ascending => "ASC",
                        Direction::Descending => "DESC",
                    };
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}{} {direction}", key.path)?;
                }
            }
            Self::Distinct(paths) => {
                f.write_str("DISTINCT(")?;
                for (i, path) in paths.iter().enumerate() {
                    write!(f, "{}{path}", if i == 0 { "" } else { ", " })?;
                }
            }
            Self::Limit(limit) => write!(f, "LIMIT({limit}")?,
        }
        f.write_char(')')
    }
}

/// The literal of a value.
pub(crate) fn constant(value: &Value) -> String {
    let mut text = String::new();
    write_constant(&mut text, value).expect("writing to a string does not fail");
    text
}

pub(crate) fn write_constant(f: &mut impl Write, value: &Value) -> fmt::Result {
    match value {
        Value::Null => f.write_str("NULL"),
        Value::Bool(bool) => write!(f, "{bool}"),
        Value::Int(int) => write!(f, "{int}"),
        // The `f` makes it a literal of the same precision; inf and nan have no suffix.
        Value::Float(float) if float.is_finite() => write!(f, "{float:?}f"),
        Value::Float(float) => write_double(f, f64::from(*float)),
        Value::Double(double) => write_double(f, *double),
        Value::Decimal(decimal) => {
            let text = decimal.to_string();
            let is_integer = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            // An exponent keeps it from being read as an integer of 64 bits.
            write!(f, "{text}{}", if is_integer { "E0" } else { "" })
        }
        Value::String(text) => write_text(f, text),
        Value::Binary(bytes) => write!(f, "binary(B64\"{}\")", to_base64(bytes)),
        Value::Timestamp(time) => write!(f, "T{}:{}", time.seconds(), time.nanoseconds()),
        Value::ObjectId(oid) => write!(f, "oid({oid})"),
        Value::Uuid(uuid) => write!(f, "uuid({uuid})"),
        Value::Link(link) => {
            f.write_str("obj(\"class_")?;
            // A class name with a quote or a backslash cannot be written; the grammar has no escapes.
            f.write_str(&link.class)?;
            f.write_str("\", ")?;
            match &link.key {
                ObjectKey::GlobalKey { .. } | ObjectKey::Null => f.write_str("NULL")?,
                key @ (ObjectKey::Int(_)
                | ObjectKey::String(_)
                | ObjectKey::ObjectId(_)
                | ObjectKey::Uuid(_)) => write_constant(f, &key.clone().into())?,
            }
            f.write_char(')')
        }
    }
}

fn write_double(f: &mut impl Write, double: f64) -> fmt::Result {
    if double.is_nan() { f.write_str("nan") } else { write!(f, "{double:?}") }
}

fn write_text(f: &mut impl Write, text: &str) -> fmt::Result {
    let is_plain =
        |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"\"'\\".contains(&byte);
    if text.bytes().all(is_plain) {
        write!(f, "\"{text}\"")
    } else {
        write!(f, "B64\"{}\"", to_base64(text.as_bytes()))
    }
}
