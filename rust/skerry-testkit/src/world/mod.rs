//! A whole sync system in one thread: the real engine on a real store, real agents on real realm files, and a
//! network that delays, cuts and loses, all driven by steps that are data.
//!
//! A run is a list of [`Step`]s, so it replays from its seed and shrinks by leaving steps out. After the steps
//! everybody is connected and left to settle; then every device must hold exactly what its user may read of
//! what it asked for, as the server has it.

mod change;
mod check;
mod device;
mod step;

use std::collections::BTreeMap;

use serde_json::json;
use skerry_model::{
    ClassSchema, CollectionType, Content, Name, ObjectKey, Property, PropertyType, Salt, Schema,
};
use skerry_query::Predicate;
use skerry_store::connection::Synchronous;
use skerry_store::server::{SqliteStore, Store};
use skerry_sync::server::{ConnectionId, Engine};
use tempfile::TempDir;

pub use device::Device;
pub use step::{Change, Op, QUERIES, Random, Role, Step, steps};

/// The instant at which every run begins, in ms since 1970.
pub const START_MS: i64 = 1_700_000_000_000;
/// Devices of a world.
pub const DEVICES: usize = 4;
/// The user of each device: the first two are one user's.
pub const USERS: [&str; DEVICES] = ["u0", "u0", "u1", "u2"];
/// The fields that views and rules may be about: values, a list and a point.
pub const QUERYABLE: [&str; 4] = ["owner", "level", "tags", "place"];
/// Keys that objects have.
pub const KEYS: i64 = 6;

/// The system.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    engine: Option<Engine>,
    /// The devices.
    pub devices: Vec<Device>,
    role: Role,
    tuning: serde_json::Value,
    now_ms: i64,
    entropy: u64,
}

/// What server and devices must agree on: the contents of each object, by key.
pub type Objects = BTreeMap<i64, Vec<Content>>;

/// The one class of the world, which has properties of every kind, and what it embeds.
pub fn schema() -> Schema {
    let (text, mixed) = (PropertyType::String, PropertyType::Mixed);
    let item = ClassSchema {
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("owner", text, true),
            Property::scalar("level", PropertyType::Int, false),
            Property::scalar("count", PropertyType::Int, false),
            Property::scalar("note", text, true),
            Property::link("parent", "Item"),
            Property::collection("tags", CollectionType::List, text, false),
            Property::links("peers", CollectionType::List, "Item"),
            Property::collection("marks", CollectionType::Set, PropertyType::Int, false),
            Property::collection("map", CollectionType::Dictionary, mixed, true),
            Property::link("part", "Part"),
            Property::scalar("any", mixed, true),
            Property::link("place", "Place"),
        ],
        embedded: false,
    };
    let part = ClassSchema {
        name: "Part".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("size", PropertyType::Int, false),
            Property::collection("notes", CollectionType::List, text, false),
        ],
        embedded: true,
    };
    let place = ClassSchema {
        name: "Place".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("type", text, false),
            Property::collection("coordinates", CollectionType::List, PropertyType::Double, false),
            Property::collection("visits", CollectionType::List, PropertyType::Int, false),
        ],
        embedded: true,
    };
    Schema::new([item, part, place]).expect("the schema is valid")
}

impl World {
    /// A new system in a folder of its own.
    pub fn new(role: Role, entropy: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Every second world cuts everything into the smallest pieces.
        let tuning = match entropy % 2 {
            0 => serde_json::Value::Null,
            _ => {
                json!({"history_touches_max": 3, "bootstrap_page_objects": 2, "uncut_max_bytes": 100,
                "whole_instructions_soft_max": 4, "message_soft_bytes": 60, "session_budget_bytes": 300,
                "silent_versions_max": 3})
            }
        };
        let (engine, devices, now_ms) = (None, Vec::new(), START_MS);
        let mut world = Self { folder, engine, devices, role, tuning, now_ms, entropy };
        world.start_server();
        for (number, user) in USERS.iter().enumerate() {
            let path = world.folder.path().join(format!("device{number}.realm"));
            world.devices.push(Device::new(path, user, entropy.wrapping_add(number as u64)));
        }
        world
    }

    fn config(&self) -> String {
        let own = json!({"owner": "%%user.id"});
        let (read, write) = match self.role {
            Role::Open => (json!(true), json!(true)),
            Role::ReadAllWriteOwn => (json!(true), own),
            Role::ReadOwnWriteOwn => (own.clone(), own),
            Role::Shared => {
                let shared = json!({"$or": [own, {"tags": "1"}]});
                (shared.clone(), shared)
            }
        };
        let role = json!({"name": "role", "apply_when": {}, "read": true, "write": true,
            "document_filters": {"read": read, "write": write}});
        json!({
            "sync": {"development_mode_enabled": true},
            "queryable_fields": QUERYABLE,
            "tuning": self.tuning,
            "default_roles": [role],
        })
        .to_string()
    }

    fn store(&self) -> SqliteStore {
        let path = self.folder.path().join("server.db");
        SqliteStore::open(&path, Synchronous::Normal, Salt(4711)).expect("the store opens")
    }

    fn start_server(&mut self) {
        let mut state = self.entropy;
        let entropy = Box::new(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        });
        let engine = Engine::open(Box::new(self.store()), &self.config(), entropy);
        self.engine = Some(engine.expect("the engine opens"));
    }

    fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("the server runs")
    }

    /// Does one step.
    pub fn step(&mut self, step: &Step) {
        self.now_ms += 10;
        let now_ms = self.now_ms;
        match step {
            Step::Write { device, ops, skew_ms } => {
                self.devices[*device].write(ops, now_ms + skew_ms);
            }
            Step::Subscribe { device, query } => self.devices[*device].subscribe(*query, now_ms),
            Step::Connect { device } => self.connect(*device),
            Step::Cut { device } => self.cut(*device),
            Step::Exchange { device, up, down } => {
                self.exchange(&[*device], *up, *down);
            }
            Step::ExchangeAll => {
                let all: Vec<usize> = (0..DEVICES).collect();
                self.exchange(&all, usize::MAX, usize::MAX);
            }
            Step::CrashServer => self.restart_server(),
            Step::ChangeRole { role } => {
                self.role = *role;
                self.restart_server();
            }
            Step::CrashDevice { device } => {
                self.cut(*device);
                self.devices[*device].reopen();
            }
            Step::Wait { ms } => self.now_ms += ms,
        }
    }

    fn restart_server(&mut self) {
        for device in 0..DEVICES {
            self.cut(device);
        }
        self.engine = None;
        self.start_server();
    }

    fn connect(&mut self, device: usize) {
        if self.devices[device].connection.is_some() {
            return;
        }
        let now_ms = self.now_ms;
        let user = json!({"id": USERS[device], "type": "normal"}).to_string();
        let connection = self.engine().connect(&user, now_ms).expect("the user is well described");
        self.devices[device].connected(connection, now_ms);
    }

    fn cut(&mut self, device: usize) {
        if let Some(connection) = self.devices[device].connection {
            self.engine().disconnect(connection);
            self.devices[device].cut();
        }
    }

    /// Carries up to `up` frames of each device to the server, in one batch, and up to `down` of what it has
    /// for each to them. Tells whether anything moved.
    fn exchange(&mut self, devices: &[usize], up: usize, down: usize) -> bool {
        let now_ms = self.now_ms;
        let mut moved = false;
        let mut frames: Vec<(ConnectionId, Vec<u8>)> = Vec::new();
        let mut writable = Vec::new();
        for &number in devices {
            let device = &mut self.devices[number];
            let Some(connection) = device.connection else { continue };
            writable.push(connection);
            device.poll(now_ms);
            let count = up.min(device.outbox.len());
            frames.extend(device.outbox.drain(..count).map(|frame| (connection, frame)));
        }
        moved |= !frames.is_empty();
        let borrowed: Vec<(ConnectionId, &[u8])> =
            frames.iter().map(|(connection, frame)| (*connection, frame.as_slice())).collect();
        let output = self.engine().process(&borrowed, &writable, now_ms).expect("the store works");
        for (connection, frames) in output.frames {
            moved = true;
            let device =
                self.devices.iter_mut().find(|device| device.connection == Some(connection));
            if let Some(device) = device {
                device.inbox.extend(frames);
            }
        }
        assert!(output.closes.is_empty(), "the server closed connections: {:?}", output.closes);
        for &number in devices {
            let leaks = self.role == Role::ReadOwnWriteOwn;
            moved |= self.devices[number].deliver(down, now_ms, leaks);
        }
        moved
    }

    /// Connects everybody and lets everything arrive.
    ///
    /// # Errors
    ///
    /// When the system does not come to rest.
    pub fn settle(&mut self) -> Result<(), String> {
        let all: Vec<usize> = (0..DEVICES).collect();
        let mut quiet = 0;
        for _ in 0..2_000 {
            for &device in &all {
                self.connect(device);
            }
            self.now_ms += 1;
            if self.exchange(&all, usize::MAX, usize::MAX) {
                quiet = 0;
            } else {
                quiet += 1;
                // Back-offs and delayed acknowledgements run out.
                self.now_ms += 2_000;
            }
            if quiet > 3 {
                return Ok(());
            }
        }
        Err("the system does not come to rest".to_owned())
    }

    /// What the server has.
    pub fn server_objects(&self) -> Objects {
        let store = self.store();
        let read = store.snapshot().expect("a snapshot can be had");
        let page = read.find(&Name::from("Item"), &Predicate::True, 0, usize::MAX);
        let objects = page.expect("objects can be read").objects.into_iter();
        objects
            .map(|object| match object.key {
                ObjectKey::Int(key) => (key, object.values),
                other => panic!("key {other:?} in a class with int keys"),
            })
            .collect()
    }
}
