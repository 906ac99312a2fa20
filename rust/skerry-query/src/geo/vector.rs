//! Places as unit vectors.
//!
//! Invariant: no coordinate is a negative zero or exceeds 1, so two vectors are the same place exactly
//! if their bits are equal. The formulas are those of S2, down to the order of the operations: a place
//! that an object stores must become the same vector as the vertex with the same numbers in a query.

use std::f64::consts::{FRAC_PI_2, PI};

use super::GeoPoint;

/// A direction from the centre of the earth, as x, y and z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vector(pub(super) [f64; 3]);

impl Vector {
    /// The other end of the earth.
    pub(super) fn opposite(self) -> Self {
        Self(self.0.map(|coordinate| 0.0 - coordinate))
    }
}

/// The unit vector of a place; nothing if it is not on the earth.
///
/// The bounds are looked at in radians, as S2 does, which forgives the last bit of a degree.
pub(super) fn from_point(point: GeoPoint) -> Option<Vector> {
    let phi = PI / 180.0 * point.latitude;
    let theta = PI / 180.0 * point.longitude;
    if phi.is_nan() || theta.is_nan() || phi.abs() > FRAC_PI_2 || theta.abs() > PI {
        return None;
    }
    let around = phi.cos();
    // Adding zero turns -0.0 into 0.0 and leaves everything else as it is.
    Some(Vector([theta.cos() * around + 0.0, theta.sin() * around + 0.0, phi.sin() + 0.0]))
}

pub(super) fn dot(Vector(a): &Vector, Vector(b): &Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(Vector(a): &Vector, Vector(b): &Vector) -> Vector {
    Vector([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
}

/// Coordinate by coordinate.
fn combined(Vector(a): &Vector, Vector(b): &Vector, operation: fn(f64, f64) -> f64) -> Vector {
    Vector([operation(a[0], b[0]), operation(a[1], b[1]), operation(a[2], b[2])])
}

/// The vector of length 1 in the same direction; nothing for one that is too short to have any.
pub(super) fn normalized(a: &Vector) -> Option<Vector> {
    let length = dot(a, a).sqrt();
    (length > 1e-100).then(|| {
        let scale = 1.0 / length;
        Vector(a.0.map(|coordinate| coordinate * scale + 0.0))
    })
}

/// The square of the straight distance between two points of the unit sphere, at most 4.
pub(super) fn chord2(a: &Vector, b: &Vector) -> f64 {
    let difference = combined(a, b, |x, y| x - y);
    dot(&difference, &difference).min(4.0)
}

/// A normal of the plane through the centre and two points, accurate even if they are close to each
/// other or to being opposite. Its length is twice the sine of the angle between them.
pub(super) fn stable_normal(a: &Vector, b: &Vector) -> Vector {
    let difference = combined(a, b, |x, y| x - y);
    let sum = combined(a, b, |x, y| x + y);
    cross(&difference, &sum)
}

/// The angle between two vectors of any length, 0 to pi.
pub(super) fn angle(a: &Vector, b: &Vector) -> f64 {
    let normal = cross(a, b);
    dot(&normal, &normal).sqrt().atan2(dot(a, b))
}

/// The direction, perpendicular to a point, that decides which of the rings that meet there contains
/// it. The constants are those of S2, for only then are its answers reproduced.
pub(super) fn reference_direction(a: &Vector) -> Vector {
    let [x, y, z] = a.0.map(f64::abs);
    let largest = if x > y {
        if x > z { 0 } else { 2 }
    } else if y > z {
        1
    } else {
        2
    };
    let mut other = [0.012, 0.0053, 0.004_57];
    other[if largest == 0 { 2 } else { largest - 1 }] = 1.0;
    // A unit vector and one far from parallel to it: the product is never too short.
    normalized(&cross(a, &Vector(other))).unwrap_or(Vector(other))
}
