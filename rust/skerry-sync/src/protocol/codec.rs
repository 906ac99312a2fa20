//! Messages to bytes and back (docs/protocol.md 2, 3).
//!
//! Decoding any bytes ends with a message or a named error, in memory proportional to the frame:
//! every count is checked against its limit here, and against what is left of the frame by the
//! model's reader. Encoding and decoding are inverse, and a message has one encoding.

mod client;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;

use skerry_model::codec::{DecodeError, Reader, Writer};
use skerry_model::{
    ClientVersion, FileIdent, ObjectKey, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp,
};

use super::errors::ProtocolErrorCode;
use super::message::QueryMap;
use crate::limits::{
    CHANGESET_MAX_BYTES, CHANGESETS_MAX_BYTES, CLASS_NAME_MAX_BYTES, KEY_TEXT_MAX_BYTES,
    QUERY_CLASSES_MAX, QUERY_TEXT_MAX_BYTES, TEXT_MAX_BYTES,
};

pub use client::{decode_client_message, encode_client_message};
pub use server::{decode_server_message, encode_server_message};

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No message of the direction has that code.
    #[error("unknown message code {code}")]
    UnknownMessage {
        /// The code.
        code: i64,
    },
    /// Not canonical msgpack, or another type than belongs there.
    #[error(transparent)]
    Form(#[from] DecodeError),
    /// A value that the field cannot have.
    #[error("byte {offset}: expected {expected}")]
    Syntax {
        /// What must stand there.
        expected: &'static str,
        /// Where the reader stood, after the value.
        offset: usize,
    },
    /// More of something than a message may have.
    #[error("{what}: {actual} is more than {max}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How much.
        actual: usize,
        /// How much it may be.
        max: usize,
    },
}

impl CodecError {
    /// The error of the protocol that answers it.
    pub fn protocol_code(&self) -> ProtocolErrorCode {
        match self {
            Self::UnknownMessage { .. } => ProtocolErrorCode::UnknownMessage,
            Self::Form(_) | Self::Syntax { .. } => ProtocolErrorCode::BadSyntax,
            Self::Limit { .. } => ProtocolErrorCode::LimitsExceeded,
        }
    }
}

type Read<T> = Result<T, CodecError>;

fn syntax<T>(reader: &Reader<'_>, expected: &'static str) -> Read<T> {
    Err(CodecError::Syntax { expected, offset: reader.offset() })
}

fn at_most(what: &'static str, actual: usize, max: usize) -> Read<usize> {
    if actual > max { Err(CodecError::Limit { what, actual, max }) } else { Ok(actual) }
}

/// Reads `[code` after checking the frame's size; the number of fields comes with it.
fn open(frame: &[u8], max_bytes: usize) -> Read<(Reader<'_>, i64, usize)> {
    at_most("message bytes", frame.len(), max_bytes)?;
    let mut reader = Reader::new(frame);
    let count = reader.read_array_header()?;
    if count == 0 {
        return syntax(&reader, "a message code");
    }
    let code = reader.read_i64()?;
    Ok((reader, code, count - 1))
}

fn expect_fields(reader: &Reader<'_>, actual: usize, expected: usize) -> Read<()> {
    if actual == expected { Ok(()) } else { syntax(reader, "another number of fields") }
}

fn expect_array(reader: &mut Reader<'_>, fields: usize) -> Read<()> {
    let actual = reader.read_array_header()?;
    expect_fields(reader, actual, fields)
}

fn array(reader: &mut Reader<'_>, what: &'static str, max: usize) -> Read<usize> {
    at_most(what, reader.read_array_header()?, max)
}

fn non_negative(reader: &mut Reader<'_>) -> Read<i64> {
    match reader.read_i64()? {
        value @ 0.. => Ok(value),
        _ => syntax(reader, "an integer that is not negative"),
    }
}

fn session(reader: &mut Reader<'_>) -> Read<SessionIdent> {
    match reader.read_i64()? {
        value @ 1.. => Ok(SessionIdent(value)),
        _ => syntax(reader, "a session ident"),
    }
}

fn session_or_connection(reader: &mut Reader<'_>) -> Read<SessionIdent> {
    non_negative(reader).map(SessionIdent)
}

fn client_version(reader: &mut Reader<'_>) -> Read<ClientVersion> {
    non_negative(reader).map(ClientVersion)
}

fn server_version(reader: &mut Reader<'_>) -> Read<ServerVersion> {
    non_negative(reader).map(ServerVersion)
}

fn query_version(reader: &mut Reader<'_>) -> Read<QueryVersion> {
    non_negative(reader).map(QueryVersion)
}

fn salt(reader: &mut Reader<'_>) -> Read<Salt> {
    Ok(Salt(reader.read_i64()?))
}

/// The salt of the server's history: 0 before anything is known of it.
fn latest_salt(reader: &mut Reader<'_>) -> Read<Salt> {
    non_negative(reader).map(Salt)
}

fn file_ident(reader: &mut Reader<'_>) -> Read<FileIdent> {
    Ok(FileIdent(reader.read_i64()?))
}

fn stamp(reader: &mut Reader<'_>) -> Read<Stamp> {
    Ok(Stamp(reader.read_i64()?))
}

fn bounded_text<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    max_bytes: usize,
) -> Read<&'a str> {
    let text = reader.read_str()?;
    at_most(what, text.len(), max_bytes)?;
    Ok(text)
}

fn text(reader: &mut Reader<'_>) -> Read<String> {
    bounded_text(reader, "bytes of a text", TEXT_MAX_BYTES).map(str::to_owned)
}

fn class_name<'a>(reader: &mut Reader<'a>) -> Read<&'a str> {
    bounded_text(reader, "bytes of a class name", CLASS_NAME_MAX_BYTES)
}

/// The code of an error: 100 to 299, known or not, of the level that the session says.
fn error_code(reader: &mut Reader<'_>, session: SessionIdent) -> Read<u16> {
    let (range, expected) = if session == SessionIdent(0) {
        (100..200, "an error code for a connection")
    } else {
        (200..300, "an error code for a session")
    };
    match u16::try_from(reader.read_i64()?) {
        Ok(code) if range.contains(&code) => Ok(code),
        _ => syntax(reader, expected),
    }
}

fn query(reader: &mut Reader<'_>) -> Read<QueryMap> {
    let count = at_most("classes of a query", reader.read_map_header()?, QUERY_CLASSES_MAX)?;
    let mut query = BTreeMap::new();
    let mut last: Option<&str> = None;
    for _ in 0..count {
        let class = class_name(reader)?;
        if last.is_some_and(|last| class <= last) {
            return syntax(reader, "classes in ascending order");
        }
        let rql = bounded_text(reader, "bytes of a query", QUERY_TEXT_MAX_BYTES)?;
        query.insert(class.to_owned(), rql.to_owned());
        last = Some(class);
    }
    Ok(query)
}

fn object_key(reader: &mut Reader<'_>) -> Read<ObjectKey> {
    let key = reader.read_key()?;
    match &key {
        ObjectKey::GlobalKey { .. } => syntax(reader, "a primary key of Flexible Sync"),
        ObjectKey::String(text) => {
            at_most("bytes of a primary key", text.len(), KEY_TEXT_MAX_BYTES)?;
            Ok(key)
        }
        ObjectKey::Null | ObjectKey::Int(_) | ObjectKey::ObjectId(_) | ObjectKey::Uuid(_) => {
            Ok(key)
        }
    }
}

/// A packed changeset, counted towards what all of a message may have.
fn changeset(reader: &mut Reader<'_>, total_bytes: &mut usize) -> Read<Arc<[u8]>> {
    let bytes = reader.read_bin()?;
    at_most("bytes of a changeset", bytes.len(), CHANGESET_MAX_BYTES)?;
    *total_bytes += bytes.len();
    at_most("bytes of all changesets", *total_bytes, CHANGESETS_MAX_BYTES)?;
    Ok(bytes.into())
}

/// Starts a message: the array head and the code.
fn start(code: u8, fields: usize) -> Writer {
    let mut writer = Writer::new();
    writer.write_array_header(fields + 1);
    writer.write_u64(u64::from(code));
    writer
}

/// A message that has only integers.
fn put_ints(code: u8, fields: &[i64]) -> Vec<u8> {
    let mut writer = start(code, fields.len());
    for &field in fields {
        writer.write_i64(field);
    }
    writer.into_bytes()
}

fn put_query(writer: &mut Writer, query: &QueryMap) {
    writer.write_map_header(query.len());
    for (class, rql) in query {
        writer.write_str(class);
        writer.write_str(rql);
    }
}

/// A text, cut where the receiver would refuse it.
fn put_text(writer: &mut Writer, text: &str) {
    writer.write_str(&text[..text.floor_char_boundary(TEXT_MAX_BYTES)]);
}

fn put_optional<T>(writer: &mut Writer, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
    match value {
        Some(value) => put(writer, value),
        None => writer.write_nil(),
    }
}
