//! A process that writes is killed many times, at moments that nobody chose. Every transaction that
//! it acknowledged is there, none is there by half, and history and objects tell the same story.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

#[allow(dead_code, reason = "the part about several writers")]
mod ledger;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use skerry_model::{ClientVersion, Content, Name, ObjectKey, Value, decode_changeset, unpack};
use skerry_store::{ObjectTables, Realm};

use ledger::*;

const KILLS: u32 = 60;
const SEED: u64 = 0x5eed_0001;

/// Numbers that differ from kill to kill.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.0 >> 33) % bound
    }
}

/// Runs the writer until it has acknowledged some transactions and a little longer, kills it, and
/// returns the last acknowledged one.
fn run_and_kill(path: &Path, random: &mut Random, acknowledged: i64) -> i64 {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_skerry-store-crash-writer"))
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut last = acknowledged;
    for _ in 0..random.below(12) {
        last = lines.next().unwrap().unwrap().parse().unwrap();
    }
    // Into the middle of whatever it does next, opening and recovering included.
    let until = Instant::now() + Duration::from_micros(random.below(8000));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What was printed before the end counts, if the line is whole.
    for line in lines {
        last = line.unwrap().parse().unwrap_or(last);
    }
    last
}

type Objects = BTreeMap<(Name, ObjectKey), Vec<Content>>;

fn objects_of(realm: &Realm) -> Objects {
    let snapshot = realm.snapshot().unwrap();
    let mut objects = Objects::new();
    for class in [entry_class(), counter_class(), remote_class()] {
        for key in snapshot.keys(&class).unwrap() {
            let values = snapshot.get(&class, &key).unwrap().unwrap();
            objects.insert((class.clone(), key), values);
        }
    }
    objects
}

/// What the transactions up to `newest` give.
fn expected_objects(newest: i64) -> Objects {
    let mut objects = Objects::new();
    let mut put = |class: Name, key: ObjectKey, value: Option<Value>| {
        let values = std::iter::once(Value::from(key.clone())).chain(value);
        let values = values.map(Content::Value).collect();
        objects.insert((class, key), values);
    };
    let is_local = |n: i64| n % 3 != 0;
    // The one that deletes the entries of n is n + LIFETIME, if that is a local one.
    let is_deleted = |n: i64| is_local(n + LIFETIME) && n + LIFETIME <= newest;
    for n in 1..=newest {
        if !is_local(n) {
            put(remote_class(), ObjectKey::Int(n), None);
        } else if !is_deleted(n) {
            for key in n * ENTRIES..(n + 1) * ENTRIES {
                put(entry_class(), ObjectKey::Int(key), Some(payload(key)));
            }
        }
    }
    if let Some(count) = (1..=newest).rev().find(|n| is_local(*n)) {
        put(counter_class(), counter_key(), Some(Value::Int(count)));
    }
    objects
}

/// The objects that the history's changesets make of nothing.
fn replayed_objects(realm: &Realm) -> Objects {
    let connection = Connection::open_in_memory().unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    let uploads = realm.uploads(ClientVersion(0), None, usize::MAX).unwrap();
    for entry in uploads.entries {
        let changeset = unpack(&entry.changeset, 1 << 24).and_then(|b| decode_changeset(&b));
        tables.apply_changeset(&connection, &changeset.unwrap()).unwrap();
    }
    let mut objects = Objects::new();
    for class in [entry_class(), counter_class()] {
        if tables.catalogue().class(&class).is_none() {
            continue;
        }
        for key in tables.keys(&connection, &class).unwrap() {
            let values = tables.read_object(&connection, &class, &key).unwrap().unwrap();
            objects.insert((class.clone(), key), values);
        }
    }
    objects
}

/// Checks everything there is to check; the newest transaction, or what is wrong.
fn check(path: &Path, acknowledged: i64) -> Result<i64, String> {
    let realm = open(path).map_err(|error| error.to_string())?;
    let newest = newest(&realm).map_err(|error| error.to_string())?;
    if newest < acknowledged {
        return Err(format!("{acknowledged} was acknowledged, {newest} is the newest"));
    }
    if newest > acknowledged + 1 {
        return Err(format!("{newest} was never acknowledged, nor begun after {acknowledged}"));
    }
    let objects = objects_of(&realm);
    let expected = expected_objects(newest);
    if objects != expected {
        let missing = expected.keys().filter(|key| !objects.contains_key(key));
        let missing: Vec<_> = missing.collect();
        return Err(format!("{newest} is there by half: missing {missing:?}"));
    }
    let mut local = objects;
    local.retain(|(class, _), _| *class != remote_class());
    if replayed_objects(&realm) != local {
        return Err("the history tells another story than the objects".to_owned());
    }
    let cursor = realm.progress().unwrap().sync.download_server_version.0;
    if cursor != newest - newest % 3 {
        return Err(format!("the download cursor is {cursor} at transaction {newest}"));
    }
    let connection = connect(path);
    let health: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if health == "ok" { Ok(newest) } else { Err(health) }
}

/// A connection past the store, which must see the same.
fn connect(path: &Path) -> Connection {
    match key_of(path) {
        Some(key) => {
            let (name, flags) = (format!("file:{}", path.display()), OpenFlags::default());
            skerry_vault::open(&name, flags, &key).unwrap()
        }
        None => Connection::open(path).unwrap(),
    }
}

#[test]
fn every_acknowledged_transaction_survives_a_kill_and_none_by_half() {
    survive("a.realm", KILLS);
}

#[test]
fn so_it_does_in_an_encrypted_file() {
    survive(SEALED_NAME, KILLS / 2);
}

fn survive(name: &str, kills: u32) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut random = Random(SEED);
    let mut newest = 0;
    for kill in 0..kills {
        let acknowledged = run_and_kill(&path, &mut random, newest);
        newest = match check(&path, acknowledged) {
            Ok(newest) => newest,
            Err(wrong) => panic!("kill {kill} of seed {SEED:#x}: {wrong}"),
        };
    }
    assert!(newest > i64::from(kills), "the writer got somewhere between the kills: {newest}");
}

/// A file with some transactions in it, damaged by `statement`.
fn damaged(dir: &Path, statement: &str) -> Result<i64, String> {
    let path = dir.join("damaged.realm");
    let realm = open(&path).unwrap();
    for n in newest(&realm).unwrap() + 1..=25 {
        commit(&realm, n).unwrap();
    }
    drop(realm);
    assert_eq!(check(&path, 25), Ok(25), "whole before");
    let changed = Connection::open(&path).unwrap().execute(statement, []).unwrap();
    assert!(changed > 0, "{statement}");
    check(&path, 25)
}

#[test]
fn the_check_finds_a_half_commit() {
    let last_entry = 26 * ENTRIES - 1;
    for statement in [
        format!("DELETE FROM o2 WHERE p0 = {last_entry}"),
        format!("UPDATE o2 SET p1 = x'00' WHERE p0 = {last_entry}"),
        "UPDATE o1 SET p1 = 24".to_owned(),
        "DELETE FROM o3 WHERE p0 = 24".to_owned(),
        "UPDATE progress SET download_server_version = 21".to_owned(),
        "DELETE FROM history WHERE version = (SELECT max(version) FROM history WHERE origin = 0)"
            .to_owned(),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let found = damaged(dir.path(), &statement);
        assert!(found.is_err(), "{statement} was not noticed");
    }
}

#[test]
fn the_check_finds_a_lost_and_a_ghost_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path).unwrap();
    for n in 1..=5 {
        commit(&realm, n).unwrap();
    }
    drop(realm);
    assert_eq!(check(&path, 5), Ok(5));
    assert_eq!(check(&path, 4), Ok(5), "committed, and killed before it could say so");
    assert!(check(&path, 6).is_err());
    assert!(check(&path, 3).is_err());
}
