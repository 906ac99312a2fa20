//! What the machines need to know of a realm file.

use std::collections::BTreeMap;

use skerry_model::{ClientVersion, FileIdent, Name, QueryVersion, Salt};
use skerry_store::StoreError;
use skerry_store::realm::{Realm, SubscriptionSet, SubscriptionState, SyncProgress};

use crate::limits::{QUERY_CLASSES_MAX, QUERY_TEXT_MAX_BYTES, QUERY_TEXTS_MAX_BYTES};
use crate::protocol::QueryMap;

/// A stored subscription set, as far as the protocol needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFacts {
    /// Its version.
    pub version: QueryVersion,
    /// Its state.
    pub state: SubscriptionState,
    /// The commit that made it: local writes up to there go before its QUERY.
    pub snapshot: ClientVersion,
    /// Its query.
    pub query: QueryMap,
}

/// What the realm file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalFacts {
    /// Ident and salt, once allocated.
    pub ident: Option<(FileIdent, Salt)>,
    /// The cursors.
    pub progress: SyncProgress,
    /// The newest commit.
    pub last_version: ClientVersion,
    /// The stored sets, by ascending version; the first is the one of a new file or the active.
    pub sets: Vec<SetFacts>,
}

impl LocalFacts {
    /// Reads one version of the file.
    pub fn load(realm: &Realm) -> Result<Self, StoreError> {
        let snapshot = realm.snapshot()?;
        let progress = snapshot.progress()?;
        let active = snapshot.active_subscriptions()?.version;
        let latest = snapshot.subscriptions()?.version;
        let mut sets = Vec::new();
        for version in active.0..=latest.0 {
            sets.extend(snapshot.subscription_set(QueryVersion(version))?.map(SetFacts::from));
        }
        let is_known = progress.file_ident >= FileIdent::FIRST_CLIENT;
        Ok(Self {
            ident: is_known.then_some((progress.file_ident, progress.file_salt)),
            progress: progress.sync,
            last_version: progress.version,
            sets,
        })
    }

    /// The active set: the highest that is complete or awaits its mark, else version 0.
    pub fn active(&self) -> Option<&SetFacts> {
        let is_active = |set: &&SetFacts| match set.state {
            SubscriptionState::Complete | SubscriptionState::AwaitingMark => true,
            SubscriptionState::Pending
            | SubscriptionState::Bootstrapping
            | SubscriptionState::Error => false,
        };
        self.sets.iter().rev().find(is_active)
    }

    /// The set of that version.
    pub fn set(&self, version: QueryVersion) -> Option<&SetFacts> {
        self.sets.iter().find(|set| set.version == version)
    }

    /// A waiting set whose query is larger than a message may have it.
    pub(super) fn too_large(&self) -> Option<&SetFacts> {
        self.sets.iter().find(|set| {
            let is_large = set.query.len() > QUERY_CLASSES_MAX
                || set.query.values().any(|rql| rql.len() > QUERY_TEXT_MAX_BYTES)
                || set.query.values().map(String::len).sum::<usize>() > QUERY_TEXTS_MAX_BYTES;
            is_large && set.state == SubscriptionState::Pending
        })
    }

    /// The lowest set above `version` that waits for the server.
    pub fn pending_after(&self, version: QueryVersion) -> Option<&SetFacts> {
        self.sets.iter().find(|set| {
            set.version > version
                && matches!(
                    set.state,
                    SubscriptionState::Pending | SubscriptionState::Bootstrapping
                )
        })
    }
}

impl From<SubscriptionSet> for SetFacts {
    fn from(set: SubscriptionSet) -> Self {
        let query = query_of(&set);
        Self { version: set.version, state: set.state, snapshot: set.snapshot_version, query }
    }
}

/// The body of IDENT and QUERY (sync-engine 4.3).
fn query_of(set: &SubscriptionSet) -> QueryMap {
    let mut queries: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for item in &set.items {
        queries.entry(item.class.clone()).or_default().push(item.query.clone());
    }
    let joined = skerry_query::combine(queries).into_iter();
    joined.map(|(class, text)| (class.as_str().to_owned(), text)).collect()
}
