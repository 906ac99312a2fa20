//! The exact sign of a determinant of doubles.
//!
//! Each double is an integer times a power of two, so a determinant is a sum of six products of three
//! integers, each shifted. The products are added up in two wide integers, the positive and the
//! negative ones, and these are compared: no rounding, no overflow and no underflow. Integers, not
//! expansions of doubles, because products of tiny coordinates leave the range of a double.
//!
//! Invariant: no entry exceeds 1 (see [`vector`](super::vector)), which bounds the width.

use std::cmp::Ordering;

use super::vector::Vector;

/// The lowest exponent of a double's integer significand.
const EXPONENT_MIN: i32 = -1074;

/// Six products of three entries below 2, in units of the smallest product: 3 × (1074 + 1) + 3 bits.
const WORDS_MAX: usize = 52;

/// Enough for coordinates that are not tiny, and several times faster.
const WORDS_FEW: usize = 8;

/// Bits of a product, and of a sum of six beyond those of its largest product.
const PRODUCT_BITS: i32 = 3 * 53 + 3;

/// A product of three doubles: its significand, least significant word first, and its exponent.
struct Product {
    negative: bool,
    words: [u64; 3],
    exponent: i32,
}

/// The sign of the determinant with these rows: `Greater` if they turn counterclockwise.
pub(super) fn determinant_sign(
    Vector(a): &Vector,
    Vector(b): &Vector,
    Vector(c): &Vector,
) -> Ordering {
    const TERMS: [([usize; 3], bool); 6] = [
        ([0, 1, 2], false),
        ([1, 2, 0], false),
        ([2, 0, 1], false),
        ([2, 1, 0], true),
        ([0, 2, 1], true),
        ([1, 0, 2], true),
    ];
    let products = TERMS.map(|([i, j, k], odd)| product([a[i], b[j], c[k]], odd));
    let exponents = || products.iter().flatten().map(|product| product.exponent);
    let (Some(low), Some(high)) = (exponents().min(), exponents().max()) else {
        return Ordering::Equal;
    };
    if usize::try_from(high - low + PRODUCT_BITS).is_ok_and(|bits| bits <= 64 * WORDS_FEW) {
        compare_sums::<WORDS_FEW>(&products, low)
    } else {
        compare_sums::<WORDS_MAX>(&products, low)
    }
}

/// The order of the sums of the positive and the negative products, in units of 2^base.
fn compare_sums<const WORDS: usize>(products: &[Option<Product>; 6], base: i32) -> Ordering {
    let mut positive = [0; WORDS];
    let mut negative = [0; WORDS];
    for product in products.iter().flatten() {
        let sum = if product.negative { &mut negative } else { &mut positive };
        add(sum, product, base);
    }
    positive.iter().rev().cmp(negative.iter().rev())
}

/// The product, or nothing if it is zero.
fn product(factors: [f64; 3], odd: bool) -> Option<Product> {
    let mut negative = odd;
    let mut exponent = 0;
    let mut significands = [0; 3];
    for (factor, significand) in factors.into_iter().zip(&mut significands) {
        if factor == 0.0 {
            return None;
        }
        negative ^= factor.is_sign_negative();
        let (integer, power) = decompose(factor);
        *significand = integer;
        exponent += power;
    }
    let [x, y, z] = significands.map(u128::from);
    let pair = x * y;
    let low = (pair & u128::from(u64::MAX)) * z;
    let high = (pair >> 64) * z + (low >> 64);
    Some(Product { negative, words: [word(low), word(high), word(high >> 64)], exponent })
}

/// The integer and the power of two whose product is the number's magnitude.
fn decompose(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = i32::try_from((bits >> 52) & 0x7ff).expect("eleven bits fit");
    if biased == 0 {
        (fraction, EXPONENT_MIN)
    } else {
        (fraction | (1 << 52), EXPONENT_MIN + biased - 1)
    }
}

/// The low word.
#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
fn word(wide: u128) -> u64 {
    wide as u64
}

/// Adds a product in units of 2^base, where base is not above its exponent.
fn add(sum: &mut [u64], product: &Product, base: i32) {
    let shift = usize::try_from(product.exponent - base).expect("the base is the lowest exponent");
    let (skipped, bits) = (shift / 64, shift % 64);
    let [low, middle, high] = product.words.map(|word| u128::from(word) << bits);
    let shifted = [
        word(low),
        word(low >> 64) | word(middle),
        word(middle >> 64) | word(high),
        word(high >> 64),
    ];
    let mut targets = sum.iter_mut().skip(skipped);
    let mut carry = false;
    for (source, target) in shifted.into_iter().zip(&mut targets) {
        let (partial, first) = target.overflowing_add(source);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        *target = total;
        carry = first || second;
    }
    for target in targets {
        if !carry {
            return;
        }
        (*target, carry) = target.overflowing_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sign(rows: [[f64; 3]; 3]) -> Ordering {
        let [a, b, c] = rows.map(Vector);
        determinant_sign(&a, &b, &c)
    }

    #[test]
    fn unit_axes_turn_counterclockwise() {
        let [x, y, z] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(sign([x, y, z]), Ordering::Greater);
        assert_eq!(sign([y, x, z]), Ordering::Less);
        assert_eq!(sign([x, x, z]), Ordering::Equal);
    }

    #[test]
    fn products_below_the_smallest_double_count() {
        let tiny = f64::from_bits(1);
        let diagonal = |last: f64| [[tiny, 0.0, 0.0], [0.0, tiny, 0.0], [0.0, 0.0, last]];
        assert_eq!(sign(diagonal(tiny)), Ordering::Greater);
        assert_eq!(sign(diagonal(-tiny)), Ordering::Less);
    }

    #[test]
    fn the_last_place_counts_beside_one() {
        let z = [0.0, 0.0, 1.0];
        let almost = 1.0_f64.next_down();
        assert_eq!(sign([[1.0, almost, 0.0], [1.0, 1.0, 0.0], z]), Ordering::Greater);
        assert_eq!(sign([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], z]), Ordering::Equal);
        let tiny = f64::from_bits(1);
        let flat = [[1.0, 1.0, tiny], [1.0, 1.0, 0.0], [1.0, -1.0, 0.0]];
        assert_eq!(sign(flat), Ordering::Less);
    }

    #[test]
    fn carries_run_on() {
        // In units of 2^-54: (2^53 - 1)^2 * 2^53 and the like, whose sums fill and pass words.
        let almost = 1.0_f64.next_down();
        let rows = [[almost, almost, almost], [almost, 0.5, almost], [almost, almost, 1.0]];
        assert_eq!(sign(rows), Ordering::Less);
        assert_eq!(sign([rows[1], rows[0], rows[2]]), Ordering::Greater);
        assert_eq!(sign([rows[0], rows[1], rows[0]]), Ordering::Equal);
    }

    #[test]
    fn the_larger_of_two_products_wins_however_much_smaller_the_other_is() {
        for power in 0..1000 {
            let small = 2.0_f64.powi(-power);
            let rows = [[1.0, small, 0.0], [small, 1.0, 0.0], [0.0, 0.0, 1.0]];
            let expected = if power == 0 { Ordering::Equal } else { Ordering::Greater };
            assert_eq!(sign(rows), expected, "2^-{power}");
        }
    }

    proptest! {
        #[test]
        fn signs_are_those_of_integers(rows: [[i32; 3]; 3], is_flat: bool, power in 0_i32..400) {
            let mut rows = rows.map(|row| row.map(i128::from));
            if is_flat {
                rows[2] = [0, 1, 2].map(|axis| rows[0][axis] - rows[1][axis]);
            }
            let [[a, b, c], [d, e, f], [g, h, i]] = rows;
            let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
            let scale = 2.0_f64.powi(-33 - power);
            #[expect(clippy::cast_precision_loss, reason = "33 bits are exact")]
            let scaled = rows.map(|row| row.map(|entry| entry as f64 * scale));
            prop_assert_eq!(sign(scaled), determinant.cmp(&0));
        }
    }
}
