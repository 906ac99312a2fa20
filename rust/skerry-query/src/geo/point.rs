//! Places as queries and objects write them: longitude and latitude in degrees.
//!
//! Invariant: equality is that of the given bits, so that what is equal prints equally; whether two
//! places are the same *location* is a question to [`vector`](super::vector).

use std::fmt;

/// A number of a region, compared by its bits and printed so that RQL reads the same bits again.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    /// Always with a point or an exponent: the grammar of coordinates takes no negative integers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A place, in degrees. Altitude means nothing here.
#[derive(Clone, Copy, Debug)]
pub struct GeoPoint {
    /// East of Greenwich, -180 to 180.
    pub longitude: f64,
    /// North of the equator, -90 to 90.
    pub latitude: f64,
}

impl GeoPoint {
    /// A place from its coordinates in the order of `GeoJSON`.
    pub fn new(longitude: f64, latitude: f64) -> Self {
        Self { longitude, latitude }
    }

    /// Whether both coordinates are numbers within the bounds that regions have to keep.
    pub fn is_in_bounds(self) -> bool {
        self.longitude.abs() <= 180.0 && self.latitude.abs() <= 90.0
    }

    /// Equality of the numbers, in which the two zeros are one.
    #[expect(clippy::float_cmp, reason = "a ring is closed by the same numbers, not by close ones")]
    pub(super) fn has_coordinates_of(self, other: Self) -> bool {
        self.longitude == other.longitude && self.latitude == other.latitude
    }
}

impl PartialEq for GeoPoint {
    fn eq(&self, other: &Self) -> bool {
        Number(self.longitude) == Number(other.longitude)
            && Number(self.latitude) == Number(other.latitude)
    }
}

impl Eq for GeoPoint {}

impl fmt::Display for GeoPoint {
    /// `[longitude, latitude]`, as RQL reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", Number(self.longitude), Number(self.latitude))
    }
}
