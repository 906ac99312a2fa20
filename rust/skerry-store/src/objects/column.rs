//! One column: a property of a class, and the exact mapping between its values and `SQLite`'s.
//!
//! Invariant: what is written is read back bit for bit. `SQLite` turns a NaN into NULL, so NaNs are
//! stored as 8-byte blobs (−0.0 survives in a column of type ANY); dates are 12-byte blobs whose
//! byte order is their order in time; decimals keep their 128 bits. Primary keys and links share one mapping
//! ([`key_to_sql`]), so that a link column joins with the key column of its target; the null key is
//! the empty blob there, because NULL means "no link" and is never unique.

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use skerry_model::{
    Decimal128, Link, ObjectId, ObjectKey, Property, PropertyType, Timestamp, Uuid, Value,
};

use crate::error::{Fault, Result, StoreError};

/// Longest string or binary value, in bytes (sync-engine 4.9).
pub const VALUE_SIZE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// What the primary keys of a class are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// Int, String, `ObjectId` or Uuid.
    pub ty: PropertyType,
    /// Whether null is a key.
    pub nullable: bool,
}

/// A property and where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The property.
    pub property: Property,
    /// Number of the column in the class's table; its name there is `p<number>`. Numbers and not
    /// property names, because `SQLite` does not distinguish upper from lower case.
    pub number: u32,
    /// Whether it is the primary key.
    pub is_primary_key: bool,
    /// For links: the keys of the target class.
    pub target_key: Option<KeyKind>,
    /// For links: number of the target class.
    pub target_id: Option<i64>,
}

impl KeyKind {
    /// Checks that `key` can be a key of this kind.
    pub fn check(self, key: &ObjectKey) -> Result<(), Fault> {
        let fits = match key {
            ObjectKey::Null => self.nullable,
            ObjectKey::Int(_) => self.ty == PropertyType::Int,
            ObjectKey::String(_) => self.ty == PropertyType::String,
            ObjectKey::GlobalKey { .. } => false,
            ObjectKey::ObjectId(_) => self.ty == PropertyType::ObjectId,
            ObjectKey::Uuid(_) => self.ty == PropertyType::Uuid,
        };
        let found = key_kind_name(key);
        let wrong = Fault::WrongKeyType { expected: self.ty, nullable: self.nullable, found };
        if fits { Ok(()) } else { Err(wrong) }
    }
}

fn key_kind_name(key: &ObjectKey) -> &'static str {
    match key {
        ObjectKey::Null => "null",
        ObjectKey::Int(_) => "int",
        ObjectKey::String(_) => "string",
        ObjectKey::GlobalKey { .. } => "global key",
        ObjectKey::ObjectId(_) => "objectId",
        ObjectKey::Uuid(_) => "uuid",
    }
}

/// What a value is, in the words of schemas.
pub fn value_kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Int(_) => "int",
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Binary(_) => "data",
        Value::Timestamp(_) => "date",
        Value::Float(_) => "float",
        Value::Double(_) => "double",
        Value::Decimal(_) => "decimal128",
        Value::Link(_) => "link",
        Value::ObjectId(_) => "objectId",
        Value::Uuid(_) => "uuid",
    }
}

/// A key as it stands in key and link columns.
pub fn key_to_sql(key: &ObjectKey) -> ToSqlOutput<'_> {
    match key {
        // Global keys never pass `KeyKind::check`; an empty blob matches no row of theirs.
        ObjectKey::Null | ObjectKey::GlobalKey { .. } => ToSqlOutput::Borrowed(ValueRef::Blob(&[])),
        ObjectKey::Int(int) => ToSqlOutput::Owned(SqlValue::Integer(*int)),
        ObjectKey::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        ObjectKey::ObjectId(oid) => ToSqlOutput::Borrowed(ValueRef::Blob(&oid.0)),
        ObjectKey::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(&uuid.0)),
    }
}

/// Reads what [`key_to_sql`] wrote.
pub fn key_from_sql(kind: KeyKind, stored: ValueRef<'_>) -> Result<ObjectKey> {
    let key = match (kind.ty, stored) {
        (_, ValueRef::Blob([])) => Some(ObjectKey::Null),
        (PropertyType::Int, ValueRef::Integer(int)) => Some(ObjectKey::Int(int)),
        (PropertyType::String, ValueRef::Text(text)) => {
            std::str::from_utf8(text).ok().map(|text| ObjectKey::String(text.into()))
        }
        (PropertyType::ObjectId, ValueRef::Blob(bytes)) => {
            bytes.try_into().ok().map(|bytes| ObjectKey::ObjectId(ObjectId(bytes)))
        }
        (PropertyType::Uuid, ValueRef::Blob(bytes)) => {
            bytes.try_into().ok().map(|bytes| ObjectKey::Uuid(Uuid(bytes)))
        }
        _ => None,
    };
    key.ok_or_else(|| {
        StoreError::corrupted(format!("{} where a {:?} key belongs", stored.data_type(), kind.ty))
    })
}

const SIGN: u64 = 1 << 63;
const SIGN_32: u32 = 1 << 31;

/// A date as 12 bytes that sort as the dates do.
pub fn timestamp_to_bytes(timestamp: Timestamp) -> [u8; 12] {
    let seconds = timestamp.seconds().cast_unsigned() ^ SIGN;
    let nanoseconds = timestamp.nanoseconds().cast_unsigned() ^ SIGN_32;
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&seconds.to_be_bytes());
    bytes[8..].copy_from_slice(&nanoseconds.to_be_bytes());
    bytes
}

fn timestamp_from_bytes(bytes: &[u8]) -> Option<Timestamp> {
    let (seconds, nanoseconds) = bytes.split_first_chunk::<8>()?;
    let seconds = (u64::from_be_bytes(*seconds) ^ SIGN).cast_signed();
    let nanoseconds = u32::from_be_bytes(nanoseconds.try_into().ok()?) ^ SIGN_32;
    Timestamp::new(seconds, nanoseconds.cast_signed())
}

/// A double as it stands in a column.
pub fn double_to_sql(double: f64) -> SqlValue {
    if double.is_nan() {
        SqlValue::Blob(double.to_bits().to_be_bytes().to_vec())
    } else {
        SqlValue::Real(double)
    }
}

impl Column {
    /// Name of the column in the class's table.
    pub fn sql_name(&self) -> String {
        format!("p{}", self.number)
    }

    /// What an application sees of the column, as an SQL expression over `table`: a link whose
    /// target is absent is null (sync-engine 1.3).
    pub fn visible_sql(&self, table: &str) -> String {
        let name = self.sql_name();
        match self.target_id {
            None => format!("{table}.{name}"),
            Some(target) => {
                format!("(SELECT target.p0 FROM o{target} target WHERE target.p0 = {table}.{name})")
            }
        }
    }

    /// Checks that the property can hold `value`.
    pub fn check(&self, value: &Value) -> Result<(), Fault> {
        let property = || self.property.name.clone();
        let (fits, size_bytes) = match (self.property.ty, value) {
            (_, Value::Null) if self.property.nullable => return Ok(()),
            (_, Value::Null) => return Err(Fault::NotNullable { property: property() }),
            (PropertyType::String, Value::String(text)) => (true, text.len()),
            (PropertyType::Binary, Value::Binary(bytes)) => (true, bytes.len()),
            (PropertyType::Link, Value::Link(link)) => return self.check_link(link),
            (PropertyType::Int, Value::Int(_))
            | (PropertyType::Bool, Value::Bool(_))
            | (PropertyType::Timestamp, Value::Timestamp(_))
            | (PropertyType::Double, Value::Double(_))
            | (PropertyType::Decimal, Value::Decimal(_))
            | (PropertyType::ObjectId, Value::ObjectId(_))
            | (PropertyType::Uuid, Value::Uuid(_)) => (true, 0),
            _ => (false, 0),
        };
        if !fits {
            return Err(Fault::TypeMismatch {
                property: property(),
                expected: self.property.ty,
                found: value_kind_name(value),
            });
        }
        if size_bytes > VALUE_SIZE_MAX_BYTES {
            return Err(Fault::TooLarge {
                property: property(),
                actual_bytes: size_bytes,
                max_bytes: VALUE_SIZE_MAX_BYTES,
            });
        }
        Ok(())
    }

    fn check_link(&self, link: &Link) -> Result<(), Fault> {
        let target = self.property.target.as_ref().expect("a link column has a target");
        if *target != link.class {
            return Err(Fault::WrongLinkTarget {
                property: self.property.name.clone(),
                expected: target.clone(),
                found: link.class.clone(),
            });
        }
        self.target_key.expect("a link column knows the target's keys").check(&link.key)
    }

    /// A checked value as it stands in the column.
    pub fn to_sql<'v>(&self, value: &'v Value) -> ToSqlOutput<'v> {
        let owned = match value {
            Value::Null if self.is_primary_key => return key_to_sql(&ObjectKey::Null),
            Value::Null => SqlValue::Null,
            Value::Int(int) => SqlValue::Integer(*int),
            Value::Bool(bool) => SqlValue::Integer(i64::from(*bool)),
            Value::String(text) => return ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Binary(bytes) => return ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::Timestamp(timestamp) => SqlValue::Blob(timestamp_to_bytes(*timestamp).to_vec()),
            Value::Float(float) => double_to_sql(f64::from(*float)),
            Value::Double(double) => double_to_sql(*double),
            Value::Decimal(decimal) => SqlValue::Blob(decimal.to_bytes().to_vec()),
            Value::Link(link) => return key_to_sql(&link.key),
            Value::ObjectId(oid) => return ToSqlOutput::Borrowed(ValueRef::Blob(&oid.0)),
            Value::Uuid(uuid) => return ToSqlOutput::Borrowed(ValueRef::Blob(&uuid.0)),
        };
        ToSqlOutput::Owned(owned)
    }

    /// Reads what [`Column::to_sql`] wrote.
    pub fn from_sql(&self, stored: ValueRef<'_>) -> Result<Value> {
        if self.is_primary_key {
            let kind = KeyKind { ty: self.property.ty, nullable: self.property.nullable };
            return Ok(key_from_sql(kind, stored)?.into());
        }
        let value = match (self.property.ty, stored) {
            (_, ValueRef::Null) => Some(Value::Null),
            (PropertyType::Int, ValueRef::Integer(int)) => Some(Value::Int(int)),
            (PropertyType::Bool, ValueRef::Integer(0)) => Some(Value::Bool(false)),
            (PropertyType::Bool, ValueRef::Integer(1)) => Some(Value::Bool(true)),
            (PropertyType::String, ValueRef::Text(text)) => {
                std::str::from_utf8(text).ok().map(Value::string)
            }
            (PropertyType::Binary, ValueRef::Blob(bytes)) => Some(Value::binary(bytes)),
            (PropertyType::Timestamp, ValueRef::Blob(bytes)) => {
                timestamp_from_bytes(bytes).map(Value::Timestamp)
            }
            (PropertyType::Double, ValueRef::Real(double)) => Some(Value::Double(double)),
            (PropertyType::Double, ValueRef::Blob(bits)) => {
                bits.try_into().ok().map(|bits| Value::Double(f64::from_be_bytes(bits)))
            }
            (PropertyType::Decimal, ValueRef::Blob(bytes)) => decimal_from_bytes(bytes),
            (PropertyType::ObjectId, ValueRef::Blob(bytes)) => {
                bytes.try_into().ok().map(|bytes| Value::ObjectId(ObjectId(bytes)))
            }
            (PropertyType::Uuid, ValueRef::Blob(bytes)) => {
                bytes.try_into().ok().map(|bytes| Value::Uuid(Uuid(bytes)))
            }
            (PropertyType::Link, stored) => return self.link_from_sql(stored),
            _ => None,
        };
        value.ok_or_else(|| {
            let (name, ty) = (&self.property.name, self.property.ty);
            StoreError::corrupted(format!(
                "{} in property \"{name}\" of type {ty:?}",
                stored.data_type()
            ))
        })
    }

    fn link_from_sql(&self, stored: ValueRef<'_>) -> Result<Value> {
        let class = self.property.target.clone().expect("a link column has a target");
        let kind = self.target_key.expect("a link column knows the target's keys");
        Ok(Value::Link(Link { class, key: key_from_sql(kind, stored)? }))
    }

    /// The value that a new object has here before anything is set (sync-engine 1.3).
    pub fn zero(&self) -> Value {
        if self.property.nullable { Value::Null } else { zero_of(self.property.ty) }
    }
}

fn decimal_from_bytes(bytes: &[u8]) -> Option<Value> {
    Decimal128::from_bytes(bytes.try_into().ok()?).ok().map(Value::Decimal)
}

/// The zero value of a non-nullable property of that type.
pub fn zero_of(ty: PropertyType) -> Value {
    match ty {
        PropertyType::Mixed | PropertyType::Link | PropertyType::GlobalKey => Value::Null,
        PropertyType::Int => Value::Int(0),
        PropertyType::Bool => Value::Bool(false),
        PropertyType::String => Value::string(""),
        PropertyType::Binary => Value::binary([]),
        PropertyType::Timestamp => Value::Timestamp(Timestamp::from_unix_ms(0)),
        PropertyType::Float => Value::Float(0.0),
        PropertyType::Double => Value::Double(0.0),
        PropertyType::Decimal => Value::Decimal(Decimal128::ZERO),
        PropertyType::ObjectId => Value::ObjectId(ObjectId([0; 12])),
        PropertyType::Uuid => Value::Uuid(Uuid([0; 16])),
    }
}
