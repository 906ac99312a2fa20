//! One Arrow column while it is built.
//!
//! Invariant: every push adds one entry or is refused; a refused one leaves the column unfit for use.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder,
    Int64Builder, StringBuilder,
};
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use rusqlite::types::ValueRef;
use skerry_model::{Content, Name, ObjectKey, Timestamp, Value};

use super::kind::{Kind, TimeUnit, ZONE};
use super::{Misfit, json};

/// The most that 32-bit offsets reach.
const TEXT_MAX_BYTES: usize = i32::MAX as usize;

/// See the module.
#[derive(Debug)]
pub(super) enum Builder {
    Int(Int64Builder),
    Bool(BooleanBuilder),
    Float(Float32Builder),
    Double(Float64Builder),
    Text(StringBuilder),
    Decimal(StringBuilder),
    Json(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Int64Builder, TimeUnit),
    Fixed(FixedSizeBinaryBuilder),
    List { field: FieldRef, offsets: Vec<i32>, items: Box<Builder> },
    Map { field: FieldRef, offsets: Vec<i32>, keys: StringBuilder, values: Box<Builder> },
    Struct { fields: Fields, inside: Vec<(Name, Builder)>, present: NullBufferBuilder },
}

impl Builder {
    /// An empty column of a kind.
    pub(super) fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Int => Self::Int(Int64Builder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Float => Self::Float(Float32Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Decimal => Self::Decimal(StringBuilder::new()),
            Kind::Json => Self::Json(StringBuilder::new()),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
            Kind::Date(unit) => Self::Date(Int64Builder::new(), *unit),
            Kind::ObjectId => Self::Fixed(FixedSizeBinaryBuilder::new(12)),
            Kind::Uuid => Self::Fixed(FixedSizeBinaryBuilder::new(16)),
            Kind::Key(key) => Self::new(key),
            Kind::List(field, item) => {
                let (field, items) = (Arc::clone(field), Box::new(Self::new(item)));
                Self::List { field, offsets: vec![0], items }
            }
            Kind::Map(field, value) => {
                let (field, values) = (Arc::clone(field), Box::new(Self::new(value)));
                Self::Map { field, offsets: vec![0], keys: StringBuilder::new(), values }
            }
            Kind::Struct(fields, kinds) => {
                let inside = kinds.iter().map(|(name, kind)| (name.clone(), Self::new(kind)));
                let (fields, inside) = (fields.clone(), inside.collect());
                Self::Struct { fields, inside, present: NullBufferBuilder::new(0) }
            }
        }
    }

    /// Adds a null; of a list or map, an empty one, because neither is null in a realm.
    pub(super) fn push_null(&mut self) {
        match self {
            Self::Int(builder) | Self::Date(builder, _) => builder.append_null(),
            Self::Bool(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::Text(builder) | Self::Decimal(builder) | Self::Json(builder) => {
                builder.append_null();
            }
            Self::Bytes(builder) => builder.append_null(),
            Self::Fixed(builder) => builder.append_null(),
            Self::List { offsets, .. } | Self::Map { offsets, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
            }
            Self::Struct { inside, present, .. } => {
                for (_, builder) in inside.iter_mut() {
                    builder.push_null();
                }
                present.append_null();
            }
        }
    }

    /// Adds a value as `SQLite` has it, if that is a common one that is its own form.
    pub(super) fn push_stored(&mut self, stored: ValueRef<'_>) -> Option<Result<(), Misfit>> {
        match (self, stored) {
            (Self::Int(builder), ValueRef::Integer(int)) => builder.append_value(int),
            (Self::Bool(builder), ValueRef::Integer(int @ (0 | 1))) => {
                builder.append_value(int != 0);
            }
            (Self::Double(builder), ValueRef::Real(double)) => builder.append_value(double),
            (Self::Text(builder), ValueRef::Text(text)) => {
                return Some(push_text(builder, std::str::from_utf8(text).ok()?));
            }
            (Self::Bytes(builder), ValueRef::Blob(bytes)) => {
                return Some(push_bytes(builder, bytes));
            }
            (Self::Fixed(builder), ValueRef::Blob(bytes)) => {
                return builder.append_value(bytes).is_ok().then_some(Ok(()));
            }
            _ => return None,
        }
        Some(Ok(()))
    }

    /// Adds a scalar.
    pub(super) fn push_value(&mut self, value: &Value) -> Result<(), Misfit> {
        match (&mut *self, value) {
            (Self::Json(builder), value) if !value.is_null() => {
                return push_text(builder, &json::text(&Content::Value(value.clone())));
            }
            (_, Value::Null) => self.push_null(),
            (_, Value::Link(link)) => return self.push_key(&link.key),
            (Self::Int(builder), Value::Int(int)) => builder.append_value(*int),
            (Self::Bool(builder), Value::Bool(truth)) => builder.append_value(*truth),
            (Self::Float(builder), Value::Float(float)) => builder.append_value(*float),
            (Self::Double(builder), Value::Double(double)) => builder.append_value(*double),
            (Self::Text(builder), Value::String(text)) => return push_text(builder, text),
            (Self::Decimal(builder), Value::Decimal(decimal)) => {
                return push_text(builder, &decimal.to_string());
            }
            (Self::Bytes(builder), Value::Binary(bytes)) => return push_bytes(builder, bytes),
            (Self::Date(builder, unit), Value::Timestamp(date)) => {
                builder.append_value(count(*date, *unit).ok_or(Misfit::Date(*date, *unit))?);
            }
            (Self::Fixed(builder), Value::ObjectId(id)) => return push_fixed(builder, &id.0),
            (Self::Fixed(builder), Value::Uuid(uuid)) => return push_fixed(builder, &uuid.0),
            _ => return Err(Misfit::Kind),
        }
        Ok(())
    }

    fn push_key(&mut self, key: &ObjectKey) -> Result<(), Misfit> {
        match (&mut *self, key) {
            (_, ObjectKey::Null | ObjectKey::GlobalKey { .. }) => {
                self.push_null();
                Ok(())
            }
            (Self::Int(builder), ObjectKey::Int(int)) => {
                builder.append_value(*int);
                Ok(())
            }
            (Self::Text(builder), ObjectKey::String(text)) => push_text(builder, text),
            (Self::Fixed(builder), ObjectKey::ObjectId(id)) => push_fixed(builder, &id.0),
            (Self::Fixed(builder), ObjectKey::Uuid(uuid)) => push_fixed(builder, &uuid.0),
            _ => Err(Misfit::Kind),
        }
    }

    /// Adds what a property or a place inside of one holds.
    pub(super) fn push(&mut self, content: &Content) -> Result<(), Misfit> {
        match (&mut *self, content) {
            (Self::Json(builder), content) if !content.is_null() => {
                push_text(builder, &json::text(content))
            }
            (Self::List { offsets, items, .. }, Content::List(elements)) => {
                elements.iter().try_for_each(|element| items.push(element))?;
                push_offset(offsets, elements.len())
            }
            (Self::List { offsets, items, .. }, Content::Set(elements)) => {
                elements.iter().try_for_each(|element| items.push_value(element))?;
                push_offset(offsets, elements.len())
            }
            (Self::Map { offsets, keys, values, .. }, Content::Dictionary(fields)) => {
                for (key, value) in fields {
                    push_text(keys, key)?;
                    values.push(value)?;
                }
                push_offset(offsets, fields.len())
            }
            (Self::Struct { inside, present, .. }, Content::Object(fields)) => {
                for (name, builder) in inside {
                    builder.push(fields.get(name.as_str()).unwrap_or(&Content::NULL))?;
                }
                present.append_non_null();
                Ok(())
            }
            (_, Content::Value(value)) => self.push_value(value),
            _ => Err(Misfit::Kind),
        }
    }

    /// The column; the builder is empty again.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Text(builder) | Self::Decimal(builder) | Self::Json(builder) => {
                Arc::new(builder.finish())
            }
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Fixed(builder) => Arc::new(builder.finish()),
            Self::Date(builder, unit) => finish_dates(builder, *unit),
            Self::List { field, offsets, items } => {
                let offsets = std::mem::replace(offsets, vec![0]);
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, items.finish()?, None)?)
            }
            Self::Map { field, offsets, keys, values } => {
                let offsets = std::mem::replace(offsets, vec![0]);
                let offsets = OffsetBuffer::new(offsets.into());
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(ArrowError::SchemaError("entries of a map are structs".to_owned()));
                };
                let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), values.finish()?];
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, None, false)?)
            }
            Self::Struct { fields, inside, present } => {
                let len = present.len();
                let columns = inside.iter_mut().map(|(_, builder)| builder.finish());
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let nulls = present.finish();
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, len)?)
            }
        })
    }
}

fn finish_dates(builder: &mut Int64Builder, unit: TimeUnit) -> ArrayRef {
    let counts = builder.finish();
    match unit {
        TimeUnit::Nanoseconds => {
            Arc::new(counts.reinterpret_cast::<TimestampNanosecondType>().with_timezone(ZONE))
        }
        TimeUnit::Microseconds => {
            Arc::new(counts.reinterpret_cast::<TimestampMicrosecondType>().with_timezone(ZONE))
        }
        TimeUnit::Milliseconds => {
            Arc::new(counts.reinterpret_cast::<TimestampMillisecondType>().with_timezone(ZONE))
        }
        TimeUnit::Seconds => {
            Arc::new(counts.reinterpret_cast::<TimestampSecondType>().with_timezone(ZONE))
        }
    }
}

/// A date in units since 1970, cut towards it; `None` when 64 bits do not reach it.
fn count(date: Timestamp, unit: TimeUnit) -> Option<i64> {
    let per_second = unit.per_second();
    let part = i64::from(date.nanoseconds()) / (1_000_000_000 / per_second);
    let whole = i128::from(date.seconds()) * i128::from(per_second) + i128::from(part);
    i64::try_from(whole).ok()
}

fn push_text(builder: &mut StringBuilder, text: &str) -> Result<(), Misfit> {
    if builder.values_slice().len() + text.len() > TEXT_MAX_BYTES {
        return Err(Misfit::TooLarge);
    }
    builder.append_value(text);
    Ok(())
}

fn push_bytes(builder: &mut BinaryBuilder, bytes: &[u8]) -> Result<(), Misfit> {
    if builder.values_slice().len() + bytes.len() > TEXT_MAX_BYTES {
        return Err(Misfit::TooLarge);
    }
    builder.append_value(bytes);
    Ok(())
}

fn push_fixed(builder: &mut FixedSizeBinaryBuilder, bytes: &[u8]) -> Result<(), Misfit> {
    builder.append_value(bytes).map_err(|_wrong_width| Misfit::Kind)
}

fn push_offset(offsets: &mut Vec<i32>, len: usize) -> Result<(), Misfit> {
    let last = offsets.last().copied().unwrap_or(0);
    let next = i32::try_from(len).ok().and_then(|len| last.checked_add(len));
    offsets.push(next.ok_or(Misfit::TooLarge)?);
    Ok(())
}
