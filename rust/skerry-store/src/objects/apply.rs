//! Applying instructions to the tables, with the semantics of sync-engine 1.3.
//!
//! Invariant: an instruction is applied whole or refused by a named error. What an instruction does
//! inside a content is the model's business ([`Content::apply`](skerry_model::Content::apply));
//! what is decided here is which object and property it is about, and where that is stored.

use rusqlite::{Connection, params};
use skerry_model::{
    Changeset, Content, Instruction, Misfit, Name, ObjectKey, ObjectRef, Path, Payload, Schema,
    Value,
};

use super::holders::contents_hold_links;
use super::new_row::NewRow;
use super::{ClassTable, ObjectTables, OpenContents, content_link, fault, key_to_sql};
use crate::error::{Fault, Result, StoreError};

impl ObjectTables {
    /// Applies all instructions of a changeset, in order.
    pub fn apply_changeset(
        &mut self,
        connection: &Connection,
        changeset: &Changeset,
    ) -> Result<()> {
        self.apply_all(connection, &changeset.instructions)
    }

    /// Applies one instruction.
    pub fn apply(&mut self, connection: &Connection, instruction: &Instruction) -> Result<()> {
        self.apply_all(connection, std::slice::from_ref(instruction))
    }

    /// Applies instructions in order. The creation of an object and the values that follow it go in
    /// as one row. The caller rolls its transaction back on any error.
    pub fn apply_all(
        &mut self,
        connection: &Connection,
        instructions: &[Instruction],
    ) -> Result<()> {
        let mut open = OpenContents::default();
        self.apply_open(connection, &mut open, instructions)?;
        open.flush(self, connection)
    }

    /// As [`ObjectTables::apply_all`], with contents left open between calls. The instruction that
    /// is refused has changed nothing; those before it have.
    pub(crate) fn apply_open(
        &mut self,
        connection: &Connection,
        open: &mut OpenContents,
        instructions: &[Instruction],
    ) -> Result<()> {
        let mut rest = instructions;
        while let Some((first, after)) = rest.split_first() {
            let applied = match first {
                Instruction::CreateObject { object } => {
                    self.create_whole(connection, object, after)?
                }
                _ => None,
            };
            rest = if let Some(count) = applied {
                &after[count..]
            } else {
                self.apply_one(connection, open, first)?;
                after
            };
        }
        Ok(())
    }

    fn apply_one(
        &mut self,
        connection: &Connection,
        open: &mut OpenContents,
        instruction: &Instruction,
    ) -> Result<()> {
        match instruction {
            Instruction::AddTable { .. } | Instruction::AddColumn { .. } => {
                open.close(self, connection)?;
                self.change_schema(connection, instruction)
            }
            Instruction::EraseTable { .. } | Instruction::EraseColumn { .. } => {
                open.close(self, connection)?;
                self.change_schema(connection, instruction)?;
                // `SQLite` does not report these rows one by one.
                open.touched().inspect(|touched| touched.lose());
                Ok(())
            }
            Instruction::CreateObject { object } => self.create_object(connection, object),
            Instruction::EraseObject { object } => self.erase_object(connection, open, object),
            Instruction::Update { path, .. }
            | Instruction::AddInteger { path, .. }
            | Instruction::ArrayInsert { path, .. }
            | Instruction::ArrayMove { path, .. }
            | Instruction::ArrayErase { path, .. }
            | Instruction::Clear { path, .. }
            | Instruction::SetInsert { path, .. }
            | Instruction::SetErase { path, .. } => {
                self.apply_at(connection, open, path, instruction)
            }
        }
    }

    /// Get-or-create.
    fn create_object(&self, connection: &Connection, object: &ObjectRef) -> Result<()> {
        let table = self.checked("CreateObject", &object.class, &object.key)?;
        connection.prepare_cached(&table.sql.insert)?.execute([key_to_sql(&object.key)])?;
        Ok(())
    }

    /// Creates an object together with what the instructions behind its creation give it; how many
    /// those are. `None`, and nothing done, when the object exists or is given nothing.
    ///
    /// What is not plainly valid for the object ends the row, to be applied, and perhaps refused, in
    /// its turn. So does a link in a content, which the side table has to know.
    fn create_whole(
        &self,
        connection: &Connection,
        object: &ObjectRef,
        after: &[Instruction],
    ) -> Result<Option<usize>> {
        let table = self.checked("CreateObject", &object.class, &object.key)?;
        let mut row = NewRow::new(table);
        let mut count = 0;
        while let Some(instruction) = after.get(count)
            && row.take(self.schema(), object, instruction)
        {
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        Ok(row.insert(connection, object)?.then_some(count))
    }

    /// Inserts a new object that holds contents, each fitted to the property at its position, in one row. `false`, and
    /// nothing done, when that takes more than a row.
    pub(crate) fn insert_new<'c>(
        &self,
        connection: &Connection,
        object: &ObjectRef,
        contents: impl Iterator<Item = (usize, &'c Content)>,
    ) -> Result<bool> {
        let table = self.checked("CreateObject", &object.class, &object.key)?;
        let mut row = NewRow::new(table);
        for (position, content) in contents {
            if !row.hold(position, content) {
                return Ok(false);
            }
        }
        row.insert(connection, object)
    }

    /// Erases the object if it exists, and leaves links to it dangling.
    fn erase_object(
        &self,
        connection: &Connection,
        open: &mut OpenContents,
        object: &ObjectRef,
    ) -> Result<()> {
        let table = self.checked("EraseObject", &object.class, &object.key)?;
        if contents_hold_links(self.schema(), table)
            && let Some(row_id) = Self::row_id(connection, table, &object.key)?
        {
            content_link::forget_links_of(connection, table.id, row_id)?;
        }
        open.forget_object(object);
        if let Some(touched) = open.touched() {
            touched.touch_holders_of_erased(self, connection, table, &object.key)?;
        }
        connection.prepare_cached(&table.sql.delete)?.execute([key_to_sql(&object.key)])?;
        Ok(())
    }

    /// Applies an instruction about what is inside an object.
    fn apply_at(
        &self,
        connection: &Connection,
        open: &mut OpenContents,
        path: &Path,
        instruction: &Instruction,
    ) -> Result<()> {
        let name = instruction.name();
        let (table, position) = self.resolve(name, path)?;
        let column = &table.columns[position];
        if column.is_content {
            let held = open.open(self, connection, table, position, &path.object.key)?;
            let held = held.ok_or_else(|| path_fault(name, path, Fault::NoSuchObject))?;
            let applied = held.apply(self, connection, &column.property, instruction)?;
            return applied.map_err(|why| path_fault(name, path, why));
        }
        match instruction {
            Instruction::Update { value: Payload::Value(value), .. }
                if path.elements.is_empty() =>
            {
                self.update(connection, open, path, (table, position), value)
            }
            Instruction::AddInteger { value, .. } if path.elements.is_empty() => {
                self.add_integer(connection, open, path, (table, position), *value)
            }
            // A scalar has no inside; the model knows the words for it.
            _ => {
                let refused =
                    column.property.zero().apply(self.schema(), &column.property, instruction);
                let property = path.field.clone();
                let why = refused.err().unwrap_or(Misfit::PathTooDeep { property });
                Err(path_fault(name, path, why))
            }
        }
    }

    fn update(
        &self,
        connection: &Connection,
        open: &OpenContents,
        path: &Path,
        (table, position): (&ClassTable, usize),
        value: &Value,
    ) -> Result<()> {
        const NAME: &str = "Update";
        let column = &table.columns[position];
        let checked = column.check(self.schema(), value);
        checked.map_err(|why| path_fault(NAME, path, why))?;
        write(connection, open, NAME, path, (table, position), value)
    }

    fn add_integer(
        &self,
        connection: &Connection,
        open: &OpenContents,
        path: &Path,
        (table, position): (&ClassTable, usize),
        amount: i64,
    ) -> Result<()> {
        const NAME: &str = "AddInteger";
        let column = &table.columns[position];
        let not_int = column.check(self.schema(), &Value::Int(amount));
        not_int.map_err(|why| path_fault(NAME, path, why))?;
        match self.read_content(connection, table, position, &path.object.key)? {
            None => Err(path_fault(NAME, path, Fault::NoSuchObject)),
            // Adding to null does nothing (sync-engine 1.3).
            Some((Content::Value(Value::Int(int)), _)) => {
                let sum = Value::Int(int.wrapping_add(amount));
                write(connection, open, NAME, path, (table, position), &sum)
            }
            Some(_) => Ok(()),
        }
    }

    fn schema(&self) -> &Schema {
        self.catalogue().schema()
    }

    /// The class, after checking that `key` can be a key of it.
    pub(crate) fn checked(
        &self,
        instruction: &'static str,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<&ClassTable> {
        let table = self.class(instruction, class)?;
        table.key.check(key).map_err(|why| fault(instruction, class, Some(key), why))?;
        Ok(table)
    }

    /// The property that a path is about, which must not be the key.
    pub(crate) fn resolve(
        &self,
        instruction: &'static str,
        path: &Path,
    ) -> Result<(&ClassTable, usize)> {
        let table = self.checked(instruction, &path.object.class, &path.object.key)?;
        let property = || path.field.clone();
        let Some(position) = table.schema.position(&path.field) else {
            let why = Misfit::NoSuchProperty { property: property() };
            return Err(path_fault(instruction, path, why));
        };
        if table.columns[position].is_primary_key {
            let why = Fault::PrimaryKeyUpdate { property: property() };
            return Err(path_fault(instruction, path, why));
        }
        Ok((table, position))
    }
}

fn write(
    connection: &Connection,
    open: &OpenContents,
    instruction: &'static str,
    path: &Path,
    (table, position): (&ClassTable, usize),
    value: &Value,
) -> Result<()> {
    let column = &table.columns[position];
    let stored = column.to_sql(value);
    let mut statement = connection.prepare_cached(&table.sql.update[position])?;
    let key = key_to_sql(&path.object.key);
    match open.writing(column.number, || statement.execute(params![stored, key]))? {
        0 => Err(path_fault(instruction, path, Fault::NoSuchObject)),
        _ => Ok(()),
    }
}

fn path_fault(instruction: &'static str, path: &Path, why: impl Into<Fault>) -> StoreError {
    fault(instruction, &path.object.class, Some(&path.object.key), why)
}
