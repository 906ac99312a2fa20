//! The engine: connections in, batches of frames through one transaction, frames out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value as Json;
use skerry_model::{SessionIdent, Stamp};
use skerry_store::StoreError;
use skerry_store::server::Store;

use super::bootstrap::Bootstrap;
use super::config::{ConfigError, EngineConfig};
use super::events::{Barrier, Events};
use super::fanout::FanOut;
use super::pump::Pump;
use super::session::Session;
use super::shared::SharedBatches;
use super::view::ViewCache;
use crate::protocol::{ServerConnection, ServerEvent};

/// Number of a connection, made by the engine and never used again.
pub type ConnectionId = u64;

/// Why the engine cannot be opened or go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store failed. What was not committed is not acknowledged either.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The description of a user is not what it should be.
    #[error("user description: {0}")]
    BadUser(String),
}

/// What is to be done after a batch.
#[derive(Debug, Default)]
pub struct Output {
    /// Frames to send, by connection, in order.
    pub frames: Vec<(ConnectionId, Vec<Vec<u8>>)>,
    /// Connections to close after their frames, with websocket code and reason.
    pub closes: Vec<(ConnectionId, u16, String)>,
    /// Connections that have more to send once they are writable again.
    pub more: Vec<ConnectionId>,
    /// Entries for the server's log, as JSON.
    pub log: Vec<String>,
    /// When to call again at the latest, in ms since 1970.
    pub deadline_ms: Option<i64>,
}

/// One websocket.
pub(super) struct Connection {
    pub(super) machine: ServerConnection,
    /// What rules see as `%%user`.
    pub(super) user: Json,
    pub(super) user_id: String,
    pub(super) sessions: BTreeMap<SessionIdent, Session>,
}

/// The sync engine of one application.
pub struct Engine {
    store: Box<dyn Store>,
    config: EngineConfig,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: ConnectionId,
    views: ViewCache,
    fan_out: FanOut,
    entropy: Box<dyn FnMut() -> u64 + Send>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the engine on a store. `config` is the JSON made by the loader; `entropy` gives unpredictable
    /// numbers, for salts.
    pub fn open(
        mut store: Box<dyn Store>,
        config: &str,
        entropy: Box<dyn FnMut() -> u64 + Send>,
    ) -> Result<Self, EngineError> {
        let config = EngineConfig::parse(config)?;
        let mut txn = store.begin()?;
        let instructions = config.schema.instructions();
        let mut new = Vec::new();
        for instruction in instructions {
            if txn.apply_schema(std::slice::from_ref(&instruction))? {
                new.push(instruction);
            }
        }
        if !new.is_empty() {
            txn.append(skerry_store::server::HistoryRecord {
                origin: skerry_model::FileIdent::SERVER,
                client_version: skerry_model::ClientVersion(0),
                stamp: Stamp(0),
                only_for: None,
                schema: new,
                touches: Vec::new(),
                rejected: Vec::new(),
            })?;
        }
        txn.commit()?;
        Ok(Self {
            store,
            config,
            connections: BTreeMap::new(),
            next_connection: 1,
            views: ViewCache::default(),
            fan_out: FanOut::default(),
            entropy,
        })
    }

    /// Takes a new, authenticated connection. `user` is JSON: id, type, data, `custom_data`, identities.
    pub fn connect(&mut self, user: &str, now_ms: i64) -> Result<ConnectionId, EngineError> {
        let user: Json =
            serde_json::from_str(user).map_err(|error| EngineError::BadUser(error.to_string()))?;
        let Some(user_id) = user["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
        else {
            return Err(EngineError::BadUser("it has no id".to_owned()));
        };
        let id = self.next_connection;
        self.next_connection += 1;
        let machine = ServerConnection::new(now_ms);
        self.connections
            .insert(id, Connection { machine, user, user_id, sessions: BTreeMap::new() });
        Ok(id)
    }

    /// Forgets a connection. What it uploaded stays; what it was owed is sent when the client comes back.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    /// Processes a batch: frames of any connections in order of arrival, then sends what is owed to the
    /// connections in `writable`, and to those that the frames came from.
    ///
    /// # Errors
    /// When the store fails. Then nothing of the batch was integrated that is not durable, nothing was
    /// acknowledged, and the connections of the batch have been dropped and are to be closed by the caller.
    pub fn process(
        &mut self,
        frames: &[(ConnectionId, &[u8])],
        writable: &[ConnectionId],
        now_ms: i64,
    ) -> Result<Output, EngineError> {
        let mut output = Output::default();
        let mut involved: BTreeSet<ConnectionId> = writable.iter().copied().collect();
        involved.extend(frames.iter().map(|(connection, _)| *connection));
        match self.process_batch(frames, &involved, now_ms, &mut output) {
            Ok(()) => Ok(output),
            Err(error) => {
                for connection in involved {
                    self.connections.remove(&connection);
                }
                Err(error.into())
            }
        }
    }

    fn process_batch(
        &mut self,
        frames: &[(ConnectionId, &[u8])],
        involved: &BTreeSet<ConnectionId>,
        now_ms: i64,
        output: &mut Output,
    ) -> Result<(), StoreError> {
        let mut events: VecDeque<(ConnectionId, ServerEvent)> = VecDeque::new();
        for &(id, frame) in frames {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.machine.receive(frame, now_ms);
                while let Some(event) = connection.machine.poll_event() {
                    events.push_back((id, event));
                }
            }
        }
        for connection in self.connections.values_mut() {
            connection.machine.tick(now_ms);
        }
        self.integrate(events, now_ms, output)?;
        self.send(involved, output)?;
        self.collect(output);
        Ok(())
    }

    /// Runs the events in one transaction, or in several when a bootstrap needs a snapshot in between.
    fn integrate(
        &mut self,
        mut events: VecDeque<(ConnectionId, ServerEvent)>,
        now_ms: i64,
        output: &mut Output,
    ) -> Result<(), StoreError> {
        while !events.is_empty() {
            let mut txn = self.store.begin()?;
            self.views.set_schema(&txn.schema()?);
            let mut run = Events {
                txn: &mut *txn,
                config: &self.config,
                connections: &mut self.connections,
                views: &mut self.views,
                entropy: &mut *self.entropy,
                now: Stamp::from_unix_ms(now_ms),
                log: &mut output.log,
            };
            let mut barrier = None;
            while barrier.is_none() {
                let Some((id, event)) = events.pop_front() else { break };
                barrier = run.handle(id, event)?;
            }
            txn.commit()?;
            if let Some(barrier) = barrier {
                self.begin_bootstrap(&barrier)?;
            }
        }
        Ok(())
    }

    fn begin_bootstrap(&mut self, barrier: &Barrier) -> Result<(), StoreError> {
        let snapshot = self.store.snapshot()?;
        let connection = self.connections.get_mut(&barrier.connection);
        let session = connection.and_then(|found| found.sessions.get_mut(&barrier.session));
        if let Some(session) = session {
            // A set that is superseded before its bootstrap has begun gets none: the newer one covers the stream
            // since then. So no client makes the server hold more than two snapshots per session.
            let superseded =
                session.bootstraps.pop_back_if(|waiting| !waiting.has_begun()).is_some();
            session.bootstraps.push_back(Bootstrap::new(
                barrier.version,
                barrier.query_version,
                snapshot,
                barrier.flush_first && !superseded,
            ));
        }
        Ok(())
    }

    fn send(
        &mut self,
        involved: &BTreeSet<ConnectionId>,
        output: &mut Output,
    ) -> Result<(), StoreError> {
        let read = self.store.snapshot()?;
        let head = read.head()?;
        let sessions = self.connections.values_mut().flat_map(|found| found.sessions.values_mut());
        self.fan_out.pass_over(&*read, head, sessions, self.config.tuning)?;
        let mut shared = SharedBatches::new(self.fan_out.recent());
        for (&id, connection) in &mut self.connections {
            let Connection { machine, sessions, .. } = connection;
            let mut more = false;
            for (&number, session) in
                sessions.iter_mut().filter(|(_, session)| session.has_work(head))
            {
                if involved.contains(&id) {
                    let pump = Pump::new(machine, &self.config, number, &*read, &mut shared)?;
                    more |= pump.run(session)?;
                } else {
                    more = true;
                }
            }
            if more {
                output.more.push(id);
            }
        }
        Ok(())
    }

    fn collect(&mut self, output: &mut Output) {
        let mut closed = Vec::new();
        for (&id, connection) in &mut self.connections {
            let machine = &mut connection.machine;
            let mut frames = Vec::new();
            while let Some(frame) = machine.poll_frame() {
                frames.push(frame);
            }
            if !frames.is_empty() {
                output.frames.push((id, frames));
            }
            if let Some((code, reason)) = machine.close() {
                output.closes.push((id, code, reason.to_owned()));
                closed.push(id);
            }
            let deadline = machine.deadline_ms();
            output.deadline_ms = match (output.deadline_ms, deadline) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        for id in closed {
            self.connections.remove(&id);
        }
    }

    /// A datum of the application.
    pub fn meta_get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.snapshot()?.meta_get(namespace, key)
    }

    /// All data of a namespace.
    pub fn meta_scan(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.snapshot()?.meta_scan(namespace)
    }

    /// Stores a datum, durably.
    pub fn meta_put(&mut self, namespace: &str, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut txn = self.store.begin()?;
        txn.meta_put(namespace, key, value)?;
        txn.commit()
    }

    /// Stores a datum unless there is one, durably; tells whether it did.
    pub fn meta_insert(
        &mut self,
        namespace: &str,
        key: &str,
        value: &[u8],
    ) -> Result<bool, StoreError> {
        let mut txn = self.store.begin()?;
        let inserted = txn.meta_insert(namespace, key, value)?;
        txn.commit()?;
        Ok(inserted)
    }

    /// Removes a datum, durably; tells whether there was one.
    pub fn meta_delete(&mut self, namespace: &str, key: &str) -> Result<bool, StoreError> {
        let mut txn = self.store.begin()?;
        let deleted = txn.meta_delete(namespace, key)?;
        txn.commit()?;
        Ok(deleted)
    }
}
