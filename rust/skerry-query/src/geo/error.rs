//! Why a region is refused.
//!
//! The texts are those that clients of the system that this one replaces have seen (server 3), as far
//! as they are known; a program looks at the variant.

use super::GeoPoint;
use super::point::Number;

/// Why a region is refused. Rings and vertices count from 0; ring 0 is the outer one, and vertices
/// are counted after repetitions in a row have been dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeoError {
    /// A coordinate beyond the poles or more than half way around, or no number.
    #[error(
        "Longitude/latitude is out of bounds, lng: {} lat: {}",
        point.longitude,
        point.latitude
    )]
    OutOfBounds {
        /// The place.
        point: GeoPoint,
    },
    /// A radius below zero, or no number.
    #[error("The radius of a circle must be a non-negative number")]
    BadRadius {
        /// The radius.
        radius_radians: Number,
    },
    /// A region of more vertices than are looked at.
    #[error("The region has {actual} vertices; at most {max} are allowed")]
    TooManyVertices {
        /// How many it has.
        actual: usize,
        /// The limit.
        max: usize,
    },
    /// A polygon of more rings than are looked at.
    #[error("The polygon has {actual} rings; at most {max} are allowed")]
    TooManyRings {
        /// How many it has.
        actual: usize,
        /// The limit.
        max: usize,
    },
    /// A region with more edges close to each other than are compared.
    #[error("The region has more than {max} pairs of edges that are close to each other")]
    TooManyCloseEdges {
        /// The limit.
        max: usize,
    },
    /// A polygon of nothing.
    #[error("Polygon has no rings.")]
    NoRings,
    /// A ring of nothing.
    #[error("Ring has no vertices")]
    EmptyRing {
        /// The ring.
        ring: usize,
    },
    /// A ring that does not come back to where it began.
    #[error(
        "Ring is not closed, first vertex 'GeoPoint([{}, {}])' does not equal last vertex \
         'GeoPoint([{}, {}])'",
        first.longitude, first.latitude, last.longitude, last.latitude
    )]
    NotClosed {
        /// The ring.
        ring: usize,
        /// Where it begins.
        first: GeoPoint,
        /// Where it ends.
        last: GeoPoint,
    },
    /// A ring that encloses nothing.
    #[error(
        "Ring {ring} must have at least 3 different vertices, {vertices} unique vertices were provided"
    )]
    TooFewVertices {
        /// The ring.
        ring: usize,
        /// How many it has.
        vertices: usize,
    },
    /// A ring that passes twice through one place.
    #[error("Ring {ring} is not valid: 'Duplicate vertices: {first} and {second}'")]
    DuplicateVertices {
        /// The ring.
        ring: usize,
        /// The vertex.
        first: usize,
        /// The vertex at the same place.
        second: usize,
    },
    /// An edge between opposite ends of the earth, which could run anywhere.
    #[error("Ring {ring} is not valid: 'Vertices {first} and {second} are antipodal'")]
    AntipodalVertices {
        /// The ring.
        ring: usize,
        /// Where the edge begins.
        first: usize,
        /// Where it ends.
        second: usize,
    },
    /// A ring that crosses itself.
    #[error("Ring {ring} is not valid: 'Edges {first} and {second} cross'")]
    EdgesCross {
        /// The ring.
        ring: usize,
        /// An edge, by the vertex where it begins.
        first: usize,
        /// The edge that it crosses.
        second: usize,
    },
    /// A hole that is not all inside the outer ring.
    #[error(
        "Secondary ring {ring} not contained by first exterior ring - secondary rings must be holes \
         in the first ring"
    )]
    HoleOutside {
        /// The hole.
        ring: usize,
    },
    /// Two rings with an edge in common.
    #[error("Polygon isn't valid: 'Duplicate edge: ring {second} and ring {first}'")]
    SharedEdge {
        /// One ring.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Two holes that overlap.
    #[error("Polygon isn't valid: 'Ring {first} crosses ring {second}'")]
    RingsCross {
        /// One ring.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A hole that touches the outer ring twice and so cuts the polygon apart.
    #[error(
        "Polygon is not normalized: 'Ring {ring} shares more than one vertex with its parent ring 0'"
    )]
    HoleTouchesTwice {
        /// The hole.
        ring: usize,
    },
    /// A hole inside a hole.
    #[error("Polygon interior rings cannot be nested: {ring}")]
    NestedHole {
        /// The inner hole.
        ring: usize,
    },
}
