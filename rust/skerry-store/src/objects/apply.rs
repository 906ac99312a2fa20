//! Applying instructions to the tables, with the semantics of sync-engine 1.3.
//!
//! Invariant: an instruction is applied whole or refused by a named error; the caller rolls its
//! transaction back on any error. Instructions of kinds that have no table here are refused, never
//! skipped.

use rusqlite::{Connection, params};
use skerry_model::{
    Changeset, Instruction, Name, ObjectKey, ObjectRef, Path, Payload, Property, Value,
};

use super::{ClassTable, Column, ObjectTables, fault, key_to_sql};
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

    /// Applies instructions in order, with the outcome of [`ObjectTables::apply`] for each. The
    /// creation of an object and the values that follow it go in as one row.
    pub fn apply_all(
        &mut self,
        connection: &Connection,
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
                self.apply(connection, first)?;
                after
            };
        }
        Ok(())
    }

    /// Applies one instruction.
    pub fn apply(&mut self, connection: &Connection, instruction: &Instruction) -> Result<()> {
        match instruction {
            Instruction::AddTable { class, kind } => self.add_table(connection, class, kind),
            Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type } => {
                let property = Property {
                    name: field.clone(),
                    ty: *ty,
                    nullable: *nullable,
                    collection: *collection,
                    target: target.clone(),
                };
                self.add_column(connection, class, &property, *key_type)
            }
            Instruction::CreateObject { object } => {
                self.create_object(connection, object).map(|_is_new| ())
            }
            Instruction::EraseObject { object } => {
                self.erase_object(connection, object).map(|_existed| ())
            }
            Instruction::Update { path, value, side: _ } => match value {
                Payload::Value(value) => self.update(connection, path, value),
                Payload::ObjectValue => unsupported("Update to an embedded object"),
                Payload::List => unsupported("Update to a list"),
                Payload::Dictionary => unsupported("Update to a dictionary"),
                Payload::Erased => unsupported("Update to erased"),
            },
            Instruction::AddInteger { path, value } => self.add_integer(connection, path, *value),
            Instruction::EraseTable { .. }
            | Instruction::EraseColumn { .. }
            | Instruction::ArrayInsert { .. }
            | Instruction::ArrayMove { .. }
            | Instruction::ArrayErase { .. }
            | Instruction::Clear { .. }
            | Instruction::SetInsert { .. }
            | Instruction::SetErase { .. } => unsupported(instruction.name()),
        }
    }

    /// Get-or-create; whether the object is new.
    pub fn create_object(&self, connection: &Connection, object: &ObjectRef) -> Result<bool> {
        let table = self.checked("CreateObject", &object.class, &object.key)?;
        let mut statement = connection.prepare_cached(&table.sql.insert)?;
        Ok(statement.execute([key_to_sql(&object.key)])? == 1)
    }

    /// Creates an object together with the values that the instructions behind its creation give
    /// it; how many those are. `None`, and nothing done, when the object exists or gets no value.
    ///
    /// What is not plainly a valid value of the object ends the row, to be applied, and perhaps
    /// refused, in its turn.
    fn create_whole(
        &self,
        connection: &Connection,
        object: &ObjectRef,
        after: &[Instruction],
    ) -> Result<Option<usize>> {
        let table = self.checked("CreateObject", &object.class, &object.key)?;
        let mut given: Vec<Option<&Value>> = vec![None; table.columns.len()];
        let mut count = 0;
        for instruction in after {
            let Some((position, value)) = value_of(table, object, instruction) else { break };
            given[position] = Some(value);
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let mut statement = connection.prepare_cached(&table.sql.insert_whole)?;
        for ((number, column), value) in (1..).zip(&table.columns).zip(given) {
            if column.is_primary_key {
                statement.raw_bind_parameter(number, key_to_sql(&object.key))?;
            } else {
                let value = value.unwrap_or(&table.zeros[number - 1]);
                statement.raw_bind_parameter(number, column.to_sql(value))?;
            }
        }
        let is_new = statement.raw_execute()? == 1;
        Ok(is_new.then_some(count))
    }

    /// Erases the object if it exists, and leaves links to it dangling; whether it existed.
    pub fn erase_object(&self, connection: &Connection, object: &ObjectRef) -> Result<bool> {
        let table = self.checked("EraseObject", &object.class, &object.key)?;
        let mut statement = connection.prepare_cached(&table.sql.delete)?;
        Ok(statement.execute([key_to_sql(&object.key)])? == 1)
    }

    fn update(&self, connection: &Connection, path: &Path, value: &Value) -> Result<()> {
        let (table, position) = self.resolve("Update", path)?;
        let column = &table.columns[position];
        column.check(value).map_err(|why| path_fault("Update", path, why))?;
        self.write(connection, "Update", path, value)
    }

    fn add_integer(&self, connection: &Connection, path: &Path, amount: i64) -> Result<()> {
        const NAME: &str = "AddInteger";
        let (table, position) = self.resolve(NAME, path)?;
        let column = &table.columns[position];
        let not_int = column.check(&Value::Int(amount));
        not_int.map_err(|why| path_fault(NAME, path, why))?;
        match Self::read_property(connection, table, position, &path.object.key)? {
            None => Err(path_fault(NAME, path, Fault::NoSuchObject)),
            // Adding to null does nothing (sync-engine 1.3).
            Some(Value::Int(int)) => {
                self.write(connection, NAME, path, &Value::Int(int.wrapping_add(amount)))
            }
            Some(_) => Ok(()),
        }
    }

    fn write(
        &self,
        connection: &Connection,
        instruction: &'static str,
        path: &Path,
        value: &Value,
    ) -> Result<()> {
        let (table, position) = self.resolve(instruction, path)?;
        let column: &Column = &table.columns[position];
        let mut statement = connection.prepare_cached(&table.sql.update[position])?;
        match statement.execute(params![column.to_sql(value), key_to_sql(&path.object.key)])? {
            0 => Err(path_fault(instruction, path, Fault::NoSuchObject)),
            _ => Ok(()),
        }
    }

    /// The class, after checking that `key` can be a key of it.
    pub(super) fn checked(
        &self,
        instruction: &'static str,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<&ClassTable> {
        let table = self.class(instruction, class)?;
        table.key.check(key).map_err(|why| fault(instruction, class, Some(key), why))?;
        Ok(table)
    }

    /// The property that a path ends at, which must not be the key.
    fn resolve(&self, instruction: &'static str, path: &Path) -> Result<(&ClassTable, usize)> {
        let table = self.checked(instruction, &path.object.class, &path.object.key)?;
        let property = || path.field.clone();
        let Some(position) = table.schema.position(&path.field) else {
            let why = Fault::NoSuchProperty { property: property() };
            return Err(path_fault(instruction, path, why));
        };
        if !path.elements.is_empty() {
            // A regular link can never be traversed, and scalars have no inside.
            let why = Fault::PathTooDeep { property: property() };
            return Err(path_fault(instruction, path, why));
        }
        if table.columns[position].is_primary_key {
            let why = Fault::PrimaryKeyUpdate { property: property() };
            return Err(path_fault(instruction, path, why));
        }
        Ok((table, position))
    }
}

/// The value, with the position of its property, that an instruction certainly gives the object.
fn value_of<'i>(
    table: &ClassTable,
    object: &ObjectRef,
    instruction: &'i Instruction,
) -> Option<(usize, &'i Value)> {
    let Instruction::Update { path, value: Payload::Value(value), side: _ } = instruction else {
        return None;
    };
    if path.object != *object || !path.elements.is_empty() {
        return None;
    }
    let position = table.schema.position(&path.field)?;
    let column = &table.columns[position];
    let is_valid = !column.is_primary_key && column.check(value).is_ok();
    is_valid.then_some((position, value))
}

fn path_fault(instruction: &'static str, path: &Path, why: Fault) -> StoreError {
    fault(instruction, &path.object.class, Some(&path.object.key), why)
}

fn unsupported(name: &'static str) -> Result<()> {
    Err(StoreError::UnsupportedInstruction(name))
}
