//! Reading the inside of literal tokens: integers, base64, escaped names.

use crate::error::QueryError;

/// An integer of any spelling; what is out of range saturates, as the engine has it. A leading `0x`
/// is hexadecimal, a leading `0` octal.
pub(crate) fn integer(text: &str, position: usize) -> Result<i64, QueryError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let mut value: i64 = 0;
    for digit in digits.chars() {
        let digit = digit.to_digit(radix).ok_or_else(|| QueryError::BadToken {
            what: format!("\"{text}\" begins with 0 and so is octal, but has other digits"),
            position,
        })?;
        let digit = i64::from(digit);
        // Counting down for negative numbers reaches the least of them without passing the greatest.
        let next = value.checked_mul(i64::from(radix)).and_then(|value| {
            if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
        });
        match next {
            Some(next) => value = next,
            None => return Ok(if negative { i64::MIN } else { i64::MAX }),
        }
    }
    Ok(value)
}

/// The bytes of a base64 text. Padding may be missing; bits left over are dropped.
pub(crate) fn base64(text: &str, position: usize) -> Result<Vec<u8>, QueryError> {
    let digits = text.trim_end_matches('=');
    let malformed =
        || QueryError::BadToken { what: "the base64 text is malformed".into(), position };
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return Err(malformed());
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.as_bytes().chunks(4) {
        let mut bits: u32 = 0;
        for &digit in group {
            bits = bits << 6 | base64_digit(digit).ok_or_else(malformed)?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Ok(bytes)
}

fn base64_digit(digit: u8) -> Option<u32> {
    Some(match digit {
        b'A'..=b'Z' => u32::from(digit - b'A'),
        b'a'..=b'z' => u32::from(digit - b'a') + 26,
        b'0'..=b'9' => u32::from(digit - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The base64 text of bytes, padded.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| usize::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                text.push(char::from(DIGITS[bits >> (18 - 6 * place) & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// A name without the backslashes before its blanks.
pub(crate) fn unescape_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            name.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => name.push('\n'),
            Some('r') => name.push('\r'),
            Some('t') => name.push('\t'),
            other => name.extend(other),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_all_spellings() {
        for (text, value) in [
            ("0", 0),
            ("010", 8),
            ("-010", -8),
            ("+3", 3),
            ("0x10", 16),
            ("0XfF", 255),
            ("9223372036854775808", i64::MAX),
            ("0xFFFFFFFFFFFFFFFFF", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-9223372036854775809", i64::MIN),
        ] {
            assert_eq!(integer(text, 0), Ok(value), "{text}");
        }
        assert!(integer("09", 0).is_err());
    }

    #[test]
    fn base64_is_its_own_inverse() {
        for length in 0..70_u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37)).collect();
            assert_eq!(base64(&to_base64(&bytes), 0), Ok(bytes));
        }
        assert_eq!(to_base64(b"any"), "YW55");
        assert_eq!(to_base64(b"a"), "YQ==");
        assert_eq!(base64("YQ", 0), Ok(b"a".to_vec()));
        assert!(base64("YQ===", 0).is_err());
        assert!(base64("Y=Q=", 0).is_err());
        assert!(base64("YWJjZ", 0).is_err());
    }
}
