//! Results refined step by step: they are what the same steps make of a list, whatever has been found
//! already, with columns in memory and without.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::sync::Arc;

use proptest::prelude::*;
use skerry_model::{ClassSchema, Content, Name, ObjectKey, Property, PropertyType, Schema, Value};
use skerry_query::ast::Aggregate;
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Matches, Options, Snapshot};
use skerry_store::{Realm, realm::UpdatePolicy};

const ROWS: i64 = 2100;

fn realm(dir: &tempfile::TempDir, query_cache_bytes: usize) -> Realm {
    let class = ClassSchema {
        name: "C".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("group", PropertyType::Int, false),
            Property::scalar("price", PropertyType::Double, true),
        ],
        embedded: false,
    };
    let options = Options {
        schema: Schema::new([class]).unwrap(),
        synced: false,
        synchronous: Synchronous::Normal,
        query_cache_bytes,
        encryption_key: None,
    };
    Realm::open(dir.path().join("a.realm"), &options).unwrap()
}

/// Rows with gaps between them.
fn fill(realm: &Realm) {
    let class = Name::from("C");
    let mut txn = realm.begin_write(std::time::Duration::from_secs(5)).unwrap();
    for key in 0..ROWS {
        let mut values = vec![("group".into(), Value::Int(key % 11))];
        if key % 7 != 0 {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            values.push(("price".into(), Value::Double((key * 37 % 500) as f64 / 4.0)));
        }
        let key = ObjectKey::Int(key);
        txn.create(&class, &key, &values, &[], UpdatePolicy::Error).unwrap();
    }
    for key in (0..ROWS).step_by(5) {
        txn.delete(&class, &ObjectKey::Int(key)).unwrap();
    }
    txn.commit(skerry_model::Stamp(0)).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Query(i64),
    Sort,
    Distinct,
    Limit(usize),
    Slice(usize, isize, usize),
    Find,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0i64..12).prop_map(Step::Query),
        Just(Step::Sort),
        Just(Step::Distinct),
        (1usize..900).prop_map(Step::Limit),
        (0usize..400, prop_oneof![-3isize..0, 1isize..4], 0usize..600)
            .prop_map(|(start, step, len)| Step::Slice(start, step, len)),
        Just(Step::Find),
    ]
}

type Object = (i64, i64, Option<f64>);

fn objects(snapshot: &Snapshot, matches: &Matches) -> Vec<Object> {
    let ids: Vec<i64> = matches.rows(snapshot).unwrap().iter().collect();
    let read = snapshot.read_rows(&"C".into(), &ids).unwrap();
    let object = |row: &Vec<Content>| match row[..] {
        [
            Content::Value(Value::Int(key)),
            Content::Value(Value::Int(group)),
            Content::Value(ref price),
        ] => {
            let price = if let Value::Double(price) = price { Some(*price) } else { None };
            (key, group, price)
        }
        _ => panic!("{row:?}"),
    };
    read.iter().map(object).collect()
}

fn text(step: &Step) -> Option<String> {
    match step {
        Step::Query(group) => Some(format!("group != {group}")),
        Step::Sort => Some("TRUEPREDICATE SORT(group DESC, price ASC)".to_owned()),
        Step::Distinct => Some("TRUEPREDICATE DISTINCT(group, price)".to_owned()),
        Step::Limit(limit) => Some(format!("TRUEPREDICATE LIMIT({limit})")),
        Step::Slice(..) | Step::Find => None,
    }
}

fn applied(mut list: Vec<Object>, step: &Step) -> Vec<Object> {
    match *step {
        Step::Query(group) => list.retain(|object| object.1 != group),
        Step::Sort => {
            list.sort_by(|a, b| {
                b.1.cmp(&a.1).then(a.2.partial_cmp(&b.2).expect("there is no NaN"))
            });
        }
        Step::Distinct => {
            let mut seen = Vec::new();
            list.retain(|object| {
                let key = (object.1, object.2);
                let is_new = !seen.contains(&key);
                seen.push(key);
                is_new
            });
        }
        Step::Limit(limit) => list.truncate(limit),
        Step::Slice(start, step, len) => {
            let places = (0..len).map_while(|at| {
                start.checked_add_signed(step * at.cast_signed()).filter(|at| *at < list.len())
            });
            list = places.map(|at| list[at]).collect();
        }
        Step::Find => {}
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn steps_do_what_they_do_on_a_list(
        programs in prop::collection::vec(prop::collection::vec(step(), 0..6), 1..6),
        has_columns in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let realm = realm(&dir, if has_columns { 1 << 24 } else { 0 });
        fill(&realm);
        let snapshot = realm.snapshot().unwrap();
        let everything = Matches::new(&snapshot, &"C".into(), "TRUEPREDICATE", Vec::new()).unwrap();
        let everything = Arc::new(everything);
        let all = objects(&snapshot, &everything);
        for program in programs {
            let (mut matches, mut list) = (Arc::clone(&everything), all.clone());
            for step in &program {
                list = applied(list, step);
                matches = match (step, text(step)) {
                    (_, Some(text)) => {
                        Arc::new(matches.refined(&snapshot, &text, Vec::new()).unwrap())
                    }
                    (Step::Slice(start, step, len), None) => {
                        Arc::new(matches.sliced(&snapshot, (*start, *step, *len)).unwrap())
                    }
                    _ => {
                        matches.rows(&snapshot).unwrap();
                        matches
                    }
                };
            }
            let first = matches.first(&snapshot).unwrap();
            prop_assert_eq!(matches.count(&snapshot).unwrap(), list.len() as u64);
            for key in [1, 6, 7, 500, 2099, 2100] {
                let at = list.iter().position(|object| object.0 == key);
                let key = ObjectKey::Int(key);
                let row = matches.row_of(&snapshot, &key).unwrap();
                prop_assert_eq!(row.is_some(), at.is_some());
                prop_assert_eq!(matches.position_of(&snapshot, &key).unwrap(), at);
            }
            prop_assert_eq!(objects(&snapshot, &matches), list.clone(), "{:?}", program);
            let rows = matches.rows(&snapshot).unwrap();
            prop_assert_eq!(first, rows.get(0));
            let sum = snapshot.aggregate(Aggregate::Sum, &"C".into(), "group", rows).unwrap();
            prop_assert_eq!(sum, Value::Int(list.iter().map(|object| object.1).sum()));
            if matches.is_one_query() {
                let said = matches.describe(&snapshot).unwrap();
                let again = Matches::new(&snapshot, &"C".into(), &said, Vec::new()).unwrap();
                prop_assert_eq!(objects(&snapshot, &again), list);
            }
        }
    }
}
