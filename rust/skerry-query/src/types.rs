//! The types that `@type` tells apart, and their names.

use std::fmt;

use skerry_model::{PropertyType, Value};

/// A set of types: what a name stands for, or the one type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeSet(u16);

impl TypeSet {
    const NULL: Self = Self(1);
    const INT: Self = Self(1 << 1);
    const BOOL: Self = Self(1 << 2);
    const STRING: Self = Self(1 << 3);
    const BINARY: Self = Self(1 << 4);
    const TIMESTAMP: Self = Self(1 << 5);
    const FLOAT: Self = Self(1 << 6);
    const DOUBLE: Self = Self(1 << 7);
    const DECIMAL: Self = Self(1 << 8);
    const LINK: Self = Self(1 << 9);
    const OBJECT_ID: Self = Self(1 << 10);
    const UUID: Self = Self(1 << 11);
    /// A nested dictionary.
    pub(crate) const DICTIONARY: Self = Self(1 << 12);
    /// A nested list.
    pub(crate) const LIST: Self = Self(1 << 13);
    const NUMERIC: Self = Self(Self::INT.0 | Self::FLOAT.0 | Self::DOUBLE.0 | Self::DECIMAL.0);
    const COLLECTION: Self = Self(Self::DICTIONARY.0 | Self::LIST.0);

    /// Every name, in lower case; the first of a type is how it is printed.
    const NAMES: [(&'static str, Self); 36] = [
        ("null", Self::NULL),
        ("int", Self::INT),
        ("integer", Self::INT),
        ("int16", Self::INT),
        ("int32", Self::INT),
        ("int64", Self::INT),
        ("short", Self::INT),
        ("long", Self::INT),
        ("byte", Self::INT),
        ("char", Self::INT),
        ("bool", Self::BOOL),
        ("boolean", Self::BOOL),
        ("string", Self::STRING),
        ("binary", Self::BINARY),
        ("data", Self::BINARY),
        ("bindata", Self::BINARY),
        ("bytearray", Self::BINARY),
        ("byte[]", Self::BINARY),
        ("date", Self::TIMESTAMP),
        ("timestamp", Self::TIMESTAMP),
        ("datetimeoffset", Self::TIMESTAMP),
        ("float", Self::FLOAT),
        ("double", Self::DOUBLE),
        ("decimal", Self::DECIMAL),
        ("decimal128", Self::DECIMAL),
        ("objectlink", Self::LINK),
        ("link", Self::LINK),
        ("objectid", Self::OBJECT_ID),
        ("uuid", Self::UUID),
        ("guid", Self::UUID),
        ("object", Self::DICTIONARY),
        ("dictionary", Self::DICTIONARY),
        ("array", Self::LIST),
        ("list", Self::LIST),
        ("collection", Self::COLLECTION),
        ("numeric", Self::NUMERIC),
    ];

    /// What a name, in any letter case, stands for.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map(|(_, set)| *set)
    }

    /// The type of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Int(_) => Self::INT,
            Value::Bool(_) => Self::BOOL,
            Value::String(_) => Self::STRING,
            Value::Binary(_) => Self::BINARY,
            Value::Timestamp(_) => Self::TIMESTAMP,
            Value::Float(_) => Self::FLOAT,
            Value::Double(_) => Self::DOUBLE,
            Value::Decimal(_) => Self::DECIMAL,
            Value::Link(_) => Self::LINK,
            Value::ObjectId(_) => Self::OBJECT_ID,
            Value::Uuid(_) => Self::UUID,
        }
    }

    /// The type of the values of a property; `None` for mixed.
    pub(crate) fn of_property(ty: PropertyType) -> Option<Self> {
        Some(match ty {
            PropertyType::Mixed | PropertyType::GlobalKey => return None,
            PropertyType::Int => Self::INT,
            PropertyType::Bool => Self::BOOL,
            PropertyType::String => Self::STRING,
            PropertyType::Binary => Self::BINARY,
            PropertyType::Timestamp => Self::TIMESTAMP,
            PropertyType::Float => Self::FLOAT,
            PropertyType::Double => Self::DOUBLE,
            PropertyType::Decimal => Self::DECIMAL,
            PropertyType::Link => Self::LINK,
            PropertyType::ObjectId => Self::OBJECT_ID,
            PropertyType::Uuid => Self::UUID,
        })
    }

    /// Whether the sets have a type in common.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, set)| set == self).map_or("", |(name, _)| name);
        write!(f, "\"{name}\"")
    }
}
