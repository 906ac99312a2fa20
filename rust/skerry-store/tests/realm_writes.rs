//! Local writes: what they record, what they refuse, who sees them.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::time::Duration;

use common::realms::*;
use common::*;
use skerry_model::edit::EditError;
use skerry_model::{
    ClientVersion, Instruction, Misfit, Name, ObjectKey, Property, PropertyType, QueryVersion,
    Schema, ServerVersion, Stamp, UpdateSide, Value, decode_changeset, unpack,
};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{
    LocalChange, Options, QUERY_CACHE_DEFAULT_BYTES, SyncAgentLock, UpdatePolicy,
};
use skerry_store::{Fault, Realm, StoreError};

fn last_change(realm: &Realm) -> LocalChange {
    realm.unacknowledged().unwrap().1.pop().unwrap()
}

fn named_class() -> Name {
    "Named".into()
}

#[test]
fn a_write_records_what_it_does_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    write(&realm, 100, |txn| {
        let all: Name = "All".into();
        let values = [(Name::from("int"), Value::Int(7))];
        let defaults = [(Name::from("int"), Value::Int(1)), ("string".into(), Value::string("d"))];
        let key = ObjectKey::Int(1);
        assert!(txn.create(&all, &key, &values, &defaults, UpdatePolicy::Error).unwrap());
        txn.set(&all, &key, &"int".into(), &Value::Int(7)).unwrap();
        txn.add_integer(&all, &key, &"int".into(), 3).unwrap();
        assert!(txn.delete(&all, &key).unwrap());
        assert!(!txn.delete(&all, &key).unwrap(), "nothing there, nothing recorded");
    });
    let default = |field: &str, value: Value| match set(all(1), field, value) {
        Instruction::Update { path, value, side: _ } => {
            Instruction::Update { path, value, side: UpdateSide::IsDefault(true) }
        }
        other => other,
    };
    assert_eq!(
        last_change(&realm).changeset.instructions,
        [
            create(all(1)),
            default("int", Value::Int(1)),
            default("string", Value::string("d")),
            set(all(1), "int", Value::Int(7)),
            set(all(1), "int", Value::Int(7)),
            add(all(1), "int", 3),
            erase(all(1)),
        ]
    );
}

#[test]
fn a_deletion_sets_the_links_to_the_object_to_null_first() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let class = named_class();
    write(&realm, 1, |txn| {
        for name in ["a", "b", "c"] {
            txn.create(&class, &named(name).key, &[], &[], UpdatePolicy::Error).unwrap();
            txn.set(&class, &named(name).key, &"peer".into(), &link(named("b"))).unwrap();
        }
    });
    write(&realm, 2, |txn| assert!(txn.delete(&class, &named("b").key).unwrap()));
    assert_eq!(
        last_change(&realm).changeset.instructions,
        [
            set(named("a"), "peer", Value::Null),
            set(named("c"), "peer", Value::Null),
            erase(named("b")),
        ]
    );
    let snapshot = realm.snapshot().unwrap();
    assert_eq!(snapshot.get(&class, &named("a").key).unwrap().unwrap()[1], Value::Null);
}

#[test]
fn policies_decide_what_creating_an_existing_object_does() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    write(&realm, 1, |txn| create_all(txn, 1, &[("int", Value::Int(5))]));
    let class: Name = "All".into();
    let values = [(Name::from("int"), Value::Int(5)), ("bool".into(), Value::Bool(true))];
    let key = ObjectKey::Int(1);
    write(&realm, 2, |txn| {
        let refused = txn.create(&class, &key, &values, &values, UpdatePolicy::Error);
        assert!(matches!(refused, Err(StoreError::PrimaryKeyExists { .. })), "{refused:?}");
        assert!(txn.instructions().is_empty());
        assert!(!txn.create(&class, &key, &values, &values, UpdatePolicy::Modified).unwrap());
        assert_eq!(txn.instructions(), [set(all(1), "bool", Value::Bool(true))]);
        assert!(!txn.create(&class, &key, &values, &[], UpdatePolicy::All).unwrap());
        assert_eq!(txn.instructions().len(), 3);
    });
}

#[test]
fn a_refused_edit_changes_nothing_and_the_transaction_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let class: Name = "All".into();
    write(&realm, 1, |txn| {
        let values = [(Name::from("int"), Value::Int(5)), ("bool".into(), Value::Int(1))];
        let key = ObjectKey::Int(1);
        let refused = txn.create(&class, &key, &values, &[], UpdatePolicy::Error);
        assert!(matches!(
            refused,
            Err(StoreError::BadInstruction {
                fault: Fault::Misfit(Misfit::TypeMismatch { .. }),
                ..
            })
        ));
        assert_eq!(txn.get(&class, &key).unwrap(), None);
        assert!(txn.instructions().is_empty());
        create_all(txn, 2, &[]);
        let to_null = txn.add_integer(&class, &ObjectKey::Int(2), &"int?".into(), 1);
        assert!(matches!(
            to_null,
            Err(StoreError::BadInstruction { fault: Fault::Edit(EditError::AddToNull { .. }), .. })
        ));
    });
    assert_eq!(realm.snapshot().unwrap().keys(&class).unwrap(), [ObjectKey::Int(2)]);
}

#[test]
fn creating_needs_a_subscription_in_the_latest_set_of_a_synced_realm() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), true);
    let class: Name = "All".into();
    let attempt = |realm: &Realm| {
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        txn.create(&class, &ObjectKey::Int(1), &[], &[], UpdatePolicy::Error)
    };
    let refused = attempt(&realm).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Cannot write to class All when no flexible sync subscription has been created."
    );
    let items = vec![subscription("All", "int == 1")];
    realm.commit_subscriptions(items, QueryVersion(0)).unwrap();
    assert!(attempt(&realm).unwrap());
    realm.commit_subscriptions(Vec::new(), QueryVersion(1)).unwrap();
    assert!(matches!(attempt(&realm), Err(StoreError::NoSubscriptionForWrite { .. })));

    let local = open(&dir.path().join("b.realm"), false);
    assert!(attempt(&local).unwrap(), "a local realm needs none");
}

#[test]
fn a_write_sees_the_subscriptions_that_another_handle_has_changed_since_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let other = open(&dir.path().join("a.realm"), true);
    let class: Name = "All".into();
    let attempt = |key| {
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        let made =
            txn.create(&class, &ObjectKey::Int(key), &[], &[], UpdatePolicy::Error).map(|_| ());
        txn.commit(Stamp(key)).unwrap();
        made
    };
    attempt(1).unwrap();
    attempt(2).unwrap();
    let latest = other.snapshot().unwrap().subscriptions().unwrap().version;
    let version = other.commit_subscriptions(Vec::new(), latest).unwrap().version;
    assert!(matches!(attempt(3), Err(StoreError::NoSubscriptionForWrite { .. })));
    assert!(matches!(attempt(4), Err(StoreError::NoSubscriptionForWrite { .. })));
    other.commit_subscriptions(vec![subscription("All", "int == 1")], version).unwrap();
    attempt(5).unwrap();
    write(&other, 6, |txn| create_all(txn, 6, &[]));
    attempt(7).unwrap();
}

#[test]
fn dropping_a_transaction_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let before = realm.version().unwrap();
    {
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        create_all(&mut txn, 1, &[]);
    }
    assert_eq!(realm.version().unwrap(), before);
    assert!(realm.snapshot().unwrap().keys(&"All".into()).unwrap().is_empty());
    write(&realm, 1, |_txn| ());
    assert_eq!(realm.version().unwrap(), ClientVersion(before.0 + 1), "an empty commit counts");
}

#[test]
fn stamps_never_go_back_with_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    for (key, now) in (0..).zip([100, 50, 100, 500]) {
        write(&realm, now, |txn| create_all(txn, key, &[]));
    }
    let changes = realm.unacknowledged().unwrap().1;
    let stamps: Vec<i64> = changes.iter().skip(1).map(|change| change.stamp.0).collect();
    assert_eq!(stamps, [100, 101, 102, 500]);
}

#[test]
fn a_snapshot_stays_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let before = realm.snapshot().unwrap();
    let data_version = realm.data_version().unwrap();
    write(&realm, 2, |txn| create_all(txn, 2, &[]));
    let class: Name = "All".into();
    assert_eq!(before.keys(&class).unwrap().len(), 1);
    let after = realm.snapshot().unwrap();
    assert_eq!(after.query(&class, "_id > 0 SORT(_id DESC)", &[]).unwrap().len(), 2);
    assert_eq!(after.count(&class, "_id == 2", &[]).unwrap(), 1);
    assert_eq!(after.version().0, before.version().0 + 1);
    assert_ne!(realm.data_version().unwrap(), data_version, "pollers notice");
}

#[test]
fn one_writer_at_a_time_and_the_others_time_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let (first, second) = (subscribed(&path), open(&path, true));
    let held = first.begin_write(TIMEOUT).unwrap();
    for realm in [&first, &second] {
        match realm.begin_write(Duration::from_millis(20)) {
            Err(StoreError::LockTimeout { file, waited }) => {
                assert_eq!((file, waited), (path.clone(), Duration::from_millis(20)));
            }
            other => panic!("{other:?}"),
        }
    }
    drop(held);
    second.begin_write(TIMEOUT).unwrap();
}

#[test]
fn uploads_are_the_original_changesets_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    for key in 0..4 {
        write(&realm, key, |txn| {
            create_all(txn, key, &[("string", Value::string("x".repeat(50)))])
        });
    }
    write(&realm, 9, |_txn| ());
    assert!(realm.has_pending_upload().unwrap());
    let all_of_it = realm.uploads(ClientVersion(0), None, usize::MAX).unwrap();
    assert_eq!(all_of_it.entries.len(), 5, "schema and four writes; the empty one is passed over");
    assert_eq!(all_of_it.progress_client_version, realm.version().unwrap());
    let last = all_of_it.entries.last().unwrap();
    let decoded = decode_changeset(&unpack(&last.changeset, 10_000).unwrap()).unwrap();
    assert_eq!(decoded.instructions[0], create(all(3)));

    let mut after = ClientVersion(0);
    let mut seen = Vec::new();
    while after < realm.version().unwrap() {
        let batch = realm.uploads(after, None, 150).unwrap();
        assert!(batch.progress_client_version > after, "every batch gets somewhere");
        after = batch.progress_client_version;
        seen.extend(batch.entries);
    }
    assert_eq!(seen, all_of_it.entries);

    let limit = all_of_it.entries[2].client_version;
    let limited = realm.uploads(ClientVersion(0), Some(limit), usize::MAX).unwrap();
    assert_eq!(limited.entries, all_of_it.entries[..3]);
    assert_eq!(limited.progress_client_version, limit);
    assert_eq!(limited.progress_server_version, ServerVersion(0));
}

#[test]
fn a_local_realm_keeps_no_changesets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, false);
    let before = realm.version().unwrap();
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    assert_eq!(realm.version().unwrap().0, before.0 + 1);
    assert!(!realm.has_pending_upload().unwrap());
    assert!(matches!(realm.begin_integration(TIMEOUT), Err(StoreError::Misuse(_))));
    drop(realm);
    match Realm::open(&path, &options(true)) {
        Err(StoreError::SyncedMismatch { file, synced: false }) => assert_eq!(file, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn closing_refuses_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let snapshot = realm.snapshot().unwrap();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    create_all(&mut txn, 1, &[]);
    realm.close();
    assert!(matches!(realm.begin_write(TIMEOUT), Err(StoreError::Closed)));
    assert!(matches!(realm.snapshot(), Err(StoreError::Closed)));
    assert!(matches!(realm.version(), Err(StoreError::Closed)));
    txn.commit(Stamp(1)).unwrap();
    assert_eq!(snapshot.keys(&"All".into()).unwrap(), []);
    drop(snapshot);
    assert!(matches!(realm.begin_write(TIMEOUT), Err(StoreError::Closed)));
}

#[test]
fn a_schema_grows_at_opening_and_the_growth_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let old = subscribed(&path);
    let mut class = schema().class("All").unwrap().clone();
    class.properties.insert(1, Property::scalar("first", PropertyType::Int, false));
    let grown = Schema::new([class]).unwrap();
    let new_options = Options {
        schema: grown,
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let new = Realm::open(&path, &new_options).unwrap();
    match &last_change(&new).changeset.instructions[..] {
        [Instruction::AddColumn { class, field, .. }] => {
            assert_eq!((&**class, &**field), ("All", "first"));
        }
        other => panic!("{other:?}"),
    }
    write(&old, 1, |txn| create_all(txn, 1, &[("int", Value::Int(3))]));
    let values = new.snapshot().unwrap().get(&"All".into(), &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(values[..3], [Value::Int(1), Value::Int(0), Value::Int(3)], "declared order");
    let version = new.version().unwrap();
    drop(Realm::open(&path, &new_options).unwrap());
    assert_eq!(new.version().unwrap(), version, "opening again adds nothing");
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    drop(subscribed(&path));
    let realm = open(&path, true);
    let before = realm.version().unwrap();
    realm.set_size_max_pages(100).unwrap();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    let class: Name = "All".into();
    let bytes = Value::binary(vec![7_u8; 300_000]);
    let mut failure = None;
    for key in 0..20 {
        let values = [(Name::from("data"), bytes.clone())];
        let made = txn.create(&class, &ObjectKey::Int(key), &values, &[], UpdatePolicy::All);
        if let Err(error) = made {
            failure = Some(error);
            break;
        }
    }
    assert!(matches!(failure, Some(StoreError::DiskFull { .. })), "{failure:?}");
    // `SQLite` has rolled back by itself; nothing more may get into the file.
    assert!(txn.create(&class, &ObjectKey::Int(99), &[], &[], UpdatePolicy::All).is_err());
    assert!(txn.commit(Stamp(1)).is_err());
    assert_eq!(realm.version().unwrap(), before);
    assert!(realm.snapshot().unwrap().keys(&class).unwrap().is_empty());
    // Room again: the realm goes on.
    realm.set_size_max_pages(1_000_000).unwrap();
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    assert_eq!(realm.snapshot().unwrap().keys(&class).unwrap().len(), 1);
}

#[test]
fn one_process_at_a_time_is_the_sync_agent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let first = SyncAgentLock::try_acquire(&path).unwrap();
    assert!(first.is_some());
    assert!(SyncAgentLock::try_acquire(&path).unwrap().is_none());
    assert!(SyncAgentLock::try_acquire(&dir.path().join("b.realm")).unwrap().is_some());
    drop(first);
    assert!(SyncAgentLock::try_acquire(&path).unwrap().is_some());
}
