//! Uploads about the inside of objects that do not fit: each ends its session with error 212, nothing of
//! its changeset is applied, and everybody else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use skerry_model::{
    Changeset, ClassSchema, ClientVersion, CollectionType, Content, FileIdent, Instruction, Name,
    ObjectKey, ObjectRef, Path, PathElement, Payload, Property, PropertyType, QueryVersion, Salt,
    Schema, ServerVersion, SessionIdent, Stamp, UpdateSide, Value, encode_changeset, pack,
};
use skerry_query::Predicate;
use skerry_store::connection::Synchronous;
use skerry_store::server::{SqliteStore, Store};
use skerry_sync::protocol::{
    Bind, ClientIdent, ClientMessage, Query, ServerMessage, SessionReason, Upload, UploadEntry,
    decode_server_message, encode_client_message,
};
use skerry_sync::server::{ConnectionId, Engine};
use tempfile::TempDir;

const NOW_MS: i64 = 1_700_000_000_000;
const SESSION: SessionIdent = SessionIdent(1);

fn schema() -> Schema {
    let item = ClassSchema {
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::collection("tags", CollectionType::List, PropertyType::String, false),
            Property::collection("set", CollectionType::Set, PropertyType::Int, false),
            Property::collection("map", CollectionType::Dictionary, PropertyType::Mixed, true),
            Property::links("peers", CollectionType::List, "Item"),
            Property::link("peer", "Item"),
            Property::link("part", "Part"),
            Property::scalar("any", PropertyType::Mixed, true),
        ],
        embedded: false,
    };
    let part = ClassSchema {
        name: "Part".into(),
        primary_key: "".into(),
        properties: vec![Property::scalar("size", PropertyType::Int, false)],
        embedded: true,
    };
    Schema::new([item, part]).expect("the schema is valid")
}

fn item(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

fn at(key: i64, field: &str, elements: impl Into<Box<[PathElement]>>) -> Path {
    let mut path = Path::property(item(key), field);
    path.elements = elements.into().into_vec().into_iter().collect();
    path
}

fn index(index: u32) -> [PathElement; 1] {
    [PathElement::Index(index)]
}

fn insert(path: Path, value: Value, prior_size: u32) -> Instruction {
    Instruction::ArrayInsert { path, value: Payload::Value(value), prior_size }
}

fn update(path: Path, value: Payload) -> Instruction {
    Instruction::Update { path, value, side: UpdateSide::IsDefault(false) }
}

/// A device, as far as the server sees one.
struct Client {
    connection: ConnectionId,
    version: i64,
    /// What it has been sent.
    base: ServerVersion,
}

struct Server {
    folder: TempDir,
    engine: Engine,
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let role = json!({"name": "all", "apply_when": {}, "read": true, "write": true,
            "document_filters": {"read": true, "write": true}});
        let config = json!({"sync": {"development_mode_enabled": true}, "default_roles": [role]});
        let mut state = 7_u64;
        let entropy = Box::new(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            state
        });
        let store = Box::new(store_in(&folder));
        let engine = Engine::open(store, &config.to_string(), entropy).expect("it opens");
        Self { folder, engine }
    }

    fn send(&mut self, client: &mut Client, messages: &[ClientMessage]) -> Vec<ServerMessage> {
        let frames: Vec<Vec<u8>> = messages.iter().map(encode_client_message).collect();
        let batch: Vec<(ConnectionId, &[u8])> =
            frames.iter().map(|frame| (client.connection, frame.as_slice())).collect();
        let output = self.engine.process(&batch, &[client.connection], NOW_MS);
        let output = output.expect("the store works");
        let own = output.frames.iter().filter(|(connection, _)| *connection == client.connection);
        let frames = own.flat_map(|(_, frames)| frames);
        let said: Vec<ServerMessage> = frames
            .map(|frame| decode_server_message(frame).expect("the server speaks well"))
            .collect();
        for message in &said {
            if let ServerMessage::Download(download) = message {
                client.base = client.base.max(download.dl_server_version);
            }
        }
        said
    }

    /// A new file, bound and identified.
    fn client(&mut self) -> Client {
        let user = json!({"id": "u", "type": "normal"}).to_string();
        let connection = self.engine.connect(&user, NOW_MS).expect("the user is well described");
        let mut client = Client { connection, version: 1, base: ServerVersion(0) };
        let reason = SessionReason::Sync;
        let bind = Bind { session: SESSION, reason, schema_version: 0, need_ident: true };
        let said = self.send(&mut client, &[ClientMessage::Bind(bind)]);
        let ident = said.iter().find_map(|message| match message {
            ServerMessage::Ident(ident) => Some((ident.ident, ident.salt)),
            _ => None,
        });
        let (ident, salt) = ident.expect("a new file is given an ident");
        let ident = ClientMessage::Ident(ClientIdent {
            session: SESSION,
            ident,
            salt,
            scan_server_version: ServerVersion(0),
            scan_client_version: ClientVersion(0),
            latest_server_version: ServerVersion(0),
            latest_salt: Salt(0),
            query_version: QueryVersion(0),
            query: BTreeMap::new(),
        });
        let query = ClientMessage::Query(Query {
            session: SESSION,
            version: QueryVersion(1),
            query: BTreeMap::from([("Item".to_owned(), "TRUEPREDICATE".to_owned())]),
        });
        let first = upload_message(&client, schema().instructions());
        self.send(&mut client, &[ident, first, query]);
        client
    }

    /// The code of the error that answers an upload.
    fn upload(&mut self, client: &mut Client, instructions: Vec<Instruction>) -> Option<u16> {
        client.version += 1;
        let upload = upload_message(client, instructions);
        self.send(client, &[upload]).iter().find_map(|message| match message {
            ServerMessage::Error(error) if error.session == SESSION => Some(error.code),
            _ => None,
        })
    }

    fn objects(&self) -> BTreeMap<ObjectKey, Vec<Content>> {
        let read = store_in(&self.folder).snapshot().expect("a snapshot can be had");
        let page = read.find(&Name::from("Item"), &Predicate::True, 0, usize::MAX);
        let objects = page.expect("objects can be read").objects;
        objects.into_iter().map(|object| (object.key, object.values)).collect()
    }
}

fn upload_message(client: &Client, instructions: Vec<Instruction>) -> ClientMessage {
    let packed = pack(&encode_changeset(&Changeset { instructions }).expect("it encodes"));
    ClientMessage::Upload(Upload {
        session: SESSION,
        progress_client_version: ClientVersion(client.version),
        progress_server_version: client.base,
        locked_server_version: ServerVersion(0),
        entries: vec![UploadEntry {
            client_version: ClientVersion(client.version),
            server_version: client.base,
            stamp: Stamp(client.version),
            origin: FileIdent(0),
            changeset: Arc::from(packed),
        }],
    })
}

fn store_in(folder: &TempDir) -> SqliteStore {
    let path = folder.path().join("server.db");
    SqliteStore::open(&path, Synchronous::Normal, Salt(4711)).expect("the store opens")
}

fn nested(depth: usize) -> Vec<Instruction> {
    let path = |depth: usize| at(1, "any", vec![PathElement::Index(0); depth]);
    let outer = update(path(0), Payload::List);
    let inner = (1..=depth).map(|depth| Instruction::ArrayInsert {
        path: path(depth),
        value: Payload::List,
        prior_size: 0,
    });
    std::iter::once(outer).chain(inner).collect()
}

fn bad() -> Vec<(&'static str, Instruction)> {
    let text = || Value::string("x");
    let key = |key: &str| [PathElement::Key(key.into())];
    let erase = |path, prior_size| Instruction::ArrayErase { path, prior_size };
    let clear = |path, collection| Instruction::Clear { path, collection };
    let set = |path, value| Instruction::SetInsert { path, value };
    let moved =
        |to, prior_size| Instruction::ArrayMove { path: at(1, "tags", index(0)), to, prior_size };
    let stranger = Value::link("Nobody", ObjectKey::Int(1));
    vec![
        ("insert beyond the end", insert(at(1, "tags", index(3)), text(), 2)),
        ("insert at an absurd index", insert(at(1, "tags", index(u32::MAX)), text(), 2)),
        ("another prior size", insert(at(1, "tags", index(0)), text(), 1)),
        ("an absurd prior size", insert(at(1, "tags", index(0)), text(), u32::MAX)),
        ("a value of another type", insert(at(1, "tags", index(0)), Value::Int(1), 2)),
        ("null where there is none", insert(at(1, "tags", index(0)), Value::Null, 2)),
        ("erase beyond the end", erase(at(1, "tags", index(2)), 2)),
        ("erase from an empty list", erase(at(1, "peers", index(0)), 0)),
        ("move beyond the end", moved(2, 2)),
        ("move to itself", moved(0, 2)),
        ("a list of an absent object", insert(at(99, "tags", index(0)), text(), 0)),
        ("a list that is none", insert(at(1, "any", index(0)), text(), 0)),
        ("no such property", insert(at(1, "nothing", index(0)), text(), 0)),
        ("through a link", update(at(1, "peer", key("tags")), Payload::Value(text()))),
        (
            "an object that is not there",
            update(at(1, "part", key("size")), Payload::Value(Value::Int(1))),
        ),
        ("an object in a scalar", update(at(1, "peer", []), Payload::ObjectValue)),
        ("a collection in a link", update(at(1, "peer", []), Payload::List)),
        (
            "below a missing key",
            insert(
                at(1, "map", [PathElement::Key("none".into()), PathElement::Index(0)]),
                text(),
                0,
            ),
        ),
        ("clear as another kind", clear(at(1, "tags", []), CollectionType::Dictionary)),
        ("a set that is a list", set(at(1, "tags", []), text())),
        ("another type in a set", set(at(1, "set", []), text())),
        ("a link to an unknown class", update(at(1, "any", []), Payload::Value(stranger))),
    ]
}

#[test]
fn a_bad_instruction_ends_its_session_and_leaves_no_trace() {
    let mut server = Server::new();
    let mut friend = server.client();
    let tags = |value: &str, at_index| {
        insert(at(1, "tags", index(at_index)), Value::string(value), at_index)
    };
    let good = vec![
        Instruction::CreateObject { object: item(1) },
        tags("a", 0),
        tags("b", 1),
        Instruction::SetInsert { path: at(1, "set", []), value: Value::Int(5) },
    ];
    assert_eq!(server.upload(&mut friend, good), None);
    let mut size = 2;
    for (what, instruction) in bad() {
        let before = server.objects();
        let mut foe = server.client();
        let changeset = vec![
            Instruction::CreateObject { object: item(50) },
            insert(at(50, "tags", index(0)), Value::string("of the foe"), 0),
            Instruction::SetInsert { path: at(1, "set", []), value: Value::Int(6) },
            instruction,
        ];
        assert_eq!(server.upload(&mut foe, changeset), Some(212), "{what}");
        assert_eq!(server.objects(), before, "{what}: nothing of the changeset is applied");
    }
    // The others go on, with what was there.
    assert_eq!(server.upload(&mut friend, vec![tags("c", size)]), None);
    size += 1;
    let objects = server.objects();
    match &objects[&ObjectKey::Int(1)][1] {
        Content::List(list) => assert_eq!(u32::try_from(list.len()), Ok(size)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_would_take_a_class_or_property_away_is_refused_also_in_development() {
    let mut server = Server::new();
    let class = || Name::from("Item");
    for instruction in [
        Instruction::EraseTable { class: class() },
        Instruction::EraseColumn { class: class(), field: "tags".into() },
    ] {
        let mut foe = server.client();
        let changeset = vec![Instruction::CreateObject { object: item(1) }, instruction];
        assert_eq!(server.upload(&mut foe, changeset), Some(225));
        assert!(server.objects().is_empty());
    }
    let mut friend = server.client();
    assert_eq!(
        server.upload(&mut friend, vec![Instruction::CreateObject { object: item(1) }]),
        None
    );
}

#[test]
fn collections_may_be_nested_as_deep_as_paths_go() {
    let mut server = Server::new();
    let mut client = server.client();
    let deep = nested(skerry_model::limits::PATH_ELEMENTS_MAX);
    let changeset = std::iter::once(Instruction::CreateObject { object: item(1) }).chain(deep);
    assert_eq!(server.upload(&mut client, changeset.collect()), None);
    let mut depth = 0;
    let objects = server.objects();
    let mut held = objects[&ObjectKey::Int(1)].last();
    while let Some(Content::List(list)) = held {
        depth += 1;
        held = list.first();
    }
    assert_eq!(depth, skerry_model::limits::PATH_ELEMENTS_MAX + 1);
}
