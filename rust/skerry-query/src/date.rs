//! Points in time as the language writes them: `T<seconds>:<nanoseconds>` and
//! `Y-M-D@h:m:s[:nanoseconds]` (or with `T` for `@`), always UTC.
//!
//! Fields out of range roll over, as with the calendar functions of C: February 30 is March 1.
//! What this does not have: zones, fractions of a second with a point, dates without a time.

use skerry_model::Timestamp;

use crate::error::QueryError;

/// First year that a readable date may have.
const YEAR_MIN: i64 = 1900;
/// Greatest value of a field, so that the arithmetic cannot overflow.
const FIELD_MAX: i64 = 999_999_999;

/// A cursor over the digits and marks of a date.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    /// A run of digits as a number; one that is too large saturates above [`FIELD_MAX`].
    fn number(&mut self) -> Option<i64> {
        let length = self.bytes[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = &self.bytes[self.at..self.at + length];
        self.at += length;
        let step = |value: i64, digit: &u8| {
            value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        };
        (length > 0).then(|| digits.iter().fold(0, step))
    }

    fn mark(&mut self, marks: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.at).is_some_and(|byte| marks.contains(byte));
        self.at += usize::from(found);
        found.then_some(())
    }
}

fn bad(what: &str, position: usize) -> QueryError {
    QueryError::BadToken { what: what.to_owned(), position }
}

/// `T<seconds>:<nanoseconds>` at the beginning of `rest`, if it is longer than the identifier of
/// `identifier` bytes that also begins there; with its length.
pub(crate) fn scan_seconds(
    rest: &str,
    identifier: usize,
    position: usize,
) -> Result<Option<(Timestamp, usize)>, QueryError> {
    let Some(body) = rest.strip_prefix('T') else { return Ok(None) };
    let signed = |text: &str| {
        let sign = usize::from(text.starts_with(['+', '-']));
        let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then_some(sign + digits)
    };
    let Some(seconds) = signed(body) else { return Ok(None) };
    let Some(after) = body[seconds..].strip_prefix(':') else { return Ok(None) };
    let Some(nanoseconds) = signed(after) else { return Ok(None) };
    let length = 2 + seconds + nanoseconds;
    if length <= identifier {
        return Ok(None);
    }
    let parsed = body[..seconds]
        .parse()
        .ok()
        .zip(after[..nanoseconds].parse().ok())
        .and_then(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds));
    let timestamp = parsed.ok_or_else(|| {
        bad("seconds and nanoseconds must be in range and of one sign, which is not so", position)
    })?;
    Ok(Some((timestamp, length)))
}

/// A readable date at the beginning of `rest`, with its length.
pub(crate) fn scan_readable(
    rest: &str,
    position: usize,
) -> Result<Option<(Timestamp, usize)>, QueryError> {
    let mut fields = Fields { bytes: rest.as_bytes(), at: 0 };
    let Some(values) = read_fields(&mut fields) else { return Ok(None) };
    let mut length = fields.at;
    let mut nanoseconds = 0;
    if fields.mark(b":").is_some()
        && let Some(number) = fields.number()
    {
        nanoseconds = number;
        length = fields.at;
    }
    let out_of_range = || bad("a field of the date is out of range", position);
    if values.iter().chain([&nanoseconds]).any(|&value| value > FIELD_MAX) {
        return Err(out_of_range());
    }
    if values[0] < YEAR_MIN {
        return Err(QueryError::DateTooEarly { min_year: YEAR_MIN, position });
    }
    let timestamp = timestamp(values, nanoseconds).ok_or_else(out_of_range)?;
    Ok(Some((timestamp, length)))
}

fn read_fields(fields: &mut Fields<'_>) -> Option<[i64; 6]> {
    let year = fields.number()?;
    fields.mark(b"-")?;
    let month = fields.number()?;
    fields.mark(b"-")?;
    let day = fields.number()?;
    fields.mark(b"@T")?;
    let hour = fields.number()?;
    fields.mark(b":")?;
    let minute = fields.number()?;
    fields.mark(b":")?;
    Some([year, month, day, hour, minute, fields.number()?])
}

/// Before 1970 the nanoseconds lead away from the second, as the engine has it.
fn timestamp(fields: [i64; 6], nanoseconds: i64) -> Option<Timestamp> {
    let [year, month, day, hour, minute, second] = fields;
    let months = (month - 1) + year * 12;
    let days = days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1) + (day - 1);
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    let nanoseconds = i32::try_from(nanoseconds).ok()?;
    Timestamp::new(seconds, if seconds < 0 { -nanoseconds } else { nanoseconds })
}

/// Days from 1970-01-01 to the first day of a month of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(text: &str) -> (i64, i32) {
        let (timestamp, length) = scan_readable(text, 0).unwrap().unwrap();
        assert_eq!(length, text.len());
        (timestamp.seconds(), timestamp.nanoseconds())
    }

    #[test]
    fn readable_dates_are_utc_and_roll_over() {
        assert_eq!(readable("1970-01-01@00:00:00"), (0, 0));
        assert_eq!(readable("2001-9-9T1:46:40:123456789"), (1_000_000_000, 123_456_789));
        assert_eq!(readable("2020-02-30@00:00:00"), readable("2020-03-01@00:00:00"));
        assert_eq!(readable("2019-13-01@00:00:00"), readable("2020-01-01@00:00:00"));
        assert_eq!(readable("2000-03-01@00:00:00").0 - readable("2000-02-29@00:00:00").0, 86_400);
        assert_eq!(readable("1900-01-01@00:00:00").0, -2_208_988_800);
        assert_eq!(readable("9999-12-31@23:59:59").0, 253_402_300_799);
        assert_eq!(readable("1969-12-31@23:59:59:500000000"), (-1, -500_000_000));
    }

    #[test]
    fn what_is_no_date_is_left_to_other_rules() {
        for text in ["2020", "2020-1", "2020-1-1", "2020-1-1@", "2020-1-1 10:00:00", "-1-1-1@1:1:1"]
        {
            assert_eq!(scan_readable(text, 0), Ok(None), "{text}");
        }
        assert!(scan_readable("1899-12-31@23:59:59", 3).is_err());
        assert!(scan_readable("2020-1-1@1:1:1:9999999999", 3).is_err());
        assert!(scan_readable("99999999999-1-1@1:1:1", 3).is_err());
    }
}
