//! Declared indexes: they come and go with the schema, and find what a scan would find.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::realms::{TIMEOUT, write};
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{
    ClassSchema, IndexKind, Instruction, Name, ObjectKey, ObjectRef, Property, PropertyType,
    Schema, Stamp, Value,
};
use skerry_query::TextQuery;
use skerry_store::connection::Synchronous;
use skerry_store::objects::register_functions;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, UpdatePolicy};
use skerry_store::{ObjectTables, Realm};

/// Class `Note` with a property of each kind that can have an index; class `Other` with one.
fn schema(indexes: &[(&str, &str, IndexKind)]) -> Schema {
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

fn tables(indexes: &[(&str, &str, IndexKind)]) -> (Connection, ObjectTables) {
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

fn note(key: i64) -> ObjectRef {
    ObjectRef::new("Note", ObjectKey::Int(key))
}

fn index_of(tables: &ObjectTables, class: &str, property: &str) -> Option<IndexKind> {
    tables.catalogue().schema().index(&class.into(), &property.into())
}

/// Names of everything in the file that belongs to indexes of the first class.
fn traces(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE name LIKE 'o1\\_p%' ESCAPE '\\'";
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// What the index finds, in order of insertion.
fn search(connection: &Connection, tables: &ObjectTables, query: &TextQuery) -> Vec<i64> {
    let table = tables.catalogue().class("Note").unwrap();
    let (condition, parameter) = table.text_search(&"text".into(), query).unwrap();
    let sql = format!("SELECT p0 FROM {} WHERE {condition} ORDER BY row_id", table.table());
    let mut statement = connection.prepare(&sql).unwrap();
    let keys = statement.query_map([parameter], |row| row.get(0)).unwrap();
    keys.collect::<Result<_, _>>().unwrap()
}

/// What a scan finds.
fn scan(connection: &Connection, tables: &ObjectTables, query: &TextQuery) -> Vec<i64> {
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
enum Step {
    Create(i64, Option<String>),
    Set(i64, Option<String>),
    Erase(i64),
}

impl Step {
    fn instructions(&self) -> Vec<Instruction> {
        let value = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::string);
        match self {
            Self::Create(key, text) => {
                vec![common::create(note(*key)), common::set(note(*key), "text", value(text))]
            }
            Self::Set(key, text) => vec![common::set(note(*key), "text", value(text))],
            Self::Erase(key) => vec![common::erase(note(*key))],
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let text = || prop::option::weighted(0.8, "([abAé×ß日\0 .\"]|ab|and|or){0,8}");
    prop_oneof![
        3 => (0..6_i64, text()).prop_map(|(key, text)| Step::Create(key, text)),
        2 => (0..6_i64, text()).prop_map(|(key, text)| Step::Set(key, text)),
        1 => (0..6_i64).prop_map(Step::Erase),
    ]
}

fn query() -> impl Strategy<Value = TextQuery> {
    let word = prop_oneof!["-?[abé×ß]{1,3}\\*?", "\\*|-|!|日", "and|or|not|near|\"a\""];
    let words = prop::collection::vec(word, 1..4);
    words.prop_filter_map("no search", |words| TextQuery::parse(&words.join(" ")).ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_full_text_index_finds_what_a_scan_finds(
        steps in prop::collection::vec(step(), 0..20),
        made_after in 0..20_usize,
        queries in prop::collection::vec(query(), 10),
    ) {
        let (connection, mut tables) = tables(&[]);
        let indexed = schema(&[("Note", "text", IndexKind::FullText)]);
        let make = |tables: &mut ObjectTables| tables.ensure_indexes(&connection, &indexed).unwrap();
        for (number, step) in steps.iter().enumerate() {
            if number == made_after {
                make(&mut tables);
            }
            // An absent object refuses to be changed, and then nothing may be.
            drop(tables.apply_all(&connection, &step.instructions()));
        }
        make(&mut tables);
        for query in queries {
            let found = search(&connection, &tables, &query);
            prop_assert_eq!(found, scan(&connection, &tables, &query), "{:?}", query.source());
        }
    }
}

#[test]
fn a_query_searches_through_the_index() {
    let (connection, mut tables) = tables(&[("Note", "text", IndexKind::FullText)]);
    for (key, text) in [(1, "The quick fox"), (2, "quick, quick!"), (3, "a slow fox")] {
        let made = Step::Create(key, Some(text.to_owned()));
        tables.apply_all(&connection, &made.instructions()).unwrap();
    }
    // What the table of words says and the objects do not can only come from there.
    connection.execute("INSERT INTO o1_p1_words (rowid, words) VALUES (3, 'wquick')", []).unwrap();
    let count = |text: &str| {
        let query = tables.compile(&connection, &"Note".into(), text, &[]).unwrap();
        tables.count_matching(&connection, &query).unwrap()
    };
    assert_eq!(count("text TEXT 'quick'"), 3);
    assert_eq!(count("text TEXT 'QUICK -fox'"), 1);
    assert_eq!(count("NOT text TEXT 'quick' OR _id == 1"), 1);
    assert!(tables.compile(&connection, &"Note".into(), "title TEXT 'a'", &[]).is_err());
}

#[test]
fn indexes_come_and_go_with_the_schema_of_the_declared_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let open = |schema: Schema| {
        let options = Options {
            schema,
            synced: false,
            synchronous: Synchronous::Full,
            query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        };
        let realm = Realm::open(&path, &options).unwrap();
        let snapshot = realm.snapshot().unwrap();
        let tables = snapshot.tables();
        let version = snapshot.version().0;
        let found = [("Note", "text"), ("Note", "size"), ("Note", "any"), ("Other", "text")];
        (found.map(|(class, property)| index_of(tables, class, property)), version)
    };
    let (general, full_text) = (IndexKind::General, IndexKind::FullText);
    let first = schema(&[
        ("Note", "text", full_text),
        ("Note", "size", general),
        ("Note", "any", general),
        ("Other", "text", full_text),
    ]);
    let all = [Some(full_text), Some(general), Some(general), Some(full_text)];
    let (found, version) = open(first.clone());
    assert_eq!(found, all);
    assert_eq!(open(first), (all, version), "nothing to do, no commit");
    assert_eq!(open(Schema::default()), (all, version), "who declares nothing takes nothing away");

    let only_note = schema(&[]).class("Note").unwrap().clone();
    let changed = Schema::new([only_note]).unwrap().with_index("Note", "text", general).unwrap();
    let (found, later) = open(changed);
    assert_eq!(found, [Some(general), None, None, Some(full_text)]);
    assert_eq!(later, version + 1, "one commit for all of it");
    let connection = Connection::open(&path).unwrap();
    assert_eq!(traces(&connection), ["o1_p1"]);
}

#[test]
fn a_synced_file_tells_nobody_of_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let open = |schema: Schema| {
        let options = Options {
            schema,
            synced: true,
            synchronous: Synchronous::Full,
            query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        };
        Realm::open(&path, &options).unwrap()
    };
    drop(open(schema(&[])));
    let entries = || {
        let connection = Connection::open(&path).unwrap();
        connection
            .query_row("SELECT count(*) FROM history", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let before = entries();
    drop(open(schema(&[("Note", "text", IndexKind::FullText)])));
    assert_eq!(entries(), before);
}

#[test]
fn what_a_transaction_rolls_back_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let schema = schema(&[("Note", "text", IndexKind::FullText)]);
    let options = Options {
        schema,
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
    };
    let path = dir.path().join("a.realm");
    let realm = Realm::open(&path, &options).unwrap();
    let class = Name::from("Note");
    let values = |text: &str| [(Name::from("text"), Value::string(text))];
    let key = ObjectKey::Int;
    write(&realm, 1, |txn| {
        txn.create(&class, &key(1), &values("kept"), &[], UpdatePolicy::Error).unwrap();
    });
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    txn.create(&class, &key(2), &values("gone"), &[], UpdatePolicy::Error).unwrap();
    txn.delete(&class, &key(1)).unwrap();
    txn.rollback();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    txn.create(&class, &key(3), &values("also kept"), &[], UpdatePolicy::Error).unwrap();
    txn.commit(Stamp(3)).unwrap();
    let snapshot = realm.snapshot().unwrap();
    let connection = Connection::open(&path).unwrap();
    let find =
        |text: &str| search(&connection, snapshot.tables(), &TextQuery::parse(text).unwrap());
    assert_eq!(find("kept"), [1, 3]);
    assert_eq!(find("gone"), [0; 0]);
}

#[test]
fn erased_properties_and_classes_take_their_indexes_along() {
    let (connection, mut tables) = tables(&[
        ("Note", "text", IndexKind::FullText),
        ("Note", "title", IndexKind::FullText),
        ("Note", "size", IndexKind::General),
    ]);
    tables
        .apply_all(&connection, &Step::Create(1, Some("word".to_owned())).instructions())
        .unwrap();
    for field in ["text", "size"] {
        let (class, field) = ("Note".into(), field.into());
        tables.apply(&connection, &Instruction::EraseColumn { class, field }).unwrap();
    }
    assert_eq!(index_of(&tables, "Note", "text"), None);
    let left = traces(&connection);
    assert!(
        !left.is_empty() && left.iter().all(|name| name.starts_with("o1_p2_words")),
        "{left:?}"
    );
    tables.apply(&connection, &Instruction::EraseTable { class: "Note".into() }).unwrap();
    assert_eq!(traces(&connection), [""; 0]);
}

#[test]
fn a_null_key_has_no_words() {
    let keyed = ClassSchema {
        name: "Note".into(),
        primary_key: "_id".into(),
        properties: vec![Property::scalar("_id", PropertyType::String, true)],
        embedded: false,
    };
    let schema = Schema::new([keyed]).unwrap();
    let schema = schema.with_index("Note", "_id", IndexKind::FullText).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    tables.ensure_schema(&connection, &schema).unwrap();
    tables.ensure_indexes(&connection, &schema).unwrap();
    for key in [ObjectKey::Null, ObjectKey::String("a word".into())] {
        tables.apply(&connection, &common::create(ObjectRef::new("Note", key))).unwrap();
    }
    let table = tables.catalogue().class("Note").unwrap();
    for (text, expected) in [("word", 1), ("-word", 1), ("-none", 2), ("*", 1)] {
        let query = TextQuery::parse(text).unwrap();
        let (condition, parameter) = table.text_search(&"_id".into(), &query).unwrap();
        let sql = format!("SELECT count(*) FROM o1 WHERE {condition}");
        let count: i64 = connection.query_row(&sql, [parameter], |row| row.get(0)).unwrap();
        assert_eq!(count, expected, "{text}");
    }
}

#[test]
fn long_searches_are_left_to_the_evaluator() {
    let (_connection, tables) = tables(&[("Note", "text", IndexKind::FullText)]);
    let table = tables.catalogue().class("Note").unwrap();
    let words = |count: u32| (0..count).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
    let query = |count| TextQuery::parse(&words(count)).unwrap();
    let search = |property: &str, count| table.text_search(&property.into(), &query(count));
    assert!(search("text", 1000).is_some() && search("text", 1001).is_none());
    assert!(search("title", 1).is_none(), "it has no index");
}

#[test]
fn a_connection_without_the_function_cannot_make_an_index_wrong() {
    let (connection, mut tables) = tables(&[("Note", "text", IndexKind::FullText)]);
    connection.remove_function("skerry_words", 1).unwrap();
    let made =
        tables.apply_all(&connection, &Step::Create(1, Some("word".to_owned())).instructions());
    assert!(made.is_err());
}
