//! The golden changesets of `tests/vectors/changeset`: what stands there in JSON encodes to the
//! bytes beside it, and these decode to it; what is invalid is refused with the named error.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

mod describe;

use std::path::Path;

use serde_json::Value as Json;
use skerry_model::{DecodeError, decode_changeset, encode_changeset};

const VALID: [&str; 4] = ["schema", "objects", "payloads", "paths"];

fn cases(file: &str) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/changeset");
    let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes(case: &Json) -> Vec<u8> {
    describe::bytes(&case["hex"])
}

/// Name of an error: that of its variant.
fn error_name(error: &DecodeError) -> String {
    let text = format!("{error:?}");
    text.split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn valid_vectors() {
    for case in VALID.into_iter().flat_map(cases) {
        let (name, bytes) = (&case["name"], bytes(&case));
        let described = describe::changeset(&case["instructions"]);
        let decoded = decode_changeset(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, described, "{name}");
        assert_eq!(encode_changeset(&described).unwrap(), bytes, "{name}");
    }
}

#[test]
fn every_instruction_has_a_vector() {
    let cases: Vec<Json> = VALID.into_iter().flat_map(cases).collect();
    let mut codes: Vec<u8> = cases
        .iter()
        .flat_map(|case| describe::changeset(&case["instructions"]).instructions)
        .map(|instruction| instruction.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, (0..14).collect::<Vec<_>>());
}

#[test]
fn invalid_vectors() {
    let mut differences = Vec::new();
    for case in cases("invalid") {
        let error = decode_changeset(&bytes(&case))
            .as_ref()
            .map_or_else(error_name, |decoded| format!("nothing, but decodes to {decoded:?}"));
        if Some(error.as_str()) != case["error"].as_str() {
            differences.push(format!("{}: {error}, not {}", case["name"], case["error"]));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
