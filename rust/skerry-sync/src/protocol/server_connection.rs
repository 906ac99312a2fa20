//! The server's end of one websocket: several sessions, PING, and the connection's own errors.
//!
//! Frames and `now` go in; frames, [`ServerEvent`]s, a deadline and a close code come out. A fault
//! of one session ends that session only; a fault in the order or form of messages ends the
//! connection, with ERROR on session 0 first. After that nothing is read any more.

use std::collections::BTreeMap;

use skerry_model::{FileIdent, Salt, SessionIdent};

use super::codec::{decode_client_message, encode_server_message};
use super::errors::ProtocolErrorCode;
use super::message::{
    ClientMessage, Download, ErrorMessage, LogMessage, Pong, QueryError, ServerMessage,
};
use super::server_session::{ConnectionFault, Outbox, ServerSession, ServerSessionState};
use crate::limits::{IDLE_TIMEOUT_MS, SESSIONS_MAX};

pub use super::server_session::{Delivery, ServerEvent};

/// Websocket code for a connection that ends without anybody's fault.
const CLOSE_NORMAL: u16 = 1000;
/// Websocket code for a peer that broke the protocol.
const CLOSE_PROTOCOL_ERROR: u16 = 1002;
/// Websocket code for a failure of the server.
const CLOSE_INTERNAL_ERROR: u16 = 1011;

/// The sessions of one websocket.
#[derive(Debug)]
pub struct ServerConnection {
    sessions: BTreeMap<SessionIdent, ServerSession>,
    out: Outbox,
    last_heard_ms: i64,
    close: Option<(u16, String)>,
}

impl ServerConnection {
    /// A connection that has just been opened and authenticated.
    pub fn new(now_ms: i64) -> Self {
        Self {
            sessions: BTreeMap::new(),
            out: Outbox::default(),
            last_heard_ms: now_ms,
            close: None,
        }
    }

    /// Takes one binary websocket message. Results come from the `poll_` methods.
    pub fn receive(&mut self, frame: &[u8], now_ms: i64) {
        if self.close.is_some() {
            return;
        }
        self.last_heard_ms = self.last_heard_ms.max(now_ms);
        let outcome = match decode_client_message(frame) {
            Ok(message) => self.dispatch(message),
            Err(error) => {
                Err(ConnectionFault { code: error.protocol_code(), detail: error.to_string() })
            }
        };
        if let Err(fault) = outcome {
            self.fail(fault.code, &fault.detail);
        }
    }

    fn dispatch(&mut self, message: ClientMessage) -> Result<(), ConnectionFault> {
        let ident = message.session();
        if let ClientMessage::Ping(ping) = &message {
            let pong = Pong { timestamp_ms: ping.timestamp_ms };
            self.out.messages.push_back(ServerMessage::Pong(pong));
            return Ok(());
        }
        if let ClientMessage::Ident(client) = &message
            && let Some(other) = self.session_of_file(client.ident)
            && other != ident
        {
            let code = ProtocolErrorCode::BoundInOtherSession;
            let detail = format!("file ident {} is bound in session {other}", client.ident);
            return Err(ConnectionFault { code, detail });
        }
        if let Some(session) = self.sessions.get_mut(&ident) {
            return session.receive(message, &mut self.out);
        }
        let mut session = ServerSession::new(ident);
        // Refused sessions wait for their UNBIND, so they are bounded too.
        if self.sessions.len() >= 2 * SESSIONS_MAX {
            let code = ProtocolErrorCode::LimitsExceeded;
            let detail = format!("more than {SESSIONS_MAX} sessions");
            return Err(ConnectionFault { code, detail });
        }
        let is_crowded = self.live_sessions() >= SESSIONS_MAX;
        session.receive(message, &mut self.out)?;
        if is_crowded && session.state() != ServerSessionState::Failed {
            self.out.events.retain(|event| *event != ServerEvent::AllocateIdent { session: ident });
            session.refuse(ProtocolErrorCode::TooManySessions, &mut self.out);
        }
        self.sessions.insert(ident, session);
        Ok(())
    }

    fn session_of_file(&self, file: FileIdent) -> Option<SessionIdent> {
        self.sessions
            .iter()
            .find(|(_, session)| {
                session.file() == Some(file) && session.state() == ServerSessionState::Active
            })
            .map(|(&ident, _)| ident)
    }

    fn live_sessions(&self) -> usize {
        let is_live = |session: &&ServerSession| session.state() != ServerSessionState::Failed;
        self.sessions.values().filter(is_live).count()
    }

    /// The next message to send, encoded.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.out.messages.pop_front().map(|message| encode_server_message(&message))
    }

    /// The next thing that the engine has to do.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.out.events.pop_front()
    }

    /// Websocket code and reason, once the connection is to be closed after its last frame.
    pub fn close(&self) -> Option<(u16, &str)> {
        self.close.as_ref().map(|(code, reason)| (*code, reason.as_str()))
    }

    /// When [`Self::tick`] has to be called, in ms since 1970.
    pub fn deadline_ms(&self) -> Option<i64> {
        match self.close {
            None => Some(self.last_heard_ms.saturating_add(IDLE_TIMEOUT_MS)),
            Some(_) => None,
        }
    }

    /// Ends the connection when the client has been silent for too long.
    pub fn tick(&mut self, now_ms: i64) {
        if self.deadline_ms().is_some_and(|deadline| deadline <= now_ms) {
            self.fail(ProtocolErrorCode::ConnectionClosed, "no message for 10 minutes");
        }
    }

    /// Ends the whole connection with an ERROR on session 0.
    pub fn fail(&mut self, code: ProtocolErrorCode, detail: &str) {
        if self.close.is_some() {
            return;
        }
        let text = format!("{}: {detail}", code.text());
        let error = ErrorMessage::new(SessionIdent(0), code, text.clone());
        self.out.messages.push_back(ServerMessage::Error(error));
        let close_code = if code == ProtocolErrorCode::ConnectionClosed {
            CLOSE_NORMAL
        } else if code == ProtocolErrorCode::OtherError {
            CLOSE_INTERNAL_ERROR
        } else {
            CLOSE_PROTOCOL_ERROR
        };
        self.close = Some((close_code, code.text().to_owned()));
    }

    /// Where the session stands.
    pub fn session_state(&self, session: SessionIdent) -> ServerSessionState {
        self.sessions.get(&session).map_or(ServerSessionState::Unbound, ServerSession::state)
    }

    /// Answers [`ServerEvent::AllocateIdent`].
    ///
    /// # Panics
    /// When the session did not ask.
    pub fn ident_allocated(
        &mut self,
        session: SessionIdent,
        ident: FileIdent,
        salt: Salt,
    ) -> Delivery {
        self.with(session, |session, out| session.ident_allocated(ident, salt, out))
    }

    /// Sends a DOWNLOAD; its `session` field is set here.
    ///
    /// # Panics
    /// When its `dl_server_version` is below what was sent before, or above its latest version.
    pub fn send_download(&mut self, session: SessionIdent, download: Download) -> Delivery {
        self.with(session, |session, out| session.send_download(download, out))
    }

    /// Answers [`ServerEvent::Mark`].
    pub fn send_mark(&mut self, session: SessionIdent, request: i64) -> Delivery {
        self.with(session, |session, out| session.send_mark(request, out))
    }

    /// Sends an ERROR for a session, which ends unless the action is Warning.
    pub fn send_error(&mut self, session: SessionIdent, error: ErrorMessage) -> Delivery {
        self.with(session, |session, out| session.send_error(error, out))
    }

    /// Refuses a subscription set; the session goes on.
    pub fn send_query_error(&mut self, session: SessionIdent, error: QueryError) -> Delivery {
        self.with(session, |session, out| session.send_query_error(error, out))
    }

    /// Sends a line for the client's log, about a session or (0) the connection.
    pub fn send_log_message(&mut self, message: LogMessage) {
        if self.close.is_none() {
            self.out.messages.push_back(ServerMessage::Log(message));
        }
    }

    /// Answers [`ServerEvent::Unbind`], when nothing of the session is left in the engine.
    pub fn finish_unbind(&mut self, session: SessionIdent) -> Delivery {
        if self.session_state(session) != ServerSessionState::Unbinding {
            return Delivery::Dropped;
        }
        self.sessions.remove(&session);
        self.out.messages.push_back(ServerMessage::Unbound(session));
        Delivery::Sent
    }

    fn with(
        &mut self,
        session: SessionIdent,
        send: impl FnOnce(&mut ServerSession, &mut Outbox) -> Delivery,
    ) -> Delivery {
        match self.sessions.get_mut(&session) {
            Some(found) if self.close.is_none() => send(found, &mut self.out),
            _ => Delivery::Dropped,
        }
    }
}
