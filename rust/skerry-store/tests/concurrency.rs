//! Several threads, several handles and several processes on one realm file.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

#[allow(dead_code, reason = "the part about killing")]
mod ledger;

use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use skerry_model::{Content, Name, ObjectKey, QueryVersion, Stamp, Value};
use skerry_store::realm::UpdatePolicy;
use skerry_store::{Realm, StoreError};

use ledger::*;

fn count(realm: &Realm) -> i64 {
    let snapshot = realm.snapshot().unwrap();
    match snapshot.get(&counter_class(), &counter_key()).unwrap().as_deref() {
        Some([_, Content::Value(Value::Int(count))]) => *count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn processes_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            // The file does not exist yet: they race to make it, too.
            Command::new(env!("CARGO_BIN_EXE_skerry-store-crash-writer"))
                .args([path.as_os_str(), "25".as_ref()])
                .spawn()
                .unwrap()
        })
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let realm = open(&path).unwrap();
    assert_eq!(count(&realm), 100);
    let (newest, changes) = realm.unacknowledged().unwrap();
    let mut versions: Vec<_> = changes.iter().map(|change| change.version).collect();
    assert!(versions.is_sorted());
    versions.dedup();
    assert_eq!(versions.len(), 101, "one for the schema and one for each addition");
    assert_eq!(versions.last(), Some(&newest));
}

#[test]
fn handles_and_threads_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let shared = open(&path).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            let shared = shared.clone();
            scope.spawn(move || add_up(&shared, 20).unwrap());
            let own = open(&path).unwrap();
            scope.spawn(move || add_up(&own, 20).unwrap());
        }
    });
    assert_eq!(count(&shared), 120);
    assert_eq!(shared.commit_count(), 62, "schema, subscriptions and three threads' additions");
}

#[test]
fn readers_never_see_half_a_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm")).unwrap();
    let is_over = AtomicBool::new(false);
    let entries = entry_class();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !is_over.load(Ordering::Acquire) {
                    let snapshot = realm.snapshot().unwrap();
                    let keys = snapshot.keys(&entries).unwrap();
                    assert_eq!(keys.len() % 4, 0, "entries come and go by four");
                    let again = snapshot.count(&entries, "TRUEPREDICATE", &[]).unwrap();
                    assert_eq!(again, keys.len() as u64, "one snapshot, one version");
                    assert!(snapshot.version().0 >= last, "newer snapshots are not older");
                    last = snapshot.version().0;
                }
            });
        }
        for n in 1..150 {
            commit(&realm, n).unwrap();
        }
        is_over.store(true, Ordering::Release);
    });
}

#[test]
fn concurrent_updates_of_the_subscriptions_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let first = open(&path).unwrap();
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for i in 0..4_u8 {
            let (path, barrier) = (&path, &barrier);
            scope.spawn(move || {
                let realm = open(path).unwrap();
                barrier.wait();
                loop {
                    let latest = realm.snapshot().unwrap().subscriptions().unwrap();
                    let mut items = latest.items.clone();
                    let mut added = items[0].clone();
                    added.name = Some(format!("from {i}"));
                    items.push(added);
                    match realm.commit_subscriptions(items, latest.version) {
                        Ok(_) => return,
                        Err(StoreError::StaleSubscriptionSet { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    let latest = first.snapshot().unwrap().subscriptions().unwrap();
    assert_eq!((latest.version, latest.items.len()), (QueryVersion(5), 6));
}

#[test]
fn a_transaction_may_change_threads() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm")).unwrap();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    let class: Name = entry_class();
    txn.create(&class, &ObjectKey::Int(1), &[], &[], UpdatePolicy::Error).unwrap();
    thread::spawn(move || txn.commit(Stamp(1)).unwrap()).join().unwrap();
    assert_eq!(realm.snapshot().unwrap().keys(&class).unwrap(), [ObjectKey::Int(1)]);
}

#[test]
fn everything_may_change_threads_and_realms_may_be_shared() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Realm>();
    is_send::<skerry_store::realm::Snapshot>();
    is_send::<skerry_store::realm::WriteTxn>();
    is_send::<skerry_store::realm::Integration>();
}
