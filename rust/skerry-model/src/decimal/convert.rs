//! Decimal numbers from binary ones.

use super::Decimal128;

impl From<i64> for Decimal128 {
    fn from(int: i64) -> Self {
        Self::from_parts(int < 0, u128::from(int.unsigned_abs()), 0)
            .expect("19 digits are fewer than 34")
    }
}

impl Decimal128 {
    /// The double, rounded half to even to 15 significant digits, as Realm converts it. Trailing
    /// zeros of a fraction are dropped: 1.5 is `1.5`, 100.0 is `100`, 1e20 is `1E+20`.
    pub fn from_f64_15_digits(double: f64) -> Self {
        if double.is_finite() {
            return from_scientific(&format!("{double:.14e}"), 15);
        }
        special(double.is_nan(), double < 0.0)
    }

    /// The float, rounded half to even to 7 significant digits, as Realm converts it.
    pub fn from_f32_7_digits(float: f32) -> Self {
        if float.is_finite() {
            return from_scientific(&format!("{float:.6e}"), 7);
        }
        special(float.is_nan(), float < 0.0)
    }
}

fn special(is_nan: bool, negative: bool) -> Decimal128 {
    match (is_nan, negative) {
        (true, _) => Decimal128::NAN,
        (false, true) => Decimal128::NEG_INFINITY,
        (false, false) => Decimal128::INFINITY,
    }
}

/// Reads `[-]d.ddde[-]x`, which has `digits` digits, and drops what zeros it may.
fn from_scientific(text: &str, digits: u32) -> Decimal128 {
    let (mantissa, power) = text.split_once('e').expect("formatted with an exponent");
    let (mantissa, negative) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (mantissa, true),
        None => (mantissa, false),
    };
    let mut coefficient = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0u128, |number, digit| number * 10 + u128::from(digit - b'0'));
    let digits = i32::try_from(digits).expect("15 or 7");
    let power: i32 = power.parse().expect("the exponent of a float has at most 3 digits");
    let mut exponent = power - (digits - 1);
    // A whole number keeps its zeros as long as they are among the significant digits.
    let keep_zeros_from = if (0..digits).contains(&power) { 0 } else { i32::MAX };
    while coefficient != 0 && coefficient.is_multiple_of(10) && exponent < keep_zeros_from {
        coefficient /= 10;
        exponent += 1;
    }
    if coefficient == 0 {
        exponent = 0;
    }
    Decimal128::from_parts(negative, coefficient, exponent)
        .expect("the exponents of doubles are within those of decimals")
}
