//! Laws of decimal arithmetic, for operands of every kind.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use std::cmp::Ordering;

use proptest::prelude::*;
use skerry_model::{Decimal128, DecimalParts};

/// A coefficient of any length, often with zeros or nines at its end.
fn coefficients() -> impl Strategy<Value = u128> {
    (0..=34u32, 0..=34u32, any::<u128>(), 0..3u8).prop_map(|(digits, tail, number, kind)| {
        let number = number % 10u128.pow(digits);
        let power = 10u128.pow(tail);
        match kind {
            0 => number,
            1 => number - number % power,
            _ => (number - number % power + (power - 1)).min(Decimal128::COEFFICIENT_MAX),
        }
    })
}

fn finite(
    coefficients: impl Strategy<Value = u128>,
    exponents: std::ops::RangeInclusive<i32>,
) -> impl Strategy<Value = Decimal128> {
    (any::<bool>(), coefficients, exponents).prop_map(|(negative, coefficient, exponent)| {
        Decimal128::from_parts(negative, coefficient, exponent).unwrap()
    })
}

/// Finite numbers, many whose exponents are near each other or a limit.
fn numbers() -> impl Strategy<Value = Decimal128> {
    prop_oneof![
        4 => finite(coefficients(), -50..=50),
        2 => finite(coefficients(), Decimal128::EXPONENT_MIN..=Decimal128::EXPONENT_MAX),
        1 => finite(coefficients(), 6080..=Decimal128::EXPONENT_MAX),
        1 => finite(coefficients(), Decimal128::EXPONENT_MIN..=-6120),
    ]
}

/// Every kind of number.
fn decimals() -> impl Strategy<Value = Decimal128> {
    prop_oneof![
        1 => Just(Decimal128::NAN),
        1 => Just(Decimal128::INFINITY),
        1 => Just(Decimal128::NEG_INFINITY),
        16 => numbers(),
    ]
}

/// The number, or one of its exponent when it is zero.
fn not_zero(decimal: Decimal128) -> Decimal128 {
    match decimal.parts() {
        DecimalParts::Finite { negative, coefficient: 0, exponent } => {
            Decimal128::from_parts(negative, 1, exponent).unwrap()
        }
        DecimalParts::Finite { .. } | DecimalParts::Infinity { .. } | DecimalParts::Nan => decimal,
    }
}

fn decimal(int: i128) -> Decimal128 {
    int.to_string().parse().unwrap()
}

/// The smaller and the larger of two.
fn sorted(a: Decimal128, b: Decimal128) -> (Decimal128, Decimal128) {
    if a.cmp_numeric(&b) == Ordering::Greater { (b, a) } else { (a, b) }
}

fn magnitude(decimal: Decimal128) -> Decimal128 {
    if decimal.cmp_i64(0) == Ordering::Less && !decimal.is_nan() { -decimal } else { decimal }
}

proptest! {
    #[test]
    fn results_are_canonical(a in decimals(), b in decimals()) {
        for result in [-a, a + b, a - b, a * b, a / b] {
            prop_assert_eq!(Decimal128::from_bytes(result.to_bytes()), Ok(result));
            prop_assert_eq!(result.to_string().parse(), Ok(result));
        }
    }

    #[test]
    fn sums_and_products_commute(a in decimals(), b in decimals()) {
        prop_assert_eq!(a + b, b + a);
        prop_assert_eq!(a * b, b * a);
    }

    #[test]
    fn a_difference_is_the_sum_with_the_negated(a in decimals(), b in decimals()) {
        prop_assert_eq!(a - b, a + -b);
        prop_assert_eq!(-(-a), a);
        prop_assert_eq!((-a) * b, -(a * b));
        prop_assert_eq!((-a) / b, -(a / b));
        // Zeros apart, which are positive.
        prop_assert_eq!((a - b).cmp_numeric(&-(b - a)), Ordering::Equal);
    }

    #[test]
    fn a_number_without_itself_is_a_positive_zero(a in decimals()) {
        let expected = match a.parts() {
            DecimalParts::Nan | DecimalParts::Infinity { .. } => Decimal128::NAN,
            DecimalParts::Finite { exponent, .. } => {
                Decimal128::from_parts(false, 0, exponent).unwrap()
            }
        };
        prop_assert_eq!(a - a, expected);
    }

    #[test]
    fn one_changes_nothing(a in decimals()) {
        let one = Decimal128::from(1);
        prop_assert_eq!(a * one, a);
        prop_assert_eq!(a / one, a);
    }

    #[test]
    fn nan_stays(a in decimals()) {
        let nan = Decimal128::NAN;
        for result in [a + nan, nan - a, a * nan, nan * a, nan / a, a / nan] {
            prop_assert!(result.is_nan());
        }
    }

    #[test]
    fn integers_are_those_of_i128(
        a in -(10i128.pow(17))..10i128.pow(17),
        b in -(10i128.pow(17))..10i128.pow(17),
    ) {
        let (x, y) = (decimal(a), decimal(b));
        prop_assert_eq!(x + y, decimal(a + b));
        prop_assert_eq!(x - y, decimal(a - b));
        let product = x * y;
        prop_assert_eq!(product.cmp_numeric(&decimal(a * b)), Ordering::Equal);
        if b != 0 {
            prop_assert_eq!((product / y).cmp_numeric(&x), Ordering::Equal);
        }
    }

    #[test]
    fn dividing_a_product_comes_back_near(
        a in finite(coefficients(), -1000..=1000),
        b in finite(coefficients(), -1000..=1000).prop_map(not_zero),
    ) {
        let back = (a * b) / b;
        // Each rounding is within half a unit of the 34th digit, at most 5E-34 of the number.
        let bound = magnitude(a) * "1.001E-33".parse().unwrap();
        let error = magnitude(back - a);
        prop_assert!(error.cmp_numeric(&bound) != Ordering::Greater, "{a} × {b} / {b} = {back}");
    }

    #[test]
    fn adding_keeps_the_order(a in numbers(), b in numbers(), c in numbers()) {
        let (smaller, larger) = sorted(a, b);
        prop_assert!((smaller + c).cmp_numeric(&(larger + c)) != Ordering::Greater);
    }

    #[test]
    fn multiplying_and_dividing_keep_the_order_of_magnitudes(
        a in numbers(),
        b in numbers(),
        c in numbers().prop_map(not_zero),
    ) {
        let (smaller, larger) = sorted(magnitude(a), magnitude(b));
        let c = magnitude(c);
        prop_assert!((smaller * c).cmp_numeric(&(larger * c)) != Ordering::Greater);
        prop_assert!((smaller / c).cmp_numeric(&(larger / c)) != Ordering::Greater);
    }
}
