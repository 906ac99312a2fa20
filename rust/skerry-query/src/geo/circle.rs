//! Circles: everything within an angle of a centre.
//!
//! Invariant: distances are compared as squares of chords, as S2 does it, so the border belongs to the
//! circle, the centre is in every circle, and from a radius of pi on the circle is the whole sphere.

use std::f64::consts::PI;

use super::vector::{Vector, chord2};

/// What a circle covers.
#[derive(Clone, Debug)]
pub(super) struct Circle {
    center: Vector,
    chord2: f64,
}

impl Circle {
    /// The circle of a radius that is not negative.
    pub(super) fn new(center: Vector, radius_radians: f64) -> Self {
        if radius_radians >= PI {
            return Self { center, chord2: 4.0 };
        }
        let chord = 2.0 * (0.5 * radius_radians).sin();
        Self { center, chord2: chord * chord }
    }

    pub(super) fn contains(&self, point: &Vector) -> bool {
        chord2(&self.center, point) <= self.chord2
    }
}
