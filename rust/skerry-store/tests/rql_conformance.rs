//! The outcomes recorded from the real engine, through stored objects: by SQL and by the evaluator alone,
//! which must agree always, and with what the evaluator finds over objects in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;
#[path = "../../skerry-query/tests/common/mod.rs"]
mod recorded;

use common::memory_tables_of;
use recorded::{argument, cases, dataset};
use rusqlite::Connection;
use serde_json::Value as Json;
use skerry_model::content::spell;
use skerry_model::{
    ClassSchema, CollectionType, Content, Instruction, Name, ObjectKey, ObjectRef, Property,
    PropertyType, Schema, Value,
};
use skerry_query::{Argument, Query, QueryError};
use skerry_store::{ObjectTables, StoreError};

/// A file with the recorded objects, in order of insertion.
fn filled(recorded: &recorded::Dataset) -> (Connection, ObjectTables) {
    let (connection, mut tables) = memory_tables_of(&recorded.schema);
    tables.ensure_indexes(&connection, &recorded.schema).unwrap();
    for (class, objects) in &recorded.objects {
        let class = recorded.schema.class(class).unwrap();
        for object in objects {
            let reference = ObjectRef::new(class.name.clone(), object.key.clone());
            let create = Instruction::CreateObject { object: reference.clone() };
            tables.apply(&connection, &create).unwrap();
            for instruction in spell(&recorded.schema, class, &reference, object.contents()) {
                tables.apply(&connection, &instruction).unwrap();
            }
        }
    }
    (connection, tables)
}

struct Found {
    by_sql: Result<Vec<ObjectKey>, String>,
    by_evaluator: Result<Vec<ObjectKey>, String>,
    in_memory: Result<Vec<ObjectKey>, String>,
}

fn find(
    recorded: &recorded::Dataset,
    connection: &Connection,
    tables: &ObjectTables,
    case: &Json,
) -> Found {
    let class: Name = case["class"].as_str().unwrap().into();
    let text = case["query"].as_str().unwrap();
    let arguments: Vec<Argument> = case["args"].as_array().unwrap().iter().map(argument).collect();
    let key_position = {
        let class = tables.catalogue().schema().class(&class).unwrap();
        class.position(&class.primary_key).unwrap()
    };
    let keys = |rows: Result<Vec<Vec<Content>>, StoreError>| match rows {
        Ok(rows) => Ok(rows
            .iter()
            .map(|row| ObjectKey::from_value(row[key_position].as_value().unwrap()).unwrap())
            .collect()),
        Err(StoreError::Query(error)) => Err(error.kind().to_string()),
        Err(error) => panic!("{text}: {error}"),
    };
    let compiled = || tables.compile(connection, &class, text, &arguments);
    let in_memory = Query::compile_with(&recorded.schema, &class, text, &arguments, recorded)
        .map_err(|error| error.kind().to_string())
        .map(|query| {
            let rows = query.run(&recorded.objects[class.as_str()], recorded);
            rows.into_iter().map(|object| object.key.clone()).collect()
        });
    if let Ok(query) = compiled() {
        let count = tables.count_matching(connection, &query).unwrap();
        let found = tables.query(connection, &query).unwrap().len();
        assert_eq!(count, u64::try_from(found).unwrap(), "{text}");
    }
    Found {
        by_sql: keys(compiled().and_then(|query| tables.query(connection, &query))),
        by_evaluator: keys(compiled().and_then(|query| tables.evaluate(connection, &query))),
        in_memory,
    }
}

/// Four links from each object to the next: a path of n elements leads to 4^n objects.
#[test]
fn paths_over_too_many_objects_end_in_a_named_error() {
    let class = ClassSchema {
        name: "C".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::links("next", CollectionType::List, "C"),
        ],
        embedded: false,
    };
    let schema = Schema::new([class]).unwrap();
    let (connection, mut tables) = memory_tables_of(&schema);
    for key in 0..2 {
        let object = ObjectRef::new("C", ObjectKey::Int(key));
        let create = Instruction::CreateObject { object: object.clone() };
        tables.apply(&connection, &create).unwrap();
        let links = vec![Content::Value(Value::link("C", ObjectKey::Int(1 - key))); 4];
        let contents = [Content::Value(Value::Int(key)), Content::List(links)];
        for instruction in spell(&schema, schema.class("C").unwrap(), &object, &contents) {
            tables.apply(&connection, &instruction).unwrap();
        }
    }
    let path = |length: usize| vec!["next"; length].join(".");
    let nested = (0..30).fold("TRUEPREDICATE".to_owned(), |inner, depth| {
        format!("SUBQUERY(next, $x{depth}, {inner}).@count > 9")
    });
    for text in [format!("{}._id == 7", path(60)), format!("{}.@count == 7", path(60)), nested] {
        let query = tables.compile(&connection, &"C".into(), &text, &[]).unwrap();
        let error = tables.count_matching(&connection, &query).unwrap_err();
        assert!(
            matches!(error, StoreError::Query(QueryError::TooManySteps { .. })),
            "{text}: {error}"
        );
    }
    let text = format!("{}._id == 0", path(6));
    let query = tables.compile(&connection, &"C".into(), &text, &[]).unwrap();
    assert_eq!(tables.count_matching(&connection, &query).unwrap(), 1);
}

#[test]
fn sql_and_evaluator_agree_on_every_recorded_case() {
    let recorded = dataset();
    let (connection, tables) = filled(&recorded);
    let mut apart = Vec::new();
    for case in &cases() {
        let Found { by_sql, by_evaluator, in_memory } = find(&recorded, &connection, &tables, case);
        if by_sql != by_evaluator || by_evaluator != in_memory {
            apart.push(format!(
                "{} {} {}\n  sql       {by_sql:?}\n  evaluator {by_evaluator:?}\n  in memory {in_memory:?}",
                case["id"], case["query"], case["args"]
            ));
        }
    }
    assert!(apart.is_empty(), "{}:\n{}", apart.len(), apart.join("\n"));
}
