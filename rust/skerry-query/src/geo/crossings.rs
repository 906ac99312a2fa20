//! Finds two edges that cross.
//!
//! Edges are swept in the order in which their boxes begin along the x axis of space; only those
//! whose boxes overlap are compared. That is near n log n for rings of short edges and n² for combs of
//! long ones, which is why the vertices of a region are limited.
//!
//! Invariant: the box of an edge contains its whole arc, which bulges out of the chord by at most the
//! arc's height over it.

use std::cmp::Ordering;

use super::orientation::Crosser;
use super::vector::{Vector, chord2};

/// More than rounding can do to a coordinate or to the height of an arc.
const BOX_ERROR: f64 = 1e-14;

/// An edge and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) ring: usize,
    pub(super) index: usize,
    from: Vector,
    to: Vector,
    low: [f64; 3],
    high: [f64; 3],
}

impl Edge {
    pub(super) fn new(ring: usize, index: usize, from: Vector, to: Vector) -> Self {
        let height = 1.0 - (1.0 - chord2(&from, &to) / 4.0).max(0.0).sqrt() + BOX_ERROR;
        let mut edge = Self { ring, index, from, to, low: from.0, high: from.0 };
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

/// Two edges that cross, those of lower rings and indices first; ends in common are no crossing.
pub(super) fn first_crossing(mut edges: Vec<Edge>) -> Option<(Edge, Edge)> {
    edges.sort_by(|a, b| a.low[0].total_cmp(&b.low[0]));
    for (index, edge) in edges.iter().enumerate() {
        let line = Crosser::new(&edge.from, &edge.to);
        let beside = edges[index + 1..].iter().take_while(|other| other.low[0] <= edge.high[0]);
        for other in beside.filter(|other| edge.box_meets(other)) {
            let sides = (line.side(&other.from), line.side(&other.to));
            if line.crosses(&other.from, &other.to, sides) {
                let mut pair = (edge.clone(), other.clone());
                if (pair.0.ring, pair.0.index).cmp(&(pair.1.ring, pair.1.index))
                    == Ordering::Greater
                {
                    std::mem::swap(&mut pair.0, &mut pair.1);
                }
                return Some(pair);
            }
        }
    }
    None
}
