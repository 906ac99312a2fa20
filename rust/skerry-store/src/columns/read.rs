//! Reading columns from the table of a class.
//!
//! Invariant: what is read is what [`Column::content_from_sql`] gives, and what that refuses is refused
//! with its error.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use skerry_model::{CollectionType, Content, ObjectId, ObjectKey, Schema, Uuid, Value};

use super::chunk::{Builder, Datum, Kind};
use crate::error::Result;
use crate::objects::{ClassTable, Column};

/// A column that can be cached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'t> {
    pub(super) column: &'t Column,
    pub(super) kind: Kind,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Single,
    List,
}

impl<'t> Source<'t> {
    /// The column, if it holds single values or lists of a kind that is cached.
    pub(super) fn of(column: &'t Column) -> Option<Self> {
        let kind = Kind::of(&column.property)?;
        let shape = match (column.property.collection, column.is_content) {
            (CollectionType::Single, false) => Shape::Single,
            (CollectionType::List, true) => Shape::List,
            (
                CollectionType::Single
                | CollectionType::List
                | CollectionType::Set
                | CollectionType::Dictionary,
                _,
            ) => return None,
        };
        Some(Self { column, kind, shape })
    }

    pub(super) fn is_single(&self) -> bool {
        self.shape == Shape::Single
    }

    pub(super) fn builder(&self) -> Builder {
        match self.shape {
            Shape::Single => Builder::new(self.kind),
            Shape::List => Builder::lists(self.kind),
        }
    }

    /// Adds what stands in the column.
    pub(super) fn push(
        &self,
        schema: &Schema,
        stored: ValueRef<'_>,
        into: &mut Builder,
    ) -> Result<()> {
        if self.shape == Shape::List {
            return self.push_list(schema, stored, into);
        }
        if let Some(datum) = self.datum(stored) {
            into.push(datum);
            return Ok(());
        }
        // Seldom: NaNs, which are blobs. What is wrong is refused here.
        let value = self.column.from_sql(stored)?;
        into.push(datum_of(&value));
        Ok(())
    }

    fn push_list(&self, schema: &Schema, stored: ValueRef<'_>, into: &mut Builder) -> Result<()> {
        match self.column.content_from_sql(schema, stored)? {
            Content::List(elements) => {
                for element in &elements {
                    into.push_element(element.as_value().map_or(Datum::Null, datum_of));
                }
                into.end_list();
            }
            Content::Value(_) | Content::Set(_) | Content::Dictionary(_) | Content::Object(_) => {
                into.push(Datum::Null);
            }
        }
        Ok(())
    }

    /// The common cases, without an allocation.
    fn datum<'v>(&self, stored: ValueRef<'v>) -> Option<Datum<'v>> {
        match (self.kind, stored) {
            (_, ValueRef::Blob([])) if self.column.is_primary_key => Some(Datum::Null),
            (_, ValueRef::Null) if !self.column.is_primary_key => Some(Datum::Null),
            (Kind::Int, ValueRef::Integer(int))
            | (Kind::Bool, ValueRef::Integer(int @ (0 | 1))) => Some(Datum::Int(int)),
            (Kind::Double, ValueRef::Real(double)) => Some(Datum::Double(double)),
            (Kind::String, ValueRef::Text(text)) => {
                std::str::from_utf8(text).is_ok().then_some(Datum::Bytes(text))
            }
            (Kind::Binary, ValueRef::Blob(bytes)) => Some(Datum::Bytes(bytes)),
            (Kind::ObjectId, ValueRef::Blob(bytes)) => bytes.try_into().ok().map(Datum::ObjectId),
            (Kind::Uuid, ValueRef::Blob(bytes)) => bytes.try_into().ok().map(Datum::Uuid),
            _ => None,
        }
    }
}

fn datum_of(value: &Value) -> Datum<'_> {
    match value {
        Value::Int(int) => Datum::Int(*int),
        Value::Bool(bool) => Datum::Int(i64::from(*bool)),
        Value::Float(float) => Datum::Float(*float),
        Value::Double(double) => Datum::Double(*double),
        Value::Timestamp(date) => Datum::Date(*date),
        Value::ObjectId(ObjectId(id)) => Datum::ObjectId(*id),
        Value::Uuid(Uuid(uuid)) => Datum::Uuid(*uuid),
        Value::String(text) => Datum::Bytes(text.as_bytes()),
        Value::Binary(bytes) => Datum::Bytes(bytes),
        Value::Null | Value::Decimal(_) | Value::Link(_) => Datum::Null,
    }
}

/// Hands each row of a class, or of a range of ids, to `visit`: its id, and the row with the columns
/// from place 1 on, in order.
pub(super) fn scan(
    connection: &Connection,
    table: &ClassTable,
    columns: &[Source<'_>],
    (first, last): (i64, i64),
    mut visit: impl FnMut(i64, &Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut sql = "SELECT row_id".to_owned();
    for source in columns {
        sql.push_str(", ");
        sql.push_str(&source.column.sql_name());
    }
    sql.push_str(" FROM ");
    sql.push_str(&table.table());
    sql.push_str(" WHERE row_id BETWEEN ?1 AND ?2 ORDER BY row_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?, row)?;
    }
    Ok(())
}

/// The key of an object from a value of its primary-key column.
pub(super) fn key_of(datum: Datum<'_>) -> Option<ObjectKey> {
    match datum {
        Datum::Null => Some(ObjectKey::Null),
        Datum::Int(int) => Some(ObjectKey::Int(int)),
        Datum::ObjectId(id) => Some(ObjectKey::ObjectId(ObjectId(id))),
        Datum::Uuid(uuid) => Some(ObjectKey::Uuid(Uuid(uuid))),
        Datum::Bytes(text) => {
            std::str::from_utf8(text).ok().map(|text| ObjectKey::String(text.into()))
        }
        Datum::Float(_) | Datum::Double(_) | Datum::Date(_) => None,
    }
}
