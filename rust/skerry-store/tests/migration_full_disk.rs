//! A migration on a disk that gets full, wherever that happens in it: nothing is lost, the error names
//! the file, and with room it goes through.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path;
use std::time::Duration;

use skerry_model::{
    ClassSchema, Content, Name, ObjectKey, Property, PropertyType, Schema, Stamp, Value,
};
use skerry_store::connection::Synchronous;
use skerry_store::objects::Plan;
use skerry_store::realm::{Opened, Options, SchemaChange, UpdatePolicy};
use skerry_store::{Location, Realm, StoreError, files};

const TIMEOUT: Duration = Duration::from_secs(20);
const ITEMS: i64 = 300;
const PAGE_BYTES: u64 = 4096;

fn options(number: PropertyType) -> Options {
    let item = ClassSchema {
        embedded: false,
        name: Name::from("Item"),
        primary_key: Name::from("_id"),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("number", number, false),
            Property::scalar("text", PropertyType::String, true),
        ],
    };
    let schema = Schema::new([item]).unwrap();
    Options {
        schema,
        synced: false,
        synchronous: Synchronous::Normal,
        query_cache_bytes: 1 << 20,
        encryption_key: None,
    }
}

fn change(path: &Path, number: PropertyType, version: u64) -> Box<SchemaChange> {
    match Realm::open_versioned(path, &options(number), version, TIMEOUT).unwrap() {
        Opened::Change(change) => change,
        Opened::Ready(_) => panic!("version {version} is there already"),
    }
}

fn text(key: i64) -> Value {
    Value::string(format!("{key}").repeat(20))
}

/// Carries a change out, and writes objects in it as an application does.
fn write(
    change: Box<SchemaChange>,
    keys: std::ops::Range<i64>,
    number: impl Fn(i64) -> Value,
) -> Result<(), StoreError> {
    let mut change = change;
    change.apply(Plan::default())?;
    while change.step(50)? {}
    let mut changed = change.finish()?;
    for key in keys {
        let values = [(Name::from("number"), number(key)), (Name::from("text"), text(key))];
        let class = Name::from("Item");
        changed.write.create(&class, &ObjectKey::Int(key), &values, &[], UpdatePolicy::Error)?;
    }
    changed.write.commit(Stamp(1)).map(|_version| ())
}

fn rows(path: &Path, number: PropertyType, version: u64) -> Vec<(i64, Vec<Content>)> {
    let Opened::Ready(realm) =
        Realm::open_versioned(path, &options(number), version, TIMEOUT).unwrap()
    else {
        panic!("the file is not of version {version}");
    };
    let snapshot = realm.snapshot().unwrap();
    let class = Name::from("Item");
    let row = |key| Some((key, snapshot.get(&class, &ObjectKey::Int(key)).unwrap()?));
    (0..2 * ITEMS).filter_map(row).collect()
}

fn expected(count: i64, number: impl Fn(i64) -> Value) -> Vec<(i64, Vec<Content>)> {
    let row = |key| [Value::Int(key), number(key), text(key)].map(Content::from).to_vec();
    (0..count).map(|key| (key, row(key))).collect()
}

#[test]
fn a_disk_that_is_full_at_any_page_of_a_migration_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let double = |key: i64| Value::Double(key as f64);
    write(change(&path, PropertyType::Int, 1), 0..ITEMS, Value::Int).unwrap();
    let size = files::size(&Location::new(&path, None)).unwrap().unwrap();
    let mut limit = u32::try_from(size.total_bytes / PAGE_BYTES).unwrap();
    let mut refusals = 0;
    loop {
        let change = change(&path, PropertyType::Double, 2);
        change.set_size_max_pages(limit).unwrap();
        let Err(error) = write(change, ITEMS..2 * ITEMS, double) else { break };
        assert!(matches!(&error, StoreError::DiskFull { file } if *file == path), "{error:?}");
        assert!(error.to_string().contains("make room and repeat"), "{error}");
        assert_eq!(rows(&path, PropertyType::Int, 1), expected(ITEMS, Value::Int), "limit {limit}");
        refusals += 1;
        limit += 1;
    }
    assert!(refusals > 5, "the migration needed room {refusals} times only");
    assert_eq!(rows(&path, PropertyType::Double, 2), expected(2 * ITEMS, double));
}
