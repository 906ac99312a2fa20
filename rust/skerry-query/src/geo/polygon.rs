//! Polygons: an outer ring less its holes.
//!
//! Invariant: rings neither cross nor share edges; holes are inside the outer ring, touch it in one
//! vertex at most, and do not overlap.

use super::crossings::{Edge, EdgeId, Sweep, sweep};
use super::orientation::{is_ordered_ccw, lexicographic};
use super::ring::Ring;
use super::vector::{self, Vector};
use super::{GeoError, GeoPoint, REGION_MAX_CLOSE_EDGES, REGION_MAX_RINGS, REGION_MAX_VERTICES};

/// What a polygon covers.
#[derive(Clone, Debug)]
pub(super) struct Polygon {
    outer: Ring,
    holes: Vec<Ring>,
}

/// A vertex and where it is from.
struct Corner {
    place: Vector,
    ring: usize,
    index: usize,
}

impl Polygon {
    /// The polygon with these rings: the outer one, then holes, each ending where it begins.
    pub(super) fn new(rings: &[Vec<GeoPoint>]) -> Result<Self, GeoError> {
        check_size(rings)?;
        let outlines = outlines(rings)?;
        let corners = sorted_corners(&outlines);
        check_vertices_differ(&corners)?;
        check_no_crossing(&outlines)?;
        let rings: Vec<Ring> = outlines.into_iter().map(Ring::new).collect();
        // The rings may have been turned around, so the corners are taken once more.
        let corners = sorted_corners(&rings.iter().map(Ring::vertices).collect::<Vec<_>>());
        check_common_corners(&rings, &corners)?;
        check_nesting(&rings)?;
        let mut rings = rings.into_iter();
        let outer = rings.next().ok_or(GeoError::NoRings)?;
        Ok(Self { outer, holes: rings.collect() })
    }

    pub(super) fn contains(&self, point: &Vector) -> bool {
        self.outer.contains(point) && !self.holes.iter().any(|hole| hole.contains(point))
    }
}

fn check_size(rings: &[Vec<GeoPoint>]) -> Result<(), GeoError> {
    if rings.is_empty() {
        return Err(GeoError::NoRings);
    }
    if rings.len() > REGION_MAX_RINGS {
        return Err(GeoError::TooManyRings { actual: rings.len(), max: REGION_MAX_RINGS });
    }
    let actual = rings.iter().map(Vec::len).sum();
    if actual > REGION_MAX_VERTICES {
        return Err(GeoError::TooManyVertices { actual, max: REGION_MAX_VERTICES });
    }
    Ok(())
}

/// The rings as vectors, without vertices that repeat the one before them.
fn outlines(rings: &[Vec<GeoPoint>]) -> Result<Vec<Vec<Vector>>, GeoError> {
    rings.iter().enumerate().map(|(ring, points)| outline(ring, points)).collect()
}

fn outline(ring: usize, points: &[GeoPoint]) -> Result<Vec<Vector>, GeoError> {
    let mut vertices = points.iter().map(|point| vertex(*point)).collect::<Result<Vec<_>, _>>()?;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Err(GeoError::EmptyRing { ring });
    };
    if !first.has_coordinates_of(*last) {
        return Err(GeoError::NotClosed { ring, first: *first, last: *last });
    }
    vertices.dedup();
    vertices.pop();
    if vertices.len() < 3 {
        return Err(GeoError::TooFewVertices { ring, vertices: vertices.len() });
    }
    for (first, from) in vertices.iter().enumerate() {
        let second = (first + 1) % vertices.len();
        if *from == vertices[second].opposite() {
            return Err(GeoError::AntipodalVertices { ring, first, second });
        }
    }
    Ok(vertices)
}

/// The vector of a place within the bounds that regions have to keep.
pub(super) fn vertex(point: GeoPoint) -> Result<Vector, GeoError> {
    let place = point.is_in_bounds().then(|| vector::from_point(point)).flatten();
    place.ok_or(GeoError::OutOfBounds { point })
}

/// All vertices, those at the same place next to each other in the order of their rings.
fn sorted_corners<V: AsRef<[Vector]>>(outlines: &[V]) -> Vec<Corner> {
    let mut corners = Vec::new();
    for (ring, outline) in outlines.iter().enumerate() {
        for (index, place) in outline.as_ref().iter().enumerate() {
            corners.push(Corner { place: *place, ring, index });
        }
    }
    corners.sort_by(|a, b| lexicographic(&a.place, &b.place));
    corners
}

fn check_vertices_differ(corners: &[Corner]) -> Result<(), GeoError> {
    for pair in corners.windows(2) {
        if pair[0].place == pair[1].place && pair[0].ring == pair[1].ring {
            let (ring, first, second) = (pair[0].ring, pair[0].index, pair[1].index);
            return Err(GeoError::DuplicateVertices { ring, first, second });
        }
    }
    Ok(())
}

fn check_no_crossing(outlines: &[Vec<Vector>]) -> Result<(), GeoError> {
    let mut edges = Vec::new();
    for (ring, outline) in outlines.iter().enumerate() {
        let ends = outline.iter().cycle().skip(1);
        for (index, (from, to)) in outline.iter().zip(ends).enumerate() {
            edges.push(Edge::new(EdgeId { ring, index }, *from, *to));
        }
    }
    match sweep(edges, REGION_MAX_CLOSE_EDGES) {
        Sweep::Apart => Ok(()),
        Sweep::TooManyClose => Err(GeoError::TooManyCloseEdges { max: REGION_MAX_CLOSE_EDGES }),
        Sweep::Crossing(edge, other) if edge.ring == other.ring => {
            Err(GeoError::EdgesCross { ring: edge.ring, first: edge.index, second: other.index })
        }
        Sweep::Crossing(EdgeId { ring: 0, .. }, hole) => {
            Err(GeoError::HoleOutside { ring: hole.ring })
        }
        Sweep::Crossing(edge, other) => {
            Err(GeoError::RingsCross { first: edge.ring, second: other.ring })
        }
    }
}

/// Where rings meet in a vertex they must not overlap around it, nor go on together. One vertex in
/// common with the outer ring is allowed, and then leaves the whole hole on one side.
fn check_common_corners(rings: &[Ring], corners: &[Corner]) -> Result<(), GeoError> {
    let mut touches_outer = vec![false; rings.len()];
    for meeting in corners.chunk_by(|a, b| a.place == b.place) {
        for (position, corner) in meeting.iter().enumerate() {
            for other in &meeting[position + 1..] {
                check_meeting(rings, corner, other)?;
                if corner.ring == 0 && std::mem::replace(&mut touches_outer[other.ring], true) {
                    return Err(GeoError::HoleTouchesTwice { ring: other.ring });
                }
            }
        }
    }
    Ok(())
}

fn check_meeting(rings: &[Ring], corner: &Corner, other: &Corner) -> Result<(), GeoError> {
    let (first, second) = (corner.ring, other.ring);
    let (before, after) = rings[first].neighbors(corner.index);
    let (other_before, other_after) = rings[second].neighbors(other.index);
    let theirs = [other_before, other_after];
    if theirs.contains(&before) || theirs.contains(&after) {
        return Err(GeoError::SharedEdge { first, second });
    }
    let place = &corner.place;
    let are_apart = is_ordered_ccw(after, before, other_after, place)
        && is_ordered_ccw(other_after, other_before, after, place);
    if first != 0 && !are_apart {
        return Err(GeoError::RingsCross { first, second });
    }
    Ok(())
}

/// Rings that do not cross are inside or outside of each other as a whole, and a vertex that is not on
/// the other ring tells which. None covers more than a hemisphere, so two never cover everything.
fn check_nesting(rings: &[Ring]) -> Result<(), GeoError> {
    let (outer, holes) = rings.split_first().ok_or(GeoError::NoRings)?;
    for (hole, ring) in holes.iter().zip(1..) {
        if !is_within(hole, outer) {
            return Err(GeoError::HoleOutside { ring });
        }
    }
    for (hole, ring) in holes.iter().zip(1..) {
        let mut others = holes.iter().zip(1..).filter(|(_, other)| *other != ring);
        if others.any(|(other, _)| is_within(hole, other)) {
            return Err(GeoError::NestedHole { ring });
        }
    }
    Ok(())
}

/// Whether a ring is inside another that it does not cross. Where all its vertices are on the other,
/// they have already been found apart.
fn is_within(ring: &Ring, other: &Ring) -> bool {
    let mut free = ring.vertices().iter().filter(|vertex| !other.vertices().contains(vertex));
    free.next().is_some_and(|vertex| other.contains(vertex))
}
