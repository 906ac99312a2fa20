//! A schema with every type, and short ways to write instructions.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use rusqlite::Connection;
use skerry_model::{
    ClassSchema, Instruction, ObjectKey, ObjectRef, Path, Payload, Property, PropertyType, Schema,
    UpdateSide, Value,
};
use skerry_store::ObjectTables;

pub const SCALARS: [(&str, PropertyType); 9] = [
    ("int", PropertyType::Int),
    ("bool", PropertyType::Bool),
    ("double", PropertyType::Double),
    ("string", PropertyType::String),
    ("data", PropertyType::Binary),
    ("date", PropertyType::Timestamp),
    ("oid", PropertyType::ObjectId),
    ("uuid", PropertyType::Uuid),
    ("decimal", PropertyType::Decimal),
];

/// Class `All` has each scalar type twice (`int` and the nullable `int?`) and a link to itself.
pub fn schema() -> Schema {
    let mut properties = vec![Property::scalar("_id", PropertyType::Int, false)];
    for (name, ty) in SCALARS {
        properties.push(Property::scalar(name, ty, false));
        properties.push(Property::scalar(format!("{name}?"), ty, true));
    }
    properties.push(Property::link("next", "All"));
    let all =
        ClassSchema { embedded: false, name: "All".into(), primary_key: "_id".into(), properties };
    let named = ClassSchema {
        embedded: false,
        name: "Named".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::String, true),
            Property::link("peer", "Named"),
            Property::link("all", "All"),
        ],
    };
    Schema::new([all, named]).unwrap()
}

pub fn memory_tables() -> (Connection, ObjectTables) {
    memory_tables_of(&schema())
}

pub fn memory_tables_of(schema: &Schema) -> (Connection, ObjectTables) {
    let connection = Connection::open_in_memory().unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    tables.ensure_schema(&connection, schema).unwrap();
    tables.declare(schema);
    (connection, tables)
}

pub fn all(key: i64) -> ObjectRef {
    ObjectRef::new("All", ObjectKey::Int(key))
}

pub fn named(key: &str) -> ObjectRef {
    ObjectRef::new("Named", ObjectKey::String(key.into()))
}

pub fn create(object: ObjectRef) -> Instruction {
    Instruction::CreateObject { object }
}

pub fn erase(object: ObjectRef) -> Instruction {
    Instruction::EraseObject { object }
}

pub fn set(object: ObjectRef, field: &str, value: Value) -> Instruction {
    let path = Path::property(object, field);
    Instruction::Update { path, value: Payload::Value(value), side: UpdateSide::IsDefault(false) }
}

pub fn add(object: ObjectRef, field: &str, value: i64) -> Instruction {
    Instruction::AddInteger { path: Path::property(object, field), value }
}

pub fn link(object: ObjectRef) -> Value {
    Value::link(object.class, object.key)
}

pub mod kinds;
pub mod notes;
pub mod realms;
