//! Damaged files: whatever bytes are wrong, the answer is an error or the data, never a panic.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path;

use common::realms::*;
use common::*;
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{Name, ObjectKey, Value};
use skerry_store::{Realm, StoreError};

/// A closed file, all in one piece: the log is moved into it when the last handle goes.
fn make(path: &Path) {
    let realm = subscribed(path);
    for key in 0..30 {
        let values = [("string", Value::string("x".repeat(90))), ("next", link(all(key - 1)))];
        write(&realm, key, |txn| create_all(txn, key, &values));
    }
}

/// Reads everything there is.
fn read_all(path: &Path) -> Result<usize, StoreError> {
    let realm = Realm::open(path, &options(true))?;
    realm.unacknowledged()?;
    realm.pending_bootstrap()?;
    let snapshot = realm.snapshot()?;
    snapshot.subscriptions()?;
    let mut count = 0;
    for class in ["All", "Named"].map(Name::from) {
        for key in snapshot.keys(&class)? {
            count += usize::from(snapshot.get(&class, &key)?.is_some());
        }
        snapshot.query(&class, "TRUEPREDICATE SORT(_id DESC)", &[])?;
    }
    Ok(count)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn wrong_bytes_are_an_error_or_harmless(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        make(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let count = read_all(&path);
        prop_assert!(count.as_ref().map_or(true, |count| *count <= 1000), "{:?}", count);
    }
}

#[test]
fn a_value_of_the_wrong_type_names_the_file_and_the_property() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path);
    assert_eq!(read_all(&path).unwrap(), 30);
    Connection::open(&path).unwrap().execute("UPDATE o1 SET p1 = 'x' WHERE p0 = 7", []).unwrap();
    match read_all(&path) {
        Err(StoreError::Corrupted { file, detail }) => {
            assert_eq!(file, path);
            assert!(detail.contains("property \"int\""), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_changeset_names_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path);
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE history SET changeset = x'0042' WHERE version = 9", []).unwrap();
    drop(connection);
    let realm = open(&path, true);
    match realm.unacknowledged() {
        Err(StoreError::BadStoredChangeset { version, .. }) => assert_eq!(version.0, 9),
        other => panic!("{other:?}"),
    }
    let kept = realm.snapshot().unwrap().get(&"All".into(), &ObjectKey::Int(3)).unwrap();
    assert!(kept.is_some(), "the objects are still readable");
}
