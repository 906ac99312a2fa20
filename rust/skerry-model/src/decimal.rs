//! Decimal128 numbers (placeholder until the arithmetic lands in the same change).

/// IEEE 754-2008 decimal128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal128(pub u128);
