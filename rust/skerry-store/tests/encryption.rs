//! Encrypted realm files: their keys, their copies, their damage. What the pages are kept in is tested in
//! skerry-vault, and kills in `crash.rs`.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::realms::*;
use common::*;
use proptest::prelude::*;
use skerry_model::{Name, ObjectKey, Stamp, Value};
use skerry_store::inspect::{Depth, Inspector};
use skerry_store::realm::{Opened, Options};
use skerry_store::{EncryptionKey, FileFault, Location, Realm, StoreError, files};

const SECRET: &str = "Nobody may read this without the key.";
const OBJECTS: i64 = 30;

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::new(&[byte; 64]).unwrap()
}

fn sealed(synced: bool, byte: u8) -> Options {
    Options { encryption_key: Some(key(byte)), ..options(synced) }
}

fn at(path: &Path, byte: u8) -> Location {
    Location::new(path, Some(key(byte)))
}

/// A closed local file.
fn make(path: &Path, options: &Options) {
    let realm = Realm::open(path, options).unwrap();
    for key in 0..OBJECTS {
        let values = [("string", Value::string(SECRET)), ("next", link(all(key - 1)))];
        write(&realm, key, |txn| create_all(txn, key, &values));
    }
}

fn count(path: &Path, options: &Options) -> Result<usize, StoreError> {
    let realm = Realm::open(path, options)?;
    let snapshot = realm.snapshot()?;
    let class = Name::from("All");
    let keys = snapshot.keys(&class)?;
    for key in &keys {
        snapshot.get(&class, key)?;
    }
    snapshot.query(&class, "string BEGINSWITH 'Nobody' SORT(_id DESC)", &[])?;
    Ok(keys.len())
}

#[test]
fn every_way_into_a_file_asks_for_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, &sealed(false, 1));
    let before = std::fs::read(&path).unwrap();
    for (options, wanted) in
        [(sealed(false, 2), FileFault::WrongKey), (options(false), FileFault::Encrypted)]
    {
        let location = Location::new(&path, options.encryption_key.clone());
        assert_eq!(fault(&path, Realm::open(&path, &options)), wanted);
        assert_eq!(fault(&path, Realm::open_read_only(&path, &options, None)), wanted);
        let versioned = Realm::open_versioned(&path, &options, 1, Duration::ZERO);
        assert_eq!(fault(&path, versioned), wanted);
        assert_eq!(fault(&path, files::size(&location)), wanted);
        assert_eq!(fault(&path, files::compact(&location)), wanted);
        assert_eq!(fault(&path, files::delete(&location)), wanted);
        let canonical = path.canonicalize().unwrap();
        let inspected = Inspector::open(&path, options.encryption_key);
        assert_eq!(fault(&canonical, inspected), wanted);
    }
    assert!(before == std::fs::read(&path).unwrap(), "a refusal changes nothing");
    assert_eq!(count(&path, &sealed(false, 1)).unwrap(), 30);

    let plain = dir.path().join("plain.realm");
    make(&plain, &options(false));
    let opened = Realm::open(&plain, &sealed(false, 1));
    assert_eq!(fault(&plain, opened), FileFault::NotEncrypted);
    assert_eq!(count(&plain, &options(false)).unwrap(), 30);
}

#[test]
fn a_refused_key_costs_nothing_to_those_who_have_the_file_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = Realm::open(&path, &sealed(false, 1)).unwrap();
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    assert_eq!(fault(&path, Realm::open(&path, &options(false))), FileFault::Encrypted);
    assert_eq!(fault(&path, Realm::open(&path, &sealed(false, 2))), FileFault::WrongKey);
    // A lost lock would let others take the file for one that nobody uses.
    assert_eq!(fault(&path, files::delete(&at(&path, 1))), FileFault::InUse);
    assert!(!files::compact(&at(&path, 1)).unwrap());
    write(&realm, 2, |txn| create_all(txn, 2, &[]));
    drop(realm);
    assert_eq!(count(&path, &sealed(false, 1)).unwrap(), 2);
}

#[test]
fn copies_change_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, &sealed(false, 1));
    let realm = Realm::open(&path, &sealed(false, 1)).unwrap();
    let (other, plain) = (dir.path().join("other.realm"), dir.path().join("plain.realm"));
    realm.write_copy(&at(&other, 2), Some(3)).unwrap();
    assert_eq!(fault(&other, Realm::open(&other, &sealed(false, 1))), FileFault::WrongKey);
    assert_eq!(count(&other, &sealed(false, 2)).unwrap(), 30);
    realm.write_copy(&Location::new(&plain, None), None).unwrap();
    assert_eq!(count(&plain, &options(false)).unwrap(), 30);
    // Byte 20 is what each page reserves: a plain one has nothing to put there.
    assert_eq!(std::fs::read(&plain).unwrap()[20], 0);
    let back = dir.path().join("back.realm");
    let realm = Realm::open(&plain, &options(false)).unwrap();
    realm.write_copy(&at(&back, 4), None).unwrap();
    assert_eq!(count(&back, &sealed(false, 4)).unwrap(), 30);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let has = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        let is_plain = file.file_name().unwrap().to_str().unwrap().starts_with("plain");
        assert!(is_plain || !has, "{file:?}");
    }
    // A synced file may be encrypted as well, and its copy is a local one.
    let synced = dir.path().join("synced.realm");
    drop(Realm::open(&synced, &sealed(true, 1)).unwrap());
    let local = dir.path().join("local.realm");
    let realm = Realm::open(&synced, &sealed(true, 1)).unwrap();
    realm.set_file_ident(skerry_model::FileIdent(7), skerry_model::Salt(5)).unwrap();
    assert_eq!(realm.progress().unwrap().file_ident.0, 7);
    drop(realm);
    let realm = Realm::open_read_only(&synced, &sealed(true, 1), None).unwrap();
    assert_eq!(realm.progress().unwrap().file_ident.0, 7);
    assert!(!local.exists());
}

#[test]
fn what_is_done_to_files_is_done_to_encrypted_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path, &sealed(false, 1));
    let realm = Realm::open(&path, &sealed(false, 1)).unwrap();
    for n in 0..20 {
        let text = Value::string("x".repeat(20_000));
        write(&realm, 100 + n, |txn| create_all(txn, 1000 + n, &[("string", text)]));
    }
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    for n in 0..20 {
        txn.delete(&"All".into(), &ObjectKey::Int(1000 + n)).unwrap();
    }
    txn.commit(Stamp(500)).unwrap();
    drop(realm);
    let before = files::size(&at(&path, 1)).unwrap().unwrap();
    assert!(before.used_bytes * 2 < before.total_bytes, "{before:?}");
    assert!(files::compact(&at(&path, 1)).unwrap());
    let after = files::size(&at(&path, 1)).unwrap().unwrap();
    assert_eq!(after.used_bytes, after.total_bytes);
    // The page before the database is the only one more.
    assert_eq!(std::fs::metadata(&path).unwrap().len(), after.total_bytes + 4096);
    assert_eq!(count(&path, &sealed(false, 1)).unwrap(), 30);

    let inspector = Inspector::open(&path, Some(key(1))).unwrap();
    assert_eq!(inspector.check(10).unwrap(), []);
    inspector.report(Depth::Everything).unwrap();

    match Realm::open_versioned(&path, &sealed(false, 1), 1, TIMEOUT).unwrap() {
        Opened::Change(change) => drop(change),
        Opened::Ready(_) => panic!("the schema version is another"),
    }
    let bundle = dir.path().join("bundle.realm");
    std::fs::copy(&path, &bundle).unwrap();
    let other = dir.path().join("other.realm");
    assert!(files::install::<StoreError>(&bundle, &other, |_| Ok(())).unwrap());
    assert_eq!(count(&other, &sealed(false, 1)).unwrap(), 30);
    assert!(files::delete(&at(&path, 1)).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_nothing_is_damaged_and_not_wrongly_keyed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    std::fs::write(&path, "no database at all".repeat(500)).unwrap();
    let opened = Realm::open(&path, &sealed(false, 1));
    assert!(matches!(opened, Err(StoreError::Corrupted { file, .. }) if file == path));
    assert!(files::delete(&at(&path, 1)).unwrap());
    assert!(!path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn damage_is_told_from_a_wrong_key(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        make(&path, &sealed(false, 1));
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Some(cut) = cut {
            // The page before the database alone is a file that is just being made.
            bytes.truncate(4097 + cut.index(bytes.len() - 4097));
        }
        std::fs::write(&path, &bytes).unwrap();
        match count(&path, &sealed(false, 1)) {
            Ok(count) => prop_assert_eq!(count, 30),
            Err(StoreError::Corrupted { file, .. }) => prop_assert_eq!(file, path),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
