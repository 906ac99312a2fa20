//! The recorded outcomes of the real engine: every program, run by the in-memory peers, must end in
//! its final states on the server and on all clients, whoever makes the schema.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod cases;

use std::cmp::Ordering;
use std::path::Path;

use cases::Case;
use skerry_merge::merge_pair;
use skerry_model::Value;
use skerry_testkit::peers::{Client, Cluster, SchemaBy};
use skerry_testkit::state::Visible;

fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    cases::read(&root.join("tests/vectors/merge/scalar_cases.jsonl"))
}

/// Equal as the suite compares: decimals as numbers, all else exactly.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp_numeric(b) == Ordering::Equal,
        (a, b) => a == b,
    }
}

fn assert_state(found: &Visible, expected: &Visible, case: &str, peer: &str) {
    let flat = |state: &Visible| -> Vec<_> {
        let objects = state.iter().flat_map(|(class, objects)| {
            objects.iter().map(move |(key, values)| (class.clone(), key.clone(), values.clone()))
        });
        objects
            .flat_map(|(class, key, values)| {
                values.into_iter().map(move |(f, v)| ((class.clone(), key.clone(), f), v))
            })
            .collect()
    };
    let (found, expected) = (flat(found), flat(expected));
    let equal = found.len() == expected.len()
        && found.iter().zip(&expected).all(|((a, x), (b, y))| a == b && same(x, y));
    assert!(equal, "{case}, {peer}:\n   found {found:?}\nexpected {expected:?}");
}

fn run(case: &Case, by: SchemaBy) {
    let mut cluster = Cluster::new(case.clients, &case.schema, by, merge_pair).unwrap();
    let ran = cluster.run(&case.steps);
    ran.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(cluster.skipped, 0, "{}: an operation was not possible", case.name);
    assert_state(&cluster.server.state().visible(), &case.server, &case.name, "server");
    assert_eq!(case.client_states.len(), case.clients, "{}", case.name);
    for (client, expected) in cluster.clients.iter().zip(&case.client_states) {
        let peer = format!("client with ident {}", Client::ident(client));
        assert_state(&client.state().visible(), expected, &case.name, &peer);
    }
    assert_eq!(cluster.parted(), [], "{}", case.name);
}

#[test]
fn all_programs_are_there() {
    assert_eq!(all().len(), 90);
}

#[test]
fn every_program_ends_as_recorded() {
    for case in all() {
        run(&case, SchemaBy::Server);
    }
}

#[test]
fn every_program_ends_as_recorded_when_the_clients_make_the_schema() {
    for case in all() {
        run(&case, SchemaBy::Clients);
    }
}
