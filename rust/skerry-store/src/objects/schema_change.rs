//! Classes and properties that are added: by a declared schema, or by `AddTable` and `AddColumn`.
//!
//! Invariant: nothing is ever taken away. A declared schema that lacks a class or property of the
//! file is no contradiction (another release or the server may have added it); one that defines it
//! differently is refused by name before anything is written.

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use skerry_model::{
    ClassSchema, CollectionType, Instruction, Name, Property, PropertyType, Schema, TableKind,
};

use super::catalogue::is_stored;
use super::{Catalogue, ClassTable, Column, ObjectTables, fault};
use crate::error::{Fault, Result, StoreError};

impl ObjectTables {
    /// Adds what `schema` has beyond the file, and returns the instructions that say so
    /// (`AddTable`s first, because links need their targets).
    pub fn ensure_schema(
        &mut self,
        connection: &Connection,
        schema: &Schema,
    ) -> Result<Vec<Instruction>> {
        let instructions = self.missing(schema)?;
        for instruction in &instructions {
            self.apply(connection, instruction)?;
        }
        Ok(instructions)
    }

    /// What [`ObjectTables::ensure_schema`] would do.
    pub fn missing(&self, schema: &Schema) -> Result<Vec<Instruction>> {
        for class in schema.classes() {
            if let Some(table) = self.catalogue.class(&class.name) {
                check_additive(table, class)?;
            }
        }
        let mut instructions = Vec::new();
        for class in schema.classes() {
            if self.catalogue.class(&class.name).is_none() {
                instructions.push(add_table_of(class));
            }
        }
        for class in schema.classes() {
            let known = self.catalogue.class(&class.name);
            for property in &class.properties {
                let is_known = known.is_some_and(|table| table.column(&property.name).is_some());
                if !is_known && property.name != class.primary_key {
                    instructions.push(add_column_of(&class.name, property));
                }
            }
        }
        Ok(instructions)
    }

    pub(super) fn add_table(
        &mut self,
        connection: &Connection,
        class: &Name,
        kind: &TableKind,
    ) -> Result<()> {
        let (pk_field, pk_type, pk_nullable) = match kind {
            TableKind::Embedded => {
                return Err(StoreError::UnsupportedInstruction("AddTable of an embedded class"));
            }
            TableKind::TopLevel { asymmetric: true, .. } => {
                return Err(StoreError::UnsupportedInstruction("AddTable of an asymmetric class"));
            }
            TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric: false } => {
                (pk_field, *pk_type, *pk_nullable)
            }
        };
        let key = Property::scalar(pk_field.clone(), pk_type, pk_nullable);
        if let Some(table) = self.catalogue.class(class) {
            let existing = &table.key_column().property;
            if *existing == key {
                return Ok(());
            }
            let (pk_field, pk_type) = (existing.name.clone(), existing.ty);
            let mismatch = Fault::TableMismatch { pk_field, pk_type };
            return Err(fault("AddTable", class, None, mismatch));
        }
        // A class checks its own names and the type of its key.
        let definition = ClassSchema {
            embedded: false,
            name: class.clone(),
            primary_key: pk_field.clone(),
            properties: vec![key.clone()],
        };
        Schema::new([definition]).map_err(|error| bad_definition("AddTable", class, &error))?;
        Catalogue::add_class(connection, class, &key)?;
        self.reload(connection)
    }

    pub(super) fn add_column(
        &mut self,
        connection: &Connection,
        class: &Name,
        property: &Property,
        key_type: Option<PropertyType>,
    ) -> Result<()> {
        const NAME: &str = "AddColumn";
        if property.collection != CollectionType::Single || key_type.is_some() {
            return Err(StoreError::UnsupportedInstruction("AddColumn of a collection"));
        }
        if !is_stored(property.ty) {
            return Err(StoreError::UnsupportedInstruction(match property.ty {
                PropertyType::Mixed => "AddColumn of type mixed",
                PropertyType::Float => "AddColumn of type float",
                _ => "AddColumn of this type",
            }));
        }
        let table = self.class(NAME, class)?;
        if let Some(existing) = table.column(&property.name) {
            let existing = &existing.property;
            // Nullability is not compared on apply (sync-engine 1.3).
            if existing.ty == property.ty && existing.target == property.target {
                return Ok(());
            }
            let (property, ty) = (existing.name.clone(), existing.ty);
            return Err(fault(NAME, class, None, Fault::ColumnMismatch { property, ty }));
        }
        if let Some(target) = &property.target
            && self.catalogue.class(target).is_none()
        {
            let (property, target) = (property.name.clone(), target.clone());
            return Err(fault(NAME, class, None, Fault::NoSuchTarget { property, target }));
        }
        let mut definition = table.schema.clone();
        definition.properties.push(property.clone());
        let others = self.catalogue.classes().filter(|other| other.schema.name != *class);
        let all = others.map(|other| other.schema.clone()).chain([definition]);
        Schema::new(all).map_err(|error| bad_definition(NAME, class, &error))?;
        Catalogue::add_property(connection, table, property, &zero_literal(property))?;
        self.reload(connection)
    }
}

fn bad_definition(
    instruction: &'static str,
    class: &Name,
    error: &skerry_model::SchemaError,
) -> StoreError {
    fault(instruction, class, None, Fault::BadDefinition { reason: error.to_string() })
}

/// The default that existing and future rows have in a new column.
fn zero_literal(property: &Property) -> String {
    let column = Column {
        property: property.clone(),
        number: 0,
        is_primary_key: false,
        target_key: None,
        target_id: None,
    };
    let zero = column.zero();
    match column.to_sql(&zero) {
        ToSqlOutput::Owned(SqlValue::Integer(int)) => int.to_string(),
        ToSqlOutput::Owned(SqlValue::Real(_)) => "0.0".to_owned(),
        ToSqlOutput::Owned(SqlValue::Blob(bytes)) => blob_literal(&bytes),
        ToSqlOutput::Borrowed(ValueRef::Blob(bytes)) => blob_literal(bytes),
        ToSqlOutput::Borrowed(ValueRef::Text(_)) => "''".to_owned(),
        _ => "NULL".to_owned(),
    }
}

fn blob_literal(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{}'", digits.concat())
}

fn check_additive(table: &ClassTable, declared: &ClassSchema) -> Result<()> {
    let refuse = |property: Option<&Name>, change: String| StoreError::DestructiveChange {
        class: declared.name.clone(),
        property: property.cloned(),
        change,
    };
    if declared.primary_key != table.schema.primary_key {
        return Err(refuse(
            None,
            format!(
                "primary key \"{}\" becomes \"{}\"",
                table.schema.primary_key, declared.primary_key
            ),
        ));
    }
    for property in &declared.properties {
        let Some(column) = table.column(&property.name) else { continue };
        let stored = &column.property;
        let change = if stored.ty != property.ty || stored.collection != property.collection {
            format!("type {:?} becomes {:?}", stored.ty, property.ty)
        } else if stored.nullable != property.nullable {
            format!("nullable {} becomes {}", stored.nullable, property.nullable)
        } else if stored.target != property.target {
            format!("link target {:?} becomes {:?}", stored.target, property.target)
        } else {
            continue;
        };
        return Err(refuse(Some(&property.name), change));
    }
    Ok(())
}

/// The `AddTable` that says that `class` exists.
fn add_table_of(class: &ClassSchema) -> Instruction {
    let key = class.primary_key_property();
    Instruction::AddTable {
        class: class.name.clone(),
        kind: TableKind::TopLevel {
            pk_field: key.name.clone(),
            pk_type: key.ty,
            pk_nullable: key.nullable,
            asymmetric: false,
        },
    }
}

fn add_column_of(class: &Name, property: &Property) -> Instruction {
    Instruction::AddColumn {
        class: class.clone(),
        field: property.name.clone(),
        ty: property.ty,
        nullable: property.nullable,
        collection: property.collection,
        target: property.target.clone(),
        key_type: None,
    }
}
