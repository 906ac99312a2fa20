//! The client's end of one websocket: several sessions, PING and PONG, and the connection's errors.
//!
//! Frames, `now` and answers of the sessions' owner go in; messages, [`ConnectionEvent`]s, a
//! deadline and a close code come out. What one session does never touches another, except that a
//! server which breaks the protocol loses the whole connection.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use skerry_model::SessionIdent;

use super::backoff::Random;
use super::session::{Action, ClientSession, Outgoing, Report, Violation};
use crate::limits::{PING_PERIOD_MS, PONG_TIMEOUT_MS};
use crate::protocol::{
    Action as ServerAction, ClientMessage, ErrorMessage, LogMessage, Ping, Pong, ProtocolErrorCode,
    ServerMessage, decode_server_message,
};

/// Websocket code for a connection that we end without the server's fault.
const CLOSE_NORMAL: u16 = 1000;
/// Websocket code for a server that broke the protocol.
const CLOSE_PROTOCOL_ERROR: u16 = 1002;
/// Part of the period by which a PING may be early, in percent.
const PING_EARLY_PERCENT: i64 = 10;

/// What the owner of a connection has to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionEvent {
    /// Something for one session.
    Session(SessionIdent, Action),
    /// An error of the whole connection for the application.
    Report(Report),
    /// A line for the log.
    Log(LogMessage),
}

#[derive(Clone, Copy, Debug)]
enum Link {
    Down,
    Up { ping_at_ms: i64, pong: Option<AwaitedPong> },
}

#[derive(Clone, Copy, Debug)]
struct AwaitedPong {
    timestamp_ms: i64,
    until_ms: i64,
}

/// The sessions of one websocket.
#[derive(Debug)]
pub struct ClientConnection {
    sessions: BTreeMap<SessionIdent, ClientSession>,
    /// The session that has sent last.
    turn: SessionIdent,
    link: Link,
    rtt_ms: i64,
    close: Option<(u16, String)>,
    random: Random,
    events: VecDeque<ConnectionEvent>,
    pings: VecDeque<Ping>,
}

impl ClientConnection {
    /// No sessions, not connected. `seed` is for back-off and PING times.
    pub fn new(seed: u64) -> Self {
        Self {
            sessions: BTreeMap::new(),
            turn: SessionIdent(0),
            link: Link::Down,
            rtt_ms: 0,
            close: None,
            random: Random::new(seed),
            events: VecDeque::new(),
            pings: VecDeque::new(),
        }
    }

    /// Adds a session with an ident that is not in use; it binds as soon as it can.
    pub fn attach(&mut self, ident: SessionIdent) {
        self.sessions.insert(ident, ClientSession::new(ident));
    }

    /// The session, until it is [`Action::Gone`].
    pub fn session(&mut self, ident: SessionIdent) -> Option<&mut ClientSession> {
        self.sessions.get_mut(&ident)
    }

    /// The sessions there are.
    pub fn sessions(&self) -> impl Iterator<Item = SessionIdent> {
        self.sessions.keys().copied()
    }

    /// Changes a session and keeps the actions that come of it.
    pub fn update<T>(
        &mut self,
        ident: SessionIdent,
        change: impl FnOnce(&mut ClientSession, &mut Vec<Action>) -> T,
    ) -> Option<T> {
        let mut actions = Vec::new();
        let result = change(self.sessions.get_mut(&ident)?, &mut actions);
        self.push(ident, actions);
        Some(result)
    }

    /// Lets a session wait out trouble with its file: [`ClientSession::local_trouble`].
    pub(super) fn local_trouble(&mut self, ident: SessionIdent, detail: String, now_ms: i64) {
        let mut actions = Vec::new();
        if let Some(session) = self.sessions.get_mut(&ident) {
            session.local_trouble(detail, now_ms, &mut self.random, &mut actions);
        }
        self.push(ident, actions);
    }

    fn push(&mut self, ident: SessionIdent, actions: Vec<Action>) {
        for action in actions {
            if action == Action::Gone {
                self.sessions.remove(&ident);
            }
            self.events.push_back(ConnectionEvent::Session(ident, action));
        }
    }

    /// Whether there is a websocket, and it is not about to be closed.
    pub fn is_open(&self) -> bool {
        match self.link {
            Link::Up { .. } => self.close.is_none(),
            Link::Down => false,
        }
    }

    /// A websocket has been opened.
    pub fn connected(&mut self, now_ms: i64) {
        let ping_at_ms = now_ms.saturating_add(self.random.up_to(PING_PERIOD_MS));
        self.link = Link::Up { ping_at_ms, pong: None };
        self.close = None;
    }

    /// The websocket is gone.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
        self.close = None;
        self.pings.clear();
        for ident in self.sessions().collect::<Vec<_>>() {
            self.update(ident, ClientSession::disconnected);
        }
    }

    /// Takes one binary websocket message.
    pub fn receive(&mut self, frame: &[u8], now_ms: i64) {
        if !self.is_open() {
            return;
        }
        let outcome = match decode_server_message(frame) {
            Ok(message) => self.dispatch(message, now_ms),
            Err(error) => Err(Violation { code: error.protocol_code(), detail: error.to_string() }),
        };
        if let Err(violation) = outcome {
            self.drop_connection(&violation);
        }
    }

    fn dispatch(&mut self, message: ServerMessage, now_ms: i64) -> Result<(), Violation> {
        let ident = message.session();
        match message {
            ServerMessage::Pong(pong) => self.pong(pong, now_ms),
            ServerMessage::Error(error) if ident == SessionIdent(0) => {
                self.connection_error(error);
                Ok(())
            }
            // A line may come for the connection, or for a session that is gone.
            ServerMessage::Log(log) if !self.sessions.contains_key(&ident) => {
                self.events.push_back(ConnectionEvent::Log(log));
                Ok(())
            }
            message @ (ServerMessage::Ident(_)
            | ServerMessage::Download(_)
            | ServerMessage::Mark(_)
            | ServerMessage::Unbound(_)
            | ServerMessage::Error(_)
            | ServerMessage::QueryError(_)
            | ServerMessage::Log(_)) => {
                let Some(session) = self.sessions.get_mut(&ident) else {
                    let code = ProtocolErrorCode::BadSessionIdent;
                    let detail = format!("{} for session {ident}", message.name());
                    return Err(Violation { code, detail });
                };
                let mut actions = Vec::new();
                let outcome = session.receive(message, now_ms, &mut self.random, &mut actions);
                self.push(ident, actions);
                outcome
            }
        }
    }

    fn pong(&mut self, got: Pong, now_ms: i64) -> Result<(), Violation> {
        if let Link::Up { pong, .. } = &mut self.link
            && let Some(awaited) = pong.take_if(|it| it.timestamp_ms == got.timestamp_ms)
        {
            self.rtt_ms = now_ms.saturating_sub(awaited.timestamp_ms).max(0);
            return Ok(());
        }
        let detail = format!("PONG {} for no PING", got.timestamp_ms);
        Err(Violation { code: ProtocolErrorCode::BadMessageOrder, detail })
    }

    fn connection_error(&mut self, error: ErrorMessage) {
        let is_fatal = !error.try_again;
        self.close = Some((CLOSE_NORMAL, format!("error {} of the server", error.code)));
        if error.known_code() != Some(ProtocolErrorCode::ConnectionClosed) || is_fatal {
            self.events.push_back(ConnectionEvent::Report(Report::from(error)));
        }
        if is_fatal {
            for ident in self.sessions().collect::<Vec<_>>() {
                self.update(ident, ClientSession::stop);
            }
        }
    }

    fn drop_connection(&mut self, violation: &Violation) {
        self.close = Some((CLOSE_PROTOCOL_ERROR, violation.code.text().to_owned()));
        self.events.push_back(ConnectionEvent::Report(Report {
            code: violation.code.number(),
            message: violation.to_string(),
            action: ServerAction::ProtocolViolation,
            try_again: true,
            log_url: String::new(),
        }));
    }

    /// What happens when a deadline has passed: PING, a missing PONG, the end of a suspension.
    pub fn tick(&mut self, now_ms: i64) {
        for session in self.sessions.values_mut() {
            session.tick(now_ms);
        }
        if !self.is_open() {
            return;
        }
        let Link::Up { ping_at_ms, pong } = &mut self.link else { return };
        if pong.is_some_and(|awaited| awaited.until_ms <= now_ms) {
            self.close = Some((CLOSE_NORMAL, "no PONG within 120 s".to_owned()));
        } else if *ping_at_ms <= now_ms {
            if pong.is_none() {
                let until_ms = now_ms.saturating_add(PONG_TIMEOUT_MS);
                let timestamp_ms = now_ms.max(0);
                *pong = Some(AwaitedPong { timestamp_ms, until_ms });
                self.pings.push_back(Ping { timestamp_ms, rtt_ms: self.rtt_ms });
            }
            let early_ms = self.random.up_to(PING_PERIOD_MS / 100 * PING_EARLY_PERCENT);
            *ping_at_ms = now_ms.saturating_add(PING_PERIOD_MS - early_ms);
        }
    }

    /// When `tick` is needed, in ms since 1970.
    pub fn deadline_ms(&self) -> Option<i64> {
        let of_sessions = self.sessions.values().filter_map(ClientSession::deadline_ms).min();
        let of_link = match &self.link {
            Link::Up { ping_at_ms, pong } if self.close.is_none() => {
                Some(pong.map_or(*ping_at_ms, |awaited| awaited.until_ms.min(*ping_at_ms)))
            }
            Link::Up { .. } | Link::Down => None,
        };
        of_sessions.into_iter().chain(of_link).min()
    }

    /// The next message to send, of any session; `None` when there is nothing or no websocket.
    /// Sessions take turns, so that a long upload of one does not hold up the others.
    pub fn next_message(&mut self, now_ms: i64) -> Option<(SessionIdent, Outgoing)> {
        if !self.is_open() {
            return None;
        }
        if let Some(ping) = self.pings.pop_front() {
            return Some((SessionIdent(0), Outgoing::Message(ClientMessage::Ping(ping))));
        }
        let after = (Bound::Excluded(self.turn), Bound::Unbounded);
        let mut next_in = |range: (Bound<SessionIdent>, Bound<SessionIdent>)| {
            let mut sessions = self.sessions.range_mut(range);
            sessions.find_map(|(&ident, session)| Some((ident, session.next_message(now_ms)?)))
        };
        let next =
            next_in(after).or_else(|| next_in((Bound::Unbounded, Bound::Included(self.turn))))?;
        self.turn = next.0;
        Some(next)
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }

    /// Websocket code and reason, once the connection is to be closed.
    pub fn close(&self) -> Option<(u16, &str)> {
        self.close.as_ref().map(|(code, reason)| (*code, reason.as_str()))
    }
}
