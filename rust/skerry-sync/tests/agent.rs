//! The agent on real realm files against a scripted server: whole stories of a session.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::server::{
    From, S, START_MS, World, create, entering, erase, name_of, open_realm, rename, set_name,
    set_state, subscribe, synthetic,
};
use skerry_model::{
    ClientVersion, FileIdent, ObjectKey, QueryVersion, ServerVersion, SessionIdent, Stamp, Value,
};
use skerry_store::realm::SubscriptionState;
use skerry_sync::client::{SessionState, SyncEventKind};
use skerry_sync::limits;
use skerry_sync::protocol::{
    BatchState, ClientMessage, ErrorMessage, ProtocolErrorCode, QueryError, RejectedUpdate,
};
use tempfile::tempdir;

#[allow(clippy::unnecessary_wraps, reason = "what `name_of` gives for a present item")]
fn text(value: &str) -> Option<Value> {
    Some(Value::string(value))
}

#[test]
fn a_new_file_gets_an_ident_its_bootstraps_and_uploads_in_the_right_order() {
    let dir = tempdir().unwrap();
    let realm = open_realm(&dir, "a.skerry");
    let version = subscribe(&realm, "complexity <= 4");
    let created = create(&realm, 1, "mine");
    let mut world = World::new();
    world.bootstrap = vec![entering(8, "eight"), entering(9, "nine")];
    assert_eq!(world.agent.attach(realm.clone()).unwrap(), S);
    let wait = world.agent.wait_upload(S).unwrap();
    world.connect();
    world.settle();

    let names = world.client_names();
    // The schema goes up before the query, the item after it. One MARK follows IDENT, and one may
    // answer for both bootstraps.
    let order: Vec<_> = names.iter().filter(|name| **name != "MARK").copied().collect();
    assert_eq!(order[..5], ["BIND", "IDENT", "UPLOAD", "QUERY", "UPLOAD"], "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "MARK").count(), 2, "{names:?}");
    assert_eq!(world.queries[0].1["Item"], "(complexity <= 4)");
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Complete));
    assert_eq!(set_state(&realm, QueryVersion(0)), None, "superseded");
    assert_eq!(name_of(&realm, 8), text("eight"));
    assert_eq!(name_of(&realm, 9), text("nine"));
    assert_eq!(name_of(&realm, 1), text("mine"), "unsent changes survive a bootstrap");
    let progress = realm.progress().unwrap();
    assert!(progress.sync.upload_client_version >= created);
    assert!(world.has_event(|kind| *kind == SyncEventKind::UploadComplete { request: wait }));

    // Integrated versions are acknowledged when nothing else has carried the news.
    world.now_ms += 1000;
    world.settle();
    let ClientMessage::Upload(last) = world.client_messages().pop().unwrap() else {
        panic!("{:?}", world.client_names())
    };
    assert_eq!((last.entries.len(), last.progress_server_version), (0, ServerVersion(world.head)));
}

#[test]
fn events_of_a_subscription_come_in_order() {
    let dir = tempdir().unwrap();
    let realm = open_realm(&dir, "a.skerry");
    let mut world = World::new();
    world.agent.attach(realm.clone()).unwrap();
    world.connect();
    world.settle();
    world.events.clear();
    world.bootstrap = vec![entering(8, "eight")];
    let version = subscribe(&realm, "TRUEPREDICATE");
    world.settle();
    let states: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            SyncEventKind::Subscription { version, state, .. } => Some((*version, *state)),
            _ => None,
        })
        .collect();
    assert_eq!(
        states,
        [
            (version, Some(SubscriptionState::Bootstrapping)),
            (QueryVersion(0), None),
            (version, Some(SubscriptionState::AwaitingMark)),
            (version, Some(SubscriptionState::Complete)),
        ]
    );
}

/// A world with one file that has everything and waits for news.
fn settled(file: &str) -> (tempfile::TempDir, skerry_store::Realm, World) {
    let dir = tempdir().unwrap();
    let realm = open_realm(&dir, file);
    subscribe(&realm, "TRUEPREDICATE");
    let mut world = World::new();
    world.bootstrap = vec![entering(8, "eight")];
    world.agent.attach(realm.clone()).unwrap();
    world.connect();
    world.settle();
    world.events.clear();
    world.wire.clear();
    world.uploads.clear();
    (dir, realm, world)
}

#[test]
fn a_reconnected_session_goes_on_from_its_cursors() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.cut();
    let offline = rename(&realm, 8, "offline");
    let before = realm.progress().unwrap().sync;
    world.connect();
    world.settle();
    let ClientMessage::Ident(ident) = &world.client_messages()[1] else {
        panic!("{:?}", world.client_names())
    };
    assert_eq!(ident.scan_server_version, before.download_server_version);
    assert_eq!(ident.scan_client_version, before.download_client_version);
    assert_eq!(
        (ident.query_version, ident.query["Item"].as_str()),
        (QueryVersion(1), "(TRUEPREDICATE)")
    );
    assert!(matches!(&world.client_messages()[0], ClientMessage::Bind(bind) if !bind.need_ident));
    let sent: Vec<_> = world.uploads.iter().flat_map(|upload| &upload.entries).collect();
    assert_eq!(sent.len(), 1, "nothing twice");
    assert_eq!(sent[0].client_version, offline);
    assert!(world.queries.len() == 1, "the set is not asked for again");
}

#[test]
fn changes_that_an_earlier_connection_brought_are_not_sent_again() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    let lost = rename(&realm, 8, "acknowledgement lost");
    world.poll();
    assert_eq!(world.uploads.len(), 1);
    let known = world.known[&S].accepted;
    assert!(known.0 >= lost);
    world.cut();
    world.answers = true;
    world.connect();
    world.poll();
    // The first DOWNLOAD may accept more than this connection has sent.
    world.settle();
    assert!(!world.has_event(|kind| matches!(kind, SyncEventKind::Error(_))), "{:?}", world.events);
    assert!(realm.progress().unwrap().sync.upload_client_version >= lost);
}

#[test]
fn an_interrupted_bootstrap_leaves_no_trace_and_comes_again() {
    let (_dir, realm, mut world) = settled("a.skerry");
    let version = subscribe(&realm, "complexity <= 4");
    world.bootstrap = vec![entering(10, "ten"), entering(11, "eleven")];
    world.poll();
    assert!(world.deliver_one(), "the first batch");
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Bootstrapping));
    assert_eq!(name_of(&realm, 10), None, "staged is not visible");
    world.cut();
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Pending));
    assert!(realm.pending_bootstrap().unwrap().is_none());
    world.connect();
    world.settle();
    assert_eq!(world.queries.len(), 3, "asked for again");
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Complete));
    assert_eq!((name_of(&realm, 10), name_of(&realm, 11)), (text("ten"), text("eleven")));
}

#[test]
fn a_bootstrap_that_was_complete_when_the_program_died_is_integrated_first() {
    let (_dir, realm, mut world) = settled("a.skerry");
    let version = subscribe(&realm, "complexity <= 4");
    world.cut();
    // What the agent of a killed process had staged, to the last batch.
    let mut cursors = realm.progress().unwrap().sync;
    cursors.download_server_version.0 += 5;
    cursors.latest_server_version = cursors.download_server_version;
    let entry = synthetic(cursors.download_server_version.0, 0, entering(10, "ten"));
    let staged = skerry_store::realm::DownloadEntry {
        server_version: entry.server_version,
        client_version: cursors.download_client_version,
        stamp: entry.stamp,
        origin: entry.origin,
        changeset: entry.changeset.to_vec(),
    };
    realm.stage_bootstrap(version, &[staged], Some(&cursors)).unwrap();
    let mut next = World::new();
    next.known = world.known;
    next.head = cursors.download_server_version.0;
    next.agent.attach(realm.clone()).unwrap();
    next.connect();
    next.settle();
    let ClientMessage::Ident(ident) = &next.client_messages()[1] else { panic!("IDENT") };
    assert_eq!(ident.query_version, version, "it is the active one");
    assert_eq!(ident.scan_server_version, cursors.download_server_version);
    assert_eq!(name_of(&realm, 10), text("ten"));
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Complete), "by the first MARK");
}

#[test]
fn concurrent_edits_are_merged_with_what_is_not_acknowledged() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    let base = realm.progress().unwrap().sync.download_client_version.0;
    let mine = rename(&realm, 8, "mine, and older");
    // Another client's edits, made without ours: a later one wins here, an older one does not.
    world.publish(S, base, vec![set_name(8, "theirs, and later")]);
    world.deliver();
    assert_eq!(name_of(&realm, 8), text("theirs, and later"));
    let newer = rename(&realm, 8, "mine, and newer");
    world.head += 1;
    let mut older = synthetic(world.head, base, vec![set_name(8, "theirs, and older")]);
    (older.stamp, older.origin) = (Stamp::from_unix_ms(START_MS - 5000), FileIdent(1000));
    let download = world.steady(S, vec![older]);
    world.server.send_download(S, download);
    world.deliver();
    assert_eq!(name_of(&realm, 8), text("mine, and newer"));
    // What goes up is the original, with its original base.
    world.poll();
    let sent: Vec<_> = world.uploads.iter().flat_map(|upload| &upload.entries).collect();
    assert_eq!(sent.iter().map(|entry| entry.client_version).collect::<Vec<_>>(), [mine, newer]);
    let originals = realm.uploads(ClientVersion(mine.0 - 1), Some(mine), 1).unwrap().entries;
    assert_eq!(originals[0].changeset, sent[0].changeset.to_vec());
    assert_eq!(originals[0].base_server_version, sent[0].server_version);
    assert!(sent[0].server_version < sent[1].server_version);
    assert_eq!(world.server.close(), None);
    assert!(!world.has_event(|kind| matches!(kind, SyncEventKind::Error(_))), "{:?}", world.events);
}

#[test]
fn a_download_with_cursors_that_run_backwards_is_answered_with_233() {
    let (_dir, realm, mut world) = settled("a.skerry");
    let before = realm.progress().unwrap();
    world.publish(S, before.sync.download_client_version.0 - 1, vec![set_name(8, "late")]);
    world.settle();
    assert_eq!(name_of(&realm, 8), text("eight"));
    assert_eq!(realm.progress().unwrap(), before);
    let names = world.client_names();
    assert_eq!(names[names.len() - 2..], ["ERROR", "UNBIND"]);
    assert!(has_error(&world, 233));
}

fn has_error(world: &World, code: u16) -> bool {
    world.has_event(|kind| matches!(kind, SyncEventKind::Error(report) if report.code == code))
}

#[test]
fn a_compensating_write_is_told_after_it_is_undone_also_when_the_wire_is_cut_between() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    let illegal = create(&realm, 66, "illegal");
    world.poll();
    let undone_at = world.head + 2;
    let error = |world: &mut World| {
        let update = RejectedUpdate {
            reason: "write to 66 in table \"Item\" not allowed".to_owned(),
            table: "Item".to_owned(),
            pk: ObjectKey::Int(66),
        };
        let error =
            ErrorMessage::compensating_write(S, illegal, ServerVersion(undone_at), vec![update]);
        world.server.send_error(S, error);
    };
    let is_told = |world: &World| {
        let told = |kind: &&SyncEventKind| matches!(kind, SyncEventKind::CompensatingWrite(_));
        world.events.iter().map(|event| &event.kind).filter(told).count()
    };
    error(&mut world);
    world.deliver();
    world.poll();
    assert_eq!((is_told(&world), name_of(&realm, 66)), (0, text("illegal")));

    world.cut();
    world.connect();
    world.poll();
    error(&mut world);
    error(&mut world); // A server in doubt says it twice.
    world.head = undone_at;
    let undo = synthetic(undone_at, illegal.0, erase(66));
    let download = world.steady(S, vec![undo]);
    world.server.send_download(S, download);
    world.deliver();
    world.poll();
    assert_eq!((is_told(&world), name_of(&realm, 66)), (1, None));
    let names = world.event_names();
    let at = |name| names.iter().position(|it| *it == name).unwrap();
    assert!(at("integrated") < at("compensating_write"), "{names:?}");

    world.cut();
    world.connect();
    world.poll();
    error(&mut world); // What is integrated is not told again.
    world.deliver();
    world.poll();
    assert_eq!(is_told(&world), 1);
    assert!(world.events.iter().all(|event| event.kind.name() != "error"), "{:?}", world.events);
}

#[test]
fn a_paused_session_says_goodbye_and_nothing_until_it_is_resumed() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.agent.pause(S);
    world.agent.pause(S);
    world.settle();
    assert_eq!(world.client_names(), ["UNBIND"]);
    rename(&realm, 8, "offline");
    let wait = world.agent.wait_upload(S).unwrap();
    world.now_ms += 10_000;
    world.settle();
    assert_eq!(world.client_names(), ["UNBIND"]);
    world.agent.resume(S);
    world.agent.resume(S);
    world.settle();
    assert_eq!(world.client_names()[1..3], ["BIND", "IDENT"]);
    assert!(world.has_event(|kind| *kind == SyncEventKind::UploadComplete { request: wait }));
}

#[test]
fn a_session_resumed_before_unbound_waits_for_it() {
    let (_dir, _realm, mut world) = settled("a.skerry");
    world.agent.pause(S);
    world.poll();
    world.agent.resume(S);
    let result = world.agent.poll(world.now_ms, usize::MAX);
    assert!(result.frames.is_empty(), "the ident is in use until UNBOUND");
    world.settle();
    assert_eq!(world.client_names()[..3], ["UNBIND", "BIND", "IDENT"]);
    assert_eq!(world.server.close(), None);
}

#[test]
fn two_sessions_share_a_connection_and_leave_each_other_alone() {
    let (dir, first, mut world) = settled("a.skerry");
    let second = open_realm(&dir, "b.skerry");
    let other = world.agent.attach(second.clone()).unwrap();
    assert_eq!(other, SessionIdent(2));
    subscribe(&second, "TRUEPREDICATE");
    world.settle();
    assert_eq!(name_of(&second, 8), text("eight"));
    let (a, b) = (first.progress().unwrap(), second.progress().unwrap());
    assert_ne!(a.file_ident, b.file_ident);
    world.agent.detach(other);
    second.close();
    world.settle();
    rename(&first, 8, "still here");
    world.settle();
    assert_eq!(world.uploads.last().unwrap().session, S);
    assert!(first.progress().unwrap().sync.upload_client_version > a.sync.upload_client_version);
    assert!(!world.has_event(|kind| matches!(kind, SyncEventKind::Error(_))), "{:?}", world.events);
}

#[test]
fn a_transient_error_is_waited_out_and_a_fatal_one_waits_for_the_application() {
    let (_dir, _realm, mut world) = settled("a.skerry");
    let code = ProtocolErrorCode::SessionClosed;
    world.server.send_error(S, ErrorMessage::new(S, code, "roles changed"));
    world.settle();
    assert_eq!(world.client_names(), ["UNBIND"]);
    assert!(!world.has_event(|kind| matches!(kind, SyncEventKind::Error(_))), "no error, it says");
    let deadline = world.agent.poll(world.now_ms, usize::MAX).deadline_ms;
    assert!(deadline <= Some(world.now_ms + 1000), "{deadline:?}");
    world.now_ms += 1000;
    world.settle();
    assert_eq!(world.client_names()[..3], ["UNBIND", "BIND", "IDENT"]);

    let code = ProtocolErrorCode::UserMismatch;
    world.server.send_error(S, ErrorMessage::new(S, code, "not yours"));
    world.settle();
    world.now_ms += 1_000_000;
    world.settle();
    assert_eq!(world.client_names().iter().filter(|name| **name == "BIND").count(), 1);
    assert!(world.has_event(|kind| *kind == SyncEventKind::Session(SessionState::Inactive)));
}

#[test]
fn a_download_that_does_not_fit_changes_nothing_and_stops_the_session() {
    let (_dir, realm, mut world) = settled("a.skerry");
    let before = realm.progress().unwrap();
    world.head += 1;
    let mut bad =
        synthetic(world.head, before.sync.download_client_version.0, vec![set_name(8, "half")]);
    let good = bad.clone();
    bad.changeset = [0, 1, 2, 3].into();
    let download = world.steady(S, vec![good, bad]);
    world.server.send_download(S, download);
    world.settle();
    assert_eq!(name_of(&realm, 8), text("eight"));
    assert_eq!(realm.progress().unwrap(), before);
    let names = world.client_names();
    assert_eq!(names[names.len() - 2..], ["ERROR", "UNBIND"]);
    assert!(world.has_event(|kind| matches!(kind, SyncEventKind::Error(report) if report.code == 212 && !report.try_again)));
}

#[test]
fn a_refused_query_fails_its_set_only() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    let version = subscribe(&realm, "complexity MATCHES 3");
    world.poll();
    let error = QueryError { session: S, code: 226, version, message: "MATCHES".to_owned() };
    world.server.send_query_error(S, error);
    world.settle();
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Error));
    assert_eq!(set_state(&realm, QueryVersion(1)), Some(SubscriptionState::Complete));
    assert_eq!(world.client_names(), ["QUERY"]);
    assert!(world.has_event(|kind| matches!(
        kind,
        SyncEventKind::Subscription { state: Some(SubscriptionState::Error), message: Some(text), .. }
            if text == "MATCHES"
    )));
}

#[test]
fn large_uploads_are_split_and_a_poll_is_bounded() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    // Names that do not compress, of 20 kB each.
    let mut state = 1_u32;
    for key in 100..120 {
        let noise: String = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'0' + u8::try_from(state >> 24).unwrap() % 75)
            })
            .collect();
        create(&realm, key, &noise);
    }
    let without_room = world.agent.poll(world.now_ms, 0);
    assert!(without_room.frames.is_empty());
    assert!(without_room.deadline_ms > Some(world.now_ms), "or the caller would never rest");
    let first = world.agent.poll(world.now_ms, 1);
    assert_eq!((first.frames.len(), first.deadline_ms), (1, Some(world.now_ms)), "more at once");
    let mut frames = first.frames;
    frames.extend(world.agent.poll(world.now_ms, usize::MAX).frames);
    assert!(frames.len() >= 3, "{}", frames.len());
    for frame in &frames {
        assert!(frame.len() <= 160 * 1024, "{}", frame.len());
        world.server.receive(frame, START_MS);
    }
    assert_eq!(world.server.close(), None);
}

#[test]
fn a_steady_state_message_inside_a_bootstrap_is_a_fault_of_the_server() {
    let (_dir, realm, mut world) = settled("a.skerry");
    world.answers = false;
    let version = subscribe(&realm, "complexity <= 4");
    world.poll();
    world.head += 1;
    let base = world.known[&S].accepted.0.0;
    let mut part = world.steady(S, vec![synthetic(world.head, base, entering(10, "ten"))]);
    part.batch_state = BatchState::MoreToCome;
    world.server.send_download(S, part);
    let steady = world.steady(S, Vec::new());
    world.server.send_download(S, steady);
    world.settle();
    assert!(has_error(&world, 233));
    assert_eq!(set_state(&realm, version), Some(SubscriptionState::Pending));
    assert_eq!(name_of(&realm, 10), None);
}

#[test]
fn silence_after_a_ping_ends_the_connection() {
    let (_dir, _realm, mut world) = settled("a.skerry");
    world.now_ms += 1000;
    world.settle();
    let deadline = world.agent.poll(world.now_ms, usize::MAX).deadline_ms.unwrap();
    assert!(deadline <= START_MS + 60_000);
    let ping = world.agent.poll(START_MS + 60_000, usize::MAX);
    assert_eq!(ping.frames.len(), 1, "the PING that nobody answers");
    assert_eq!(ping.close, None);
    let silent = world.agent.poll(START_MS + 180_000, usize::MAX);
    assert_eq!(silent.close.map(|(code, _)| code), Some(1000));
}

#[test]
fn the_wire_of_a_settled_session_is_silent() {
    let (_dir, _realm, mut world) = settled("a.skerry");
    world.now_ms += 1000;
    world.settle();
    world.wire.clear();
    world.now_ms += 1000;
    world.settle();
    let own: Vec<_> = world.wire.iter().filter(|(from, _)| *from == From::Client).collect();
    assert!(own.is_empty(), "{:?}", world.client_names());
}

#[test]
fn a_set_that_no_message_can_hold_fails_here_and_not_the_connection() {
    let (_dir, realm, mut world) = settled("a.skerry");
    let long = format!("name == \"{}\"", "x".repeat(limits::QUERY_TEXT_MAX_BYTES));
    let version = subscribe(&realm, &long);
    let next = subscribe(&realm, "complexity <= 4");
    world.settle();
    assert_eq!(world.server.close(), None);
    assert_eq!(world.client_names().iter().filter(|name| **name == "QUERY").count(), 1);
    assert_eq!(set_state(&realm, version), None, "superseded by the next one");
    assert_eq!(set_state(&realm, next), Some(SubscriptionState::Complete));
    assert!(world.has_event(|kind| matches!(
        kind,
        SyncEventKind::Subscription { version: failed, state: Some(SubscriptionState::Error), .. }
            if *failed == version
    )));
}

#[test]
fn a_detached_session_says_goodbye_without_its_file() {
    let (dir, realm, mut world) = settled("a.skerry");
    world.agent.detach(S);
    realm.close();
    world.settle();
    assert_eq!(world.client_names(), ["UNBIND"]);
    assert!(world.agent.wait_upload(S).is_err());
    // The file can be attached again at once, in a session of another number.
    let again = open_realm(&dir, "a.skerry");
    let session = world.agent.attach(again).unwrap();
    assert_ne!(session, S);
    let known = world.known[&S];
    world.known.insert(session, known);
    world.settle();
    assert_eq!(world.client_names()[1..3], ["BIND", "IDENT"]);
    assert_eq!(world.events.iter().filter(|event| event.kind.name() == "error").count(), 0);
}
