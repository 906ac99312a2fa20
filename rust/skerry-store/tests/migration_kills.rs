//! A process that migrates a file is killed at moments that nobody chose: the file is the old one or
//! the new one, to the last row of the last table.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use skerry_model::{
    ClassSchema, CollectionType, Content, Name, ObjectKey, Property, PropertyType, Schema, Stamp,
    Value,
};
use skerry_store::Realm;
use skerry_store::connection::Synchronous;
use skerry_store::objects::Plan;
use skerry_store::realm::{Opened, Options, UpdatePolicy};

const KILLS: u32 = 60;
const SEED: u64 = 0x5eed_0002;
const OBJECTS: i64 = 120;
const TIMEOUT: Duration = Duration::from_secs(20);
/// Tells the child which file to migrate.
const FILE: &str = "SKERRY_TEST_MIGRATED_FILE";

fn options(properties: Vec<Property>) -> Options {
    let key = Property::scalar("_id", PropertyType::Int, false);
    let properties = std::iter::once(key).chain(properties).collect();
    let (name, primary_key) = ("Item".into(), "_id".into());
    let class = ClassSchema { name, primary_key, properties, embedded: false };
    let schema = Schema::new([class]).unwrap();
    Options {
        schema,
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: 1 << 20,
        encryption_key: None,
    }
}

fn before() -> Options {
    options(vec![
        Property::scalar("count", PropertyType::Int, false),
        Property::scalar("gone", PropertyType::String, false),
        Property::collection("peers", CollectionType::List, PropertyType::Mixed, true),
    ])
}

fn after() -> Options {
    options(vec![
        Property::scalar("count", PropertyType::Double, false),
        Property::scalar("fresh", PropertyType::String, true),
        Property::collection("peers", CollectionType::List, PropertyType::Mixed, true),
    ])
}

fn change(path: &Path, options: &Options, version: u64) -> Box<skerry_store::realm::SchemaChange> {
    match Realm::open_versioned(path, options, version, TIMEOUT).unwrap() {
        Opened::Change(change) => change,
        Opened::Ready(_) => panic!("the file has version {version}"),
    }
}

fn make(path: &Path) {
    let mut change = change(path, &before(), 1);
    change.apply(Plan::default()).unwrap();
    let mut write = change.finish().unwrap().write;
    let class = Name::from("Item");
    for key in 0..OBJECTS {
        let values = [("count".into(), Value::Int(key)), ("gone".into(), Value::string("x"))];
        write.create(&class, &ObjectKey::Int(key), &values, &[], UpdatePolicy::Error).unwrap();
        let link = Value::link("Item", ObjectKey::Int(key / 2));
        let peers = Content::List(vec![Content::Value(link)]);
        write.put(&class, &ObjectKey::Int(key), &"peers".into(), peers).unwrap();
    }
    write.commit(Stamp(1)).unwrap();
}

/// The migration; `tell` is called before each of its parts.
fn migrate(path: &Path, tell: &mut dyn FnMut()) {
    let mut change = change(path, &after(), 2);
    let keys = (0..OBJECTS).map(|key| (ObjectKey::Int(key), ObjectKey::Int(OBJECTS - key)));
    let plan = Plan { keys: [("Item".into(), keys.collect())].into(), ..Plan::default() };
    tell();
    change.apply(plan).unwrap();
    tell();
    while change.step(7).unwrap() {
        tell();
    }
    let changed = change.finish().unwrap();
    tell();
    let mut write = changed.write;
    for key in 1..=OBJECTS {
        let fresh = Value::string("fresh").into();
        write.put(&"Item".into(), &ObjectKey::Int(key), &"fresh".into(), fresh).unwrap();
        if key % 10 == 0 {
            tell();
        }
    }
    tell();
    write.commit(Stamp(2)).unwrap();
    tell();
}

/// Every row of every table, and the definitions.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let health: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let mut lines = vec![health];
    let mut tables =
        connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let tables: Vec<(String, Option<String>)> = tables.map(Result::unwrap).collect();
    for (name, sql) in tables {
        lines.push(format!("{name} {sql:?}"));
        if !sql.is_some_and(|sql| sql.starts_with("CREATE TABLE")) {
            continue;
        }
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap()));
            lines.push(values.collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

/// The process that is killed; does nothing in an ordinary run of the tests.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let mut output = std::io::stdout();
    migrate(&PathBuf::from(path), &mut || {
        writeln!(output, "part").unwrap();
        output.flush().unwrap();
    });
}

/// Starts a migration, and kills it after some of its parts.
fn run_and_kill(path: &Path, parts: u64, micros: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).filter(|line| line.contains("part"));
    let _told = told.take(usize::try_from(parts).unwrap()).count();
    let until = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_migration_leaves_the_old_file_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original.realm");
    make(&original);
    let migrated = dir.path().join("migrated.realm");
    std::fs::copy(&original, &migrated).unwrap();
    migrate(&migrated, &mut || {});
    let (old, new) = (dump(&original), dump(&migrated));
    assert_ne!(old, new);
    let mut state = SEED;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (state >> 33) % bound
    };
    let (mut olds, mut news) = (0, 0);
    for kill in 0..KILLS {
        let path = dir.path().join(format!("{kill}.realm"));
        std::fs::copy(&original, &path).unwrap();
        // There are 36 parts; the last kills come after the end.
        run_and_kill(&path, below(38), below(1500));
        let found = dump(&path);
        olds += u32::from(found == old);
        news += u32::from(found == new);
        assert_eq!(olds + news, kill + 1, "kill {kill} of seed {SEED:#x} left a mixture");
        // Whatever was left, the program starts again and ends with the new file.
        if found == old {
            migrate(&path, &mut || {});
            assert_eq!(dump(&path), new, "kill {kill} of seed {SEED:#x}");
        }
    }
    assert!(olds > 5 && news > 0, "killed before ({olds}) and after ({news}) the commit");
}
