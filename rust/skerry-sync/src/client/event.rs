//! What the agent tells the layer above.

use skerry_model::{ClientVersion, QueryVersion, SessionIdent};
use skerry_store::realm::SubscriptionState;

use super::session::Report;
use crate::protocol::{ErrorMessage, LogMessage};

/// Something that happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncEvent {
    /// The session; 0 = all of the connection.
    pub session: SessionIdent,
    /// What happened.
    pub kind: SyncEventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncEventKind {
    /// Changes of the server are in the file: observers are to be told.
    Integrated {
        /// The commit.
        version: ClientVersion,
    },
    /// A subscription set has changed its state.
    Subscription {
        /// Its version.
        version: QueryVersion,
        /// Its state; `None` = superseded.
        state: Option<SubscriptionState>,
        /// What the server said, in state Error.
        message: Option<String>,
    },
    /// The wait for downloads with this number is over.
    DownloadComplete {
        /// Its number.
        request: u64,
    },
    /// The wait for uploads with this number is over.
    UploadComplete {
        /// Its number.
        request: u64,
    },
    /// How far a transfer is.
    Progress {
        /// Which way.
        direction: Direction,
        /// 0.0 to 1.0.
        estimate: f64,
    },
    /// For the error handler.
    Error(Report),
    /// Writes that the server undid, and which are undone in the file (error 231).
    CompensatingWrite(ErrorMessage),
    /// The session has changed its state.
    Session(SessionState),
    /// The token must be refreshed before reconnecting.
    RefreshUser,
    /// The location must be asked for before reconnecting.
    RefreshLocation,
    /// The user is logged out.
    LogOut,
    /// A line of the server for the log.
    Log(LogMessage),
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Direction {
    Download,
    Upload,
}

/// State of a session for the application (client-api 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It synchronises, or tries to.
    Active,
    /// A fatal error has stopped it; it can be resumed.
    Inactive,
    /// It needs a new access token.
    Waiting,
}

impl SyncEventKind {
    /// Its name, as the layer above knows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Integrated { .. } => "integrated",
            Self::Subscription { .. } => "subscription",
            Self::DownloadComplete { .. } => "download_complete",
            Self::UploadComplete { .. } => "upload_complete",
            Self::Progress { .. } => "progress",
            Self::Error(_) => "error",
            Self::CompensatingWrite(_) => "compensating_write",
            Self::Session(_) => "session",
            Self::RefreshUser => "refresh_user",
            Self::RefreshLocation => "refresh_location",
            Self::LogOut => "log_out",
            Self::Log(_) => "log",
        }
    }
}

impl Direction {
    /// Its name, as the layer above knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

impl SessionState {
    /// Its name, as the layer above knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Waiting => "waiting",
        }
    }
}
