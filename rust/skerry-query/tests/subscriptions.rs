//! The server's dialect and the wire form of subscription sets.

use std::collections::BTreeMap;

use skerry_model::{ClassSchema, Content, Name, ObjectKey, Property, PropertyType, Schema, Value};
use skerry_query::{FieldRow, NoObjects, Predicate, check_subscription, combine};

fn schema() -> Schema {
    let class = ClassSchema {
        embedded: false,
        name: "TopLevel".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("complexity", PropertyType::Int, false),
            Property::scalar("ownerId", PropertyType::String, true),
            Property::scalar("non_queryable_field", PropertyType::Int, true),
            Property::link("parent", "TopLevel"),
        ],
    };
    Schema::new([class]).expect("the schema is well-formed")
}

fn check(text: &str) -> Result<Predicate, String> {
    let queryable = ["complexity", "ownerId", "parent"];
    check_subscription(&schema(), "TopLevel", text, &queryable).map_err(|error| error.to_string())
}

#[test]
fn refusals_have_the_known_texts() {
    let unlisted =
        "Invalid query: \"TopLevel\": key \"non_queryable_field\" is not a queryable field";
    for (text, message) in [
        ("non_queryable_field == 1", unlisted),
        ("complexity == 1 AND non_queryable_field == 1 AND FALSEPREDICATE", unlisted),
        ("nowhere == 1", "Invalid query: \"TopLevel\": key \"nowhere\" is not a queryable field"),
        ("parent == null", "Invalid query: \"TopLevel\": key \"parent\" is not a queryable field"),
        (
            "parent.complexity == 1",
            "Invalid query: \"TopLevel\": key \"parent.complexity\" is not a queryable field",
        ),
        (
            "complexity ==",
            "Client provided query with bad syntax: \"TopLevel\": expected a property, a value or a condition, \
             found the end of the query at 13",
        ),
        (
            "TRUEPREDICATE LIMIT(1)",
            "Invalid query: \"TopLevel\": LIMIT is not supported in subscriptions",
        ),
        (
            "TRUEPREDICATE SORT(_id ASC)",
            "Invalid query: \"TopLevel\": SORT is not supported in subscriptions",
        ),
        (
            "complexity == _id",
            "Invalid query: \"TopLevel\": a comparison of two properties is not supported in subscriptions",
        ),
        (
            "complexity == $0",
            "Invalid query: \"TopLevel\": argument $0 is missing; 0 were given (at 14)",
        ),
        (
            "ANY complexity == 1",
            "Invalid query: \"TopLevel\": a quantifier is not supported yet (at 0)",
        ),
        (
            "complexity == 'x'",
            "Invalid query: \"TopLevel\": \"x\" is no value to compare with int (at 11)",
        ),
    ] {
        assert_eq!(check(text), Err(message.to_owned()), "{text}");
    }
    let unknown = check_subscription(&schema(), "Nope", "TRUEPREDICATE", &[]);
    assert_eq!(
        unknown.map_err(|error| error.to_string()),
        Err("Invalid query: there is no class \"Nope\"".to_owned())
    );
}

#[test]
fn accepted_queries_decide_over_fields() {
    let predicate =
        check("(_id > 3) OR (complexity <= 4 AND ownerId == \"me\")").expect("in the dialect");
    let fields = |complexity: i64, owner: Value| {
        [(Name::from("complexity"), Value::Int(complexity)), (Name::from("ownerId"), owner)]
    };
    let key = ObjectKey::Int(1);
    let matches = |fields: &[(Name, Value)]| {
        let held: Vec<(Name, Content)> =
            fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        predicate.matches(&FieldRow { key: &key, fields: &held }, &NoObjects)
    };
    assert!(matches(&fields(4, Value::string("me"))));
    assert!(!matches(&fields(5, Value::string("me"))));
    assert!(!matches(&fields(4, Value::Null)));
    assert!(!matches(&[]));
    assert!(matches(&[(Name::from("_id"), Value::Int(4))]));
    let names: Vec<String> =
        predicate.referenced_fields().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["_id", "complexity", "ownerId"]);
}

#[test]
fn equal_sets_have_equal_wire_forms() {
    let set = |queries: &[&str]| {
        let queries = queries.iter().map(|&query| query.to_owned()).collect();
        combine(BTreeMap::from([(Name::from("TopLevel"), queries), (Name::from("Other"), vec![])]))
    };
    let wire = set(&["complexity <= 4", "TRUEPREDICATE", "complexity <= 4"]);
    assert_eq!(wire, set(&["TRUEPREDICATE", "complexity <= 4"]));
    let text = &wire["TopLevel"];
    assert_eq!(text, "(TRUEPREDICATE) OR (complexity <= 4)");
    assert_eq!(wire.len(), 1);
    assert_eq!(check(text), Ok(Predicate::True));
}

#[test]
fn joining_does_not_pass_a_limit() {
    let deepest = format!("{}complexity == 1{}", "(".repeat(98), ")".repeat(98));
    assert!(skerry_query::parse(&deepest).is_ok());
    let long = format!("ownerId == '{}'", "x".repeat(200_000));
    let queries = vec![deepest, long.clone(), long.replace("==", "!=")];
    let wire = combine(BTreeMap::from([(Name::from("TopLevel"), queries)]));
    assert!(check(&wire["TopLevel"]).is_ok());
}
