//! Exact 128-bit decimal numbers: IEEE 754-2008 decimal128 in binary integer decimal (BID) form.
//!
//! The invariant: the bits are always canonical, so equal bits are equal representations and the
//! other way round. `1.0` and `1.00` are different values of this type and equal as numbers; the
//! latter is [`Decimal128::cmp_numeric`]'s business. There is one NaN. Nothing here rounds, except
//! the two conversions from binary floating point, which say so in their names, and the four
//! operations, which round once, half to even.
//!
//! It has no signals, flags or other directions of rounding.

mod arithmetic;
mod compare;
mod convert;
mod parse;
mod print;
mod wide;

/// A decimal128 number.
///
/// Equality and hash are those of the representation: sign, coefficient and exponent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal128 {
    // Two halves and not one u128, whose alignment would make every value and instruction larger.
    high: u64,
    low: u64,
}

/// What a [`Decimal128`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecimalParts {
    /// (−1)^negative × coefficient × 10^exponent.
    Finite {
        /// Sign; zeros have one too.
        negative: bool,
        /// 0 ..= 10³⁴ − 1.
        coefficient: u128,
        /// −6176 ..= 6111.
        exponent: i32,
    },
    /// An infinity.
    Infinity {
        /// Sign.
        negative: bool,
    },
    /// Not a number.
    Nan,
}

/// Why bytes or text are no [`Decimal128`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Bits that IEEE 754 reads, but does not write: an oversized coefficient, a NaN with a sign, a
    /// payload or a signal, an infinity with trailing bits.
    #[error("{bits:#034x} is not a canonical decimal128")]
    NonCanonical {
        /// The 128 bits.
        bits: u128,
    },
    /// Text that is not a number.
    #[error("not a decimal number: unexpected character or end at byte {position}")]
    Syntax {
        /// Byte position of what was not expected.
        position: usize,
    },
    /// A number that needs rounding to fit.
    #[error(
        "the number needs more than {} significant digits, or a digit below 1E-6176",
        Decimal128::DIGITS_MAX
    )]
    Inexact,
    /// A number that is too large.
    #[error("the number is too large for a decimal128, which ends at 9.99…E+6144")]
    Overflow,
}

impl Decimal128 {
    /// Greatest number of significant digits.
    pub const DIGITS_MAX: u32 = 34;
    /// Greatest coefficient, 10³⁴ − 1.
    pub const COEFFICIENT_MAX: u128 = 10u128.pow(Self::DIGITS_MAX) - 1;
    /// Least exponent.
    pub const EXPONENT_MIN: i32 = -6176;
    /// Greatest exponent.
    pub const EXPONENT_MAX: i32 = 6111;

    /// Zero with exponent 0.
    pub const ZERO: Self = Self::from_bits(ZERO_BITS);
    /// Not a number.
    pub const NAN: Self = Self::from_bits(NAN_BITS);
    /// +∞.
    pub const INFINITY: Self = Self::from_bits(INFINITY_BITS);
    /// −∞.
    pub const NEG_INFINITY: Self = Self::from_bits(SIGN_BIT | INFINITY_BITS);

    /// The finite number (−1)^negative × coefficient × 10^exponent; `None` when the coefficient or
    /// exponent is out of its range.
    pub fn from_parts(negative: bool, coefficient: u128, exponent: i32) -> Option<Self> {
        if coefficient > Self::COEFFICIENT_MAX || exponent > Self::EXPONENT_MAX {
            return None;
        }
        let biased = u128::try_from(exponent.checked_sub(Self::EXPONENT_MIN)?).ok()?;
        let sign = if negative { SIGN_BIT } else { 0 };
        Some(Self::from_bits(sign | (biased << EXPONENT_SHIFT) | coefficient))
    }

    /// Sign, coefficient and exponent, or which special value it is.
    pub fn parts(self) -> DecimalParts {
        let bits = self.bits();
        let negative = bits & SIGN_BIT != 0;
        match bits & SPECIAL_MASK {
            NAN_BITS => DecimalParts::Nan,
            INFINITY_BITS => DecimalParts::Infinity { negative },
            _ => {
                let biased = (bits & !SIGN_BIT) >> EXPONENT_SHIFT;
                let biased = i32::try_from(biased).expect("canonical bits: 14 bits of exponent");
                DecimalParts::Finite {
                    negative,
                    coefficient: bits & COEFFICIENT_MASK,
                    exponent: biased + Self::EXPONENT_MIN,
                }
            }
        }
    }

    /// Reads the 16 bytes of the BID form, least significant first, as BSON has them.
    ///
    /// Only canonical bytes are read; for others see [`DecimalError::NonCanonical`].
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, DecimalError> {
        let bits = u128::from_le_bytes(bytes);
        let non_canonical = DecimalError::NonCanonical { bits };
        if bits == NAN_BITS || bits & !SIGN_BIT == INFINITY_BITS {
            return Ok(Self::from_bits(bits));
        }
        // With both upper bits of the combination field set it is a special value, or a coefficient
        // that starts at 2¹¹³ and so is above the greatest one.
        if bits & LARGE_MASK == LARGE_MASK || bits & COEFFICIENT_MASK > Self::COEFFICIENT_MAX {
            return Err(non_canonical);
        }
        Ok(Self::from_bits(bits))
    }

    /// The 16 bytes of the BID form, least significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.bits().to_le_bytes()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    const fn from_bits(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    /// Whether it is the NaN.
    pub fn is_nan(self) -> bool {
        self == Self::NAN
    }
}

const SIGN_BIT: u128 = 1 << 127;
const EXPONENT_SHIFT: u32 = 113;
const COEFFICIENT_MASK: u128 = (1 << EXPONENT_SHIFT) - 1;
const LARGE_MASK: u128 = 0b11 << 125;
const SPECIAL_MASK: u128 = 0b1_1111 << 122;
const INFINITY_BITS: u128 = 0b1_1110 << 122;
const NAN_BITS: u128 = 0b1_1111 << 122;
const ZERO_BITS: u128 = (Decimal128::EXPONENT_MIN.unsigned_abs() as u128) << EXPONENT_SHIFT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes() {
        let one: Decimal128 = "1".parse().unwrap();
        let mut bytes = [0; 16];
        (bytes[0], bytes[14], bytes[15]) = (1, 0x40, 0x30);
        assert_eq!(one.to_bytes(), bytes);
        assert_eq!(Decimal128::from_bytes(bytes), Ok(one));
    }

    #[test]
    fn parts_come_back() {
        for (negative, coefficient, exponent) in [
            (false, 0, 0),
            (true, 0, -6176),
            (true, Decimal128::COEFFICIENT_MAX, 6111),
            (false, 1, -6176),
        ] {
            let decimal = Decimal128::from_parts(negative, coefficient, exponent).unwrap();
            assert_eq!(decimal.parts(), DecimalParts::Finite { negative, coefficient, exponent });
            assert_eq!(Decimal128::from_bytes(decimal.to_bytes()), Ok(decimal));
        }
        assert_eq!(Decimal128::ZERO, Decimal128::from_parts(false, 0, 0).unwrap());
    }

    #[test]
    fn parts_out_of_range_are_refused() {
        assert_eq!(Decimal128::from_parts(false, Decimal128::COEFFICIENT_MAX + 1, 0), None);
        assert_eq!(Decimal128::from_parts(false, 1, 6112), None);
        assert_eq!(Decimal128::from_parts(false, 1, -6177), None);
        assert_eq!(Decimal128::from_parts(false, 1, i32::MIN), None);
    }

    #[test]
    fn non_canonical_bytes_are_refused() {
        for bits in [
            Decimal128::COEFFICIENT_MAX + 1,
            LARGE_MASK,
            SIGN_BIT | NAN_BITS,
            NAN_BITS | 1,
            NAN_BITS | 1 << 121,
            INFINITY_BITS | 1,
        ] {
            let refused = Decimal128::from_bytes(bits.to_le_bytes());
            assert_eq!(refused, Err(DecimalError::NonCanonical { bits }));
        }
    }
}
