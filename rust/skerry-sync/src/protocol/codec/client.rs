//! The messages that a client sends.

use skerry_model::codec::Reader;

use super::{
    CodecError, Read, array, changeset, client_version, error_code, expect_array, expect_fields,
    file_ident, latest_salt, non_negative, open, put_ints, put_query, put_text, query,
    query_version, salt, server_version, session, stamp, start, syntax, text,
};
use crate::limits::{CLIENT_MESSAGE_MAX_BYTES, ENTRIES_MAX};
use crate::protocol::message::{
    Bind, ClientError, ClientIdent, ClientMessage, Mark, Ping, Query, SessionReason, Upload,
    UploadEntry,
};

const BIND: u8 = 1;
const IDENT: u8 = 2;
const QUERY: u8 = 3;
const UPLOAD: u8 = 4;
const MARK: u8 = 5;
const UNBIND: u8 = 6;
const PING: u8 = 7;
const ERROR: u8 = 8;

/// Reads what a client sent.
pub fn decode_client_message(frame: &[u8]) -> Result<ClientMessage, CodecError> {
    let (mut reader, code, fields) = open(frame, CLIENT_MESSAGE_MAX_BYTES)?;
    let r = &mut reader;
    let decoded = match u8::try_from(code) {
        Ok(BIND) => {
            expect_fields(r, fields, 4)?;
            ClientMessage::Bind(bind(r)?)
        }
        Ok(IDENT) => {
            expect_fields(r, fields, 9)?;
            ClientMessage::Ident(ident(r)?)
        }
        Ok(QUERY) => {
            expect_fields(r, fields, 3)?;
            ClientMessage::Query(Query {
                session: session(r)?,
                version: query_version(r)?,
                query: query(r)?,
            })
        }
        Ok(UPLOAD) => {
            expect_fields(r, fields, 5)?;
            ClientMessage::Upload(upload(r)?)
        }
        Ok(MARK) => {
            expect_fields(r, fields, 2)?;
            let (session, request) = (session(r)?, r.read_i64()?);
            ClientMessage::Mark(Mark { session, request })
        }
        Ok(UNBIND) => {
            expect_fields(r, fields, 1)?;
            ClientMessage::Unbind(session(r)?)
        }
        Ok(PING) => {
            expect_fields(r, fields, 2)?;
            let (timestamp_ms, rtt_ms) = (non_negative(r)?, non_negative(r)?);
            ClientMessage::Ping(Ping { timestamp_ms, rtt_ms })
        }
        Ok(ERROR) => {
            expect_fields(r, fields, 3)?;
            let session = session(r)?;
            let code = error_code(r, session)?;
            ClientMessage::Error(ClientError { session, code, message: text(r)? })
        }
        Ok(_) | Err(_) => return Err(CodecError::UnknownMessage { code }),
    };
    reader.finish()?;
    Ok(decoded)
}

fn bind(reader: &mut Reader<'_>) -> Read<Bind> {
    Ok(Bind {
        session: session(reader)?,
        reason: match reader.read_i64()? {
            0 => SessionReason::Sync,
            1 => SessionReason::ClientReset,
            _ => return syntax(reader, "session reason 0 or 1"),
        },
        schema_version: non_negative(reader)?,
        need_ident: reader.read_bool()?,
    })
}

fn ident(reader: &mut Reader<'_>) -> Read<ClientIdent> {
    Ok(ClientIdent {
        session: session(reader)?,
        ident: file_ident(reader)?,
        salt: salt(reader)?,
        scan_server_version: server_version(reader)?,
        scan_client_version: client_version(reader)?,
        latest_server_version: server_version(reader)?,
        latest_salt: latest_salt(reader)?,
        query_version: query_version(reader)?,
        query: query(reader)?,
    })
}

fn upload(reader: &mut Reader<'_>) -> Read<Upload> {
    let mut upload = Upload {
        session: session(reader)?,
        progress_client_version: client_version(reader)?,
        progress_server_version: server_version(reader)?,
        locked_server_version: server_version(reader)?,
        entries: Vec::new(),
    };
    let count = array(reader, "entries of an UPLOAD", ENTRIES_MAX)?;
    let mut total_bytes = 0;
    for _ in 0..count {
        expect_array(reader, 5)?;
        let entry = UploadEntry {
            client_version: client_version(reader)?,
            server_version: server_version(reader)?,
            stamp: stamp(reader)?,
            origin: file_ident(reader)?,
            changeset: changeset(reader, &mut total_bytes)?,
        };
        upload.entries.push(entry);
    }
    Ok(upload)
}

/// Writes what a client sends.
pub fn encode_client_message(message: &ClientMessage) -> Vec<u8> {
    match message {
        ClientMessage::Bind(bind) => {
            let mut w = start(BIND, 4);
            w.write_i64(bind.session.0);
            w.write_i64(match bind.reason {
                SessionReason::Sync => 0,
                SessionReason::ClientReset => 1,
            });
            w.write_i64(bind.schema_version);
            w.write_bool(bind.need_ident);
            w.into_bytes()
        }
        ClientMessage::Ident(ident) => put_ident(ident),
        ClientMessage::Query(query) => {
            let mut w = start(QUERY, 3);
            w.write_i64(query.session.0);
            w.write_i64(query.version.0);
            put_query(&mut w, &query.query);
            w.into_bytes()
        }
        ClientMessage::Upload(upload) => put_upload(upload),
        ClientMessage::Mark(mark) => put_ints(MARK, &[mark.session.0, mark.request]),
        ClientMessage::Unbind(session) => put_ints(UNBIND, &[session.0]),
        ClientMessage::Ping(ping) => put_ints(PING, &[ping.timestamp_ms, ping.rtt_ms]),
        ClientMessage::Error(error) => {
            let mut w = start(ERROR, 3);
            w.write_i64(error.session.0);
            w.write_u64(u64::from(error.code));
            put_text(&mut w, &error.message);
            w.into_bytes()
        }
    }
}

fn put_ident(ident: &ClientIdent) -> Vec<u8> {
    let mut w = start(IDENT, 9);
    w.write_i64(ident.session.0);
    w.write_i64(ident.ident.0);
    w.write_i64(ident.salt.0);
    w.write_i64(ident.scan_server_version.0);
    w.write_i64(ident.scan_client_version.0);
    w.write_i64(ident.latest_server_version.0);
    w.write_i64(ident.latest_salt.0);
    w.write_i64(ident.query_version.0);
    put_query(&mut w, &ident.query);
    w.into_bytes()
}

fn put_upload(upload: &Upload) -> Vec<u8> {
    let mut w = start(UPLOAD, 5);
    w.write_i64(upload.session.0);
    w.write_i64(upload.progress_client_version.0);
    w.write_i64(upload.progress_server_version.0);
    w.write_i64(upload.locked_server_version.0);
    w.write_array_header(upload.entries.len());
    for entry in &upload.entries {
        w.write_array_header(5);
        w.write_i64(entry.client_version.0);
        w.write_i64(entry.server_version.0);
        w.write_i64(entry.stamp.0);
        w.write_i64(entry.origin.0);
        w.write_bin(&entry.changeset);
    }
    w.into_bytes()
}
