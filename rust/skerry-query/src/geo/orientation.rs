//! On which side of what: the questions from which everything else is built.
//!
//! Invariant: the answers are those for points that were moved, by less than any number, into general
//! position, so they never contradict each other. Three different points always turn left or right,
//! three points turn alike in any rotation and the other way round in reverse, and of the two sides of
//! a closed ring every point is on exactly one.
//!
//! A determinant in doubles answers when it is larger than its rounding error; if not, an exact one;
//! for points in one plane with the centre, the first term that the displacements leave. The
//! coordinates of the lexicographically smallest point are moved the most, its z before its y before
//! its x, each displacement outweighing all products of the later ones (as S2 does it).

use std::cmp::Ordering;

use super::exact::determinant_sign;
use super::vector::{Vector, cross, dot};

/// The determinant of unit vectors in doubles is wrong by less than this: each product of three
/// entries is rounded five times, and the absolute products add up to at most 1.16.
const DETERMINANT_ERROR: f64 = 4.0 * f64::EPSILON;

/// The same relative to the sum of the absolute products.
const RELATIVE_ERROR: f64 = 4.0 * f64::EPSILON;

/// Sums of absolute products below this may owe something to underflow.
const PRODUCTS_MIN: f64 = 1e-250;

/// Coordinates that may be displaced, in the order of their weight; first none at all.
const DISPLACED: [Option<usize>; 4] = [None, Some(2), Some(1), Some(0)];

/// `Greater` if the points turn counterclockwise (to the left, seen from outside), `Less` if they
/// turn clockwise, `Equal` only if two of them are the same.
pub(super) fn turn(a: &Vector, b: &Vector, c: &Vector) -> Ordering {
    turn_beside(&cross(a, b), a, b, c)
}

/// The same, with the product of the first two known.
fn turn_beside(normal: &Vector, a: &Vector, b: &Vector, c: &Vector) -> Ordering {
    let determinant = dot(normal, c);
    if determinant > DETERMINANT_ERROR {
        Ordering::Greater
    } else if determinant < -DETERMINANT_ERROR {
        Ordering::Less
    } else {
        exact_turn(a, b, c)
    }
}

#[cold]
fn exact_turn(a: &Vector, b: &Vector, c: &Vector) -> Ordering {
    if a == b || b == c || c == a {
        return Ordering::Equal;
    }
    if let Some(sign) = relative_turn(a, b, c) {
        return sign;
    }
    let mut rows = [a, b, c];
    let mut is_odd = false;
    for (first, second) in [(0, 1), (1, 2), (0, 1)] {
        if lexicographic(rows[second], rows[first]) == Ordering::Less {
            rows.swap(first, second);
            is_odd = !is_odd;
        }
    }
    let sign = displaced_turn(rows);
    if is_odd { sign.reverse() } else { sign }
}

/// The sign of the determinant in doubles, if its products are so small that it is certain. That is
/// so for points close to the equator or another plane of the axes.
fn relative_turn(a: &Vector, b: &Vector, c: &Vector) -> Option<Ordering> {
    let Vector([ax, ay, az]) = a;
    let Vector([bx, by, bz]) = b;
    let minors = [
        (ay * bz).abs() + (az * by).abs(),
        (az * bx).abs() + (ax * bz).abs(),
        (ax * by).abs() + (ay * bx).abs(),
    ];
    let products = dot(&Vector(minors), &Vector(c.0.map(f64::abs)));
    let determinant = dot(&cross(a, b), c);
    let is_certain = products > PRODUCTS_MIN && determinant.abs() > RELATIVE_ERROR * products;
    is_certain.then(|| determinant.total_cmp(&0.0))
}

/// The sign of the most weighty term that is not zero. The last one is the determinant of the axes.
fn displaced_turn(rows: [&Vector; 3]) -> Ordering {
    for third in DISPLACED {
        for second in DISPLACED {
            for first in DISPLACED {
                let [a, b, c] = [(rows[0], first), (rows[1], second), (rows[2], third)]
                    .map(|(row, axis)| axis.map_or(*row, unit));
                let sign = determinant_sign(&a, &b, &c);
                if sign != Ordering::Equal {
                    return sign;
                }
            }
        }
    }
    Ordering::Equal
}

fn unit(axis: usize) -> Vector {
    let mut vector = [0.0; 3];
    vector[axis] = 1.0;
    Vector(vector)
}

/// The order of vectors by x, then y, then z.
pub(super) fn lexicographic(a: &Vector, b: &Vector) -> Ordering {
    let differing = a.0.iter().zip(&b.0).map(|(x, y)| x.total_cmp(y));
    differing.fold(Ordering::Equal, Ordering::then)
}

/// Whether the directions a, b, c are met in this order when turning counterclockwise around o.
/// They may be equal, except that a = c is met only with b.
pub(super) fn is_ordered_ccw(a: &Vector, b: &Vector, c: &Vector, o: &Vector) -> bool {
    let votes = [
        turn(b, o, a) != Ordering::Less,
        turn(c, o, b) != Ordering::Less,
        turn(a, o, c) == Ordering::Greater,
    ];
    votes.into_iter().filter(|is_in_order| *is_in_order).count() >= 2
}

/// An edge that is to be compared with many others.
pub(super) struct Crosser<'a> {
    from: &'a Vector,
    to: &'a Vector,
    normal: Vector,
}

impl<'a> Crosser<'a> {
    pub(super) fn new(from: &'a Vector, to: &'a Vector) -> Self {
        Self { from, to, normal: cross(from, to) }
    }

    /// On which side of the edge's great circle a point lies.
    pub(super) fn side(&self, point: &Vector) -> Ordering {
        turn_beside(&self.normal, self.from, self.to, point)
    }

    /// Whether the edge crosses another one whose ends lie on these sides of it. Edges that have an
    /// end in common do not cross.
    pub(super) fn crosses(&self, c: &Vector, d: &Vector, sides: (Ordering, Ordering)) -> bool {
        sides.0 != Ordering::Equal
            && sides.1 == sides.0.reverse()
            && turn(c, d, self.to) == sides.0
            && turn(c, d, self.from) == sides.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geo::GeoPoint;
    use crate::geo::vector::from_point;

    /// Places in general, on lines of round degrees, and so close to where the axes meet that
    /// products of their coordinates leave the range of doubles.
    fn place() -> impl Strategy<Value = Vector> {
        let round =
            (-2_i32..=2, -1_i32..=1).prop_map(|(x, y)| (f64::from(x) * 90.0, f64::from(y) * 45.0));
        let close = (-9_i32..=9, -9_i32..=9, 0_i32..=320).prop_map(|(x, y, power)| {
            let scale = 10.0_f64.powi(-power);
            (f64::from(x) * scale, f64::from(y) * scale)
        });
        let coordinates = prop_oneof![(-180.0..=180.0, -90.0..=90.0), round, close];
        coordinates.prop_map(|(longitude, latitude)| {
            from_point(GeoPoint::new(longitude, latitude)).expect("on the earth")
        })
    }

    /// Places so close together that products of two coordinates are the smallest doubles there are.
    fn tiny_place() -> impl Strategy<Value = Vector> {
        (-1.0..1.0, -1.0..1.0).prop_map(|(longitude, latitude)| {
            let point = GeoPoint::new(longitude * 6e-160, latitude * 6e-160);
            from_point(point).expect("on the earth")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn quick_answers_are_those_of_the_exact_determinant(a in place(), b in place(), c in place()) {
            let exact = determinant_sign(&a, &b, &c);
            if exact != Ordering::Equal {
                prop_assert_eq!(turn(&a, &b, &c), exact);
            }
        }

        #[test]
        fn products_that_underflow_do_not_answer(
            a in tiny_place(), b in tiny_place(), c in tiny_place(),
        ) {
            prop_assert_eq!(turn(&a, &b, &c), determinant_sign(&a, &b, &c));
        }

        #[test]
        fn three_different_points_turn_one_way(a in place(), b in place(), c in place()) {
            let forward = turn(&a, &b, &c);
            let differ = a != b && b != c && c != a;
            prop_assert_eq!(forward == Ordering::Equal, !differ);
            prop_assert_eq!(turn(&b, &c, &a), forward);
            prop_assert_eq!(turn(&c, &b, &a), forward.reverse());
        }

        #[test]
        fn edges_cross_whichever_is_asked(a in place(), b in place(), c in place(), d in place()) {
            let crosses = |a: &Vector, b: &Vector, c: &Vector, d: &Vector| {
                let line = Crosser::new(a, b);
                line.crosses(c, d, (line.side(c), line.side(d)))
            };
            let answer = crosses(&a, &b, &c, &d);
            prop_assert_eq!(crosses(&c, &d, &a, &b), answer);
            prop_assert_eq!(crosses(&b, &a, &c, &d), answer);
        }
    }
}
