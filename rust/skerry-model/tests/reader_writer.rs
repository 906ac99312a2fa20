//! The cursor-style reader and writer, as messages use them, and values outside changesets.

use skerry_model::codec::Datum;
use skerry_model::{
    DecodeError, ObjectKey, Reader, Value, Writer, decode_key, decode_value, encode_key,
    encode_value,
};

#[test]
fn what_is_written_is_read_in_turn() {
    let mut writer = Writer::new();
    writer.write_array_header(12);
    writer.write_u64(u64::MAX);
    writer.write_i64(i64::MIN);
    writer.write_bool(true);
    writer.write_nil();
    writer.write_str("text");
    writer.write_bin(&[1, 2]);
    writer.write_map_header(1);
    writer.write_str("k");
    writer.write_f64(0.5);
    writer.write_ext(99, b"abc");
    writer.write_nil();
    writer.write_value(&Value::Float(0.5));
    writer.write_key(&ObjectKey::Int(-1));
    writer.write_u64(7);
    let bytes = writer.into_bytes();

    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.read_array_header(), Ok(12));
    assert_eq!(reader.read_u64(), Ok(u64::MAX));
    assert_eq!(reader.read_i64(), Ok(i64::MIN));
    assert_eq!(reader.read_bool(), Ok(true));
    assert_eq!(reader.read_nil(), Ok(()));
    assert_eq!(reader.read_str(), Ok("text"));
    assert_eq!(reader.read_bin(), Ok(&[1, 2][..]));
    assert_eq!(reader.read_map_header(), Ok(1));
    assert_eq!((reader.read_str(), reader.read_f64()), (Ok("k"), Ok(0.5)));
    assert_eq!(reader.read_ext(), Ok((99, &b"abc"[..])));
    assert!(reader.take_nil() && !reader.take_nil());
    assert_eq!(reader.read_value(), Ok(Value::Float(0.5)));
    assert_eq!(reader.read_key(), Ok(ObjectKey::Int(-1)));
    assert_eq!((reader.remaining(), reader.offset()), (1, bytes.len() - 1));
    assert_eq!(reader.read_datum(), Ok(Datum::Int(7)));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    let bytes = [0x01, 0xa1, b'x'];
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.read_u64(), Ok(1));
    let expected = "an unsigned integer";
    let error = DecodeError::UnexpectedType { offset: 1, expected, marker: 0xa1 };
    assert_eq!(reader.read_u64(), Err(error));
}

#[test]
fn integers_outside_the_asked_range_are_refused() {
    let (negative, big) = ([0xff], [0xce, 0xff, 0xff, 0xff, 0xff]);
    let refused = Reader::new(&negative).read_u64();
    assert!(matches!(refused, Err(DecodeError::OutOfRange { value: -1, .. })));
    assert_eq!(Reader::new(&big).read_u32(), Ok(u32::MAX));
    let larger = [0xcf, 0, 0, 0, 1, 0, 0, 0, 0];
    let refused = Reader::new(&larger).read_u32();
    assert!(matches!(refused, Err(DecodeError::OutOfRange { value: 0x1_0000_0000, .. })));
    let largest = [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let refused = Reader::new(&largest).read_i64();
    assert!(matches!(refused, Err(DecodeError::OutOfRange { .. })));
}

#[test]
fn lengths_are_checked_before_anybody_trusts_them() {
    let array = [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0];
    let refused = Reader::new(&array).read_array_header();
    let error = DecodeError::Truncated { offset: 5, needed_bytes: 0xffff_ffff, remaining_bytes: 1 };
    assert_eq!(refused, Err(error));
    // A map of one pair is two values.
    assert!(Reader::new(&[0x81, 0xc0]).read_map_header().is_err());
    assert_eq!(Reader::new(&[0x81, 0xc0, 0xc0]).read_map_header(), Ok(1));
}

#[test]
fn every_length_of_text_and_bytes_comes_back() {
    for length in [0, 31, 32, 255, 256, 65_535, 65_536, 100_000] {
        let text = Value::string("x".repeat(length));
        assert_eq!(decode_value(&encode_value(&text)), Ok(text));
        let binary = Value::binary(vec![7; length]);
        assert_eq!(decode_value(&encode_value(&binary)), Ok(binary));
    }
}

#[test]
fn links_and_string_keys_stand_by_themselves() {
    let key = ObjectKey::String("ann".into());
    assert_eq!(encode_key(&key), b"\xa3ann");
    assert_eq!(decode_key(b"\xa3ann"), Ok(key.clone()));
    let link = Value::link("Person", key);
    let bytes = encode_value(&link);
    assert_eq!(bytes, b"\xc7\x0b\x05\xa6Person\xa3ann");
    assert_eq!(decode_value(&bytes), Ok(link));
    // Errors inside point at the byte in the whole.
    let refused = decode_value(b"\xc7\x0b\x05\xa6Person\xa3an\xff");
    assert_eq!(refused, Err(DecodeError::BadUtf8 { offset: 13 }));
}

#[test]
fn something_after_the_value_is_refused() {
    let error = DecodeError::TrailingBytes { offset: 1, count_bytes: 1 };
    assert_eq!(decode_value(b"\xc0\xc0"), Err(error.clone()));
    assert_eq!(decode_key(b"\xc0\xc0"), Err(error));
}
