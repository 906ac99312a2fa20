//! Identity of values, and the parts of timestamps and ids.

use skerry_model::{ObjectId, ObjectKey, Timestamp, Uuid, Value};

#[test]
fn timestamps_have_parts_of_one_sign() {
    for (seconds, nanoseconds, is_good) in [
        (0, 0, true),
        (0, -1, true),
        (1, 999_999_999, true),
        (-1, -999_999_999, true),
        (1, 1_000_000_000, false),
        (-1, 1, false),
        (1, -1, false),
        (-1, i32::MIN, false),
        (i64::MIN, -1, true),
    ] {
        assert_eq!(Timestamp::new(seconds, nanoseconds).is_some(), is_good);
    }
    let before = Timestamp::from_unix_ms(-1500);
    assert_eq!((before.seconds(), before.nanoseconds()), (-1, -500_000_000));
}

#[test]
fn timestamps_are_in_order_of_time() {
    let times = [(-2, -1), (-2, 0), (-1, -5), (-1, 0), (0, -1), (0, 0), (0, 1), (1, 0), (1, 5)];
    let times = times.map(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds));
    assert!(times.iter().all(Option::is_some) && times.is_sorted());
}

#[test]
fn values_are_equal_when_their_representations_are() {
    let decimal = |text: &str| Value::Decimal(text.parse().expect("a decimal"));
    assert_eq!(Value::Double(f64::NAN), Value::Double(f64::NAN));
    assert_ne!(Value::Double(0.0), Value::Double(-0.0));
    assert_ne!(Value::Double(0.5), Value::Float(0.5));
    assert_ne!(Value::Int(0), Value::Double(0.0));
    assert_ne!(decimal("1.0"), decimal("1.00"));
    assert_ne!(Value::string("a"), Value::binary(*b"a"));
}

#[test]
fn ids_come_back_from_text() {
    let text = "0123456789abcdef01234567";
    let oid = ObjectId::parse(&text.to_uppercase()).expect("24 digits");
    assert_eq!(oid.to_string(), text);
    assert_eq!(ObjectId::parse(&text[1..]), None);
    assert_eq!(ObjectId::parse(&text.replace('0', "g")), None);
    let text = "00112233-4455-6677-8899-aabbccddeeff";
    let uuid = Uuid::parse(&text.to_uppercase()).expect("a UUID");
    assert_eq!(uuid.to_string(), text);
    for bad in [&text[1..], &text.replace('-', ""), "00112233-4455-6677-8899-aabbccddee-f"] {
        assert_eq!(Uuid::parse(bad), None);
    }
}

#[test]
fn keys_are_values_of_their_types_only() {
    let keys = [ObjectKey::Null, ObjectKey::Int(1), ObjectKey::String("a".into())];
    for key in keys {
        assert_eq!(ObjectKey::from_value(&Value::from(key.clone())), Some(key));
    }
    assert_eq!(ObjectKey::from_value(&Value::Bool(true)), None);
    assert_eq!(ObjectKey::from_value(&Value::Double(1.0)), None);
}
