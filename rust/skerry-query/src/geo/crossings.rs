//! Finds two edges that cross.
//!
//! Edges are swept in the order in which their boxes begin along the x axis of space; only those
//! whose boxes overlap are compared. That is near n log n for rings of short edges and n² for combs of
//! long ones, so the comparisons are counted and limited.
//!
//! Invariant: the box of an edge contains its whole arc, which bulges out of the chord by at most the
//! arc's height over it.

use super::orientation::Crosser;
use super::vector::{Vector, chord2};

/// More than rounding can do to a coordinate or to the height of an arc.
const BOX_ERROR: f64 = 1e-14;

/// An edge of a polygon, by its ring and the vertex where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EdgeId {
    pub(super) ring: usize,
    pub(super) index: usize,
}

/// An edge and the box around it.
#[derive(Debug)]
pub(super) struct Edge {
    id: EdgeId,
    from: Vector,
    to: Vector,
    low: [f64; 3],
    high: [f64; 3],
}

impl Edge {
    pub(super) fn new(id: EdgeId, from: Vector, to: Vector) -> Self {
        let height = 1.0 - (1.0 - chord2(&from, &to) / 4.0).max(0.0).sqrt() + BOX_ERROR;
        let mut edge = Self { id, from, to, low: from.0, high: from.0 };
        for axis in 0..3 {
            edge.low[axis] = from.0[axis].min(to.0[axis]) - height;
            edge.high[axis] = from.0[axis].max(to.0[axis]) + height;
        }
        edge
    }

    fn box_meets(&self, other: &Self) -> bool {
        (0..3).all(|axis| self.low[axis] <= other.high[axis] && other.low[axis] <= self.high[axis])
    }
}

/// What a sweep finds.
#[derive(Debug)]
pub(super) enum Sweep {
    /// No edges cross.
    Apart,
    /// These do, the lower one first.
    Crossing(EdgeId, EdgeId),
    /// More pairs than allowed would have to be compared.
    TooManyClose,
}

/// Looks for edges that cross; ends in common are no crossing.
pub(super) fn sweep(mut edges: Vec<Edge>, close_max: usize) -> Sweep {
    edges.sort_by(|a, b| a.low[0].total_cmp(&b.low[0]));
    let mut close_count = 0;
    for (index, edge) in edges.iter().enumerate() {
        let line = Crosser::new(&edge.from, &edge.to);
        let beside = edges[index + 1..].iter().take_while(|other| other.low[0] <= edge.high[0]);
        for other in beside.filter(|other| edge.box_meets(other)) {
            close_count += 1;
            if close_count > close_max {
                return Sweep::TooManyClose;
            }
            let sides = (line.side(&other.from), line.side(&other.to));
            if line.crosses(&other.from, &other.to, sides) {
                return Sweep::Crossing(edge.id.min(other.id), edge.id.max(other.id));
            }
        }
    }
    Sweep::Apart
}
