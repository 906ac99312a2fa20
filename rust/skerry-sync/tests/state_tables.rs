//! Every (state, message) pair of both machines does what the tables of docs/protocol.md say: the
//! tables are read from the document, the states are reached by messages only.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::sample::{self, FILE, SALT, SESSION};
use skerry_model::{ClientVersion, QueryVersion, SessionIdent};
use skerry_store::realm::SubscriptionState;
use skerry_sync::client::session::{Action, ClientSession};
use skerry_sync::client::{ClientConnection, ConnectionEvent, LocalFacts, Phase, SetFacts};
use skerry_sync::protocol::{
    Action as ServerAction, ClientMessage, ErrorMessage, ProtocolErrorCode, ServerConnection,
    ServerEvent, ServerMessage, ServerSessionState, decode_server_message, encode_client_message,
    encode_server_message,
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");
const NOW_MS: i64 = 1_000_000;

/// The cells of the table under a heading: (row, column, text).
fn cells(heading: &str) -> Vec<(String, String, String)> {
    let section = DOCUMENT.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n##").next().unwrap();
    let split = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = section.lines().filter(|line| line.starts_with('|')).map(split);
    let columns = rows.next().unwrap();
    let rows: Vec<_> = rows.skip(1).collect();
    rows.iter()
        .flat_map(|row| {
            assert_eq!(row.len(), columns.len(), "{row:?}");
            row[1..]
                .iter()
                .zip(&columns[1..])
                .map(|(cell, column)| (row[0].clone(), column.clone(), cell.clone()))
        })
        .collect()
}

fn server_in(state: ServerSessionState) -> ServerConnection {
    use ServerSessionState as S;
    let mut server = ServerConnection::new(NOW_MS);
    let send = |server: &mut ServerConnection, message: &ClientMessage| {
        server.receive(&encode_client_message(message), NOW_MS);
    };
    if state != S::Unbound {
        send(&mut server, &sample::bind(SESSION, true));
    }
    if matches!(state, S::AwaitingIdent | S::Active | S::Failed | S::Unbinding) {
        server.ident_allocated(SESSION, FILE, SALT);
    }
    if matches!(state, S::Active | S::Failed | S::Unbinding) {
        send(&mut server, &ClientMessage::Ident(sample::ident()));
    }
    match state {
        S::Failed => {
            let code = ProtocolErrorCode::SessionClosed;
            server.send_error(SESSION, ErrorMessage::new(SESSION, code, "bye"));
        }
        S::Unbinding => send(&mut server, &ClientMessage::Unbind(SESSION)),
        S::Unbound | S::AwaitingAllocation | S::AwaitingIdent | S::Active => {}
    }
    while server.poll_event().is_some() {}
    while server.poll_frame().is_some() {}
    assert_eq!(server.session_state(SESSION), state);
    server
}

fn error_code_of(frame: &[u8]) -> u16 {
    match decode_server_message(frame).unwrap() {
        ServerMessage::Error(error) => error.code,
        other => panic!("{}", other.name()),
    }
}

/// What a server did, in the words of the document.
fn server_outcome(state: ServerSessionState, message: &ClientMessage) -> String {
    let mut server = server_in(state);
    server.receive(&encode_client_message(message), NOW_MS);
    let after = server.session_state(SESSION);
    if server.close().is_some() {
        assert_eq!(server.poll_event(), None, "nothing reaches the engine");
        return format!("fail {}", error_code_of(&server.poll_frame().unwrap()));
    }
    assert_eq!(server.poll_frame(), None);
    match server.poll_event() {
        Some(ServerEvent::AllocateIdent { .. }) => "bind".to_owned(),
        Some(ServerEvent::Query(_) | ServerEvent::Upload(_) | ServerEvent::Mark(_)) => {
            assert_eq!(after, state);
            "engine".to_owned()
        }
        Some(
            ServerEvent::Identified { .. }
            | ServerEvent::ClientFailed(_)
            | ServerEvent::Unbind { .. }
            | ServerEvent::Failed { .. },
        ) => format!("{after:?}"),
        None => {
            assert_eq!(after, state);
            "ignore".to_owned()
        }
    }
}

#[test]
fn the_server_does_what_the_document_says_for_every_pair() {
    let cells = cells("### 4.1 ");
    for state in ServerSessionState::ALL {
        for message in sample::client_messages() {
            let (row, column) = (message.name(), format!("{state:?}"));
            let cell = cells.iter().find(|cell| cell.0 == row && cell.1 == column);
            let expected = &cell.unwrap_or_else(|| panic!("no cell {row}, {column}")).2;
            assert_eq!(&server_outcome(state, &message), expected, "{row} in {column}");
        }
    }
    assert_eq!(cells.len(), ServerSessionState::ALL.len() * sample::client_messages().len());
}

fn facts(ident: bool) -> LocalFacts {
    let set = |version, state| SetFacts {
        version: QueryVersion(version),
        state,
        snapshot: ClientVersion(1),
        query: sample::query("Item", "TRUEPREDICATE"),
    };
    LocalFacts {
        ident: ident.then_some((FILE, SALT)),
        last_version: ClientVersion(9),
        sets: vec![set(0, SubscriptionState::Complete), set(1, SubscriptionState::Pending)],
        ..LocalFacts::default()
    }
}

fn client_in(phase: Phase) -> ClientConnection {
    let mut client = ClientConnection::new(5);
    client.attach(SESSION);
    client.connected(NOW_MS);
    let ident = phase != Phase::AwaitingIdent;
    client.session(SESSION).unwrap().set_facts(facts(ident));
    if phase == Phase::Unbound {
        client.update(SESSION, ClientSession::pause);
    }
    let sends = match phase {
        Phase::Unbound => 0,
        Phase::AwaitingIdent | Phase::ReadyToIdentify => 1,
        // BIND, IDENT, MARK.
        Phase::Active | Phase::Unbinding => 3,
    };
    for _ in 0..sends {
        client.next_message(NOW_MS).expect("something to send");
    }
    if phase == Phase::Unbinding {
        client.update(SESSION, ClientSession::pause);
        client.next_message(NOW_MS).expect("UNBIND");
    }
    while client.poll_event().is_some() {}
    assert_eq!(client.session(SESSION).unwrap().phase(), phase);
    client
}

/// What a client did, in the words of the document.
fn client_outcome(phase: Phase, message: &ServerMessage) -> String {
    let mut client = client_in(phase);
    client.receive(&encode_server_message(message), NOW_MS);
    let after = client.session(SESSION).unwrap().phase();
    let mut actions = Vec::new();
    while let Some(event) = client.poll_event() {
        match event {
            ConnectionEvent::Session(session, action) => {
                assert_eq!(session, SESSION);
                actions.push(action);
            }
            ConnectionEvent::Report(report) => {
                assert!(client.close().is_some());
                return format!("violation {}", report.code);
            }
            ConnectionEvent::Log(_) => panic!("it is the session's"),
        }
    }
    assert_eq!(client.close(), None);
    match actions.first() {
        Some(Action::Integrate(_)) => "integrate".to_owned(),
        Some(Action::MarkReached { .. }) => "complete".to_owned(),
        Some(Action::FailSet(_)) => "set in error".to_owned(),
        Some(Action::Log(_)) => "logged".to_owned(),
        _ if after != phase => format!("{after:?}"),
        None => "ignore".to_owned(),
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_client_does_what_the_document_says_for_every_pair() {
    let cells = cells("### 4.2 ");
    for phase in Phase::ALL {
        for message in sample::server_messages() {
            let (row, column) = (message.name(), format!("{phase:?}"));
            let cell = cells.iter().find(|cell| cell.0 == row && cell.1 == column);
            let cell = &cell.unwrap_or_else(|| panic!("no cell {row}, {column}")).2;
            // The one cell that depends on the message has its own test below.
            let expected = cell.split(", Warning").next().unwrap();
            assert_eq!(client_outcome(phase, &message), expected, "{row} in {column}");
        }
    }
    assert_eq!(cells.len(), Phase::ALL.len() * sample::server_messages().len());
}

#[test]
fn a_warning_leaves_the_session_active() {
    let mut client = client_in(Phase::Active);
    let code = ProtocolErrorCode::WriteNotAllowed;
    let warning = ErrorMessage::new(SESSION, code, "not that");
    assert_eq!(warning.action, ServerAction::Warning);
    client.receive(&encode_server_message(&ServerMessage::Error(warning)), NOW_MS);
    assert_eq!(client.session(SESSION).unwrap().phase(), Phase::Active);
    let told = client.poll_event();
    assert!(matches!(told, Some(ConnectionEvent::Session(SESSION, Action::Report(_)))), "{told:?}");
}

#[test]
fn a_server_answers_unbound_when_the_engine_has_let_go_and_takes_the_ident_again() {
    let mut server = server_in(ServerSessionState::Unbinding);
    server.finish_unbind(SESSION);
    let frame = server.poll_frame().unwrap();
    assert_eq!(decode_server_message(&frame).unwrap(), ServerMessage::Unbound(SESSION));
    server.receive(&encode_client_message(&sample::bind(SESSION, false)), NOW_MS);
    assert_eq!(server.session_state(SESSION), ServerSessionState::AwaitingIdent);
    assert_eq!(server.close(), None);
}

#[test]
fn a_line_for_a_session_that_is_gone_does_no_harm() {
    let mut client = client_in(Phase::Active);
    let ServerMessage::Log(mut line) = sample::server_messages().pop().unwrap() else {
        panic!("the last one is the line")
    };
    line.session = SessionIdent(99);
    client.receive(&encode_server_message(&ServerMessage::Log(line.clone())), NOW_MS);
    assert_eq!(client.poll_event(), Some(ConnectionEvent::Log(line)));
    assert_eq!(client.close(), None);
}
