//! Values of properties, and the keys of objects.

use std::fmt;
use std::sync::Arc;

use crate::{Decimal128, Name};

/// A 12-byte object id, ordered bytewise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 12]);

/// A 16-byte UUID, ordered bytewise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

impl ObjectId {
    /// Reads 24 hexadecimal digits of either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text.as_bytes()).map(Self)
    }
}

impl Uuid {
    /// Reads the 8-4-4-4-12 form in either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&dash| bytes[dash] != b'-') {
            return None;
        }
        let digits: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'-').collect();
        parse_hex(&digits).map(Self)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oid({self})")
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
            if i > 0 {
                f.write_str("-")?;
            }
            write_hex(f, &self.0[part])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uuid({self})")
    }
}

/// A point in time: whole seconds since 1970 and nanoseconds, both of the same sign
/// (sync-engine 1.2), so −1.5 s is (−1, −500 000 000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: i32,
}

impl Timestamp {
    /// Nanoseconds in a second.
    pub const NANOS_PER_SECOND: i32 = 1_000_000_000;

    /// Checks the parts; `None` when |nanoseconds| ≥ 10⁹ or the signs differ.
    pub fn new(seconds: i64, nanoseconds: i32) -> Option<Self> {
        let in_range = nanoseconds.unsigned_abs() < Self::NANOS_PER_SECOND.unsigned_abs();
        let same_sign = seconds == 0 || nanoseconds == 0 || (seconds < 0) == (nanoseconds < 0);
        (in_range && same_sign).then_some(Self { seconds, nanoseconds })
    }

    /// From milliseconds since 1970.
    pub fn from_unix_ms(ms: i64) -> Self {
        let nanoseconds = i32::try_from(ms % 1000).expect("below 1000") * 1_000_000;
        Self { seconds: ms / 1000, nanoseconds }
    }

    /// Whole seconds, truncated towards zero.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds, of the same sign as the seconds.
    pub fn nanoseconds(self) -> i32 {
        self.nanoseconds
    }
}

/// The primary key of an object (sync-engine 1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKey {
    /// The null key, only in classes whose primary key is nullable.
    Null,
    /// An integer key.
    Int(i64),
    /// A string key.
    String(Arc<str>),
    /// The legacy key of classes without primary key; never in Flexible Sync traffic.
    GlobalKey {
        /// High half.
        hi: u64,
        /// Low half.
        lo: u64,
    },
    /// An object id.
    ObjectId(ObjectId),
    /// A UUID.
    Uuid(Uuid),
}

/// A link: class and primary key of its target, which may be absent (dangling).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Link {
    /// Target class.
    pub class: Name,
    /// Target key.
    pub key: ObjectKey,
}

/// A scalar value of a property.
///
/// Equality is identity of representation (floating-point numbers by their bits, decimals by
/// their digits and exponent), which is what merging and round trips need; comparing as numbers is the query
/// language's business.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value.
    Null,
    /// 64-bit integer.
    Int(i64),
    /// Boolean.
    Bool(bool),
    /// UTF-8 text.
    String(Arc<str>),
    /// Bytes.
    Binary(Arc<[u8]>),
    /// Point in time.
    Timestamp(Timestamp),
    /// 32-bit floating point.
    Float(f32),
    /// 64-bit floating point.
    Double(f64),
    /// 128-bit decimal.
    Decimal(Decimal128),
    /// Link to an object.
    Link(Box<Link>),
    /// Object id.
    ObjectId(ObjectId),
    /// UUID.
    Uuid(Uuid),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Link(a), Self::Link(b)) => a == b,
            (Self::ObjectId(a), Self::ObjectId(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// A string value.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A binary value.
    pub fn binary(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Binary(bytes.into())
    }

    /// A link to the object of `class` with `key`.
    pub fn link(class: impl Into<Name>, key: ObjectKey) -> Self {
        Link { class: class.into(), key }.into()
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl From<Link> for Value {
    fn from(link: Link) -> Self {
        Self::Link(Box::new(link))
    }
}

impl From<ObjectKey> for Value {
    /// The key as an ordinary value; a [`ObjectKey::GlobalKey`] has none and becomes null.
    fn from(key: ObjectKey) -> Self {
        match key {
            ObjectKey::Null | ObjectKey::GlobalKey { .. } => Self::Null,
            ObjectKey::Int(int) => Self::Int(int),
            ObjectKey::String(text) => Self::String(text),
            ObjectKey::ObjectId(oid) => Self::ObjectId(oid),
            ObjectKey::Uuid(uuid) => Self::Uuid(uuid),
        }
    }
}

impl ObjectKey {
    /// The key that a value stands for; `None` when values of its type cannot be keys.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Int(int) => Some(Self::Int(*int)),
            Value::String(text) => Some(Self::String(text.clone())),
            Value::ObjectId(oid) => Some(Self::ObjectId(*oid)),
            Value::Uuid(uuid) => Some(Self::Uuid(*uuid)),
            Value::Bool(_)
            | Value::Binary(_)
            | Value::Timestamp(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Link(_) => None,
        }
    }
}
