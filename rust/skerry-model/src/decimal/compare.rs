//! Order of decimal numbers as numbers.

use std::cmp::Ordering;

use super::{Decimal128, DecimalParts};

impl Decimal128 {
    /// Compares as numbers: exponents and signs of zero do not count, NaN equals itself and is
    /// smaller than everything else, −∞ included.
    pub fn cmp_numeric(&self, other: &Self) -> Ordering {
        rank(*self).cmp(&rank(*other)).then_with(|| match (self.parts(), other.parts()) {
            (
                DecimalParts::Finite { negative, coefficient: c1, exponent: e1 },
                DecimalParts::Finite { coefficient: c2, exponent: e2, .. },
            ) => {
                let magnitudes = cmp_magnitudes((c1, e1), (c2, e2));
                if negative { magnitudes.reverse() } else { magnitudes }
            }
            _ => Ordering::Equal,
        })
    }

    /// Compares with an integer, exactly.
    pub fn cmp_i64(&self, other: i64) -> Ordering {
        self.cmp_numeric(&Self::from(other))
    }

    /// Compares with a double that is first rounded to 15 significant digits, as Realm does: so the
    /// decimal 0.3 equals the double 0.1 + 0.2. Not transitive with the order of doubles.
    pub fn cmp_f64(&self, other: f64) -> Ordering {
        self.cmp_numeric(&Self::from_f64_15_digits(other))
    }
}

/// Class of numbers within which magnitudes decide.
fn rank(decimal: Decimal128) -> u8 {
    match decimal.parts() {
        DecimalParts::Nan => 0,
        DecimalParts::Infinity { negative: true } => 1,
        DecimalParts::Finite { coefficient: 0, .. } => 3,
        DecimalParts::Finite { negative: true, .. } => 2,
        DecimalParts::Finite { negative: false, .. } => 4,
        DecimalParts::Infinity { negative: false } => 5,
    }
}

/// Compares coefficient × 10^exponent of two numbers.
fn cmp_magnitudes((c1, e1): (u128, i32), (c2, e2): (u128, i32)) -> Ordering {
    let (Some(log1), Some(log2)) = (c1.checked_ilog10(), c2.checked_ilog10()) else {
        return c1.cmp(&c2);
    };
    let adjusted = |log: u32, exponent: i32| i64::from(log) + i64::from(exponent);
    // Of one adjusted exponent, the coefficient with fewer digits grows to at most 34.
    adjusted(log1, e1).cmp(&adjusted(log2, e2)).then_with(|| {
        let log = log1.max(log2);
        (c1 * 10u128.pow(log - log1)).cmp(&(c2 * 10u128.pow(log - log2)))
    })
}
