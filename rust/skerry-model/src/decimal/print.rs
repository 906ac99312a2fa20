//! Decimal numbers as text: the form of IEEE 754's conversion and of BSON, which reads back to the
//! same representation.

use std::fmt;

use super::{Decimal128, DecimalParts};

impl fmt::Display for Decimal128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            DecimalParts::Nan => f.write_str("NaN"),
            DecimalParts::Infinity { negative: false } => f.write_str("Infinity"),
            DecimalParts::Infinity { negative: true } => f.write_str("-Infinity"),
            DecimalParts::Finite { negative, coefficient, exponent } => {
                if negative {
                    f.write_str("-")?;
                }
                write_finite(f, &coefficient.to_string(), exponent)
            }
        }
    }
}

impl fmt::Debug for Decimal128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "decimal({self})")
    }
}

/// Plain notation for exponents up to 0 and numbers from 1E-6 up, scientific otherwise.
fn write_finite(f: &mut fmt::Formatter<'_>, digits: &str, exponent: i32) -> fmt::Result {
    let count = i32::try_from(digits.len()).expect("at most 34 digits");
    let adjusted = exponent + count - 1;
    if exponent > 0 || adjusted < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return write!(f, "{first}{point}{rest}E{adjusted:+}");
    }
    if exponent == 0 {
        return f.write_str(digits);
    }
    match usize::try_from(count + exponent) {
        Ok(integer_digits) if integer_digits > 0 => {
            let (integer, fraction) = digits.split_at(integer_digits);
            write!(f, "{integer}.{fraction}")
        }
        _ => {
            let zeros = usize::try_from(-(count + exponent)).expect("not positive");
            write!(f, "0.{:0<zeros$}{digits}", "")
        }
    }
}
