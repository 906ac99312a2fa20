//! The recorded outcomes of the real engine: every program, run by the in-memory peers, must end in
//! its final states on the server and on all clients, whoever makes the schema. Where the real engine
//! itself diverges or fails, all our peers must end equal.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::cmp::Ordering;
use std::path::Path;

use skerry_merge::merge_pair;
use skerry_model::{Content, Value};
use skerry_testkit::cases::{self, Case};
use skerry_testkit::peers::{Cluster, Merging, SchemaBy};
use skerry_testkit::state::Visible;

fn all(file: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    cases::read(&root.join("tests/vectors/merge").join(file))
}

/// Equal as the suite compares: decimals as numbers, all else exactly.
fn same(a: &Content, b: &Content) -> bool {
    match (a, b) {
        (Content::Value(a), Content::Value(b)) => same_value(a, b),
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Content::Set(a), Content::Set(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_value(a, b))
        }
        (Content::Dictionary(a), Content::Dictionary(b))
        | (Content::Object(a), Content::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => false,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp_numeric(b) == Ordering::Equal,
        (a, b) => a == b,
    }
}

/// The first difference of two states.
fn difference(found: &Visible, expected: &Visible) -> Option<String> {
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
    let differs = found.iter().zip(&expected).find(|((a, x), (b, y))| a != b || !same(x, y));
    match differs {
        Some((found, expected)) => Some(format!("   found {found:?}\nexpected {expected:?}")),
        None if found.len() != expected.len() => {
            Some(format!("{} properties instead of {}", found.len(), expected.len()))
        }
        None => None,
    }
}

fn run(case: &Case, by: SchemaBy, merging: Merging, peers_only: bool) -> Result<(), String> {
    let mut cluster =
        Cluster::new(case.clients, &case.schema, by, merging).map_err(|error| error.to_string())?;
    cluster.run(&case.steps).map_err(|error| error.to_string())?;
    if cluster.skipped > 0 {
        return Err(format!("{} operations were not possible", cluster.skipped));
    }
    if peers_only {
        // The file's programs end where the real engine failed; ours goes on to the end.
        let all: Vec<usize> = (0..case.clients).collect();
        cluster.exchange(&all).map_err(|error| error.to_string())?;
    }
    for client in &cluster.clients {
        if let Some(difference) = client.state().first_difference(cluster.server.state()) {
            return Err(format!("client with ident {} and server: {difference}", client.ident()));
        }
    }
    if peers_only {
        return Ok(());
    }
    let found = std::iter::once(cluster.server.state())
        .chain(cluster.clients.iter().map(skerry_testkit::peers::Client::state));
    for (peer, (found, expected)) in found.zip(&case.states).enumerate() {
        if let Some(difference) = difference(&found.visible(), expected) {
            return Err(format!("peer {peer}:\n{difference}"));
        }
    }
    Ok(())
}

#[track_caller]
fn run_all(file: &str, by: SchemaBy, merging: Merging) {
    let mut failed = Vec::new();
    for case in all(file) {
        if let Err(why) = run(&case, by, merging, file == "divergent.jsonl") {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn all_programs_are_there() {
    assert_eq!(all("cases.jsonl").len(), 548);
    assert!(all("cases.jsonl").iter().all(|case| case.states.len() == case.clients + 1));
    assert_eq!(all("divergent.jsonl").len(), 29);
}

#[test]
fn every_program_ends_as_recorded() {
    run_all("cases.jsonl", SchemaBy::Server, Merging::Product);
}

#[test]
fn every_program_ends_as_recorded_pair_by_pair() {
    run_all("cases.jsonl", SchemaBy::Server, Merging::Pairs(merge_pair));
}

#[test]
fn every_program_ends_as_recorded_when_the_clients_make_the_schema() {
    run_all("cases.jsonl", SchemaBy::Clients, Merging::Product);
}

#[test]
fn peers_agree_where_those_of_the_real_engine_do_not() {
    run_all("divergent.jsonl", SchemaBy::Server, Merging::Product);
}
