//! A server's engine and devices in one process, without sockets: frames are handed over.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::json;
use skerry_model::{Salt, SessionIdent};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, Realm};
use skerry_store::server::SqliteStore;
use skerry_sync::client::{Agent, SyncEvent, SyncEventKind};
use skerry_sync::server::{ConnectionId, Engine, Output};

use crate::items;

/// The instant at which everything begins, in ms since 1970.
const START_MS: i64 = 1_700_000_000_000;
/// Bytes that a device may have to send at once.
const ROOM_BYTES: usize = 1 << 20;
/// Rounds without a frame after which all is said. Time passes in them, for delayed answers.
const QUIET_ROUNDS: usize = 3;

/// A server.
#[derive(Debug)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// The clock of everybody, in ms since 1970.
    pub now_ms: i64,
}

/// A device.
#[derive(Debug)]
pub struct Device {
    /// Its user.
    pub user: String,
    /// Its file.
    pub realm: Realm,
    /// Its agent.
    pub agent: Agent,
    /// Its one session.
    pub session: SessionIdent,
    /// Its connection, once there is one.
    pub connection: Option<ConnectionId>,
    /// What happened to it.
    pub events: Vec<SyncEvent>,
    outbox: VecDeque<Vec<u8>>,
    path: PathBuf,
}

fn config(own_only: bool) -> String {
    let filter = if own_only { json!({"ownerId": "%%user.id"}) } else { json!(true) };
    let role = json!({"name": "role", "apply_when": {}, "read": true, "write": true,
        "document_filters": {"read": filter, "write": filter}});
    json!({
        "sync": {"development_mode_enabled": true},
        "queryable_fields": ["_id", "complexity", "ownerId"],
        "default_roles": [role],
    })
    .to_string()
}

impl Server {
    /// A server whose store is in `folder`, every commit synced to the disk. Each user sees everything, or
    /// its own objects only.
    pub fn open(folder: &Path, own_only: bool) -> Self {
        let store = SqliteStore::open(&folder.join("server.db"), Synchronous::Full, Salt(4711));
        let mut state = 1_u64;
        let entropy = Box::new(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        });
        let engine =
            Engine::open(Box::new(store.expect("the store opens")), &config(own_only), entropy);
        Self { engine: engine.expect("the engine opens"), now_ms: START_MS }
    }

    /// A connection for a user.
    pub fn connect(&mut self, user: &str) -> ConnectionId {
        let user = json!({"id": user, "type": "normal"}).to_string();
        self.engine.connect(&user, self.now_ms).expect("the user is well described")
    }

    /// One batch.
    pub fn process(
        &mut self,
        frames: &[(ConnectionId, Vec<u8>)],
        writable: &[ConnectionId],
    ) -> Output {
        let frames: Vec<(ConnectionId, &[u8])> =
            frames.iter().map(|(connection, frame)| (*connection, frame.as_slice())).collect();
        let output = self.engine.process(&frames, writable, self.now_ms).expect("the store works");
        assert!(output.closes.is_empty(), "the server closed {:?}", output.closes);
        output
    }
}

impl Device {
    /// A device with a new file of that name in `folder`.
    pub fn new(folder: &Path, name: &str, user: &str, synchronous: Synchronous) -> Self {
        let path = folder.join(format!("{name}.realm"));
        let options = Options {
            schema: items::schema(),
            synced: true,
            synchronous,
            query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
            encryption_key: None,
        };
        let realm = Realm::open(&path, &options).expect("the realm opens");
        let agent = Agent::new(1);
        let session = agent.attach(realm.clone()).expect("the realm is a synced one");
        Self {
            user: user.to_owned(),
            realm,
            agent,
            session,
            connection: None,
            events: Vec::new(),
            outbox: VecDeque::new(),
            path,
        }
    }

    /// Size of the file and of its log together, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        size(&self.path) + size(Path::new(&log))
    }

    /// Connects it.
    pub fn connect(&mut self, server: &mut Server) {
        self.connection = Some(server.connect(&self.user));
        self.agent.connected(server.now_ms);
    }

    /// What it has to send.
    pub fn poll(&mut self, now_ms: i64) -> Vec<Vec<u8>> {
        self.pump(now_ms);
        self.outbox.drain(..).collect()
    }

    /// Takes a frame.
    pub fn receive(&mut self, frame: &[u8], now_ms: i64) {
        self.agent.receive(frame, now_ms);
        self.pump(now_ms);
    }

    fn pump(&mut self, now_ms: i64) {
        let polled = self.agent.poll(now_ms, ROOM_BYTES);
        self.outbox.extend(polled.frames);
        for event in polled.events {
            match &event.kind {
                SyncEventKind::Error(report) => panic!("{report:?}"),
                SyncEventKind::CompensatingWrite(error) => panic!("undone: {}", error.message),
                _ => self.events.push(event),
            }
        }
    }
}

/// Carries frames until nobody has anything more to say.
pub fn settle(server: &mut Server, devices: &mut [Device]) {
    let mut quiet = 0;
    while quiet < QUIET_ROUNDS {
        server.now_ms += 1;
        if exchange(server, devices) {
            quiet = 0;
        } else {
            quiet += 1;
            server.now_ms += 2_000;
        }
    }
}

/// One round: what the devices have goes to the server in one batch, and what it has for them to them.
pub fn exchange(server: &mut Server, devices: &mut [Device]) -> bool {
    let now_ms = server.now_ms;
    let (mut frames, mut writable) = (Vec::new(), Vec::new());
    for device in &mut *devices {
        if let Some(connection) = device.connection {
            writable.push(connection);
            frames.extend(device.poll(now_ms).into_iter().map(|frame| (connection, frame)));
        }
    }
    let output = server.process(&frames, &writable);
    let mut moved = !frames.is_empty();
    for (connection, frames) in output.frames {
        let device = devices.iter_mut().find(|device| device.connection == Some(connection));
        let device = device.expect("only devices are connected");
        moved |= !frames.is_empty();
        for frame in frames {
            device.receive(&frame, now_ms);
        }
    }
    moved
}
