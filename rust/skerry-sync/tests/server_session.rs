//! What the server's machines refuse, with which code, and what survives it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::sample::{self, FILE, SALT, SESSION, download, ident, upload, upload_entry};
use proptest::prelude::*;
use skerry_model::{
    ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp,
};
use skerry_sync::limits::{IDLE_TIMEOUT_MS, MARKS_WAITING_MAX, SESSIONS_MAX};
use skerry_sync::protocol::{
    BatchState, ClientIdent, ClientMessage, Delivery, ErrorMessage, Mark, Ping, ProtocolErrorCode,
    Query, QueryError, ServerConnection, ServerEvent, ServerMessage, ServerSessionState, Upload,
    decode_server_message, encode_client_message,
};

fn send(server: &mut ServerConnection, message: &ClientMessage) {
    server.receive(&encode_client_message(message), 0);
}

fn next(server: &mut ServerConnection) -> Option<ServerMessage> {
    server.poll_frame().map(|frame| decode_server_message(&frame).unwrap())
}

/// The code and session of the ERROR that is the only thing said.
fn refusal(server: &mut ServerConnection) -> (i64, u16) {
    let Some(ServerMessage::Error(error)) = next(server) else { panic!("no ERROR") };
    assert_eq!(next(server), None);
    (error.session.0, error.code)
}

fn bound() -> ServerConnection {
    let mut server = ServerConnection::new(0);
    send(&mut server, &sample::bind(SESSION, false));
    server
}

/// An active session that has been sent everything up to version 10.
fn active() -> ServerConnection {
    let mut server = bound();
    send(&mut server, &ClientMessage::Ident(ident()));
    assert_eq!(server.send_download(SESSION, download(10, 12, Vec::new())), Delivery::Sent);
    server.poll_frame();
    server.poll_event();
    server
}

/// What makes a good message bad, and the code that answers it.
type Case<T> = (fn(&mut T), u16);

#[test]
fn an_ident_that_cannot_be_is_refused() {
    let cases: [Case<ClientIdent>; 7] = [
        (|it| it.ident = FileIdent(0), 208),
        (|it| it.ident = FileIdent(1), 208),
        (|it| it.ident = FileIdent(-5), 208),
        (|it| it.salt = Salt(0), 211),
        (|it| it.salt = Salt(-1), 211),
        (|it| it.scan_server_version = ServerVersion(3), 209),
        (|it| it.scan_client_version = ClientVersion(3), 210),
    ];
    for (change, code) in cases {
        let (mut server, mut ident) = (bound(), ident());
        change(&mut ident);
        send(&mut server, &ClientMessage::Ident(ident));
        assert_eq!(refusal(&mut server), (1, code));
        assert!(matches!(server.poll_event(), Some(ServerEvent::Failed { .. })));
        assert_eq!(server.session_state(SESSION), ServerSessionState::Failed);
        assert_eq!(server.close(), None, "only the session ends");
    }
}

#[test]
fn the_allocated_ident_is_the_one_to_use() {
    for (ident, salt, code) in [(3, SALT.0, 208), (FILE.0, SALT.0 + 1, 211)] {
        let mut server = ServerConnection::new(0);
        send(&mut server, &sample::bind(SESSION, true));
        server.ident_allocated(SESSION, FILE, SALT);
        server.poll_frame();
        let forged = ClientIdent { ident: FileIdent(ident), salt: Salt(salt), ..sample::ident() };
        send(&mut server, &ClientMessage::Ident(forged));
        assert_eq!(refusal(&mut server), (1, code));
    }
}

#[test]
fn an_upload_that_runs_backwards_or_ahead_is_refused() {
    let with = |change: fn(&mut Upload)| {
        let mut message = upload((7, 8), vec![upload_entry(5, 6), upload_entry(7, 8)]);
        change(&mut message);
        message
    };
    let cases: [Case<Upload>; 11] = [
        (|it| it.progress_client_version = ClientVersion(6), 210),
        (|it| it.entries[1].client_version = ClientVersion(5), 210),
        (|it| it.entries[0].client_version = ClientVersion(0), 210),
        (|it| it.entries[0].client_version = ClientVersion(3), 210), // sent before
        (|it| it.progress_server_version = ServerVersion(7), 209),
        (|it| it.progress_server_version = ServerVersion(11), 209), // never sent
        (|it| it.entries[1].server_version = ServerVersion(5), 209),
        (|it| it.entries[0].server_version = ServerVersion(1), 209),
        (|it| it.locked_server_version = ServerVersion(9), 209),
        (|it| it.entries[0].origin = FileIdent(2), 216),
        (|it| it.entries[0].stamp = Stamp(-1), 212),
    ];
    for (i, (change, code)) in cases.into_iter().enumerate() {
        let mut server = active();
        send(&mut server, &ClientMessage::Upload(upload((3, 2), vec![upload_entry(3, 2)])));
        assert!(matches!(server.poll_event(), Some(ServerEvent::Upload(_))));
        send(&mut server, &ClientMessage::Upload(with(change)));
        assert_eq!(refusal(&mut server), (1, code), "case {i}");
        assert!(matches!(server.poll_event(), Some(ServerEvent::Failed { .. })), "case {i}");
    }
    let mut server = active();
    send(&mut server, &ClientMessage::Upload(with(|_| {})));
    assert!(matches!(server.poll_event(), Some(ServerEvent::Upload(_))));
    send(&mut server, &ClientMessage::Upload(upload((6, 8), Vec::new())));
    assert_eq!(refusal(&mut server), (1, 210), "progress falls");
}

#[test]
fn a_base_inside_an_unfinished_bootstrap_is_refused() {
    let mut server = active();
    let mut part = download(11, 12, Vec::new());
    part.batch_state = BatchState::MoreToCome;
    server.send_download(SESSION, part.clone());
    server.poll_frame();
    send(&mut server, &ClientMessage::Upload(upload((0, 11), Vec::new())));
    assert_eq!(refusal(&mut server), (1, 209));

    let mut server = active();
    part.batch_state = BatchState::LastInBatch;
    server.send_download(SESSION, part);
    send(&mut server, &ClientMessage::Upload(upload((0, 11), Vec::new())));
    assert!(matches!(server.poll_event(), Some(ServerEvent::Upload(_))));
}

#[test]
fn queries_and_marks_ascend() {
    let query = |version| {
        let query = sample::query("Item", "TRUEPREDICATE");
        ClientMessage::Query(Query { session: SESSION, version: QueryVersion(version), query })
    };
    let mark = |request| ClientMessage::Mark(Mark { session: SESSION, request });
    for (first, second) in [(query(2), query(2)), (query(2), query(1)), (mark(2), mark(2))] {
        let mut server = active();
        send(&mut server, &first);
        assert_eq!(server.close(), None);
        send(&mut server, &second);
        assert_eq!(refusal(&mut server), (0, 109));
        assert_eq!(server.close().map(|(code, _)| code), Some(1002));
    }
}

#[test]
fn marks_that_wait_are_counted_and_answered_ones_are_not() {
    let mark = |request| ClientMessage::Mark(Mark { session: SESSION, request });
    let mut server = active();
    let most = i64::try_from(MARKS_WAITING_MAX).unwrap();
    for request in 1..=most {
        send(&mut server, &mark(request));
    }
    assert_eq!(server.send_mark(SESSION, 1), Delivery::Sent);
    server.poll_frame();
    send(&mut server, &mark(most + 1));
    assert_eq!(server.close(), None);
    send(&mut server, &mark(most + 2));
    assert_eq!(refusal(&mut server), (0, 104));
}

#[test]
fn a_schema_version_is_refused_until_there_are_some() {
    let mut server = ServerConnection::new(0);
    let ClientMessage::Bind(mut bind) = sample::bind(SESSION, true) else { panic!("BIND") };
    bind.schema_version = 4;
    send(&mut server, &ClientMessage::Bind(bind));
    assert_eq!(refusal(&mut server), (1, 235));
}

#[test]
fn a_file_in_two_sessions_of_a_connection_ends_it() {
    let mut server = active();
    send(&mut server, &sample::bind(SessionIdent(2), false));
    let again = ClientIdent { session: SessionIdent(2), ..ident() };
    send(&mut server, &ClientMessage::Ident(again));
    assert_eq!(refusal(&mut server), (0, 108));
}

#[test]
fn sessions_are_counted_and_the_refused_ones_too() {
    let most = i64::try_from(SESSIONS_MAX).unwrap();
    let mut server = ServerConnection::new(0);
    for session in 1..=most {
        send(&mut server, &sample::bind(SessionIdent(session), true));
        assert!(matches!(server.poll_event(), Some(ServerEvent::AllocateIdent { .. })));
    }
    for session in most + 1..=2 * most {
        send(&mut server, &sample::bind(SessionIdent(session), true));
        assert_eq!(refusal(&mut server), (session, 224));
        assert!(matches!(server.poll_event(), Some(ServerEvent::Failed { .. })));
        assert_eq!(server.poll_event(), None, "no ident is made for it");
    }
    send(&mut server, &sample::bind(SessionIdent(2 * most + 1), true));
    assert_eq!(refusal(&mut server), (0, 104));
}

#[test]
fn one_sessions_fault_leaves_the_other_alone() {
    let mut server = active();
    let other = SessionIdent(2);
    send(&mut server, &sample::bind(other, false));
    let second = ClientIdent { session: other, ident: FileIdent(3), ..ident() };
    send(&mut server, &ClientMessage::Ident(second));
    server.poll_event();
    send(&mut server, &ClientMessage::Upload(upload((0, 11), Vec::new())));
    assert_eq!(refusal(&mut server), (1, 209));
    assert!(matches!(server.poll_event(), Some(ServerEvent::Failed { .. })));
    assert_eq!(server.send_download(SESSION, download(11, 12, Vec::new())), Delivery::Dropped);
    assert_eq!(server.send_mark(other, 1), Delivery::Sent);
    assert!(matches!(next(&mut server), Some(ServerMessage::Mark(mark)) if mark.session == other));
}

#[test]
fn ping_is_answered_and_silence_is_not_borne_for_ever() {
    let mut server = ServerConnection::new(0);
    let ping = encode_client_message(&ClientMessage::Ping(Ping { timestamp_ms: 5, rtt_ms: 1 }));
    server.receive(&ping, 1000);
    assert!(matches!(next(&mut server), Some(ServerMessage::Pong(pong)) if pong.timestamp_ms == 5));
    assert_eq!(server.deadline_ms(), Some(1000 + IDLE_TIMEOUT_MS));
    server.tick(1000 + IDLE_TIMEOUT_MS - 1);
    assert_eq!(server.close(), None);
    server.tick(1000 + IDLE_TIMEOUT_MS);
    assert_eq!(refusal(&mut server), (0, 100));
    assert_eq!(server.close().map(|(code, _)| code), Some(1000));
}

#[test]
fn after_a_fault_of_the_connection_nothing_is_read_or_sent() {
    let mut server = active();
    server.receive(&[0xff; 10], 0);
    assert_eq!(refusal(&mut server), (0, 103));
    send(&mut server, &ClientMessage::Unbind(SESSION));
    assert_eq!(server.poll_event(), None);
    assert_eq!(server.send_mark(SESSION, 1), Delivery::Dropped);
    assert_eq!(next(&mut server), None);
}

/// What a test does to a server: a message of a client, or something of the engine.
#[derive(Clone, Debug)]
enum Step {
    Client(ClientMessage),
    Engine(usize),
}

proptest! {
    /// Whatever comes in whatever order: no panic, and the engine hears only of sessions that
    /// were identified.
    #[test]
    fn no_order_of_messages_panics(
        steps in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(sample::client_messages()).prop_map(Step::Client),
                1 => common::generate::client_message().prop_map(Step::Client),
                3 => (0..6_usize).prop_map(Step::Engine),
            ],
            0..40,
        )
    ) {
        let mut server = ServerConnection::new(0);
        let mut is_identified = false;
        for step in steps {
            match step {
                Step::Client(message) => send(&mut server, &message),
                Step::Engine(0) if server.session_state(SESSION) == ServerSessionState::AwaitingAllocation => {
                    server.ident_allocated(SESSION, FILE, SALT);
                }
                Step::Engine(1) => { server.send_mark(SESSION, 1); }
                Step::Engine(2) => { server.finish_unbind(SESSION); }
                Step::Engine(3) => {
                    let code = ProtocolErrorCode::SessionClosed;
                    server.send_error(SESSION, ErrorMessage::new(SESSION, code, ""));
                }
                Step::Engine(4) => {
                    let (version, message) = (QueryVersion(1), String::new());
                    let error = QueryError { session: SESSION, code: 226, version, message };
                    server.send_query_error(SESSION, error);
                }
                Step::Engine(_) => { server.tick(0); }
            }
            while let Some(event) = server.poll_event() {
                match event {
                    ServerEvent::Identified { ident, .. } if ident.session == SESSION => {
                        is_identified = true;
                    }
                    ServerEvent::Upload(upload) if upload.session == SESSION => {
                        prop_assert!(is_identified);
                    }
                    _ => {}
                }
            }
            while let Some(frame) = server.poll_frame() {
                prop_assert!(decode_server_message(&frame).is_ok());
            }
        }
    }
}
