//! Decimal numbers from text, without rounding.
//!
//! What is read is `[sign] digits [. digits] [E [sign] digits]` with a digit on at least one side of
//! the point, and in any case `inf`, `infinity` and `nan`. Neither blanks nor underscores.

use std::str::FromStr;

use super::{Decimal128, DecimalError};

impl FromStr for Decimal128 {
    type Err = DecimalError;

    /// Reads a number exactly, keeping the written exponent as far as the range allows:
    /// trailing zeros are added or removed when only that makes it fit.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let bytes = text.as_bytes();
        let (negative, start) = match bytes.first() {
            Some(b'-') => (true, 1),
            Some(b'+') => (false, 1),
            _ => (false, 0),
        };
        let unsigned = &bytes[start..];
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Ok(if negative { Self::NEG_INFINITY } else { Self::INFINITY });
        }
        if unsigned.eq_ignore_ascii_case(b"nan") {
            return Ok(Self::NAN);
        }
        let number = Scanner { bytes, position: start, ..Scanner::default() }.number()?;
        number.fit(negative)
    }
}

/// Coefficient × 10^(zeros + exponent), where the zeros are trailing ones held back from the
/// coefficient, and the coefficient has at most 34 digits.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    coefficient: u128,
    held_zeros: i64,
    exponent: i64,
}

#[derive(Debug, Default)]
struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
    number: Number,
    too_many_digits: bool,
}

impl Scanner<'_> {
    fn number(mut self) -> Result<Number, DecimalError> {
        let integer_digits = self.digits(0);
        let mut digits = integer_digits;
        if self.bytes.get(self.position) == Some(&b'.') {
            self.position += 1;
            digits += self.digits(-1);
        }
        if digits == 0 {
            return Err(DecimalError::Syntax { position: self.position });
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.position) {
            self.position += 1;
            let exponent = self.exponent()?;
            self.number.exponent = self.number.exponent.saturating_add(exponent);
        }
        if self.position < self.bytes.len() {
            return Err(DecimalError::Syntax { position: self.position });
        }
        if self.too_many_digits {
            return Err(DecimalError::Inexact);
        }
        Ok(self.number)
    }

    /// Takes a run of digits, each of which moves the exponent by `step`. Returns how many.
    fn digits(&mut self, step: i64) -> usize {
        let start = self.position;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.position) {
            self.position += 1;
            self.number.exponent += step;
            self.digit(digit - b'0');
        }
        self.position - start
    }

    fn digit(&mut self, digit: u8) {
        let number = &mut self.number;
        if digit == 0 && number.coefficient != 0 {
            number.held_zeros += 1;
            return;
        }
        if digit == 0 || self.too_many_digits {
            return;
        }
        let shift = u32::try_from(number.held_zeros + 1).ok();
        let grown = shift
            .filter(|&shift| shift <= Decimal128::DIGITS_MAX)
            .and_then(|shift| number.coefficient.checked_mul(10u128.pow(shift)))
            .map(|shifted| shifted + u128::from(digit))
            .filter(|&grown| grown <= Decimal128::COEFFICIENT_MAX);
        match grown {
            Some(coefficient) => {
                (number.coefficient, number.held_zeros) = (coefficient, 0);
            }
            None => self.too_many_digits = true,
        }
    }

    fn exponent(&mut self) -> Result<i64, DecimalError> {
        let sign = match self.bytes.get(self.position) {
            Some(b'-') => -1,
            _ => 1,
        };
        if let Some(b'-' | b'+') = self.bytes.get(self.position) {
            self.position += 1;
        }
        let start = self.position;
        let mut exponent = 0i64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.position) {
            self.position += 1;
            exponent = exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
        }
        if self.position == start {
            return Err(DecimalError::Syntax { position: self.position });
        }
        Ok(sign * exponent)
    }
}

impl Number {
    /// Finds the representation whose exponent is nearest to the written one.
    fn fit(self, negative: bool) -> Result<Decimal128, DecimalError> {
        let (min, max) = (i64::from(Decimal128::EXPONENT_MIN), i64::from(Decimal128::EXPONENT_MAX));
        if self.coefficient == 0 {
            return Ok(finite(negative, 0, self.exponent.clamp(min, max)));
        }
        let mut coefficient = self.coefficient;
        let mut exponent = self.exponent.saturating_add(self.held_zeros);
        // Give zeros back to the coefficient, while it wants them and has room.
        while (exponent > self.exponent || exponent > max)
            && exponent > min
            && coefficient * 10 <= Decimal128::COEFFICIENT_MAX
        {
            coefficient *= 10;
            exponent -= 1;
        }
        if exponent > max {
            return Err(DecimalError::Overflow);
        }
        // All its trailing zeros are already in the exponent.
        if exponent < min {
            return Err(DecimalError::Inexact);
        }
        Ok(finite(negative, coefficient, exponent))
    }
}

fn finite(negative: bool, coefficient: u128, exponent: i64) -> Decimal128 {
    i32::try_from(exponent)
        .ok()
        .and_then(|exponent| Decimal128::from_parts(negative, coefficient, exponent))
        .expect("coefficient and exponent were fitted into their ranges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_say_where() {
        for (text, position) in [
            ("", 0),
            ("-", 1),
            (".", 1),
            ("1e", 2),
            ("1e+", 3),
            ("1.2.3", 3),
            (" 1", 0),
            ("1 ", 1),
            ("1_0", 1),
            ("nanx", 0),
            ("--1", 1),
            ("٣", 0),
        ] {
            let refused = text.parse::<Decimal128>();
            assert_eq!(refused, Err(DecimalError::Syntax { position }), "{text:?}");
        }
    }

    #[test]
    fn absurd_lengths_end_in_an_error_or_zero() {
        let zeros = format!("1{}", "0".repeat(100_000));
        assert_eq!(zeros.parse::<Decimal128>(), Err(DecimalError::Overflow));
        let tiny = format!("0.{}1", "0".repeat(100_000));
        assert_eq!(tiny.parse::<Decimal128>(), Err(DecimalError::Inexact));
        let saturated = "1e-99999999999999999999999".parse::<Decimal128>();
        assert_eq!(saturated, Err(DecimalError::Inexact));
        let zero = "0e99999999999999999999999".parse::<Decimal128>().unwrap();
        assert_eq!(zero, Decimal128::from_parts(false, 0, 6111).unwrap());
    }
}
