//! Whole files: deleting, compacting, copying, bundled ones, those that live no longer than they are
//! open, and those that can only be read.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::realms::*;
use rusqlite::Connection;
use skerry_model::{ObjectKey, Stamp, Value};
use skerry_store::realm::{Opened, SyncAgentLock};
use skerry_store::scratch::Scratch;
use skerry_store::{FileFault, Location, Realm, StoreError, files};

const CHILD: &str = "SKERRY_TEST_SCRATCH_ROOT";

/// A plain file.
fn at(path: &Path) -> Location {
    Location::new(path, None)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A local file with some objects, and holes where others were.
fn make(path: &Path) {
    let realm = open(path, false);
    write(&realm, 1, |txn| {
        for key in 0..400 {
            create_all(txn, key, &[("string", Value::string("x".repeat(400)))]);
        }
    });
    write(&realm, 2, |txn| {
        for key in 40..400 {
            txn.delete(&"All".into(), &ObjectKey::Int(key)).unwrap();
        }
    });
}

#[test]
fn a_file_that_is_open_is_not_deleted_and_one_that_is_not_goes_with_all_that_is_its() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    assert!(!files::delete(&at(&path)).unwrap(), "there is none");
    make(&path);
    let realm = open(&path, false);
    assert_eq!(fault(&path, files::delete(&at(&path))), FileFault::InUse);
    let snapshot = realm.snapshot().unwrap();
    realm.close();
    assert_eq!(fault(&path, files::delete(&at(&path))), FileFault::InUse, "it is still read");
    drop(snapshot);
    drop(realm);
    let agent = SyncAgentLock::try_acquire(&path).unwrap().unwrap();
    assert_eq!(fault(&path, files::delete(&at(&path))), FileFault::InUse, "it has a sync agent");
    drop(agent);
    assert_eq!(open(&path, false).snapshot().unwrap().keys(&"All".into()).unwrap().len(), 40);
    assert!(files::delete(&at(&path)).unwrap());
    assert_eq!(names(dir.path()), Vec::<String>::new());
    assert!(SyncAgentLock::try_acquire(&path).unwrap().is_some());
}

#[test]
fn a_damaged_file_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    std::fs::write(&path, "no database at all, but long enough to be taken for one".repeat(50))
        .unwrap();
    assert!(matches!(Realm::open(&path, &options(false)), Err(StoreError::Corrupted { .. })));
    assert!(files::delete(&at(&path)).unwrap());
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn who_finds_the_mark_of_a_deletion_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    make(&path);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", -1).unwrap();
    let refused = fault(&path, Realm::open(&path, &options(false)).map(|_| ()));
    assert_eq!(refused, FileFault::Deleted);
    assert!(files::delete(&at(&path)).unwrap());
}

#[test]
fn compacting_gives_the_room_of_what_is_gone_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    assert_eq!(
        (files::size(&at(&path)).unwrap(), files::compact(&at(&path)).unwrap()),
        (None, false)
    );
    make(&path);
    let before = files::size(&at(&path)).unwrap().unwrap();
    assert!(before.used_bytes * 2 < before.total_bytes, "{before:?}");
    let realm = open(&path, false);
    assert!(!files::compact(&at(&path)).unwrap(), "it is open");
    drop(realm);
    assert!(files::compact(&at(&path)).unwrap());
    let after = files::size(&at(&path)).unwrap().unwrap();
    assert_eq!(after.used_bytes, after.total_bytes);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), after.total_bytes);
    assert!(after.total_bytes * 2 < before.total_bytes, "{before:?} {after:?}");
    assert_eq!(open(&path, false).snapshot().unwrap().keys(&"All".into()).unwrap().len(), 40);
}

#[test]
fn a_copy_is_one_version_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("a.realm"), dir.path().join("copy.realm"));
    make(&path);
    let realm = open(&path, false);
    let writer = realm.clone();
    let thread = std::thread::spawn(move || {
        for n in 0..200 {
            // Two objects that are never seen apart.
            write(&writer, n, |txn| {
                for key in [1000 + n, 5000 + n] {
                    create_all(txn, key, &[]);
                }
            });
        }
    });
    for n in 0..10 {
        let copy = dir.path().join(format!("{n}.realm"));
        realm.write_copy(&at(&copy), None).unwrap();
        let copied = open(&copy, false);
        let keys = copied.snapshot().unwrap().keys(&"All".into()).unwrap();
        assert_eq!(keys.len() % 2, 0, "{keys:?}");
        let version = copied.version().unwrap().0;
        assert_eq!(i64::try_from(keys.len()).unwrap(), 40 + 2 * (version - 4), "as of its version");
    }
    thread.join().unwrap();
    realm.write_copy(&at(&copy), None).unwrap();
    assert_eq!(fault(&copy, realm.write_copy(&at(&copy), None)), FileFault::Exists);
    assert!(
        !names(dir.path()).iter().any(|name| name.contains("draft") || name == "copy.realm-wal")
    );
    let copied = open(&copy, false);
    write(&copied, 1, |txn| create_all(txn, 1, &[("string", Value::string("mine"))]));
    let row = realm.snapshot().unwrap().get(&"All".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert!(row.contains(&Value::string("x".repeat(400)).into()), "they are two files");
}

#[test]
fn the_copy_of_a_synced_file_is_local_and_knows_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("a.realm"), dir.path().join("copy.realm"));
    let realm = subscribed(&path);
    realm.set_file_ident(skerry_model::FileIdent(7), skerry_model::Salt(9)).unwrap();
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    assert_eq!(fault(&copy, realm.write_copy(&at(&copy), None)), FileFault::UnuploadedChanges);
    assert!(!copy.exists());
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let mut progress = realm.progress().unwrap().sync;
    progress.upload_client_version = realm.version().unwrap();
    integration.set_progress(progress).unwrap();
    integration.commit().unwrap();
    realm.write_copy(&at(&copy), Some(3)).unwrap();
    let Opened::Ready(copied) = Realm::open_versioned(&copy, &options(false), 3, TIMEOUT).unwrap()
    else {
        panic!("the copy has the schema")
    };
    assert_eq!(copied.snapshot().unwrap().keys(&"All".into()).unwrap(), [ObjectKey::Int(1)]);
    let progress = copied.progress().unwrap();
    assert_eq!(progress.file_ident, skerry_model::FileIdent::LOCAL);
    assert_eq!(
        (progress.file_salt.0, progress.sync),
        (0, skerry_store::realm::SyncProgress::default())
    );
    let counts = Connection::open(&copy).unwrap();
    for table in ["history", "subscription", "subscription_set"] {
        let count: i64 = counts
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

#[test]
fn a_bundled_file_is_installed_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (bundle, path) = (dir.path().join("bundle"), dir.path().join("a.realm"));
    make(&bundle);
    let mut read_only = std::fs::metadata(&bundle).unwrap().permissions();
    read_only.set_readonly(true);
    std::fs::set_permissions(&bundle, read_only).unwrap();
    let refused: Result<bool, StoreError> =
        files::install(&bundle, &path, |_| Err(StoreError::Misuse("not this one")));
    assert!(matches!(refused, Err(StoreError::Misuse(_))));
    assert_eq!(names(dir.path()), ["bundle"]);
    assert!(files::install::<StoreError>(&bundle, &path, |_| Ok(())).unwrap());
    assert!(!files::install::<StoreError>(&bundle, &path, |_| Ok(())).unwrap(), "it is there");
    let realm = open(&path, false);
    write(&realm, 1, |txn| create_all(txn, 77, &[]));
    let log = dir.path().join("bundle-wal");
    std::fs::write(&log, "x").unwrap();
    let other = dir.path().join("b.realm");
    let refused = files::install::<StoreError>(&bundle, &other, |_| Ok(()));
    assert_eq!(fault(&bundle, refused), FileFault::InUse, "its log may hold what it lacks");
}

#[test]
fn a_scratch_file_goes_with_its_last_holder() {
    let dir = tempfile::tempdir().unwrap();
    let first = Scratch::acquire_in(dir.path(), "a.realm").unwrap();
    let second = Scratch::acquire_in(dir.path(), "a.realm").unwrap();
    assert_eq!(first.path(), second.path());
    let other = Scratch::acquire_in(dir.path(), "b.realm").unwrap();
    assert_ne!(first.path(), other.path());
    make(first.path());
    drop(first);
    let realm = open(second.path(), false);
    assert_eq!(realm.snapshot().unwrap().keys(&"All".into()).unwrap().len(), 40);
    drop(realm);
    let path = second.path().to_owned();
    drop((second, other));
    assert_eq!(names(dir.path()), Vec::<String>::new());
    let again = Scratch::acquire_in(dir.path(), "a.realm").unwrap();
    assert_eq!(again.path(), path);
    assert!(!path.exists(), "nothing is left in it");
}

/// The process that ends without a word; does nothing in an ordinary run of the tests.
#[test]
fn child() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let scratch = Scratch::acquire_in(Path::new(&root), "a.realm").unwrap();
    make(scratch.path());
    std::process::abort();
}

#[test]
fn what_a_crashed_process_left_is_removed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(CHILD, dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!ended.success());
    assert_eq!(names(dir.path()).len(), 1);
    let mine = Scratch::acquire_in(dir.path(), "a.realm").unwrap();
    assert_eq!(names(dir.path()).len(), 1, "mine alone");
    assert!(mine.path().parent().unwrap().exists());
}

#[test]
fn many_threads_make_and_leave_one_place() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let root = dir.path();
            scope.spawn(move || {
                for round in 0..25 {
                    let scratch = Scratch::acquire_in(root, "a.realm").unwrap();
                    let mine = scratch.path().with_extension(format!("{n}-{round}"));
                    std::fs::write(&mine, "x").unwrap();
                    assert!(mine.exists(), "nobody removes the place while it is held");
                }
            });
        }
    });
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn a_file_for_reading_only_is_read_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let absent = Realm::open_read_only(&path, &options(false), Some(0)).map(|_| ());
    assert_eq!(fault(&path, absent), FileFault::Absent);
    assert_eq!(names(dir.path()), Vec::<String>::new());
    make(&path);
    let bytes = std::fs::read(&path).unwrap();
    let realm = Realm::open_read_only(&path, &options(false), Some(0)).unwrap();
    assert_eq!(realm.snapshot().unwrap().keys(&"All".into()).unwrap().len(), 40);
    assert_eq!(realm.snapshot().unwrap().count(&"All".into(), "int == 0", &[]).unwrap(), 40);
    let refused = realm.begin_write(TIMEOUT).map(|_| ());
    assert_eq!(fault(&path, refused), FileFault::ReadOnly);
    realm.close();
    assert!(matches!(realm.begin_write(TIMEOUT), Err(StoreError::Closed)));
    drop(realm);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);

    // What others write meanwhile is seen.
    let (reader, writer) =
        (Realm::open_read_only(&path, &options(false), Some(0)).unwrap(), open(&path, false));
    write(&writer, 1, |txn| create_all(txn, 900, &[]));
    assert_eq!(reader.snapshot().unwrap().keys(&"All".into()).unwrap().len(), 41);
}

#[test]
fn versions_are_counted_while_somebody_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    assert_eq!(realm.active_versions().unwrap(), 1);
    let (first, again) = (realm.snapshot().unwrap(), realm.snapshot().unwrap());
    assert_eq!(realm.active_versions().unwrap(), 1, "both read the newest");
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    assert_eq!(realm.active_versions().unwrap(), 2);
    drop(first);
    assert_eq!(realm.active_versions().unwrap(), 2);
    let txn = realm.begin_write(TIMEOUT).unwrap();
    txn.commit(Stamp(2)).unwrap();
    assert_eq!(realm.active_versions().unwrap(), 2);
    drop(again);
    assert_eq!(realm.active_versions().unwrap(), 1);
}
