//! Regions against the answers of S2 (`tools/make_geo_vectors.py`), against recorded queries of the
//! engine, and the laws of being inside.

use std::f64::consts::PI;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use skerry_model::{ClassSchema, CollectionType, Property, PropertyType, Schema};
use skerry_query::geo::{
    GeoError, GeoPoint, Number, REGION_MAX_CLOSE_EDGES, REGION_MAX_RINGS, REGION_MAX_VERTICES,
    Region,
};
use skerry_query::{Evaluated, Predicate, Query};

const VECTORS: &str = include_str!("../../../tests/vectors/geo/within.jsonl");
const PLACES: &str = include_str!("../../../tests/vectors/geo/places.jsonl");
const RECORDED: &str = include_str!("../../../tests/vectors/geo/recorded.jsonl");

/// How many valid polygons the vectors have.
const POLYGONS: usize = 202;

fn json_lines(text: &'static str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("the vectors are JSON"))
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
    for line in json_lines(VECTORS).filter(|line| line["in"].is_string()) {
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
    let accepted: Vec<String> = json_lines(VECTORS)
        .filter(|line| !line["in"].is_string())
        .filter_map(|line| region(&line).ok().map(|region| region.to_string()))
        .collect();
    assert!(accepted.is_empty(), "{} accepted:\n{}", accepted.len(), accepted.join("\n"));
}

/// The places of the recorded queries.
struct Place {
    id: String,
    kind: String,
    location: Option<GeoPoint>,
    waypoints: Vec<GeoPoint>,
    near: Option<String>,
}

fn places() -> Vec<Place> {
    let point =
        |value: &Value| Some(GeoPoint::new(value.get(0)?.as_f64()?, value.get(1)?.as_f64()?));
    json_lines(PLACES)
        .map(|line| Place {
            id: line["id"].as_str().expect("an id").to_owned(),
            kind: line["kind"].as_str().expect("a kind").to_owned(),
            location: point(&line["location"]),
            waypoints: line["waypoints"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(point)
                .collect(),
            near: line["near"].as_str().map(str::to_owned),
        })
        .collect()
}

fn at(longitude: f64, latitude: f64) -> GeoPoint {
    GeoPoint::new(longitude, latitude)
}

fn ring(numbers: &[(f64, f64)]) -> Vec<GeoPoint> {
    numbers.iter().map(|(longitude, latitude)| at(*longitude, *latitude)).collect()
}

fn boxed(west: f64, south: f64, east: f64, north: f64) -> Region {
    Region::geo_box(at(west, south), at(east, north)).expect("a valid box")
}

fn circle(longitude: f64, latitude: f64, radius: f64) -> Region {
    Region::circle(at(longitude, latitude), radius).expect("a valid circle")
}

fn polygon(rings: &[&[(f64, f64)]]) -> Region {
    Region::polygon(rings.iter().map(|numbers| ring(numbers)).collect()).expect("a valid polygon")
}

type Condition = Box<dyn Fn(&[Place], &Place) -> bool>;

/// The region of a recorded query that asks nothing but whether the location is in it.
fn recorded_region(id: &str) -> Option<Region> {
    let outline: &[(f64, f64)] = &[(0.0, 0.0), (2.0, 0.0), (2.0, 2.5), (0.0, 2.0), (0.0, 0.0)];
    let hole: &[(f64, f64)] = &[(0.3, 0.3), (0.8, 0.3), (0.8, 0.8), (0.3, 0.8), (0.3, 0.3)];
    let square: &[(f64, f64)] = &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
    let triangle: &[(f64, f64)] = &[(10.0, 55.0), (15.0, 45.0), (5.0, 45.0), (10.0, 55.0)];
    Some(match id {
        "q2711" => boxed(0.0, 0.0, 1.0, 1.0),
        "q2717" => circle(0.3, 0.25, 0.9),
        "q2720" => circle(13.405, 52.52, 0.001),
        "q2733" => polygon(&[triangle]),
        "q2766" => circle(0.3, 0.25, 1.0),
        "q2767" => boxed(-10.0, -0.5, 15.0, 60.0),
        "q2783" => polygon(&[outline]),
        "q2784" => polygon(&[outline, hole]),
        "q2785" => boxed(0.15, 0.2, 0.8, 0.65),
        "q2797" => polygon(&[square]),
        _ => return None,
    })
}

/// What a recorded query asks of a place.
fn condition(id: &str) -> Condition {
    if let Some(region) = recorded_region(id) {
        return Box::new(move |_, place| {
            place.location.is_some_and(|point| region.contains(point))
        });
    }
    let unit = boxed(0.0, 0.0, 1.0, 1.0);
    let alps = boxed(5.0, 45.0, 10.0, 50.0);
    let near = |places: &[Place], place: &Place| {
        places.iter().position(|other| Some(&other.id) == place.near.as_ref())
    };
    match id {
        "q2749" => Box::new(move |places, place| {
            let location = near(places, place).and_then(|other| places[other].location);
            location.is_some_and(|point| boxed(5.0, 45.0, 15.0, 55.0).contains(point))
        }),
        // The engine's ALL is false of nothing.
        "q2752" => Box::new(move |_, place| {
            !place.waypoints.is_empty() && place.waypoints.iter().all(|point| alps.contains(*point))
        }),
        "q2753" => {
            Box::new(move |_, place| !place.waypoints.iter().any(|point| alps.contains(*point)))
        }
        "q2755" => Box::new(|_, place| {
            !place.location.is_some_and(|point| boxed(0.0, 0.0, 50.0, 60.0).contains(point))
        }),
        "q2756" => Box::new(move |_, place| {
            place.kind == "cafe" && place.location.is_some_and(|point| unit.contains(point))
        }),
        "q2757" => Box::new(move |_, place| {
            let berlin = circle(13.4, 52.5, 0.01);
            place.location.is_some_and(|point| unit.contains(point) || berlin.contains(point))
        }),
        "q2763" => Box::new(move |places, place| {
            near(places, place).is_some_and(|other| {
                places[other]
                    .waypoints
                    .iter()
                    .any(|point| circle(10.0, 50.0, 0.05).contains(*point))
            })
        }),
        "q2770" => Box::new(move |places, place| {
            places.iter().any(|other| {
                other.near.as_ref() == Some(&place.id)
                    && other.location.is_some_and(|point| alps.contains(point))
            })
        }),
        _ => panic!("recorded query {id} has no condition here"),
    }
}

#[test]
fn recorded_queries_match_what_the_engine_matched() {
    let places = places();
    let mut count = 0;
    for line in json_lines(RECORDED) {
        let condition = condition(line["id"].as_str().expect("an id"));
        let matched: Vec<&str> = places
            .iter()
            .filter(|place| condition(&places, place))
            .map(|place| place.id.as_str())
            .collect();
        let ids: Vec<&str> =
            line["ids"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(matched, ids, "{}", line["query"]);
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn corners_and_centres_are_where_the_engine_has_them() {
    let unit = boxed(0.0, 0.0, 1.0, 1.0);
    assert!(!unit.contains(at(0.0, 0.0)) && !unit.contains(at(1.0, 1.0)));
    assert!(!boxed(0.5, 0.5, 1.0, 1.0).contains(at(1.0, 1.0)));
    let nothing_but = circle(13.4, 52.5, 0.0);
    assert!(nothing_but.contains(at(13.4, 52.5)));
    assert!(!nothing_but.contains(at(13.4, 52.5_f64.next_up())));
    for radius in [PI, 4.0, f64::INFINITY] {
        let everything = circle(10.0, 20.0, radius);
        assert!(everything.contains(at(-170.0, -20.0)) && everything.contains(at(0.0, 90.0)));
    }
}

#[test]
fn points_off_the_earth_are_nowhere() {
    let everything = circle(0.0, 0.0, 4.0);
    for point in
        [(f64::NAN, 0.0), (0.0, f64::NAN), (180.1, 0.0), (0.0, -90.1), (f64::INFINITY, 0.0)]
    {
        assert!(!everything.contains(at(point.0, point.1)), "{point:?}");
    }
    assert!(everything.contains(at(-180.0, -90.0)));
}

#[test]
fn a_polygon_may_contain_a_pole() {
    let cap = polygon(&[&[(-120.0, 80.0), (0.0, 80.0), (120.0, 80.0), (-120.0, 80.0)]]);
    for longitude in [-180.0, -77.0, 0.0, 180.0] {
        assert!(cap.contains(at(longitude, 90.0)) && !cap.contains(at(longitude, -90.0)));
    }
}

#[test]
fn of_a_hemisphere_the_side_to_the_left_is_meant() {
    let mut numbers = [(0.0, 0.0), (120.0, 0.0), (-120.0, 0.0), (0.0, 0.0)];
    let north = polygon(&[&numbers]);
    numbers.reverse();
    let south = polygon(&[&numbers]);
    for (latitude, is_north) in [(1e-9, true), (-1e-9, false), (90.0, true), (-90.0, false)] {
        for longitude in [0.0, 60.0, 180.0] {
            assert_eq!(north.contains(at(longitude, latitude)), is_north);
            assert_eq!(south.contains(at(longitude, latitude)), !is_north);
        }
    }
}

fn refusal(rings: &[&[(f64, f64)]]) -> String {
    let rings = rings.iter().map(|numbers| ring(numbers)).collect();
    Region::polygon(rings).expect_err("an invalid polygon").to_string()
}

const SQUARE: &[(f64, f64)] = &[(0.0, 0.0), (0.0, 4.0), (4.0, 4.0), (4.0, 0.0), (0.0, 0.0)];

#[test]
fn rings_are_refused_with_the_engines_words() {
    let cases: [(&[(f64, f64)], &str); 8] = [
        (&[], "Ring has no vertices"),
        (
            &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)],
            "Ring is not closed, first vertex 'GeoPoint([0, 0])' does not equal last vertex \
             'GeoPoint([1, 1])'",
        ),
        (
            &[(0.0, 0.0), (-180.1, -90.1), (0.0, 0.0)],
            "Longitude/latitude is out of bounds, lng: -180.1 lat: -90.1",
        ),
        (
            &[(0.0, 0.0), (f64::NAN, 1.0), (0.0, 0.0)],
            "Longitude/latitude is out of bounds, lng: NaN lat: 1",
        ),
        (
            &[(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (-0.0, 0.0)],
            "Ring 0 must have at least 3 different vertices, 2 unique vertices were provided",
        ),
        (
            &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)],
            "Ring 0 is not valid: 'Duplicate vertices: 1 and 3'",
        ),
        (
            &[(0.0, 0.0), (0.0, 1.0), (2.0, 1.0), (2.0, 2.0), (0.0, 0.0)],
            "Ring 0 is not valid: 'Edges 1 and 3 cross'",
        ),
        (
            &[(30.0, 0.0), (-150.0, 0.0), (0.0, 50.0), (30.0, 0.0)],
            "Ring 0 is not valid: 'Vertices 0 and 1 are antipodal'",
        ),
    ];
    for (numbers, text) in cases {
        assert_eq!(refusal(&[numbers]), text);
    }
    assert_eq!(refusal(&[]), "Polygon has no rings.");
}

#[test]
fn holes_are_refused_that_are_not_apart_inside() {
    let hole = |west: f64, south: f64, size: f64| {
        let (east, north) = (west + size, south + size);
        vec![(west, south), (east, south), (east, north), (west, north), (west, south)]
    };
    let outside = "Secondary ring 1 not contained by first exterior ring - secondary rings must be \
                   holes in the first ring";
    // Beside the outer ring, across its border, and around it.
    for (west, south, size) in [(5.0, 5.0, 1.0), (3.0, 1.0, 2.0), (-1.0, -1.0, 6.0)] {
        assert_eq!(refusal(&[SQUARE, &hole(west, south, size)]), outside);
    }
    let shared = "Polygon isn't valid: 'Duplicate edge: ring 1 and ring 0'";
    assert_eq!(refusal(&[SQUARE, SQUARE]), shared);
    let twice = [(0.0, 0.0), (2.0, 3.0), (4.0, 4.0), (3.0, 2.0), (0.0, 0.0)];
    assert_eq!(
        refusal(&[SQUARE, &twice]),
        "Polygon is not normalized: 'Ring 1 shares more than one vertex with its parent ring 0'"
    );
    let crossing = "Polygon isn't valid: 'Ring 1 crosses ring 2'";
    assert_eq!(refusal(&[SQUARE, &hole(1.0, 1.0, 1.0), &hole(1.5, 1.5, 1.0)]), crossing);
    // Nested with a corner in common: they overlap around it.
    assert_eq!(refusal(&[SQUARE, &hole(1.0, 1.0, 2.0), &hole(1.0, 1.0, 1.0)]), crossing);
    // Across each other in two corners that they have in common.
    let upright = [(2.0, 3.0), (1.0, 2.0), (2.0, 1.0), (3.0, 2.0), (2.0, 3.0)];
    let lower = [(2.0, 0.5), (3.0, 2.0), (2.0, 2.5), (1.0, 2.0), (2.0, 0.5)];
    assert_eq!(refusal(&[SQUARE, &upright, &lower]), crossing);
    let nested = "Polygon interior rings cannot be nested: 2";
    assert_eq!(refusal(&[SQUARE, &hole(1.0, 1.0, 2.0), &hole(1.5, 1.5, 0.5)]), nested);
}

#[test]
fn holes_may_touch_in_a_corner() {
    let corner = [(0.0, 0.0), (1.0, 0.5), (1.0, 1.0), (0.0, 0.0)];
    let beyond = [(1.0, 1.0), (2.0, 1.5), (1.5, 2.0), (1.0, 1.0)];
    let region = polygon(&[SQUARE, &corner, &beyond]);
    assert!(region.contains(at(0.5, 2.0)) && region.contains(at(1.2, 0.8)));
    assert!(!region.contains(at(0.8, 0.6)) && !region.contains(at(1.5, 1.5)));
}

#[test]
fn boxes_and_circles_are_refused_by_name() {
    assert_eq!(
        Region::geo_box(at(1.0, 1.0), at(1.0, 2.0)),
        Err(GeoError::TooFewVertices { ring: 0, vertices: 2 })
    );
    let beyond = at(0.0, 100.0);
    assert_eq!(Region::circle(beyond, 0.1), Err(GeoError::OutOfBounds { point: beyond }));
    for radius in [-1.0, -f64::MIN_POSITIVE, f64::NAN] {
        let error = Region::circle(at(0.0, 0.0), radius).expect_err("no radius");
        assert_eq!(error, GeoError::BadRadius { radius_radians: Number(radius) });
        assert_eq!(error.to_string(), "The radius of a circle must be a non-negative number");
    }
}

/// A comb of long thin teeth, all of whose edges are close to each other.
fn comb(teeth: u32) -> Vec<GeoPoint> {
    let mut vertices = Vec::new();
    for tooth in 0..teeth {
        let latitude = f64::from(tooth) * 1e-14;
        let ends = if tooth % 2 == 0 { [0.0, 10.0] } else { [10.0, 0.0] };
        vertices.extend(ends.map(|longitude| at(longitude, latitude)));
    }
    vertices.extend([at(-1.0, f64::from(teeth) * 1e-14), at(-1.0, 0.0), at(0.0, 0.0)]);
    vertices
}

#[test]
fn regions_are_refused_that_would_take_too_long() {
    let many = vec![at(0.0, 0.0); REGION_MAX_VERTICES + 1];
    assert_eq!(
        Region::polygon(vec![many]),
        Err(GeoError::TooManyVertices {
            actual: REGION_MAX_VERTICES + 1,
            max: REGION_MAX_VERTICES
        })
    );
    assert_eq!(
        Region::polygon(vec![Vec::new(); REGION_MAX_RINGS + 1]),
        Err(GeoError::TooManyRings { actual: REGION_MAX_RINGS + 1, max: REGION_MAX_RINGS })
    );
    assert!(Region::polygon(vec![comb(100)]).is_ok());
    assert_eq!(
        Region::polygon(vec![comb(1500)]),
        Err(GeoError::TooManyCloseEdges { max: REGION_MAX_CLOSE_EDGES })
    );
}

#[test]
fn regions_print_as_they_were_given_with_floats_only() {
    assert_eq!(boxed(-1.0, 0.0, 1.5, 1e-7).to_string(), "geoBox([-1.0, 0.0], [1.5, 1e-7])");
    assert_eq!(circle(13.405, -0.0, 2.0).to_string(), "geoCircle([13.405, -0.0], 2.0)");
    let everything = circle(0.0, 0.0, f64::INFINITY).to_string();
    assert_eq!(everything, "geoCircle([0.0, 0.0], 1.7976931348623157e308)");
    let triangle: &[(f64, f64)] = &[(0.0, 0.0), (4.0, 0.0), (0.0, 4.0), (0.0, 0.0)];
    let inner: &[(f64, f64)] = &[(1.0, 1.0), (1.5, 1.0), (1.0, 1.5), (1.0, 1.0)];
    assert_eq!(
        polygon(&[triangle, inner]).to_string(),
        "geoPolygon({[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 0.0]}, \
         {[1.0, 1.0], [1.5, 1.0], [1.0, 1.5], [1.0, 1.0]})"
    );
}

fn schema() -> Schema {
    let class = |name: &str, primary_key: &str, embedded, properties| ClassSchema {
        name: name.into(),
        primary_key: primary_key.into(),
        properties,
        embedded,
    };
    let coordinates =
        Property::collection("coordinates", CollectionType::List, PropertyType::Double, false);
    let point = vec![Property::scalar("type", PropertyType::String, false), coordinates];
    let place = vec![
        Property::scalar("_id", PropertyType::ObjectId, false),
        Property::link("location", "Point"),
    ];
    let classes = [class("Point", "", true, point), class("Place", "_id", false, place)];
    Schema::new(classes).expect("the schema is well-formed")
}

/// The region that a query reads from a text.
fn parsed(schema: &Schema, region: &str) -> Region {
    let text = format!("location GEOWITHIN {region}");
    let query = Query::compile(schema, "Place", &text, &[]).expect(&text);
    match query.predicate {
        Predicate::Evaluated(condition) => match *condition {
            Evaluated::Within(within) => within.region,
            other => panic!("{text} is {other:?}"),
        },
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn texts_of_regions_read_as_equal_regions() {
    let schema = schema();
    for region in json_lines(VECTORS).filter_map(|line| region(&line).ok()) {
        assert_eq!(parsed(&schema, &region.to_string()), region);
    }
    for radius in [f64::INFINITY, f64::from_bits(1), 1e300, -0.0] {
        let region = circle(-1e-300, 1e-7, radius);
        assert_eq!(parsed(&schema, &region.to_string()), region);
    }
}

#[test]
fn regions_are_equal_by_the_numbers_given() {
    assert_eq!(boxed(0.0, 0.0, 1.0, 1.0), boxed(0.0, 0.0, 1.0, 1.0));
    assert_ne!(boxed(0.0, 0.0, 1.0, 1.0), boxed(1.0, 1.0, 0.0, 0.0));
    assert_ne!(circle(0.0, 0.0, 1.0), circle(-0.0, 0.0, 1.0));
}

/// Longitudes or latitudes that cut the sphere, in order: round ones, of which many are in line, or
/// any at all.
fn cuts(low: i32, high: i32, step: i32) -> impl Strategy<Value = f64> {
    prop_oneof![
        (low / step..=high / step).prop_map(move |k| f64::from(k * step)),
        f64::from(low)..f64::from(high),
    ]
}

/// The sphere in triangles between meridians and parallels, each pair of which has an edge, a vertex
/// or nothing in common.
fn tiling(meridians: &[f64], parallels: &[f64]) -> Vec<Region> {
    let mut tiles = Vec::new();
    let mut tile = |a: GeoPoint, b: GeoPoint, c: GeoPoint| {
        tiles.push(Region::polygon(vec![vec![a, b, c, a]]).expect("a valid triangle"));
    };
    let easts = meridians.iter().cycle().skip(1);
    for (&west, &east) in meridians.iter().zip(easts) {
        let (south, north) = (parallels[0], parallels[parallels.len() - 1]);
        tile(at(0.0, -90.0), at(east, south), at(west, south));
        tile(at(0.0, 90.0), at(west, north), at(east, north));
        for pair in parallels.windows(2) {
            tile(at(west, pair[0]), at(east, pair[0]), at(east, pair[1]));
            tile(at(west, pair[0]), at(east, pair[1]), at(west, pair[1]));
        }
    }
    tiles
}

/// Sorted, and with enough room between each other that triangles keep three corners.
fn spread(mut cuts: Vec<f64>) -> Vec<f64> {
    cuts.sort_by(f64::total_cmp);
    cuts.dedup_by(|next, previous| *next - *previous < 0.5);
    cuts
}

proptest! {
    #[test]
    fn every_point_is_in_exactly_one_tile(
        meridians in vec(cuts(-179, 179, 15), 1..6),
        parallels in vec(cuts(-80, 80, 10), 1..5),
        random in vec((-180.0..=180.0, -90.0..=90.0), 20),
    ) {
        // No gap of half a turn, so that every triangle is the smaller side of its edges.
        let meridians = spread([meridians, vec![-170.0, -60.0, 60.0, 170.0]].concat());
        let parallels = spread(parallels);
        let tiles = tiling(&meridians, &parallels);
        let mut points = ring(&random);
        points.extend(ring(&[(0.0, 90.0), (0.0, -90.0), (50.0, 90.0), (180.0, 0.0), (-180.0, 0.0)]));
        for (index, &longitude) in meridians.iter().enumerate() {
            for (row, &latitude) in parallels.iter().enumerate() {
                points.push(at(longitude, latitude));
                points.push(at(longitude, latitude.next_up()));
                points.push(at(longitude, f64::midpoint(latitude, parallels[row / 2])));
                points.push(at(f64::midpoint(longitude, meridians[index / 2]), latitude));
            }
        }
        for point in points {
            let holders: Vec<String> =
                tiles.iter().filter(|tile| tile.contains(point)).map(ToString::to_string).collect();
            prop_assert_eq!(holders.len(), 1, "{} is in {:?}", point, holders);
        }
    }

    #[test]
    fn where_a_ring_begins_and_which_way_it_runs_is_all_the_same(
        line in 0..POLYGONS, start in 0_usize..8, is_reversed: bool,
    ) {
        let line = json_lines(VECTORS)
            .filter(|line| line["polygon"].is_array() && line["in"].is_string())
            .nth(line)
            .expect("there are so many");
        let rings: Vec<_> = line["polygon"].as_array().expect("rings").iter().map(points).collect();
        let turned = rings.iter().map(|ring| {
            let mut ring = ring[1..].to_vec();
            let count = ring.len();
            ring.rotate_left(start % count);
            if is_reversed {
                ring.reverse();
            }
            ring.push(ring[0]);
            ring
        });
        let turned = Region::polygon(turned.collect()).expect("it stays valid");
        for (key, expected) in [("in", true), ("out", false)] {
            for point in points(&line[key]) {
                prop_assert_eq!(turned.contains(point), expected, "{} in {}", point, turned);
            }
        }
    }

    #[test]
    fn any_two_opposite_corners_make_the_same_box(
        a in (cuts(-180, 180, 15), cuts(-90, 90, 15)),
        b in (cuts(-180, 180, 15), cuts(-90, 90, 15)),
        random in vec((-180.0..=180.0, -90.0..=90.0), 20),
    ) {
        let corners = [(a, b), (b, a), ((a.0, b.1), (b.0, a.1)), ((b.0, a.1), (a.0, b.1))];
        let boxes = corners.map(|(one, other)| {
            Region::geo_box(at(one.0, one.1), at(other.0, other.1))
        });
        let [first, others @ ..] = &boxes;
        // A box of half the earth is no smaller than what is outside of it.
        let is_half = (a.0 - b.0).abs() > 179.0;
        for point in ring(&random).into_iter().chain(ring(&[a, b, (a.0, b.1), (b.0, a.1)])) {
            for other in others {
                prop_assert_eq!(first.is_ok(), other.is_ok());
                if let (Ok(first), Ok(other)) = (first, other) && !is_half {
                    prop_assert_eq!(first.contains(point), other.contains(point), "{}", point);
                }
            }
        }
    }

    #[test]
    fn no_numbers_make_a_region_panic(
        rings in vec(vec(any::<(f64, f64)>(), 0..6), 0..3), point: (f64, f64), radius: f64,
    ) {
        let near = |(x, y): (f64, f64)| at(x % 180.0, y % 90.0);
        for place in [near, |(x, y)| at(x, y)] {
            let rings = rings.iter().map(|ring| {
                ring.iter().chain(ring.first()).map(|pair| place(*pair)).collect()
            });
            let regions = [
                Region::polygon(rings.collect()),
                Region::geo_box(place(point), place((radius, point.0))),
                Region::circle(place(point), radius),
            ];
            for region in regions.into_iter().flatten() {
                region.contains(near(point));
                region.contains(at(point.0, point.1));
            }
        }
    }
}
