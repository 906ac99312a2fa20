//! Rows of a class as Arrow record batches, read a batch at a time and column by column.
//!
//! Invariant: a batch holds what [`Snapshot::read_rows`] gives of the same rows, in the types that `kind`
//! tells; what does not fit them is an error that names the property, never another value. A batch is
//! bounded in rows and in bytes. Columns go from the file into Arrow's buffers without a value of ours for
//! each, where they are scalars. Who holds the snapshot between two batches, and how batches leave the
//! process, is the caller's business.

mod builder;
mod json;
mod kind;

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use skerry_model::{Content, Link, Name, Timestamp};

use crate::error::StoreError;
use crate::objects::{Column, ObjectTables};
use crate::realm::Snapshot;
use crate::rows::Rows;
use crate::sql::for_each_row;

use builder::Builder;
use kind::Kind;

pub use kind::TimeUnit;

/// Bytes of stored values after which a batch ends, whatever its number of rows.
const BATCH_MAX_BYTES: usize = 32 << 20;

/// Rows whose ids are looked at together.
const STRIDE_ROWS: usize = 4096;

/// Why rows do not become a batch.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum ExportError {
    /// The file could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A date that the unit does not reach. Take a coarser one.
    #[error(
        "property \"{class}.{property}\" holds {}, which 64 bits of unit \"{}\" do not reach; take \
         a coarser timestamp_unit, such as \"us\"", shown(*date), unit.name()
    )]
    DateOutOfRange { class: Name, property: Name, date: Timestamp, unit: TimeUnit },
    /// The texts of one batch are too long for Arrow's 32-bit offsets. Take fewer rows in a batch.
    #[error("property \"{class}.{property}\" holds more than 2 GiB in one batch")]
    TooLarge { class: Name, property: Name },
    /// Arrow refuses what was built: the file holds what its schema forbids.
    #[error("class \"{class}\" does not fit its Arrow schema: {reason}")]
    Refused { class: Name, reason: String },
}

fn shown(date: Timestamp) -> String {
    format!("T{}:{}", date.seconds(), date.nanoseconds())
}

/// What does not fit into a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misfit {
    Date(Timestamp, TimeUnit),
    TooLarge,
    /// Another kind of value than the schema says.
    Kind,
}

/// Properties of a class as columns of record batches.
#[derive(Clone, Debug)]
pub struct Export {
    class: Name,
    columns: Vec<(Column, Kind)>,
    schema: SchemaRef,
    select: String,
    /// Bytes that a row takes when nothing is in it, roughly.
    row_bytes: usize,
}

impl Export {
    /// These properties of a class, in this order, with dates in that unit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Query`] when the class has no such property.
    pub fn new(
        snapshot: &Snapshot,
        class: &Name,
        properties: &[String],
        unit: TimeUnit,
    ) -> Result<Self, StoreError> {
        let table = snapshot.tables().class("read", class)?;
        let schema = snapshot.tables().catalogue().schema();
        let (mut columns, mut fields, mut select) = (Vec::new(), Vec::new(), String::new());
        for name in properties {
            let column = snapshot.tables().column_named(table, name)?;
            let kind = Kind::of(schema, &column.property, unit);
            // Under the name by which it was asked for.
            fields.push(kind.field(&column.property).with_name(name));
            select.push_str(&column.visible_sql(&table.table()));
            select.push_str(", ");
            columns.push((column.clone(), kind));
        }
        let select = format!("SELECT {select}row_id FROM {}", table.table());
        let schema = Arc::new(ArrowSchema::new(fields));
        let width: usize = columns.iter().map(|(_, kind): &(Column, Kind)| kind.width()).sum();
        let row_bytes = width * size_of::<i64>();
        Ok(Self { class: class.clone(), columns, schema, select, row_bytes })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// A batch of `max_rows` of the rows at most, from a place on; it has a row at least, if there is one.
    pub fn batch(
        &self,
        snapshot: &Snapshot,
        rows: &Rows,
        start: usize,
        max_rows: usize,
    ) -> Result<RecordBatch, ExportError> {
        let mut reading = Reading::new(self, snapshot.tables());
        let wanted = rows.slice(start, 1, max_rows.max(1));
        for ids in wanted.blocks(STRIDE_ROWS) {
            if reading.bytes >= BATCH_MAX_BYTES {
                break;
            }
            let read = snapshot.read(|connection| {
                for_each_row(connection, (&self.select, self.columns.len()), &ids, |row| {
                    reading.push(connection, row)
                })
            });
            if let Some((property, misfit)) = reading.misfit.take() {
                return Err(self.misfit(property, misfit));
            }
            read?;
        }
        self.finish(reading)
    }

    fn finish(&self, mut reading: Reading<'_>) -> Result<RecordBatch, ExportError> {
        let refused = |error: arrow_schema::ArrowError| ExportError::Refused {
            class: self.class.clone(),
            reason: error.to_string(),
        };
        let arrays = reading.builders.iter_mut().map(Builder::finish);
        let arrays = arrays.collect::<Result<_, _>>().map_err(refused)?;
        let options = RecordBatchOptions::new().with_row_count(Some(reading.rows));
        RecordBatch::try_new_with_options(self.schema(), arrays, &options).map_err(refused)
    }

    fn misfit(&self, property: usize, misfit: Misfit) -> ExportError {
        let (column, _) = &self.columns[property];
        let (class, property) = (self.class.clone(), column.property.name.clone());
        match misfit {
            Misfit::Date(date, unit) => ExportError::DateOutOfRange { class, property, date, unit },
            Misfit::TooLarge => ExportError::TooLarge { class, property },
            Misfit::Kind => {
                let reason = format!("another kind of value in property \"{property}\"");
                ExportError::Refused { class, reason }
            }
        }
    }
}

/// A batch on its way.
struct Reading<'e> {
    export: &'e Export,
    tables: &'e ObjectTables,
    builders: Vec<Builder>,
    rows: usize,
    /// Of stored values, roughly.
    bytes: usize,
    /// What did not fit, and the number of its property.
    misfit: Option<(usize, Misfit)>,
}

impl<'e> Reading<'e> {
    fn new(export: &'e Export, tables: &'e ObjectTables) -> Self {
        let builders = export.columns.iter().map(|(_, kind)| Builder::new(kind)).collect();
        Self { export, tables, builders, rows: 0, bytes: 0, misfit: None }
    }

    /// Adds a row, unless the batch is full. An error that stands for a misfit only ends the reading.
    fn push(&mut self, connection: &Connection, row: &Row<'_>) -> Result<(), StoreError> {
        if self.bytes >= BATCH_MAX_BYTES {
            return Ok(());
        }
        self.bytes += self.export.row_bytes;
        for (place, (column, _)) in self.export.columns.iter().enumerate() {
            let stored = row.get_ref(place)?;
            self.bytes += size_bytes(stored);
            let pushed = if column.is_content {
                let content = self.seen(connection, column, stored)?;
                self.builders[place].push(&content)
            } else {
                push_scalar(&mut self.builders[place], column, stored)?
            };
            if let Err(misfit) = pushed {
                self.misfit = Some((place, misfit));
                return Err(StoreError::Misuse("a value does not fit its Arrow column"));
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// What an application sees of a content.
    fn seen(
        &self,
        connection: &Connection,
        column: &Column,
        stored: ValueRef<'_>,
    ) -> Result<Content, StoreError> {
        let schema = self.tables.catalogue().schema();
        let content = column.content_from_sql(schema, stored)?;
        let mut holds_link = false;
        content.for_each_link(&mut |_link| holds_link = true);
        if !holds_link {
            return Ok(content);
        }
        let mut failure = None;
        let mut exists = |link: &Link| {
            self.tables.has_target(connection, link).unwrap_or_else(|error| {
                failure = Some(error);
                false
            })
        };
        let seen = content.seen(schema, &column.property, &mut exists);
        failure.map_or(Ok(seen), Err)
    }
}

/// What a value takes beyond an entry.
fn size_bytes(stored: ValueRef<'_>) -> usize {
    match stored {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
    }
}

/// Adds a scalar, the common ones without a value of ours in between.
fn push_scalar(
    builder: &mut Builder,
    column: &Column,
    stored: ValueRef<'_>,
) -> Result<Result<(), Misfit>, StoreError> {
    let is_null = matches!(stored, ValueRef::Null) && !column.is_primary_key;
    if is_null {
        builder.push_null();
        return Ok(Ok(()));
    }
    if let Some(pushed) = builder.push_stored(stored) {
        return Ok(pushed);
    }
    let value = column.from_sql(stored)?;
    Ok(builder.push_value(&value))
}
