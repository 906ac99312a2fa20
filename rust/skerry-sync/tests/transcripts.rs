//! Recorded conversations, byte by byte: tests/vectors/protocol/*.json.
//!
//! Each is made anew by an agent on a fresh realm file and a scripted server, and must equal the
//! record; then the record is replayed to a server of its own. With `SKERRY_WRITE_VECTORS=1` the
//! records are written instead, for a change of the protocol that is meant.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::path::PathBuf;

use common::server::{
    From, S, World, create, entering, erase, open_realm, rename, subscribe, synthetic,
};
use serde_json::{Value as Json, json};
use skerry_model::codec::{Datum, Reader};
use skerry_model::{ObjectKey, QueryVersion, ServerVersion};
use skerry_sync::protocol::{
    BatchState, ErrorMessage, LogMessage, ProtocolErrorCode, QueryError, RejectedUpdate,
    ServerConnection, ServerEvent, ServerMessage, decode_client_message, decode_server_message,
    encode_client_message, encode_server_message,
};
use tempfile::{TempDir, tempdir};

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap()).collect()
}

/// A msgpack value as the records describe it.
fn described(reader: &mut Reader<'_>) -> Json {
    match reader.read_datum().unwrap() {
        Datum::Nil => Json::Null,
        Datum::Bool(bool) => json!(bool),
        Datum::Int(int) => json!(int),
        Datum::BigInt(int) => json!(int),
        Datum::Float(_) => panic!("the protocol has no 32-bit floats"),
        Datum::Double(double) => json!({ "f64": double }),
        Datum::Str(text) => json!(text),
        Datum::Bin(bytes) => json!({ "bin": hex(bytes) }),
        Datum::Ext(kind, bytes) => json!({ "ext": [kind, hex(bytes)] }),
        Datum::Array(count) => (0..count).map(|_| described(reader)).collect(),
        Datum::Map(count) => {
            let pairs: Vec<Json> =
                (0..count).map(|_| json!([described(reader), described(reader)])).collect();
            json!({ "map": pairs })
        }
    }
}

fn record(name: &str, about: &str, world: &World) -> Json {
    let frames: Vec<Json> = world
        .wire
        .iter()
        .map(|(from, frame)| {
            let (from, message) = match from {
                From::Client => ("client", decode_client_message(frame).unwrap().name()),
                From::Server => ("server", decode_server_message(frame).unwrap().name()),
            };
            let fields = described(&mut Reader::new(frame));
            json!({ "from": from, "message": message, "fields": fields, "hex": hex(frame) })
        })
        .collect();
    json!({ "name": name, "about": about, "subprotocol": "skerry.sync.v1", "frames": frames })
}

fn file_of(name: &str) -> PathBuf {
    let vectors = "../../tests/vectors/protocol";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(vectors).join(format!("{name}.json"))
}

fn check(name: &str, about: &str, world: &World) {
    let made = record(name, about, world);
    let file = file_of(name);
    if std::env::var_os("SKERRY_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let recorded: Json = serde_json::from_str(&text).unwrap();
    let frames = |it: &Json| it["frames"].as_array().unwrap().clone();
    for (i, (made, recorded)) in frames(&made).iter().zip(&frames(&recorded)).enumerate() {
        assert_eq!(made, recorded, "{name}, frame {i}");
    }
    assert_eq!(made, recorded);
    replay(&frames(&recorded));
}

/// A server that is told what to say says it with the recorded bytes, and hears the recorded
/// client without complaint.
fn replay(frames: &[Json]) {
    let mut server = ServerConnection::new(0);
    for frame in frames {
        let bytes = unhex(frame["hex"].as_str().unwrap());
        if frame["from"] == "client" {
            let message = decode_client_message(&bytes).unwrap();
            assert_eq!(encode_client_message(&message), bytes);
            server.receive(&bytes, 0);
            assert_eq!(server.close(), None, "{frame}");
            continue;
        }
        let message = decode_server_message(&bytes).unwrap();
        assert_eq!(encode_server_message(&message), bytes);
        let session = message.session();
        match message {
            ServerMessage::Ident(it) => drop(server.ident_allocated(session, it.ident, it.salt)),
            ServerMessage::Download(it) => drop(server.send_download(session, it)),
            ServerMessage::Mark(it) => drop(server.send_mark(session, it.request)),
            ServerMessage::Unbound(_) => drop(server.finish_unbind(session)),
            ServerMessage::Error(it) => drop(server.send_error(session, it)),
            ServerMessage::QueryError(it) => drop(server.send_query_error(session, it)),
            ServerMessage::Log(it) => server.send_log_message(it),
            ServerMessage::Pong(_) => {}
        }
        assert_eq!(server.poll_frame().as_deref(), Some(&bytes[..]), "{frame}");
    }
    while let Some(event) = server.poll_event() {
        assert!(!matches!(event, ServerEvent::Failed { .. }), "{event:?}");
    }
}

fn new_world() -> (TempDir, skerry_store::Realm, World) {
    let dir = tempdir().unwrap();
    let realm = open_realm(&dir, "a.skerry");
    subscribe(&realm, "complexity <= 4");
    let mut world = World::new();
    world.bootstrap = vec![entering(8, "eight"), entering(9, "nine")];
    world.agent.attach(realm.clone()).unwrap();
    world.connect();
    world.settle();
    (dir, realm, world)
}

#[test]
fn new_file() {
    let (_dir, realm, mut world) = new_world();
    create(&realm, 1, "one");
    world.settle();
    world.now_ms += 60_000;
    world.settle();
    check("new_file", "IDENT, bootstraps, uploads and PING of a new file", &world);
}

#[test]
fn compensating_write() {
    let (_dir, realm, mut world) = new_world();
    world.answers = false;
    let illegal = create(&realm, 66, "illegal");
    world.poll();
    let undone_at = world.head + 2;
    let update = RejectedUpdate {
        reason:
            "write to 66 in table \"Item\" not allowed; object is outside of the current query view"
                .to_owned(),
        table: "Item".to_owned(),
        pk: ObjectKey::Int(66),
    };
    let mut error =
        ErrorMessage::compensating_write(S, illegal, ServerVersion(undone_at), vec![update]);
    error.log_url = "https://localhost/logs?co_id=1".to_owned();
    world.server.send_error(S, error);
    world.head = undone_at;
    let download = world.steady(S, vec![synthetic(undone_at, illegal.0, erase(66))]);
    world.server.send_download(S, download);
    world.deliver();
    world.now_ms += 1000;
    world.settle();
    check("compensating_write", "error 231 first, then the DOWNLOAD that undoes", &world);
}

#[test]
fn pause_and_resume() {
    let (_dir, realm, mut world) = new_world();
    world.agent.pause(S);
    world.settle();
    rename(&realm, 8, "offline");
    world.agent.resume(S);
    world.settle();
    check(
        "pause_and_resume",
        "UNBIND, UNBOUND, and the ident bound again with its cursors",
        &world,
    );
}

#[test]
fn errors() {
    let (_dir, realm, mut world) = new_world();
    world.answers = false;
    let version = subscribe(&realm, "complexity MATCHES 3");
    world.poll();
    let message = "operator MATCHES".to_owned();
    let error = QueryError { session: S, code: 226, version, message };
    world.server.send_query_error(S, error);
    world.server.send_log_message(LogMessage {
        session: S,
        level: "info".to_owned(),
        message: "a query was refused".to_owned(),
        co_id: Some("1".to_owned()),
    });
    world.deliver();
    let mut part = world.steady(S, Vec::new());
    part.query_version = QueryVersion(99);
    part.batch_state = BatchState::MoreToCome;
    world.server.send_download(S, part);
    world.settle();
    world.agent.resume(S);
    world.answers = true;
    world.settle();
    let code = ProtocolErrorCode::SessionClosed;
    world.server.send_error(S, ErrorMessage::new(S, code, code.text()));
    world.settle();
    check("errors", "a refused query, a client's ERROR 233, and a closed session", &world);
}
