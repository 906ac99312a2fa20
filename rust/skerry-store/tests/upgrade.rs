//! Files of older formats: a writer brings them up to date, and everything in them stays.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path as FilePath;

use common::realms::*;
use rusqlite::Connection;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    ClassSchema, CollectionType, Content, IndexKind, ObjectKey, ObjectRef, Path, Property,
    PropertyType, Salt, Schema, Stamp, Value, ValueSet,
};
use skerry_query::{Predicate, TextQuery};
use skerry_store::connection::{FileKind, Synchronous, open_reader};
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, UpdatePolicy};
use skerry_store::server::{SqliteStore, Store};
use skerry_store::{Location, Realm, StoreError};

/// The catalogue of format 1, with class `Item` and two objects.
const OBJECTS: &str = "
CREATE TABLE class (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE property (
    class_id INTEGER NOT NULL REFERENCES class (id),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    nullable INTEGER NOT NULL,
    target TEXT,
    is_primary_key INTEGER NOT NULL,
    PRIMARY KEY (class_id, number),
    UNIQUE (class_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO class (name) VALUES ('Item');
INSERT INTO property VALUES (1, 0, '_id', 'int', 0, NULL, 1);
INSERT INTO property VALUES (1, 1, 'name', 'string', 1, NULL, 0);
INSERT INTO property VALUES (1, 2, 'next', 'object', 1, 'Item', 0);
CREATE TABLE o1 (row_id INTEGER PRIMARY KEY, p0 ANY NOT NULL) STRICT;
CREATE UNIQUE INDEX o1_key ON o1 (p0);
ALTER TABLE o1 ADD COLUMN p1 ANY DEFAULT NULL;
ALTER TABLE o1 ADD COLUMN p2 ANY DEFAULT NULL;
CREATE INDEX o1_p2 ON o1 (p2) WHERE p2 IS NOT NULL;
INSERT INTO o1 (p0, p1, p2) VALUES (7, 'seven', 8), (8, NULL, NULL);
";

const REALM: &str = "
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1), is_synced INTEGER NOT NULL, version INTEGER NOT NULL,
    last_stamp INTEGER NOT NULL, file_ident INTEGER NOT NULL, file_salt INTEGER NOT NULL,
    download_server_version INTEGER NOT NULL, download_client_version INTEGER NOT NULL,
    upload_client_version INTEGER NOT NULL, upload_server_version INTEGER NOT NULL,
    latest_server_version INTEGER NOT NULL, latest_salt INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);
CREATE TABLE history (
    version INTEGER PRIMARY KEY, origin INTEGER NOT NULL, stamp INTEGER NOT NULL,
    remote_version INTEGER NOT NULL, changeset BLOB NOT NULL, reciprocal BLOB
) STRICT;
PRAGMA application_id = 0x534B5259;
PRAGMA user_version = 1;
";

const SERVER: &str = "
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO state VALUES ('salt', 4);
CREATE TABLE history (
    version INTEGER PRIMARY KEY, origin INTEGER NOT NULL, client_version INTEGER NOT NULL,
    stamp INTEGER NOT NULL, only_for INTEGER, schema BLOB, rejected BLOB
) STRICT;
INSERT INTO history (version, origin, client_version, stamp) VALUES (1, 1, 0, 0);
PRAGMA application_id = 0x534B5253;
PRAGMA user_version = 1;
";

fn make(path: &FilePath, rest: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    connection.execute_batch(OBJECTS).unwrap();
    connection.execute_batch(rest).unwrap();
}

/// The class of the file, with a set beyond it.
fn schema() -> Schema {
    let properties = vec![
        Property::scalar("_id", PropertyType::Int, false),
        Property::scalar("name", PropertyType::String, true),
        Property::link("next", "Item"),
        Property::collection("tags", CollectionType::Set, PropertyType::String, false),
    ];
    let (name, primary_key) = ("Item".into(), "_id".into());
    Schema::new([ClassSchema { name, primary_key, properties, embedded: false }]).unwrap()
}

fn item(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

#[test]
fn a_realm_of_format_1_is_upgraded_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, REALM);
    let refused = open_reader(&Location::new(&path, None), FileKind::Realm);
    assert!(matches!(refused, Err(StoreError::UpgradeNeeded { found: 1, .. })), "{refused:?}");

    let options = Options {
        schema: schema(),
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(&path, &options).unwrap();
    let object = item(7);
    let read = |realm: &Realm| realm.snapshot().unwrap().get(&object.class, &object.key).unwrap();
    let link = common::link(item(8));
    let no_tags = Content::Set(ValueSet::default());
    let expected = [Value::Int(7).into(), Value::string("seven").into(), link.into(), no_tags];
    assert_eq!(read(&realm).unwrap(), expected);

    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    let path_of_tags = Path::property(item(7), "tags");
    let edit = Edit::SetInsert(Value::string("new"));
    txn.edit(&Op::At { path: path_of_tags, edit }).unwrap();
    txn.commit(Stamp(1)).unwrap();
    realm.close();
    let realm = Realm::open(&path, &options).unwrap();
    let tags = Content::Set([Value::string("new")].into_iter().collect());
    assert_eq!(read(&realm).unwrap()[3], tags);
    open_reader(&Location::new(&path, None), FileKind::Realm).unwrap();
}

#[test]
fn a_realm_of_format_2_is_upgraded_and_can_have_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let options = Options {
        schema: schema(),
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(&path, &options).unwrap();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    let (class, key) = ("Item".into(), ObjectKey::Int(1));
    let name = [("name".into(), Value::string("the one"))];
    txn.create(&class, &key, &name, &[], UpdatePolicy::Error).unwrap();
    txn.commit(Stamp(1)).unwrap();
    realm.close();
    let connection = Connection::open(&path).unwrap();
    // All that later formats have beyond format 2, as long as nothing is indexed.
    connection
        .execute_batch("ALTER TABLE property DROP COLUMN indexed; DROP TABLE changed")
        .unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);

    let indexed = schema().with_index("Item", "name", IndexKind::FullText).unwrap();
    let realm = Realm::open(&path, &Options { schema: indexed, ..options }).unwrap();
    let snapshot = realm.snapshot().unwrap();
    let table = snapshot.tables().catalogue().class("Item").unwrap();
    let query = TextQuery::parse("one").unwrap();
    let (condition, parameters) = table.text_search(&"name".into(), &query).unwrap();
    let sql = format!("SELECT p0 FROM o1 WHERE {condition}");
    let connection = open_reader(&Location::new(&path, None), FileKind::Realm).unwrap();
    let found: i64 = connection.query_row(&sql, parameters, |row| row.get(0)).unwrap();
    assert_eq!(found, 1);
}

#[test]
fn what_format_3_says_of_commits_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let options = Options {
        schema: schema(),
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(&path, &options).unwrap();
    let create = |realm: &Realm, key| {
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        let (class, key) = ("Item".into(), ObjectKey::Int(key));
        txn.create(&class, &key, &[], &[], UpdatePolicy::Error).unwrap();
        txn.commit(Stamp(1)).unwrap();
    };
    create(&realm, 1);
    realm.close();
    let connection = Connection::open(&path).unwrap();
    // An entry of format 3: class, number of ranges, and one range.
    connection.execute("UPDATE changed SET rows = x'01010100'", []).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let realm = Realm::open(&path, &options).unwrap();
    let count = || {
        connection
            .query_row("SELECT count(*) FROM changed", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(count(), 0);
    create(&realm, 2);
    assert_eq!(count(), 1);
    assert_eq!(realm.snapshot().unwrap().keys(&"Item".into()).unwrap().len(), 2);
    open_reader(&Location::new(&path, None), FileKind::Realm).unwrap();
}

#[test]
fn a_server_store_of_format_1_is_upgraded_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("skerry.db");
    make(&path, SERVER);
    let mut store = SqliteStore::open(&path, Synchronous::Full, Salt(9)).unwrap();
    assert_eq!(store.snapshot().unwrap().salt().unwrap(), Salt(4), "the history goes on");
    let mut txn = store.begin().unwrap();
    assert!(txn.apply_schema(&schema().instructions()).unwrap());
    let path_of_tags = Path::property(item(8), "tags");
    let value = Value::string("x");
    txn.apply(&[skerry_model::Instruction::SetInsert { path: path_of_tags, value }]).unwrap();
    txn.commit().unwrap();
    drop(store);
    let store = SqliteStore::open(&path, Synchronous::Full, Salt(9)).unwrap();
    let found = store.snapshot().unwrap().find(&"Item".into(), &Predicate::True, 0, 9).unwrap();
    assert_eq!(found.objects.len(), 2);
    assert_eq!(found.objects[0].values[1], Value::string("seven"));
    assert_eq!(
        found.objects[1].values[3],
        Content::Set([Value::string("x")].into_iter().collect())
    );
}

#[test]
fn an_upgrade_that_fails_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, REALM);
    // Somebody's own table stands where the side table would.
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE content_link (x INTEGER) STRICT").unwrap();
    drop(foreign);
    let options = Options {
        schema: schema(),
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    assert!(Realm::open(&path, &options).is_err());
    let connection = Connection::open(&path).unwrap();
    let format: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(format, 1);
    let columns = connection.prepare("SELECT * FROM class").unwrap().column_count();
    assert_eq!(columns, 2);
}
