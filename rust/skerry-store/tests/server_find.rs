//! Finding objects in the server's store: what SQL decides is what the evaluator decides, page by page.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::borrow::Cow;

use common::*;
use skerry_model::{Content, Name, ObjectKey, Salt, Value};
use skerry_query::{Argument, NoObjects, PropertyRef, Query, Row};
use skerry_store::connection::Synchronous;
use skerry_store::server::{SqliteStore, Store, StoredObject};

const QUERIES: [&str; 12] = [
    "TRUEPREDICATE",
    "FALSEPREDICATE",
    "int <= 4",
    "next == nil OR int == 3",
    "int > 3 OR string BEGINSWITH[c] 'A'",
    "int BETWEEN {2, 7} AND string CONTAINS 'b'",
    "NOT (int IN {1, 3, 5} OR double >= 2.5)",
    "_id == 6",
    "_id > 3 AND next != nil",
    "double < 2 AND int > 20",
    "next == nil",
    "next == $0",
];

struct Found<'a>(&'a StoredObject);

impl Row for Found<'_> {
    fn key(&self) -> &ObjectKey {
        &self.0.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        Cow::Borrowed(&self.0.values[property.index])
    }
}

fn filled(path: &std::path::Path) -> SqliteStore {
    let mut store = SqliteStore::open(path, Synchronous::Normal, Salt(7)).unwrap();
    let mut txn = store.begin().unwrap();
    let (connection, mut scratch) = (rusqlite::Connection::open_in_memory().unwrap(), None);
    skerry_store::ObjectTables::create(&connection).unwrap();
    let tables = scratch.insert(skerry_store::ObjectTables::open(&connection).unwrap());
    txn.apply_schema(&tables.ensure_schema(&connection, &schema()).unwrap()).unwrap();
    for number in [5, 1, 8, 3, 9, 2, 7, 4, 6, 0] {
        let object = all(number);
        let mut instructions = vec![
            create(object.clone()),
            set(object.clone(), "int", Value::Int(number * 3 % 10)),
            set(object.clone(), "double", Value::Double(if number == 4 { f64::NAN } else { 1.5 })),
            set(
                object.clone(),
                "string",
                Value::string(["ab", "Abc", "c"][usize::from(number > 3)]),
            ),
        ];
        if number % 2 == 0 {
            instructions.push(set(object.clone(), "int?", Value::Int(number)));
            // Of object 10 there is only this link.
            instructions.push(set(object.clone(), "next", link(all(number + 2))));
        } else {
            instructions.push(set(object, "string?", Value::string("x")));
        }
        txn.apply(&instructions).unwrap();
    }
    txn.commit().unwrap();
    store
}

#[test]
fn what_is_found_and_counted_is_what_the_evaluator_takes() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("server.db"));
    let snapshot = store.snapshot().unwrap();
    let (class, schema) = (Name::from("All"), snapshot.schema().unwrap());
    let everything = Query::compile(&schema, &class, "TRUEPREDICATE", &[]).unwrap().predicate;
    let all_objects = snapshot.find(&class, &everything, 0, usize::MAX).unwrap().objects;
    assert_eq!(all_objects.len(), 10);
    for text in QUERIES {
        let arguments = [Argument::Value(link(all(10)))];
        let predicate = Query::compile(&schema, &class, text, &arguments).unwrap().predicate;
        let expected: Vec<&ObjectKey> = all_objects
            .iter()
            .filter(|object| predicate.matches(&Found(object), &NoObjects))
            .map(|object| &object.key)
            .collect();
        for limit in [1, 3, usize::MAX] {
            let (mut keys, mut after) = (Vec::new(), Some(0));
            while let Some(position) = after {
                let page = snapshot.find(&class, &predicate, position, limit).unwrap();
                assert!(page.objects.len() <= limit);
                keys.extend(page.objects.into_iter().map(|object| object.key));
                after = page.next;
            }
            assert_eq!(keys.iter().collect::<Vec<_>>(), expected, "{text}, pages of {limit}");
        }
        let count = snapshot.count(&class, &predicate).unwrap();
        assert_eq!(count, u64::try_from(expected.len()).unwrap(), "{text}");
    }
}

#[test]
fn a_snapshot_stays_as_it_was_and_the_next_one_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(&folder.path().join("server.db"));
    let count = |store: &SqliteStore| {
        let snapshot = store.snapshot().unwrap();
        let schema = snapshot.schema().unwrap();
        let query = Query::compile(&schema, &Name::from("All"), "int >= 0", &[]).unwrap();
        (snapshot.count(&"All".into(), &query.predicate).unwrap(), snapshot, query.predicate)
    };
    let (before, snapshot, predicate) = count(&store);
    drop(count(&store));
    let mut txn = store.begin().unwrap();
    txn.apply(&[erase(all(1))]).unwrap();
    txn.commit().unwrap();
    assert_eq!(snapshot.count(&"All".into(), &predicate).unwrap(), before);
    drop(snapshot);
    // Connections are used again; what they saw before is not.
    assert_eq!(count(&store).0, before - 1);
}
