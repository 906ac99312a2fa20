//! Laws: what is printed compiles to the same query; the evaluator agrees with a naive one that knows
//! nothing of this crate; no text makes anything panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;
use skerry_model::{
    ClassSchema, Content, Decimal128, Link, ObjectId, ObjectKey, Property, PropertyType, Schema,
    Timestamp, Uuid, Value,
};
use skerry_query::{CompareOp, NoObjects, Operand, Predicate, PropertyRef, Query, Row};

const TYPES: [(&str, PropertyType); 9] = [
    ("i", PropertyType::Int),
    ("d", PropertyType::Double),
    ("s p", PropertyType::String),
    ("b", PropertyType::Bool),
    ("t", PropertyType::Timestamp),
    ("x", PropertyType::Binary),
    ("m", PropertyType::Decimal),
    ("o", PropertyType::ObjectId),
    ("u", PropertyType::Uuid),
];

fn schema() -> Schema {
    let mut properties = vec![Property::scalar("_id", PropertyType::Int, false)];
    properties.extend(TYPES.map(|(name, ty)| Property::scalar(name, ty, true)));
    properties.push(Property::link("l", "T"));
    Schema::new([ClassSchema {
        embedded: false,
        name: "T".into(),
        primary_key: "_id".into(),
        properties,
    }])
    .unwrap()
}

fn property(name: &str) -> PropertyRef {
    PropertyRef::resolve(schema().class("T").unwrap(), name).unwrap()
}

fn any_value(ty: PropertyType) -> BoxedStrategy<Value> {
    let value = match ty {
        PropertyType::Int => any::<i64>().prop_map(Value::Int).boxed(),
        PropertyType::Double => {
            let not_nan = |d: f64| Value::Double(if d.is_nan() { f64::NAN } else { d });
            any::<f64>().prop_map(not_nan).boxed()
        }
        PropertyType::String => any::<String>().prop_map(Value::string).boxed(),
        PropertyType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        PropertyType::Timestamp => (any::<i64>(), 0..1_000_000_000_i32)
            .prop_map(|(s, n)| Timestamp::new(s, if s < 0 { -n } else { n }).unwrap())
            .prop_map(Value::Timestamp)
            .boxed(),
        PropertyType::Binary => any::<Vec<u8>>().prop_map(Value::binary).boxed(),
        PropertyType::Decimal => (any::<bool>(), 0..10_u128.pow(34), -6176..=6111_i32)
            .prop_map(|(n, c, e)| Value::Decimal(Decimal128::from_parts(n, c, e).unwrap()))
            .boxed(),
        PropertyType::ObjectId => {
            any::<[u8; 12]>().prop_map(|b| Value::ObjectId(ObjectId(b))).boxed()
        }
        PropertyType::Uuid => any::<[u8; 16]>().prop_map(|b| Value::Uuid(Uuid(b))).boxed(),
        other => panic!("{other:?} is not among TYPES"),
    };
    prop_oneof![1 => Just(Value::Null), 9 => value].boxed()
}

const ORDERED: [CompareOp; 6] = [
    CompareOp::Equal,
    CompareOp::NotEqual,
    CompareOp::Less,
    CompareOp::LessOrEqual,
    CompareOp::Greater,
    CompareOp::GreaterOrEqual,
];
const TEXTUAL: [CompareOp; 4] =
    [CompareOp::BeginsWith, CompareOp::EndsWith, CompareOp::Contains, CompareOp::Like];

fn any_leaf() -> impl Strategy<Value = Predicate> {
    prop::sample::select(TYPES.to_vec()).prop_flat_map(|(name, ty)| {
        let ordered = (prop::sample::select(ORDERED.to_vec()), any_value(ty))
            .prop_map(move |(op, value)| Predicate::compare(property(name), op, value));
        let list = prop::collection::vec(any_value(ty), 0..4)
            .prop_map(move |values| Predicate::is_in(property(name), values));
        let text = (prop::sample::select(TEXTUAL.to_vec()), any::<String>(), any::<bool>())
            .prop_map(|(op, text, case_insensitive)| Predicate::Compare {
                left: Operand::Property(property("s p")),
                op,
                right: Operand::Constant(Value::string(text)),
                case_insensitive,
            });
        let link = any::<i64>().prop_map(|key| {
            let link = Link { class: "T".into(), key: ObjectKey::Int(key) };
            Predicate::compare(property("l"), CompareOp::NotEqual, Value::from(link))
        });
        prop_oneof![4 => ordered, 2 => list, 1 => text, 1 => link]
    })
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    let leaf =
        prop_oneof![1 => Just(Predicate::True), 1 => Just(Predicate::False), 20 => any_leaf()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            parts.clone().prop_map(Predicate::and),
            parts.prop_map(Predicate::or),
            inner.prop_map(Predicate::negated),
        ]
    })
}

/// A condition in the test's own terms, over `i`, `d` and `s p`.
#[derive(Clone, Debug)]
enum Naive {
    Int(usize, Option<i64>),
    Double(usize, Option<f64>),
    Text(usize, Option<String>),
    Between(i64, i64),
    OneOf(Vec<Option<i64>>),
    Not(Box<Naive>),
    All(Vec<Naive>),
    Some(Vec<Naive>),
}

const SPELLINGS: [[&str; 2]; 6] =
    [["==", "="], ["!=", "<>"], ["<", "<"], ["<=", "=<"], [">", ">"], [">=", "=>"]];

#[derive(Clone, Debug)]
struct TestRow {
    key: ObjectKey,
    i: Option<i64>,
    d: Option<f64>,
    s: Option<String>,
}

impl Row for TestRow {
    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        Cow::Owned(Content::Value(match &*property.name {
            "i" => self.i.map_or(Value::Null, Value::Int),
            "d" => self.d.map_or(Value::Null, Value::Double),
            "s p" => self.s.as_deref().map_or(Value::Null, Value::string),
            other => panic!("{other} is not asked for"),
        }))
    }
}

impl Naive {
    fn text(&self, odd: bool) -> String {
        let null = || "null".to_owned();
        let spelling = |op: usize| SPELLINGS[op][usize::from(odd)];
        let chain = |parts: &[Self], separator: &str, empty: &str| match parts {
            [] => empty.to_owned(),
            parts => {
                let parts: Vec<_> = parts.iter().map(|part| part.text(!odd)).collect();
                format!("({})", parts.join(separator))
            }
        };
        match self {
            Self::Int(op, c) => {
                let constant = c.map_or_else(null, |c| c.to_string());
                format!("i {} {constant}", spelling(*op))
            }
            Self::Double(op, c) => {
                let constant = c.map_or_else(null, |c| format!("{c:?}"));
                format!("d{} {constant}", spelling(*op))
            }
            Self::Text(op, c) => {
                let constant = c.clone().map_or_else(null, |c| format!("'{c}'"));
                format!("s\\ p{}{constant}", spelling(*op))
            }
            Self::Between(low, high) => format!("i BETWEEN {{{low},{high}}}"),
            Self::OneOf(list) => {
                let list: Vec<_> =
                    list.iter().map(|c| c.map_or_else(null, |c| c.to_string())).collect();
                format!("i {} {{{}}}", if odd { "IN" } else { "in" }, list.join(", "))
            }
            Self::Not(part) => format!("{}({})", if odd { "!" } else { "NOT " }, part.text(odd)),
            Self::All(parts) => chain(parts, if odd { " AND " } else { "&&" }, "TRUEPREDICATE"),
            Self::Some(parts) => chain(parts, if odd { " or " } else { "||" }, "falsepredicate"),
        }
    }

    /// Null is equal to null only and has no order, except that for text it comes first.
    fn holds(&self, row: &TestRow) -> bool {
        match self {
            Self::Int(op, c) => compare(*op, row.i.as_ref(), c.as_ref()),
            Self::Double(op, c) => compare(*op, row.d.as_ref(), c.as_ref()),
            Self::Text(op, c) => compare(*op, Some(&row.s), Some(c)),
            Self::Between(low, high) => row.i.is_some_and(|i| (*low..=*high).contains(&i)),
            Self::OneOf(list) => list.contains(&row.i),
            Self::Not(part) => !part.holds(row),
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Some(parts) => parts.iter().any(|part| part.holds(row)),
        }
    }
}

fn compare<T: PartialOrd>(op: usize, left: Option<&T>, right: Option<&T>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        let both_null = left.is_none() && right.is_none();
        return [both_null, !both_null, false, both_null, false, both_null][op];
    };
    [left == right, left != right, left < right, left <= right, left > right, left >= right][op]
}

fn small_int() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![-2..3_i64, Just(i64::MIN), Just(i64::MAX)]
}

fn small_double() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, -0.0, 1.5, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN])
}

fn naive() -> impl Strategy<Value = Naive> {
    let int = prop::option::weighted(0.8, small_int());
    let leaf = prop_oneof![
        (0..6_usize, int.clone()).prop_map(|(op, c)| Naive::Int(op, c)),
        (0..6_usize, prop::option::weighted(0.8, small_double()))
            .prop_map(|(op, c)| Naive::Double(op, c)),
        (0..6_usize, prop::option::weighted(0.8, "[aAä]{0,2}"))
            .prop_map(|(op, c)| Naive::Text(op, c)),
        (small_int(), small_int()).prop_map(|(low, high)| Naive::Between(low, high)),
        prop::collection::vec(int, 0..3).prop_map(Naive::OneOf),
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            inner.prop_map(|part| Naive::Not(Box::new(part))),
            parts.clone().prop_map(Naive::All),
            parts.prop_map(Naive::Some),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<TestRow>> {
    let row = (
        prop::option::weighted(0.8, small_int()),
        prop::option::weighted(0.8, small_double()),
        prop::option::weighted(0.8, "[aAä]{0,2}"),
    );
    prop::collection::vec(row, 1..12).prop_map(|rows| {
        let row = |(key, (i, d, s))| TestRow { key: ObjectKey::Int(key), i, d, s };
        (0..).zip(rows).map(row).collect()
    })
}

/// Words and fragments from which texts are put together that get deep into the parser.
const FRAGMENTS: [&str; 36] = [
    "i",
    "d",
    "s\\ p",
    "t",
    "m",
    "nope",
    "==",
    "<=",
    "IN",
    "BETWEEN",
    "LIKE",
    "[c]",
    "AND",
    "or",
    "!",
    "(",
    ")",
    "{",
    "}",
    ",",
    "5",
    "-1.5e3",
    "'x'",
    "null",
    "inf",
    "T1:5",
    "2020-1-1@0:0:0",
    "B64\"YQ==\"",
    "binary('a')",
    "$0",
    "ANY",
    ".@count",
    "SORT(",
    "ASC",
    "LIMIT(1)",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_compiles_to_the_same(predicate in any_predicate()) {
        let printed = predicate.to_string();
        let query = Query::compile(&schema(), "T", &printed, &[]);
        prop_assert_eq!(query.map(|query| query.predicate), Ok(predicate), "{}", printed);
    }

    #[test]
    fn normal_form_is_stable(predicate in any_predicate()) {
        prop_assert_eq!(predicate.clone().simplified(), predicate);
    }

    #[test]
    fn the_evaluator_agrees_with_a_naive_one(condition in naive(), rows in rows(), odd: bool) {
        let text = condition.text(odd);
        let query = Query::compile(&schema(), "T", &text, &[]).unwrap();
        for row in &rows {
            prop_assert_eq!(
                query.predicate.matches(row, &NoObjects), condition.holds(row), "{} on {:?}", text, row
            );
        }
    }

    #[test]
    fn sorting_is_that_of_the_standard_library(rows in rows(), limit in 0..8_usize) {
        let text = format!("TRUEPREDICATE SORT(i ASC) SORT(s\\ p DESC) LIMIT({limit})");
        let query = Query::compile(&schema(), "T", &text, &[]).unwrap();
        let keys = |rows: &[TestRow]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
        let mut wanted = rows.clone();
        wanted.sort_by(|a, b| b.s.cmp(&a.s).then(a.i.cmp(&b.i)));
        wanted.truncate(limit);
        prop_assert_eq!(keys(&query.run(rows, &NoObjects)), keys(&wanted));
    }

    #[test]
    fn any_text_is_decided(text: String) {
        let _ = Query::compile(&schema(), "T", &text, &[]);
    }

    #[test]
    fn any_sequence_of_words_is_decided(
        words in prop::collection::vec(prop::sample::select(FRAGMENTS.to_vec()), 0..12)
    ) {
        let text = words.join(" ");
        if let Ok(query) = Query::compile(&schema(), "T", &text, &[Value::Int(1).into()]) {
            let again = Query::compile(&schema(), "T", &query.to_string(), &[]);
            prop_assert_eq!(again, Ok(query), "{}", text);
        }
    }

    #[test]
    fn damaged_queries_are_decided(
        choice: prop::sample::Index, place: prop::sample::Index, length in 0..6_usize, put: String
    ) {
        static CASES: std::sync::OnceLock<(common::Dataset, Vec<serde_json::Value>)> =
            std::sync::OnceLock::new();
        let (dataset, cases) = CASES.get_or_init(|| (common::dataset(), common::cases()));
        let case = choice.get(cases);
        let mut characters: Vec<char> = case["query"].as_str().unwrap().chars().collect();
        let from = place.index(characters.len() + 1);
        let to = (from + length).min(characters.len());
        characters.splice(from..to, put.chars());
        let text: String = characters.into_iter().collect();
        if let Err(error) = Query::compile(&dataset.schema, case["class"].as_str().unwrap(), &text, &[]) {
            prop_assert!(error.position() <= text.len(), "{}", error);
        }
    }
}

/// An argument that a text cannot hold exactly is still compared exactly.
#[test]
fn nan_arguments_are_one() {
    let payload = f64::from_bits(0x7FF8_0000_0000_0001);
    let compile =
        |value: f64| Query::compile(&schema(), "T", "d < $0", &[Value::Double(value).into()]);
    assert_eq!(compile(payload), compile(f64::NAN));
    assert_eq!(compile(f64::NAN).unwrap().to_string(), "d < nan");
    let text: Arc<str> = "a'\"\\".into();
    let query = Query::compile(&schema(), "T", "s\\ p == $0", &[Value::String(text).into()]);
    assert_eq!(query.unwrap().to_string(), "s\\ p == B64\"YSciXA==\"");
}
