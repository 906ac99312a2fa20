//! Classes and properties that come and go: by a declared schema, or by instructions.
//!
//! Invariant: a declared schema never takes anything away. One that lacks a class or property of the
//! file is no contradiction (another release or the server may have added it); one that defines it
//! differently is refused by name before anything is written. Only `EraseTable` and `EraseColumn`
//! take away, and what is left is a valid schema.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use skerry_model::{
    ClassSchema, CollectionType, Instruction, Misfit, Name, Property, PropertyType, Schema,
    SchemaError, TableKind,
};

use super::content_link::{self, Place};
use super::{Catalogue, Column, ObjectTables, fault};
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
        self.apply_all(connection, &instructions)?;
        Ok(instructions)
    }

    /// What [`ObjectTables::ensure_schema`] would do.
    pub fn missing(&self, schema: &Schema) -> Result<Vec<Instruction>> {
        let known = self.catalogue().schema();
        for class in schema.classes() {
            if let Some(stored) = known.class(&class.name) {
                check_additive(stored, class)?;
            }
        }
        Ok(schema.instructions_beyond(known))
    }

    pub(super) fn change_schema(
        &mut self,
        connection: &Connection,
        instruction: &Instruction,
    ) -> Result<()> {
        match instruction {
            Instruction::AddTable { class, kind } => self.add_table(connection, class, kind),
            Instruction::EraseTable { class } => self.erase_table(connection, class),
            Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type } => {
                let property = Property {
                    name: field.clone(),
                    ty: *ty,
                    nullable: *nullable,
                    collection: *collection,
                    target: target.as_deref().cloned(),
                };
                check_key_type(class, &property, *key_type)?;
                self.add_column(connection, class, &property)
            }
            Instruction::EraseColumn { class, field } => {
                self.erase_column(connection, class, field)
            }
            Instruction::CreateObject { .. }
            | Instruction::EraseObject { .. }
            | Instruction::Update { .. }
            | Instruction::AddInteger { .. }
            | Instruction::ArrayInsert { .. }
            | Instruction::ArrayMove { .. }
            | Instruction::ArrayErase { .. }
            | Instruction::Clear { .. }
            | Instruction::SetInsert { .. }
            | Instruction::SetErase { .. } => {
                unreachable!("the caller hands in instructions about the schema only")
            }
        }
    }

    fn add_table(&mut self, connection: &Connection, class: &Name, kind: &TableKind) -> Result<()> {
        let key = match kind {
            TableKind::Embedded => None,
            TableKind::TopLevel { asymmetric: true, .. } => {
                return Err(StoreError::UnsupportedInstruction("AddTable of an asymmetric class"));
            }
            TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric: false } => {
                Some(Property::scalar(pk_field.clone(), *pk_type, *pk_nullable))
            }
        };
        if let Some(existing) = self.catalogue().schema().class(class) {
            let existing = (!existing.embedded).then(|| existing.primary_key_property());
            if existing == key.as_ref() {
                return Ok(());
            }
            let key = existing.map(|key| (key.name.clone(), key.ty));
            return Err(fault("AddTable", class, None, Fault::TableMismatch { key }));
        }
        // A class checks its own names and the type of its key.
        let definition = ClassSchema {
            name: class.clone(),
            primary_key: key.as_ref().map_or_else(|| "".into(), |key| key.name.clone()),
            properties: key.iter().cloned().collect(),
            embedded: key.is_none(),
        };
        Schema::new([definition]).map_err(|error| bad_definition("AddTable", class, &error))?;
        Catalogue::add_class(connection, class, key.as_ref())?;
        self.reload(connection)
    }

    fn add_column(
        &mut self,
        connection: &Connection,
        class: &Name,
        property: &Property,
    ) -> Result<()> {
        const NAME: &str = "AddColumn";
        let schema = self.catalogue().schema();
        let known = self.known(NAME, class)?;
        if let Some(existing) = known.property(&property.name) {
            // Nullability is not compared on apply (sync-engine 1.3).
            let is_same = existing.ty == property.ty
                && existing.collection == property.collection
                && existing.target == property.target;
            return if is_same { Ok(()) } else { Err(mismatch(class, existing)) };
        }
        if let Some(target) = &property.target
            && schema.class(target).is_none()
        {
            let (property, target) = (property.name.clone(), target.clone());
            return Err(fault(NAME, class, None, Fault::NoSuchTarget { property, target }));
        }
        let mut definition = known.clone();
        definition.properties.push(property.clone());
        let others = schema.classes().filter(|other| other.name != *class).cloned();
        let grown = Schema::new(others.chain([definition]));
        grown.map_err(|error| bad_definition(NAME, class, &error))?;
        let is_scalar = schema.is_scalar(property);
        let is_indexed = is_scalar && property.ty == PropertyType::Link;
        let zero = zero_literal(property, is_scalar);
        Catalogue::add_property(connection, class, property, &zero, is_indexed)?;
        self.reload(connection)
    }

    fn erase_table(&mut self, connection: &Connection, class: &Name) -> Result<()> {
        const NAME: &str = "EraseTable";
        self.known(NAME, class)?;
        for other in self.catalogue().schema().classes().filter(|other| other.name != *class) {
            let mut properties = other.properties.iter();
            if let Some(link) = properties.find(|one| one.target.as_ref() == Some(class)) {
                let (by, property) = (other.name.clone(), link.name.clone());
                return Err(fault(NAME, class, None, Fault::ClassInUse { by, property }));
            }
        }
        Catalogue::drop_class(connection, class)?;
        self.reload(connection)
    }

    fn erase_column(&mut self, connection: &Connection, class: &Name, field: &Name) -> Result<()> {
        const NAME: &str = "EraseColumn";
        let known = self.known(NAME, class)?;
        let property = field.clone();
        if known.property(field).is_none() {
            return Err(fault(NAME, class, None, Misfit::NoSuchProperty { property }));
        }
        if known.primary_key == *field {
            return Err(fault(NAME, class, None, Fault::PrimaryKeyErase { property }));
        }
        let is_embedded = known.embedded;
        Catalogue::drop_property(connection, class, field)?;
        self.reload(connection)?;
        if is_embedded { self.rewrite_contents(connection, class) } else { Ok(()) }
    }

    /// Writes all contents anew that can hold embedded objects of a class which has lost a property:
    /// a property of that name that comes later must not find the old values.
    fn rewrite_contents(&self, connection: &Connection, embedded: &Name) -> Result<()> {
        let schema = self.catalogue().schema();
        for table in self.catalogue().classes() {
            for (position, column) in table.columns.iter().enumerate() {
                if !reaches(schema, &column.property, embedded, &mut Vec::new()) {
                    continue;
                }
                for key in self.keys(connection, &table.schema.name)? {
                    let read = self.read_content(connection, table, position, &key)?;
                    let Some((content, row_id)) = read else { continue };
                    let stored = column.content_to_sql(&content);
                    connection
                        .prepare_cached(&table.sql.update[position])?
                        .execute([stored, super::key_to_sql(&key)])?;
                    let place = Place { class_id: table.id, number: column.number, row_id };
                    content_link::forget_links_in(connection, place)?;
                    let links = content_link::links_of(&content);
                    content_link::update_links(connection, place, &BTreeSet::new(), &links)?;
                }
            }
        }
        Ok(())
    }

    fn known(&self, instruction: &'static str, class: &Name) -> Result<&ClassSchema> {
        let known = self.catalogue().schema().class(class);
        known.ok_or_else(|| fault(instruction, class, None, Fault::NoSuchClass))
    }
}

/// Whether a property can hold embedded objects of that class, directly or inside others.
pub(super) fn reaches<'s>(
    schema: &'s Schema,
    property: &'s Property,
    embedded: &Name,
    seen: &mut Vec<&'s Name>,
) -> bool {
    let target = property.target.as_deref().and_then(|target| schema.class(target));
    let Some(class) = target.filter(|class| class.embedded) else { return false };
    if class.name == *embedded {
        return true;
    }
    if seen.contains(&&class.name) {
        return false;
    }
    seen.push(&class.name);
    class.properties.iter().any(|inner| reaches(schema, inner, embedded, seen))
}

fn mismatch(class: &Name, existing: &Property) -> StoreError {
    let Property { name, ty, collection, target, .. } = existing;
    let (property, target) = (name.clone(), target.clone());
    let why = Fault::ColumnMismatch { property, ty: *ty, collection: *collection, target };
    fault("AddColumn", class, None, why)
}

/// Keys of dictionaries are strings, and nothing else has keys.
fn check_key_type(class: &Name, property: &Property, key_type: Option<PropertyType>) -> Result<()> {
    let is_dictionary = property.collection == CollectionType::Dictionary;
    if key_type == is_dictionary.then_some(PropertyType::String) {
        return Ok(());
    }
    let name = &property.name;
    let reason = format!(
        "property \"{name}\" has keys of type {key_type:?}; dictionaries have keys of type String"
    );
    Err(fault("AddColumn", class, None, Fault::BadDefinition { reason }))
}

fn bad_definition(instruction: &'static str, class: &Name, error: &SchemaError) -> StoreError {
    fault(instruction, class, None, Fault::BadDefinition { reason: error.to_string() })
}

/// The default that existing and future rows have in a new column.
pub(super) fn zero_literal(property: &Property, is_scalar: bool) -> String {
    let column = Column {
        property: property.clone(),
        number: 0,
        is_primary_key: false,
        is_content: !is_scalar,
        index: None,
        target_key: None,
        target_id: None,
    };
    let zero = property.zero();
    match column.content_to_sql(&zero) {
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

fn check_additive(stored: &ClassSchema, declared: &ClassSchema) -> Result<()> {
    let refuse = |property: Option<&Name>, change: String| StoreError::DestructiveChange {
        class: declared.name.clone(),
        property: property.cloned(),
        change,
    };
    if declared.embedded != stored.embedded {
        let change = format!("embedded {} becomes {}", stored.embedded, declared.embedded);
        return Err(refuse(None, change));
    }
    if declared.primary_key != stored.primary_key {
        let (old, new) = (&stored.primary_key, &declared.primary_key);
        return Err(refuse(None, format!("primary key \"{old}\" becomes \"{new}\"")));
    }
    for property in &declared.properties {
        let Some(stored) = stored.property(&property.name) else { continue };
        let change = if stored.ty != property.ty {
            format!("type {:?} becomes {:?}", stored.ty, property.ty)
        } else if stored.collection != property.collection {
            format!("{} becomes {}", stored.collection.name(), property.collection.name())
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
