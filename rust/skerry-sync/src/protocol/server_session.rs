//! The server's machine for one session (docs/protocol.md 4.1).
//!
//! It decides every (state, message) pair in [`verdict`], checks what can be checked without the
//! store (order, ranges, monotonic versions and cursors), and hands typed events to the engine. It
//! keeps the invariant that the engine only ever sees messages of an identified session, with
//! versions that never run backwards and bases that this server has sent. Whether an ident exists,
//! a salt is right or a query is valid is for the engine to say.

use std::collections::VecDeque;

use skerry_model::{ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent};

use super::errors::ProtocolErrorCode;
use super::message::{
    BatchState, Bind, ClientError, ClientIdent, ClientMessage, Download, ErrorMessage, Mark, Query,
    QueryError, ServerIdent, ServerMessage, SessionReason, Upload,
};
use crate::limits::MARKS_WAITING_MAX;

/// Where a session of the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerSessionState {
    /// There is no such session.
    Unbound,
    /// Bound; the engine is making an ident.
    AwaitingAllocation,
    /// Bound; the client's IDENT is next.
    AwaitingIdent,
    /// Identified: everything flows.
    Active,
    /// Ended by an ERROR of either side; the client's UNBIND is next.
    Failed,
    /// UNBIND has come; the engine has yet to let go.
    Unbinding,
}

impl ServerSessionState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unbound,
        Self::AwaitingAllocation,
        Self::AwaitingIdent,
        Self::Active,
        Self::Failed,
        Self::Unbinding,
    ];
}

/// The messages of a client that concern one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the messages")]
pub enum SessionMessageKind {
    Bind,
    Ident,
    Query,
    Upload,
    Mark,
    Unbind,
    Error,
}

impl SessionMessageKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Bind, Self::Ident, Self::Query, Self::Upload, Self::Mark, Self::Unbind, Self::Error];

    /// The kind of a message; `None` for PING, which concerns no session.
    pub fn of(message: &ClientMessage) -> Option<Self> {
        match message {
            ClientMessage::Bind(_) => Some(Self::Bind),
            ClientMessage::Ident(_) => Some(Self::Ident),
            ClientMessage::Query(_) => Some(Self::Query),
            ClientMessage::Upload(_) => Some(Self::Upload),
            ClientMessage::Mark(_) => Some(Self::Mark),
            ClientMessage::Unbind(_) => Some(Self::Unbind),
            ClientMessage::Error(_) => Some(Self::Error),
            ClientMessage::Ping(_) => None,
        }
    }
}

/// What is to be done with a message in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may come now.
    Proceed,
    /// The client sent it before it saw our ERROR.
    Ignore,
    /// The client broke the order: the connection ends.
    Fail(ProtocolErrorCode),
}

/// The table of docs/protocol.md 4.1.
#[allow(clippy::match_same_arms, reason = "one row of the table is one group of arms")]
pub fn verdict(state: ServerSessionState, kind: SessionMessageKind) -> Verdict {
    use ServerSessionState as S;
    use SessionMessageKind as M;
    use Verdict::{Fail, Ignore, Proceed};
    const UNKNOWN: Verdict = Fail(ProtocolErrorCode::BadSessionIdent);
    const REUSED: Verdict = Fail(ProtocolErrorCode::ReuseOfSessionIdent);
    const ORDER: Verdict = Fail(ProtocolErrorCode::BadMessageOrder);
    match (state, kind) {
        (S::Unbound, M::Bind) => Proceed,
        (S::Unbound, M::Ident | M::Query | M::Upload | M::Mark | M::Unbind | M::Error) => UNKNOWN,

        (
            S::AwaitingAllocation | S::AwaitingIdent | S::Active | S::Failed | S::Unbinding,
            M::Bind,
        ) => REUSED,

        (S::AwaitingAllocation, M::Ident | M::Query | M::Upload | M::Mark) => ORDER,
        (S::AwaitingAllocation, M::Unbind | M::Error) => Proceed,

        (S::AwaitingIdent, M::Ident | M::Unbind | M::Error) => Proceed,
        (S::AwaitingIdent, M::Query | M::Upload | M::Mark) => ORDER,

        (S::Active, M::Ident) => ORDER,
        (S::Active, M::Query | M::Upload | M::Mark | M::Unbind | M::Error) => Proceed,

        (S::Failed, M::Ident | M::Query | M::Upload | M::Mark | M::Error) => Ignore,
        (S::Failed, M::Unbind) => Proceed,

        (S::Unbinding, M::Ident | M::Query | M::Upload | M::Mark | M::Unbind | M::Error) => ORDER,
    }
}

/// What the engine has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Make a file ident and answer with `ident_allocated`.
    AllocateIdent {
        /// The session.
        session: SessionIdent,
    },
    /// The client said who it is and where it stands: check ident, salt and cursors against the
    /// store (208, 211, 222; 209 and 210 when it is ahead), then serve it from there.
    Identified {
        /// Why it was bound.
        reason: SessionReason,
        /// Everything that the client said.
        ident: ClientIdent,
    },
    /// A new subscription set: bootstrap it, or answer with `send_query_error`.
    Query(Query),
    /// Changesets to integrate, perhaps none; those already integrated are to be skipped.
    Upload(Upload),
    /// Answer with `send_mark` when everything there is now has been sent.
    Mark(Mark),
    /// The client could not use what it was sent and listens no more; UNBIND will follow.
    ClientFailed(ClientError),
    /// The machine has ended the session with an ERROR; UNBIND will follow.
    Failed {
        /// The session.
        session: SessionIdent,
        /// Why.
        code: ProtocolErrorCode,
    },
    /// Let go of the session, then call `finish_unbind`.
    Unbind {
        /// The session.
        session: SessionIdent,
    },
}

/// Whether something that the engine wanted to send can still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on its way.
    Sent,
    /// The session has ended meanwhile; it was dropped, as it must be.
    Dropped,
}

/// A fault that ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct ConnectionFault {
    /// 100 to 114.
    pub code: ProtocolErrorCode,
    /// Message, session and state.
    pub detail: String,
}

/// What the machines have to say, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) messages: VecDeque<ServerMessage>,
    pub(crate) events: VecDeque<ServerEvent>,
}

/// A reason to end the session, found in one message.
struct SessionFault {
    code: ProtocolErrorCode,
    detail: String,
}

type Checked = Result<(), SessionFault>;

/// One session. Made by the connection when a BIND comes.
#[derive(Debug)]
pub struct ServerSession {
    ident: SessionIdent,
    state: ServerSessionState,
    reason: SessionReason,
    allocated: Option<(FileIdent, Salt)>,
    file: Option<FileIdent>,
    /// Highest server version that the client can have integrated.
    sent: ServerVersion,
    query: QueryVersion,
    mark: i64,
    marks_waiting: usize,
    uploaded: ClientVersion,
    progress: (ClientVersion, ServerVersion),
    locked: ServerVersion,
    base: ServerVersion,
}

impl ServerSession {
    pub(crate) fn new(ident: SessionIdent) -> Self {
        Self {
            ident,
            state: ServerSessionState::Unbound,
            reason: SessionReason::Sync,
            allocated: None,
            file: None,
            sent: ServerVersion(0),
            query: QueryVersion(0),
            mark: 0,
            marks_waiting: 0,
            uploaded: ClientVersion(0),
            progress: (ClientVersion(0), ServerVersion(0)),
            locked: ServerVersion(0),
            base: ServerVersion(0),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> ServerSessionState {
        self.state
    }

    /// The client file behind it, once identified.
    pub fn file(&self) -> Option<FileIdent> {
        self.file
    }

    pub(crate) fn receive(
        &mut self,
        message: ClientMessage,
        out: &mut Outbox,
    ) -> Result<(), ConnectionFault> {
        let Some(kind) = SessionMessageKind::of(&message) else { return Ok(()) };
        match verdict(self.state, kind) {
            Verdict::Proceed => {}
            Verdict::Ignore => return Ok(()),
            Verdict::Fail(code) => {
                let name = message.name();
                let detail = format!("{name} in session {} ({:?})", self.ident, self.state);
                return Err(ConnectionFault { code, detail });
            }
        }
        match message {
            ClientMessage::Bind(bind) => self.bind(&bind, out),
            ClientMessage::Ident(ident) => self.identify(ident, out),
            ClientMessage::Query(query) => self.change_query(query, out)?,
            ClientMessage::Upload(upload) => self.upload(upload, out),
            ClientMessage::Mark(mark) => self.request_mark(mark, out)?,
            ClientMessage::Unbind(session) => {
                self.state = ServerSessionState::Unbinding;
                out.events.push_back(ServerEvent::Unbind { session });
            }
            ClientMessage::Error(error) => {
                self.state = ServerSessionState::Failed;
                out.events.push_back(ServerEvent::ClientFailed(error));
            }
            ClientMessage::Ping(_) => {}
        }
        Ok(())
    }

    fn bind(&mut self, bind: &Bind, out: &mut Outbox) {
        self.reason = bind.reason;
        self.state = ServerSessionState::AwaitingIdent;
        if bind.schema_version != 0 {
            let code = ProtocolErrorCode::BadSchemaVersion;
            let detail = format!("{}: {}", code.text(), bind.schema_version);
            self.fail(SessionFault { code, detail }, out);
        } else if bind.need_ident {
            self.state = ServerSessionState::AwaitingAllocation;
            out.events.push_back(ServerEvent::AllocateIdent { session: self.ident });
        }
    }

    fn identify(&mut self, ident: ClientIdent, out: &mut Outbox) {
        if let Err(fault) = self.check_ident(&ident) {
            return self.fail(fault, out);
        }
        self.state = ServerSessionState::Active;
        self.file = Some(ident.ident);
        self.sent = ident.scan_server_version;
        self.query = ident.query_version;
        out.events.push_back(ServerEvent::Identified { reason: self.reason, ident });
    }

    fn check_ident(&self, ident: &ClientIdent) -> Checked {
        let allocated_other = |given: (FileIdent, Salt)| self.allocated.filter(|&own| own != given);
        if ident.ident < FileIdent::FIRST_CLIENT
            || allocated_other((ident.ident, ident.salt)).is_some_and(|(own, _)| own != ident.ident)
        {
            return session_fault(
                ProtocolErrorCode::BadClientFileIdent,
                format!("file ident {}", ident.ident),
            );
        }
        if ident.salt <= Salt(0) || allocated_other((ident.ident, ident.salt)).is_some() {
            return session_fault(
                ProtocolErrorCode::DivergingHistories,
                format!("salt of file ident {} does not match", ident.ident),
            );
        }
        if ident.scan_server_version > ident.latest_server_version {
            let (scan, latest) = (ident.scan_server_version, ident.latest_server_version);
            return session_fault(
                ProtocolErrorCode::BadServerVersion,
                format!("scan server version {scan} above latest {latest}"),
            );
        }
        if ident.scan_server_version == ServerVersion(0)
            && ident.scan_client_version != ClientVersion(0)
        {
            return session_fault(
                ProtocolErrorCode::BadClientVersion,
                format!("scan client version {} without a download", ident.scan_client_version),
            );
        }
        Ok(())
    }

    fn change_query(&mut self, query: Query, out: &mut Outbox) -> Result<(), ConnectionFault> {
        if query.version <= self.query {
            let detail = format!("QUERY version {} after {}", query.version, self.query);
            return Err(ConnectionFault { code: ProtocolErrorCode::BadMessageOrder, detail });
        }
        self.query = query.version;
        out.events.push_back(ServerEvent::Query(query));
        Ok(())
    }

    fn request_mark(&mut self, mark: Mark, out: &mut Outbox) -> Result<(), ConnectionFault> {
        if mark.request <= self.mark {
            let detail = format!("MARK request {} after {}", mark.request, self.mark);
            return Err(ConnectionFault { code: ProtocolErrorCode::BadMessageOrder, detail });
        }
        if self.marks_waiting >= MARKS_WAITING_MAX {
            let detail = format!("more than {MARKS_WAITING_MAX} MARK requests wait");
            return Err(ConnectionFault { code: ProtocolErrorCode::LimitsExceeded, detail });
        }
        self.mark = mark.request;
        self.marks_waiting += 1;
        out.events.push_back(ServerEvent::Mark(mark));
        Ok(())
    }

    fn upload(&mut self, upload: Upload, out: &mut Outbox) {
        if let Err(fault) = self.check_upload(&upload) {
            return self.fail(fault, out);
        }
        self.progress = (upload.progress_client_version, upload.progress_server_version);
        self.locked = upload.locked_server_version;
        if let Some(last) = upload.entries.last() {
            (self.uploaded, self.base) = (last.client_version, last.server_version);
        }
        out.events.push_back(ServerEvent::Upload(upload));
    }

    fn check_upload(&self, upload: &Upload) -> Checked {
        let (client, server) = (upload.progress_client_version, upload.progress_server_version);
        let locked = upload.locked_server_version;
        if client < self.progress.0 {
            let detail = format!("upload progress {client} after {}", self.progress.0);
            return session_fault(ProtocolErrorCode::BadClientVersion, detail);
        }
        if server < self.progress.1 || server > self.sent {
            let (last, sent) = (self.progress.1, self.sent);
            let detail = format!("acknowledged version {server} outside {last} to {sent}");
            return session_fault(ProtocolErrorCode::BadServerVersion, detail);
        }
        if locked < self.locked || locked > server {
            let detail = format!("locked version {locked} outside {} to {server}", self.locked);
            return session_fault(ProtocolErrorCode::BadServerVersion, detail);
        }
        let (mut version, mut base) = (self.uploaded, self.base);
        for entry in &upload.entries {
            if entry.origin != FileIdent::LOCAL {
                let detail = format!("origin {} in an upload", entry.origin);
                return session_fault(ProtocolErrorCode::BadOriginFileIdent, detail);
            }
            if entry.client_version <= version || entry.client_version > client {
                let detail = format!(
                    "client version {} outside {version} to {client}",
                    entry.client_version
                );
                return session_fault(ProtocolErrorCode::BadClientVersion, detail);
            }
            if entry.server_version < base || entry.server_version > server {
                let detail =
                    format!("base version {} outside {base} to {server}", entry.server_version);
                return session_fault(ProtocolErrorCode::BadServerVersion, detail);
            }
            if entry.stamp.0 < 0 {
                let detail = format!("timestamp {} before 2015", entry.stamp);
                return session_fault(ProtocolErrorCode::BadChangeset, detail);
            }
            (version, base) = (entry.client_version, entry.server_version);
        }
        Ok(())
    }

    fn fail(&mut self, fault: SessionFault, out: &mut Outbox) {
        let error = ErrorMessage::new(self.ident, fault.code, fault.detail);
        self.state = ServerSessionState::Failed;
        out.messages.push_back(ServerMessage::Error(error));
        out.events.push_back(ServerEvent::Failed { session: self.ident, code: fault.code });
    }

    /// Refuses the session right after BIND, for a reason that the connection found.
    pub(crate) fn refuse(&mut self, code: ProtocolErrorCode, out: &mut Outbox) {
        self.fail(SessionFault { code, detail: code.text().to_owned() }, out);
    }

    pub(crate) fn ident_allocated(
        &mut self,
        ident: FileIdent,
        salt: Salt,
        out: &mut Outbox,
    ) -> Delivery {
        match self.state {
            ServerSessionState::AwaitingAllocation => {
                self.allocated = Some((ident, salt));
                self.state = ServerSessionState::AwaitingIdent;
                let session = self.ident;
                out.messages.push_back(ServerMessage::Ident(ServerIdent { session, ident, salt }));
                Delivery::Sent
            }
            ServerSessionState::Failed | ServerSessionState::Unbinding => Delivery::Dropped,
            ServerSessionState::Unbound
            | ServerSessionState::AwaitingIdent
            | ServerSessionState::Active => {
                panic!("an ident was allocated for session {} that asked for none", self.ident)
            }
        }
    }

    /// # Panics
    /// When the cursors run backwards: the engine would make the client's history wrong.
    pub(crate) fn send_download(&mut self, mut download: Download, out: &mut Outbox) -> Delivery {
        if self.state != ServerSessionState::Active {
            return Delivery::Dropped;
        }
        assert!(
            download.dl_server_version >= self.sent
                && download.dl_server_version <= download.latest_server_version,
            "DOWNLOAD to {} after {} with latest {}",
            download.dl_server_version,
            self.sent,
            download.latest_server_version,
        );
        match download.batch_state {
            BatchState::MoreToCome => {}
            BatchState::LastInBatch | BatchState::SteadyState => {
                self.sent = download.dl_server_version;
            }
        }
        download.session = self.ident;
        out.messages.push_back(ServerMessage::Download(download));
        Delivery::Sent
    }

    pub(crate) fn send_mark(&mut self, request: i64, out: &mut Outbox) -> Delivery {
        self.marks_waiting = self.marks_waiting.saturating_sub(1);
        let mark = Mark { session: self.ident, request };
        self.send_when_active(ServerMessage::Mark(mark), out)
    }

    pub(crate) fn send_query_error(&mut self, mut error: QueryError, out: &mut Outbox) -> Delivery {
        error.session = self.ident;
        self.send_when_active(ServerMessage::QueryError(error), out)
    }

    fn send_when_active(&self, message: ServerMessage, out: &mut Outbox) -> Delivery {
        if self.state != ServerSessionState::Active {
            return Delivery::Dropped;
        }
        out.messages.push_back(message);
        Delivery::Sent
    }

    pub(crate) fn send_error(&mut self, mut error: ErrorMessage, out: &mut Outbox) -> Delivery {
        match self.state {
            ServerSessionState::AwaitingAllocation
            | ServerSessionState::AwaitingIdent
            | ServerSessionState::Active => {
                if !error.is_warning() {
                    self.state = ServerSessionState::Failed;
                }
                error.session = self.ident;
                out.messages.push_back(ServerMessage::Error(error));
                Delivery::Sent
            }
            ServerSessionState::Unbound
            | ServerSessionState::Failed
            | ServerSessionState::Unbinding => Delivery::Dropped,
        }
    }
}

fn session_fault(code: ProtocolErrorCode, detail: String) -> Checked {
    Err(SessionFault { code, detail })
}
