//! Laws of the index: what it finds is what evaluating everything finds, whatever was inserted and
//! removed before; and nothing stays of what was removed.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use skerry_model::{
    ClassSchema, CollectionType, Content, Decimal128, Name, ObjectId, ObjectKey, Property,
    PropertyType, Schema, Timestamp, Uuid, Value,
};
use skerry_query::index::PredicateIndex;
use skerry_query::{CompareOp, FieldRow, NoObjects, Operand, Predicate, PropertyRef, Query, Row};

const PROPERTIES: [(&str, PropertyType); 6] = [
    ("i", PropertyType::Int),
    ("d", PropertyType::Double),
    ("m", PropertyType::Decimal),
    ("s", PropertyType::String),
    ("b", PropertyType::Bool),
    ("x", PropertyType::Binary),
];

const OPS: [CompareOp; 10] = [
    CompareOp::Equal,
    CompareOp::NotEqual,
    CompareOp::Less,
    CompareOp::LessOrEqual,
    CompareOp::Greater,
    CompareOp::GreaterOrEqual,
    CompareOp::BeginsWith,
    CompareOp::EndsWith,
    CompareOp::Contains,
    CompareOp::Like,
];

fn property(at: usize) -> PropertyRef {
    let (name, ty) = PROPERTIES[at];
    PropertyRef {
        name: name.into(),
        index: at,
        ty,
        nullable: true,
        collection: CollectionType::Single,
    }
}

fn schema() -> Schema {
    let mut properties = vec![Property::scalar("_id", PropertyType::Int, false)];
    properties.extend(PROPERTIES.map(|(name, ty)| Property::scalar(name, ty, true)));
    let class =
        ClassSchema { embedded: false, name: "A".into(), primary_key: "_id".into(), properties };
    Schema::new([class]).unwrap()
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse::<Decimal128>().unwrap())
}

/// Numbers that are equal across types, or are only after rounding, or nearly.
fn numbers() -> Vec<Value> {
    let ints = [-1, 0, 1, 2, 1 << 53, (1 << 53) + 1, 1_234_567_890_123_456, 1_234_567_890_123_460];
    let doubles = [
        0.0,
        -0.0,
        1.0,
        1.5,
        0.1,
        0.3,
        0.1 + 0.2,
        9_007_199_254_740_992.0,
        1_234_567_890_123_456.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    let floats = [0.0, 1.0, 1.5, 0.1, 0.3, f32::NAN, f32::INFINITY];
    let decimals =
        ["0", "-0", "1", "1.0", "1.5", "0.1", "0.3", "1234567890123456", "1.23456789012346e15"];
    let specials = ["NaN", "Infinity", "-Infinity", "9007199254740992", "9007199254740993"];
    let mut numbers: Vec<Value> = ints.map(Value::Int).into();
    numbers.extend(doubles.map(Value::Double));
    numbers.extend(floats.map(Value::Float));
    numbers.extend(decimals.map(decimal));
    numbers.extend(specials.map(decimal));
    numbers
}

fn others() -> Vec<Value> {
    let mut values: Vec<Value> = ["", "a", "A", "ab", "é"].map(Value::string).into();
    values.extend([b"".as_slice(), b"a", b"ab"].map(Value::binary));
    values.extend([false, true].map(Value::Bool));
    values.extend([-1500, 0, 7].map(|ms| Value::Timestamp(Timestamp::from_unix_ms(ms))));
    values.extend([1, 2].map(|byte| Value::ObjectId(ObjectId([byte; 12]))));
    values.extend([1, 2].map(|byte| Value::Uuid(Uuid([byte; 16]))));
    values.extend([1, 2].map(|key| Value::link("T", ObjectKey::Int(key))));
    values
}

/// Values of every type, whatever property they are for.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        4 => prop::sample::select(numbers()),
        3 => prop::sample::select(others()),
    ]
}

fn leaf() -> impl Strategy<Value = Predicate> {
    let field = || (0..PROPERTIES.len()).prop_map(property);
    let op = || prop::sample::select(OPS.to_vec());
    let compare = |left, op, right, case_insensitive| Predicate::Compare {
        left,
        op,
        right,
        case_insensitive,
    };
    let equality = (field(), value())
        .prop_map(|(field, value)| Predicate::compare(field, CompareOp::Equal, value));
    let constant = (field(), op(), value(), prop::bool::weighted(0.2)).prop_map(
        move |(field, op, value, folded)| {
            compare(Operand::Property(field), op, Operand::Constant(value), folded)
        },
    );
    let mirrored = (field(), op(), value()).prop_map(move |(field, op, value)| {
        compare(Operand::Constant(value), op, Operand::Property(field), false)
    });
    let properties = (field(), op(), field()).prop_map(move |(left, op, right)| {
        compare(Operand::Property(left), op, Operand::Property(right), false)
    });
    let between = (field(), value(), value()).prop_map(|(field, low, high)| {
        Predicate::and([
            Predicate::compare(field.clone(), CompareOp::GreaterOrEqual, low),
            Predicate::compare(field, CompareOp::LessOrEqual, high),
        ])
    });
    let list = (field(), prop::collection::vec(value(), 0..5))
        .prop_map(|(field, values)| Predicate::is_in(field, values));
    // Arithmetic is for the evaluator alone.
    let texts = vec!["i + 1 > 1", "d * 2 == 3", "i - d == 0", "s.@size == 1"];
    let evaluated = prop::sample::select(texts).prop_map(|text| {
        let query = Query::compile(&schema(), "A", text, &[]).unwrap();
        assert!(matches!(query.predicate, Predicate::Evaluated(_)), "{text}");
        query.predicate
    });
    prop_oneof![
        6 => equality,
        6 => constant,
        1 => mirrored,
        1 => properties,
        3 => between,
        4 => list,
        2 => evaluated,
        1 => Just(Predicate::True),
        1 => Just(Predicate::False),
    ]
}

/// Of any shape, in normal form or not.
fn predicate() -> impl Strategy<Value = Predicate> {
    leaf().prop_recursive(4, 20, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            3 => parts().prop_map(Predicate::And),
            3 => parts().prop_map(Predicate::Or),
            2 => parts().prop_map(Predicate::and),
            1 => inner.clone().prop_map(|part| Predicate::Not(Box::new(part))),
        ]
    })
}

type State = Option<Vec<(Name, Content)>>;

fn state() -> impl Strategy<Value = State> {
    let values = prop::collection::vec(value(), PROPERTIES.len());
    let fields = values.prop_map(|values| {
        let named = PROPERTIES.iter().zip(values);
        named.map(|((name, _), value)| (Name::from(*name), Content::Value(value))).collect()
    });
    prop::option::weighted(0.9, fields)
}

const CLASSES: [&str; 2] = ["A", "B"];

/// Evaluates everything.
#[derive(Default)]
struct Naive(BTreeMap<(u32, usize), Predicate>);

impl Naive {
    fn touched(&self, class: usize, rows: [Option<&FieldRow<'_>>; 2]) -> Vec<u32> {
        let of_class = self.0.iter().filter(|((_, of), _)| *of == class);
        let touched = of_class.filter(|(_, predicate)| {
            rows.into_iter().flatten().any(|row| predicate.matches(row, &NoObjects))
        });
        touched.map(|((id, _), _)| *id).collect()
    }
}

fn row(state: &State) -> Option<FieldRow<'_>> {
    state.as_ref().map(|fields| FieldRow { key: &ObjectKey::Null, fields })
}

fn touched(index: &PredicateIndex<u32>, class: &str, rows: [Option<&FieldRow<'_>>; 2]) -> Vec<u32> {
    let mut found = Vec::new();
    let [before, after] = rows.map(|row| row.map(|row| row as &dyn Row));
    index.touched(class, before, after, &mut |id| found.push(id));
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_found_is_what_evaluating_everything_finds(
        steps in prop::collection::vec((0..16_u32, 0..2_usize, prop::option::weighted(0.8, predicate())), 1..40),
        changes in prop::collection::vec((state(), state()), 1..12),
    ) {
        let (mut index, mut naive) = (PredicateIndex::default(), Naive::default());
        let mut changes = changes.iter().cycle();
        for (id, class, predicate) in steps {
            if let Some(predicate) = predicate {
                index.insert(id, &CLASSES[class].into(), &predicate);
                naive.0.insert((id, class), predicate);
            } else {
                let known = naive.0.keys().any(|(of, _)| *of == id);
                prop_assert_eq!(index.remove(id), known);
                naive.0.retain(|(of, _), _| *of != id);
            }
            let (before, after) = changes.next().unwrap();
            let (before, after) = (row(before), row(after));
            let rows = [before.as_ref(), after.as_ref()];
            for (class, name) in CLASSES.iter().enumerate() {
                prop_assert_eq!(touched(&index, name, rows), naive.touched(class, rows), "{:?}", naive.0);
            }
        }
    }

    #[test]
    fn one_condition_is_found_by_whatever_matches_it(
        predicate in predicate(), changes in prop::collection::vec((state(), state()), 8)
    ) {
        let mut index = PredicateIndex::default();
        index.insert(7, &"A".into(), &predicate);
        let naive = Naive(BTreeMap::from([((7, 0), predicate)]));
        for (before, after) in &changes {
            let (before, after) = (row(before), row(after));
            let rows = [before.as_ref(), after.as_ref()];
            prop_assert_eq!(touched(&index, "A", rows), naive.touched(0, rows));
        }
    }

    #[test]
    fn nothing_stays_of_what_was_removed(
        kept in prop::collection::vec(predicate(), 0..6),
        removed in prop::collection::vec(predicate(), 0..12),
    ) {
        let class = Name::from("A");
        let (mut index, mut fresh) = (PredicateIndex::default(), PredicateIndex::default());
        for (id, predicate) in (100_u32..).zip(&removed) {
            index.insert(id, &class, predicate);
        }
        for (id, predicate) in (0_u32..).zip(&kept) {
            index.insert(id, &class, predicate);
            fresh.insert(id, &class, predicate);
        }
        for (id, _) in (100_u32..).zip(&removed) {
            prop_assert!(index.remove(id));
        }
        prop_assert_eq!(index.entries(), fresh.entries());
        prop_assert_eq!(index.len(), kept.len());
        for (id, _) in (0_u32..).zip(&kept) {
            index.remove(id);
        }
        prop_assert!(index.is_empty());
        prop_assert_eq!(format!("{index:?}"), format!("{:?}", PredicateIndex::<u32>::default()));
    }
}

fn equals(at: usize, value: impl Into<Option<i64>>) -> Predicate {
    let value = value.into().map_or(Value::Null, Value::Int);
    Predicate::compare(property(at), CompareOp::Equal, value)
}

fn one_of(at: usize, count: i64) -> Predicate {
    Predicate::is_in(property(at), (0..count).map(Value::Int).collect())
}

fn entries(predicate: &Predicate) -> usize {
    let mut index = PredicateIndex::default();
    index.insert(0, &"A".into(), predicate);
    index.entries()
}

#[test]
fn a_condition_takes_no_more_keys_than_it_has_constants_but_for_a_factor() {
    let long = one_of(0, 10_000);
    assert_eq!(entries(&long), 20_000);
    // Not the product, and the shorter of the two.
    assert_eq!(entries(&Predicate::and([long.clone(), one_of(1, 5_000)])), 10_000);
    // One key each as binary number and as decimal, so four for both.
    assert_eq!(entries(&Predicate::and([equals(0, 1), equals(1, 2)])), 4);
    assert_eq!(entries(&Predicate::and([long.clone(), equals(1, None)])), 1);
    let beyond = Predicate::or((0..7).map(|_| long.clone()));
    assert_eq!(entries(&beyond), 1);
}

#[test]
fn a_class_has_a_bounded_number_of_combinations() {
    let field = |at: usize| PropertyRef {
        name: format!("f{at}").as_str().into(),
        index: at,
        ty: PropertyType::Bool,
        nullable: false,
        collection: CollectionType::Single,
    };
    let is_true = |at| Predicate::compare(field(at), CompareOp::Equal, Value::Bool(true));
    let pairs: Vec<(usize, usize)> =
        (0..20).flat_map(|a| (a + 1..20).map(move |b| (a, b))).collect();
    let mut index = PredicateIndex::default();
    for (id, &(a, b)) in (0_u32..).zip(&pairs) {
        index.insert(id, &"A".into(), &Predicate::and([is_true(a), is_true(b)]));
    }
    assert_eq!(index.len(), 190);
    let fields = [3, 5, 11].map(|at| (field(at).name, Content::Value(Value::Bool(true))));
    let row = FieldRow { key: &ObjectKey::Null, fields: &fields };
    let found: BTreeSet<_> =
        touched(&index, "A", [None, Some(&row)]).into_iter().map(|id| pairs[id as usize]).collect();
    assert_eq!(found, BTreeSet::from([(3, 5), (3, 11), (5, 11)]));
}

#[test]
fn an_id_has_conditions_on_several_classes_and_one_on_each() {
    let mut index = PredicateIndex::default();
    index.insert('v', &"A".into(), &equals(0, 1));
    index.insert('v', &"B".into(), &Predicate::True);
    index.insert('v', &"A".into(), &equals(0, 2));
    let fields = [("i".into(), Content::Value(Value::Int(1)))];
    let row = FieldRow { key: &ObjectKey::Null, fields: &fields };
    let mut found = Vec::new();
    for class in ["A", "B", "C"] {
        index.touched(class, Some(&row), None, &mut |id| found.push((class, id)));
        index.touched(class, None, None, &mut |id| found.push((class, id)));
    }
    assert_eq!(found, [("B", 'v')]);
    assert!(index.remove('v') && !index.remove('v') && index.is_empty());
}

/// A view of the law of lists: some element is one of the words, and perhaps a single value beside it.
fn list_view() -> impl Strategy<Value = Predicate> {
    let tags = PropertyRef {
        name: "tags".into(),
        index: 0,
        ty: PropertyType::String,
        nullable: true,
        collection: CollectionType::List,
    };
    let owner = PropertyRef {
        name: "owner".into(),
        index: 1,
        ty: PropertyType::String,
        nullable: true,
        collection: CollectionType::Single,
    };
    let words = prop::collection::vec(word(), 1..4);
    (words, prop::option::of(word()), any::<bool>()).prop_map(move |(words, is_owned, negated)| {
        let some = Predicate::any_equals(tags.clone(), words);
        let some = if negated { Predicate::negated(some) } else { some };
        let owned = is_owned.map(|word| Predicate::compare(owner.clone(), CompareOp::Equal, word));
        Predicate::and(std::iter::once(some).chain(owned))
    })
}

fn word() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(Value::string),
        1 => Just(Value::Null),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn views_on_what_lists_contain_are_found(
        views in prop::collection::vec(list_view(), 1..20),
        rows in prop::collection::vec((prop::collection::vec(word(), 0..4), word()), 1..6),
    ) {
        let (class, mut index) = (Name::from("T"), PredicateIndex::default());
        for (id, view) in views.iter().enumerate() {
            index.insert(id, &class, view);
        }
        for (tags, owner) in rows {
            let tags = Content::List(tags.into_iter().map(Content::Value).collect());
            let fields = [("tags".into(), tags), ("owner".into(), Content::Value(owner))];
            let row = FieldRow { key: &ObjectKey::Null, fields: &fields };
            let mut found = Vec::new();
            index.touched(&class, None, Some(&row), &mut |id| found.push(id));
            found.sort_unstable();
            let matching = views.iter().enumerate().filter(|(_, view)| view.matches(&row, &NoObjects));
            let expected: Vec<usize> = matching.map(|(id, _)| id).collect();
            prop_assert_eq!(found, expected);
        }
        for id in 0..views.len() {
            index.remove(id);
        }
        prop_assert_eq!(index.entries(), 0);
    }
}
