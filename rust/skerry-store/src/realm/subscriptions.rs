//! Subscription sets and their states (sync-engine 5.1, client-api 1.9).
//!
//! Invariant: a stored set is in one of the five stored states, and moves between them only as
//! [`next_state`] says. A set that is not stored any more was superseded by a later one; a version
//! above the latest does not exist yet.

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashSet;
use skerry_model::{ClientVersion, Name, ObjectId, QueryVersion};

use super::transaction::Transaction;
use super::{Integration, Realm, Snapshot};
use crate::connection::BUSY_TIMEOUT;
use crate::error::{Result, StoreError};

/// State of a stored subscription set, with its stored code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionState {
    /// Committed, not answered by the server (code 1).
    Pending,
    /// The server is sending its objects (code 2).
    Bootstrapping,
    /// In force (code 3).
    Complete,
    /// Refused by the server (code 4).
    Error,
    /// All objects are in; the reply to MARK is missing (code 6).
    AwaitingMark,
}

/// What can happen to a subscription set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionEvent {
    /// The first message of a bootstrap for its version has come.
    BootstrapBegun,
    /// The last batch of the bootstrap is integrated.
    BootstrapIntegrated,
    /// The staged part of a bootstrap was dropped, because its rest will never come.
    BootstrapDropped,
    /// The reply to MARK has come.
    Marked,
    /// The server has refused a query of it.
    QueryError,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Identity, kept when the query is changed.
    pub id: ObjectId,
    /// Name, unique in its set; unnamed ones are unique by class and query.
    pub name: Option<String>,
    /// The class.
    pub class: Name,
    /// The canonical text of the query.
    pub query: String,
    /// When it was made, Unix time in ms.
    pub created_ms: i64,
    /// When its query was last changed, Unix time in ms.
    pub updated_ms: i64,
}

/// A stored subscription set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSet {
    /// Its version; 0 is the empty set of a new file.
    pub version: QueryVersion,
    /// Its state.
    pub state: SubscriptionState,
    /// The commit that made it. Own changes up to there are uploaded before the server learns of it.
    pub snapshot_version: ClientVersion,
    /// What the server said, in state [`SubscriptionState::Error`].
    pub error_message: Option<String>,
    /// The subscriptions, in order.
    pub items: Vec<Subscription>,
}

impl SubscriptionState {
    /// The name, as the specs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Bootstrapping => "bootstrapping",
            Self::Complete => "complete",
            Self::Error => "error",
            Self::AwaitingMark => "awaiting_mark",
        }
    }

    fn code(self) -> i64 {
        match self {
            Self::Pending => 1,
            Self::Bootstrapping => 2,
            Self::Complete => 3,
            Self::Error => 4,
            Self::AwaitingMark => 6,
        }
    }

    fn of_code(code: i64) -> Option<Self> {
        [Self::Pending, Self::Bootstrapping, Self::Complete, Self::Error, Self::AwaitingMark]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

impl SubscriptionEvent {
    fn name(self) -> &'static str {
        match self {
            Self::BootstrapBegun => "beginning a bootstrap",
            Self::BootstrapIntegrated => "ending a bootstrap",
            Self::BootstrapDropped => "dropping a bootstrap",
            Self::Marked => "a reply to MARK",
            Self::QueryError => "a query error",
        }
    }
}

/// The table of sync-engine 5.1: the state after an event, `None` where the event is an error.
pub fn next_state(state: SubscriptionState, event: SubscriptionEvent) -> Option<SubscriptionState> {
    use SubscriptionEvent as E;
    use SubscriptionState as S;
    match (state, event) {
        (S::Pending, E::BootstrapBegun) => Some(S::Bootstrapping),
        (S::Bootstrapping, E::BootstrapIntegrated) => Some(S::AwaitingMark),
        (S::AwaitingMark | S::Complete, E::Marked) => Some(S::Complete),
        (S::Bootstrapping | S::Pending, E::BootstrapDropped) => Some(S::Pending),
        (S::Pending | S::Bootstrapping | S::AwaitingMark | S::Error, E::QueryError) => {
            Some(S::Error)
        }
        // The server may bootstrap a set again when permissions changed; nobody waits for that.
        (
            S::Complete | S::AwaitingMark,
            E::BootstrapBegun | E::BootstrapIntegrated | E::BootstrapDropped,
        ) => Some(state),
        (S::Error, E::BootstrapDropped) => Some(S::Error),
        (S::Complete, E::QueryError)
        | (S::Pending, E::BootstrapIntegrated | E::Marked)
        | (S::Bootstrapping, E::BootstrapBegun | E::Marked)
        | (S::Error, E::BootstrapBegun | E::BootstrapIntegrated | E::Marked) => None,
    }
}

const COLUMNS: &str =
    "SELECT version, state, snapshot_version, error_message FROM subscription_set";

fn load_one(
    connection: &Connection,
    condition: &str,
    parameter: i64,
) -> Result<Option<SubscriptionSet>> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} {condition}"))?;
    let head = statement
        .query_row([parameter], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((version, code, snapshot_version, error_message)) = head else { return Ok(None) };
    let Some(state) = SubscriptionState::of_code(code) else {
        return Err(StoreError::corrupted(format!("subscription set in state {code}")));
    };
    Ok(Some(SubscriptionSet {
        version: QueryVersion(version),
        state,
        snapshot_version: ClientVersion(snapshot_version),
        error_message,
        items: load_items(connection, version)?,
    }))
}

fn load_items(connection: &Connection, set_version: i64) -> Result<Vec<Subscription>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, class, query, created_ms, updated_ms FROM subscription
         WHERE set_version = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([set_version])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(Subscription {
            id: ObjectId(row.get(0)?),
            name: row.get(1)?,
            class: row.get::<_, String>(2)?.into(),
            query: row.get(3)?,
            created_ms: row.get(4)?,
            updated_ms: row.get(5)?,
        });
    }
    Ok(items)
}

fn latest(connection: &Connection) -> Result<SubscriptionSet> {
    let found = load_one(connection, "WHERE version >= ?1 ORDER BY version DESC LIMIT 1", 0)?;
    found.ok_or_else(|| StoreError::corrupted("no subscription set"))
}

/// Classes with a subscription in the latest set.
pub(super) fn subscribed_classes(connection: &Connection) -> Result<FxHashSet<Name>> {
    Ok(latest(connection)?.items.into_iter().map(|item| item.class).collect())
}

/// Moves a set to its next state; the set as it is then.
pub(super) fn transition(
    connection: &Connection,
    version: QueryVersion,
    event: SubscriptionEvent,
    message: Option<&str>,
) -> Result<SubscriptionState> {
    let bad = |state| StoreError::BadSubscriptionTransition { version, state, event: event.name() };
    let Some(set) = load_one(connection, "WHERE version = ?1", version.0)? else {
        return Err(bad("unknown"));
    };
    let next = next_state(set.state, event).ok_or_else(|| bad(set.state.name()))?;
    if next == set.state && message.is_none() {
        return Ok(next);
    }
    connection
        .prepare_cached(
            "UPDATE subscription_set SET state = ?1, error_message = ?2 WHERE version = ?3",
        )?
        .execute(params![next.code(), message, version.0])?;
    if next == SubscriptionState::AwaitingMark {
        // From here on it is the active one, and its predecessors are superseded.
        connection
            .prepare_cached("DELETE FROM subscription WHERE set_version < ?1")?
            .execute([version.0])?;
        connection
            .prepare_cached("DELETE FROM subscription_set WHERE version < ?1")?
            .execute([version.0])?;
    }
    Ok(next)
}

/// The stored sets, the newest first, at most `limit`.
pub(crate) fn newest_sets(connection: &Connection, limit: usize) -> Result<Vec<SubscriptionSet>> {
    let mut sets = Vec::new();
    let mut below = i64::MAX;
    while sets.len() < limit {
        let next = "WHERE version < ?1 ORDER BY version DESC LIMIT 1";
        let Some(set) = load_one(connection, next, below)? else { break };
        below = set.version.0;
        sets.push(set);
    }
    Ok(sets)
}

fn check_unique(items: &[Subscription]) -> Result<()> {
    for (i, item) in items.iter().enumerate() {
        let is_twin = |other: &Subscription| match (&item.name, &other.name) {
            (Some(name), Some(other)) => name == other,
            (None, None) => item.class == other.class && item.query == other.query,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if items[..i].iter().any(is_twin) {
            return Err(StoreError::DuplicateSubscription {
                name: item.name.clone(),
                class: item.class.clone(),
                query: item.query.clone(),
            });
        }
    }
    Ok(())
}

fn store_set(transaction: &Transaction, items: Vec<Subscription>) -> Result<SubscriptionSet> {
    let connection = transaction.connection();
    let set = SubscriptionSet {
        version: QueryVersion(latest(connection)?.version.0 + 1),
        state: SubscriptionState::Pending,
        snapshot_version: transaction.next_version(),
        error_message: None,
        items,
    };
    connection
        .prepare_cached("INSERT INTO subscription_set VALUES (?1, ?2, ?3, NULL)")?
        .execute([set.version.0, set.state.code(), set.snapshot_version.0])?;
    let mut insert = connection
        .prepare_cached("INSERT INTO subscription VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for (position, item) in (0_i64..).zip(&set.items) {
        insert.execute(params![
            set.version.0,
            position,
            item.id.0,
            item.name,
            &*item.class,
            item.query,
            item.created_ms,
            item.updated_ms,
        ])?;
    }
    Ok(set)
}

impl Snapshot {
    /// The latest subscription set.
    pub fn subscriptions(&self) -> Result<SubscriptionSet> {
        self.read(latest)
    }

    /// The set of that version; `None` when it was superseded or never existed.
    pub fn subscription_set(&self, version: QueryVersion) -> Result<Option<SubscriptionSet>> {
        self.read(|connection| load_one(connection, "WHERE version = ?1", version.0))
    }

    /// The set that the server has in force as far as this file knows: the highest in state
    /// complete or awaiting mark, else the empty set 0.
    pub fn active_subscriptions(&self) -> Result<SubscriptionSet> {
        let active = self.read(|connection| {
            load_one(
                connection,
                "WHERE state IN (3, 6) AND version >= ?1 ORDER BY version DESC LIMIT 1",
                0,
            )
        })?;
        Ok(active.unwrap_or(SubscriptionSet {
            version: QueryVersion(0),
            state: SubscriptionState::Pending,
            snapshot_version: ClientVersion(1),
            error_message: None,
            items: Vec::new(),
        }))
    }

    /// The next set after `after` of which the server has to be told.
    pub fn next_pending_subscriptions(
        &self,
        after: QueryVersion,
    ) -> Result<Option<SubscriptionSet>> {
        self.read(|connection| {
            load_one(
                connection,
                "WHERE state IN (1, 2) AND version > ?1 ORDER BY version LIMIT 1",
                after.0,
            )
        })
    }
}

impl Realm {
    /// Commits a new set in state pending. `expected` is the version that the caller derived it
    /// from; when somebody was faster, [`StoreError::StaleSubscriptionSet`] tells it to read again,
    /// so that no update is lost.
    pub fn commit_subscriptions(
        &self,
        items: Vec<Subscription>,
        expected: QueryVersion,
    ) -> Result<SubscriptionSet> {
        self.must_be_synced()?;
        check_unique(&items)?;
        let transaction = Transaction::begin(&self.inner, BUSY_TIMEOUT)?;
        let latest = latest(transaction.connection())?.version;
        if latest != expected {
            return Err(StoreError::StaleSubscriptionSet { expected, latest });
        }
        let set = store_set(&transaction, items);
        let set = set.map_err(|error| error.in_file(self.path()))?;
        transaction.commit()?;
        Ok(set)
    }

    /// Moves a set to its next state in a commit of its own.
    pub fn subscription_event(
        &self,
        version: QueryVersion,
        event: SubscriptionEvent,
    ) -> Result<SubscriptionState> {
        let mut state = SubscriptionState::Pending;
        self.bookkeeping(|transaction| {
            state = transition(transaction.writable()?, version, event, None)?;
            Ok(())
        })?;
        Ok(state)
    }

    /// The server has refused a query of the set.
    pub fn subscription_failed(&self, version: QueryVersion, message: &str) -> Result<()> {
        self.bookkeeping(|transaction| {
            let event = SubscriptionEvent::QueryError;
            transition(transaction.writable()?, version, event, Some(message)).map(|_error| ())
        })?;
        Ok(())
    }
}

impl Integration {
    /// Moves a set to its next state as part of the integration.
    pub fn subscription_event(
        &mut self,
        version: QueryVersion,
        event: SubscriptionEvent,
    ) -> Result<SubscriptionState> {
        self.named(transition(self.transaction.writable()?, version, event, None))
    }
}
