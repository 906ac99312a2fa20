//! What the machines need to know of a realm file.

use skerry_model::{ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion};

use crate::protocol::QueryMap;

/// State of a stored subscription set (sync-engine 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of sync-engine 5.1")]
pub enum SetState {
    Pending,
    Bootstrapping,
    AwaitingMark,
    Complete,
    Error,
}

/// A stored subscription set, as far as the protocol needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFacts {
    /// Its version.
    pub version: QueryVersion,
    /// Its state.
    pub state: SetState,
    /// The commit that made it: local writes up to there go before its QUERY.
    pub snapshot: ClientVersion,
    /// Its query.
    pub query: QueryMap,
}

/// The cursors (sync-engine 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Download cursor: server version.
    pub dl_server: ServerVersion,
    /// Download cursor: own version that the server had integrated.
    pub dl_client: ClientVersion,
    /// Upload cursor: own version accepted.
    pub ul_client: ClientVersion,
    /// Upload cursor: its base.
    pub ul_server: ServerVersion,
    /// Head of the server's history as last told.
    pub latest_server: ServerVersion,
    /// Its salt.
    pub latest_salt: Salt,
}

/// What the realm file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalFacts {
    /// Ident and salt, once allocated.
    pub ident: Option<(FileIdent, Salt)>,
    /// The cursors.
    pub progress: Progress,
    /// The newest commit.
    pub last_version: ClientVersion,
    /// The stored sets, by ascending version; the first is the one of a new file or the active.
    pub sets: Vec<SetFacts>,
}

impl LocalFacts {
    /// The active set: the highest that is complete or awaits its mark, else version 0.
    pub fn active(&self) -> Option<&SetFacts> {
        let is_active = |set: &&SetFacts| match set.state {
            SetState::Complete | SetState::AwaitingMark => true,
            SetState::Pending | SetState::Bootstrapping | SetState::Error => false,
        };
        self.sets.iter().rev().find(is_active)
    }

    /// The set of that version.
    pub fn set(&self, version: QueryVersion) -> Option<&SetFacts> {
        self.sets.iter().find(|set| set.version == version)
    }

    /// The lowest set above `version` that waits for the server.
    pub fn pending_after(&self, version: QueryVersion) -> Option<&SetFacts> {
        self.sets.iter().find(|set| {
            set.version > version
                && matches!(set.state, SetState::Pending | SetState::Bootstrapping)
        })
    }
}
