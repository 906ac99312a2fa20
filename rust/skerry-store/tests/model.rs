//! The realm file against a map in memory: random transactions, some rolled back, some across
//! closing and opening again, read back bit for bit.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::collections::BTreeMap;

use common::realms::*;
use common::*;
use proptest::prelude::*;
use skerry_model::{
    ClientVersion, Content, Decimal128, Name, ObjectId, ObjectKey, ObjectRef, Property,
    PropertyType, Stamp, Timestamp, Uuid, Value, decode_changeset, unpack,
};
use skerry_store::realm::{UpdatePolicy, WriteTxn};
use skerry_store::{ObjectTables, Realm};

/// The objects as they are stored: links to absent objects are links.
type Model = BTreeMap<i64, Vec<Content>>;

#[derive(Clone, Debug)]
enum Edit {
    Create(i64),
    Set(i64, usize, Value),
    Add(i64, i64),
    Delete(i64),
}

#[derive(Clone, Debug)]
struct Step {
    edits: Vec<Edit>,
    is_committed: bool,
    is_reopened: bool,
}

fn key() -> impl Strategy<Value = i64> {
    prop_oneof![0..5_i64, Just(i64::MIN), Just(i64::MAX)]
}

fn value_of(ty: PropertyType) -> BoxedStrategy<Value> {
    match ty {
        PropertyType::Int => any::<i64>().prop_map(Value::Int).boxed(),
        PropertyType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        // All bit patterns: NaNs with payloads, both zeros, subnormals.
        PropertyType::Double => prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            prop::sample::select(vec![0.0, -0.0, f64::NAN, 1.0, -3.0]),
        ]
        .prop_map(Value::Double)
        .boxed(),
        PropertyType::String => ".{0,6}".prop_map(Value::string).boxed(),
        PropertyType::Binary => {
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::binary).boxed()
        }
        PropertyType::Timestamp => (any::<i64>(), 0..1_000_000_000_i32)
            .prop_map(|(s, ns)| Timestamp::new(s, if s < 0 { -ns } else { ns }).unwrap())
            .prop_map(Value::Timestamp)
            .boxed(),
        PropertyType::ObjectId => {
            any::<[u8; 12]>().prop_map(|b| Value::ObjectId(ObjectId(b))).boxed()
        }
        PropertyType::Uuid => any::<[u8; 16]>().prop_map(|b| Value::Uuid(Uuid(b))).boxed(),
        PropertyType::Decimal => (any::<bool>(), 0..Decimal128::COEFFICIENT_MAX, -6176..6111_i32)
            .prop_map(|(sign, digits, e)| Decimal128::from_parts(sign, digits, e).unwrap())
            .prop_map(Value::Decimal)
            .boxed(),
        PropertyType::Link => key().prop_map(|key| link(all(key))).boxed(),
        PropertyType::Mixed | PropertyType::Float | PropertyType::GlobalKey => unreachable!(),
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let schema = schema();
    let properties = schema.class("All").unwrap().properties.clone();
    let set = (key(), 1..properties.len()).prop_flat_map(move |(key, position)| {
        let property = &properties[position];
        let null = u32::from(property.nullable);
        prop_oneof![null => Just(Value::Null), 4 => value_of(property.ty)]
            .prop_map(move |value| Edit::Set(key, position, value))
    });
    prop_oneof![
        2 => key().prop_map(Edit::Create),
        6 => set,
        1 => (key(), any::<i64>()).prop_map(|(key, amount)| Edit::Add(key, amount)),
        1 => key().prop_map(Edit::Delete),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (prop::collection::vec(edit(), 0..12), prop::bool::weighted(0.8), prop::bool::weighted(0.2))
        .prop_map(|(edits, is_committed, is_reopened)| Step { edits, is_committed, is_reopened })
}

fn zero_object(key: i64) -> Vec<Content> {
    let schema = schema();
    let properties = schema.class("All").unwrap().properties.iter().skip(1);
    std::iter::once(Value::Int(key).into()).chain(properties.map(Property::zero)).collect()
}

fn apply(txn: &mut WriteTxn, model: &mut Model, edit: &Edit) {
    let class: Name = "All".into();
    match edit {
        Edit::Create(key) => {
            let is_new = !model.contains_key(key);
            let made = txn.create(&class, &ObjectKey::Int(*key), &[], &[], UpdatePolicy::All);
            assert_eq!(made.unwrap(), is_new);
            model.entry(*key).or_insert_with(|| zero_object(*key));
        }
        Edit::Set(key, position, value) => {
            let name = schema().class("All").unwrap().properties[*position].name.clone();
            let done = txn.set(&class, &ObjectKey::Int(*key), &name, value);
            assert_eq!(done.is_ok(), model.contains_key(key));
            if let Some(object) = model.get_mut(key) {
                object[*position] = value.clone().into();
            }
        }
        Edit::Add(key, amount) => {
            let done = txn.add_integer(&class, &ObjectKey::Int(*key), &"int".into(), *amount);
            assert_eq!(done.is_ok(), model.contains_key(key));
            let held = model.get_mut(key).map(|object| &mut object[1]);
            if let Some(Content::Value(Value::Int(int))) = held {
                *int = int.wrapping_add(*amount);
            }
        }
        Edit::Delete(key) => {
            let existed = txn.delete(&class, &ObjectKey::Int(*key)).unwrap();
            assert_eq!(existed, model.remove(key).is_some());
            if existed {
                for object in model.values_mut() {
                    let next = object.last_mut().unwrap();
                    if *next == link(all(*key)) {
                        *next = Content::NULL;
                    }
                }
            }
        }
    }
}

/// What an application sees of the model.
fn visible(model: &Model) -> Model {
    let see = |content: &Content| match content {
        Content::Value(Value::Link(link)) => match link.key {
            ObjectKey::Int(key) if model.contains_key(&key) => content.clone(),
            _ => Content::NULL,
        },
        other => other.clone(),
    };
    model.iter().map(|(key, object)| (*key, object.iter().map(see).collect())).collect()
}

fn read(realm: &Realm) -> Model {
    let snapshot = realm.snapshot().unwrap();
    let rows = snapshot.query(&"All".into(), "TRUEPREDICATE", &[]).unwrap();
    let by_key = |row: Vec<Content>| match row[0] {
        Content::Value(Value::Int(key)) => (key, row),
        ref other => panic!("{other:?}"),
    };
    rows.into_iter().map(by_key).collect()
}

fn replay(realm: &Realm) -> Model {
    let (connection, mut tables): (_, ObjectTables) = memory_tables();
    for entry in realm.uploads(ClientVersion(0), None, usize::MAX).unwrap().entries {
        let bytes = unpack(&entry.changeset, 1 << 24).unwrap();
        tables.apply_changeset(&connection, &decode_changeset(&bytes).unwrap()).unwrap();
    }
    let mut model = Model::new();
    tables
        .for_each(&connection, &"All".into(), |row| {
            if let Content::Value(Value::Int(key)) = row[0] {
                model.insert(key, row);
            }
            Ok(())
        })
        .unwrap();
    model
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_file_holds_what_a_map_holds(steps in prop::collection::vec(step(), 1..10)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let mut realm = subscribed(&path);
        let mut model = Model::new();
        for step in steps {
            let mut txn = realm.begin_write(TIMEOUT).unwrap();
            let mut changed = model.clone();
            for edit in &step.edits {
                apply(&mut txn, &mut changed, edit);
            }
            for (key, values) in &visible(&changed) {
                let object = ObjectRef::new("All", ObjectKey::Int(*key));
                let read = txn.get(&object.class, &object.key).unwrap();
                prop_assert_eq!(read.as_ref(), Some(values), "inside the transaction");
            }
            if step.is_committed {
                txn.commit(Stamp(1)).unwrap();
                model = changed;
            } else {
                txn.rollback();
            }
            if step.is_reopened {
                drop(realm);
                realm = open(&path, true);
            }
            prop_assert_eq!(read(&realm), visible(&model));
        }
        prop_assert_eq!(replay(&realm), model, "the history says the same");
    }
}
