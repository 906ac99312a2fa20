//! Migrations that are refused, each by the name of what is wrong, and what their plans can say.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path;
use std::time::Duration;

use skerry_model::{
    ClassSchema, Content, IndexKind, Name, ObjectKey, Property, PropertyType, Schema, Stamp, Value,
};
use skerry_store::connection::Synchronous;
use skerry_store::objects::{Nulls, Plan};
use skerry_store::realm::{ChangeKind, Changed, Opened, Options, SchemaChange, UpdatePolicy};
use skerry_store::{FileFault, Realm, StoreError};

const TIMEOUT: Duration = Duration::from_secs(20);

fn class(name: &str, key: (&str, PropertyType), others: Vec<Property>) -> ClassSchema {
    let key = Property::scalar(key.0, key.1, false);
    let primary_key = key.name.clone();
    let properties = std::iter::once(key).chain(others).collect();
    ClassSchema { name: name.into(), primary_key, properties, embedded: false }
}

fn item(others: Vec<Property>) -> ClassSchema {
    class("Item", ("_id", PropertyType::Int), others)
}

fn options(schema: Schema) -> Options {
    Options {
        schema,
        synced: false,
        synchronous: Synchronous::Normal,
        query_cache_bytes: 1 << 20,
        encryption_key: None,
    }
}

fn open(path: &Path, classes: Vec<ClassSchema>, version: u64) -> Result<Opened, StoreError> {
    Realm::open_versioned(path, &options(Schema::new(classes).unwrap()), version, TIMEOUT)
}

fn change(path: &Path, classes: Vec<ClassSchema>, version: u64) -> Box<SchemaChange> {
    match open(path, classes, version).unwrap() {
        Opened::Change(change) => change,
        Opened::Ready(_) => panic!("nothing is to be changed"),
    }
}

fn run(mut change: Box<SchemaChange>, plan: Plan) -> Result<Changed, StoreError> {
    change.apply(plan)?;
    while change.step(100)? {}
    change.finish()
}

fn migrate(path: &Path, classes: Vec<ClassSchema>, plan: Plan) -> Result<Realm, StoreError> {
    let changed = run(change(path, classes, 2), plan)?;
    changed.write.commit(Stamp(2))?;
    Ok(changed.realm)
}

/// Makes a file of version 1 with some items.
fn make(path: &Path, classes: Vec<ClassSchema>, items: &[(i64, &[(&str, Value)])]) {
    let mut changed = run(change(path, classes, 1), Plan::default()).unwrap();
    for (key, values) in items {
        let values: Vec<(Name, Value)> =
            values.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect();
        let created = changed.write.create(
            &"Item".into(),
            &ObjectKey::Int(*key),
            &values,
            &[],
            UpdatePolicy::Error,
        );
        created.unwrap();
    }
    changed.write.commit(Stamp(1)).unwrap();
}

fn fault<T: std::fmt::Debug>(path: &Path, result: Result<T, StoreError>) -> FileFault {
    match result {
        Err(StoreError::File { file, fault }) => {
            assert_eq!(file, path);
            fault
        }
        other => panic!("{other:?}"),
    }
}

fn reason<T: std::fmt::Debug>(path: &Path, result: Result<T, StoreError>) -> String {
    let fault = fault(path, result);
    assert!(matches!(fault, FileFault::Migration { .. }), "{fault:?}");
    fault.to_string()
}

fn text(name: &str, nullable: bool) -> Property {
    Property::scalar(name, PropertyType::String, nullable)
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, vec![item(vec![])], &[]);
    let refused = fault(&path, open(&path, vec![item(vec![])], 0));
    assert_eq!(refused, FileFault::SchemaVersionTooLow { found: 1, wanted: 0 });
}

#[test]
fn what_is_no_addition_needs_another_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, vec![item(vec![text("name", false)])], &[]);
    for (classes, what) in [
        (vec![item(vec![])], "\"Item.name\": the file has it, the schema does not"),
        (vec![item(vec![text("name", true)])], "\"Item.name\": nullable false becomes true"),
        (
            vec![item(vec![Property::scalar("name", PropertyType::Int, false)])],
            "\"Item.name\": type String becomes Int",
        ),
        (
            vec![class("Item", ("name", PropertyType::String), vec![])],
            "\"Item\": primary key \"_id\" becomes \"name\"",
        ),
    ] {
        let refused = fault(&path, open(&path, classes, 1));
        assert!(matches!(refused, FileFault::MigrationNeeded { version: 1, .. }), "{refused:?}");
        assert!(refused.to_string().contains(what), "{refused}");
        assert!(refused.to_string().contains("set schema_version to 2 or more"), "{refused}");
    }
    let mut more = change(&path, vec![item(vec![text("name", false), text("more", true)])], 1);
    assert_eq!(more.kind(), ChangeKind::Addition);
    assert!(more.take_before().is_some());
}

#[test]
fn a_class_that_the_schema_lacks_is_kept_unless_it_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let other = || class("Other", ("_id", PropertyType::Int), vec![Property::link("item", "Item")]);
    make(&path, vec![item(vec![]), other()], &[(1, &[])]);
    let Opened::Ready(realm) = open(&path, vec![item(vec![])], 1).unwrap() else {
        panic!("part of the classes is no change")
    };
    realm.close();
    let plan = Plan { dropped: ["Item".into()].into(), ..Plan::default() };
    let refused = reason(&path, run(change(&path, vec![], 2), plan));
    assert!(
        refused.contains("\"Other.item\": it links to \"Item\", which is deleted"),
        "{refused}"
    );

    let plan = Plan { dropped: ["Other".into()].into(), ..Plan::default() };
    let realm = migrate(&path, vec![item(vec![text("name", true)])], plan).unwrap();
    let snapshot = realm.snapshot().unwrap();
    assert!(snapshot.tables().catalogue().class("Other").is_none());
    let row = snapshot.get(&"Item".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row, [Content::Value(Value::Int(1)), Content::NULL]);
}

#[test]
fn two_objects_of_one_new_key_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let (a, b) = (Value::string("same"), Value::string("other"));
    let items: &[(i64, &[(&str, Value)])] =
        &[(1, &[("code", a.clone())]), (2, &[("code", b)]), (3, &[("code", a)])];
    make(&path, vec![item(vec![text("code", false)])], items);
    let by_code = || vec![class("Item", ("code", PropertyType::String), vec![])];
    let refused = reason(&path, run(change(&path, by_code(), 2), Plan::default()));
    assert!(
        refused.contains("\"Item.code\": two objects would have the primary key String(\"same\")"),
        "{refused}"
    );

    let by_uuid = || vec![class("Item", ("uuid", PropertyType::Uuid), vec![])];
    let refused = reason(&path, run(change(&path, by_uuid(), 2), Plan::default()));
    assert!(refused.contains("\"Item\": its primary key \"_id\" of type Int becomes"), "{refused}");

    let keys = |keys: &[(i64, i64)]| {
        let keys = keys.iter().map(|(from, to)| (ObjectKey::Int(*from), ObjectKey::Int(*to)));
        Plan { keys: [("Item".into(), keys.collect())].into(), ..Plan::default() }
    };
    let same = || vec![item(vec![text("code", false)])];
    let refused = reason(&path, run(change(&path, same(), 2), keys(&[(1, 2), (2, 3)])));
    assert!(refused.contains("the object with key Int(3) gets no new key"), "{refused}");
    let realm = migrate(&path, same(), keys(&[(1, 2), (2, 3), (3, 1)])).unwrap();
    let snapshot = realm.snapshot().unwrap();
    let row = snapshot.get(&"Item".into(), &ObjectKey::Int(3)).unwrap().unwrap();
    assert_eq!(row[1], Value::string("other"), "they have swapped their keys");
}

#[test]
fn a_key_that_becomes_another_property_takes_the_links_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let others = vec![text("code", false), Property::link("next", "Item")];
    let to = |key| Value::link("Item", ObjectKey::Int(key));
    let items: &[(i64, &[(&str, Value)])] = &[
        (1, &[("code", Value::string("a")), ("next", to(2))]),
        (2, &[("code", Value::string("b")), ("next", to(9))]),
    ];
    make(&path, vec![item(others)], items);
    let others =
        vec![Property::scalar("_id", PropertyType::Int, false), Property::link("next", "Item")];
    let by_code = vec![class("Item", ("code", PropertyType::String), others)];
    let realm = migrate(&path, by_code, Plan::default()).unwrap();
    let snapshot = realm.snapshot().unwrap();
    let row = snapshot.get(&"Item".into(), &ObjectKey::String("a".into())).unwrap().unwrap();
    let next = Value::link("Item", ObjectKey::String("b".into()));
    assert_eq!(row, [Value::string("a").into(), Value::Int(1).into(), Content::Value(next)]);
    let row = snapshot.get(&"Item".into(), &ObjectKey::String("b".into())).unwrap().unwrap();
    assert_eq!(row[2], Content::NULL, "what linked to nothing links to nothing");
}

#[test]
fn nulls_that_cannot_stay_are_refused_unless_somebody_fills_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let named = |nullable| vec![item(vec![text("name", nullable)])];
    make(&path, named(true), &[(1, &[("name", Value::string("x"))]), (2, &[])]);
    let refused = reason(&path, run(change(&path, named(false), 2), Plan::default()));
    assert!(refused.contains("\"Item.name\": the object with key Int(2) has null"), "{refused}");

    let plan = Plan { nulls: Nulls::Zero, ..Plan::default() };
    let realm = migrate(&path, named(false), plan).unwrap();
    let snapshot = realm.snapshot().unwrap();
    let name =
        |key| snapshot.get(&"Item".into(), &ObjectKey::Int(key)).unwrap().unwrap()[1].clone();
    assert_eq!((name(1), name(2)), (Value::string("x").into(), Value::string("").into()));
}

#[test]
fn renames_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(
        &path,
        vec![item(vec![text("a", false)]), class("Old", ("_id", PropertyType::Int), vec![])],
        &[],
    );
    let classes =
        || vec![item(vec![text("b", false)]), class("New", ("_id", PropertyType::Int), vec![])];
    let renamed = |from: &str, to: &str| Plan {
        classes: [(from.into(), to.into())].into(),
        ..Plan::default()
    };
    let property = |class: &str, from: &str, to: &str| {
        let properties = [((class.into(), from.into()), to.into())].into();
        Plan { properties, ..Plan::default() }
    };
    for (plan, what) in [
        (renamed("Nothing", "New"), "\"Nothing\": it is renamed, but the file does not have it"),
        (
            renamed("Old", "Nothing"),
            "\"Nothing\": \"Old\" is renamed to it, but the schema lacks it",
        ),
        (renamed("Old", "Item"), "\"Item\": \"Old\" is renamed to it, but it is there already"),
        (property("Item", "x", "b"), "\"Item.x\": it is renamed, but the file does not have it"),
        (property("Item", "a", "x"), "\"Item.x\": a property is renamed to it"),
        (property("New", "a", "b"), "\"New.a\": it is renamed, but the class is not both"),
    ] {
        let refused = reason(&path, run(change(&path, classes(), 2), plan));
        assert!(refused.contains(what), "{refused}");
    }
    migrate(&path, classes(), property("Item", "a", "b")).unwrap();
}

#[test]
fn who_has_the_file_open_learns_that_it_was_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, vec![item(vec![text("name", false)])], &[(1, &[("name", Value::string("x"))])]);
    let Opened::Ready(other) = open(&path, vec![item(vec![text("name", false)])], 1).unwrap()
    else {
        panic!("it has the schema")
    };
    let snapshot = other.snapshot().unwrap();
    // An addition does not concern it.
    let added = vec![item(vec![text("name", false), text("more", true)])];
    run(change(&path, added, 1), Plan::default()).unwrap().write.commit(Stamp(2)).unwrap();
    other.snapshot().unwrap();
    migrate(&path, vec![item(vec![])], Plan::default()).unwrap();
    let refused = fault(&path, other.snapshot().map(|_| ()));
    assert_eq!(refused, FileFault::SchemaReplaced);
    let refused = fault(&path, other.begin_write(TIMEOUT).map(|_| ()));
    assert_eq!(refused, FileFault::SchemaReplaced);
    let row = snapshot.get(&"Item".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row[1], Value::string("x"), "what it was reading it reads on");
}

#[test]
fn indexes_follow_their_properties() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let indexed = |name: &str, kind| {
        let schema = Schema::new(vec![item(vec![text(name, false), text("other", false)])]);
        options(schema.unwrap().with_index("Item", name, kind).unwrap())
    };
    let opened = Realm::open_versioned(&path, &indexed("a", IndexKind::FullText), 1, TIMEOUT);
    let Opened::Change(first) = opened.unwrap() else { panic!("it is new") };
    let mut changed = run(first, Plan::default()).unwrap();
    let values = [("a".into(), Value::string("some words"))];
    let key = ObjectKey::Int(1);
    changed.write.create(&"Item".into(), &key, &values, &[], UpdatePolicy::Error).unwrap();
    changed.write.commit(Stamp(1)).unwrap();
    let opened = Realm::open_versioned(&path, &indexed("b", IndexKind::FullText), 2, TIMEOUT);
    let Opened::Change(second) = opened.unwrap() else { panic!("another version") };
    let properties = [(("Item".into(), "a".into()), "b".into())].into();
    let changed = run(second, Plan { properties, ..Plan::default() }).unwrap();
    changed.write.commit(Stamp(2)).unwrap();
    let snapshot = changed.realm.snapshot().unwrap();
    assert_eq!(snapshot.count(&"Item".into(), "b TEXT 'words'", &[]).unwrap(), 1);
    let opened = Realm::open_versioned(&path, &indexed("b", IndexKind::General), 2, TIMEOUT);
    let Opened::Change(third) = opened.unwrap() else { panic!("another index") };
    assert_eq!(third.kind(), ChangeKind::Addition);
}

#[test]
fn the_wait_for_another_writer_is_bounded_and_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, vec![item(vec![])], &[]);
    let migrating = change(&path, vec![item(vec![text("name", true)])], 2);
    let schema = Schema::new(vec![item(vec![text("name", true)])]).unwrap();
    let short = Duration::from_millis(20);
    match Realm::open_versioned(&path, &options(schema), 2, short) {
        Err(StoreError::LockTimeout { file, waited }) => {
            assert_eq!((file, waited), (path.clone(), short));
        }
        other => panic!("{other:?}"),
    }
    let Opened::Ready(_) = open(&path, vec![item(vec![])], 1).unwrap() else {
        panic!("the old program reads on")
    };
    drop(migrating);
    change(&path, vec![item(vec![text("name", true)])], 2);
}

#[test]
fn a_file_of_format_3_has_schema_version_0() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, vec![item(vec![text("name", false)])], &[(1, &[("name", Value::string("x"))])]);
    let connection = rusqlite::Connection::open(&path).unwrap();
    // All that format 4 has beyond format 3.
    connection.execute_batch("DROP TABLE schema_version; PRAGMA user_version = 3").unwrap();
    drop(connection);
    let Opened::Ready(realm) = open(&path, vec![item(vec![text("name", false)])], 0).unwrap()
    else {
        panic!("it has the schema")
    };
    assert_eq!(realm.schema_version().unwrap(), 0);
    realm.close();
    let renamed = [(("Item".into(), "name".into()), "title".into())].into();
    let plan = Plan { properties: renamed, ..Plan::default() };
    let realm = migrate(&path, vec![item(vec![text("title", false)])], plan).unwrap();
    assert_eq!(realm.schema_version().unwrap(), 2);
    let row = realm.snapshot().unwrap().get(&"Item".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row[1], Value::string("x"));
}

#[test]
fn an_embedded_class_can_become_one_with_objects_and_starts_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let part = |embedded| {
        let mut part = class("Part", ("_id", PropertyType::Int), vec![text("name", false)]);
        if embedded {
            part.properties.remove(0);
            part.primary_key = "".into();
            part.embedded = true;
        }
        part
    };
    let whole = || item(vec![Property::link("part", "Part")]);
    make(&path, vec![whole(), part(true)], &[(1, &[])]);
    let realm = migrate(&path, vec![whole(), part(false)], Plan::default()).unwrap();
    let row = realm.snapshot().unwrap().get(&"Item".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row[1], Content::NULL);
    let mut write = realm.begin_write(TIMEOUT).unwrap();
    write.create(&"Part".into(), &ObjectKey::Int(7), &[], &[], UpdatePolicy::Error).unwrap();
    let link = Value::link("Part", ObjectKey::Int(7));
    write.set(&"Item".into(), &ObjectKey::Int(1), &"part".into(), &link).unwrap();
    write.commit(Stamp(3)).unwrap();
    let row = realm.snapshot().unwrap().get(&"Item".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row[1], link);
}
