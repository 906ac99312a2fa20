//! Repeated entries in tables of strings of any size.

use skerry_model::{DecodeError, Writer, decode_changeset};

/// A table of `count` different strings whose last one repeats the one at `repeated`.
fn table(count: usize, repeated: usize) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.write_array_header(3);
    writer.write_u64(1);
    writer.write_array_header(count + 1);
    for index in (0..count).chain([repeated]) {
        writer.write_str(&format!("name {}", index * 7919 % count));
    }
    writer.write_nil();
    writer.into_bytes()
}

#[test]
fn the_later_entry_is_named() {
    for count in [1, 2, 15, 16, 17, 1000] {
        for repeated in [0, count / 2, count - 1] {
            let error = DecodeError::DuplicateString { index: count };
            assert_eq!(decode_changeset(&table(count, repeated)), Err(error));
        }
    }
}
