//! Laws of the whole language, on random queries over the recorded classes and objects: what is printed
//! compiles to the same query, NOT gives the complement, NONE is not ANY, and nothing panics.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skerry_model::{ClassSchema, CollectionType, PropertyType, Schema};
use skerry_query::{Argument, Query};

fn recorded() -> &'static common::Dataset {
    static DATASET: OnceLock<common::Dataset> = OnceLock::new();
    DATASET.get_or_init(common::dataset)
}

/// A source of choices: the bytes that the test framework draws and shrinks.
struct Choices<'b> {
    bytes: std::slice::Iter<'b, u8>,
}

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or_default()) % bound
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.below(one_in) == one_in - 1
    }
}

/// Names that are written as they are; what is reserved cannot be.
fn writable(class: &ClassSchema) -> Vec<&str> {
    let reserved = ["any", "none", "obj", "nan"];
    let names = class.properties.iter().map(|property| property.name.as_str());
    names.filter(|name| !reserved.contains(name)).collect()
}

fn path(choices: &mut Choices<'_>, schema: &Schema, class: &ClassSchema) -> String {
    let mut text = String::new();
    let mut class = class;
    for _ in 0..4 {
        if choices.is(8) {
            let (origin, property) = choices.one(&[
                &("Item", "owner"),
                &("Item", "related"),
                &("Person", "friends"),
                &("Dog", "owner"),
                &("Node", "next"),
            ]);
            text.extend(["@links.", *origin, ".", *property, "."]);
            class = schema.class(origin).unwrap();
            continue;
        }
        let names = writable(class);
        let name = names[choices.below(names.len())];
        let property = class.property(name).unwrap();
        text.push_str(&name.replace(' ', "\\ "));
        let element = choices.is(3).then(|| match property.collection {
            CollectionType::List => *choices.one(&[&"[0]", &"[FIRST]", &"[LAST]", &"[*]"]),
            CollectionType::Dictionary => {
                *choices.one(&[&"['a']", &".key", &".@keys", &".@values"])
            }
            CollectionType::Single if property.ty == PropertyType::Mixed => {
                *choices.one(&[&"[0]", &"['a']", &".b.c", &"[*]", &".@keys"])
            }
            _ => "",
        });
        text.push_str(element.unwrap_or_default());
        match property.target.as_deref().and_then(|target| schema.class(target)) {
            Some(target) if !choices.is(3) => {
                class = target;
                text.push('.');
            }
            _ => break,
        }
    }
    let text = text.trim_end_matches('.').to_owned();
    let operation = if choices.is(4) {
        choices.one(&[
            "@count",
            "@size",
            "@type",
            "@sum",
            "@avg.age",
            "@max.intV",
            "@min",
            "length",
        ])
    } else {
        return text;
    };
    format!("{text}.{operation}")
}

fn constant(choices: &mut Choices<'_>) -> &'static str {
    choices.one(&[
        "null",
        "true",
        "false",
        "0",
        "3",
        "-5",
        "2.5",
        "0.1f",
        "1e3",
        "inf",
        "nan",
        "'a'",
        "'Beta'",
        "''",
        "'int'",
        "'x y'",
        "\"it's\"",
        "binary('ab')",
        "T0:0",
        "T1000000000:5",
        "oid(4fa3b2c1d0e9f8a7b6c5d4e3)",
        "uuid(6f1c2d3e-8a4b-4c5d-9e6f-0a1b2c3d4e5f)",
        "obj('Item', 10)",
        "obj('Node', 5)",
        "9223372036854775808",
        "0x10",
    ])
}

fn list(choices: &mut Choices<'_>) -> String {
    let constants: Vec<_> = (0..choices.below(4)).map(|_| constant(choices)).collect();
    format!("{{{}}}", constants.join(", "))
}

fn expression(
    choices: &mut Choices<'_>,
    schema: &Schema,
    class: &ClassSchema,
    depth: usize,
) -> String {
    let quantifier = if choices.is(4) { choices.one(&["ANY ", "ALL ", "NONE "]) } else { "" };
    match choices.below(9) {
        0 if depth > 0 => {
            let left = expression(choices, schema, class, depth - 1);
            let op = choices.one(&["+", "-", "*", "/"]);
            format!("{left} {op} ({})", expression(choices, schema, class, depth - 1))
        }
        1 if depth > 0 => {
            let (class, links) = (schema.class("Person").unwrap(), "owner.friends");
            let inner = condition(choices, schema, class, depth - 1);
            format!("SUBQUERY({links}, $x{depth}, {inner}).@count")
        }
        2 | 3 => constant(choices).to_owned(),
        4 => format!("{quantifier}{}", list(choices)),
        _ => format!("{quantifier}{}", path(choices, schema, class)),
    }
}

fn condition(
    choices: &mut Choices<'_>,
    schema: &Schema,
    class: &ClassSchema,
    depth: usize,
) -> String {
    match choices.below(8) {
        0 if depth > 0 => format!("!({})", condition(choices, schema, class, depth - 1)),
        1 | 2 if depth > 0 => {
            let left = condition(choices, schema, class, depth - 1);
            let op = choices.one(&["AND", "OR"]);
            format!("({left} {op} {})", condition(choices, schema, class, depth - 1))
        }
        // Most random comparisons have no meaning, so several are tried.
        _ => (0..12)
            .map(|_| comparison(choices, schema, class, depth.min(2)))
            .find(|text| compile(&class.name, text).is_some())
            .unwrap_or_else(|| "TRUEPREDICATE".to_owned()),
    }
}

fn comparison(
    choices: &mut Choices<'_>,
    schema: &Schema,
    class: &ClassSchema,
    depth: usize,
) -> String {
    const OPERATORS: [&str; 15] = [
        "==",
        "!=",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "==[c]",
        "CONTAINS[c]",
        "BEGINSWITH",
        "ENDSWITH",
        "LIKE",
        "IN",
        "TEXT",
    ];
    if choices.is(8) {
        return format!("{} BETWEEN {}", path(choices, schema, class), list(choices));
    }
    let left = expression(choices, schema, class, depth);
    let op = choices.one(&OPERATORS);
    format!("{left} {op} {}", expression(choices, schema, class, depth))
}

fn compile(class: &str, text: &str) -> Option<Query> {
    Query::compile_with(&recorded().schema, class, text, &[], recorded()).ok()
}

fn matching(query: &Query) -> Vec<bool> {
    // Each thread has its own, which counts the steps of its queries.
    thread_local! {
        static OBJECTS: common::Dataset = common::dataset();
    }
    OBJECTS.with(|objects| {
        let rows = &objects.objects[query.class.as_str()];
        let found = rows.iter().map(|row| query.predicate.matches(row, objects)).collect();
        assert!(!objects.has_given_up(), "{query}");
        found
    })
}

fn any_query() -> impl Strategy<Value = (&'static str, String)> {
    let classes = prop::sample::select(vec!["Item", "Item", "Person", "Order", "Node", "Dog"]);
    (classes, prop::collection::vec(any::<u8>(), 20..200)).prop_map(|(class, bytes)| {
        let schema = &recorded().schema;
        let mut choices = Choices { bytes: bytes.iter() };
        (class, condition(&mut choices, schema, schema.class(class).unwrap(), 3))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_compiles_to_the_same((class, text) in any_query()) {
        let Some(query) = compile(class, &text) else { return Ok(()) };
        let printed = query.to_string();
        let again = compile(class, &printed);
        prop_assert_eq!(again.as_ref(), Some(&query), "{} is printed as {}", text, printed);
    }

    #[test]
    fn not_gives_the_complement((class, text) in any_query()) {
        let Some(query) = compile(class, &text) else { return Ok(()) };
        let opposite = compile(class, &format!("NOT ({text})")).unwrap();
        let expected: Vec<bool> = matching(&query).into_iter().map(|matches| !matches).collect();
        prop_assert_eq!(matching(&opposite), expected, "{}", text);
    }

    #[test]
    fn none_is_not_any(bytes in prop::collection::vec(any::<u8>(), 8..40)) {
        let (schema, mut choices) = (&recorded().schema, Choices { bytes: bytes.iter() });
        let path = path(&mut choices, schema, schema.class("Item").unwrap());
        let op = choices.one(&["==", "!=", "<", ">=", "CONTAINS"]);
        let constant = constant(&mut choices);
        let [any, none] = ["ANY", "NONE"].map(|word| {
            compile("Item", &format!("{word} {path} {op} {constant}"))
        });
        // Of no keys nothing holds, NONE included: so the engine has it.
        if let (Some(any), Some(none)) = (any, none) && !path.contains("@keys") {
            let expected: Vec<bool> = matching(&any).into_iter().map(|matches| !matches).collect();
            prop_assert_eq!(matching(&none), expected, "{} {} {}", path, op, constant);
        }
    }
}

/// Enough of the random queries have a meaning, or the laws say nothing.
#[test]
fn many_random_queries_compile() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut compiled = 0;
    for _ in 0..1000 {
        let (class, text) = any_query().new_tree(&mut runner).unwrap().current();
        compiled += usize::from(compile(class, &text).is_some());
    }
    assert!(compiled > 300, "{compiled} of 1000");
}

/// Found by fuzzing: a number too great for the 32 bits that it asks for, and what arithmetic makes of
/// constants.
#[test]
fn infinities_and_what_is_no_number_are_printed() {
    for text in [
        "value >= 1e60f",
        "ANY children.value IN {-1e60f}",
        "value + 1e60f > 3",
        // A NaN of another sign than the one that is written.
        "value == inf / 4 / inf",
        "value + 0.0 == (inf - inf) * 2",
    ] {
        let query = compile("Node", text).unwrap();
        assert_eq!(compile("Node", &query.to_string()), Some(query), "{text}");
    }
}

/// Found by fuzzing: each operator of a chain had become a pair of parentheses, and so too many levels.
#[test]
fn long_chains_of_arithmetic_are_printed_as_they_were() {
    let chain = format!("total{} > 500", " * 2 / 3 + 1 - 4".repeat(24));
    let query = compile("Order", &chain).unwrap();
    assert_eq!(query.to_string().matches('(').count(), 0);
    assert_eq!(compile("Order", &query.to_string()), Some(query));
    let text = "(orderNo - (1 - orderNo)) * 2 / (3 / orderNo) > orderNo - 1 - 2 * orderNo";
    let query = compile("Order", text).unwrap();
    assert_eq!(query.to_string(), text);
    assert_eq!(compile("Order", &query.to_string()), Some(query));
}

/// What the engine was observed to do beyond the recorded cases.
#[test]
fn null_is_not_searched_over_links_and_sets_compare_in_order() {
    let count = |class: &str, text: &str| {
        matching(&compile(class, text).unwrap()).into_iter().filter(|matches| *matches).count()
    };
    for op in ["BEGINSWITH", "ENDSWITH", "CONTAINS"] {
        assert_eq!(count("Item", &format!("owner.name {op} null")), 0, "{op}");
    }
    let set = "doubleSet == {-2.0, 1.5, inf}";
    let reversed = "doubleSet == {inf, 1.5, -2.0}";
    let sizes = "doubleSet.@count == 3 AND ANY doubleSet == inf AND ANY doubleSet == 1.5 \
                 AND ANY doubleSet == -2.0";
    assert!(count("Item", set) >= 4);
    assert_eq!(count("Item", set), count("Item", sizes));
    assert_eq!(count("Item", reversed), 0);
}

/// Arguments are put in, so a printed query needs none.
#[test]
fn arguments_are_put_in() {
    let arguments = [Argument::List(vec![1.into_value(), 2.into_value()])];
    let compile = |text: &str, arguments: &[Argument]| {
        Query::compile_with(&recorded().schema, "Item", text, arguments, recorded()).unwrap()
    };
    let query = compile("ANY related.intV IN $0", &arguments);
    assert_eq!(query.to_string(), "ANY related.intV == {1, 2}");
    assert_eq!(compile(&query.to_string(), &[]), query);
}

trait IntoValue {
    fn into_value(self) -> skerry_model::Value;
}

impl IntoValue for i64 {
    fn into_value(self) -> skerry_model::Value {
        skerry_model::Value::Int(self)
    }
}
