//! Edits of every kind on a real file: it holds what the recorded instructions make of objects in
//! memory, and knows who links to whom.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path as FilePath;

use common::create;
use common::kinds::*;
use common::realms::*;
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    ClientVersion, CollectionType, Content, Instruction, Name, ObjectRef, Path, PathElement,
    Payload, PropertyType, Stamp, Value, decode_changeset, unpack,
};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES};
use skerry_store::{ObjectTables, Realm};

/// Numbers for choices, from one seed (`SplitMix64`).
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn index(&mut self, bound: usize) -> u32 {
        u32::try_from(self.below(bound)).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn object(&mut self) -> ObjectRef {
        match self.below(6) {
            0 => other(["a", "b"][self.below(2)]),
            _ => thing(i64::from(self.index(usize::try_from(THINGS).unwrap()))),
        }
    }

    fn name(&mut self) -> Name {
        Name::from(*self.of(&["a", "b", "size", "owner", "peers", "tags", "part", "mixed"]))
    }

    /// An object that exists, mostly.
    fn found(&mut self, memory: &Memory) -> ObjectRef {
        let objects: Vec<&ObjectRef> = memory.0.keys().collect();
        if objects.is_empty() || self.below(8) == 0 {
            return self.object();
        }
        objects[self.below(objects.len())].clone()
    }

    /// A value that mostly fits a property of that type.
    fn value(&mut self, ty: PropertyType, memory: &Memory) -> Value {
        let int = i64::from(self.index(4));
        let ty = if self.below(6) == 0 { PropertyType::Mixed } else { ty };
        match ty {
            PropertyType::Int => Value::Int(int),
            PropertyType::String => Value::string(["", "text", "1"][self.below(3)]),
            PropertyType::Float => Value::Float(0.1),
            PropertyType::Link => loop {
                let object = self.found(memory);
                if &*object.class == "Thing" {
                    break link_to(&object);
                }
            },
            _ => match self.below(8) {
                0 => Value::Null,
                1 => Value::string("text"),
                2 => Value::Double(1.0),
                3..6 => link_to(&self.found(memory)),
                _ => Value::Int(int),
            },
        }
    }

    /// An edit that often, not always, fits what is there.
    fn op(&mut self, memory: &Memory) -> Op {
        match self.below(100) {
            0..5 => {
                let (object, values) = (self.object(), Vec::new());
                return Op::Create { object, values, is_default: false };
            }
            5 => return Op::Delete { object: self.found(memory) },
            _ => {}
        }
        let (object, schema) = (self.found(memory), kinds());
        let mut properties = &schema.class(&object.class).unwrap().properties;
        // The key itself seldom.
        let first = usize::from(self.below(16) > 0);
        let mut property = &properties[first + self.below(properties.len() - first)];
        let mut path = Path::property(object, property.name.clone());
        let (mut elements, mut ty) = (Vec::new(), property.ty);
        let mut found = memory.content(&schema, &path.object, &path.field);
        // Down into what is there, and now and then beyond.
        while let Some(content) = found {
            if self.below(4) == 0 {
                break;
            }
            let (element, inner) = match content {
                Content::List(list) if !list.is_empty() && self.below(4) == 0 => {
                    let index = self.index(list.len());
                    (PathElement::Index(index), list.get(usize::try_from(index).unwrap()))
                }
                Content::Object(fields) => {
                    properties = &schema.class("Part").unwrap().properties;
                    property = &properties[self.below(properties.len())];
                    ty = property.ty;
                    (PathElement::Key(property.name.clone()), fields.get(&property.name))
                }
                Content::Dictionary(fields) => {
                    let known: Vec<&Name> = fields.keys().collect();
                    let is_known = !known.is_empty() && self.below(4) > 0;
                    let key = if is_known { (*self.of(&known)).clone() } else { self.name() };
                    let inner = fields.get(&key);
                    (PathElement::Key(key), inner)
                }
                Content::List(_) | Content::Set(_) | Content::Value(_) => break,
            };
            if ty == PropertyType::Mixed && !matches!(content, Content::Object(_)) {
                property = &properties[0];
            }
            elements.push(element);
            found = inner;
        }
        let is_embedded = property.target.as_deref() == Some("Part");
        path.elements = elements.into();
        Op::At { edit: self.edit(found, ty, is_embedded, memory), path }
    }

    fn edit(
        &mut self,
        found: Option<&Content>,
        ty: PropertyType,
        is_embedded: bool,
        memory: &Memory,
    ) -> Edit {
        let size = match found {
            Some(Content::List(list)) => list.len(),
            _ => 1,
        };
        // Seldom one beyond the end.
        let bound = if self.below(8) == 0 { size + 2 } else { size.max(1) };
        // What is empty is filled.
        let choice = if size == 0 { 0 } else { self.below(10) };
        match (found, choice) {
            (Some(Content::List(_)), 0..5) => {
                let value = match self.below(6) {
                    0 => Payload::List,
                    1 => Payload::Dictionary,
                    2 => Payload::ObjectValue,
                    _ if is_embedded => Payload::ObjectValue,
                    _ => Payload::Value(self.value(ty, memory)),
                };
                Edit::ListInsert { index: self.index(bound), value }
            }
            (Some(Content::List(_)), 5) => {
                Edit::ListSet { index: self.index(bound), value: self.value(ty, memory) }
            }
            (Some(Content::List(_)), 6 | 7) => {
                Edit::ListMove { from: self.index(bound), to: self.index(bound) }
            }
            (Some(Content::List(_)), 8) => Edit::ListErase { index: self.index(bound) },
            (Some(Content::Set(_)), 0..6) => Edit::SetInsert(self.value(ty, memory)),
            (Some(Content::Set(_)), 6..9) => Edit::SetErase(self.value(ty, memory)),
            (Some(Content::Dictionary(_)), 0..6) if !is_embedded => {
                Edit::DictionarySet { key: self.name(), value: self.value(ty, memory) }
            }
            (Some(Content::Dictionary(_)), 0..8) => Edit::DictionaryErase { key: self.name() },
            (Some(Content::List(_) | Content::Set(_) | Content::Dictionary(_)), _) => Edit::Clear,
            (_, 0..5) if is_embedded => Edit::SetEmbedded,
            (_, 0) => Edit::SetEmbedded,
            (_, 1) => Edit::SetCollection(CollectionType::List),
            (_, 2) if ty == PropertyType::Mixed => Edit::SetCollection(CollectionType::List),
            (_, 3 | 4) if ty == PropertyType::Mixed => {
                Edit::SetCollection(CollectionType::Dictionary)
            }
            (_, 5) => Edit::AddInteger(i64::from(self.index(9))),
            (_, _) => Edit::Set { value: self.value(ty, memory), is_default: false },
        }
    }
}

#[derive(Clone, Debug)]
struct Step {
    edits: Vec<u64>,
    is_committed: bool,
    is_reopened: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let edits = prop::collection::vec(any::<u64>(), 0..160);
    (edits, prop::bool::weighted(0.8), prop::bool::weighted(0.2))
        .prop_map(|(edits, is_committed, is_reopened)| Step { edits, is_committed, is_reopened })
}

fn open_kinds(path: &FilePath) -> Realm {
    let options = Options {
        schema: kinds(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    Realm::open(path, &options).unwrap()
}

fn subscribed_kinds(path: &FilePath) -> Realm {
    let realm = open_kinds(path);
    let items = ["Thing", "Other"].map(|class| subscription(class, "TRUEPREDICATE"));
    realm.commit_subscriptions(items.into(), skerry_model::QueryVersion(0)).unwrap();
    realm
}

/// What the history's changesets make of nothing.
fn replayed(realm: &Realm) -> Memory {
    let connection = Connection::open_in_memory().unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    for entry in realm.uploads(ClientVersion(0), None, usize::MAX).unwrap().entries {
        let bytes = unpack(&entry.changeset, 1 << 24).unwrap();
        tables.apply_changeset(&connection, &decode_changeset(&bytes).unwrap()).unwrap();
    }
    check_holders(&connection, &tables);
    stored(&connection, &tables)
}

fn check_holders(connection: &Connection, tables: &ObjectTables) {
    let targets = (0..THINGS).map(thing).chain(["a", "b"].map(other));
    for target in targets {
        let scanned = scan_for_holders(connection, tables, &target);
        assert_eq!(tables.holders(connection, &target).unwrap(), scanned, "{target:?}");
    }
    let strays: i64 = connection
        .query_row(
            "SELECT count(*) FROM content_link WHERE class_id = 3
                 AND row_id NOT IN (SELECT row_id FROM o3)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(strays, 0, "the side table names objects that are no more");
}

fn check_file(path: &FilePath, memory: &Memory) {
    let connection = Connection::open(path).unwrap();
    let tables = ObjectTables::open(&connection).unwrap();
    assert_eq!(&stored(&connection, &tables), memory);
    check_holders(&connection, &tables);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_file_holds_what_the_recorded_instructions_make(
        steps in prop::collection::vec(step(), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let (mut realm, schema) = (subscribed_kinds(&path), kinds());
        let mut memory = Memory::default();
        let all: Vec<Instruction> = (0..THINGS).map(|key| create(thing(key))).collect();
        memory.apply(&schema, &all);
        write(&realm, 1, |txn| {
            for object in memory.0.keys() {
                let (object, values) = (object.clone(), Vec::new());
                txn.edit(&Op::Create { object, values, is_default: false }).unwrap();
            }
        });
        for step in steps {
            let mut txn = realm.begin_write(TIMEOUT).unwrap();
            let mut changed = memory.clone();
            for seed in step.edits {
                let mut choices = Choices(seed);
                let op = choices.op(&changed);
                let before = txn.instructions().len();
                let done = txn.edit(&op);
                changed.apply(&schema, &txn.instructions()[before..]);
                prop_assert!(done.is_ok() || txn.instructions().len() == before, "{:?}", op);
                if choices.below(4) == 0 {
                    let object = choices.object();
                    let seen = txn.get(&object.class, &object.key).unwrap();
                    prop_assert_eq!(seen, changed.seen(&schema, &object), "after {:?}", op);
                }
            }
            if step.is_committed {
                txn.commit(Stamp(1)).unwrap();
                memory = changed;
            } else {
                txn.rollback();
            }
            if step.is_reopened {
                drop(realm);
                realm = open_kinds(&path);
            }
            check_file(&path, &memory);
            let snapshot = realm.snapshot().unwrap();
            for object in memory.0.keys() {
                let seen = snapshot.get(&object.class, &object.key).unwrap();
                prop_assert_eq!(seen, memory.seen(&schema, object));
            }
        }
        prop_assert_eq!(replayed(&realm), memory, "the history says the same");
    }
}
