//! Queries on the tables give what the evaluator gives over all objects.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::borrow::Cow;
use std::sync::Arc;

use common::*;
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{
    Content, Decimal128, IndexKind, Link, Name, ObjectId, ObjectKey, ObjectRef, PropertyType,
    Schema, Timestamp, Uuid, Value,
};
use skerry_query::expression::PathExpr;
use skerry_query::{
    Argument, CompareOp, Descriptor, Direction, Objects, Operand, Predicate, PropertyRef, Query,
    Row, SortKey,
};
use skerry_store::ObjectTables;

/// Few values of each type, so that objects and constants meet often.
fn value_of(ty: PropertyType) -> BoxedStrategy<Value> {
    match ty {
        PropertyType::Int => {
            prop_oneof![Just(i64::MIN), Just(i64::MAX), -2..3_i64].prop_map(Value::Int).boxed()
        }
        PropertyType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        PropertyType::Double => prop::sample::select(vec![
            0.0,
            -0.0,
            1.5,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
        ])
        .prop_map(Value::Double)
        .boxed(),
        PropertyType::String => {
            prop::sample::select(vec!["", "a", "A", "ab", "a\0", "é", "É", "%", "\u{ffff}"])
                .prop_map(Value::string)
                .boxed()
        }
        PropertyType::Binary => prop::collection::vec(any::<bool>().prop_map(u8::from), 0..3)
            .prop_map(Value::binary)
            .boxed(),
        PropertyType::Timestamp => {
            prop::sample::select(vec![(0, 0), (0, 1), (0, -1), (-1, 0), (-1, -5), (1, 5)])
                .prop_map(|(s, ns)| Value::Timestamp(Timestamp::new(s, ns).unwrap()))
                .boxed()
        }
        PropertyType::ObjectId => {
            (0..3_u8).prop_map(|byte| Value::ObjectId(ObjectId([byte; 12]))).boxed()
        }
        PropertyType::Uuid => (0..3_u8).prop_map(|byte| Value::Uuid(Uuid([byte; 16]))).boxed(),
        PropertyType::Decimal => {
            prop::sample::select(vec!["0", "-0", "1.5", "1.50", "NaN", "-Infinity", "-1"])
                .prop_map(|text| Value::Decimal(text.parse::<Decimal128>().unwrap()))
                .boxed()
        }
        PropertyType::Link => (0..6_i64).prop_map(|key| link(all(key))).boxed(),
        PropertyType::Mixed | PropertyType::Float | PropertyType::GlobalKey => unreachable!(),
    }
}

fn maybe(ty: PropertyType, nullable: bool) -> BoxedStrategy<Value> {
    if nullable {
        prop_oneof![1 => Just(Value::Null), 3 => value_of(ty)].boxed()
    } else {
        value_of(ty)
    }
}

fn property() -> impl Strategy<Value = PropertyRef> {
    let schema = schema();
    let class = schema.class("All").unwrap().clone();
    (0..class.properties.len())
        .prop_map(move |i| PropertyRef::resolve(&class, &class.properties[i].name).unwrap())
}

/// Conditions as the checker would make them: constants are null or of the property's type.
fn condition() -> impl Strategy<Value = Predicate> {
    let operators = vec![
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
        CompareOp::BeginsWith,
        CompareOp::Contains,
        CompareOp::Like,
    ];
    let compare = (property(), prop::sample::select(operators), any::<bool>()).prop_flat_map(
        |(property, op, case_insensitive)| {
            maybe(property.ty, true).prop_map(move |constant| Predicate::Compare {
                left: Operand::Property(property.clone()),
                op,
                right: Operand::Constant(constant),
                case_insensitive,
            })
        },
    );
    let pair = (property(), property()).prop_map(|(a, b)| Predicate::Compare {
        left: Operand::Property(a),
        op: CompareOp::LessOrEqual,
        right: Operand::Property(b),
        case_insensitive: false,
    });
    let is_in = property().prop_flat_map(|property| {
        prop::collection::vec(maybe(property.ty, true), 0..4)
            .prop_map(move |values| Predicate::is_in(property.clone(), values))
    });
    let leaf = prop_oneof![6 => compare, 1 => pair, 3 => is_in];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::and),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::or),
            inner.prop_map(Predicate::negated),
        ]
    })
}

fn descriptors() -> impl Strategy<Value = Vec<Descriptor>> {
    let key = (property(), any::<bool>()).prop_map(|(property, is_up)| SortKey {
        path: PathExpr::of_property(property),
        direction: if is_up { Direction::Ascending } else { Direction::Descending },
    });
    let one = prop_oneof![
        prop::collection::vec(key, 1..3).prop_map(Descriptor::Sort),
        prop::collection::vec(property().prop_map(PathExpr::of_property), 1..3)
            .prop_map(Descriptor::Distinct),
        (0..4_u64).prop_map(Descriptor::Limit),
    ];
    prop::collection::vec(one, 0..3)
}

/// The values of one object, key first.
fn object(key: i64) -> impl Strategy<Value = Vec<Value>> {
    let schema = schema();
    let properties = schema.class("All").unwrap().properties.clone();
    let rest: Vec<_> =
        properties[1..].iter().map(|property| maybe(property.ty, property.nullable)).collect();
    rest.prop_map(move |mut values| {
        values.insert(0, Value::Int(key));
        values
    })
}

/// An object held in memory.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    key: ObjectKey,
    values: Vec<Value>,
}

impl Row for Held {
    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        Cow::Owned(Content::Value(self.values[property.index].clone()))
    }
}

/// The objects of class `All`, in order of insertion.
struct World {
    schema: Schema,
    held: Vec<Held>,
}

impl World {
    fn find(&self, link: &Link) -> Option<usize> {
        self.held.iter().position(|held| &*link.class == "All" && held.key == link.key)
    }
}

impl Objects for World {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn object(&self, link: &Link) -> Option<Arc<[Content]>> {
        let held = &self.held[self.find(link)?];
        Some(held.values.iter().cloned().map(Content::Value).collect())
    }

    fn referrers(&self, target: &Link, of: Option<(&Name, &PropertyRef)>) -> Vec<Link> {
        panic!("no condition here asks who links to {target:?} with {of:?}")
    }

    fn position(&self, link: &Link) -> Option<u64> {
        self.find(link).map(|at| at as u64)
    }
}

fn store(connection: &Connection, tables: &mut ObjectTables, objects: &[Vec<Value>]) {
    let schema = schema();
    for values in objects {
        let key = ObjectKey::from_value(&values[0]).unwrap();
        let object = ObjectRef::new("All", key);
        tables.apply(connection, &create(object.clone())).unwrap();
        let properties = schema.class("All").unwrap().properties.iter().zip(values).skip(1);
        for (property, value) in properties {
            let update = set(object.clone(), &property.name, value.clone());
            tables.apply(connection, &update).unwrap();
        }
    }
}

/// What a query sees of the objects: links to absent ones are null.
fn visible(objects: &[Vec<Value>]) -> Vec<Held> {
    let keys: Vec<Value> = objects.iter().map(|values| values[0].clone()).collect();
    let see = |value: &Value| match value {
        Value::Link(link) if !keys.contains(&link.key.clone().into()) => Value::Null,
        other => other.clone(),
    };
    objects
        .iter()
        .map(|values| Held {
            key: ObjectKey::from_value(&values[0]).unwrap(),
            values: values.iter().map(see).collect(),
        })
        .collect()
}

/// The schema with an index on everything that can have one.
fn indexed() -> Schema {
    let schema = schema();
    let all = schema.class("All").unwrap().clone();
    all.properties.iter().fold(schema, |schema, property| {
        let indexed = schema.clone().with_index("All", property.name.clone(), IndexKind::General);
        indexed.unwrap_or(schema)
    })
}

fn objects() -> impl Strategy<Value = Vec<Vec<Value>>> {
    // Not in the order of the keys, and some keys that links may name are missing.
    (object(3), object(-1), object(4), object(1), object(i64::MAX))
        .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sql_and_evaluator_agree(
        objects in objects(),
        is_indexed in any::<bool>(),
        queries in prop::collection::vec((condition(), descriptors()), 12),
    ) {
        let (connection, mut tables) = memory_tables();
        if is_indexed {
            tables.ensure_indexes(&connection, &indexed()).unwrap();
        }
        store(&connection, &mut tables, &objects);
        let world = World { schema: schema(), held: visible(&objects) };
        for (predicate, descriptors) in queries {
            let query = Query { class: "All".into(), predicate, descriptors };
            let expected: Vec<_> =
                query.run(world.held.clone(), &world).into_iter().map(|held| held.values).collect();
            let found = tables.query(&connection, &query).unwrap();
            prop_assert_eq!(&found, &expected, "{:?}", query);
            prop_assert_eq!(&tables.evaluate(&connection, &query).unwrap(), &expected, "{:?}", query);
            let count = tables.count_matching(&connection, &query).unwrap();
            prop_assert_eq!(count, expected.len() as u64);
        }
    }
}

fn text_query(tables: &ObjectTables, connection: &Connection, text: &str) -> Vec<Content> {
    let arguments: Vec<Argument> = vec![Argument::Value(link(named("b")))];
    let query = tables.compile(connection, &"Named".into(), text, &arguments).unwrap();
    let rows = tables.query(connection, &query).unwrap();
    rows.into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn dangling_links_and_link_constants_are_null() {
    let (connection, mut tables) = memory_tables();
    for step in [
        create(named("a")),
        set(named("a"), "peer", link(named("b"))),
        create(named("c")),
        set(named("c"), "peer", link(named("a"))),
    ] {
        tables.apply(&connection, &step).unwrap();
    }
    let a = [Value::string("a")];
    assert_eq!(text_query(&tables, &connection, "peer == nil"), a);
    assert_eq!(text_query(&tables, &connection, "peer == $0"), a, "$0 has no object: null");
    tables.apply(&connection, &create(named("b"))).unwrap();
    assert_eq!(text_query(&tables, &connection, "peer == $0"), a);
    assert_eq!(text_query(&tables, &connection, "peer == nil"), [Value::string("b")]);
}

#[test]
fn a_key_is_found_through_the_index() {
    let (connection, _tables) = memory_tables();
    let plan: String = connection
        .query_row(
            "EXPLAIN QUERY PLAN SELECT * FROM o1 WHERE p0 IS ? ORDER BY row_id",
            [1],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("USING INDEX o1_key"), "{plan}");
}

#[test]
fn long_conditions_do_not_pass_the_limits_of_sqlite() {
    let (connection, mut tables) = memory_tables();
    store(&connection, &mut tables, &[]);
    tables.apply(&connection, &create(all(5))).unwrap();
    let schema = schema();
    let id = PropertyRef::resolve(schema.class("All").unwrap(), "_id").unwrap();
    let equal = |key| Predicate::compare(id.clone(), CompareOp::Equal, Value::Int(key));
    let different = |key| Predicate::compare(id.clone(), CompareOp::NotEqual, Value::Int(key));
    let long = [
        Predicate::or((0..5000).map(equal)),
        Predicate::and((6..5000).map(different)),
        Predicate::is_in(id.clone(), (0..40_000).map(Value::Int).collect()),
    ];
    for predicate in long {
        let query = Query { class: "All".into(), predicate, descriptors: Vec::new() };
        assert_eq!(tables.count_matching(&connection, &query).unwrap(), 1);
    }
}
