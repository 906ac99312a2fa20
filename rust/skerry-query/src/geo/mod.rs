//! Regions on the earth and the points in them: the geometry of `geoWithin` (sync-engine 8.4).
//!
//! The earth is a sphere and edges are arcs of great circles. The meaning is that of S2, which the
//! system that this one replaces computes with: a polygon is the smaller side of its outer ring, its
//! holes taken out; a box is the polygon of its four corners; the border of a circle belongs to it.
//!
//! Invariant: a [`Region`] is valid. Whether a point is in it is decided without rounding
//! ([`orientation`]), so devices and server agree, and of regions that share an edge exactly one
//! contains a point on it. No region, however hostile, takes time or memory out of proportion.
//!
//! [`vector`] → [`exact`] → [`orientation`] → [`ring`] and [`crossings`] → [`polygon`] is the order
//! in which things build on each other. Distances, areas of use to people, and the altitude of points
//! are left out on purpose.

use std::fmt;
use std::sync::Arc;

mod circle;
mod crossings;
mod error;
mod exact;
mod orientation;
mod point;
mod polygon;
mod ring;
mod vector;

pub use error::GeoError;
pub use point::{GeoPoint, Number};

use circle::Circle;
use polygon::Polygon;

/// Most vertices of a region, the repeated last ones counted.
pub const REGION_MAX_VERTICES: usize = crate::limits::REGION_MAX_POINTS;

/// Most pairs of edges of a region that are so close that they must be compared exactly.
///
/// Outlines as people draw them have a few pairs for each vertex. In the worst case, a comb of long
/// teeth, all pairs are, and nothing else bounds the time.
pub const REGION_MAX_CLOSE_EDGES: usize = 1_000_000;

/// Most rings of a polygon.
pub const REGION_MAX_RINGS: usize = 1024;

/// A region, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The box between two opposite corners, in any order.
    Box {
        /// A corner.
        corner: GeoPoint,
        /// The opposite one.
        opposite: GeoPoint,
    },
    /// Everything within an angle of a centre.
    Circle {
        /// The centre.
        center: GeoPoint,
        /// The angle.
        radius_radians: Number,
    },
    /// An outer ring and holes in it.
    Polygon {
        /// The rings, the outer one first; each ends where it begins.
        rings: Vec<Vec<GeoPoint>>,
    },
}

/// What a shape covers.
#[derive(Debug)]
enum Area {
    Circle(Circle),
    Polygon(Polygon),
}

/// A valid region. Cheap to clone; equal to one made from the same numbers.
#[derive(Clone, Debug)]
pub struct Region(Arc<(Shape, Area)>);

impl Region {
    /// The box between two opposite corners, in any order. Its edges are arcs of great circles, so
    /// those that run east bend towards the pole; a box more than half way around is the one on the
    /// other side.
    pub fn geo_box(corner: GeoPoint, opposite: GeoPoint) -> Result<Self, GeoError> {
        let beside = GeoPoint::new(corner.longitude, opposite.latitude);
        let other_beside = GeoPoint::new(opposite.longitude, corner.latitude);
        let polygon = Polygon::new(&[vec![corner, beside, opposite, other_beside, corner]])?;
        Ok(Self(Arc::new((Shape::Box { corner, opposite }, Area::Polygon(polygon)))))
    }

    /// Everything within an angle of a centre, the border included. An infinite radius is kept as the
    /// largest number, which has a text; both mean the whole earth.
    pub fn circle(center: GeoPoint, radius_radians: f64) -> Result<Self, GeoError> {
        let place = polygon::vertex(center)?;
        if radius_radians.is_nan() || radius_radians < 0.0 {
            return Err(GeoError::BadRadius { radius_radians: Number(radius_radians) });
        }
        let radius_radians = radius_radians.min(f64::MAX);
        let circle = Circle::new(place, radius_radians);
        let shape = Shape::Circle { center, radius_radians: Number(radius_radians) };
        Ok(Self(Arc::new((shape, Area::Circle(circle)))))
    }

    /// The polygon of an outer ring and holes in it, each in any direction and ending where it begins.
    pub fn polygon(rings: Vec<Vec<GeoPoint>>) -> Result<Self, GeoError> {
        let polygon = Polygon::new(&rings)?;
        Ok(Self(Arc::new((Shape::Polygon { rings }, Area::Polygon(polygon)))))
    }

    /// The region as it was given.
    pub fn shape(&self) -> &Shape {
        &self.0.0
    }

    /// Whether the region contains a point; never one that is not on the earth.
    pub fn contains(&self, point: GeoPoint) -> bool {
        vector::from_point(point).is_some_and(|place| match &self.0.1 {
            Area::Circle(circle) => circle.contains(&place),
            Area::Polygon(polygon) => polygon.contains(&place),
        })
    }
}

impl PartialEq for Region {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape()
    }
}

impl Eq for Region {}

impl fmt::Display for Region {
    /// The RQL text that reads as an equal region.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape() {
            Shape::Box { corner, opposite } => write!(f, "geoBox({corner}, {opposite})"),
            Shape::Circle { center, radius_radians } => {
                write!(f, "geoCircle({center}, {radius_radians})")
            }
            Shape::Polygon { rings } => {
                f.write_str("geoPolygon(")?;
                for (index, ring) in rings.iter().enumerate() {
                    f.write_str(if index == 0 { "{" } else { ", {" })?;
                    for (index, point) in ring.iter().enumerate() {
                        write!(f, "{}{point}", if index == 0 { "" } else { ", " })?;
                    }
                    f.write_str("}")?;
                }
                f.write_str(")")
            }
        }
    }
}
