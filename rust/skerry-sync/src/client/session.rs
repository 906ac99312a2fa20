//! The client's machine for one session (docs/protocol.md 4.2; sync-engine 4.10, 5).
//!
//! It decides, with the table of [`super::table`] and the order of [`super::sending`], what to send next and in which order,
//! when a session starts, rests, suspends itself or stops, and checks every DOWNLOAD
//! (sync-engine 4.5). It does no I/O: what the realm file says comes in as [`LocalFacts`], what has
//! to be done with it goes out as [`Action`]s. Invariants: nothing of an unfinished bootstrap
//! outlives the binding it came in, and a compensating write is reported only after integration.

use std::collections::VecDeque;

use skerry_model::{ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent};
use skerry_store::realm::SubscriptionState;

use super::backoff::{Delays, Random};
use super::checks::check_download;
use super::facts::LocalFacts;
use super::table::{Phase, SessionMessageKind, Verdict, verdict};
use crate::protocol::{
    Action as ServerAction, BatchState, ClientError, ClientMessage, Download, ErrorMessage,
    LogMessage, Mark, ProtocolErrorCode, QueryError, ServerIdent, ServerMessage,
};

/// Wait after error 200, whatever the back-off is (sync-engine 4.6).
const SESSION_CLOSED_DELAY_MS: i64 = 1_000;
/// How long an acknowledgement waits for an upload that carries it.
const ACKNOWLEDGE_DELAY_MS: i64 = 500;

/// Whether a session wants to be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Yes.
    Running,
    /// Not until it is resumed.
    Paused,
    /// After an error that can pass, from that time on.
    Suspended {
        /// In ms since 1970.
        until_ms: i64,
    },
    /// Not until it is resumed: a fatal error.
    Stopped,
    /// Never again; to be forgotten once unbound.
    Detached,
}

/// What the owner of a session has to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Keep the ident of the file.
    StoreIdent {
        /// Ident.
        ident: FileIdent,
        /// Its salt.
        salt: Salt,
    },
    /// Integrate a steady-state DOWNLOAD in one transaction; then call `integrated` or
    /// `integration_failed`.
    Integrate(Download),
    /// Store a part of a bootstrap; with its last part, integrate all and call `integrated`.
    Stage(Download),
    /// Drop the stored parts; the set, if still bootstrapping, is pending again.
    DropBootstrap,
    /// Everything that the server had when it saw MARK `request` is integrated.
    MarkReached {
        /// Number of the request.
        request: i64,
    },
    /// The set is complete.
    CompleteSet {
        /// Its version.
        version: QueryVersion,
    },
    /// The server refused the set.
    FailSet(QueryError),
    /// Tell the application.
    Report(Report),
    /// Tell the application what the server undid; it is undone here as well.
    ReportCompensatingWrite(ErrorMessage),
    /// A line for the log.
    Log(LogMessage),
    /// The session has changed between wanting to run and not.
    RunChanged(Run),
    /// A detached session is over; forget it.
    Gone,
}

/// An error for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number, known or not.
    pub code: u16,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: ServerAction,
    /// Whether trying again can help. Fatal when not.
    pub try_again: bool,
    /// Where the server's log has it; may be empty.
    pub log_url: String,
}

/// The server broke the order of messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Violation {
    /// What kind.
    pub code: ProtocolErrorCode,
    /// Message, session and phase.
    pub detail: String,
}

/// What a session sends next.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// This.
    Message(ClientMessage),
    /// Local changes above `after`, up to `up_to`: load them and call `upload`.
    Changes {
        /// What has been sent or needs no sending.
        after: ClientVersion,
        /// The newest version that may go now.
        up_to: ClientVersion,
    },
}

/// One session.
#[derive(Debug)]
pub struct ClientSession {
    pub(super) ident: SessionIdent,
    pub(super) phase: Phase,
    pub(super) run: Run,
    pub(super) facts: LocalFacts,
    pub(super) queue: VecDeque<ClientMessage>,
    delays: Delays,
    /// Highest set that has been sent, with IDENT or QUERY.
    pub(super) sent_query: QueryVersion,
    /// Everything up to here has been sent in this binding, or needs no sending.
    pub(super) scanned: ClientVersion,
    /// Highest server version that the server knows we have.
    pub(super) acknowledged: ServerVersion,
    pub(super) acknowledge_at_ms: Option<i64>,
    pub(super) mark_wanted: i64,
    pub(super) mark_sent: i64,
    pub(super) mark_reached: i64,
    /// The set that becomes complete when that MARK is answered.
    pub(super) set_awaiting: Option<(QueryVersion, i64)>,
    bootstrap: Option<QueryVersion>,
    undone: VecDeque<ErrorMessage>,
}

impl ClientSession {
    /// A session that runs as soon as there is a connection.
    pub fn new(ident: SessionIdent) -> Self {
        Self {
            ident,
            phase: Phase::Unbound,
            run: Run::Running,
            facts: LocalFacts::default(),
            queue: VecDeque::new(),
            delays: Delays::default(),
            sent_query: QueryVersion(0),
            scanned: ClientVersion(0),
            acknowledged: ServerVersion(0),
            acknowledge_at_ms: None,
            mark_wanted: 0,
            mark_sent: 0,
            mark_reached: 0,
            set_awaiting: None,
            bootstrap: None,
            undone: VecDeque::new(),
        }
    }

    /// Where it stands on the wire.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it wants to be bound.
    pub fn run(&self) -> Run {
        self.run
    }

    /// Tells it what the realm file says now.
    pub fn set_facts(&mut self, facts: LocalFacts) {
        self.facts = facts;
    }

    /// What it was last told.
    pub fn facts(&self) -> &LocalFacts {
        &self.facts
    }

    /// Wants a MARK; the answer is [`Action::MarkReached`] with this number or a higher one.
    pub fn request_mark(&mut self) -> i64 {
        self.mark_wanted += 1;
        self.mark_wanted
    }

    /// When `tick` is needed, in ms since 1970.
    pub fn deadline_ms(&self) -> Option<i64> {
        match (self.run, self.phase) {
            (Run::Suspended { until_ms }, Phase::Unbound) => Some(until_ms),
            (Run::Running, Phase::Active) => self.acknowledge_at_ms,
            _ => None,
        }
    }

    /// Ends a suspension whose time has come.
    pub fn tick(&mut self, now_ms: i64) {
        if let Run::Suspended { until_ms } = self.run
            && until_ms <= now_ms
        {
            self.run = Run::Running;
        }
    }

    /// The connection is gone: so is everything that was bound to it.
    pub fn disconnected(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Unbound {
            self.unbound(actions);
        }
    }

    /// Lets it rest until it is resumed. Idempotent.
    pub fn pause(&mut self, actions: &mut Vec<Action>) {
        match self.run {
            Run::Paused | Run::Detached => {}
            Run::Running | Run::Suspended { .. } | Run::Stopped => self.rest(Run::Paused, actions),
        }
    }

    /// Lets it run again, also after a fatal error; resets the back-off (client-api 1.7).
    pub fn resume(&mut self, actions: &mut Vec<Action>) {
        match self.run {
            Run::Running | Run::Detached => {}
            Run::Paused | Run::Suspended { .. } | Run::Stopped => {
                self.run = Run::Running;
                self.delays.reset();
                actions.push(Action::RunChanged(self.run));
            }
        }
    }

    /// Ends it for good; [`Action::Gone`] follows when it is unbound.
    pub fn detach(&mut self, actions: &mut Vec<Action>) {
        if self.run == Run::Detached {
            return;
        }
        self.rest(Run::Detached, actions);
        if self.phase == Phase::Unbound {
            actions.push(Action::Gone);
        }
    }

    /// Stops it without a word to the server: the connection ends with a fatal error.
    pub(crate) fn stop(&mut self, actions: &mut Vec<Action>) {
        match self.run {
            Run::Running | Run::Suspended { .. } => {
                self.run = Run::Stopped;
                actions.push(Action::RunChanged(self.run));
            }
            Run::Paused | Run::Stopped | Run::Detached => {}
        }
    }

    /// Changes what it wants and unbinds it if it is bound.
    fn rest(&mut self, run: Run, actions: &mut Vec<Action>) {
        self.run = run;
        actions.push(Action::RunChanged(run));
        match self.phase {
            Phase::AwaitingIdent | Phase::ReadyToIdentify | Phase::Active => {
                self.queue.push_back(ClientMessage::Unbind(self.ident));
                self.forget_binding(actions);
                self.phase = Phase::Unbinding;
            }
            Phase::Unbound | Phase::Unbinding => {}
        }
    }

    fn unbound(&mut self, actions: &mut Vec<Action>) {
        self.queue.clear();
        self.forget_binding(actions);
        self.phase = Phase::Unbound;
        if self.run == Run::Detached {
            actions.push(Action::Gone);
        }
    }

    /// What came in this binding and is unfinished comes again in the next.
    fn forget_binding(&mut self, actions: &mut Vec<Action>) {
        if self.bootstrap.take().is_some() {
            actions.push(Action::DropBootstrap);
        }
        self.undone.clear();
        self.mark_sent = self.mark_reached;
        self.set_awaiting = None;
        self.acknowledge_at_ms = None;
    }

    /// Takes one message of the server.
    pub fn receive(
        &mut self,
        message: ServerMessage,
        now_ms: i64,
        random: &mut Random,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let Some(kind) = SessionMessageKind::of(&message) else { return Ok(()) };
        match verdict(self.phase, kind) {
            Verdict::Proceed => {}
            Verdict::Ignore => return Ok(()),
            Verdict::Violation(code) => {
                let name = message.name();
                let detail = format!("{name} in session {} ({:?})", self.ident, self.phase);
                return Err(Violation { code, detail });
            }
        }
        match message {
            ServerMessage::Ident(ServerIdent { ident, salt, .. }) => {
                self.phase = Phase::ReadyToIdentify;
                self.facts.ident = Some((ident, salt));
                actions.push(Action::StoreIdent { ident, salt });
            }
            ServerMessage::Download(download) => self.download(download, actions),
            ServerMessage::Mark(mark) => self.mark(mark, actions)?,
            ServerMessage::Unbound(_) if !self.queue.is_empty() => {
                let detail = format!("UNBOUND in session {} before UNBIND", self.ident);
                return Err(Violation { code: ProtocolErrorCode::BadMessageOrder, detail });
            }
            ServerMessage::Unbound(_) => self.unbound(actions),
            ServerMessage::Error(error) => self.error(error, now_ms, random, actions),
            ServerMessage::QueryError(error) => self.query_error(error, actions),
            ServerMessage::Log(message) => actions.push(Action::Log(message)),
            ServerMessage::Pong(_) => {}
        }
        Ok(())
    }

    fn download(&mut self, download: Download, actions: &mut Vec<Action>) {
        if let Err(detail) = check_download(&download, &self.facts) {
            return self.give_up(ProtocolErrorCode::BadProgress, detail, actions);
        }
        let version = download.query_version;
        match (download.batch_state, self.bootstrap) {
            (BatchState::SteadyState, None) => actions.push(Action::Integrate(download)),
            (BatchState::SteadyState, Some(version)) => {
                let detail = format!("steady state in the bootstrap of query version {version}");
                self.give_up(ProtocolErrorCode::BadProgress, detail, actions);
            }
            (BatchState::MoreToCome | BatchState::LastInBatch, Some(current))
                if current == version =>
            {
                actions.push(Action::Stage(download));
            }
            (BatchState::MoreToCome | BatchState::LastInBatch, other) => {
                match self.facts.set(version).map(|set| set.state) {
                    None | Some(SubscriptionState::Error) => {
                        let detail = format!("bootstrap of query version {version}, not awaited");
                        return self.give_up(ProtocolErrorCode::BadProgress, detail, actions);
                    }
                    Some(
                        SubscriptionState::Pending
                        | SubscriptionState::Bootstrapping
                        | SubscriptionState::AwaitingMark
                        | SubscriptionState::Complete,
                    ) => {}
                }
                if other.is_some() {
                    actions.push(Action::DropBootstrap);
                }
                self.bootstrap = Some(version);
                actions.push(Action::Stage(download));
            }
        }
    }

    /// The DOWNLOAD of the last [`Action::Integrate`] or (its last part) [`Action::Stage`] is in
    /// the file, which says `facts` now.
    pub fn integrated(
        &mut self,
        batch: BatchState,
        facts: LocalFacts,
        now_ms: i64,
        actions: &mut Vec<Action>,
    ) {
        self.facts = facts;
        self.delays.reset();
        // What an earlier connection brought there is not sent again.
        self.scanned = self.scanned.max(self.facts.progress.upload_client_version);
        let reached = self.facts.progress.download_server_version;
        if reached > self.acknowledged && self.acknowledge_at_ms.is_none() {
            self.acknowledge_at_ms = Some(now_ms.saturating_add(ACKNOWLEDGE_DELAY_MS));
        }
        match batch {
            BatchState::MoreToCome => return,
            BatchState::LastInBatch => {
                if let Some(version) = self.bootstrap.take() {
                    self.set_awaiting = Some((version, self.request_mark()));
                }
            }
            BatchState::SteadyState => {}
        }
        // Realm's clients wait for a steady-state DOWNLOAD; what is integrated is told here, however
        // it came.
        let is_undone = |error: &mut ErrorMessage| {
            error.compensating_write_server_version.is_some_and(|w| w <= reached)
        };
        while let Some(error) = self.undone.pop_front_if(is_undone) {
            actions.push(Action::ReportCompensatingWrite(error));
        }
    }

    /// The DOWNLOAD could not be integrated; nothing of it is in the file.
    pub fn integration_failed(&mut self, detail: String, actions: &mut Vec<Action>) {
        self.give_up(ProtocolErrorCode::BadChangeset, detail, actions);
    }

    /// The file could not be used for a reason that can pass (disk full, lock held): unbinds and
    /// tries again after the back-off.
    pub fn local_trouble(
        &mut self,
        detail: String,
        now_ms: i64,
        random: &mut Random,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Report(Report {
            code: ProtocolErrorCode::OtherSessionError.number(),
            message: detail,
            action: ServerAction::Transient,
            try_again: true,
            log_url: String::new(),
        }));
        let until_ms = now_ms.saturating_add(self.delays.next(random));
        self.rest(Run::Suspended { until_ms }, actions);
    }

    /// ERROR, UNBIND, and a rest until the application resumes it.
    fn give_up(&mut self, code: ProtocolErrorCode, detail: String, actions: &mut Vec<Action>) {
        let error = ClientError { session: self.ident, code: code.number(), message: detail };
        actions.push(Action::Report(Report {
            code: error.code,
            message: format!("{}: {}", code.text(), error.message),
            action: code.default_action(),
            try_again: false,
            log_url: String::new(),
        }));
        self.queue.push_back(ClientMessage::Error(error));
        self.rest(Run::Stopped, actions);
    }

    fn mark(&mut self, mark: Mark, actions: &mut Vec<Action>) -> Result<(), Violation> {
        if mark.request <= self.mark_reached || mark.request > self.mark_sent {
            let code = ProtocolErrorCode::BadMessageOrder;
            let detail = format!("MARK {} in session {}, not asked for", mark.request, self.ident);
            return Err(Violation { code, detail });
        }
        self.mark_reached = mark.request;
        if let Some((version, _)) =
            self.set_awaiting.take_if(|(_, mark_of)| *mark_of <= mark.request)
        {
            actions.push(Action::CompleteSet { version });
        }
        actions.push(Action::MarkReached { request: mark.request });
        Ok(())
    }

    fn error(
        &mut self,
        error: ErrorMessage,
        now_ms: i64,
        random: &mut Random,
        actions: &mut Vec<Action>,
    ) {
        if error.is_warning() {
            return self.warning(error, actions);
        }
        let run = if error.try_again {
            if let Some(figures) = error.backoff {
                self.delays.use_figures(figures);
            }
            let is_closed = error.known_code() == Some(ProtocolErrorCode::SessionClosed);
            let delay_ms =
                if is_closed { SESSION_CLOSED_DELAY_MS } else { self.delays.next(random) };
            Run::Suspended { until_ms: now_ms.saturating_add(delay_ms) }
        } else {
            Run::Stopped
        };
        // "No error" is how a server says that it wants the session bound anew.
        if error.known_code() != Some(ProtocolErrorCode::SessionClosed) || !error.try_again {
            actions.push(Action::Report(Report::from(error)));
        }
        self.rest(run, actions);
    }

    fn warning(&mut self, error: ErrorMessage, actions: &mut Vec<Action>) {
        match error.compensating_write_server_version {
            None => actions.push(Action::Report(Report::from(error))),
            // The server sends those again that it cannot know to be integrated.
            Some(undone_at) if undone_at <= self.facts.progress.download_server_version => {}
            Some(undone_at) => {
                let is_known = self.undone.iter().any(|known| {
                    known.compensating_write_server_version == Some(undone_at)
                        && known.rejected_client_version == error.rejected_client_version
                });
                if !is_known {
                    self.undone.push_back(error);
                }
            }
        }
    }

    fn query_error(&mut self, error: QueryError, actions: &mut Vec<Action>) {
        match self.facts.set(error.version).map(|set| set.state) {
            Some(
                SubscriptionState::Pending
                | SubscriptionState::Bootstrapping
                | SubscriptionState::AwaitingMark,
            ) => {
                if self.bootstrap.take_if(|version| *version == error.version).is_some() {
                    actions.push(Action::DropBootstrap);
                }
                self.set_awaiting.take_if(|(version, _)| *version == error.version);
                actions.push(Action::FailSet(error));
            }
            // Superseded meanwhile, or refused twice.
            None if error.version <= self.sent_query => {}
            Some(SubscriptionState::Error) => {}
            None | Some(SubscriptionState::Complete) => {
                let detail = format!("query version {} was not to be judged", error.version);
                self.give_up(ProtocolErrorCode::BadProgress, detail, actions);
            }
        }
    }
}

impl Report {
    /// Whether only the application can go on from here.
    pub fn is_fatal(&self) -> bool {
        !self.try_again
    }

    /// Name of the code, such as `bad_changeset`; `unknown` for one that is not known here.
    pub fn name(&self) -> &'static str {
        ProtocolErrorCode::from_number(self.code).map_or("unknown", ProtocolErrorCode::name)
    }
}

impl From<ErrorMessage> for Report {
    fn from(error: ErrorMessage) -> Self {
        Self {
            code: error.code,
            message: error.message,
            action: error.action,
            try_again: error.try_again,
            log_url: error.log_url,
        }
    }
}
