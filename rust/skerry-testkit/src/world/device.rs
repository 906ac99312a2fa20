//! A device of the world: a realm file, an agent, and the frames on the way.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use skerry_model::{
    Instruction, Name, ObjectId, ObjectKey, ObjectRef, Payload, ServerVersion, SessionIdent, Stamp,
    Value, decode_changeset, unpack,
};
use skerry_store::StoreError;
use skerry_store::connection::Synchronous;
use skerry_store::realm::{
    Options, QUERY_CACHE_DEFAULT_BYTES, Realm, Subscription, UpdatePolicy, WriteTxn,
};
use skerry_sync::client::{Agent, SyncEventKind};
use skerry_sync::protocol::{ServerMessage, decode_server_message};
use skerry_sync::server::ConnectionId;

use super::step::owner_of;
use super::{Objects, Op, QUERIES, change, schema};

/// A device.
#[derive(Debug)]
pub struct Device {
    path: PathBuf,
    /// Its user.
    pub user: &'static str,
    seed: u64,
    realm: Realm,
    agent: Agent,
    session: SessionIdent,
    pub(super) connection: Option<ConnectionId>,
    pub(super) outbox: VecDeque<Vec<u8>>,
    pub(super) inbox: VecDeque<Vec<u8>>,
    /// The query of the newest subscription set.
    pub query: usize,
    /// Versions of the compensating writes reported, in order.
    pub compensations: Vec<ServerVersion>,
    /// Everything that should not have happened.
    pub complaints: Vec<String>,
}

fn open(path: &PathBuf, seed: u64) -> (Realm, Agent, SessionIdent) {
    let options = Options {
        schema: schema(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(path, &options).expect("the realm opens");
    let agent = Agent::new(seed);
    let session = agent.attach(realm.clone()).expect("the realm is a synced one");
    (realm, agent, session)
}

impl Device {
    pub(super) fn new(path: PathBuf, user: &'static str, seed: u64) -> Self {
        let (realm, agent, session) = open(&path, seed);
        Self {
            path,
            user,
            seed,
            realm,
            agent,
            session,
            connection: None,
            outbox: VecDeque::new(),
            inbox: VecDeque::new(),
            query: 0,
            compensations: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// What a process that was killed and started again has: the file, and nothing else.
    pub(super) fn reopen(&mut self) {
        self.realm.close();
        (self.realm, self.agent, self.session) = open(&self.path, self.seed);
    }

    pub(super) fn write(&mut self, ops: &[Op], at_ms: i64) {
        let class = Name::from("Item");
        let mut txn = self.realm.begin_write(Duration::from_secs(10)).expect("the lock is free");
        for op in ops {
            match edit(&mut txn, &class, op) {
                Ok(()) | Err(StoreError::NoSubscriptionForWrite { .. }) => {}
                Err(error) => self.complaints.push(format!("{op:?}: {error}")),
            }
        }
        txn.commit(Stamp::from_unix_ms(at_ms)).expect("the file can be written");
    }

    pub(super) fn subscribe(&mut self, query: usize, now_ms: i64) {
        let latest = self.latest_set();
        let items = (!QUERIES[query].is_empty()).then(|| Subscription {
            id: ObjectId([7; 12]),
            name: Some("items".to_owned()),
            class: "Item".into(),
            query: QUERIES[query].to_owned(),
            created_ms: now_ms,
            updated_ms: now_ms,
        });
        let items = items.into_iter().collect();
        self.realm.commit_subscriptions(items, latest.version).expect("nobody else changes it");
        self.query = query;
    }

    /// The newest subscription set.
    pub fn latest_set(&self) -> skerry_store::realm::SubscriptionSet {
        let snapshot = self.realm.snapshot().expect("a snapshot can be had");
        snapshot.subscriptions().expect("the sets can be read")
    }

    pub(super) fn connected(&mut self, connection: ConnectionId, now_ms: i64) {
        self.connection = Some(connection);
        self.agent.connected(now_ms);
    }

    pub(super) fn cut(&mut self) {
        self.connection = None;
        self.outbox.clear();
        self.inbox.clear();
        self.agent.disconnected();
    }

    pub(super) fn poll(&mut self, now_ms: i64) {
        let polled = self.agent.poll(now_ms, 1 << 20);
        if self.connection.is_some() {
            self.outbox.extend(polled.frames);
        }
        if let Some((code, reason)) = polled.close {
            self.complaints.push(format!("the agent wants to close with {code}: {reason}"));
        }
        for event in polled.events {
            match event.kind {
                SyncEventKind::CompensatingWrite(error) => {
                    self.compensations.extend(error.compensating_write_server_version);
                }
                SyncEventKind::Error(report) => self.complaints.push(format!("{report:?}")),
                _ => {}
            }
        }
    }

    /// Takes up to `count` frames that have arrived; tells whether there was one.
    pub(super) fn deliver(&mut self, count: usize, now_ms: i64, own_only: bool) -> bool {
        let count = count.min(self.inbox.len());
        for frame in self.inbox.drain(..count).collect::<Vec<_>>() {
            if own_only {
                self.look_for_leaks(&frame);
            }
            self.agent.receive(&frame, now_ms);
        }
        self.poll(now_ms);
        count > 0
    }

    /// Nothing that names another owner may cross the wire to this device.
    fn look_for_leaks(&mut self, frame: &[u8]) {
        let Ok(ServerMessage::Download(download)) = decode_server_message(frame) else { return };
        for entry in download.entries {
            let bytes = unpack(&entry.changeset, 1 << 24).expect("the server packs well");
            let changeset = decode_changeset(&bytes).expect("the server encodes well");
            // The last value counts: an earlier one was overwritten by its writer in the same transaction.
            let mut owners = BTreeMap::new();
            for instruction in changeset.instructions {
                let Instruction::Update { path, value, .. } = instruction else { continue };
                if &*path.field == "owner" {
                    owners.insert(path.object.key.clone(), value);
                }
            }
            let own = Payload::Value(Value::string(self.user));
            for (key, owner) in owners.into_iter().filter(|(_, owner)| *owner != own) {
                self.complaints
                    .push(format!("{} was sent the owner {owner:?} of {key:?}", self.user));
            }
        }
    }

    /// What the device shows.
    pub fn objects(&self) -> Objects {
        let snapshot = self.realm.snapshot().expect("a snapshot can be had");
        let class = Name::from("Item");
        let keys = snapshot.keys(&class).expect("the class exists");
        keys.into_iter()
            .map(|key| {
                let values = snapshot.get(&class, &key).expect("it can be read");
                match key {
                    ObjectKey::Int(int) => (int, values.expect("it was listed")),
                    other => panic!("key {other:?} in a class with int keys"),
                }
            })
            .collect()
    }
}

fn edit(txn: &mut WriteTxn, class: &Name, op: &Op) -> Result<(), StoreError> {
    let key = ObjectKey::Int(op.key());
    let exists = txn.get(class, &key)?.is_some();
    let set = |txn: &mut WriteTxn, field: &str, value: Value| {
        if exists { txn.set(class, &key, &field.into(), &value) } else { Ok(()) }
    };
    match *op {
        Op::Create { level, owner, .. } => {
            let values = [
                ("owner".into(), Value::string(owner_of(owner))),
                ("level".into(), Value::Int(level)),
            ];
            txn.create(class, &key, &values, &[], UpdatePolicy::All)?;
            Ok(())
        }
        Op::SetLevel { level, .. } => set(txn, "level", Value::Int(level)),
        Op::SetOwner { owner, .. } => set(txn, "owner", Value::string(owner_of(owner))),
        Op::SetNote { note, .. } => set(txn, "note", Value::string(note.to_string())),
        Op::SetParent { parent, .. } => {
            let link = parent
                .map_or(Value::Null, |parent| Value::link(class.clone(), ObjectKey::Int(parent)));
            set(txn, "parent", link)
        }
        Op::Add { amount, .. } if exists => txn.add_integer(class, &key, &"count".into(), amount),
        Op::Add { .. } => Ok(()),
        Op::Delete { .. } => txn.delete(class, &key).map(|_| ()),
        Op::Inside { change, .. } => {
            let object = ObjectRef { class: class.clone(), key: key.clone() };
            change::make(txn, &object, change)
        }
    }
}
