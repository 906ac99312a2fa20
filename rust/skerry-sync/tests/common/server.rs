//! A server that does as its script says, an agent on a realm file, and the wire between them.
//!
//! The wire keeps every frame, so that a test can look at what crossed it.

use std::collections::BTreeMap;

use skerry_model::{
    Changeset, ClassSchema, ClientVersion, FileIdent, Instruction, Name, ObjectKey, ObjectRef,
    Path, Payload, Property, PropertyType, QueryVersion, Salt, Schema, ServerVersion, SessionIdent,
    Stamp, UpdateSide, Value, encode_changeset, pack,
};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{
    Options, QUERY_CACHE_DEFAULT_BYTES, Realm, Subscription, SubscriptionState,
};
use skerry_sync::client::{Agent, SyncEvent, SyncEventKind};
use skerry_sync::protocol::{
    BatchState, ClientMessage, Download, DownloadEntry, ServerConnection, ServerEvent, Upload,
    decode_client_message,
};
use tempfile::TempDir;

pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const S: SessionIdent = SessionIdent(1);

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}

pub(crate) fn schema() -> Schema {
    let properties = vec![
        Property::scalar("_id", PropertyType::Int, false),
        Property::scalar("name", PropertyType::String, true),
        Property::scalar("complexity", PropertyType::Int, true),
    ];
    Schema::new([ClassSchema {
        embedded: false,
        name: name("Item"),
        primary_key: name("_id"),
        properties,
    }])
    .unwrap()
}

pub(crate) fn open_realm(dir: &TempDir, file: &str) -> Realm {
    let options = Options {
        schema: schema(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    Realm::open(dir.path().join(file), &options).unwrap()
}

pub(crate) fn subscribe(realm: &Realm, rql: &str) -> QueryVersion {
    let latest = realm.snapshot().unwrap().subscriptions().unwrap().version;
    let item = Subscription {
        id: skerry_model::ObjectId([7; 12]),
        name: Some("simple-items".to_owned()),
        class: name("Item"),
        query: rql.to_owned(),
        created_ms: START_MS,
        updated_ms: START_MS,
    };
    realm.commit_subscriptions(vec![item], latest).unwrap().version
}

/// Creates an item; its version.
pub(crate) fn create(realm: &Realm, key: i64, text: &str) -> ClientVersion {
    let mut txn = realm.begin_write(std::time::Duration::from_secs(5)).unwrap();
    let values = [(name("name"), Value::string(text)), (name("complexity"), Value::Int(3))];
    let policy = skerry_store::realm::UpdatePolicy::Error;
    txn.create(&name("Item"), &ObjectKey::Int(key), &values, &[], policy).unwrap();
    txn.commit(Stamp::from_unix_ms(START_MS)).unwrap()
}

pub(crate) fn rename(realm: &Realm, key: i64, text: &str) -> ClientVersion {
    let mut txn = realm.begin_write(std::time::Duration::from_secs(5)).unwrap();
    txn.set(&name("Item"), &ObjectKey::Int(key), &name("name"), &Value::string(text)).unwrap();
    txn.commit(Stamp::from_unix_ms(START_MS)).unwrap()
}

/// The name of an item, `None` without the item.
pub(crate) fn name_of(realm: &Realm, key: i64) -> Option<Value> {
    let values = realm.snapshot().unwrap().get(&name("Item"), &ObjectKey::Int(key)).unwrap();
    values.and_then(|values| values[1].as_value().cloned())
}

pub(crate) fn set_state(realm: &Realm, version: QueryVersion) -> Option<SubscriptionState> {
    realm.snapshot().unwrap().subscription_set(version).unwrap().map(|set| set.state)
}

fn object(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

pub(crate) fn set_name(key: i64, text: &str) -> Instruction {
    Instruction::Update {
        path: Path::property(object(key), "name"),
        value: Payload::Value(Value::string(text)),
        side: UpdateSide::IsDefault(false),
    }
}

/// An object as it enters a view: erase, create, set.
pub(crate) fn entering(key: i64, text: &str) -> Vec<Instruction> {
    vec![
        Instruction::EraseObject { object: object(key) },
        Instruction::CreateObject { object: object(key) },
        set_name(key, text),
    ]
}

pub(crate) fn erase(key: i64) -> Vec<Instruction> {
    vec![Instruction::EraseObject { object: object(key) }]
}

pub(crate) fn packed(instructions: Vec<Instruction>) -> std::sync::Arc<[u8]> {
    if instructions.is_empty() {
        return [].into();
    }
    pack(&encode_changeset(&Changeset { instructions }).unwrap()).into()
}

pub(crate) fn synthetic(version: i64, base: i64, instructions: Vec<Instruction>) -> DownloadEntry {
    let (version, base) = (ServerVersion(version), ClientVersion(base));
    DownloadEntry::new(version, base, Stamp::SYNTHETIC, FileIdent::SERVER, packed(instructions))
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// What the server knows of one file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) accepted: (ClientVersion, ServerVersion),
    pub(crate) query: QueryVersion,
}

/// Agent, scripted server and the wire.
pub(crate) struct World {
    pub(crate) agent: Agent,
    pub(crate) server: ServerConnection,
    pub(crate) now_ms: i64,
    pub(crate) wire: Vec<(From, Vec<u8>)>,
    pub(crate) events: Vec<SyncEvent>,
    pub(crate) uploads: Vec<Upload>,
    pub(crate) known: BTreeMap<SessionIdent, Known>,
    /// Head of the server's history.
    pub(crate) head: i64,
    /// What a bootstrap brings, batch by batch.
    pub(crate) bootstrap: Vec<Vec<Instruction>>,
    /// Whether the script answers IDENT, QUERY and UPLOAD, or leaves it to the test.
    pub(crate) answers: bool,
    next_ident: i64,
    pub(crate) queries: Vec<(QueryVersion, BTreeMap<String, String>)>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            agent: Agent::new(42),
            server: ServerConnection::new(START_MS),
            now_ms: START_MS,
            wire: Vec::new(),
            events: Vec::new(),
            uploads: Vec::new(),
            known: BTreeMap::new(),
            head: 1,
            bootstrap: Vec::new(),
            answers: true,
            next_ident: 2,
            queries: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self) {
        self.server = ServerConnection::new(self.now_ms);
        self.agent.connected(self.now_ms);
    }

    pub(crate) fn cut(&mut self) {
        self.agent.disconnected();
        self.server = ServerConnection::new(self.now_ms);
        self.poll();
    }

    /// Lets the agent say what it has to say, and the server hear it.
    pub(crate) fn poll(&mut self) {
        let result = self.agent.poll(self.now_ms, usize::MAX);
        self.events.extend(result.events);
        for frame in result.frames {
            self.server.receive(&frame, self.now_ms);
            self.wire.push((From::Client, frame));
        }
        while let Some(event) = self.server.poll_event() {
            self.answer(event);
        }
    }

    /// Delivers what the server has to say.
    pub(crate) fn deliver(&mut self) -> usize {
        let mut count = 0;
        while self.deliver_one() {
            count += 1;
        }
        count
    }

    pub(crate) fn deliver_one(&mut self) -> bool {
        let Some(frame) = self.server.poll_frame() else { return false };
        self.agent.receive(&frame, self.now_ms);
        self.wire.push((From::Server, frame));
        true
    }

    /// Until neither end has anything to say.
    pub(crate) fn settle(&mut self) {
        loop {
            let before = self.wire.len();
            self.poll();
            if self.deliver() == 0 && self.wire.len() == before {
                return;
            }
        }
    }

    pub(crate) fn steady(&self, session: SessionIdent, entries: Vec<DownloadEntry>) -> Download {
        let known = self.known[&session];
        let head = ServerVersion(self.head);
        Download {
            session,
            dl_server_version: head,
            dl_client_version: known.accepted.0,
            latest_server_version: head,
            latest_salt: Salt(99),
            ul_client_version: known.accepted.0,
            ul_server_version: known.accepted.1,
            query_version: known.query,
            batch_state: BatchState::SteadyState,
            progress: 1.0,
            entries,
        }
    }

    /// Sends other clients' changes at the next version.
    pub(crate) fn publish(&mut self, session: SessionIdent, base: i64, what: Vec<Instruction>) {
        self.head += 1;
        let mut entry = synthetic(self.head, base, what);
        (entry.stamp, entry.origin) = (Stamp::from_unix_ms(START_MS + 5000), FileIdent(1000));
        let download = self.steady(session, vec![entry]);
        self.server.send_download(session, download);
    }

    pub(crate) fn send_bootstrap(&mut self, session: SessionIdent) {
        self.head += 1;
        let mut batches = self.bootstrap.clone();
        if batches.is_empty() {
            batches.push(Vec::new());
        }
        let last = batches.len() - 1;
        let base = self.known[&session].accepted.0.0;
        for (i, batch) in batches.into_iter().enumerate() {
            let mut download = self.steady(session, vec![synthetic(self.head, base, batch)]);
            download.batch_state =
                if i == last { BatchState::LastInBatch } else { BatchState::MoreToCome };
            self.server.send_download(session, download);
        }
    }

    fn answer(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::AllocateIdent { session } => {
                let ident = FileIdent(self.next_ident);
                self.next_ident += 1;
                self.server.ident_allocated(session, ident, Salt(ident.0 * 1000 + 7));
            }
            ServerEvent::Identified { ident, .. } => {
                let known = self.known.entry(ident.session).or_default();
                known.query = ident.query_version;
                if self.answers && ident.scan_server_version == ServerVersion(0) {
                    let planned = std::mem::take(&mut self.bootstrap);
                    self.send_bootstrap(ident.session);
                    self.bootstrap = planned;
                } else if self.answers {
                    let download = self.steady(ident.session, Vec::new());
                    self.server.send_download(ident.session, download);
                }
            }
            ServerEvent::Query(query) => {
                self.queries.push((query.version, query.query));
                self.known.get_mut(&query.session).expect("identified").query = query.version;
                if self.answers {
                    self.send_bootstrap(query.session);
                }
            }
            ServerEvent::Upload(upload) => {
                if let Some(last) = upload.entries.last() {
                    let known = self.known.get_mut(&upload.session).expect("identified");
                    known.accepted = (upload.progress_client_version, last.server_version);
                    if self.answers {
                        self.head += i64::try_from(upload.entries.len()).unwrap();
                        let download = self.steady(upload.session, Vec::new());
                        self.server.send_download(upload.session, download);
                    }
                }
                self.uploads.push(upload);
            }
            ServerEvent::Mark(mark) => {
                self.server.send_mark(mark.session, mark.request);
            }
            ServerEvent::Unbind { session } => {
                self.server.finish_unbind(session);
            }
            ServerEvent::ClientFailed(_) | ServerEvent::Failed { .. } => {}
        }
    }

    /// Names of the client's messages so far.
    pub(crate) fn client_names(&self) -> Vec<&'static str> {
        self.client_messages().iter().map(ClientMessage::name).collect()
    }

    pub(crate) fn client_messages(&self) -> Vec<ClientMessage> {
        let from_client = self.wire.iter().filter(|(from, _)| *from == From::Client);
        from_client.map(|(_, frame)| decode_client_message(frame).unwrap()).collect()
    }

    pub(crate) fn event_names(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.kind.name()).collect()
    }

    pub(crate) fn has_event(&self, is: impl Fn(&SyncEventKind) -> bool) -> bool {
        self.events.iter().any(|event| is(&event.kind))
    }
}
