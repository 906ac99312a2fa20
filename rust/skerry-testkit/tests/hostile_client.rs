//! A client that says anything: well-formed messages with random content in random order. The engine never
//! panics, every fault is answered by a documented error, and a well-behaved device beside it is undisturbed.
//!
//! A failure prints its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use skerry_model::{
    Changeset, ClientVersion, CollectionType, FileIdent, Instruction, ObjectKey, ObjectRef, Path,
    PathElement, Payload, Property, PropertyType, QueryVersion, Salt, ServerVersion, SessionIdent,
    Stamp, TableKind, UpdateSide, Value, encode_changeset, pack,
};
use skerry_store::connection::Synchronous;
use skerry_store::server::SqliteStore;
use skerry_sync::protocol::{
    Bind, ClientError, ClientIdent, ClientMessage, Mark, Ping, Query, ServerMessage, SessionReason,
    Upload, UploadEntry, decode_server_message, encode_client_message,
};
use skerry_sync::server::{ConnectionId, Engine};
use skerry_testkit::world::Random;

struct Hostile {
    random: Random,
    ident: i64,
    salt: i64,
    /// Grows with every message that wants a growing number, and is mostly used.
    next: i64,
}

impl Hostile {
    fn below(&mut self, bound: u64) -> i64 {
        i64::try_from(self.random.below(bound)).expect("bounds are small")
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let at = usize::try_from(self.below(items.len() as u64)).expect("an index");
        items[at]
    }

    fn growing(&mut self) -> i64 {
        self.next += 1;
        if self.below(6) == 0 { self.version() } else { self.next }
    }

    /// What a new file says first, so that the rest is not refused at once.
    fn prelude(&mut self) -> Vec<ClientMessage> {
        let session = SessionIdent(1);
        let class = || "Item".into();
        let column = |field: &str, ty| Instruction::AddColumn {
            class: class(),
            field: field.into(),
            ty,
            nullable: true,
            collection: skerry_model::CollectionType::Single,
            target: None,
            key_type: None,
        };
        let pk = TableKind::TopLevel {
            pk_field: "_id".into(),
            pk_type: PropertyType::Int,
            pk_nullable: false,
            asymmetric: false,
        };
        let mut schema = vec![
            Instruction::AddTable { class: class(), kind: pk },
            Instruction::AddTable { class: "Part".into(), kind: TableKind::Embedded },
            column("owner", PropertyType::String),
            column("level", PropertyType::Int),
        ];
        schema.extend(collections());
        self.next += 1;
        let version = self.next;
        vec![
            ClientMessage::Ident(ClientIdent {
                session,
                ident: FileIdent(self.ident),
                salt: Salt(self.salt),
                scan_server_version: ServerVersion(0),
                scan_client_version: ClientVersion(0),
                latest_server_version: ServerVersion(0),
                latest_salt: Salt(0),
                query_version: QueryVersion(0),
                query: BTreeMap::new(),
            }),
            upload(session, version, vec![entry(version, 0, 1, packed(schema))]),
            ClientMessage::Query(Query {
                session,
                version: QueryVersion(1),
                query: BTreeMap::from([("Item".to_owned(), "level < 5".to_owned())]),
            }),
        ]
    }

    fn version(&mut self) -> i64 {
        let small = self.below(12);
        self.pick(&[0, 1, small, small, small, i64::MAX])
    }

    fn object(&mut self) -> ObjectRef {
        let key = match self.below(6) {
            0 => ObjectKey::Null,
            1 => ObjectKey::String("key".into()),
            _ => ObjectKey::Int(self.below(4)),
        };
        let class = self.pick(&["Item", "Item", "Item", "Other", ""]);
        ObjectRef::new(class, key)
    }

    fn instruction(&mut self) -> Instruction {
        let object = self.object();
        let field = self.pick(&["owner", "level", "_id", "nothing"]);
        let path = Path::property(object.clone(), field);
        let value = self.value();
        let side = UpdateSide::IsDefault(self.below(2) == 0);
        match self.below(16) {
            0 | 1 => Instruction::CreateObject { object },
            2 => Instruction::EraseObject { object },
            3 | 4 => Instruction::Update { path, value: Payload::Value(value), side },
            5 => Instruction::AddInteger { path, value: i64::MAX },
            6 => Instruction::Update { path, value: Payload::List, side },
            7 => Instruction::EraseTable { class: object.class },
            8..15 => self.inside(object),
            _ => Instruction::AddTable {
                class: object.class,
                kind: TableKind::TopLevel {
                    pk_field: "_id".into(),
                    pk_type: self.pick(&[PropertyType::Int, PropertyType::String]),
                    pk_nullable: false,
                    asymmetric: self.below(9) == 0,
                },
            },
        }
    }

    fn value(&mut self) -> Value {
        match self.below(5) {
            0 => Value::Null,
            1 => Value::string("u0"),
            2 => Value::Double(f64::NAN),
            3 => Value::link("Item", ObjectKey::Int(self.below(4))),
            _ => Value::Int(self.below(9)),
        }
    }

    /// Something about the inside of an object, that seldom fits.
    fn inside(&mut self, object: ObjectRef) -> Instruction {
        let field = self.pick(&["tags", "tags", "tags", "set", "map", "parts", "any", "level"]);
        let mut path = Path::property(object, field);
        let size = u32::try_from(self.below(4)).expect("below four");
        let number = self.pick(&[0, 0, size, size, u32::MAX]);
        let mut elements: Vec<PathElement> = (0..self.below(2))
            .map(|_| match self.below(2) {
                0 => PathElement::Key(self.pick(&["a", "size", "tags"]).into()),
                _ => PathElement::Index(number),
            })
            .collect();
        let value = match self.below(6) {
            0 => Payload::ObjectValue,
            1 => Payload::List,
            2 => Payload::Dictionary,
            _ => Payload::Value(self.value()),
        };
        let kind = self.below(8);
        if (0..4).contains(&kind) {
            elements.push(PathElement::Index(number));
        }
        path.elements = elements.into();
        let prior_size = self.pick(&[0, 0, size, number]);
        match kind {
            0 | 1 => Instruction::ArrayInsert { path, value, prior_size },
            2 => Instruction::ArrayErase { path, prior_size },
            3 => Instruction::ArrayMove { path, to: size, prior_size },
            4 => {
                let collection = self.pick(&[
                    CollectionType::List,
                    CollectionType::Dictionary,
                    CollectionType::Set,
                ]);
                Instruction::Clear { path, collection }
            }
            5 => Instruction::SetInsert { path, value: self.value() },
            6 => Instruction::SetErase { path, value: self.value() },
            _ => {
                let side = if path.ends_with_index() {
                    UpdateSide::prior_size(prior_size)
                } else {
                    UpdateSide::IsDefault(false)
                };
                Instruction::Update { path, value, side }
            }
        }
    }

    fn changeset(&mut self) -> Arc<[u8]> {
        if self.below(8) == 0 {
            return (0..self.below(40))
                .map(|_| u8::try_from(self.below(256)).expect("a byte"))
                .collect();
        }
        let instructions: Vec<Instruction> =
            (0..self.below(5)).map(|_| self.instruction()).collect();
        packed(instructions)
    }

    fn query(&mut self) -> BTreeMap<String, String> {
        let text = self.pick(&[
            "TRUEPREDICATE",
            "level < 3",
            "nothing == 1",
            "level <",
            "owner.level == 1",
        ]);
        let class = self.pick(&["Item", "Item", "Missing"]);
        BTreeMap::from([(class.to_owned(), text.to_owned())])
    }

    fn message(&mut self) -> ClientMessage {
        let session = SessionIdent(1 + self.below(8) / 7);
        match self.below(20) {
            0 => ClientMessage::Bind(Bind {
                session,
                reason: SessionReason::Sync,
                schema_version: self.pick(&[0, 0, 0, 7]),
                need_ident: self.below(2) == 0,
            }),
            1 => {
                let forged = self.below(8) == 0;
                ClientMessage::Ident(ClientIdent {
                    session,
                    ident: FileIdent(if forged { self.version() } else { self.ident }),
                    salt: Salt(if forged { 1 + self.below(9) } else { self.salt }),
                    scan_server_version: ServerVersion(self.pick(&[0, 0, 0, 1, 5])),
                    scan_client_version: ClientVersion(self.pick(&[0, 0, 0, 3])),
                    latest_server_version: ServerVersion(self.pick(&[0, 0, 5])),
                    latest_salt: Salt(4711),
                    query_version: QueryVersion(0),
                    query: if self.below(3) == 0 { self.query() } else { BTreeMap::new() },
                })
            }
            2..=5 => ClientMessage::Query(Query {
                session,
                version: QueryVersion(self.growing()),
                query: self.query(),
            }),
            6..=16 => {
                let mut entries = Vec::new();
                for _ in 0..self.below(3) {
                    let version = self.growing();
                    let (base, stamp) =
                        (self.pick(&[0, 0, 0, 0, 1, 2]), self.pick(&[0, 1, 5, 1, -1]));
                    entries.push(entry(version, base, stamp, self.changeset()));
                }
                let progress = if self.below(9) == 0 { self.version() } else { self.next };
                upload(session, progress, entries)
            }
            17 => ClientMessage::Mark(Mark { session, request: self.growing() }),
            18 if self.below(3) == 0 => ClientMessage::Unbind(session),
            18 if self.below(2) == 0 => {
                ClientMessage::Error(ClientError { session, code: 212, message: "no".to_owned() })
            }
            _ => ClientMessage::Ping(Ping { timestamp_ms: self.version(), rtt_ms: 0 }),
        }
    }
}

/// A column of each kind of collection, one of embedded objects, and a mixed.
fn collections() -> Vec<Instruction> {
    let text = PropertyType::String;
    let properties = [
        ("Part", Property::scalar("size", PropertyType::Int, false)),
        ("Part", Property::collection("tags", CollectionType::List, text, true)),
        ("Item", Property::collection("tags", CollectionType::List, text, true)),
        ("Item", Property::collection("set", CollectionType::Set, PropertyType::Mixed, true)),
        (
            "Item",
            Property::collection("map", CollectionType::Dictionary, PropertyType::Mixed, true),
        ),
        ("Item", Property::links("parts", CollectionType::List, "Part")),
        ("Item", Property::scalar("any", PropertyType::Mixed, true)),
    ];
    let columns = properties.map(|(class, property)| Instruction::AddColumn {
        class: class.into(),
        key_type: (property.collection == CollectionType::Dictionary).then_some(text),
        field: property.name,
        ty: property.ty,
        nullable: property.nullable,
        collection: property.collection,
        target: property.target.map(Box::new),
    });
    columns.into()
}

fn packed(instructions: Vec<Instruction>) -> Arc<[u8]> {
    let encoded = encode_changeset(&Changeset::from(instructions));
    pack(&encoded.expect("the instructions are well-formed")).into()
}

fn entry(version: i64, base: i64, stamp: i64, changeset: Arc<[u8]>) -> UploadEntry {
    UploadEntry {
        client_version: ClientVersion(version),
        server_version: ServerVersion(base),
        stamp: Stamp(stamp),
        origin: FileIdent(0),
        changeset,
    }
}

fn upload(session: SessionIdent, progress: i64, entries: Vec<UploadEntry>) -> ClientMessage {
    ClientMessage::Upload(Upload {
        session,
        progress_client_version: ClientVersion(progress),
        progress_server_version: ServerVersion(
            entries.last().map_or(0, |last| last.server_version.0),
        ),
        locked_server_version: ServerVersion(0),
        entries,
    })
}

/// Opens a connection and says what a new file says first.
fn begin(engine: &mut Engine, hostile: &mut Hostile, now_ms: i64) -> ConnectionId {
    let foe = engine.connect(&user("u0"), now_ms).expect("the user is well described");
    let bind = ClientMessage::Bind(Bind {
        session: SessionIdent(1),
        reason: SessionReason::Sync,
        schema_version: 0,
        need_ident: true,
    });
    let output = engine.process(&[(foe, &encode_client_message(&bind))], &[], now_ms);
    for frame in output.expect("the store works").frames.iter().flat_map(|(_, frames)| frames) {
        if let Ok(ServerMessage::Ident(ident)) = decode_server_message(frame) {
            (hostile.ident, hostile.salt, hostile.next) = (ident.ident.0, ident.salt.0, 1);
        }
    }
    let frames: Vec<Vec<u8>> = hostile.prelude().iter().map(encode_client_message).collect();
    let batch: Vec<(ConnectionId, &[u8])> =
        frames.iter().map(|frame| (foe, frame.as_slice())).collect();
    engine.process(&batch, &[], now_ms).expect("the store works");
    foe
}

fn engine(folder: &std::path::Path) -> Engine {
    let store = SqliteStore::open(&folder.join("server.db"), Synchronous::Normal, Salt(4711))
        .expect("the store opens");
    let role = json!({"name": "role", "apply_when": {}, "read": true, "write": true,
        "document_filters": {"read": {"owner": "%%user.id"}, "write": {"owner": "%%user.id"}}});
    let config = json!({"sync": {"development_mode_enabled": true},
        "queryable_fields": ["owner", "level"], "default_roles": [role]});
    let mut state = 7_u64;
    let entropy = Box::new(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        state
    });
    Engine::open(Box::new(store), &config.to_string(), entropy).expect("the engine opens")
}

fn user(id: &str) -> String {
    json!({"id": id, "type": "normal"}).to_string()
}

/// A PING of another connection is answered in the same batch.
fn is_alive(engine: &mut Engine, friend: ConnectionId, at_ms: i64) -> bool {
    let ping = ClientMessage::Ping(Ping { timestamp_ms: at_ms, rtt_ms: 0 });
    let frame = encode_client_message(&ping);
    let output = engine.process(&[(friend, &frame)], &[], at_ms).expect("the store works");
    output.frames.iter().any(|(connection, frames)| {
        *connection == friend
            && frames.iter().any(|frame| {
                matches!(decode_server_message(frame), Ok(ServerMessage::Pong(pong)) if pong.timestamp_ms == at_ms)
            })
    })
}

#[test]
fn nothing_that_a_client_says_disturbs_the_others() {
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..150 {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = engine(folder.path());
        let mut now_ms = 1_700_000_000_000;
        let friend = engine.connect(&user("friend"), now_ms).unwrap();
        let mut hostile = Hostile { random: Random(seed), ident: 2, salt: 1, next: 1 };
        let mut foe = begin(&mut engine, &mut hostile, now_ms);
        for _ in 0..60 {
            now_ms += 1;
            let count = 1 + hostile.below(3);
            let frames: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let mut frame = encode_client_message(&hostile.message());
                    if hostile.below(20) == 0 {
                        frame.truncate(frame.len() / 2);
                    }
                    frame
                })
                .collect();
            let batch: Vec<(ConnectionId, &[u8])> =
                frames.iter().map(|frame| (foe, frame.as_slice())).collect();
            let output = engine
                .process(&batch, &[foe], now_ms)
                .unwrap_or_else(|error| panic!("seed {seed}: the store failed: {error}"));
            for kind in ["SYNC_CLIENT_WRITE", "ProtocolErrorCode=231", "SYNC_ERROR"] {
                let found = output.log.iter().filter(|line| line.contains(kind)).count();
                *reached.entry(kind).or_default() += found;
            }
            assert!(output.closes.iter().all(|(connection, ..)| *connection == foe), "seed {seed}");
            if !output.closes.is_empty() {
                foe = begin(&mut engine, &mut hostile, now_ms);
            }
            assert!(is_alive(&mut engine, friend, now_ms), "seed {seed}: the friend got no PONG");
        }
    }
    // The test is worth something only if the messages get that far.
    assert!(reached.values().all(|&count| count > 5), "{reached:?}");
}
