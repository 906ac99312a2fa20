//! Unsigned integers of 256 bits: what lies between two coefficients and a rounded one.
//!
//! The invariant: every operation is exact. Who calls keeps within the range; the largest number
//! that decimals of 34 digits need is below 10⁷².

/// high × 2¹²⁸ + low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    // The derived order wants the high half first.
    high: u128,
    low: u128,
}

const HALF: u32 = 64;
const HALF_MASK: u128 = u64::MAX as u128;

impl Wide {
    /// Most zeros that a `u64` divisor can have: 10¹⁹ fits.
    pub(super) const STEP_DIGITS: u32 = u64::MAX.ilog10();

    /// The product of two numbers.
    pub(super) fn product(a: u128, b: u128) -> Self {
        let (low, high) = a.carrying_mul(b, 0);
        Self { high, low }
    }

    /// The sum, which the caller knows to fit.
    pub(super) fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high + other.high + u128::from(carry), low }
    }

    /// The difference from a number that is not larger.
    pub(super) fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high - other.high - u128::from(borrow), low }
    }

    /// Quotient and remainder of a division by 10^`digits`, at most [`Self::STEP_DIGITS`].
    pub(super) fn split_digits(self, digits: u32) -> (Self, u128) {
        let divisor = 10u128.pow(digits);
        if self.high == 0 {
            return (Self::from(self.low / divisor), self.low % divisor);
        }
        let mut remainder = 0;
        let mut step = |half: u128| {
            // The remainder is below the divisor, and that below 2⁶⁴.
            let part = remainder << HALF | half;
            remainder = part % divisor;
            part / divisor
        };
        let high = step(self.high >> HALF) << HALF | step(self.high & HALF_MASK);
        let low = step(self.low >> HALF) << HALF | step(self.low & HALF_MASK);
        (Self { high, low }, remainder)
    }

    /// How many decimal digits it has; zero has none.
    pub(super) fn digits(self) -> u32 {
        if self.high != 0 {
            return Self::STEP_DIGITS + self.split_digits(Self::STEP_DIGITS).0.digits();
        }
        self.low.checked_ilog10().map_or(0, |log| log + 1)
    }

    /// The number, when it fits 128 bits.
    pub(super) fn narrow(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }
}

impl From<u128> for Wide {
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Base 10¹⁹ digits of a number, least significant first, to compare with school arithmetic.
    fn groups(mut wide: Wide) -> Vec<u128> {
        let mut groups = Vec::new();
        while wide != Wide::from(0) {
            let (rest, group) = wide.split_digits(Wide::STEP_DIGITS);
            groups.push(group);
            wide = rest;
        }
        groups
    }

    #[test]
    fn the_largest_product_is_known() {
        let product = Wide::product(u128::MAX, u128::MAX);
        // 2²⁵⁶ − 2¹²⁹ + 1.
        assert_eq!(product, Wide { high: u128::MAX - 1, low: 1 });
        assert_eq!((product.digits(), Wide::from(0).digits()), (78, 0));
        assert_eq!(Wide::product(10u128.pow(38), 10u128.pow(33)).digits(), 72);
        assert_eq!(Wide::product(10u128.pow(38) - 1, 10u128.pow(33)).digits(), 71);
    }

    proptest! {
        #[test]
        fn splitting_undoes_a_product(a: u128, digits in 0..=Wide::STEP_DIGITS, rest: u64) {
            let power = 10u128.pow(digits);
            let rest = u128::from(rest) % power;
            let wide = Wide::product(a, power).plus(Wide::from(rest));
            prop_assert_eq!(wide.split_digits(digits), (Wide::from(a), rest));
        }

        #[test]
        fn plus_and_minus_undo_each_other(a: u128, b: u128, c: u128, d: u128) {
            let (x, y) = (Wide::product(a, b >> 1), Wide::product(c, d >> 1));
            prop_assert_eq!(x.plus(y).minus(y), x);
            prop_assert_eq!(x.plus(y), y.plus(x));
            prop_assert!(x.plus(y) >= x);
        }

        #[test]
        fn digits_are_those_of_the_groups(a: u128, b: u128) {
            let wide = Wide::product(a, b);
            let groups = groups(wide);
            let digits = groups.split_last().map_or(0, |(head, full)| {
                head.to_string().len() + full.len() * 19
            });
            prop_assert_eq!(wide.digits() as usize, digits);
        }
    }
}
