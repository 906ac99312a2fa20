//! Objects with indexes, most of all with a full-text index, and changes of them.

use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{
    ClassSchema, IndexKind, Instruction, ObjectKey, ObjectRef, Property, PropertyType, Schema,
    Value,
};
use skerry_query::TextQuery;
use skerry_store::ObjectTables;
use skerry_store::connection::Synchronous;
use skerry_store::objects::register_functions;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES};

/// Class `Note` with a property of each kind that can have an index; class `Other` with one.
pub fn schema(indexes: &[(&str, &str, IndexKind)]) -> Schema {
    let note = ClassSchema {
        name: "Note".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("text", PropertyType::String, true),
            Property::scalar("title", PropertyType::String, false),
            Property::scalar("size", PropertyType::Int, false),
            Property::scalar("at", PropertyType::Timestamp, true),
            Property::scalar("any", PropertyType::Mixed, true),
        ],
        embedded: false,
    };
    let other = ClassSchema {
        name: "Other".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("text", PropertyType::String, false),
        ],
        embedded: false,
    };
    let schema = Schema::new([note, other]).unwrap();
    indexes.iter().fold(schema, |schema, (class, property, kind)| {
        schema.with_index(*class, *property, *kind).unwrap()
    })
}

pub fn tables(indexes: &[(&str, &str, IndexKind)]) -> (Connection, ObjectTables) {
    let connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "trusted_schema", false).unwrap();
    register_functions(&connection).unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    let schema = schema(indexes);
    tables.ensure_schema(&connection, &schema).unwrap();
    tables.ensure_indexes(&connection, &schema).unwrap();
    tables.declare(&schema);
    (connection, tables)
}

pub fn note(key: i64) -> ObjectRef {
    ObjectRef::new("Note", ObjectKey::Int(key))
}

/// What the index finds, in order of insertion.
pub fn search(connection: &Connection, tables: &ObjectTables, query: &TextQuery) -> Vec<i64> {
    let table = tables.catalogue().class("Note").unwrap();
    let (condition, parameters) = table.text_search(&"text".into(), query).unwrap();
    let sql = format!("SELECT p0 FROM {} WHERE {condition} ORDER BY row_id", table.table());
    let mut statement = connection.prepare(&sql).unwrap();
    let keys = statement.query_map(parameters, |row| row.get(0)).unwrap();
    keys.collect::<Result<_, _>>().unwrap()
}

/// What a scan finds.
pub fn scan(connection: &Connection, tables: &ObjectTables, query: &TextQuery) -> Vec<i64> {
    let mut found = Vec::new();
    tables
        .for_each(connection, &"Note".into(), |values| {
            let text = match values[1].as_value().unwrap() {
                Value::String(text) => Some(&**text),
                _ => None,
            };
            if query.matches(text)
                && let Some(Value::Int(key)) = values[0].as_value()
            {
                found.push(*key);
            }
            Ok(())
        })
        .unwrap();
    found
}

#[derive(Clone, Debug)]
pub enum Step {
    Create(i64, Option<String>),
    Set(i64, Option<String>),
    Erase(i64),
}

impl Step {
    pub fn instructions(&self) -> Vec<Instruction> {
        let value = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::string);
        match self {
            Self::Create(key, text) => {
                vec![super::create(note(*key)), super::set(note(*key), "text", value(text))]
            }
            Self::Set(key, text) => vec![super::set(note(*key), "text", value(text))],
            Self::Erase(key) => vec![super::erase(note(*key))],
        }
    }
}

pub fn step() -> impl Strategy<Value = Step> {
    let text = || prop::option::weighted(0.8, "([abAé×ß日\0 .\"]|ab|and|or){0,8}");
    prop_oneof![
        3 => (0..6_i64, text()).prop_map(|(key, text)| Step::Create(key, text)),
        2 => (0..6_i64, text()).prop_map(|(key, text)| Step::Set(key, text)),
        1 => (0..6_i64).prop_map(Step::Erase),
    ]
}

pub fn query() -> impl Strategy<Value = TextQuery> {
    let word = prop_oneof!["-?[abé×ß]{1,3}\\*?", "\\*|-|!|日", "and|or|not|near|\"a\""];
    let words = prop::collection::vec(word, 1..4);
    words.prop_filter_map("no search", |words| TextQuery::parse(&words.join(" ")).ok())
}

/// How to open a local file with that schema.
pub fn local(schema: Schema) -> Options {
    let (synchronous, query_cache_bytes) = (Synchronous::Full, QUERY_CACHE_DEFAULT_BYTES);
    Options { schema, synced: false, synchronous, query_cache_bytes, encryption_key: None }
}
