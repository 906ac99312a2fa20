//! What is refused: with which error, at which place, and within which bounds.

use skerry_model::{ClassSchema, Property, PropertyType, Schema, Value};
use skerry_query::limits::{NESTING_MAX_DEPTH, QUERY_MAX_BYTES};
use skerry_query::{Argument, Predicate, Query, QueryError, QueryErrorKind, parse};

fn schema() -> Schema {
    let class = ClassSchema {
        embedded: false,
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::ObjectId, false),
            Property::scalar("complexity", PropertyType::Int, false),
            Property::scalar("name", PropertyType::String, true),
            Property::link("parent", "Item"),
        ],
    };
    Schema::new([class]).expect("the schema is well-formed")
}

fn refusal(text: &str) -> QueryError {
    Query::compile(&schema(), "Item", text, &[]).expect_err(text)
}

#[test]
fn errors_say_what_was_expected_and_where() {
    for (text, message) in [
        (
            "complexity <=",
            "expected a property, a value or a condition, found the end of the query at 13",
        ),
        ("complexity 4", "expected a comparison operator, found `4` at 11"),
        ("complexity == 4 name", "expected the end of the query, found `name` at 16"),
        ("(complexity == 4", "expected an operator or `)`, found the end of the query at 16"),
        ("TRUEPREDICATE SORT(name)", "expected ASC or DESC, found `)` at 23"),
        ("complexity == #", "there is no token that begins with '#' at 14"),
        ("name == 'x", "a string without its closing quote begins at 8"),
        ("size == 4", "class \"Item\" has no property \"size\" (at 0)"),
        ("name == 4", "4 is no value to compare with string (at 5)"),
        ("name == $1", "argument $1 is missing; 0 were given (at 8)"),
        ("name IN 'x'", "what follows IN must be a list (at 5)"),
        ("4 == 4", "two constants cannot be compared (at 2)"),
        ("parent > null", "operator > is not defined for link (at 7)"),
        ("complexity BETWEEN {1}", "BETWEEN takes a list of two constants, not of 1 (at 11)"),
    ] {
        assert_eq!(refusal(text).to_string(), message, "{text}");
    }
}

#[test]
fn what_has_no_meaning_is_named_with_its_place() {
    for (text, message) in [
        ("ANY complexity == 4", "the path behind ANY must contain a list (at 4)"),
        ("complexity BETWEEN ANY {4}", "BETWEEN takes a list of two constants, not of 1 (at 11)"),
        ("parent.@sum > 1", "@sum is not defined for link (at 0)"),
        ("complexity.@count == 1", "@count is not defined for int (at 0)"),
        (
            "@links.Item.name.@count == 1",
            "there is no property \"Item.name\" that links to class \"Item\" (at 0)",
        ),
        ("name[0] == 'x'", "property \"Item.name\" takes no such index (at 4)"),
        ("name.length == 1", "property \"Item.name\" has no member \"length\" (at 5)"),
        ("name + 1 == 5", "string and int are no numbers to calculate with (at 5)"),
        ("name TEXT 'x'", "TEXT wants a property with a full-text index (at 5)"),
        (
            "parent GEOWITHIN geoCircle([1.0, 2.0], 3.0)",
            "GEOWITHIN wants a point on its left, not link (at 7)",
        ),
        (
            "SUBQUERY(parent, $x, TRUEPREDICATE).@count == 0",
            "SUBQUERY wants a path to a list of objects, or to objects that link here (at 0)",
        ),
        (
            "SUBQUERY(@links.Item.parent, x, TRUEPREDICATE).@count == 0",
            "expected a variable such as `$x`, found `x` at 29",
        ),
        ("$K0 == 5", "argument $0 is missing; 0 were given (at 0)"),
        ("parent.$K0 == 5", "expected the name of a property, found `$K0` at 7"),
        ("parent == O12", "an object cannot be named by a number of the engine's storage (at 10)"),
        ("complexity.@type == 'int'", "two constants cannot be compared (at 17)"),
        ("name IN parent.name", "what follows IN must be a list (at 5)"),
    ] {
        assert_eq!(refusal(text).to_string(), message, "{text}");
    }
}

#[test]
fn a_link_path_is_resolved_before_it_is_refused() {
    assert_eq!(refusal("parent.nope == 1").kind(), QueryErrorKind::InvalidProperty);
    assert_eq!(refusal("name.length == 1").kind(), QueryErrorKind::InvalidProperty);
}

#[test]
fn lists_as_arguments_stand_where_lists_may() {
    let list = [Argument::List(vec![Value::Int(1), Value::Int(2)])];
    let compile = |text| Query::compile(&schema(), "Item", text, &list);
    assert_eq!(compile("complexity IN $0"), compile("complexity == $0"));
    assert_eq!(compile("complexity IN $0").expect("a list").to_string(), "complexity IN {1, 2}");
    let error = compile("complexity IN {$0}").expect_err("a list in a list");
    assert_eq!(error.kind(), QueryErrorKind::BadArgument);
}

#[test]
fn nesting_is_bounded_and_chains_are_not() {
    for open in ["(", "!", "NOT ", "!("] {
        let text = open.repeat(60_000);
        assert!(matches!(parse(&text), Err(QueryError::TooDeep { .. })), "{open}");
    }
    let sum = vec!["complexity"; NESTING_MAX_DEPTH + 2].join(" + ");
    assert!(matches!(parse(&format!("{sum} == 1")), Err(QueryError::TooDeep { .. })));
    let path = vec!["parent"; 70].join(".");
    assert!(matches!(parse(&format!("{path}.name == 'x'")), Err(QueryError::ListTooLong { .. })));
    let subqueries = "SUBQUERY(@links.Item.parent, $x, ".repeat(200);
    assert!(matches!(parse(&subqueries), Err(QueryError::TooDeep { .. })));

    let nested = |depth: usize| format!("{}TRUEPREDICATE{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(NESTING_MAX_DEPTH - 1)).is_ok());
    assert!(parse(&nested(NESTING_MAX_DEPTH)).is_err());

    let chain = vec!["complexity == 1"; 13_000].join(" OR ");
    let query = Query::compile(&schema(), "Item", &chain, &[]).expect("chains are flat");
    assert!(matches!(&query.predicate, Predicate::Or(parts) if parts.len() == 13_000));
    assert_eq!(query.to_string().len(), chain.len());
}

#[test]
fn length_is_bounded() {
    let longest = format!("name == '{}'", "x".repeat(QUERY_MAX_BYTES - 10));
    assert_eq!(longest.len(), QUERY_MAX_BYTES);
    assert!(parse(&longest).is_ok());
    let error = parse(&(longest + " ")).expect_err("one byte too long");
    assert!(matches!(error, QueryError::TooLong { .. }));
}
