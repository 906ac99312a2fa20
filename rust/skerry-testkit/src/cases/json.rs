//! Relaxed Extended JSON v2, as the programs use it.

use serde_json::{Value as Json, json};
use skerry_model::{ObjectId, PropertyType, Timestamp, Uuid, Value};

const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn items(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

pub(super) fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

/// A value that is not a link. A number with a fraction part is a double.
pub(super) fn value(json: &Json, ty: PropertyType) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::String(text) => Value::string(text.as_str()),
        Json::Number(number) if ty == PropertyType::Double => {
            Value::Double(number.as_f64().unwrap())
        }
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Double(number.as_f64().unwrap()),
        },
        Json::Object(object) => {
            let (kind, inner) = object.iter().next().unwrap();
            tagged(kind, inner)
        }
        Json::Array(_) => panic!("an array is no scalar"),
    }
}

fn tagged(kind: &str, inner: &Json) -> Value {
    match kind {
        "$oid" => Value::ObjectId(ObjectId::parse(text(inner)).unwrap()),
        "$uuid" => Value::Uuid(Uuid::parse(text(inner)).unwrap()),
        "$numberDecimal" => Value::Decimal(text(inner).parse().unwrap()),
        "$numberLong" => Value::Int(text(inner).parse().unwrap()),
        "$numberDouble" => Value::Double(text(inner).parse().unwrap()),
        "$binary" => Value::binary(base64(text(&inner["base64"]))),
        "$date" => Value::Timestamp(Timestamp::from_unix_ms(match inner.get("$numberLong") {
            Some(ms) => text(ms).parse().unwrap(),
            None => unix_ms(text(inner)),
        })),
        other => panic!("value of kind {other}"),
    }
}

/// The inverse of [`value`], links included.
pub(super) fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(int) => json!(int),
        Value::Bool(bool) => json!(bool),
        Value::String(text) => json!(&**text),
        Value::Double(double) if double.is_finite() => json!(double),
        Value::Double(double) => json!({"$numberDouble": double.to_string()}),
        Value::Float(float) => json!(f64::from(*float)),
        Value::Decimal(decimal) => json!({"$numberDecimal": decimal.to_string()}),
        Value::Timestamp(timestamp) => {
            let ms = timestamp.seconds() * 1000 + i64::from(timestamp.nanoseconds() / 1_000_000);
            json!({"$date": {"$numberLong": ms.to_string()}})
        }
        Value::ObjectId(oid) => json!({"$oid": oid.to_string()}),
        Value::Uuid(uuid) => json!({"$uuid": uuid.to_string()}),
        Value::Binary(bytes) => {
            json!({"$binary": {"base64": to_base64(bytes), "subType": "00"}})
        }
        Value::Link(link) => {
            json!({"$ref": link.class.as_str(), "$id": value_to_json(&link.key.clone().into())})
        }
    }
}

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for digit in 0..4 {
            let six = usize::try_from(bits >> (18 - 6 * digit) & 0x3f).unwrap();
            text.push(if digit <= three.len() { char::from(DIGITS[six]) } else { '=' });
        }
    }
    text
}

fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().filter(|&byte| byte != b'=') {
        let six = DIGITS.iter().position(|&known| known == digit).unwrap();
        bits = bits << 6 | u32::try_from(six).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Milliseconds since 1970 of a text like `2013-01-01T00:00:00.25Z`.
fn unix_ms(text: &str) -> i64 {
    let (date, time) = text.strip_suffix('Z').unwrap().split_once('T').unwrap();
    let numbers = |text: &str, separator| -> Vec<i64> {
        text.split(separator).map(|part| part.parse().unwrap()).collect()
    };
    let date = numbers(date, '-');
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock = numbers(clock, ':');
    let ms: i64 = format!("{fraction:0<3}")[..3].parse().unwrap();
    let seconds = clock[0] * 3600 + clock[1] * 60 + clock[2];
    (days(date[0], date[1], date[2]) * 86_400 + seconds) * 1000 + ms
}

/// Days since 1970-01-01 in the Gregorian calendar, counting years from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let from_march = ((month + 9) % 12 * 153 + 2) / 5;
    year * 365 + leap_days + from_march + day - 719_469
}

#[test]
fn dates_are_counted_from_1970() {
    assert_eq!(unix_ms("1970-01-01T00:00:00Z"), 0);
    assert_eq!(unix_ms("2000-02-29T12:00:00.5Z"), 951_825_600_500);
    assert_eq!(unix_ms("1969-12-31T23:59:59.999Z"), -1);
}
