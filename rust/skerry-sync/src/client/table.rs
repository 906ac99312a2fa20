//! The table of docs/protocol.md 4.2: what a client does with each message in each phase.

use crate::protocol::{ProtocolErrorCode, ServerMessage};

/// Where a session of the client stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not bound.
    Unbound,
    /// BIND sent; the server makes an ident.
    AwaitingIdent,
    /// Bound, and IDENT is the next to be sent.
    ReadyToIdentify,
    /// IDENT sent: everything flows.
    Active,
    /// UNBIND sent; everything up to UNBOUND is ignored.
    Unbinding,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unbound, Self::AwaitingIdent, Self::ReadyToIdentify, Self::Active, Self::Unbinding];
}

/// The messages of a server that concern one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the messages")]
pub enum SessionMessageKind {
    Ident,
    Download,
    Mark,
    Unbound,
    Error,
    QueryError,
    Log,
}

impl SessionMessageKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ident,
        Self::Download,
        Self::Mark,
        Self::Unbound,
        Self::Error,
        Self::QueryError,
        Self::Log,
    ];

    /// The kind of a message; `None` for PONG, which concerns no session.
    pub fn of(message: &ServerMessage) -> Option<Self> {
        match message {
            ServerMessage::Ident(_) => Some(Self::Ident),
            ServerMessage::Download(_) => Some(Self::Download),
            ServerMessage::Mark(_) => Some(Self::Mark),
            ServerMessage::Unbound(_) => Some(Self::Unbound),
            ServerMessage::Error(_) => Some(Self::Error),
            ServerMessage::QueryError(_) => Some(Self::QueryError),
            ServerMessage::Log(_) => Some(Self::Log),
            ServerMessage::Pong(_) => None,
        }
    }
}

/// What is to be done with a message in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may come now.
    Proceed,
    /// The server sent it before it saw our UNBIND.
    Ignore,
    /// The server broke the order: the connection is dropped.
    Violation(ProtocolErrorCode),
}

/// The table of docs/protocol.md 4.2.
#[allow(clippy::match_same_arms, reason = "one row of the table is one group of arms")]
pub fn verdict(phase: Phase, kind: SessionMessageKind) -> Verdict {
    use Phase as P;
    use SessionMessageKind as M;
    use Verdict::{Ignore, Proceed, Violation};
    const UNKNOWN: Verdict = Violation(ProtocolErrorCode::BadSessionIdent);
    const ORDER: Verdict = Violation(ProtocolErrorCode::BadMessageOrder);
    match (phase, kind) {
        (_, M::Log) => Proceed,

        (P::Unbound, M::Ident | M::Download | M::Mark | M::Unbound | M::Error | M::QueryError) => {
            UNKNOWN
        }

        (P::AwaitingIdent, M::Ident | M::Error) => Proceed,
        (P::AwaitingIdent, M::Download | M::Mark | M::Unbound | M::QueryError) => ORDER,

        (P::ReadyToIdentify, M::Error) => Proceed,
        (P::ReadyToIdentify, M::Ident | M::Download | M::Mark | M::Unbound | M::QueryError) => {
            ORDER
        }

        (P::Active, M::Download | M::Mark | M::Error | M::QueryError) => Proceed,
        (P::Active, M::Ident | M::Unbound) => ORDER,

        (P::Unbinding, M::Ident | M::Download | M::Mark | M::Error | M::QueryError) => Ignore,
        (P::Unbinding, M::Unbound) => Proceed,
    }
}
