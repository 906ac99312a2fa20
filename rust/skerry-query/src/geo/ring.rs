//! One closed ring of vertices and what lies inside.
//!
//! Invariant: the inside is the smaller side. Rings of a whole hemisphere, as far as rounding lets it
//! be told, keep the side to the left of their edges. Of a point exactly on an edge or vertex the
//! answer is such that neighbouring rings that share vertices never both claim it or both disown it.
//! Whether the ring crosses itself is asked elsewhere ([`crossings`](super::crossings)).

use std::cmp::Ordering;

use super::orientation::{Crosser, is_ordered_ccw, turn};
use super::vector::{self, Vector};

/// A point that is no vertex and unlikely to be in line with many. Which one it is has no influence on
/// any answer; near the north pole few are on the other side of the earth from it.
const ORIGIN: Vector =
    Vector([-0.009_994_466_435_025, 0.002_592_454_260_932, 0.999_946_643_502_503]);

/// Error of the angle at one vertex, generously.
const ANGLE_ERROR: f64 = 12.0 * f64::EPSILON;

/// More than rounding can do to the square of a chord.
const CHORD2_ERROR: f64 = 1e-13;

/// Beyond this, a circle around all vertices bounds nothing: it must be less than a hemisphere (2.0)
/// for an edge between two points inside to stay inside.
const CHORD2_BOUND_MAX: f64 = 1.9;

/// A circle outside of which nothing of the ring is.
#[derive(Clone, Debug)]
struct Bound {
    center: Vector,
    chord2: f64,
}

impl Bound {
    fn around(vertices: &[Vector]) -> Option<Self> {
        let mut sum = [0.0; 3];
        for vertex in vertices {
            for (total, coordinate) in sum.iter_mut().zip(vertex.0) {
                *total += coordinate;
            }
        }
        let center = vector::normalized(&Vector(sum))?;
        let farthest = vertices.iter().map(|vertex| vector::chord2(&center, vertex));
        let chord2 = farthest.fold(0.0, f64::max) + CHORD2_ERROR;
        (chord2 < CHORD2_BOUND_MAX).then_some(Self { center, chord2 })
    }

    fn excludes(&self, point: &Vector) -> bool {
        vector::chord2(&self.center, point) > self.chord2
    }
}

/// A ring of at least three different vertices that does not cross itself.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    /// Without the repeated first one; the inside is to the left of the edges.
    vertices: Vec<Vector>,
    contains_origin: bool,
    bound: Option<Bound>,
}

impl Ring {
    /// The ring through these vertices, in either direction.
    pub(super) fn new(mut vertices: Vec<Vector>) -> Self {
        if is_more_than_a_hemisphere(&vertices) {
            vertices.reverse();
        }
        let bound = Bound::around(&vertices);
        let mut ring = Self { vertices, contains_origin: false, bound };
        ring.contains_origin = ring.finds_origin_inside();
        ring
    }

    pub(super) fn vertices(&self) -> &[Vector] {
        &self.vertices
    }

    /// The vertices before and after one of them.
    pub(super) fn neighbors(&self, index: usize) -> (&Vector, &Vector) {
        let count = self.vertices.len();
        (&self.vertices[(index + count - 1) % count], &self.vertices[(index + 1) % count])
    }

    pub(super) fn contains(&self, point: &Vector) -> bool {
        if self.bound.as_ref().is_some_and(|bound| bound.excludes(point)) {
            return false;
        }
        let line = Crosser::new(&ORIGIN, point);
        let mut is_inside = self.contains_origin;
        let Some(mut previous) = self.vertices.last() else { return false };
        let mut previous_side = line.side(previous);
        for (index, vertex) in self.vertices.iter().enumerate() {
            let side = line.side(vertex);
            if side == Ordering::Equal {
                return self.contains_vertex(index);
            }
            if line.crosses(previous, vertex, (previous_side, side)) {
                is_inside = !is_inside;
            }
            (previous, previous_side) = (vertex, side);
        }
        is_inside
    }

    /// Whether the ring, of all that pass through the vertex, is the one that contains it: the one
    /// that has the reference direction of the place on its inner side.
    fn contains_vertex(&self, index: usize) -> bool {
        let vertex = &self.vertices[index];
        let (before, after) = self.neighbors(index);
        is_ordered_ccw(&vector::reference_direction(vertex), before, after, vertex)
    }

    /// Counts the edges between the origin and a vertex of which it is known whether it is inside.
    /// The two edges that end in the vertex are crossed if the reference direction, seen from there,
    /// is on the other side of them than the origin.
    fn finds_origin_inside(&self) -> bool {
        let vertex = &self.vertices[0];
        let line = Crosser::new(&ORIGIN, vertex);
        let (before, after) = self.neighbors(0);
        let reference = vector::reference_direction(vertex);
        let mut is_inside = self.contains_vertex(0);
        for end in [before, after] {
            is_inside ^= is_ordered_ccw(&reference, end, &ORIGIN, vertex);
        }
        for edge in self.vertices[1..].windows(2) {
            let sides = (line.side(&edge[0]), line.side(&edge[1]));
            is_inside ^= line.crosses(&edge[0], &edge[1], sides);
        }
        is_inside
    }
}

/// Whether the side to the left of the edges is the larger one: the area of a ring is a full turn
/// (2 pi) less all that its edges turn to the left.
fn is_more_than_a_hemisphere(vertices: &[Vector]) -> bool {
    let count = vertices.len();
    let mut sum = 0.0;
    let mut lost = 0.0;
    let mut tolerance = 0.0;
    for (index, vertex) in vertices.iter().enumerate() {
        let before = &vertices[(index + count - 1) % count];
        let after = &vertices[(index + 1) % count];
        let addend = turning_angle(before, vertex, after) - lost;
        let total = sum + addend;
        lost = (total - sum) - addend;
        sum = total;
        tolerance += ANGLE_ERROR;
    }
    sum < -tolerance
}

/// How far a path turns to the left at its middle point, -pi to pi.
fn turning_angle(before: &Vector, vertex: &Vector, after: &Vector) -> f64 {
    let incoming = vector::stable_normal(before, vertex);
    let outgoing = vector::stable_normal(vertex, after);
    let angle = vector::angle(&incoming, &outgoing);
    if turn(before, vertex, after) == Ordering::Less { -angle } else { angle }
}
