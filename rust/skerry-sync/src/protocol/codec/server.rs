//! The messages that a server sends.

use skerry_model::codec::{Reader, encode_key};
use skerry_model::{FileIdent, Salt, SessionIdent};

use super::{
    CodecError, Read, array, changeset, class_name, client_version, error_code, expect_array,
    expect_fields, file_ident, latest_salt, non_negative, object_key, open, put_ints, put_optional,
    put_text, query_version, salt, server_version, session, session_or_connection, stamp, start,
    syntax, text,
};
use crate::limits::{
    CHANGESETS_MAX_BYTES, ENTRIES_MAX, REJECTED_UPDATES_MAX, SERVER_MESSAGE_MAX_BYTES,
    TEXT_MAX_BYTES,
};
use crate::protocol::errors::Action;
use crate::protocol::message::{
    Backoff, BatchState, Download, DownloadEntry, ErrorMessage, LogMessage, Mark, Pong, QueryError,
    RejectedUpdate, ServerIdent, ServerMessage,
};

const IDENT: u8 = 33;
const DOWNLOAD: u8 = 34;
const MARK: u8 = 35;
const UNBOUND: u8 = 36;
const ERROR: u8 = 37;
const QUERY_ERROR: u8 = 38;
const PONG: u8 = 39;
const LOG_MESSAGE: u8 = 40;

/// Reads what a server sent.
pub fn decode_server_message(frame: &[u8]) -> Result<ServerMessage, CodecError> {
    let (mut reader, code, fields) = open(frame, SERVER_MESSAGE_MAX_BYTES)?;
    let r = &mut reader;
    let decoded = match u8::try_from(code) {
        Ok(IDENT) => {
            expect_fields(r, fields, 3)?;
            ServerMessage::Ident(ident(r)?)
        }
        Ok(DOWNLOAD) => {
            expect_fields(r, fields, 11)?;
            ServerMessage::Download(download(r)?)
        }
        Ok(MARK) => {
            expect_fields(r, fields, 2)?;
            ServerMessage::Mark(Mark { session: session(r)?, request: r.read_i64()? })
        }
        Ok(UNBOUND) => {
            expect_fields(r, fields, 1)?;
            ServerMessage::Unbound(session(r)?)
        }
        Ok(ERROR) => {
            expect_fields(r, fields, 12)?;
            ServerMessage::Error(error(r)?)
        }
        Ok(QUERY_ERROR) => {
            expect_fields(r, fields, 4)?;
            ServerMessage::QueryError(query_error(r)?)
        }
        Ok(PONG) => {
            expect_fields(r, fields, 1)?;
            ServerMessage::Pong(Pong { timestamp_ms: non_negative(r)? })
        }
        Ok(LOG_MESSAGE) => {
            expect_fields(r, fields, 4)?;
            ServerMessage::Log(log_message(r)?)
        }
        Ok(_) | Err(_) => return Err(CodecError::UnknownMessage { code }),
    };
    reader.finish()?;
    Ok(decoded)
}

fn ident(reader: &mut Reader<'_>) -> Read<ServerIdent> {
    let (session, ident, salt) = (session(reader)?, file_ident(reader)?, salt(reader)?);
    if ident < FileIdent::FIRST_CLIENT || salt <= Salt(0) {
        return syntax(reader, "a file ident of at least 2 and a positive salt");
    }
    Ok(ServerIdent { session, ident, salt })
}

fn download(reader: &mut Reader<'_>) -> Read<Download> {
    Ok(Download {
        session: session(reader)?,
        dl_server_version: server_version(reader)?,
        dl_client_version: client_version(reader)?,
        latest_server_version: server_version(reader)?,
        latest_salt: latest_salt(reader)?,
        ul_client_version: client_version(reader)?,
        ul_server_version: server_version(reader)?,
        query_version: query_version(reader)?,
        batch_state: match reader.read_i64()? {
            0 => BatchState::MoreToCome,
            1 => BatchState::LastInBatch,
            2 => BatchState::SteadyState,
            _ => return syntax(reader, "batch state 0, 1 or 2"),
        },
        progress: match reader.read_f64()? {
            // One encoding for each value: a negative zero is refused by its bits.
            progress if (0.0..=1.0).contains(&progress) && progress.is_sign_positive() => progress,
            _ => return syntax(reader, "progress from 0.0 to 1.0"),
        },
        entries: download_entries(reader)?,
    })
}

fn download_entries(reader: &mut Reader<'_>) -> Read<Vec<DownloadEntry>> {
    let count = array(reader, "entries of a DOWNLOAD", ENTRIES_MAX)?;
    let (mut entries, mut total_bytes) = (Vec::new(), 0);
    for _ in 0..count {
        expect_array(reader, 6)?;
        let entry = DownloadEntry {
            server_version: server_version(reader)?,
            client_version: client_version(reader)?,
            stamp: stamp(reader)?,
            origin: file_ident(reader)?,
            original_size_bytes: non_negative(reader)?.unsigned_abs(),
            changeset: changeset(reader, &mut total_bytes)?,
        };
        entries.push(entry);
    }
    Ok(entries)
}

fn error(reader: &mut Reader<'_>) -> Read<ErrorMessage> {
    let session = session_or_connection(reader)?;
    Ok(ErrorMessage {
        session,
        code: error_code(reader, session)?,
        message: text(reader)?,
        try_again: reader.read_bool()?,
        should_client_reset: reader.read_bool()?,
        is_recovery_mode_disabled: reader.read_bool()?,
        action: Action::from_name(&text(reader)?),
        log_url: text(reader)?,
        backoff: optional(reader, backoff)?,
        rejected_updates: optional(reader, rejected_updates)?,
        compensating_write_server_version: optional(reader, server_version)?,
        rejected_client_version: optional(reader, client_version)?,
    })
}

fn optional<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Read<T>,
) -> Read<Option<T>> {
    if reader.take_nil() { Ok(None) } else { read(reader).map(Some) }
}

fn backoff(reader: &mut Reader<'_>) -> Read<Backoff> {
    expect_array(reader, 3)?;
    let mut figure = || match u32::try_from(reader.read_i64()?) {
        Ok(figure) => Ok(figure),
        Err(_) => syntax(reader, "a back-off figure"),
    };
    Ok(Backoff { interval_s: figure()?, max_delay_s: figure()?, multiplier: figure()? })
}

fn rejected_updates(reader: &mut Reader<'_>) -> Read<Vec<RejectedUpdate>> {
    let count = array(reader, "rejected updates", REJECTED_UPDATES_MAX)?;
    let mut updates = Vec::new();
    for _ in 0..count {
        expect_array(reader, 3)?;
        updates.push(RejectedUpdate {
            reason: text(reader)?,
            table: class_name(reader)?.to_owned(),
            pk: object_key(reader)?,
        });
    }
    Ok(updates)
}

fn query_error(reader: &mut Reader<'_>) -> Read<QueryError> {
    let session = session(reader)?;
    // Both levels occur: 226 and, for a query over a limit, 104 (server 7.5).
    let Ok(code @ 100..300) = u16::try_from(reader.read_i64()?) else {
        return syntax(reader, "an error code");
    };
    Ok(QueryError { session, code, version: query_version(reader)?, message: text(reader)? })
}

fn log_message(reader: &mut Reader<'_>) -> Read<LogMessage> {
    Ok(LogMessage {
        session: session_or_connection(reader)?,
        level: text(reader)?,
        message: text(reader)?,
        co_id: optional(reader, text)?,
    })
}

/// Writes what a server sends.
///
/// # Panics
/// When an ERROR names a primary key of the legacy kind, which Flexible Sync does not have.
pub fn encode_server_message(message: &ServerMessage) -> Vec<u8> {
    match message {
        ServerMessage::Ident(ident) => {
            put_ints(IDENT, &[ident.session.0, ident.ident.0, ident.salt.0])
        }
        ServerMessage::Download(download) => put_download(download),
        ServerMessage::Mark(mark) => put_ints(MARK, &[mark.session.0, mark.request]),
        ServerMessage::Unbound(SessionIdent(session)) => put_ints(UNBOUND, &[*session]),
        ServerMessage::Error(error) => put_error(error),
        ServerMessage::QueryError(error) => {
            let mut w = start(QUERY_ERROR, 4);
            w.write_i64(error.session.0);
            w.write_u64(u64::from(error.code));
            w.write_i64(error.version.0);
            put_text(&mut w, &error.message);
            w.into_bytes()
        }
        ServerMessage::Pong(pong) => put_ints(PONG, &[pong.timestamp_ms]),
        ServerMessage::Log(log) => {
            let mut w = start(LOG_MESSAGE, 4);
            w.write_i64(log.session.0);
            put_text(&mut w, &log.level);
            put_text(&mut w, &log.message);
            put_optional(&mut w, log.co_id.as_deref(), put_text);
            w.into_bytes()
        }
    }
}

fn put_download(download: &Download) -> Vec<u8> {
    let mut w = start(DOWNLOAD, 11);
    w.write_i64(download.session.0);
    w.write_i64(download.dl_server_version.0);
    w.write_i64(download.dl_client_version.0);
    w.write_i64(download.latest_server_version.0);
    w.write_i64(download.latest_salt.0);
    w.write_i64(download.ul_client_version.0);
    w.write_i64(download.ul_server_version.0);
    w.write_i64(download.query_version.0);
    w.write_i64(match download.batch_state {
        BatchState::MoreToCome => 0,
        BatchState::LastInBatch => 1,
        BatchState::SteadyState => 2,
    });
    w.write_f64(download.progress);
    w.write_array_header(download.entries.len());
    for entry in &download.entries {
        w.write_array_header(6);
        w.write_i64(entry.server_version.0);
        w.write_i64(entry.client_version.0);
        w.write_i64(entry.stamp.0);
        w.write_i64(entry.origin.0);
        w.write_i64(i64::try_from(entry.original_size_bytes).unwrap_or(i64::MAX));
        w.write_bin(&entry.changeset);
    }
    w.into_bytes()
}

/// As many updates as one message may have; the others go unnamed, but are undone like these.
fn fitting(updates: &[RejectedUpdate]) -> &[RejectedUpdate] {
    const HEADERS_BYTES: usize = 32;
    let mut size_bytes = 0_usize;
    let fits = |update: &&RejectedUpdate| {
        let key_bytes = encode_key(&update.pk).len();
        let text_bytes = update.reason.len().min(TEXT_MAX_BYTES) + update.table.len();
        size_bytes = size_bytes.saturating_add(HEADERS_BYTES + key_bytes + text_bytes);
        size_bytes <= CHANGESETS_MAX_BYTES
    };
    let count = updates.iter().take(REJECTED_UPDATES_MAX).take_while(fits).count();
    &updates[..count]
}

fn put_error(error: &ErrorMessage) -> Vec<u8> {
    let mut w = start(ERROR, 12);
    w.write_i64(error.session.0);
    w.write_u64(u64::from(error.code));
    put_text(&mut w, &error.message);
    w.write_bool(error.try_again);
    w.write_bool(error.should_client_reset);
    w.write_bool(error.is_recovery_mode_disabled);
    w.write_str(error.action.name());
    put_text(&mut w, &error.log_url);
    put_optional(&mut w, error.backoff, |w, backoff| {
        w.write_array_header(3);
        w.write_u64(u64::from(backoff.interval_s));
        w.write_u64(u64::from(backoff.max_delay_s));
        w.write_u64(u64::from(backoff.multiplier));
    });
    put_optional(&mut w, error.rejected_updates.as_deref().map(fitting), |w, updates| {
        w.write_array_header(updates.len());
        for update in updates {
            w.write_array_header(3);
            put_text(w, &update.reason);
            w.write_str(&update.table);
            w.write_key(&update.pk);
        }
    });
    put_optional(&mut w, error.compensating_write_server_version, |w, version| {
        w.write_i64(version.0);
    });
    put_optional(&mut w, error.rejected_client_version, |w, version| w.write_i64(version.0));
    w.into_bytes()
}
