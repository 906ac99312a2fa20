//! The messages of `docs/protocol.md`, as types.
//!
//! A message here has been checked field by field, or was made by us; whether it may come *now* is
//! the business of the session machines. Changeset bytes stay packed: the protocol does not look
//! into them. Field names and meanings are those of sync-engine 4.3 and 4.4.

use std::collections::BTreeMap;
use std::sync::Arc;

use skerry_model::{
    ClientVersion, FileIdent, ObjectKey, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp,
};

use super::errors::{Action, ProtocolErrorCode};

/// A query body: class to RQL text. Ordered, because its order reaches the wire.
pub type QueryMap = BTreeMap<String, String>;

/// Why a session is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionReason {
    /// Ordinary synchronisation.
    Sync,
    /// The fresh download of a client reset.
    ClientReset,
}

/// Where a DOWNLOAD stands in a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// 0: part of a bootstrap, more to come.
    MoreToCome,
    /// 1: the last part of a bootstrap.
    LastInBatch,
    /// 2: not a bootstrap.
    SteadyState,
}

/// BIND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Number of the session.
    pub session: SessionIdent,
    /// Why.
    pub reason: SessionReason,
    /// Version of the application's schema; 0 without schema versions.
    pub schema_version: i64,
    /// Whether the file has no ident yet.
    pub need_ident: bool,
}

/// IDENT of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdent {
    /// Number of the session.
    pub session: SessionIdent,
    /// Ident of the file.
    pub ident: FileIdent,
    /// Its salt.
    pub salt: Salt,
    /// Download cursor: last server version integrated.
    pub scan_server_version: ServerVersion,
    /// Download cursor: last own version that the server had integrated then.
    pub scan_client_version: ClientVersion,
    /// Head of the server's history as last told.
    pub latest_server_version: ServerVersion,
    /// Salt of that head.
    pub latest_salt: Salt,
    /// Version of the active subscription set.
    pub query_version: QueryVersion,
    /// Its query.
    pub query: QueryMap,
}

/// QUERY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Number of the session.
    pub session: SessionIdent,
    /// Version of the set.
    pub version: QueryVersion,
    /// Its query.
    pub query: QueryMap,
}

/// UPLOAD. Without entries it acknowledges server versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Number of the session.
    pub session: SessionIdent,
    /// Everything up to here has been sent, or needs no sending.
    pub progress_client_version: ClientVersion,
    /// Last server version integrated.
    pub progress_server_version: ServerVersion,
    /// The server keeps its history from here on for this client.
    pub locked_server_version: ServerVersion,
    /// The changesets, by ascending client version.
    pub entries: Vec<UploadEntry>,
}

/// One changeset of an UPLOAD, in its original form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadEntry {
    /// Version of the commit.
    pub client_version: ClientVersion,
    /// Its base: the last server version integrated before.
    pub server_version: ServerVersion,
    /// When it was committed.
    pub stamp: Stamp,
    /// Always [`FileIdent::LOCAL`].
    pub origin: FileIdent,
    /// The packed changeset.
    pub changeset: Arc<[u8]>,
}

/// MARK, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of the session.
    pub session: SessionIdent,
    /// Chosen by the client, ascending, and echoed.
    pub request: i64,
}

/// ERROR of the client: it could not use what the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// Number of the session.
    pub session: SessionIdent,
    /// Number of the error; may be one that is not known here.
    pub code: u16,
    /// What happened.
    pub message: String,
}

/// PING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// To be echoed.
    pub timestamp_ms: i64,
    /// Last measured round trip, 0 when none was.
    pub rtt_ms: i64,
}

/// PONG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// That of the PING.
    pub timestamp_ms: i64,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the payloads are documented")]
pub enum ClientMessage {
    Bind(Bind),
    Ident(ClientIdent),
    Query(Query),
    Upload(Upload),
    Mark(Mark),
    Unbind(SessionIdent),
    Ping(Ping),
    Error(ClientError),
}

/// IDENT of the server: the answer to a BIND that needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIdent {
    /// Number of the session.
    pub session: SessionIdent,
    /// The new ident, ≥ 2.
    pub ident: FileIdent,
    /// Its salt, > 0.
    pub salt: Salt,
}

/// DOWNLOAD.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// Number of the session.
    pub session: SessionIdent,
    /// New download cursor: server version.
    pub dl_server_version: ServerVersion,
    /// New download cursor: last own version that the server had integrated.
    pub dl_client_version: ClientVersion,
    /// Head of the server's history.
    pub latest_server_version: ServerVersion,
    /// Its salt.
    pub latest_salt: Salt,
    /// New upload cursor: last own version accepted.
    pub ul_client_version: ClientVersion,
    /// The server version on which that one was based.
    pub ul_server_version: ServerVersion,
    /// The set that a bootstrap is for; in steady state the active one.
    pub query_version: QueryVersion,
    /// Where it stands in a bootstrap.
    pub batch_state: BatchState,
    /// Estimate of what has been sent of what there is, 0.0 to 1.0.
    pub progress: f64,
    /// The changesets.
    pub entries: Vec<DownloadEntry>,
}

/// One changeset of a DOWNLOAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadEntry {
    /// Its server version.
    pub server_version: ServerVersion,
    /// Last version of the receiver that the server had integrated at that point.
    pub client_version: ClientVersion,
    /// When it was committed.
    pub stamp: Stamp,
    /// Who made it; [`FileIdent::SERVER`] for synthetic events.
    pub origin: FileIdent,
    /// Size before history compaction.
    pub original_size_bytes: u64,
    /// The packed changeset.
    pub changeset: Arc<[u8]>,
}

/// A write that the server undid (server 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedUpdate {
    /// Why, for people.
    pub reason: String,
    /// Class.
    pub table: String,
    /// Primary key. Never a [`ObjectKey::GlobalKey`].
    pub pk: ObjectKey,
}

/// How long to wait before trying again, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub interval_s: u32,
    /// The longest.
    pub max_delay_s: u32,
    /// Factor from one to the next.
    pub multiplier: u32,
}

/// ERROR of the server (sync-engine 4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// Number of the session; 0 = the connection.
    pub session: SessionIdent,
    /// Number of the error; may be one that is not known here.
    pub code: u16,
    /// What happened.
    pub message: String,
    /// Whether trying again can help. Fatal when not.
    pub try_again: bool,
    /// For clients that do not know actions.
    pub should_client_reset: bool,
    /// Whether a client reset must not recover local changes.
    pub is_recovery_mode_disabled: bool,
    /// What to do.
    pub action: Action,
    /// Where the server's log of it is; may be empty.
    pub log_url: String,
    /// Instead of the client's own figures.
    pub backoff: Option<Backoff>,
    /// 230 and 231 only.
    pub rejected_updates: Option<Vec<RejectedUpdate>>,
    /// 231 only: the version that undoes.
    pub compensating_write_server_version: Option<ServerVersion>,
    /// 230 and 231 only: the version that was rejected.
    pub rejected_client_version: Option<ClientVersion>,
}

/// QUERY_ERROR: a set is refused; the session goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::doc_markdown, reason = "the message is called so")]
pub struct QueryError {
    /// Number of the session.
    pub session: SessionIdent,
    /// 226 as a rule.
    pub code: u16,
    /// Version of the set.
    pub version: QueryVersion,
    /// What is wrong with it.
    pub message: String,
}

/// A line for the client's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// Number of the session; 0 = the connection.
    pub session: SessionIdent,
    /// `fatal`, `error`, `warn`, `info`, `detail`, `debug` or `trace`.
    pub level: String,
    /// The line.
    pub message: String,
    /// Under which the server's log has more.
    pub co_id: Option<String>,
}

/// What a server sends.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the payloads are documented")]
pub enum ServerMessage {
    Ident(ServerIdent),
    Download(Download),
    Mark(Mark),
    Unbound(SessionIdent),
    Error(ErrorMessage),
    QueryError(QueryError),
    Pong(Pong),
    Log(LogMessage),
}

impl DownloadEntry {
    /// An entry that no compaction has touched.
    pub fn new(
        server_version: ServerVersion,
        client_version: ClientVersion,
        stamp: Stamp,
        origin: FileIdent,
        changeset: Arc<[u8]>,
    ) -> Self {
        let original_size_bytes = changeset.len() as u64;
        Self { server_version, client_version, stamp, origin, original_size_bytes, changeset }
    }
}

impl ErrorMessage {
    /// An error with the code's own action and retry, for `session` (0 = the connection).
    pub fn new(session: SessionIdent, code: ProtocolErrorCode, message: impl Into<String>) -> Self {
        let action = code.default_action();
        Self {
            session,
            code: code.number(),
            message: message.into(),
            try_again: code.default_try_again(),
            should_client_reset: matches!(
                action,
                Action::ClientReset | Action::ClientResetNoRecovery
            ),
            is_recovery_mode_disabled: action == Action::ClientResetNoRecovery,
            action,
            log_url: String::new(),
            backoff: None,
            rejected_updates: None,
            compensating_write_server_version: None,
            rejected_client_version: None,
        }
    }

    /// The error 231 for writes of `rejected` that the version `undone_at` undoes (server 4.3).
    pub fn compensating_write(
        session: SessionIdent,
        rejected: ClientVersion,
        undone_at: ServerVersion,
        updates: Vec<RejectedUpdate>,
    ) -> Self {
        let text = "Client attempted a write that is outside of permissions or query filters; \
                    it has been reverted";
        Self {
            rejected_updates: Some(updates),
            compensating_write_server_version: Some(undone_at),
            rejected_client_version: Some(rejected),
            ..Self::new(session, ProtocolErrorCode::CompensatingWrite, text)
        }
    }

    /// The code, when it is one we know.
    pub fn known_code(&self) -> Option<ProtocolErrorCode> {
        ProtocolErrorCode::from_number(self.code)
    }

    /// Whether the session goes on after it.
    pub fn is_warning(&self) -> bool {
        self.action == Action::Warning
    }
}

impl ClientMessage {
    /// Name of the message, as the specs write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bind(_) => "BIND",
            Self::Ident(_) => "IDENT",
            Self::Query(_) => "QUERY",
            Self::Upload(_) => "UPLOAD",
            Self::Mark(_) => "MARK",
            Self::Unbind(_) => "UNBIND",
            Self::Ping(_) => "PING",
            Self::Error(_) => "ERROR",
        }
    }

    /// The session it is about; 0 for PING.
    pub fn session(&self) -> SessionIdent {
        match self {
            Self::Bind(message) => message.session,
            Self::Ident(message) => message.session,
            Self::Query(message) => message.session,
            Self::Upload(message) => message.session,
            Self::Mark(message) => message.session,
            Self::Unbind(session) => *session,
            Self::Ping(_) => SessionIdent(0),
            Self::Error(message) => message.session,
        }
    }
}

impl ServerMessage {
    /// Name of the message, as the specs write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ident(_) => "IDENT",
            Self::Download(_) => "DOWNLOAD",
            Self::Mark(_) => "MARK",
            Self::Unbound(_) => "UNBOUND",
            Self::Error(_) => "ERROR",
            Self::QueryError(_) => "QUERY_ERROR",
            Self::Pong(_) => "PONG",
            Self::Log(_) => "LOG_MESSAGE",
        }
    }

    /// The session it is about; 0 for the connection.
    pub fn session(&self) -> SessionIdent {
        match self {
            Self::Ident(message) => message.session,
            Self::Download(message) => message.session,
            Self::Mark(message) => message.session,
            Self::Unbound(session) => *session,
            Self::Error(message) => message.session,
            Self::QueryError(message) => message.session,
            Self::Pong(_) => SessionIdent(0),
            Self::Log(message) => message.session,
        }
    }
}
