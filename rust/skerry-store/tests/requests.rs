//! Requests to the sync agent in the file, and what the file says of uploads.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use proptest::prelude::*;
use skerry_model::{ClassSchema, Name, Property, PropertyType, Schema};
use skerry_store::StoreError;
use skerry_store::connection::Synchronous;
use skerry_store::realm::{DownloadRequests, Options, QUERY_CACHE_DEFAULT_BYTES, Realm};
use tempfile::{TempDir, tempdir};

fn open(dir: &TempDir, synced: bool) -> Realm {
    let schema = Schema::new([ClassSchema {
        embedded: false,
        name: Name::from("Item"),
        primary_key: Name::from("_id"),
        properties: vec![Property::scalar("_id", PropertyType::Int, false)],
    }])
    .unwrap();
    let synchronous = Synchronous::Normal;
    let options = Options {
        schema,
        synced,
        synchronous,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    Realm::open(dir.path().join("a.realm"), &options).unwrap()
}

#[test]
fn a_file_that_nobody_asked_anything_has_no_requests() {
    let dir = tempdir().unwrap();
    let realm = open(&dir, true);
    assert_eq!(realm.download_requests().unwrap(), DownloadRequests::default());
}

#[test]
fn a_local_file_has_no_agent_to_ask() {
    let dir = tempdir().unwrap();
    let refused = open(&dir, false).request_download();
    assert!(matches!(refused, Err(StoreError::Misuse(_))), "{refused:?}");
}

#[test]
fn whoever_waits_sees_that_something_has_changed() {
    let dir = tempdir().unwrap();
    let (agent, other) = (open(&dir, true), open(&dir, true));
    let before = agent.data_version().unwrap();
    other.request_download().unwrap();
    assert_ne!(agent.data_version().unwrap(), before);
    let before = other.data_version().unwrap();
    agent.answer_downloads(1).unwrap();
    assert_ne!(other.data_version().unwrap(), before);
}

#[test]
fn what_is_no_change_of_an_object_needs_no_upload() {
    let dir = tempdir().unwrap();
    let realm = open(&dir, true);
    let schema_commit = realm.version().unwrap();
    assert!(!realm.is_uploaded_through(schema_commit).unwrap(), "the schema is still to be sent");
    let dir = tempdir().unwrap();
    let realm = open(&dir, true);
    realm.request_download().unwrap();
    let accepted = realm.version().unwrap();
    assert!(realm.has_pending_upload().unwrap());
    assert!(!realm.is_uploaded_through(accepted).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is asked and answered by two handles in whatever order, numbers go up by one and
    /// nothing is answered that was not asked.
    #[test]
    fn requests_are_numbered_and_answers_never_go_back(
        steps in prop::collection::vec((any::<bool>(), prop::option::of(0..12_u64)), 1..12),
    ) {
        let dir = tempdir().unwrap();
        let realms = [open(&dir, true), open(&dir, true)];
        let (mut asked, mut answered) = (0, 0);
        // Answers come from an agent that has seen a request, so the table is there.
        prop_assert_eq!(realms[0].request_download().unwrap(), 1);
        asked += 1;
        for (which, answer) in steps {
            let realm = &realms[usize::from(which)];
            if let Some(through) = answer {
                realm.answer_downloads(through).unwrap();
                answered = answered.max(through.min(asked));
            } else {
                asked += 1;
                prop_assert_eq!(realm.request_download().unwrap(), asked);
            }
            for realm in &realms {
                prop_assert_eq!(realm.download_requests().unwrap(), DownloadRequests { asked, answered });
            }
        }
    }
}
