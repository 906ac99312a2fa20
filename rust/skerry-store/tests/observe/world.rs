//! Random commits by two handles of one file: local writes, and integrations that leave links
//! dangling and bring their targets back.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    Changeset, ClassSchema, CollectionType, FileIdent, Instruction, Name, ObjectId, ObjectKey,
    ObjectRef, Path, PathElement, Payload, Property, PropertyType, QueryVersion, Schema,
    ServerVersion, Stamp, UpdateSide, Value,
};
use skerry_store::Realm;
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, Snapshot, Subscription};

pub const TIMEOUT: Duration = Duration::from_secs(20);
const ITEMS: i64 = 6;
const PERSONS: [&str; 3] = ["p", "q", "r"];

pub fn schema() -> Schema {
    let class = |name: &str, key, properties: Vec<Property>| ClassSchema {
        name: name.into(),
        primary_key: "_id".into(),
        properties: [vec![Property::scalar("_id", key, false)], properties].concat(),
        embedded: false,
    };
    let item = class(
        "Item",
        PropertyType::Int,
        vec![
            Property::scalar("n", PropertyType::Int, false),
            Property::scalar("s", PropertyType::String, true),
            Property::link("owner", "Person"),
            Property::link("next", "Item"),
            Property::collection("tags", CollectionType::List, PropertyType::String, false),
            Property::links("items", CollectionType::List, "Item"),
            Property::links("peers", CollectionType::Set, "Person"),
            Property::collection("map", CollectionType::Dictionary, PropertyType::Mixed, true),
            Property::link("part", "Part"),
            Property::links("parts", CollectionType::List, "Part"),
            Property::scalar("mixed", PropertyType::Mixed, true),
        ],
    );
    let person = class(
        "Person",
        PropertyType::String,
        vec![
            Property::scalar("name", PropertyType::String, false),
            Property::link("boss", "Person"),
        ],
    );
    let part = ClassSchema {
        name: "Part".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("size", PropertyType::Int, false),
            Property::link("who", "Person"),
        ],
        embedded: true,
    };
    let alone = class("Alone", PropertyType::Int, vec![]);
    Schema::new([item, person, part, alone]).unwrap()
}

pub fn item(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

pub fn person(key: &str) -> ObjectRef {
    ObjectRef::new("Person", ObjectKey::String(key.into()))
}

fn link(object: ObjectRef) -> Value {
    Value::link(object.class, object.key)
}

/// Edits of one transaction.
#[derive(Clone, Debug)]
pub struct Commit {
    pub steps: Vec<Step>,
    /// By the handle without columns in memory.
    pub is_other: bool,
    /// As a download.
    pub is_remote: bool,
}

#[derive(Clone, Debug)]
pub enum Step {
    Create(ObjectRef, Vec<(Name, Value)>),
    Delete(ObjectRef),
    At(Path, Edit),
}

fn any_item() -> impl Strategy<Value = ObjectRef> {
    (0..ITEMS).prop_map(item)
}

fn any_person() -> impl Strategy<Value = ObjectRef> {
    prop::sample::select(PERSONS.to_vec()).prop_map(person)
}

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(Value::string)
}

fn value_of(field: &'static str) -> BoxedStrategy<Value> {
    let null = Just(Value::Null);
    match field {
        "n" | "size" => (-1..6_i64).prop_map(Value::Int).boxed(),
        "name" => text().boxed(),
        "s" => prop_oneof![1 => null, 3 => text()].boxed(),
        "next" => prop_oneof![1 => null, 3 => any_item().prop_map(link)].boxed(),
        "mixed" => {
            prop_oneof![null, text(), any_item().prop_map(link), any_person().prop_map(link),]
                .boxed()
        }
        _ => prop_oneof![1 => null, 3 => any_person().prop_map(link)].boxed(),
    }
}

fn set(object: ObjectRef, field: &'static str, elements: Vec<PathElement>) -> BoxedStrategy<Step> {
    let last = match elements.last() {
        Some(PathElement::Key(name)) if **name == *"size" => "size",
        Some(PathElement::Key(_)) => "who",
        _ => field,
    };
    let path = Path::new(object, field, elements);
    let edit = move |value| Step::At(path.clone(), Edit::Set { value, is_default: false });
    value_of(last).prop_map(edit).boxed()
}

fn edit(path: Path, edits: BoxedStrategy<Edit>) -> BoxedStrategy<Step> {
    edits.prop_map(move |edit| Step::At(path.clone(), edit)).boxed()
}

fn list_edit(element: BoxedStrategy<Value>) -> BoxedStrategy<Edit> {
    let index = || 0..3_u32;
    let insert = |(index, value)| Edit::ListInsert { index, value: Payload::Value(value) };
    prop_oneof![
        3 => (index(), element.clone()).prop_map(insert),
        1 => (index(), element).prop_map(|(index, value)| Edit::ListSet { index, value }),
        1 => (index(), index()).prop_map(|(from, to)| Edit::ListMove { from, to }),
        1 => index().prop_map(|index| Edit::ListErase { index }),
        1 => Just(Edit::Clear),
    ]
    .boxed()
}

fn collection_edit(object: &ObjectRef) -> BoxedStrategy<Step> {
    let at = |field: &'static str| Path::property(object.clone(), field);
    let embedded_index =
        (0..2_u32).prop_map(|index| Edit::ListInsert { index, value: Payload::ObjectValue });
    let parts = prop_oneof![
        2 => embedded_index,
        1 => (0..2_u32).prop_map(|index| Edit::ListErase { index }),
        1 => (0..2_u32, 0..2_u32).prop_map(|(from, to)| Edit::ListMove { from, to }),
    ];
    let peers = prop_oneof![
        2 => any_person().prop_map(|one| Edit::SetInsert(link(one))),
        1 => any_person().prop_map(|one| Edit::SetErase(link(one))),
    ];
    let key = prop::sample::select(vec!["x", "y"]).prop_map(Name::from);
    let map = prop_oneof![
        3 => (key.clone(), value_of("mixed"))
            .prop_map(|(key, value)| Edit::DictionarySet { key, value }),
        1 => key.prop_map(|key| Edit::DictionaryErase { key }),
    ];
    let mixed = prop_oneof![
        Just(Edit::SetCollection(CollectionType::List)),
        Just(Edit::SetCollection(CollectionType::Dictionary)),
        list_edit(value_of("mixed")),
    ];
    prop_oneof![
        edit(at("tags"), list_edit(text().boxed())),
        edit(at("items"), list_edit(any_item().prop_map(link).boxed())),
        edit(at("parts"), parts.boxed()),
        edit(at("peers"), peers.boxed()),
        edit(at("map"), map.boxed()),
        edit(at("mixed"), mixed.boxed()),
        edit(at("part"), Just(Edit::SetEmbedded).boxed()),
    ]
    .boxed()
}

fn item_edit(object: &ObjectRef) -> BoxedStrategy<Step> {
    let key = |name: &str| PathElement::Key(name.into());
    let at = |index| PathElement::Index(index);
    prop_oneof![
        set(object.clone(), "n", vec![]),
        set(object.clone(), "s", vec![]),
        set(object.clone(), "owner", vec![]),
        set(object.clone(), "next", vec![]),
        set(object.clone(), "mixed", vec![]),
        set(object.clone(), "part", vec![key("size")]),
        set(object.clone(), "part", vec![key("who")]),
        set(object.clone(), "parts", vec![at(0), key("who")]),
        set(object.clone(), "parts", vec![at(1), key("size")]),
        Just(Step::At(Path::property(object.clone(), "n"), Edit::AddInteger(1))),
        collection_edit(object),
        collection_edit(object),
    ]
    .boxed()
}

fn step() -> impl Strategy<Value = Step> {
    let values = (value_of("n"), value_of("s"), value_of("owner"), value_of("next"));
    let create_item = (any_item(), values).prop_map(|(object, (n, s, owner, next))| {
        let values = [("n", n), ("s", s), ("owner", owner), ("next", next)];
        Step::Create(object, values.map(|(name, value)| (name.into(), value)).to_vec())
    });
    let create_person =
        (any_person(), value_of("name"), value_of("boss")).prop_map(|(object, name, boss)| {
            Step::Create(object, vec![("name".into(), name), ("boss".into(), boss)])
        });
    let edit_person = any_person().prop_flat_map(|object| {
        prop_oneof![set(object.clone(), "name", vec![]), set(object, "boss", vec![])]
    });
    let alone = (0..3_i64)
        .prop_map(|key| Step::Create(ObjectRef::new("Alone", ObjectKey::Int(key)), Vec::new()));
    prop_oneof![
        4 => create_item,
        3 => create_person,
        2 => any_item().prop_map(Step::Delete),
        1 => any_person().prop_map(Step::Delete),
        4 => edit_person,
        10 => any_item().prop_flat_map(|object| item_edit(&object)),
        1 => alone,
    ]
}

pub fn commit() -> impl Strategy<Value = Commit> {
    (prop::collection::vec(step(), 0..7), any::<bool>(), prop::bool::weighted(0.4))
        .prop_map(|(steps, is_other, is_remote)| Commit { steps, is_other, is_remote })
}

pub struct World {
    realms: [Realm; 2],
    server_version: i64,
    _folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.realm");
        let open = |query_cache_bytes| {
            let (schema, synchronous) = (schema(), Synchronous::Normal);
            let options = Options {
                schema,
                synced: true,
                synchronous,
                query_cache_bytes,
                encryption_key: None,
            };
            Realm::open(&path, &options).unwrap()
        };
        let realms = [open(1 << 20), open(0)];
        let all = [(1, "Item"), (2, "Person"), (3, "Alone")].map(|(id, class)| Subscription {
            id: ObjectId([id; 12]),
            name: None,
            class: class.into(),
            query: "TRUEPREDICATE".to_owned(),
            created_ms: 0,
            updated_ms: 0,
        });
        realms[0].commit_subscriptions(all.to_vec(), QueryVersion(0)).unwrap();
        Self { realms, server_version: 0, _folder: folder }
    }

    pub fn snapshot(&self) -> Snapshot {
        self.realms[0].snapshot().unwrap()
    }

    pub fn apply(&mut self, commit: &Commit) {
        let realm = &self.realms[usize::from(commit.is_other)];
        if commit.is_remote {
            self.server_version += 1;
            let version = ServerVersion(self.server_version);
            let mut integration = realm.begin_integration(TIMEOUT).unwrap();
            let snapshot = realm.snapshot().unwrap();
            let instructions = instructions(&snapshot, &commit.steps);
            integration
                .apply(&Changeset { instructions }, version, FileIdent(3), Stamp(1))
                .unwrap();
            integration.commit().unwrap();
            return;
        }
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        for step in &commit.steps {
            let op = match step.clone() {
                Step::Create(object, values) => Op::Create { object, values, is_default: false },
                Step::Delete(object) => Op::Delete { object },
                Step::At(path, edit) => Op::At { path, edit },
            };
            // What does not fit is refused and changes nothing.
            let _refused = txn.edit(&op);
        }
        txn.commit(Stamp(1)).unwrap();
    }
}

/// What a server could send of the steps: links may dangle, and objects be erased under them.
fn instructions(snapshot: &Snapshot, steps: &[Step]) -> Vec<Instruction> {
    let mut there: BTreeMap<ObjectRef, bool> = BTreeMap::new();
    let mut is_there = |object: &ObjectRef, change: Option<bool>| {
        let read = || snapshot.get(&object.class, &object.key).unwrap().is_some();
        let known = there.entry(object.clone()).or_insert_with(read);
        change.map_or(*known, |change| std::mem::replace(known, change))
    };
    let mut said = Vec::new();
    for step in steps.iter().cloned() {
        match step {
            Step::Create(object, values) => {
                is_there(&object, Some(true));
                said.push(Instruction::CreateObject { object: object.clone() });
                said.extend(values.into_iter().map(|(name, value)| Instruction::Update {
                    path: Path::property(object.clone(), name),
                    value: Payload::Value(value),
                    side: UpdateSide::IsDefault(false),
                }));
            }
            Step::Delete(object) => {
                is_there(&object, Some(false));
                said.push(Instruction::EraseObject { object });
            }
            Step::At(path, edit) if path.elements.is_empty() && is_there(&path.object, None) => {
                said.extend(instruction(path, edit));
            }
            Step::At(..) => {}
        }
    }
    said
}

fn instruction(path: Path, edit: Edit) -> Option<Instruction> {
    let is_set = &*path.field == "peers";
    match edit {
        Edit::Set { value, .. } => Some(Instruction::Update {
            path,
            value: Payload::Value(value),
            side: UpdateSide::IsDefault(false),
        }),
        Edit::AddInteger(value) => Some(Instruction::AddInteger { path, value }),
        Edit::SetInsert(value) if is_set => Some(Instruction::SetInsert { path, value }),
        Edit::SetErase(value) if is_set => Some(Instruction::SetErase { path, value }),
        Edit::Clear if &*path.field != "mixed" => {
            Some(Instruction::Clear { path, collection: CollectionType::List })
        }
        _ => None,
    }
}
