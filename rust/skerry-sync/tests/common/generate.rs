//! Generators of messages within the limits of the protocol.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use skerry_model::{
    ClientVersion, FileIdent, ObjectId, ObjectKey, QueryVersion, Salt, ServerVersion, SessionIdent,
    Stamp, Uuid,
};
use skerry_sync::protocol::{
    Action, Backoff, BatchState, Bind, ClientError, ClientIdent, ClientMessage, Download,
    DownloadEntry, ErrorMessage, LogMessage, Mark, Ping, Pong, Query, QueryError, QueryMap,
    RejectedUpdate, ServerIdent, ServerMessage, SessionReason, Upload, UploadEntry,
};

/// Versions and counters, with the widths of msgpack integers.
fn counter() -> BoxedStrategy<i64> {
    prop_oneof![0..4_i64, 120..140_i64, 250..70_000_i64, 0..=i64::MAX].boxed()
}

fn session() -> BoxedStrategy<SessionIdent> {
    counter().prop_map(|n| SessionIdent(n.max(1))).boxed()
}

fn any_int() -> BoxedStrategy<i64> {
    prop_oneof![counter(), counter().prop_map(|n| -n), any::<i64>()].boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["\\PC{0,40}", "[a-z]{250,260}"].boxed()
}

fn query() -> BoxedStrategy<QueryMap> {
    btree_map("[A-Za-z]{1,57}", text(), 0..5).boxed()
}

fn changeset() -> BoxedStrategy<std::sync::Arc<[u8]>> {
    vec(any::<u8>(), 0..300).prop_map(Into::into).boxed()
}

fn key() -> BoxedStrategy<ObjectKey> {
    prop_oneof![
        Just(ObjectKey::Null),
        any_int().prop_map(ObjectKey::Int),
        text().prop_map(|text| ObjectKey::String(text.into())),
        any::<[u8; 12]>().prop_map(|bytes| ObjectKey::ObjectId(ObjectId(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| ObjectKey::Uuid(Uuid(bytes))),
    ]
    .boxed()
}

fn upload_entry() -> BoxedStrategy<UploadEntry> {
    (counter(), counter(), any_int(), any_int(), changeset())
        .prop_map(|it| UploadEntry {
            client_version: ClientVersion(it.0),
            server_version: ServerVersion(it.1),
            stamp: Stamp(it.2),
            origin: FileIdent(it.3),
            changeset: it.4,
        })
        .boxed()
}

fn download_entry() -> BoxedStrategy<DownloadEntry> {
    (counter(), counter(), any_int(), any_int(), counter(), changeset())
        .prop_map(|it| DownloadEntry {
            server_version: ServerVersion(it.0),
            client_version: ClientVersion(it.1),
            stamp: Stamp(it.2),
            origin: FileIdent(it.3),
            original_size_bytes: it.4.unsigned_abs(),
            changeset: it.5,
        })
        .boxed()
}

fn ident() -> BoxedStrategy<ClientMessage> {
    let cursors = (counter(), counter(), counter(), counter(), counter());
    (session(), any_int(), any_int(), cursors, query())
        .prop_map(|(session, ident, salt, it, query)| {
            ClientMessage::Ident(ClientIdent {
                session,
                ident: FileIdent(ident),
                salt: Salt(salt),
                scan_server_version: ServerVersion(it.0),
                scan_client_version: ClientVersion(it.1),
                latest_server_version: ServerVersion(it.2),
                latest_salt: Salt(it.3),
                query_version: QueryVersion(it.4),
                query,
            })
        })
        .boxed()
}

fn upload() -> BoxedStrategy<ClientMessage> {
    (session(), counter(), counter(), counter(), vec(upload_entry(), 0..20))
        .prop_map(|it| {
            ClientMessage::Upload(Upload {
                session: it.0,
                progress_client_version: ClientVersion(it.1),
                progress_server_version: ServerVersion(it.2),
                locked_server_version: ServerVersion(it.3),
                entries: it.4,
            })
        })
        .boxed()
}

/// Any message of a client.
pub(crate) fn client_message() -> BoxedStrategy<ClientMessage> {
    let reason = prop_oneof![Just(SessionReason::Sync), Just(SessionReason::ClientReset)];
    prop_oneof![
        (session(), reason, counter(), any::<bool>()).prop_map(|it| {
            let (session, reason, schema_version, need_ident) = it;
            ClientMessage::Bind(Bind { session, reason, schema_version, need_ident })
        }),
        ident(),
        (session(), counter(), query()).prop_map(|(session, version, query)| {
            ClientMessage::Query(Query { session, version: QueryVersion(version), query })
        }),
        upload(),
        (session(), any_int())
            .prop_map(|(session, request)| ClientMessage::Mark(Mark { session, request })),
        session().prop_map(ClientMessage::Unbind),
        (counter(), counter())
            .prop_map(|(timestamp_ms, rtt_ms)| ClientMessage::Ping(Ping { timestamp_ms, rtt_ms })),
        (session(), 200..300_u16, text()).prop_map(|(session, code, message)| {
            ClientMessage::Error(ClientError { session, code, message })
        }),
    ]
    .boxed()
}

fn download() -> BoxedStrategy<ServerMessage> {
    let batch_state = prop_oneof![
        Just(BatchState::MoreToCome),
        Just(BatchState::LastInBatch),
        Just(BatchState::SteadyState)
    ];
    let cursors = (counter(), counter(), counter(), counter(), counter(), counter(), counter());
    (session(), cursors, batch_state, 0.0..=1.0_f64, vec(download_entry(), 0..20))
        .prop_map(|(session, it, batch_state, progress, entries)| {
            ServerMessage::Download(Download {
                session,
                dl_server_version: ServerVersion(it.0),
                dl_client_version: ClientVersion(it.1),
                latest_server_version: ServerVersion(it.2),
                latest_salt: Salt(it.3),
                ul_client_version: ClientVersion(it.4),
                ul_server_version: ServerVersion(it.5),
                query_version: QueryVersion(it.6),
                batch_state,
                progress,
                entries,
            })
        })
        .boxed()
}

fn error() -> BoxedStrategy<ServerMessage> {
    let level = prop_oneof![
        (100..200_u16).prop_map(|code| (SessionIdent(0), code)),
        (session(), 200..300_u16),
    ];
    let backoff = any::<(u32, u32, u32)>().prop_map(|(interval_s, max_delay_s, multiplier)| {
        Backoff { interval_s, max_delay_s, multiplier }
    });
    let update = (text(), "[A-Za-z]{1,57}", key()).prop_map(|(reason, table, pk)| RejectedUpdate {
        reason,
        table,
        pk,
    });
    let flags = any::<(bool, bool, bool)>();
    let action = prop::sample::select(Action::ALL.to_vec());
    let extra = (
        option::of(backoff),
        option::of(vec(update, 0..5)),
        option::of(counter()),
        option::of(counter()),
    );
    (level, text(), flags, action, text(), extra)
        .prop_map(|((session, code), message, flags, action, log_url, extra)| {
            ServerMessage::Error(ErrorMessage {
                session,
                code,
                message,
                try_again: flags.0,
                should_client_reset: flags.1,
                is_recovery_mode_disabled: flags.2,
                action,
                log_url,
                backoff: extra.0,
                rejected_updates: extra.1,
                compensating_write_server_version: extra.2.map(ServerVersion),
                rejected_client_version: extra.3.map(ClientVersion),
            })
        })
        .boxed()
}

/// Any message of a server.
pub(crate) fn server_message() -> BoxedStrategy<ServerMessage> {
    prop_oneof![
        (session(), counter(), counter()).prop_map(|(session, ident, salt)| {
            let (ident, salt) = (FileIdent(ident.max(2)), Salt(salt.max(1)));
            ServerMessage::Ident(ServerIdent { session, ident, salt })
        }),
        download(),
        (session(), any_int())
            .prop_map(|(session, request)| ServerMessage::Mark(Mark { session, request })),
        session().prop_map(ServerMessage::Unbound),
        error(),
        (session(), 100..300_u16, counter(), text()).prop_map(
            |(session, code, version, message)| {
                let version = QueryVersion(version);
                ServerMessage::QueryError(QueryError { session, code, version, message })
            }
        ),
        counter().prop_map(|timestamp_ms| ServerMessage::Pong(Pong { timestamp_ms })),
        (session(), text(), text(), option::of(text())).prop_map(|it| {
            let (session, level, message, co_id) = it;
            ServerMessage::Log(LogMessage { session, level, message, co_id })
        }),
    ]
    .boxed()
}
