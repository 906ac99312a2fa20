//! Messages that are valid in the right state.

use skerry_model::{
    ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp,
};
use skerry_sync::protocol::{
    BatchState, Bind, ClientError, ClientIdent, ClientMessage, Download, DownloadEntry,
    ErrorMessage, LogMessage, Mark, ProtocolErrorCode, Query, QueryError, QueryMap, ServerIdent,
    ServerMessage, SessionReason, Upload, UploadEntry,
};

pub(crate) const SESSION: SessionIdent = SessionIdent(1);
pub(crate) const FILE: FileIdent = FileIdent(2);
pub(crate) const SALT: Salt = Salt(77);

pub(crate) fn query(class: &str, rql: &str) -> QueryMap {
    QueryMap::from([(class.to_owned(), rql.to_owned())])
}

pub(crate) fn bind(session: SessionIdent, need_ident: bool) -> ClientMessage {
    let reason = SessionReason::Sync;
    ClientMessage::Bind(Bind { session, reason, schema_version: 0, need_ident })
}

pub(crate) fn ident() -> ClientIdent {
    ClientIdent {
        session: SESSION,
        ident: FILE,
        salt: SALT,
        scan_server_version: ServerVersion(0),
        scan_client_version: ClientVersion(0),
        latest_server_version: ServerVersion(0),
        latest_salt: Salt(0),
        query_version: QueryVersion(0),
        query: QueryMap::new(),
    }
}

pub(crate) fn upload_entry(client: i64, base: i64) -> UploadEntry {
    UploadEntry {
        client_version: ClientVersion(client),
        server_version: ServerVersion(base),
        stamp: Stamp(1000),
        origin: FileIdent::LOCAL,
        changeset: [0, 1, 2].into(),
    }
}

pub(crate) fn upload(progress: (i64, i64), entries: Vec<UploadEntry>) -> Upload {
    Upload {
        session: SESSION,
        progress_client_version: ClientVersion(progress.0),
        progress_server_version: ServerVersion(progress.1),
        locked_server_version: ServerVersion(progress.1),
        entries,
    }
}

/// One message of each kind that concerns a session, in the order of docs/protocol.md 4.1.
pub(crate) fn client_messages() -> Vec<ClientMessage> {
    vec![
        bind(SESSION, true),
        ClientMessage::Ident(ident()),
        ClientMessage::Query(Query {
            session: SESSION,
            version: QueryVersion(1),
            query: query("Item", "complexity <= 4"),
        }),
        ClientMessage::Upload(upload((5, 0), vec![upload_entry(5, 0)])),
        ClientMessage::Mark(Mark { session: SESSION, request: 1 }),
        ClientMessage::Unbind(SESSION),
        ClientMessage::Error(ClientError {
            session: SESSION,
            code: 212,
            message: "cannot use it".to_owned(),
        }),
    ]
}

pub(crate) fn download(to: i64, latest: i64, entries: Vec<DownloadEntry>) -> Download {
    Download {
        session: SESSION,
        dl_server_version: ServerVersion(to),
        dl_client_version: ClientVersion(0),
        latest_server_version: ServerVersion(latest),
        latest_salt: Salt(9),
        ul_client_version: ClientVersion(0),
        ul_server_version: ServerVersion(0),
        query_version: QueryVersion(0),
        batch_state: BatchState::SteadyState,
        progress: 1.0,
        entries,
    }
}

/// One message of each kind that concerns a session, in the order of docs/protocol.md 4.2.
pub(crate) fn server_messages() -> Vec<ServerMessage> {
    vec![
        ServerMessage::Ident(ServerIdent { session: SESSION, ident: FILE, salt: SALT }),
        ServerMessage::Download(download(3, 3, Vec::new())),
        ServerMessage::Mark(Mark { session: SESSION, request: 1 }),
        ServerMessage::Unbound(SESSION),
        ServerMessage::Error(ErrorMessage::new(
            SESSION,
            ProtocolErrorCode::BadClientFileIdent,
            "who?",
        )),
        ServerMessage::QueryError(QueryError {
            session: SESSION,
            code: 226,
            version: QueryVersion(1),
            message: "what?".to_owned(),
        }),
        ServerMessage::Log(LogMessage {
            session: SESSION,
            level: "info".to_owned(),
            message: "hello".to_owned(),
            co_id: None,
        }),
    ]
}
