//! What the sync agent does with a realm file: cursors, integration, subscriptions, bootstraps.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::realms::*;
use common::*;
use skerry_model::{
    Changeset, ClientVersion, FileIdent, Instruction, ObjectId, ObjectKey, QueryVersion, Salt,
    ServerVersion, Stamp, Value, encode_changeset, pack,
};
use skerry_store::realm::{
    DownloadEntry, Subscription, SubscriptionEvent, SubscriptionState, SyncProgress, next_state,
};
use skerry_store::{Realm, StoreError};

fn changeset(instructions: impl Into<Vec<Instruction>>) -> Changeset {
    Changeset { instructions: instructions.into() }
}

fn cursors(server: i64, client: i64) -> SyncProgress {
    SyncProgress {
        download_server_version: ServerVersion(server),
        download_client_version: ClientVersion(client),
        upload_client_version: ClientVersion(client),
        upload_server_version: ServerVersion(0),
        latest_server_version: ServerVersion(server),
        latest_salt: Salt(9),
    }
}

fn int_of(realm: &Realm, key: i64) -> Option<Value> {
    let values = realm.snapshot().unwrap().get(&"All".into(), &ObjectKey::Int(key)).unwrap();
    values.and_then(|values| values[1].as_value().cloned())
}

#[test]
fn a_download_is_visible_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    write(&realm, 100, |txn| create_all(txn, 1, &[("int", Value::Int(5))]));
    let local = realm.unacknowledged().unwrap().1.pop().unwrap();
    let incoming = changeset([set(all(1), "int", Value::Int(6)), create(all(2))]);
    let left = changeset([create(all(1))]);
    let integrate = |realm: &Realm| {
        let mut integration = realm.begin_integration(TIMEOUT).unwrap();
        assert_eq!(integration.local_changes_after(ClientVersion(0)).unwrap().len(), 2);
        integration.apply(&incoming, ServerVersion(7), FileIdent(3), Stamp(2000)).unwrap();
        integration.store_reciprocal(local.version, Some(&left)).unwrap();
        integration.set_progress(cursors(7, 2)).unwrap();
        integration
    };
    drop(integrate(&realm));
    assert_eq!((int_of(&realm, 1), int_of(&realm, 2)), (Some(Value::Int(5)), None));
    assert_eq!(realm.progress().unwrap().sync, SyncProgress::default());

    let version = integrate(&realm).commit().unwrap();
    drop(realm);
    let realm = open(&path, true);
    assert_eq!((realm.version().unwrap(), int_of(&realm, 1)), (version, Some(Value::Int(6))));
    let changes = realm.unacknowledged().unwrap().1;
    assert_eq!(changes.len(), 1, "the schema's changeset is trimmed: confirmed");
    assert_eq!(changes[0].changeset, left, "the reciprocal form is what meets the next download");
    let uploads = realm.uploads(ClientVersion(2), None, usize::MAX).unwrap();
    assert_eq!(uploads.entries.len(), 1);
    assert_eq!(uploads.entries[0].base_server_version, ServerVersion(0));
    let original = pack(&encode_changeset(&local.changeset).unwrap());
    assert_eq!(uploads.entries[0].changeset, original, "what is uploaded is the original");
    assert_eq!(uploads.progress_server_version, ServerVersion(7));

    // Stamps of other clients push the own clock on, those of the server do not.
    write(&realm, 5, |txn| create_all(txn, 3, &[]));
    assert_eq!(realm.unacknowledged().unwrap().1.pop().unwrap().stamp, Stamp(2001));
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let nothing = Changeset::default();
    integration.apply(&nothing, ServerVersion(8), FileIdent::SERVER, Stamp::SYNTHETIC).unwrap();
    integration.commit().unwrap();
    write(&realm, 5, |txn| create_all(txn, 4, &[]));
    let last = realm.unacknowledged().unwrap().1.pop().unwrap();
    assert_eq!(last.stamp, Stamp(2002));
    let uploads = realm.uploads(last.version, None, 10).unwrap();
    assert!(uploads.entries.is_empty());
    assert_eq!(uploads.progress_server_version, ServerVersion(8));
}

#[test]
fn a_reciprocal_form_may_be_empty_and_may_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let original = realm.unacknowledged().unwrap().1.pop().unwrap();
    for form in [Some(Changeset::default()), None] {
        let mut integration = realm.begin_integration(TIMEOUT).unwrap();
        integration.store_reciprocal(original.version, form.as_ref()).unwrap();
        integration.commit().unwrap();
        let stored = realm.unacknowledged().unwrap().1.pop().unwrap();
        assert_eq!(stored.changeset, form.unwrap_or_else(|| original.changeset.clone()));
    }
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let nowhere = integration.store_reciprocal(ClientVersion(999), None);
    assert!(matches!(nowhere, Err(StoreError::Misuse(_))));
}

#[test]
fn confirmed_changes_are_trimmed_and_the_others_kept() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    for key in 0..3 {
        write(&realm, key, |txn| create_all(txn, key, &[]));
    }
    let versions: Vec<_> =
        realm.unacknowledged().unwrap().1.iter().map(|change| change.version).collect();
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    integration.set_progress(cursors(3, versions[1].0)).unwrap();
    integration.commit().unwrap();
    let kept = realm.uploads(ClientVersion(0), None, usize::MAX).unwrap();
    let kept: Vec<_> = kept.entries.iter().map(|entry| entry.client_version).collect();
    assert_eq!(kept, versions[2..]);

    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let back = integration.set_progress(cursors(2, versions[1].0));
    assert!(matches!(back, Err(StoreError::Misuse(_))), "cursors never go back");
    integration.set_progress(cursors(4, realm.version().unwrap().0)).unwrap();
    integration.commit().unwrap();
    assert!(!realm.has_pending_upload().unwrap());
    assert!(realm.unacknowledged().unwrap().1.is_empty());
}

#[test]
fn a_refused_changeset_cannot_be_committed() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let bad = changeset([create(all(1)), set(all(2), "int", Value::Int(1))]);
    let refused = integration.apply(&bad, ServerVersion(5), FileIdent(3), Stamp(1));
    assert!(matches!(refused, Err(StoreError::BadInstruction { .. })));
    assert!(integration.commit().is_err());
    assert_eq!(int_of(&realm, 1), None);
    assert_eq!(realm.progress().unwrap().sync.download_server_version, ServerVersion(0));
}

#[test]
fn commits_of_other_handles_are_seen_inside_the_integration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let agent = subscribed(&path);
    let (loaded, _) = agent.unacknowledged().unwrap();
    let other = open(&path, true);
    write(&other, 1, |txn| create_all(txn, 1, &[]));
    let integration = agent.begin_integration(TIMEOUT).unwrap();
    let missed = integration.local_changes_after(loaded).unwrap();
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].changeset.instructions, [create(all(1))]);
}

#[test]
fn file_ident_and_salt_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, true);
    assert_eq!(realm.progress().unwrap().file_ident, FileIdent::LOCAL);
    realm.set_file_ident(FileIdent(12), Salt(34)).unwrap();
    drop(realm);
    let progress = open(&path, true).progress().unwrap();
    assert_eq!((progress.file_ident, progress.file_salt), (FileIdent(12), Salt(34)));
}

#[test]
fn the_transitions_are_those_of_the_specification() {
    use SubscriptionEvent as E;
    use SubscriptionState as S;
    let events =
        [E::BootstrapBegun, E::BootstrapIntegrated, E::BootstrapDropped, E::Marked, E::QueryError];
    let table = [
        (S::Pending, [Some(S::Bootstrapping), None, Some(S::Pending), None, Some(S::Error)]),
        (S::Bootstrapping, [None, Some(S::AwaitingMark), Some(S::Pending), None, Some(S::Error)]),
        (
            S::AwaitingMark,
            [
                Some(S::AwaitingMark),
                Some(S::AwaitingMark),
                Some(S::AwaitingMark),
                Some(S::Complete),
                Some(S::Error),
            ],
        ),
        (
            S::Complete,
            [Some(S::Complete), Some(S::Complete), Some(S::Complete), Some(S::Complete), None],
        ),
        (S::Error, [None, None, Some(S::Error), None, Some(S::Error)]),
    ];
    for (state, expected) in table {
        for (event, expected) in events.into_iter().zip(expected) {
            assert_eq!(next_state(state, event), expected, "{state:?} {event:?}");
        }
    }
}

#[test]
fn a_new_file_has_set_0_pending_and_empty() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), true);
    let set = realm.snapshot().unwrap().subscriptions().unwrap();
    assert_eq!((set.version, set.state), (QueryVersion(0), SubscriptionState::Pending));
    assert!(set.items.is_empty());
    assert_eq!(realm.snapshot().unwrap().active_subscriptions().unwrap(), set);
}

#[test]
fn no_update_of_the_subscriptions_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), true);
    let named_one = Subscription {
        id: ObjectId([2; 12]),
        name: Some("mine".to_owned()),
        ..subscription("Named", "_id == 'x'")
    };
    let items = vec![subscription("All", "int == 1"), named_one.clone()];
    let set = realm.commit_subscriptions(items.clone(), QueryVersion(0)).unwrap();
    assert_eq!(set.snapshot_version, realm.version().unwrap());
    assert_eq!(realm.snapshot().unwrap().subscriptions().unwrap(), set);
    assert_eq!(set.items, items);
    match realm.commit_subscriptions(Vec::new(), QueryVersion(0)) {
        Err(StoreError::StaleSubscriptionSet { expected, latest }) => {
            assert_eq!((expected, latest), (QueryVersion(0), QueryVersion(1)));
        }
        other => panic!("{other:?}"),
    }
    for twins in [vec![named_one.clone(), named_one], vec![items[0].clone(), items[0].clone()]] {
        let refused = realm.commit_subscriptions(twins, QueryVersion(1));
        assert!(matches!(refused, Err(StoreError::DuplicateSubscription { .. })));
    }
}

#[test]
fn completing_a_set_supersedes_the_older_ones() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), true);
    for expected in 0..3 {
        let items = vec![subscription("All", &format!("int == {expected}"))];
        realm.commit_subscriptions(items, QueryVersion(expected)).unwrap();
    }
    realm.subscription_failed(QueryVersion(1), "no such field").unwrap();
    let snapshot = realm.snapshot().unwrap();
    let pending = |after| {
        snapshot.next_pending_subscriptions(QueryVersion(after)).unwrap().map(|set| set.version.0)
    };
    assert_eq!(
        [pending(-1), pending(0), pending(2), pending(3)],
        [Some(0), Some(2), Some(3), None]
    );
    let failed = snapshot.subscription_set(QueryVersion(1)).unwrap().unwrap();
    assert_eq!(failed.error_message.as_deref(), Some("no such field"));
    drop(snapshot);

    let step = |event| realm.subscription_event(QueryVersion(2), event).unwrap();
    assert_eq!(step(SubscriptionEvent::BootstrapBegun), SubscriptionState::Bootstrapping);
    assert!(realm.subscription_event(QueryVersion(2), SubscriptionEvent::Marked).is_err());
    assert_eq!(step(SubscriptionEvent::BootstrapIntegrated), SubscriptionState::AwaitingMark);
    let snapshot = realm.snapshot().unwrap();
    assert_eq!(snapshot.active_subscriptions().unwrap().version, QueryVersion(2));
    for superseded in [0, 1] {
        assert_eq!(snapshot.subscription_set(QueryVersion(superseded)).unwrap(), None);
    }
    assert_eq!(step(SubscriptionEvent::Marked), SubscriptionState::Complete);
    let missing = realm.subscription_event(QueryVersion(1), SubscriptionEvent::Marked);
    assert!(matches!(missing, Err(StoreError::BadSubscriptionTransition { .. })));
}

fn entry(key: i64) -> DownloadEntry {
    let changeset = changeset([erase(all(key)), create(all(key))]);
    DownloadEntry {
        server_version: ServerVersion(20),
        client_version: ClientVersion(2),
        stamp: Stamp::SYNTHETIC,
        origin: FileIdent::SERVER,
        changeset: pack(&encode_changeset(&changeset).unwrap()),
    }
}

fn state_of(realm: &Realm, version: i64) -> SubscriptionState {
    let snapshot = realm.snapshot().unwrap();
    snapshot.subscription_set(QueryVersion(version)).unwrap().unwrap().state
}

#[test]
fn a_bootstrap_is_staged_and_then_integrated_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    let one = QueryVersion(1);
    assert!(realm.stage_bootstrap(one, &[entry(1), entry(2)], None).unwrap());
    assert_eq!(state_of(&realm, 1), SubscriptionState::Bootstrapping);
    assert_eq!(realm.pending_bootstrap().unwrap().unwrap().entry_count, 2);
    assert_eq!(int_of(&realm, 1), None, "nothing staged is visible");
    assert!(!realm.stage_bootstrap(one, &[entry(3)], Some(&cursors(20, 2))).unwrap());
    assert_eq!(realm.discard_incomplete_bootstrap().unwrap(), None, "a complete one stays");

    drop(realm);
    let realm = open(&path, true);
    let pending = realm.pending_bootstrap().unwrap().unwrap();
    assert_eq!((pending.query_version, pending.progress), (one, Some(cursors(20, 2))));
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let mut after = 0;
    loop {
        let batch = integration.staged_entries(after, 1).unwrap();
        let Some(last) = batch.last() else { break };
        assert_eq!(batch.len(), 1, "a batch keeps its size but is never empty");
        after = last.sequence;
        for staged in &batch {
            let (version, origin) = (staged.server_version, staged.origin);
            integration.apply(&staged.changeset, version, origin, staged.stamp).unwrap();
        }
    }
    integration.set_progress(pending.progress.unwrap()).unwrap();
    let state = integration.finish_bootstrap(one).unwrap();
    assert_eq!(state, SubscriptionState::AwaitingMark);
    integration.commit().unwrap();
    assert_eq!(realm.pending_bootstrap().unwrap(), None);
    assert_eq!(int_of(&realm, 3), Some(Value::Int(0)));
    assert_eq!(realm.progress().unwrap().sync, cursors(20, 2));
}

#[test]
fn an_incomplete_bootstrap_is_dropped_and_its_set_waits_again() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    realm.stage_bootstrap(QueryVersion(1), &[entry(1)], None).unwrap();
    assert_eq!(realm.discard_incomplete_bootstrap().unwrap(), Some(QueryVersion(1)));
    assert_eq!(realm.pending_bootstrap().unwrap(), None);
    assert_eq!(state_of(&realm, 1), SubscriptionState::Pending);

    // One for another set drops it too.
    realm.stage_bootstrap(QueryVersion(0), &[entry(1), entry(2)], None).unwrap();
    assert!(realm.stage_bootstrap(QueryVersion(1), &[entry(3)], None).unwrap());
    let pending = realm.pending_bootstrap().unwrap().unwrap();
    assert_eq!((pending.query_version, pending.entry_count), (QueryVersion(1), 1));
    assert_eq!(state_of(&realm, 0), SubscriptionState::Pending);
    let unknown = realm.stage_bootstrap(QueryVersion(8), &[entry(3)], None);
    assert!(matches!(unknown, Err(StoreError::BadSubscriptionTransition { .. })));
    assert_eq!(realm.pending_bootstrap().unwrap().unwrap().query_version, QueryVersion(1));
}
