//! What holds for a decoder and any bytes, called by property tests and by fuzz targets alike.

use skerry_model::{
    decode_changeset, decode_key, decode_value, encode_changeset, encode_key, encode_value, unpack,
};

/// Largest content that [`check_packed`] lets come out, in bytes.
pub const UNPACKED_MAX_BYTES: usize = 1 << 20;

/// Decoding ends, and what decodes encodes to the very same bytes.
///
/// # Panics
/// When it does not.
pub fn check_changeset(bytes: &[u8]) {
    if let Ok(changeset) = decode_changeset(bytes) {
        let again = encode_changeset(&changeset).expect("what was decoded is well-formed");
        assert_eq!(again, bytes, "a changeset has one encoding");
    }
}

/// The same for single values and keys.
///
/// # Panics
/// When it does not hold.
pub fn check_value(bytes: &[u8]) {
    if let Ok(value) = decode_value(bytes) {
        assert_eq!(encode_value(&value), bytes, "a value has one encoding");
    }
    if let Ok(key) = decode_key(bytes) {
        assert_eq!(encode_key(&key), bytes, "a key has one encoding");
    }
}

/// Unpacking ends, within its bound.
///
/// # Panics
/// When it does not.
pub fn check_packed(bytes: &[u8]) {
    if let Ok(content) = unpack(bytes, UNPACKED_MAX_BYTES) {
        assert!(content.len() <= UNPACKED_MAX_BYTES, "the bound holds");
    }
}
