//! The decimal type against vectors made by Python's `decimal` (`tools/make_decimal_vectors.py`).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use std::cmp::Ordering;
use std::path::Path;

use serde_json::Value as Json;
use skerry_model::Decimal128;

fn lines(name: &str) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/decimal");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 400, "{name} is shorter than the script writes it");
    lines
}

fn text<'a>(line: &'a Json, member: &str) -> &'a str {
    line[member].as_str().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn parsing_printing_and_bytes() {
    for line in lines("parse.jsonl") {
        let parsed = text(&line, "text").parse::<Decimal128>();
        if let Some(error) = line.get("error") {
            assert_eq!(format!("{:?}", parsed.unwrap_err()), error.as_str().unwrap(), "{line}");
            continue;
        }
        let decimal = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(hex(&decimal.to_bytes()), text(&line, "bytes"), "{line}");
        assert_eq!(decimal.to_string(), text(&line, "printed"), "{line}");
        assert_eq!(decimal.to_string().parse(), Ok(decimal), "{line}");
        assert_eq!(Decimal128::from_bytes(decimal.to_bytes()), Ok(decimal), "{line}");
    }
}

#[test]
fn numeric_order() {
    for line in lines("compare.jsonl") {
        let a: Decimal128 = text(&line, "a").parse().unwrap();
        let b: Decimal128 = text(&line, "b").parse().unwrap();
        let order = line["order"].as_i64().unwrap().cmp(&0);
        assert_eq!(a.cmp_numeric(&b), order, "{line}");
        assert_eq!(b.cmp_numeric(&a), order.reverse(), "{line}");
    }
}

#[test]
fn operations() {
    for line in lines("arithmetic.jsonl") {
        let a: Decimal128 = text(&line, "a").parse().unwrap();
        let b: Decimal128 = text(&line, "b").parse().unwrap();
        let result = match text(&line, "op") {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            other => panic!("no operation {other}"),
        };
        assert_eq!(result.to_string(), text(&line, "result"), "{line}");
    }
}

#[test]
fn doubles_through_15_digits() {
    for line in lines("from_f64.jsonl") {
        let double = f64::from_bits(u64::from_str_radix(text(&line, "bits"), 16).unwrap());
        let decimal = Decimal128::from_f64_15_digits(double);
        assert_eq!(decimal.to_string(), text(&line, "decimal"), "{line}");
        assert_eq!(decimal.cmp_f64(double), Ordering::Equal, "{line}");
    }
}

#[test]
fn floats_through_7_digits() {
    for (float, expected) in [
        (0.1f32, "0.1"),
        (1.5, "1.5"),
        (1e6, "1000000"),
        (1e7, "1E+7"),
        (16_777_217.0, "1.677722E+7"),
        (-0.0, "-0"),
        (f32::NEG_INFINITY, "-Infinity"),
        (f32::NAN, "NaN"),
    ] {
        assert_eq!(Decimal128::from_f32_7_digits(float).to_string(), expected);
    }
}

#[test]
fn integers_compare_exactly() {
    for int in [0, 1, -1, 9_007_199_254_740_993, i64::MAX, i64::MIN] {
        let decimal = Decimal128::from(int);
        assert_eq!(decimal.to_string(), int.to_string());
        assert_eq!(decimal.cmp_i64(int), Ordering::Equal);
    }
    let above: Decimal128 = "9223372036854775807.5".parse().unwrap();
    assert_eq!(above.cmp_i64(i64::MAX), Ordering::Greater);
    let below: Decimal128 = "-9223372036854775808.000001".parse().unwrap();
    assert_eq!(below.cmp_i64(i64::MIN), Ordering::Less);
    assert_eq!(Decimal128::NAN.cmp_i64(i64::MIN), Ordering::Less);
}
