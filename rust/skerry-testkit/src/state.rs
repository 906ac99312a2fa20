//! Objects in memory, changed by instructions with the semantics of sync-engine 1.3.
//!
//! Application is strict: what Realm calls a bad changeset is an error here, so a merge that lets
//! through what it should have discarded is noticed even where the states happen to agree. A link
//! stays when its target goes, and is live again when an object with that key comes: it dangles
//! exactly while the target is absent (design 4).
//!
//! Written for classes with scalar and link properties; other instructions are an error.

use std::collections::BTreeMap;

use skerry_model::{
    CollectionType, Instruction, Link, Name, ObjectId, ObjectKey, ObjectRef, Path, Payload,
    PropertyType, TableKind, Timestamp, Uuid, Value,
};

/// Why an instruction cannot be applied: "bad changeset".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChangeset {
    /// The class does not exist.
    #[error("no class \"{0}\"")]
    NoClass(Name),
    /// The object does not exist.
    #[error("no object {0:?}")]
    NoObject(ObjectRef),
    /// The property does not exist.
    #[error("no property \"{0}.{1}\"")]
    NoProperty(Name, Name),
    /// The class or property exists with another definition.
    #[error("another definition of {0:?}")]
    OtherDefinition(Box<Instruction>),
    /// A value or key that the property does not take.
    #[error("wrong type in {0:?}")]
    WrongType(Box<Instruction>),
    /// A kind of instruction or payload that this state does not hold.
    #[error("not held here: {0:?}")]
    NotHeld(Box<Instruction>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    ty: PropertyType,
    nullable: bool,
    target: Option<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    kind: TableKind,
    columns: BTreeMap<Name, Column>,
    objects: BTreeMap<ObjectKey, BTreeMap<Name, Value>>,
}

/// Classes, objects and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    tables: BTreeMap<Name, Table>,
}

/// Properties by name of the objects by key of the classes by name.
pub type Visible = BTreeMap<Name, BTreeMap<ObjectKey, BTreeMap<Name, Value>>>;

impl State {
    /// Applies the instructions in order; stops at the first that cannot be applied.
    pub fn apply_all<'a>(
        &mut self,
        instructions: impl IntoIterator<Item = &'a Instruction>,
    ) -> Result<(), BadChangeset> {
        instructions.into_iter().try_for_each(|instruction| self.apply(instruction))
    }

    /// Applies one instruction.
    pub fn apply(&mut self, instruction: &Instruction) -> Result<(), BadChangeset> {
        match instruction {
            Instruction::AddTable { class, kind } => self.add_table(instruction, class, kind),
            Instruction::AddColumn { .. } => self.add_column(instruction),
            Instruction::CreateObject { object } => self.create(instruction, object),
            Instruction::EraseObject { object } => {
                self.table_mut(&object.class)?.objects.remove(&object.key);
                Ok(())
            }
            Instruction::Update { path, value: Payload::Value(value), .. } => {
                let column = self.column(path)?;
                if !column.takes(value) {
                    return Err(BadChangeset::WrongType(instruction.clone().into()));
                }
                *self.place(instruction, path)? = value.clone();
                Ok(())
            }
            Instruction::AddInteger { path, value } => match self.place(instruction, path)? {
                Value::Int(int) => {
                    *int = int.wrapping_add(*value);
                    Ok(())
                }
                Value::Null => Ok(()),
                _ => Err(BadChangeset::WrongType(instruction.clone().into())),
            },
            Instruction::Update { .. }
            | Instruction::EraseTable { .. }
            | Instruction::EraseColumn { .. }
            | Instruction::ArrayInsert { .. }
            | Instruction::ArrayMove { .. }
            | Instruction::ArrayErase { .. }
            | Instruction::Clear { .. }
            | Instruction::SetInsert { .. }
            | Instruction::SetErase { .. } => {
                Err(BadChangeset::NotHeld(instruction.clone().into()))
            }
        }
    }

    /// Whether the object exists.
    pub fn contains(&self, class: &Name, key: &ObjectKey) -> bool {
        self.tables.get(class).is_some_and(|table| table.objects.contains_key(key))
    }

    /// A value, also of a dangling link; `None` when the object or property does not exist.
    pub fn value(&self, class: &Name, key: &ObjectKey, field: &Name) -> Option<&Value> {
        self.tables.get(class)?.objects.get(key)?.get(field)
    }

    /// The properties that hold a link to the object, in the order of classes, keys and names.
    pub fn links_to(&self, class: &Name, key: &ObjectKey) -> Vec<Path> {
        let target = Value::Link(Link { class: class.clone(), key: key.clone() });
        let mut links = Vec::new();
        for (source, table) in &self.tables {
            for (key, values) in &table.objects {
                let object = || ObjectRef::new(source.clone(), key.clone());
                let holders = values.iter().filter(|(_, value)| **value == target);
                links.extend(holders.map(|(field, _)| Path::property(object(), field.clone())));
            }
        }
        links
    }

    /// What a user sees: the primary key among the properties, and null for a dangling link.
    pub fn visible(&self) -> Visible {
        let objects = |table: &Table| {
            let seen = table.objects.iter().map(|(key, values)| {
                let mut seen: BTreeMap<Name, Value> =
                    values.iter().map(|(name, value)| (name.clone(), self.seen(value))).collect();
                if let TableKind::TopLevel { pk_field, .. } = &table.kind {
                    seen.insert(pk_field.clone(), key.clone().into());
                }
                (key.clone(), seen)
            });
            seen.collect()
        };
        self.tables.iter().map(|(name, table)| (name.clone(), objects(table))).collect()
    }

    fn seen(&self, value: &Value) -> Value {
        match value {
            Value::Link(link) if !self.contains(&link.class, &link.key) => Value::Null,
            value => value.clone(),
        }
    }

    fn table_mut(&mut self, class: &Name) -> Result<&mut Table, BadChangeset> {
        self.tables.get_mut(class).ok_or_else(|| BadChangeset::NoClass(class.clone()))
    }

    fn column(&self, path: &Path) -> Result<&Column, BadChangeset> {
        let class = &path.object.class;
        let table = self.tables.get(class).ok_or_else(|| BadChangeset::NoClass(class.clone()))?;
        let missing = || BadChangeset::NoProperty(class.clone(), path.field.clone());
        table.columns.get(&path.field).ok_or_else(missing)
    }

    fn place(&mut self, by: &Instruction, path: &Path) -> Result<&mut Value, BadChangeset> {
        self.column(path)?;
        if !path.elements.is_empty() {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        }
        let object = self.table_mut(&path.object.class)?.objects.get_mut(&path.object.key);
        let values = object.ok_or_else(|| BadChangeset::NoObject(path.object.clone()))?;
        Ok(values.get_mut(&path.field).expect("an object has a value for every column"))
    }

    fn add_table(
        &mut self,
        by: &Instruction,
        class: &Name,
        kind: &TableKind,
    ) -> Result<(), BadChangeset> {
        let new =
            || Table { kind: kind.clone(), columns: BTreeMap::new(), objects: BTreeMap::new() };
        let table = self.tables.entry(class.clone()).or_insert_with(new);
        if table.kind == *kind {
            Ok(())
        } else {
            Err(BadChangeset::OtherDefinition(by.clone().into()))
        }
    }

    fn add_column(&mut self, by: &Instruction) -> Result<(), BadChangeset> {
        let Instruction::AddColumn { class, field, ty, nullable, collection, target, .. } = by
        else {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        };
        if *collection != CollectionType::Single {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        }
        if let Some(target) = target
            && !self.tables.contains_key(target)
        {
            return Err(BadChangeset::NoClass(target.clone()));
        }
        let new = Column { ty: *ty, nullable: *nullable, target: target.clone() };
        let initial = new.initial();
        let table = self.table_mut(class)?;
        match table.columns.get(field) {
            Some(column) if (column.ty, &column.target) == (new.ty, &new.target) => Ok(()),
            Some(_) => Err(BadChangeset::OtherDefinition(by.clone().into())),
            None => {
                table.columns.insert(field.clone(), new);
                for values in table.objects.values_mut() {
                    values.insert(field.clone(), initial.clone());
                }
                Ok(())
            }
        }
    }

    fn create(&mut self, by: &Instruction, object: &ObjectRef) -> Result<(), BadChangeset> {
        let table = self.table_mut(&object.class)?;
        let TableKind::TopLevel { pk_type, pk_nullable, .. } = &table.kind else {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        };
        let key = Column { ty: *pk_type, nullable: *pk_nullable, target: None };
        if !key.takes(&object.key.clone().into()) {
            return Err(BadChangeset::WrongType(by.clone().into()));
        }
        let columns = &table.columns;
        table.objects.entry(object.key.clone()).or_insert_with(|| {
            columns.iter().map(|(name, column)| (name.clone(), column.initial())).collect()
        });
        Ok(())
    }
}

impl Column {
    fn takes(&self, value: &Value) -> bool {
        let mixed = self.ty == PropertyType::Mixed;
        match value {
            Value::Null => self.nullable || mixed,
            Value::Link(link) => {
                mixed || self.ty == PropertyType::Link && self.target.as_ref() == Some(&link.class)
            }
            Value::Int(_) => mixed || self.ty == PropertyType::Int,
            Value::Bool(_) => mixed || self.ty == PropertyType::Bool,
            Value::String(_) => mixed || self.ty == PropertyType::String,
            Value::Binary(_) => mixed || self.ty == PropertyType::Binary,
            Value::Timestamp(_) => mixed || self.ty == PropertyType::Timestamp,
            Value::Float(_) => mixed || self.ty == PropertyType::Float,
            Value::Double(_) => mixed || self.ty == PropertyType::Double,
            Value::Decimal(_) => mixed || self.ty == PropertyType::Decimal,
            Value::ObjectId(_) => mixed || self.ty == PropertyType::ObjectId,
            Value::Uuid(_) => mixed || self.ty == PropertyType::Uuid,
        }
    }

    fn initial(&self) -> Value {
        if self.nullable {
            return Value::Null;
        }
        match self.ty {
            PropertyType::Mixed | PropertyType::Link | PropertyType::GlobalKey => Value::Null,
            PropertyType::Int => Value::Int(0),
            PropertyType::Bool => Value::Bool(false),
            PropertyType::String => Value::string(""),
            PropertyType::Binary => Value::binary([]),
            PropertyType::Timestamp => Value::Timestamp(Timestamp::from_unix_ms(0)),
            PropertyType::Float => Value::Float(0.0),
            PropertyType::Double => Value::Double(0.0),
            PropertyType::Decimal => Value::Decimal(0.into()),
            PropertyType::ObjectId => Value::ObjectId(ObjectId([0; 12])),
            PropertyType::Uuid => Value::Uuid(Uuid([0; 16])),
        }
    }
}
