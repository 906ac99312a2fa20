//! Sum, difference, product and quotient of decimals, as IEEE 754-2008 has them for decimal128.
//!
//! The invariant: a result is the exact one rounded once, half to even, to 34 digits or to a
//! multiple of 1E-6176. An exact result has the exponent nearest to the preferred one: the smaller
//! one for sums, their sum for products, their difference for quotients. Too large is an infinity,
//! too small is a subnormal number or a zero with its sign. Nothing is signalled and no operands
//! panic: what has no value is the NaN.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::wide::Wide;
use super::{Decimal128, DecimalParts};

impl Neg for Decimal128 {
    type Output = Self;

    /// The same number with the other sign; zeros and infinities have one, the NaN has none.
    fn neg(self) -> Self {
        match self.parts() {
            DecimalParts::Nan => Self::NAN,
            DecimalParts::Infinity { negative } => infinity(!negative),
            DecimalParts::Finite { negative, coefficient, exponent } => {
                Finite { negative: !negative, coefficient, exponent }.into()
            }
        }
    }
}

impl Add for Decimal128 {
    type Output = Self;

    /// The sum. ∞ − ∞ is the NaN; zeros of unlike signs, and what cancels, make a positive zero.
    fn add(self, other: Self) -> Self {
        match (Operand::from(self), Operand::from(other)) {
            (Operand::Nan, _) | (_, Operand::Nan) => Self::NAN,
            (Operand::Infinity { negative: n1 }, Operand::Infinity { negative: n2 })
                if n1 != n2 =>
            {
                Self::NAN
            }
            (Operand::Infinity { negative }, _) | (_, Operand::Infinity { negative }) => {
                infinity(negative)
            }
            (Operand::Finite(a), Operand::Finite(b)) => sum(a, b).rounded(),
        }
    }
}

impl Sub for Decimal128 {
    type Output = Self;

    /// The difference: the sum with the negated number.
    fn sub(self, other: Self) -> Self {
        self.add(-other)
    }
}

impl Mul for Decimal128 {
    type Output = Self;

    /// The product. ∞ × 0 is the NaN; of zeros, too, the sign is the product of both.
    fn mul(self, other: Self) -> Self {
        match (Operand::from(self), Operand::from(other)) {
            (Operand::Nan, _) | (_, Operand::Nan) => Self::NAN,
            (Operand::Infinity { .. }, Operand::Finite(zero))
            | (Operand::Finite(zero), Operand::Infinity { .. })
                if zero.coefficient == 0 =>
            {
                Self::NAN
            }
            (a @ Operand::Infinity { .. }, b) | (a, b @ Operand::Infinity { .. }) => {
                infinity(a.is_negative() != b.is_negative())
            }
            (Operand::Finite(a), Operand::Finite(b)) => Unrounded {
                negative: a.negative != b.negative,
                coefficient: Wide::product(a.coefficient, b.coefficient),
                exponent: a.exponent + b.exponent,
                more: false,
            }
            .rounded(),
        }
    }
}

impl Div for Decimal128 {
    type Output = Self;

    /// The quotient. 0 / 0 and ∞ / ∞ are the NaN, other numbers through 0 an infinity. What is
    /// finite through ∞ is the least zero, 0E-6176.
    fn div(self, other: Self) -> Self {
        let (a, b) = (Operand::from(self), Operand::from(other));
        let negative = a.is_negative() != b.is_negative();
        match (a, b) {
            (Operand::Nan, _)
            | (_, Operand::Nan)
            | (Operand::Infinity { .. }, Operand::Infinity { .. }) => Self::NAN,
            (Operand::Infinity { .. }, Operand::Finite(_)) => infinity(negative),
            (Operand::Finite(_), Operand::Infinity { .. }) => {
                Finite { negative, coefficient: 0, exponent: Self::EXPONENT_MIN }.into()
            }
            (Operand::Finite(a), Operand::Finite(b)) => match (a.coefficient, b.coefficient) {
                (0, 0) => Self::NAN,
                (_, 0) => infinity(negative),
                (_, _) => quotient(a, b).rounded(),
            },
        }
    }
}

/// A [`DecimalParts`] whose finite numbers can be named as a whole.
#[derive(Clone, Copy)]
enum Operand {
    Finite(Finite),
    Infinity { negative: bool },
    Nan,
}

/// (−1)^negative × coefficient × 10^exponent, within the ranges of [`DecimalParts::Finite`].
#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    coefficient: u128,
    exponent: i32,
}

/// A result before it is rounded.
#[derive(Clone, Copy)]
struct Unrounded {
    negative: bool,
    coefficient: Wide,
    exponent: i32,
    /// Whether the exact result is larger by less than one of the coefficient's last digit. Then
    /// the coefficient has more than 34 digits, so that no rounding happens at that digit.
    more: bool,
}

impl From<Decimal128> for Operand {
    fn from(decimal: Decimal128) -> Self {
        match decimal.parts() {
            DecimalParts::Nan => Self::Nan,
            DecimalParts::Infinity { negative } => Self::Infinity { negative },
            DecimalParts::Finite { negative, coefficient, exponent } => {
                Self::Finite(Finite { negative, coefficient, exponent })
            }
        }
    }
}

impl From<Finite> for Decimal128 {
    fn from(Finite { negative, coefficient, exponent }: Finite) -> Self {
        Self::from_parts(negative, coefficient, exponent)
            .expect("coefficient and exponent were fitted into their ranges")
    }
}

impl Operand {
    fn is_negative(self) -> bool {
        match self {
            Self::Finite(Finite { negative, .. }) | Self::Infinity { negative } => negative,
            Self::Nan => false,
        }
    }
}

fn infinity(negative: bool) -> Decimal128 {
    if negative { Decimal128::NEG_INFINITY } else { Decimal128::INFINITY }
}

/// How far the operand of the larger exponent is brought down to the other's. 10³⁷ is a `u128`, and
/// whatever is still below the last digit then is below the digit that rounding looks at: a
/// difference from 10³⁷ of less than 10³⁴ has 37 digits.
const ALIGNED_DIGITS_MAX: u32 = 37;

fn sum(a: Finite, b: Finite) -> Unrounded {
    let (mut upper, lower) = if a.exponent < b.exponent { (b, a) } else { (a, b) };
    if upper.coefficient == 0 {
        upper.exponent = lower.exponent;
    }
    let distance = upper.exponent.abs_diff(lower.exponent);
    let shift = distance.min(ALIGNED_DIGITS_MAX);
    let upper_digits = Wide::product(upper.coefficient, 10u128.pow(shift));
    let (lower_digits, more) = cut(lower.coefficient, distance - shift);
    let exponent = lower.exponent + i32::try_from(distance - shift).expect("12287 at most");
    let of = |negative, coefficient, more| Unrounded { negative, coefficient, exponent, more };
    if upper.negative == lower.negative {
        return of(upper.negative, upper_digits.plus(lower_digits.into()), more);
    }
    // Taking away more than the digits say: one too much, which `more` makes up for.
    let taken = Wide::from(lower_digits + u128::from(more));
    if upper_digits == taken {
        return of(false, Wide::from(0), false);
    }
    if upper_digits > taken {
        return of(upper.negative, upper_digits.minus(taken), more);
    }
    // Only an operand that is whole can be the larger one, so nothing was cut.
    of(lower.negative, taken.minus(upper_digits), false)
}

/// The number without its last digits, and whether any of those was not 0.
fn cut(number: u128, digits: u32) -> (u128, bool) {
    match 10u128.checked_pow(digits) {
        Some(power) => (number / power, !number.is_multiple_of(power)),
        None => (0, number != 0),
    }
}

/// Long division from the quotient of the coefficients on, until nothing remains or there is a
/// digit more than can be kept. The divisor is not 0.
fn quotient(a: Finite, b: Finite) -> Unrounded {
    let divisor = b.coefficient;
    let mut exponent = a.exponent - b.exponent;
    let (mut digits, mut remainder) = (a.coefficient / divisor, a.coefficient % divisor);
    // Each round takes a digit: at most 34 leading zeros and 35 others.
    while remainder != 0 && digits <= Decimal128::COEFFICIENT_MAX {
        remainder *= 10;
        digits = digits * 10 + remainder / divisor;
        remainder %= divisor;
        exponent -= 1;
    }
    Unrounded {
        negative: a.negative != b.negative,
        coefficient: digits.into(),
        exponent,
        more: remainder != 0,
    }
}

impl Unrounded {
    /// The nearest decimal.
    fn rounded(self) -> Decimal128 {
        let digits = self.coefficient.digits();
        let below_min = u32::try_from(Decimal128::EXPONENT_MIN - self.exponent).unwrap_or(0);
        let excess = digits.saturating_sub(Decimal128::DIGITS_MAX).max(below_min);
        let negative = self.negative;
        if excess > digits {
            // Less than a tenth of the last digit there is; or a zero, of any exponent.
            let exponent = self.exponent.max(Decimal128::EXPONENT_MIN);
            return fitted(Finite { negative, coefficient: 0, exponent });
        }
        let coefficient = self.without_digits(excess);
        let exponent = self.exponent + i32::try_from(excess).expect("78 digits at most");
        if coefficient > Decimal128::COEFFICIENT_MAX {
            // A carry through 34 nines.
            return fitted(Finite {
                negative,
                coefficient: coefficient / 10,
                exponent: exponent + 1,
            });
        }
        fitted(Finite { negative, coefficient, exponent })
    }

    /// The coefficient without its last digits, rounded half to even; `excess` leaves at most 34.
    fn without_digits(self, excess: u32) -> u128 {
        let narrow = |wide: Wide| wide.narrow().expect("34 digits are left");
        let Some(mut below_last) = excess.checked_sub(1) else {
            return narrow(self.coefficient);
        };
        let Self { mut coefficient, mut more, .. } = self;
        while below_last > 0 {
            let step = below_last.min(Wide::STEP_DIGITS);
            let (rest, cut) = coefficient.split_digits(step);
            (coefficient, more) = (rest, more || cut != 0);
            below_last -= step;
        }
        let (rest, last) = coefficient.split_digits(1);
        let kept = narrow(rest);
        let up = last > 5 || last == 5 && (more || !kept.is_multiple_of(2));
        kept + u128::from(up)
    }
}

/// Brings an exponent that is too large into the range: a zero takes any, other numbers take zeros
/// into the coefficient, and what has no room for them is an infinity.
fn fitted(Finite { negative, mut coefficient, mut exponent }: Finite) -> Decimal128 {
    if coefficient == 0 {
        exponent = exponent.min(Decimal128::EXPONENT_MAX);
    }
    while exponent > Decimal128::EXPONENT_MAX {
        coefficient *= 10;
        exponent -= 1;
        if coefficient > Decimal128::COEFFICIENT_MAX {
            return infinity(negative);
        }
    }
    Finite { negative, coefficient, exponent }.into()
}
