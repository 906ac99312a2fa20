//! Declared indexes: they come and go with the schema. What they find is the business of
//! `full_text.rs` and `queries.rs`.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::notes::{Step, local, schema, tables};
use rusqlite::Connection;
use skerry_model::{IndexKind, Instruction, Schema};
use skerry_store::realm::Options;
use skerry_store::{ObjectTables, Realm};

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

#[test]
fn indexes_come_and_go_with_the_schema_of_the_declared_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let open = |schema: Schema| {
        let realm = Realm::open(&path, &local(schema)).unwrap();
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
    let open =
        |schema: Schema| Realm::open(&path, &Options { synced: true, ..local(schema) }).unwrap();
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
