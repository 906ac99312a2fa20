//! Writes msgpack values in their shortest forms: what [`Reader`](super::Reader) reads.

use rmp::Marker;
use rmp::encode::{self, RmpWrite};

/// Collects msgpack values.
///
/// Lengths and counts are below 2³²; a longer one is a bug of the caller and panics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// Why writing cannot fail.
const INFALLIBLE: &str = "a vector takes all bytes";

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes nil.
    pub fn write_nil(&mut self) {
        self.bytes.push(Marker::Null.to_u8());
    }

    /// Writes a boolean.
    pub fn write_bool(&mut self, bool: bool) {
        self.bytes.push(if bool { Marker::True } else { Marker::False }.to_u8());
    }

    /// Writes an integer.
    #[inline]
    pub fn write_u64(&mut self, int: u64) {
        match u8::try_from(int) {
            Ok(small) if small < 0x80 => self.bytes.push(small),
            _ => {
                encode::write_uint(&mut self.bytes, int).expect(INFALLIBLE);
            }
        }
    }

    /// Writes an integer.
    #[inline]
    pub fn write_i64(&mut self, int: i64) {
        match u64::try_from(int) {
            Ok(int) => self.write_u64(int),
            Err(_) => {
                encode::write_sint(&mut self.bytes, int).expect(INFALLIBLE);
            }
        }
    }

    /// Writes a 32-bit floating-point number, bit by bit.
    pub fn write_f32(&mut self, float: f32) {
        encode::write_f32(&mut self.bytes, float).expect(INFALLIBLE);
    }

    /// Writes a 64-bit floating-point number, bit by bit.
    pub fn write_f64(&mut self, double: f64) {
        encode::write_f64(&mut self.bytes, double).expect(INFALLIBLE);
    }

    /// Writes a text.
    #[inline]
    pub fn write_str(&mut self, text: &str) {
        match u8::try_from(text.len()) {
            Ok(length) if length < 32 => self.bytes.push(Marker::FixStr(length).to_u8()),
            _ => {
                encode::write_str_len(&mut self.bytes, length(text.len())).expect(INFALLIBLE);
            }
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes bytes.
    pub fn write_bin(&mut self, bytes: &[u8]) {
        encode::write_bin(&mut self.bytes, bytes).expect(INFALLIBLE);
    }

    /// Writes an extension.
    pub fn write_ext(&mut self, ext_type: i8, content: &[u8]) {
        encode::write_ext_meta(&mut self.bytes, length(content.len()), ext_type).expect(INFALLIBLE);
        self.bytes.extend_from_slice(content);
    }

    /// Writes the head of an array; its elements come next.
    #[inline]
    pub fn write_array_header(&mut self, count: usize) {
        match u8::try_from(count) {
            Ok(count) if count < 16 => self.bytes.push(Marker::FixArray(count).to_u8()),
            _ => {
                encode::write_array_len(&mut self.bytes, length(count)).expect(INFALLIBLE);
            }
        }
    }

    /// Writes the head of a map; its keys and values come next, in turn.
    pub fn write_map_header(&mut self, count: usize) {
        encode::write_map_len(&mut self.bytes, length(count)).expect(INFALLIBLE);
    }

    /// Writes values that another writer has written.
    pub fn write_encoded(&mut self, bytes: &[u8]) {
        self.bytes.write_bytes(bytes).expect(INFALLIBLE);
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("lengths and counts are below 2^32")
}
