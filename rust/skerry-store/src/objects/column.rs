//! One column: a property of a class, and the exact mapping between its values and `SQLite`'s.
//!
//! Invariant: what is written is read back bit for bit. `SQLite` turns a NaN into NULL, so NaNs are
//! stored as 8-byte blobs, those of floats as 4-byte ones (−0.0 survives in a column of type ANY);
//! dates are 12-byte blobs whose byte order is their order in time; decimals keep their 128 bits.
//! Primary keys and links share one mapping ([`key_to_sql`]), so that a link column joins with the
//! key column of its target; the null key is the empty blob there, because NULL means "no link" and
//! is never unique. What is no scalar is one blob ([`Column::is_content`]).

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use skerry_model::content::Place;
use skerry_model::{
    Content, Decimal128, IndexKind, KeyKind, Misfit, ObjectId, ObjectKey, Property, PropertyType,
    Schema, Timestamp, Uuid, Value,
};

use crate::error::{Result, StoreError};

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
    /// Whether it holds an encoded [`Content`]: a collection, a mixed, or an embedded object.
    pub is_content: bool,
    /// The index that the application has declared on it.
    pub index: Option<IndexKind>,
    /// For links that are scalars: the keys of the target class.
    pub target_key: Option<KeyKind>,
    /// For links that are scalars: number of the target class.
    pub target_id: Option<i64>,
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

    /// Checks that a scalar property can hold `value`.
    pub fn check(&self, schema: &Schema, value: &Value) -> Result<(), Misfit> {
        match Place::of(schema, &self.property) {
            Place::Single(kind) => kind.check(schema, &self.property.name, value),
            Place::Collection(..) => {
                let (property, payload) = (self.property.name.clone(), value.kind_name());
                Err(Misfit::WrongPayload { property, payload })
            }
        }
    }

    /// A checked content as it stands in the column.
    pub fn content_to_sql<'c>(&self, content: &'c Content) -> ToSqlOutput<'c> {
        match content {
            Content::Value(value) if !self.is_content => self.to_sql(value),
            Content::Value(Value::Null) => ToSqlOutput::Owned(SqlValue::Null),
            Content::Value(_)
            | Content::List(_)
            | Content::Set(_)
            | Content::Dictionary(_)
            | Content::Object(_) => ToSqlOutput::Owned(SqlValue::Blob(content.encode())),
        }
    }

    /// Reads what [`Column::content_to_sql`] wrote.
    pub fn content_from_sql(&self, schema: &Schema, stored: ValueRef<'_>) -> Result<Content> {
        if !self.is_content {
            return self.from_sql(stored).map(Content::Value);
        }
        match stored {
            ValueRef::Null => Ok(Content::NULL),
            ValueRef::Blob(bytes) => {
                Content::decode(schema, &self.property, bytes).map_err(|error| {
                    let name = &self.property.name;
                    StoreError::corrupted(format!("content of property \"{name}\": {error}"))
                })
            }
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                Err(self.misplaced(stored))
            }
        }
    }

    /// A checked scalar as it stands in the column.
    pub fn to_sql<'v>(&self, value: &'v Value) -> ToSqlOutput<'v> {
        let owned = match value {
            Value::Null if self.is_primary_key => return key_to_sql(&ObjectKey::Null),
            Value::Null => SqlValue::Null,
            Value::Int(int) => SqlValue::Integer(*int),
            Value::Bool(bool) => SqlValue::Integer(i64::from(*bool)),
            Value::String(text) => return ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Binary(bytes) => return ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::Timestamp(timestamp) => SqlValue::Blob(timestamp_to_bytes(*timestamp).to_vec()),
            Value::Float(float) if float.is_nan() => {
                SqlValue::Blob(float.to_bits().to_be_bytes().to_vec())
            }
            Value::Float(float) => SqlValue::Real(f64::from(*float)),
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
            (PropertyType::Float, ValueRef::Real(double)) => Some(Value::Float(narrow(double))),
            (PropertyType::Float, ValueRef::Blob(bits)) => {
                bits.try_into().ok().map(|bits| Value::Float(f32::from_be_bytes(bits)))
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
        value.ok_or_else(|| self.misplaced(stored))
    }

    fn misplaced(&self, stored: ValueRef<'_>) -> StoreError {
        let (name, ty) = (&self.property.name, self.property.ty);
        let found = stored.data_type();
        StoreError::corrupted(format!("{found} in property \"{name}\" of type {ty:?}"))
    }

    fn link_from_sql(&self, stored: ValueRef<'_>) -> Result<Value> {
        let class = self.property.target.clone().expect("a link column has a target");
        let kind = self.target_key.expect("a link column knows the target's keys");
        Ok(Value::link(class, key_from_sql(kind, stored)?))
    }
}

fn decimal_from_bytes(bytes: &[u8]) -> Option<Value> {
    Decimal128::from_bytes(bytes.try_into().ok()?).ok().map(Value::Decimal)
}

/// A float that was widened to be stored.
#[expect(clippy::cast_possible_truncation, reason = "it has the value of a float")]
fn narrow(double: f64) -> f32 {
    double as f32
}
