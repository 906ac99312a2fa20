//! Mixed values as JSON, for columns that have one type only.
//!
//! Invariant: different values have different texts, and a value always the same one: members in the order
//! of their names, no spaces. Null, truth values, text and numbers are themselves (a whole float or double
//! has a fraction, `1.0`), lists and dictionaries arrays and objects; everything else is an object with a
//! member that begins with `$`, which no key of a dictionary does.

use serde_json::{Map, Number, Value as Json, json};
use skerry_model::{Content, ObjectKey, Value};

/// The text of what a mixed property holds.
pub(super) fn text(content: &Content) -> String {
    of(content).to_string()
}

fn of(content: &Content) -> Json {
    match content {
        Content::Value(value) => scalar(value),
        Content::List(elements) => elements.iter().map(of).collect(),
        Content::Set(elements) => elements.iter().map(scalar).collect(),
        Content::Dictionary(fields) | Content::Object(fields) => {
            let members = fields.iter().map(|(name, field)| (name.to_string(), of(field)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn scalar(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(int) => Json::from(*int),
        Value::Float(float) => number("$float", f64::from(*float)),
        Value::Double(double) => number("$double", *double),
        Value::String(text) => Json::from(&**text),
        Value::Binary(bytes) => json!({"$binary": hex(bytes)}),
        Value::Timestamp(date) => {
            json!({"$date": {"seconds": date.seconds(), "nanoseconds": date.nanoseconds()}})
        }
        Value::Decimal(decimal) => json!({"$decimal": decimal.to_string()}),
        Value::ObjectId(id) => json!({"$oid": id.to_string()}),
        Value::Uuid(uuid) => json!({"$uuid": uuid.to_string()}),
        Value::Link(link) => json!({"$link": link.class.as_str(), "$key": of_key(&link.key)}),
    }
}

fn of_key(key: &ObjectKey) -> Json {
    match key {
        ObjectKey::Null | ObjectKey::GlobalKey { .. } => Json::Null,
        ObjectKey::Int(int) => Json::from(*int),
        ObjectKey::String(text) => Json::from(&**text),
        ObjectKey::ObjectId(id) => json!({"$oid": id.to_string()}),
        ObjectKey::Uuid(uuid) => json!({"$uuid": uuid.to_string()}),
    }
}

/// A finite number as itself. JSON has no others.
fn number(name: &str, double: f64) -> Json {
    match Number::from_f64(double) {
        Some(number) => Json::Number(number),
        None if double.is_nan() => json!({name: "NaN"}),
        None if double > 0.0 => json!({name: "Infinity"}),
        None => json!({name: "-Infinity"}),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use skerry_model::{ObjectId, Timestamp};

    use super::*;

    #[test]
    fn every_kind_has_its_text() {
        let date = Timestamp::new(-1, -5).unwrap();
        let cases = [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Double(1.0), "1.0"),
            (Value::Float(0.5), "0.5"),
            (Value::Double(f64::NEG_INFINITY), r#"{"$double":"-Infinity"}"#),
            (Value::Float(f32::NAN), r#"{"$float":"NaN"}"#),
            (Value::string("a\"\u{1}é"), r#""a\"\u0001é""#),
            (Value::binary(&[0u8, 255][..]), r#"{"$binary":"00ff"}"#),
            (Value::Timestamp(date), r#"{"$date":{"nanoseconds":-5,"seconds":-1}}"#),
            (Value::Decimal("1.50".parse().unwrap()), r#"{"$decimal":"1.50"}"#),
            (Value::ObjectId(ObjectId([1; 12])), r#"{"$oid":"010101010101010101010101"}"#),
            (Value::link("C", ObjectKey::Int(3)), r#"{"$key":3,"$link":"C"}"#),
        ];
        for (value, wanted) in cases {
            assert_eq!(text(&Content::Value(value)), wanted);
        }
        let list = Content::List(vec![Content::Value(Value::Int(1)), Content::List(Vec::new())]);
        let fields = [("b".into(), list), ("a".into(), Content::NULL)];
        assert_eq!(text(&Content::Dictionary(fields.into())), r#"{"a":null,"b":[1,[]]}"#);
    }
}
