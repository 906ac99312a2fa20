//! Looking into files: what is told is what is there, nothing changes by it, and whatever is wrong with
//! a file is an error or a finding.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::kinds::{kinds, thing};
use common::realms::*;
use common::*;
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{
    Changeset, ClientVersion, FileIdent, Instruction, Name, QueryVersion, Salt, ServerVersion,
    Value,
};
use skerry_store::connection::{FILE_FORMAT, Synchronous};
use skerry_store::inspect::{Access, AgentState, Depth, Inspector, Kind, RealmFacts, Report};
use skerry_store::realm::{Options, SyncAgentLock, SyncProgress, UpdatePolicy};
use skerry_store::server::SqliteStore;
use skerry_store::{Realm, StoreError};

/// The files of a folder and what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The same without the log's index, in which every reader notes that it reads.
fn contents_but_index(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = contents(folder);
    files.retain(|path, _| path.extension().is_none_or(|ending| ending != "realm-shm"));
    files
}

fn changeset(instructions: impl Into<Vec<Instruction>>) -> Changeset {
    Changeset { instructions: instructions.into() }
}

fn fill(realm: &Realm, objects: i64) {
    for key in 0..objects {
        let values = [("string", Value::string("x".repeat(90))), ("next", link(all(key - 1)))];
        write(realm, key, |txn| create_all(txn, key, &values));
    }
}

fn realm_facts(report: Report) -> RealmFacts {
    match report.kind {
        Kind::Realm(facts) => *facts,
        Kind::Server(facts) => panic!("{facts:?}"),
    }
}

/// Everything that can be asked, asked.
fn ask_everything(path: &Path) -> Result<usize, StoreError> {
    let inspector = Inspector::open(path, None)?;
    let report = inspector.report(Depth::Everything)?;
    let mut found = report.classes.len();
    for class in report.classes.iter().filter(|class| !class.schema.embedded) {
        found += inspector.query(&class.schema.name, "TRUEPREDICATE", 10)?.rows.len();
    }
    for entry in inspector.history(10)?.entries {
        found += inspector.instructions(entry.version, 3)?.map_or(0, |entry| entry.lines.len());
    }
    Ok(found + inspector.check(10)?.len())
}

#[test]
fn a_report_says_what_the_file_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    fill(&realm, 3);
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let incoming = changeset([create(all(50))]);
    integration.apply(&incoming, ServerVersion(7), FileIdent(3), skerry_model::Stamp(9)).unwrap();
    let cursors = SyncProgress {
        download_server_version: ServerVersion(7),
        latest_server_version: ServerVersion(8),
        ..SyncProgress::default()
    };
    integration.set_progress(cursors).unwrap();
    integration.commit().unwrap();
    realm.set_file_ident(FileIdent(4), Salt(99)).unwrap();
    let version = realm.version().unwrap();

    let report = Inspector::open(&path, None).unwrap().report(Depth::Everything).unwrap();
    assert_eq!((report.file.format, report.file.access), (FILE_FORMAT, Access::Shared));
    assert!(report.log.size_bytes.unwrap() > 0);
    assert_eq!(report.log.index, None, "it is open in this process, which keeps its locks");
    let all_facts = &report.classes[0];
    assert_eq!((&*all_facts.schema.name, all_facts.objects), ("All", Some(4)));
    assert_eq!(all_facts.dangling_links, Some(1), "the first object links to one before it");
    let tables = report.tables.as_ref().unwrap();
    let objects = tables.iter().find(|table| table.name == "o1").unwrap();
    assert_eq!(objects.class, Some("All".into()));
    assert!(objects.bytes >= 4096 && objects.unused_bytes < objects.bytes);

    let facts = realm_facts(report);
    assert!(facts.is_synced);
    assert_eq!((facts.progress.version, facts.progress.file_ident), (version, FileIdent(4)));
    assert_eq!(facts.progress.sync, cursors);
    let origins: Vec<_> =
        facts.history.origins.iter().map(|of| (of.origin.0, of.entries, of.bytes > 0)).collect();
    assert_eq!(origins, [(0, 4, true), (3, 1, false)], "the schema and three writes are own");
    assert_eq!(facts.history.pending_uploads, 4);
    let sets: Vec<_> =
        facts.subscriptions.iter().map(|set| (set.version.0, set.items.len())).collect();
    assert_eq!((sets, facts.active), (vec![(1, 2), (0, 0)], QueryVersion(0)));
}

#[test]
fn a_file_at_rest_is_read_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b?%.realm");
    fill(&subscribed(&path), 3);
    let before = contents(dir.path());
    assert_eq!(before.len(), 1, "no log is left when the last handle goes");
    assert!(ask_everything(&path).unwrap() > 5);
    let report = Inspector::open(&path, None).unwrap().report(Depth::Overview).unwrap();
    assert_eq!((report.file.access, report.log.size_bytes), (Access::AtRest, None));
    assert_eq!(contents(dir.path()), before);
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_log_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("a.realm"), dir.path().join("link.realm"));
    let realm = subscribed(&path);
    fill(&realm, 3);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let report = Inspector::open(&link, None).unwrap().report(Depth::Overview).unwrap();
    assert_eq!(report.file.access, Access::Shared);
    assert_eq!(realm_facts(report).progress.version, realm.version().unwrap());
}

#[test]
fn a_copy_with_its_log_alone_is_read_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    fill(&realm, 5);
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("a.realm");
    for ending in ["", "-wal"] {
        let with = |path: &Path| format!("{}{ending}", path.display());
        std::fs::copy(with(&path), with(&copy)).unwrap();
    }
    let before = contents_but_index(other.path());
    let report = Inspector::open(&copy, None).unwrap().report(Depth::Overview).unwrap();
    assert_eq!(realm_facts(report).progress.version, realm.version().unwrap());
    ask_everything(&copy).unwrap();
    assert_eq!(contents_but_index(other.path()), before);
}

#[test]
fn a_log_whose_writer_was_killed_is_read_through_its_index_or_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    fill(&realm, 5);
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("a.realm");
    for ending in ["", "-wal", "-shm"] {
        let with = |path: &Path| format!("{}{ending}", path.display());
        std::fs::copy(with(&path), with(&copy)).unwrap();
    }
    let before = contents(other.path());
    let report = Inspector::open(&copy, None).unwrap().report(Depth::Overview).unwrap();
    assert_eq!(report.file.access, Access::Shared);
    let index = report.log.index.clone().unwrap();
    assert!(index.frames > 0 && index.moved_frames <= index.frames);
    assert_eq!((index.pinned_frames, index.readers), (Some(0), Some(Vec::new())));
    assert_eq!(realm_facts(report).progress.version, realm.version().unwrap());
    ask_everything(&copy).unwrap();
    assert_eq!(contents(other.path()), before);
    // An index of which nothing can be made.
    std::fs::write(format!("{}-shm", copy.display()), b"").unwrap();
    let report = Inspector::open(&copy, None).unwrap().report(Depth::Overview).unwrap();
    assert_eq!(realm_facts(report).progress.version, realm.version().unwrap());
    assert_eq!(contents_but_index(other.path())[&copy], before[&copy]);
}

#[test]
fn who_syncs_is_told_without_getting_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    fill(&subscribed(&path), 1);
    let agent = || Inspector::open(&path, None).unwrap().report(Depth::Overview).unwrap().agent;
    assert_eq!(agent(), AgentState::None);
    let lock = SyncAgentLock::try_acquire(&path).unwrap().unwrap();
    assert_eq!(agent(), AgentState::Running(vec![std::process::id().into()]));
    drop(lock);
    assert_eq!(agent(), AgentState::None);
}

#[test]
fn a_query_gives_what_an_application_gets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    fill(&realm, 9);
    let inspector = Inspector::open(&path, None).unwrap();
    let snapshot = realm.snapshot().unwrap();
    for text in [
        "TRUEPREDICATE SORT(_id DESC)",
        "next._id > 2",
        "_id < 5 SORT(_id DESC) LIMIT(3)",
        "string BEGINSWITH 'x' DISTINCT(string)",
        "FALSEPREDICATE",
    ] {
        let expected = snapshot.query(&"All".into(), text, &[]).unwrap();
        let found = inspector.query(&"All".into(), text, 2).unwrap();
        assert_eq!(found.total, expected.len() as u64, "{text}");
        assert_eq!(found.rows, expected[..expected.len().min(2)], "{text}");
    }
    assert!(matches!(inspector.query(&"All".into(), "nope == 1", 2), Err(StoreError::Query(_))));
    let no_class = inspector.query(&"Nope".into(), "TRUEPREDICATE", 2);
    assert!(no_class.is_err(), "{no_class:?}");
}

#[test]
fn the_history_is_told_from_the_newest_and_an_entry_by_its_instructions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = subscribed(&path);
    fill(&realm, 3);
    let inspector = Inspector::open(&path, None).unwrap();
    let page = inspector.history(2).unwrap();
    assert_eq!((page.entries.len(), page.total), (2, 4));
    let newest = &page.entries[0];
    assert_eq!(newest.version, realm.version().unwrap());
    assert_eq!(newest.classes, BTreeMap::from([("All".into(), 3)]));
    let found = inspector.instructions(newest.version, 2).unwrap().unwrap();
    assert_eq!((&found.entry, found.total, found.lines.len()), (newest, 3, 2));
    assert_eq!(found.lines[0], "CreateObject All[2]");
    assert_eq!(found.reciprocal, None);
    assert_eq!(inspector.instructions(ClientVersion(999), 2).unwrap(), None);

    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    integration.store_reciprocal(newest.version, Some(&changeset([create(all(9))]))).unwrap();
    integration.commit().unwrap();
    let found = inspector.instructions(newest.version, 2).unwrap().unwrap();
    assert_eq!(found.reciprocal, Some((vec!["CreateObject All[9]".to_owned()], 1)));
}

/// A file with links inside contents.
fn with_contents(path: &Path) {
    let options = Options { schema: kinds(), ..options(false) };
    let realm = Realm::open(path, &options).unwrap();
    write(&realm, 1, |txn| {
        for key in 0..3 {
            let object = thing(key);
            txn.create(&object.class, &object.key, &[], &[], UpdatePolicy::Error).unwrap();
        }
        let one = thing(1);
        txn.set(&one.class, &one.key, &"mixed".into(), &link(thing(2))).unwrap();
    });
}

#[test]
fn a_sound_file_has_no_findings_and_each_kind_of_damage_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    with_contents(&path);
    let sound = std::fs::read(&path).unwrap();
    assert_eq!(Inspector::open(&path, None).unwrap().check(10).unwrap(), []);
    for (damage, place, what) in [
        ("UPDATE o3 SET p1 = 'x' WHERE p0 = 1", "Thing", "property \"int\""),
        ("UPDATE o3 SET p14 = x'c1' WHERE p0 = 1", "Thing", "property \"mixed\""),
        ("DELETE FROM content_link", "Thing", "content_link lacks"),
        (
            "INSERT INTO content_link VALUES ('Thing', 0, 3, 14, 3)",
            "Thing",
            "content_link has 2 rows of it, not 1",
        ),
        ("INSERT INTO history VALUES (2, 0, 1, 0, x'0042', NULL)", "history", "does not decode"),
        ("INSERT INTO history VALUES (2, 0, 1, 0, x'', x'0042')", "history", "reciprocal form"),
        ("INSERT INTO history VALUES (99, 3, 1, 0, x'', NULL)", "progress", "is at 99, ahead of"),
        ("UPDATE progress SET upload_client_version = 98", "progress", "upload cursor is at 98"),
        ("INSERT INTO subscription_set VALUES (7, 5, 1, NULL)", "subscription_set", "state 5"),
        (
            "INSERT INTO bootstrap_entry VALUES (3, 1, 1, 1, 1, x'0042')",
            "bootstrap_entry",
            "entry 3",
        ),
    ] {
        std::fs::write(&path, &sound).unwrap();
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let found = Inspector::open(&path, None).unwrap().check(10).unwrap();
        assert_eq!(found.len(), 1, "{damage}: {found:?}");
        assert_eq!(found[0].place, place, "{damage}");
        assert!(found[0].what.contains(what), "{damage}: {found:?}");
    }
}

#[test]
fn the_number_of_findings_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    with_contents(&path);
    Connection::open(&path).unwrap().execute("UPDATE o3 SET p1 = 'x'", []).unwrap();
    assert_eq!(Inspector::open(&path, None).unwrap().check(2).unwrap().len(), 2);
}

#[test]
fn files_of_others_and_of_other_formats_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let open = || Inspector::open(&path, None).map(|_inspector| ());
    assert!(matches!(open(), Err(StoreError::Io { file, .. }) if file == path));
    assert!(matches!(Inspector::open(dir.path(), None), Err(StoreError::Io { .. })));
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(open(), Err(StoreError::Corrupted { file, .. }) if file == path));
    std::fs::write(&path, "no database, only text\n".repeat(99)).unwrap();
    assert!(matches!(open(), Err(StoreError::Corrupted { file, .. }) if file == path));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(open(), Err(StoreError::Corrupted { file, .. }) if file == path));
    std::fs::remove_file(&path).unwrap();

    fill(&subscribed(&path), 1);
    let set = |format: i32| {
        Connection::open(&path).unwrap().pragma_update(None, "user_version", format).unwrap();
    };
    set(FILE_FORMAT + 1);
    assert!(matches!(open(), Err(StoreError::VersionUnsupported { file, .. }) if file == path));
    set(FILE_FORMAT - 1);
    let before = contents(dir.path());
    assert!(matches!(open(), Err(StoreError::UpgradeNeeded { file, .. }) if file == path));
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_servers_store_gives_its_classes_and_basic_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("skerry.db");
    drop(SqliteStore::open(&path, Synchronous::Full, Salt(7)).unwrap());
    let inspector = Inspector::open(&path, None).unwrap();
    let report = inspector.report(Depth::Everything).unwrap();
    let Kind::Server(facts) = report.kind else { panic!("{:?}", report.kind) };
    assert_eq!((facts.head, facts.entries, facts.clients), (ServerVersion(1), 1, 0));
    assert!(matches!(inspector.history(9), Err(StoreError::Misuse(_))));
    assert_eq!(inspector.check(9).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn wrong_bytes_are_an_error_a_finding_or_harmless(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        fill(&subscribed(&path), 12);
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let found = ask_everything(&path);
        prop_assert!(found.as_ref().map_or(true, |found| *found < 1000), "{:?}", found);
        prop_assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn nothing_changes_by_looking_whatever_was_written_and_whoever_has_it_open(
        steps in prop::collection::vec((0..12_i64, any::<bool>(), any::<bool>()), 0..8),
        is_open in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let realm = subscribed(&path);
        for (now, (key, is_deleted, is_seen)) in (0..).zip(steps) {
            write(&realm, now, |txn| {
                if is_deleted {
                    txn.delete(&"All".into(), &all(key).key).unwrap();
                } else {
                    create_all(txn, key, &[("string", Value::string("y"))]);
                }
            });
            if is_seen {
                ask_everything(&path).unwrap();
            }
        }
        let version = realm.version().unwrap();
        let expected = realm.snapshot().unwrap().keys(&Name::from("All")).unwrap().len();
        let realm = if is_open { Some(realm) } else { drop(realm); None };
        let before = contents_but_index(dir.path());
        ask_everything(&path).unwrap();
        let report = Inspector::open(&path, None).unwrap().report(Depth::Everything).unwrap();
        prop_assert_eq!(report.classes[0].objects, Some(expected as u64));
        prop_assert_eq!(realm_facts(report).progress.version, version);
        prop_assert_eq!(contents_but_index(dir.path()), before);
        // Who had it open goes on as before.
        if let Some(realm) = realm {
            write(&realm, 99, |txn| create_all(txn, 77, &[]));
        }
    }
}
