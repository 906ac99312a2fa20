//! The server's dialect and the wire form of subscription sets.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use skerry_model::{
    ClassSchema, CollectionType, Content, Name, ObjectKey, Property, PropertyType, Schema, Value,
};
use skerry_query::{
    FieldRow, NoObjects, Predicate, Query, check_locally, check_subscription, combine,
};

fn schema() -> Schema {
    let (text, list) = (PropertyType::String, CollectionType::List);
    let place = ClassSchema {
        embedded: true,
        name: "Place".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("type", text, false),
            Property::collection("coordinates", list, PropertyType::Double, false),
        ],
    };
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
            Property::collection("tags", list, text, true),
            Property::links("friends", list, "TopLevel"),
            Property::collection("marks", CollectionType::Set, text, false),
            Property::collection("map", CollectionType::Dictionary, PropertyType::Int, false),
            Property::scalar("value", PropertyType::Mixed, true),
            Property::link("place", "Place"),
            Property::collection("hidden", list, text, false),
        ],
    };
    Schema::new([class, place]).expect("the schema is well-formed")
}

fn check(text: &str) -> Result<Predicate, String> {
    let queryable =
        ["complexity", "ownerId", "parent", "tags", "friends", "marks", "map", "value", "place"];
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
            "Invalid query: \"TopLevel\": the path behind ANY must contain a list (at 4)",
        ),
        (
            "complexity == 'x'",
            "Invalid query: \"TopLevel\": \"x\" is no value to compare with int (at 11)",
        ),
    ] {
        assert_eq!(check(text), Err(message.to_owned()), "{text}");
    }
    let embedded = check_subscription(&schema(), "Place", "TRUEPREDICATE", &[]);
    assert_eq!(
        embedded.map_err(|error| error.to_string()),
        Err("Invalid query: \"Place\": a class of embedded objects is not supported in subscriptions".to_owned())
    );
    let unknown = check_subscription(&schema(), "Nope", "TRUEPREDICATE", &[]);
    assert_eq!(
        unknown.map_err(|error| error.to_string()),
        Err("Invalid query: there is no class \"Nope\"".to_owned())
    );
}

/// Query, and the field or what is not supported.
#[test]
fn what_is_no_field_against_constants_is_refused_by_name() {
    for (text, field) in [
        ("hidden == 'x'", "hidden"),
        ("ANY friends.complexity == 1", "friends.complexity"),
        ("friends.@count == 1", "friends"),
        ("ANY friends == null", "friends"),
        ("ANY marks == 'x'", "marks"),
        ("marks.@count == 1", "marks"),
        ("map['k'] == 1", "map"),
        ("map.@count == 1", "map"),
        ("ANY map.@keys == 'k'", "map"),
        ("value == 1", "value"),
        ("value[0] == 1", "value"),
        ("place.type == 'Point'", "place.type"),
        ("tags.length == 3", "tags.length"),
        ("'x' IN hidden", "hidden"),
    ] {
        let message =
            format!("Invalid query: \"TopLevel\": key \"{field}\" is not a queryable field");
        assert_eq!(check(text), Err(message), "{text}");
    }
}

/// Query, field, and what is not supported of it.
#[test]
fn what_a_field_cannot_be_asked_is_refused_by_name() {
    for (text, field, what) in [
        ("ALL tags == 'x'", "tags", "ALL"),
        ("NONE tags == 'x'", "tags", "NONE"),
        ("tags == {'x'}", "tags", "a comparison of two lists"),
        ("{'x', 'y'} IN tags", "tags", "a comparison of two lists"),
        ("tags IN {'x'}", "tags", "a comparison of two lists"),
        ("ANY {'x'} != ANY tags", "tags", "a comparison of two lists"),
        ("tags[0] == 'x'", "tags", "an index"),
        ("tags BETWEEN {'a', 'b'}", "tags", "BETWEEN on an array"),
        ("tags.@type == 'string'", "tags", "@type"),
        ("complexity.@type == 'int'", "complexity", "@type"),
        ("tags.@max == 'x'", "tags", "an aggregate"),
        ("ownerId.@count == 1", "ownerId", "@count on what is no array"),
        ("ownerId TEXT 'x'", "ownerId", "TEXT"),
        ("place == null", "place", "anything but GEOWITHIN on a point"),
        (
            "complexity GEOWITHIN geoCircle([1, 2], 3)",
            "complexity",
            "GEOWITHIN on what is no GeoJSON point",
        ),
    ] {
        let message = format!(
            "Invalid query: \"TopLevel\": key \"{field}\": {what} is not supported in subscriptions"
        );
        assert_eq!(check(text), Err(message), "{text}");
    }
}

#[test]
fn what_subscriptions_do_not_have_is_refused_by_name() {
    for (text, what) in [
        ("@links.TopLevel.parent.@count == 0", "a backlink"),
        ("SUBQUERY(friends, $x, $x.complexity == 1).@count > 0", "SUBQUERY"),
        ("complexity + 1 == 2", "arithmetic"),
        ("complexity == 1 + 1", "arithmetic"),
        ("complexity == ALL {1}", "ALL before a list"),
        ("NONE {1, 2} == complexity", "NONE before a list"),
        ("tags.@count == complexity", "a comparison of two properties"),
        ("ANY tags == ownerId", "a comparison of two properties"),
        ("ownerId IN tags", "a comparison of two properties"),
        ("parent == obj('TopLevel', 1)", "an object as a constant"),
        ("$K0 == 1", "a key-path argument"),
        ("TRUEPREDICATE DISTINCT(_id)", "DISTINCT"),
    ] {
        let refused = check(text).expect_err(text);
        let message =
            format!("Invalid query: \"TopLevel\": {what} is not supported in subscriptions");
        let by_field = refused.contains("is not a queryable field");
        assert!(
            refused == message || (by_field && text.starts_with("parent")),
            "{text}: {refused}"
        );
    }
}

#[test]
fn arrays_and_points_are_decided() {
    let (key, text) = (ObjectKey::Int(1), |text: &str| Content::Value(Value::string(text)));
    let coordinates = [13.4, 52.5].map(|degrees| Content::Value(Value::Double(degrees)));
    let place = Content::Object(BTreeMap::from([
        ("type".into(), text("Point")),
        ("coordinates".into(), Content::List(coordinates.to_vec())),
    ]));
    let fields = [
        (Name::from("tags"), Content::List(vec![text("red"), text("Blue")])),
        (Name::from("place"), place),
    ];
    let nowhere = [(Name::from("tags"), Content::List(Vec::new()))];
    for (query, expected) in [
        ("ANY tags == 'red'", [true, false]),
        ("tags == 'red'", [true, false]),
        ("'red' IN tags", [true, false]),
        ("ANY tags == 'blue'", [false, false]),
        ("ANY tags ==[c] 'blue'", [true, false]),
        ("ANY tags BEGINSWITH 'Bl'", [true, false]),
        ("ANY tags IN {'green', 'red'}", [true, false]),
        ("NOT ANY tags == 'red'", [false, true]),
        ("ANY tags != 'red'", [true, false]),
        ("ANY tags == null", [false, false]),
        ("tags.@count == 2", [true, false]),
        ("tags.@size == 0", [false, true]),
        ("tags.@count BETWEEN {1, 5}", [true, false]),
        ("place GEOWITHIN geoCircle([13.4, 52.5], 0.1)", [true, false]),
        ("place GEOWITHIN geoBox([0.0, 0.0], [1.0, 1.0])", [false, false]),
    ] {
        let predicate = check(query).expect("in the dialect");
        let decide = |fields: &[(Name, Content)]| {
            predicate.matches(&FieldRow { key: &key, fields }, &NoObjects)
        };
        assert_eq!([decide(&fields), decide(&nowhere)], expected, "{query}");
    }
}

/// Cases that are as plain as those that are tagged.
const PLAIN: [&str; 3] =
    ["decV == 9.999999999999999999999999999999999E+6144", "intV==+3", "intV <= +3"];

/// Tagged, although the tag excludes comparisons of two properties.
const TWO_PROPERTIES: [&str; 1] = ["sort == distinct"];

/// Every case that the documentation allows is accepted, also as printed, which is what a client
/// sends; and nothing else that the engine accepts, but for the numbers of elements.
#[test]
fn the_recorded_cases_are_told_apart() {
    let dataset = common::dataset();
    let (mut allowed, mut others) = (0, 0);
    for case in common::cases() {
        let (class, text) = (case["class"].as_str().unwrap(), case["query"].as_str().unwrap());
        let is_tagged = |tag: &str| case["tags"].as_array().unwrap().iter().any(|it| it == tag);
        let properties = &dataset.schema.class(class).unwrap().properties;
        let names: Vec<&str> = properties.iter().map(|property| property.name.as_str()).collect();
        let check = |text: &str| check_subscription(&dataset.schema, class, text, &names);
        let arguments: Vec<_> =
            case["args"].as_array().unwrap().iter().map(common::argument).collect();
        let Ok(query) = Query::compile(&dataset.schema, class, text, &arguments) else { continue };
        if (!is_tagged("flx") && !PLAIN.contains(&text)) || TWO_PROPERTIES.contains(&text) {
            let counts = ["@count", "@size", "[SIZE]"].iter().any(|word| text.contains(word));
            assert!(check(text).is_err() || counts, "{text} is accepted");
            others += 1;
            continue;
        }
        allowed += 1;
        let (printed, unknown) = (query.to_string(), check_locally(&dataset.schema, class, text));
        let checked = check(&printed);
        assert!(checked.is_ok(), "{text}, printed as {printed}: {checked:?}");
        if arguments.is_empty() {
            assert_eq!(check(text).as_ref(), Ok(&query.predicate), "{text}");
            assert_eq!(unknown.as_ref(), Ok(&query.predicate), "{text}");
            assert_eq!(checked.as_ref(), Ok(&query.predicate), "{printed}");
        }
    }
    assert!(allowed > 400 && others > 500, "{allowed} and {others}");
}

#[test]
fn what_is_queryable_is_not_asked_locally() {
    assert!(check_locally(&schema(), "TopLevel", "non_queryable_field == 1").is_ok());
    for refused in ["marks == 'x'", "nowhere == 1", "parent.complexity == 1", "complexity =="] {
        let local = check_locally(&schema(), "TopLevel", refused);
        assert_eq!(local.map_err(|error| error.to_string()), check(refused), "{refused}");
    }
}

#[test]
fn each_joined_query_has_its_own_limit() {
    let most = skerry_query::limits::QUERY_MAX_BYTES;
    let join = |queries: &[String]| {
        combine(BTreeMap::from([(Name::from("TopLevel"), queries.to_vec())]))["TopLevel"].clone()
    };
    let longest = format!("ownerId == '{}'", "x".repeat(most - 13));
    let other = longest.replace("==", "!=");
    assert!(check(&join(&[longest.clone(), other])).is_ok());
    let longer = format!("{longest} ");
    let message = "LimitsExceeded: \"TopLevel\": a subscription query is 262145 bytes long; at most 262144 \
                   are allowed";
    assert_eq!(check(&join(&[longer.clone(), longest])), Err(message.to_owned()));
    assert_eq!(check(&longer), Err(message.to_owned()));
    // Marks inside of texts join nothing.
    let inside = format!("ownerId == ') OR (' OR ownerId == '{}'", "x".repeat(most - 10));
    assert!(check(&join(&[inside])).is_err_and(|error| error.starts_with("LimitsExceeded")));
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
