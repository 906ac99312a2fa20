//! The row of a new object, put together from the instructions behind its creation.

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as SqlValue};
use skerry_model::{Content, Instruction, ObjectRef, Payload, Schema, Value};

use super::open_content::{CONTENT_MAX_BYTES, link_in, too_large};
use super::{ClassTable, Column, key_to_sql};
use crate::error::Result;

/// What a new object's properties hold so far.
pub(super) struct NewRow<'t, 'i> {
    table: &'t ClassTable,
    held: Vec<Held<'i>>,
}

/// What one property holds.
enum Held<'i> {
    Zero,
    Value(&'i Value),
    /// Fitted to the property.
    Given(&'i Content),
    Content(Content),
}

impl<'t, 'i> NewRow<'t, 'i> {
    pub(super) fn new(table: &'t ClassTable) -> Self {
        Self { table, held: table.columns.iter().map(|_column| Held::Zero).collect() }
    }

    /// Takes what an instruction gives the object; `false`, and nothing taken, when it is about
    /// something else, is not certainly valid, or needs more than the row.
    pub(super) fn take(
        &mut self,
        schema: &Schema,
        object: &ObjectRef,
        instruction: &'i Instruction,
    ) -> bool {
        let (Instruction::Update { path, .. }
        | Instruction::ArrayInsert { path, .. }
        | Instruction::SetInsert { path, .. }) = instruction
        else {
            return false;
        };
        let position = self.table.schema.position(&path.field);
        let Some(position) = position.filter(|_| *path.object == *object) else { return false };
        let column = &self.table.columns[position];
        if column.is_primary_key {
            return false;
        }
        let held = &mut self.held[position];
        if column.is_content {
            if link_in(instruction).is_some() {
                return false;
            }
            if let Held::Zero | Held::Value(_) | Held::Given(_) = held {
                *held = Held::Content(column.property.zero());
            }
            let Held::Content(content) = held else { return false };
            return content.apply(schema, &column.property, instruction).is_ok();
        }
        let Instruction::Update { value: Payload::Value(value), .. } = instruction else {
            return false;
        };
        let is_valid = path.elements.is_empty() && column.check(schema, value).is_ok();
        if is_valid {
            *held = Held::Value(value);
        }
        is_valid
    }

    /// Takes what a property holds, which is fitted to it. `false`, and nothing taken, when it needs
    /// more than the row: the side table has to know of links in a content.
    pub(super) fn hold(&mut self, position: usize, content: &'i Content) -> bool {
        if self.table.columns[position].is_content {
            let mut has_links = false;
            content.for_each_link(&mut |_link| has_links = true);
            if has_links {
                return false;
            }
        }
        self.held[position] = Held::Given(content);
        true
    }

    /// Inserts the row; whether the object is new.
    pub(super) fn insert(self, connection: &Connection, object: &ObjectRef) -> Result<bool> {
        let table = self.table;
        let mut statement = connection.prepare_cached(&table.sql.insert_whole)?;
        for (((number, column), held), zero) in
            (1..).zip(&table.columns).zip(self.held).zip(&table.zeros)
        {
            let bound: ToSqlOutput<'_> = match held {
                _ if column.is_primary_key => key_to_sql(&object.key),
                Held::Zero => column.content_to_sql(zero),
                Held::Value(value) => column.to_sql(value),
                Held::Given(Content::Value(value)) if !column.is_content => column.to_sql(value),
                Held::Given(content) => encoded(object, column, content)?,
                Held::Content(content) => encoded(object, column, &content)?,
            };
            statement.raw_bind_parameter(number, bound)?;
        }
        Ok(statement.raw_execute()? == 1)
    }
}

/// A content as it stands in its column.
fn encoded(object: &ObjectRef, column: &Column, content: &Content) -> Result<ToSqlOutput<'static>> {
    if content.is_null() {
        return Ok(ToSqlOutput::Owned(SqlValue::Null));
    }
    let stored = content.encode();
    if stored.len() > CONTENT_MAX_BYTES {
        return Err(too_large(object, column.property.name.clone(), stored.len()));
    }
    Ok(ToSqlOutput::Owned(SqlValue::Blob(stored)))
}
