//! Regions against the answers of S2 (`tools/make_geo_vectors.py`).

use serde_json::Value;
use skerry_query::geo::{GeoError, GeoPoint, Region};

const VECTORS: &str = include_str!("../../../tests/vectors/geo/within.jsonl");

fn lines() -> impl Iterator<Item = Value> {
    VECTORS.lines().map(|line| serde_json::from_str(line).expect("the vectors are JSON"))
}

fn points(text: &Value) -> Vec<GeoPoint> {
    let text = text.as_str().expect("coordinates are a text");
    let numbers: Vec<f64> =
        text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.chunks_exact(2).map(|pair| GeoPoint::new(pair[0], pair[1])).collect()
}

fn region(line: &Value) -> Result<Region, GeoError> {
    if let Some(rings) = line["polygon"].as_array() {
        return Region::polygon(rings.iter().map(points).collect());
    }
    if line["box"].is_string() {
        let corners = points(&line["box"]);
        return Region::geo_box(corners[0], corners[1]);
    }
    let radius = line["radius"].as_str().expect("a radius").parse().expect("a number");
    Region::circle(points(&line["circle"])[0], radius)
}

#[test]
fn points_are_in_the_regions_that_s2_finds_them_in() {
    let mut wrong = Vec::new();
    for line in lines().filter(|line| line["in"].is_string()) {
        let region = match region(&line) {
            Ok(region) => region,
            Err(error) => {
                wrong.push(format!("{line}: {error}"));
                continue;
            }
        };
        for (key, expected) in [("in", true), ("out", false)] {
            for point in points(&line[key]) {
                if region.contains(point) != expected {
                    wrong.push(format!("{point} is {key} of {region}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn regions_are_refused_that_s2_finds_invalid() {
    let accepted: Vec<String> = lines()
        .filter(|line| !line["in"].is_string())
        .filter_map(|line| region(&line).ok().map(|region| region.to_string()))
        .collect();
    assert!(accepted.is_empty(), "{} accepted:\n{}", accepted.len(), accepted.join("\n"));
}
