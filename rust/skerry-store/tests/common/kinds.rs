//! A schema with every kind of property, and objects in memory to compare with.

use std::collections::BTreeMap;

use rusqlite::Connection;
use skerry_model::{
    ClassSchema, CollectionType, Content, Instruction, Link, Name, ObjectKey, ObjectRef, Path,
    Property, PropertyType, Schema, Value,
};
use skerry_store::ObjectTables;

pub const THINGS: i64 = 3;

/// Class `Thing` has every kind of property, `Part` is embedded, and `Other` has keys of text.
pub fn kinds() -> Schema {
    let thing = ClassSchema {
        name: "Thing".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("int", PropertyType::Int, true),
            Property::scalar("float", PropertyType::Float, false),
            Property::link("peer", "Thing"),
            Property::collection("ints", CollectionType::List, PropertyType::Int, false),
            Property::collection("texts", CollectionType::List, PropertyType::String, true),
            Property::links("peers", CollectionType::List, "Thing"),
            Property::collection("set", CollectionType::Set, PropertyType::Mixed, true),
            Property::links("peer set", CollectionType::Set, "Thing"),
            Property::collection("map", CollectionType::Dictionary, PropertyType::Mixed, true),
            Property::links("peer map", CollectionType::Dictionary, "Thing"),
            Property::links("part map", CollectionType::Dictionary, "Part"),
            Property::link("part", "Part"),
            Property::links("parts", CollectionType::List, "Part"),
            Property::scalar("mixed", PropertyType::Mixed, true),
        ],
        embedded: false,
    };
    let part = ClassSchema {
        name: "Part".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("size", PropertyType::Int, false),
            Property::link("owner", "Thing"),
            Property::links("peers", CollectionType::List, "Thing"),
            Property::collection("tags", CollectionType::Set, PropertyType::String, false),
            Property::link("part", "Part"),
            Property::scalar("mixed", PropertyType::Mixed, true),
        ],
        embedded: true,
    };
    let other = ClassSchema {
        name: "Other".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::String, false),
            Property::link("thing", "Thing"),
        ],
        embedded: false,
    };
    Schema::new([thing, part, other]).unwrap()
}

pub fn thing(key: i64) -> ObjectRef {
    ObjectRef::new("Thing", ObjectKey::Int(key))
}

pub fn other(key: &str) -> ObjectRef {
    ObjectRef::new("Other", ObjectKey::String(key.into()))
}

/// Contents of objects, in the order of properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory(pub BTreeMap<ObjectRef, Vec<Content>>);

pub fn path_of(instruction: &Instruction) -> Option<&Path> {
    match instruction {
        Instruction::Update { path, .. }
        | Instruction::AddInteger { path, .. }
        | Instruction::ArrayInsert { path, .. }
        | Instruction::ArrayMove { path, .. }
        | Instruction::ArrayErase { path, .. }
        | Instruction::Clear { path, .. }
        | Instruction::SetInsert { path, .. }
        | Instruction::SetErase { path, .. } => Some(path),
        _ => None,
    }
}

impl Memory {
    pub fn apply(&mut self, schema: &Schema, instructions: &[Instruction]) {
        for instruction in instructions {
            match instruction {
                Instruction::CreateObject { object } => {
                    let class = schema.class(&object.class).unwrap();
                    let key = Content::Value(object.key.clone().into());
                    let zeros = class.properties.iter().skip(1).map(Property::zero);
                    let zeros = std::iter::once(key).chain(zeros).collect();
                    self.0.entry(object.clone()).or_insert(zeros);
                }
                Instruction::EraseObject { object } => {
                    self.0.remove(object);
                }
                other => {
                    let path = path_of(other).unwrap();
                    let class = schema.class(&path.object.class).unwrap();
                    let position = class.position(&path.field).unwrap();
                    let held = &mut self.0.get_mut(&path.object).unwrap()[position];
                    held.apply(schema, &class.properties[position], other).unwrap();
                }
            }
        }
    }

    pub fn content(&self, schema: &Schema, object: &ObjectRef, field: &str) -> Option<&Content> {
        let position = schema.class(&object.class)?.position(field)?;
        self.0.get(object).map(|contents| &contents[position])
    }

    /// What an application sees of an object.
    pub fn seen(&self, schema: &Schema, object: &ObjectRef) -> Option<Vec<Content>> {
        let class = schema.class(&object.class)?;
        let mut exists = |link: &Link| {
            let target = ObjectRef { class: link.class.clone(), key: link.key.clone() };
            self.0.contains_key(&target)
        };
        let contents = class.properties.iter().zip(self.0.get(object)?);
        Some(contents.map(|(property, one)| one.seen(schema, property, &mut exists)).collect())
    }
}

/// Everything that the tables hold, links to absent objects as links.
pub fn stored(connection: &Connection, tables: &ObjectTables) -> Memory {
    let mut memory = Memory::default();
    for class in ["Other", "Thing"].map(Name::from) {
        for key in tables.keys(connection, &class).unwrap() {
            let contents = tables.read_object(connection, &class, &key).unwrap().unwrap();
            memory.0.insert(ObjectRef { class: class.clone(), key }, contents);
        }
    }
    memory
}

/// What [`ObjectTables::holders`] should say, by looking at everything.
pub fn scan_for_holders(
    connection: &Connection,
    tables: &ObjectTables,
    target: &ObjectRef,
) -> Vec<(ObjectRef, Name)> {
    let link = Link { class: target.class.clone(), key: target.key.clone() };
    let mut found = Vec::new();
    for class in ["Other", "Thing"].map(Name::from) {
        let properties = kinds().class(&class).unwrap().properties.clone();
        for (position, property) in properties.iter().enumerate() {
            for key in tables.keys(connection, &class).unwrap() {
                let contents = tables.read_object(connection, &class, &key).unwrap().unwrap();
                let mut holds = false;
                contents[position].for_each_link(&mut |one| holds |= *one == link);
                if holds {
                    let holder = ObjectRef { class: class.clone(), key };
                    found.push((holder, property.name.clone()));
                }
            }
        }
    }
    found
}

pub fn link_to(object: &ObjectRef) -> Value {
    Value::link(object.class.clone(), object.key.clone())
}
