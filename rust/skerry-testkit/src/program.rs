//! Random programs for the peers: proptest strategies over a small world, so that edits meet.
//!
//! Edits are drawn without looking at any state; peers bring positions into range and leave out what
//! is not possible where it is to be done. Clocks are drawn from a few values: ties, and clocks that go
//! backwards on one client, are common.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    CollectionType, Instruction, Name, ObjectKey, ObjectRef, Path, PathElement, Payload,
    PropertyType, Stamp, TableKind, Value,
};

use crate::peers::Step;

use CollectionType::{Dictionary, List, Set, Single};

fn column(
    class: &str,
    field: &str,
    ty: PropertyType,
    collection: CollectionType,
    target: Option<&str>,
) -> Instruction {
    let is_link = ty == PropertyType::Link;
    let nullable = match collection {
        _ if ty == PropertyType::Mixed => true,
        Single | Dictionary => is_link || field == "m" || field == "counts",
        List | Set => field == "numbers",
    };
    Instruction::AddColumn {
        class: class.into(),
        field: field.into(),
        ty,
        nullable,
        collection,
        target: target.map(|target| Box::new(target.into())),
        key_type: (collection == Dictionary).then_some(PropertyType::String),
    }
}

fn table(class: &str, pk_type: Option<PropertyType>) -> Instruction {
    let kind = match pk_type {
        None => TableKind::Embedded,
        Some(pk_type) => TableKind::TopLevel {
            pk_field: "_id".into(),
            pk_type,
            pk_nullable: false,
            asymmetric: false,
        },
    };
    Instruction::AddTable { class: class.into(), kind }
}

/// The schema of random programs: items with something of every kind, owners with a text key and
/// links to items, and two embedded classes, one inside the other.
pub fn schema() -> Vec<Instruction> {
    use PropertyType as Ty;
    let item = |field, ty, collection| column("Item", field, ty, collection, None);
    let links =
        |class, field, collection, target| column(class, field, Ty::Link, collection, Some(target));
    vec![
        table("Item", Some(Ty::Int)),
        table("Owner", Some(Ty::String)),
        table("Address", None),
        table("Spot", None),
        item("n", Ty::Int, Single),
        item("m", Ty::Int, Single),
        item("s", Ty::String, Single),
        item("any", Ty::Mixed, Single),
        item("tags", Ty::String, List),
        item("numbers", Ty::Int, List),
        item("anys", Ty::Mixed, List),
        item("marks", Ty::String, Set),
        item("mixture", Ty::Mixed, Set),
        item("counts", Ty::Int, Dictionary),
        item("table", Ty::Mixed, Dictionary),
        links("Item", "next", Single, "Item"),
        links("Item", "links", List, "Item"),
        links("Item", "friends", Set, "Item"),
        links("Item", "refs", Dictionary, "Item"),
        links("Item", "home", Single, "Address"),
        links("Item", "homes", List, "Address"),
        links("Item", "places", Dictionary, "Address"),
        links("Owner", "item", Single, "Item"),
        column("Address", "zip", Ty::Int, Single, None),
        column("Address", "lines", Ty::String, List, None),
        column("Address", "codes", Ty::String, Set, None),
        column("Address", "any", Ty::Mixed, Single, None),
        links("Address", "of", Single, "Item"),
        links("Address", "spot", Single, "Spot"),
        column("Spot", "x", Ty::Int, Single, None),
        column("Spot", "notes", Ty::Mixed, List, None),
    ]
}

fn item_key() -> impl Strategy<Value = ObjectKey> {
    prop_oneof![4 => Just(1_i64), 2 => Just(2), 1 => Just(3)].prop_map(ObjectKey::Int)
}

fn owner_key() -> impl Strategy<Value = ObjectKey> {
    prop_oneof![Just("a"), Just("b")].prop_map(|text| ObjectKey::String(text.into()))
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0_i64..100, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn item_link() -> impl Strategy<Value = Value> {
    let link = |key| Value::link("Item", key);
    prop_oneof![5 => item_key().prop_map(link), 1 => Just(Value::Null)]
}

fn text() -> impl Strategy<Value = Value> {
    "[xyz]".prop_map(Value::string)
}

/// A value for a mixed; a few only, so that they meet in sets.
fn mixed() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (0_i64..3).prop_map(Value::Int),
        2 => select(vec![0.0, 1.0, 1.5]).prop_map(Value::Double),
        2 => text(),
        1 => Just(Value::Null),
        2 => item_link(),
    ]
}

fn dictionary_key() -> impl Strategy<Value = Name> {
    select(vec!["a", "b"]).prop_map(Name::from)
}

fn position() -> impl Strategy<Value = u32> {
    0_u32..12
}

/// A scalar property of an item and a value for it.
fn item_value() -> impl Strategy<Value = (Name, Value)> {
    let field = |name: &'static str| move |value| (Name::from(name), value);
    prop_oneof![
        3 => int().prop_map(Value::Int).prop_map(field("n")),
        2 => int().prop_map(Value::Int).prop_map(field("m")),
        1 => Just(Value::Null).prop_map(field("m")),
        1 => text().prop_map(field("s")),
        2 => item_link().prop_map(field("next")),
        2 => mixed().prop_map(field("any")),
    ]
}

/// An edit of something inside an item, with the way to it.
type Inside = (Vec<PathElement>, &'static str, Edit);

fn set(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Edit> {
    (value, prop::bool::weighted(0.15))
        .prop_map(|(value, is_default)| Edit::Set { value, is_default })
}

fn payload(value: impl Strategy<Value = Value> + 'static, nests: bool) -> BoxedStrategy<Payload> {
    let value = value.prop_map(Payload::Value);
    if nests {
        prop_oneof![4 => value, 1 => Just(Payload::List), 1 => Just(Payload::Dictionary)].boxed()
    } else {
        value.boxed()
    }
}

/// Edits of a list; insertions outweigh what needs elements.
fn list_edit(value: BoxedStrategy<Value>, inserted: BoxedStrategy<Payload>) -> BoxedStrategy<Edit> {
    let insert =
        (position(), inserted).prop_map(|(index, value)| Edit::ListInsert { index, value });
    prop_oneof![
        8 => insert,
        2 => (position(), value).prop_map(|(index, value)| Edit::ListSet { index, value }),
        3 => position().prop_map(|index| Edit::ListErase { index }),
        2 => (position(), position()).prop_map(|(from, to)| Edit::ListMove { from, to }),
        1 => Just(Edit::Clear),
    ]
    .boxed()
}

fn values_list(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Edit> {
    let value = value.boxed();
    list_edit(value.clone(), payload(value, false))
}

fn mixed_list() -> BoxedStrategy<Edit> {
    list_edit(mixed().boxed(), payload(mixed(), true))
}

/// A list of embedded objects: its elements are not set.
fn embedded_list() -> BoxedStrategy<Edit> {
    let insert =
        position().prop_map(|index| Edit::ListInsert { index, value: Payload::ObjectValue });
    prop_oneof![
        6 => insert,
        2 => position().prop_map(|index| Edit::ListErase { index }),
        2 => (position(), position()).prop_map(|(from, to)| Edit::ListMove { from, to }),
        1 => Just(Edit::Clear),
    ]
    .boxed()
}

fn set_edit(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Edit> {
    let value = value.boxed();
    prop_oneof![
        5 => value.clone().prop_map(Edit::SetInsert),
        3 => value.prop_map(Edit::SetErase),
        1 => Just(Edit::Clear),
    ]
}

fn dictionary_edit(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Edit> {
    prop_oneof![
        5 => (dictionary_key(), value).prop_map(|(key, value)| Edit::DictionarySet { key, value }),
        2 => dictionary_key().prop_map(|key| Edit::DictionaryErase { key }),
        1 => Just(Edit::Clear),
    ]
}

/// What can be done at a mixed, whatever it holds; edits that do not fit are left out.
fn at_mixed() -> BoxedStrategy<(Vec<PathElement>, Edit)> {
    let kind = || prop_oneof![Just(List), Just(Dictionary)];
    let inner = || {
        prop_oneof![
            position().prop_map(PathElement::Index),
            dictionary_key().prop_map(PathElement::Key)
        ]
    };
    let here = prop_oneof![
        3 => set(mixed()),
        4 => kind().prop_map(Edit::SetCollection),
        6 => mixed_list(),
        4 => dictionary_edit(mixed()),
        1 => int().prop_map(Edit::AddInteger),
    ];
    let nested = prop_oneof![
        2 => kind().prop_map(Edit::SetCollection),
        3 => mixed_list(),
        2 => dictionary_edit(mixed()),
    ];
    prop_oneof![
        4 => here.prop_map(|edit| (Vec::new(), edit)),
        1 => (inner(), nested).prop_map(|(inner, edit)| (vec![inner], edit)),
    ]
    .boxed()
}

/// What can be done inside an address.
fn in_address() -> BoxedStrategy<(Vec<PathElement>, Edit)> {
    let key = |names: &[&str]| -> Vec<PathElement> {
        names.iter().map(|name| PathElement::Key((*name).into())).collect()
    };
    let at = move |names: &'static [&'static str]| move |edit| (key(names), edit);
    prop_oneof![
        3 => set(int().prop_map(Value::Int)).prop_map(at(&["zip"])),
        2 => int().prop_map(Edit::AddInteger).prop_map(at(&["zip"])),
        3 => values_list(text()).prop_map(at(&["lines"])),
        2 => set_edit(text()).prop_map(at(&["codes"])),
        1 => set(item_link()).prop_map(at(&["of"])),
        2 => Just(Edit::SetEmbedded).prop_map(at(&["spot"])),
        1 => set(Just(Value::Null)).prop_map(at(&["spot"])),
        2 => set(int().prop_map(Value::Int)).prop_map(at(&["spot", "x"])),
        2 => mixed_list().prop_map(at(&["spot", "notes"])),
        2 => at_mixed().prop_map(|(elements, edit)| {
            ([vec![PathElement::Key("any".into())], elements].concat(), edit)
        }),
    ]
    .boxed()
}

fn below(
    field: &'static str,
    way: impl Strategy<Value = Option<PathElement>>,
    inside: BoxedStrategy<(Vec<PathElement>, Edit)>,
) -> impl Strategy<Value = Inside> {
    (way, inside).prop_map(move |(way, (elements, edit))| {
        (way.into_iter().chain(elements).collect(), field, edit)
    })
}

fn here(field: &'static str, edit: impl Strategy<Value = Edit>) -> impl Strategy<Value = Inside> {
    edit.prop_map(move |edit| (Vec::new(), field, edit))
}

/// Families of edits inside an item: of one property each, at it and inside it.
fn families() -> Vec<BoxedStrategy<Inside>> {
    let index = || position().prop_map(|index| Some(PathElement::Index(index)));
    let key = || dictionary_key().prop_map(|key| Some(PathElement::Key(key)));
    let to_item = || item_key().prop_map(|key| Value::link("Item", key));
    let at_index = |field, edit: BoxedStrategy<Edit>| {
        (index(), edit).prop_map(move |(way, edit)| (way.into_iter().collect(), field, edit))
    };
    let at_key = |field, edit: BoxedStrategy<Edit>| {
        (key(), edit).prop_map(move |(way, edit)| (way.into_iter().collect(), field, edit))
    };
    vec![
        here("tags", values_list(text())).boxed(),
        here("numbers", values_list(int().prop_map(Value::Int))).boxed(),
        here("links", values_list(to_item())).boxed(),
        prop_oneof![
            3 => here("anys", mixed_list()),
            2 => below("anys", index(), at_mixed()),
        ]
        .boxed(),
        here("marks", set_edit(text())).boxed(),
        here("mixture", set_edit(mixed())).boxed(),
        here("friends", set_edit(to_item())).boxed(),
        here("counts", dictionary_edit(int().prop_map(Value::Int))).boxed(),
        here("refs", dictionary_edit(item_link())).boxed(),
        prop_oneof![
            2 => here("table", dictionary_edit(mixed())),
            2 => below("table", key(), at_mixed()),
        ]
        .boxed(),
        prop_oneof![
            2 => here("home", Just(Edit::SetEmbedded)),
            1 => here("home", set(Just(Value::Null))),
            5 => below("home", Just(None), in_address()),
        ]
        .boxed(),
        prop_oneof![
            4 => here("homes", embedded_list()),
            4 => below("homes", index(), in_address()),
            1 => at_index("homes", Just(Edit::SetEmbedded).boxed()),
        ]
        .boxed(),
        prop_oneof![
            2 => at_key("places", Just(Edit::SetEmbedded).boxed()),
            1 => here("places", dictionary_edit(Just(Value::Null))),
            3 => below("places", key(), in_address()),
        ]
        .boxed(),
        below("any", Just(None), at_mixed()).boxed(),
    ]
}

/// Edits inside items, most of them of the families of this number.
fn inside(focus: &[usize]) -> BoxedStrategy<Inside> {
    let families = families();
    let in_focus: Vec<_> = focus.iter().map(|at| families[at % families.len()].clone()).collect();
    let any = proptest::strategy::Union::new(families);
    if in_focus.is_empty() {
        return any.boxed();
    }
    prop_oneof![6 => proptest::strategy::Union::new(in_focus), 1 => any].boxed()
}

/// What a program is mostly about: one or two families, or all.
fn focus() -> impl Strategy<Value = Vec<usize>> {
    vec(0_usize..14, 0..3)
}

/// Items with something in every property, for edits to meet at.
fn filling() -> Step {
    let item = |key| ObjectRef::new("Item", ObjectKey::Int(key));
    let at = |elements: &[PathElement], field: &str, edit| {
        let path = Path::new(item(1), field, elements.to_vec());
        Op::At { path, edit }
    };
    let insert = |index, value| Edit::ListInsert { index, value: Payload::Value(value) };
    let set = |value| Edit::Set { value, is_default: false };
    let put = |key: &str, value| Edit::DictionarySet { key: key.into(), value };
    let (key, index) = (|key: &str| PathElement::Key(key.into()), PathElement::Index);
    let link = |key| Value::link("Item", ObjectKey::Int(key));
    let create = |key| Op::Create {
        object: item(key),
        values: vec![("n".into(), Value::Int(key))],
        is_default: false,
    };
    let mut ops = vec![create(1), create(2)];
    for (position, text) in (0..).zip(["x", "y", "z"]) {
        ops.push(at(&[], "tags", insert(position, Value::string(text))));
        ops.push(at(&[], "numbers", insert(position, Value::Int(position.into()))));
        ops.push(at(&[], "anys", insert(position, Value::Int(position.into()))));
        ops.push(at(&[], "marks", Edit::SetInsert(Value::string(text))));
        ops.push(at(&[], "mixture", Edit::SetInsert(Value::Int(position.into()))));
    }
    for (position, target) in (0..).zip([1, 2]) {
        ops.push(at(&[], "links", insert(position, link(target))));
        ops.push(at(&[], "friends", Edit::SetInsert(link(target))));
        let value = Payload::ObjectValue;
        ops.push(at(&[], "homes", Edit::ListInsert { index: position, value }));
        ops.push(at(&[index(position), key("lines")], "homes", insert(0, Value::string("x"))));
    }
    ops.extend([
        at(&[], "anys", Edit::ListInsert { index: 1, value: Payload::List }),
        at(&[index(1)], "anys", insert(0, Value::Int(1))),
        at(&[], "counts", put("a", Value::Int(1))),
        at(&[], "refs", put("a", link(2))),
        at(&[], "table", put("a", Value::Int(1))),
        at(&[key("b")], "table", Edit::SetCollection(List)),
        at(&[key("b")], "table", insert(0, Value::Int(1))),
        at(&[], "home", Edit::SetEmbedded),
        at(&[key("zip")], "home", set(Value::Int(1))),
        at(&[key("lines")], "home", insert(0, Value::string("x"))),
        at(&[key("a")], "places", Edit::SetEmbedded),
        at(&[key("a"), key("zip")], "places", set(Value::Int(1))),
        at(&[], "any", Edit::SetCollection(List)),
        at(&[], "any", insert(0, Value::Int(1))),
    ]);
    Step::Write { client: 0, at: Stamp(0), ops }
}

/// What comes before a program: nothing, or filled items that all clients have.
fn prelude(clients: usize) -> impl Strategy<Value = Vec<Step>> {
    let mut filled = vec![filling(), Step::Upload { client: 0, count: usize::MAX }];
    filled.extend((0..clients).map(|client| Step::Download { client, count: usize::MAX }));
    prop_oneof![1 => Just(Vec::new()), 3 => Just(filled)]
}

fn item_op(focus: &[usize]) -> impl Strategy<Value = Op> + use<> {
    let values = vec(item_value(), 0..3);
    let counter = prop_oneof![Just("n"), Just("m")];
    let object = |key| ObjectRef::new("Item", key);
    let property = move |key, field: Name| Path::property(object(key), field);
    prop_oneof![
        5 => (item_key(), values, any::<bool>()).prop_map(move |(key, values, is_default)| {
            Op::Create { object: object(key), values, is_default }
        }),
        2 => item_key().prop_map(move |key| Op::Delete { object: object(key) }),
        5 => (item_key(), item_value(), prop::bool::weighted(0.2)).prop_map(
            move |(key, (field, value), is_default)| Op::At {
                path: property(key, field),
                edit: Edit::Set { value, is_default },
            },
        ),
        4 => (item_key(), counter, int()).prop_map(move |(key, field, amount)| Op::At {
            path: property(key, field.into()),
            edit: Edit::AddInteger(amount),
        }),
        24 => (item_key(), inside(focus)).prop_map(move |(key, (elements, field, edit))| {
            let mut path = property(key, field.into());
            path.elements = elements.into();
            Op::At { path, edit }
        }),
    ]
}

fn owner_op() -> impl Strategy<Value = Op> {
    let object = |key| ObjectRef::new("Owner", key);
    prop_oneof![
        2 => (owner_key(), item_link()).prop_map(move |(key, value)| Op::Create {
            object: object(key),
            values: vec![("item".into(), value)],
            is_default: false,
        }),
        1 => owner_key().prop_map(move |key| Op::Delete { object: object(key) }),
        3 => (owner_key(), item_link()).prop_map(move |(key, value)| Op::At {
            path: Path::property(object(key), "item"),
            edit: Edit::Set { value, is_default: false },
        }),
    ]
}

fn op(focus: &[usize]) -> impl Strategy<Value = Op> + use<> {
    prop_oneof![16 => item_op(focus), 1 => owner_op()]
}

fn clock() -> impl Strategy<Value = Stamp> {
    (-2_i64..=4).prop_map(|tens| Stamp(tens * 10))
}

/// A transaction of one to six edits by a client.
fn write(client: usize, focus: &[usize]) -> impl Strategy<Value = Step> + use<> {
    (clock(), vec(op(focus), 1..7)).prop_map(move |(at, ops)| Step::Write { client, at, ops })
}

/// A step of any kind by any of that many clients.
fn step(clients: usize, focus: &[usize], count: &BoxedStrategy<usize>) -> BoxedStrategy<Step> {
    let steps = (0..clients).map(|client| {
        prop_oneof![
            4 => write(client, focus),
            2 => count.clone().prop_map(move |count| Step::Upload { client, count }),
            2 => count.clone().prop_map(move |count| Step::Download { client, count }),
        ]
        .boxed()
    });
    proptest::strategy::Union::new(steps).boxed()
}

fn program_with(
    steps: usize,
    count: BoxedStrategy<usize>,
) -> impl Strategy<Value = (usize, Vec<Step>)> {
    (2_usize..=4, focus()).prop_flat_map(move |(clients, focus)| {
        let rest = vec(step(clients, &focus, &count), 1..=steps);
        let whole = (prelude(clients), rest).prop_map(|(before, rest)| [before, rest].concat());
        (Just(clients), whole)
    })
}

/// A number of clients, 2 to 4, and a program for them. Exchanges often stop half way.
pub fn program(steps: usize) -> impl Strategy<Value = (usize, Vec<Step>)> {
    program_with(steps, prop_oneof![2 => 1_usize..3, 1 => Just(usize::MAX)].boxed())
}

/// As [`program`], with whole exchanges only: what a conformance file can say.
pub fn replayable_program(steps: usize) -> impl Strategy<Value = (usize, Vec<Step>)> {
    program_with(steps, Just(usize::MAX).boxed())
}

/// A number of clients, objects that all of them know, and what each then does offline.
pub fn conflict(
    clients: std::ops::RangeInclusive<usize>,
    writes: usize,
) -> impl Strategy<Value = Conflict> {
    (clients, focus()).prop_flat_map(move |(clients, focus)| {
        let offline: Vec<_> =
            (0..clients).map(|client| vec(write(client, &focus), 1..=writes)).collect();
        let filled = prop_oneof![1 => Just(Vec::new()), 3 => Just(vec![filling()])];
        let common = (filled, vec(write(0, &focus), 0..4));
        (common, offline).prop_map(|((filled, more), offline)| Conflict {
            common: [filled, more].concat(),
            offline,
        })
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
