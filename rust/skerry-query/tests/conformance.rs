//! The outcomes recorded from the real engine, for the scalar part of the language.
//!
//! Every difference must be listed here and in docs/rql-differences.md; one that has gone must be
//! taken off the list.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{argument, cases, dataset, value};
use serde_json::Value as Json;
use skerry_model::{ObjectKey, PropertyType, Value};
use skerry_query::{Argument, Operand, Predicate, Query};

/// Case → the section of docs/rql-differences.md that explains it.
const DIFFERENCES: [(&str, &str); 10] = [
    ("q1681", "The number of elements of an element"),
    ("q2080", "Mixed values with an index"),
    ("q2278", "Backlinks against an argument"),
    ("q2299", "Links to different classes"),
    ("q2300", "Links to different classes"),
    ("q2581", "The order of classes"),
    ("q2683", "Sorting by what an entry of a dictionary links to"),
    ("q2687", "The order of classes"),
    ("q2688", "The order of classes"),
    ("q2702", "The order of classes"),
];

fn run(dataset: &common::Dataset, case: &Json) -> Result<Vec<ObjectKey>, String> {
    let class = case["class"].as_str().unwrap();
    let text = case["query"].as_str().unwrap();
    let arguments: Vec<Argument> = case["args"].as_array().unwrap().iter().map(argument).collect();
    let query = Query::compile_with(&dataset.schema, class, text, &arguments, dataset);
    let query = query.map_err(|error| error.kind().to_string())?;
    let rows = query.run(&dataset.objects[class], dataset);
    if !text.contains("$K") && !has_decimal_against_double(&query.predicate) {
        let printed = query.to_string();
        let again = Query::compile_with(&dataset.schema, class, &printed, &[], dataset);
        if again.as_ref() != Ok(&query) {
            return Err(format!(
                "{text} is printed as {printed}, which is {again:?}, not {query:?}"
            ));
        }
    }
    assert!(!dataset.has_given_up(), "{text}");
    Ok(rows.into_iter().map(|object| object.key.clone()).collect())
}

/// Such a condition has no text: its literal is read as a double (docs/rql-differences.md).
fn has_decimal_against_double(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Compare {
            left: Operand::Property(property),
            right: Operand::Constant(Value::Decimal(_)),
            ..
        } => matches!(property.ty, PropertyType::Double | PropertyType::Float),
        _ => false,
    }
}

fn expected(case: &Json) -> Result<Vec<ObjectKey>, String> {
    if let Some(kind) = case["result"]["error"]["kind"].as_str() {
        return Err(kind.to_owned());
    }
    let keys = case["result"]["pks"].as_array().unwrap();
    Ok(keys.iter().map(|key| ObjectKey::from_value(&value(key)).unwrap()).collect())
}

#[test]
fn recorded_outcomes_are_met() {
    let dataset = dataset();
    let cases = cases();
    assert!(cases.len() > 1400, "the cases are missing");
    let mut known: BTreeMap<&str, &str> = DIFFERENCES.into_iter().collect();
    let mut unmet = Vec::new();
    for case in &cases {
        let (found, wanted) = (run(&dataset, case), expected(case));
        let id = case["id"].as_str().unwrap();
        if found != wanted && known.remove(id).is_none() {
            unmet.push(format!(
                "{id} {} {}\n  found  {found:?}\n  wanted {wanted:?}",
                case["query"], case["args"]
            ));
        }
    }
    assert!(unmet.is_empty(), "{} of {}:\n{}", unmet.len(), cases.len(), unmet.join("\n"));
    assert!(known.is_empty(), "no longer different: {known:?}");
}
