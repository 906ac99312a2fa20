//! Random programs for the peers: proptest strategies over a small world, so that edits meet.
//!
//! Edits are drawn without looking at any state; peers leave out what is not possible where it is
//! to be done. Clocks are drawn from a few values: ties, and clocks that go backwards on one
//! client, are common.

use proptest::collection::vec;
use proptest::prelude::*;
use skerry_model::{
    CollectionType, Instruction, Name, ObjectKey, ObjectRef, PropertyType, Stamp, TableKind, Value,
};

use crate::ops::{Edit, Op, link};
use crate::peers::Step;

fn column(class: &str, field: &str, ty: PropertyType, target: Option<&str>) -> Instruction {
    Instruction::AddColumn {
        class: class.into(),
        field: field.into(),
        ty,
        nullable: field == "m" || target.is_some(),
        collection: CollectionType::Single,
        target: target.map(Name::from),
        key_type: None,
    }
}

/// The schema of random programs: items with an int key, an int, a nullable int, a text and a
/// link to an item; owners with a text key and a link to an item.
pub fn schema() -> Vec<Instruction> {
    let table = |class: &str, pk_type| Instruction::AddTable {
        class: class.into(),
        kind: TableKind::TopLevel {
            pk_field: "_id".into(),
            pk_type,
            pk_nullable: false,
            asymmetric: false,
        },
    };
    vec![
        table("Item", PropertyType::Int),
        table("Owner", PropertyType::String),
        column("Item", "n", PropertyType::Int, None),
        column("Item", "m", PropertyType::Int, None),
        column("Item", "s", PropertyType::String, None),
        column("Item", "next", PropertyType::Link, Some("Item")),
        column("Owner", "item", PropertyType::Link, Some("Item")),
    ]
}

fn item_key() -> impl Strategy<Value = ObjectKey> {
    (1_i64..=3).prop_map(ObjectKey::Int)
}

fn owner_key() -> impl Strategy<Value = ObjectKey> {
    prop_oneof![Just("a"), Just("b")].prop_map(|text| ObjectKey::String(text.into()))
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0_i64..100, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn item_link() -> impl Strategy<Value = Value> {
    prop_oneof![3 => item_key().prop_map(|key| link("Item", key)), 1 => Just(Value::Null)]
}

/// A property of an item and a value for it.
fn item_value() -> impl Strategy<Value = (Name, Value)> {
    let number = int().prop_map(Value::Int);
    prop_oneof![
        3 => number.prop_map(|value| ("n".into(), value)),
        2 => int().prop_map(|value| ("m".into(), Value::Int(value))),
        1 => Just(("m".into(), Value::Null)),
        2 => "[xyz]".prop_map(|text| ("s".into(), Value::string(text))),
        2 => item_link().prop_map(|value| ("next".into(), value)),
    ]
}

fn item_edit() -> impl Strategy<Value = Edit> {
    let values = vec(item_value(), 0..3);
    let counter = prop_oneof![Just("n"), Just("m")];
    prop_oneof![
        4 => (values, any::<bool>())
            .prop_map(|(values, is_default)| Edit::Create { values, is_default }),
        2 => Just(Edit::Delete),
        5 => (item_value(), prop::bool::weighted(0.2))
            .prop_map(|((field, value), is_default)| Edit::Set { field, value, is_default }),
        4 => (counter, int()).prop_map(|(field, value)| Edit::AddInt { field: field.into(), value }),
    ]
}

fn owner_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => item_link().prop_map(|value| {
            Edit::Create { values: vec![("item".into(), value)], is_default: false }
        }),
        1 => Just(Edit::Delete),
        3 => item_link().prop_map(|value| {
            Edit::Set { field: "item".into(), value, is_default: false }
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let item = (item_key(), item_edit())
        .prop_map(|(key, edit)| Op { object: ObjectRef::new("Item", key), edit });
    let owner = (owner_key(), owner_edit())
        .prop_map(|(key, edit)| Op { object: ObjectRef::new("Owner", key), edit });
    prop_oneof![5 => item, 1 => owner]
}

fn clock() -> impl Strategy<Value = Stamp> {
    (-2_i64..=4).prop_map(|tens| Stamp(tens * 10))
}

/// A transaction of one to four edits by a client.
pub fn write(client: usize) -> impl Strategy<Value = Step> {
    (clock(), vec(op(), 1..5)).prop_map(move |(at, ops)| Step::Write { client, at, ops })
}

/// Transactions of one client, none of which is exchanged.
pub fn offline(client: usize, writes: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(write(client), 1..=writes)
}

/// A step of any kind by any of that many clients. Exchanges often stop half way.
fn step(clients: usize) -> impl Strategy<Value = Step> {
    let count = || prop_oneof![2 => 1_usize..3, 1 => Just(usize::MAX)];
    (0..clients).prop_flat_map(move |client| {
        prop_oneof![
            3 => write(client),
            2 => count().prop_map(move |count| Step::Upload { client, count }),
            2 => count().prop_map(move |count| Step::Download { client, count }),
        ]
    })
}

/// A number of clients, 2 to 4, and a program for them.
pub fn program(steps: usize) -> impl Strategy<Value = (usize, Vec<Step>)> {
    (2_usize..=4).prop_flat_map(move |clients| (Just(clients), vec(step(clients), 1..=steps)))
}

/// A number of clients, objects that all of them know, and what each then does offline.
pub fn conflict(
    clients: std::ops::RangeInclusive<usize>,
    writes: usize,
) -> impl Strategy<Value = Conflict> {
    clients.prop_flat_map(move |clients| {
        let offline: Vec<_> = (0..clients).map(|client| offline(client, writes)).collect();
        (vec(write(0), 0..3), offline).prop_map(|(common, offline)| Conflict { common, offline })
    })
}

/// What several clients do without hearing of one another.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Transactions of the first client, exchanged before.
    pub common: Vec<Step>,
    /// Transactions of each client, made at the same time.
    pub offline: Vec<Vec<Step>>,
}
