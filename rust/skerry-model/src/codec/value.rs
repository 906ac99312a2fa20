//! Values and keys by themselves, and the parts of them that do not depend on where they stand.
//!
//! Inside a changeset names are indices of its table; here they are written out.

use super::reader::{Datum, Reader};
use super::writer::Writer;
use super::{DecodeError, ext};
use crate::{Decimal128, Link, Name, ObjectId, ObjectKey, Timestamp, Uuid, Value};

/// Encodes one value.
pub fn encode_value(value: &Value) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.write_value(value);
    writer.into_bytes()
}

/// Decodes one value, and nothing more.
pub fn decode_value(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = reader.read_value()?;
    reader.finish()?;
    Ok(value)
}

/// Encodes one key.
pub fn encode_key(key: &ObjectKey) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.write_key(key);
    writer.into_bytes()
}

/// Decodes one key, and nothing more.
pub fn decode_key(bytes: &[u8]) -> Result<ObjectKey, DecodeError> {
    let mut reader = Reader::new(bytes);
    let key = reader.read_key()?;
    reader.finish()?;
    Ok(key)
}

impl Writer {
    /// Writes a value; names in links are written out.
    pub fn write_value(&mut self, value: &Value) {
        match value {
            Value::Null => self.write_nil(),
            Value::Int(int) => self.write_i64(*int),
            Value::Bool(bool) => self.write_bool(*bool),
            Value::String(text) => self.write_str(text),
            Value::Binary(bytes) => self.write_bin(bytes),
            Value::Timestamp(timestamp) => self.write_timestamp(*timestamp),
            Value::Float(float) => self.write_f32(*float),
            Value::Double(double) => self.write_f64(*double),
            Value::Decimal(decimal) => self.write_ext(ext::DECIMAL, &decimal.to_bytes()),
            Value::Link(link) => {
                let mut content = Self::new();
                content.write_str(&link.class);
                content.write_key(&link.key);
                self.write_ext(ext::LINK, content.as_bytes());
            }
            Value::ObjectId(oid) => self.write_ext(ext::OBJECT_ID, &oid.0),
            Value::Uuid(uuid) => self.write_ext(ext::UUID, &uuid.0),
        }
    }

    /// Writes a key; a string is written out.
    pub fn write_key(&mut self, key: &ObjectKey) {
        match key {
            ObjectKey::Null => self.write_nil(),
            ObjectKey::Int(int) => self.write_i64(*int),
            ObjectKey::String(text) => self.write_str(text),
            ObjectKey::GlobalKey { hi, lo } => {
                let halves = u128::from(*hi) << 64 | u128::from(*lo);
                self.write_ext(ext::GLOBAL_KEY, &halves.to_be_bytes());
            }
            ObjectKey::ObjectId(oid) => self.write_ext(ext::OBJECT_ID, &oid.0),
            ObjectKey::Uuid(uuid) => self.write_ext(ext::UUID, &uuid.0),
        }
    }

    fn write_timestamp(&mut self, timestamp: Timestamp) {
        let (seconds, nanoseconds) = (timestamp.seconds(), timestamp.nanoseconds());
        let mut content = [0; 12];
        content[8..].copy_from_slice(&nanoseconds.to_be_bytes());
        let used = match (i32::try_from(seconds), nanoseconds) {
            (Ok(seconds), 0) => {
                content[..4].copy_from_slice(&seconds.to_be_bytes());
                &content[..4]
            }
            (Ok(seconds), _) => {
                content[4..8].copy_from_slice(&seconds.to_be_bytes());
                &content[4..]
            }
            (Err(_), _) => {
                content[..8].copy_from_slice(&seconds.to_be_bytes());
                &content
            }
        };
        self.write_ext(ext::TIMESTAMP, used);
    }
}

impl Reader<'_> {
    /// Reads a value in which names are written out.
    pub fn read_value(&mut self) -> Result<Value, DecodeError> {
        let offset = self.offset();
        match self.read_datum()? {
            Datum::Ext(ext::LINK, content) => {
                let mut inner = self.nested(content);
                let class = Name::from(inner.read_str()?);
                let key = inner.read_key()?;
                inner.finish()?;
                Ok(Value::Link(Box::new(Link { class, key })))
            }
            datum => self.scalar(datum, offset),
        }
    }

    /// Reads a key whose string, if it is one, is written out.
    pub fn read_key(&mut self) -> Result<ObjectKey, DecodeError> {
        let offset = self.offset();
        match self.read_datum()? {
            Datum::Str(text) => Ok(ObjectKey::String(text.into())),
            datum => self.fixed_key(datum, offset),
        }
    }

    /// Takes a value if it is of a common form and sound; leaves any other where it is.
    ///
    /// This is only quicker. What it does not take, be it rare or wrong, [`Self::read_datum`] reads
    /// or refuses, and what it takes, that would read as the same.
    #[inline]
    pub(super) fn take_common_value(&mut self) -> Option<Value> {
        let (&marker, rest) = self.rest().split_first()?;
        let (value, length) = match marker {
            0x00..=0x7f => (Value::Int(marker.into()), 0),
            0xe0..=0xff => (Value::Int(marker.cast_signed().into()), 0),
            0xa0..=0xbf => return self.take_short_str().map(Value::string),
            0xc0 => (Value::Null, 0),
            0xc2 | 0xc3 => (Value::Bool(marker == 0xc3), 0),
            0xcb => (Value::Double(f64::from_be_bytes(*rest.first_chunk()?)), 8),
            0xd6 | 0xd7 => {
                let length = if marker == 0xd6 { 4 } else { 8 };
                let (&ext_type, content) = rest.get(..=length)?.split_first()?;
                if ext_type.cast_signed() != ext::TIMESTAMP {
                    return None;
                }
                (Value::Timestamp(timestamp(content, 0).ok()?), 1 + length)
            }
            _ => return None,
        };
        self.skip(1 + length);
        Some(value)
    }

    /// Takes an object id or a small integer, as [`Self::take_common_value`] does.
    #[inline]
    pub(super) fn take_common_key(&mut self) -> Option<ObjectKey> {
        const OBJECT_ID: u8 = ext::OBJECT_ID.cast_unsigned();
        match self.rest() {
            &[int @ 0..=0x7f, ..] => {
                self.skip(1);
                Some(ObjectKey::Int(int.into()))
            }
            [0xc7, 12, OBJECT_ID, content @ ..] => {
                let oid = ObjectId(*content.first_chunk()?);
                self.skip(15);
                Some(ObjectKey::ObjectId(oid))
            }
            _ => None,
        }
    }

    /// The value that was read at `offset`, links excepted.
    #[inline]
    pub(super) fn scalar(&self, datum: Datum<'_>, offset: usize) -> Result<Value, DecodeError> {
        Ok(match datum {
            Datum::Nil => Value::Null,
            Datum::Int(int) => Value::Int(int),
            Datum::Bool(bool) => Value::Bool(bool),
            Datum::Str(text) => Value::String(text.into()),
            Datum::Bin(bytes) => Value::Binary(bytes.into()),
            Datum::Float(float) => Value::Float(float),
            Datum::Double(double) => Value::Double(double),
            Datum::Ext(ext::TIMESTAMP, content) => Value::Timestamp(timestamp(content, offset)?),
            Datum::Ext(ext::DECIMAL, content) => {
                let bytes = sized(ext::DECIMAL, content, offset)?;
                let decimal = Decimal128::from_bytes(bytes)
                    .map_err(|error| DecodeError::BadDecimal { offset, error })?;
                Value::Decimal(decimal)
            }
            Datum::Ext(ext::OBJECT_ID, content) => {
                Value::ObjectId(ObjectId(sized(ext::OBJECT_ID, content, offset)?))
            }
            Datum::Ext(ext::UUID, content) => Value::Uuid(Uuid(sized(ext::UUID, content, offset)?)),
            Datum::Ext(ext_type, content) => return Err(bad_extension(ext_type, content, offset)),
            Datum::BigInt(int) => {
                let what = "64-bit integer";
                return Err(DecodeError::OutOfRange { offset, what, value: int.into() });
            }
            Datum::Array(_) | Datum::Map(_) => return Err(self.unexpected(offset, "a value")),
        })
    }

    /// The key that was read at `offset`, strings excepted.
    #[inline]
    pub(super) fn fixed_key(
        &self,
        datum: Datum<'_>,
        offset: usize,
    ) -> Result<ObjectKey, DecodeError> {
        match datum {
            Datum::Nil => Ok(ObjectKey::Null),
            Datum::Int(int) => Ok(ObjectKey::Int(int)),
            Datum::Ext(ext::OBJECT_ID, content) => {
                Ok(ObjectKey::ObjectId(ObjectId(sized(ext::OBJECT_ID, content, offset)?)))
            }
            Datum::Ext(ext::UUID, content) => {
                Ok(ObjectKey::Uuid(Uuid(sized(ext::UUID, content, offset)?)))
            }
            Datum::Ext(ext::GLOBAL_KEY, content) => {
                let halves: [u8; 16] = sized(ext::GLOBAL_KEY, content, offset)?;
                let (hi, lo) = halves.split_at(8);
                let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("8 of 16"));
                Ok(ObjectKey::GlobalKey { hi: half(hi), lo: half(lo) })
            }
            Datum::Ext(ext_type, content) => Err(bad_extension(ext_type, content, offset)),
            Datum::BigInt(int) => {
                let what = "64-bit integer";
                Err(DecodeError::OutOfRange { offset, what, value: int.into() })
            }
            Datum::Bool(_)
            | Datum::Float(_)
            | Datum::Double(_)
            | Datum::Str(_)
            | Datum::Bin(_)
            | Datum::Array(_)
            | Datum::Map(_) => Err(self.unexpected(offset, "a key")),
        }
    }
}

pub(super) fn bad_extension(ext_type: i8, content: &[u8], offset: usize) -> DecodeError {
    DecodeError::BadExtension { offset, ext_type, length_bytes: content.len() }
}

fn sized<const N: usize>(
    ext_type: i8,
    content: &[u8],
    offset: usize,
) -> Result<[u8; N], DecodeError> {
    content.try_into().map_err(|_| bad_extension(ext_type, content, offset))
}

fn timestamp(content: &[u8], offset: usize) -> Result<Timestamp, DecodeError> {
    let int32 = |bytes: &[u8]| i32::from_be_bytes(bytes.try_into().expect("4 bytes"));
    let (seconds, nanoseconds, is_shortest) = match content.len() {
        4 => (int32(content).into(), 0, true),
        8 => {
            let nanoseconds = int32(&content[4..]);
            (int32(&content[..4]).into(), nanoseconds, nanoseconds != 0)
        }
        12 => {
            let seconds = i64::from_be_bytes(content[..8].try_into().expect("8 bytes"));
            (seconds, int32(&content[8..]), i32::try_from(seconds).is_err())
        }
        _ => return Err(bad_extension(ext::TIMESTAMP, content, offset)),
    };
    if !is_shortest {
        return Err(DecodeError::NotShortest { offset });
    }
    Timestamp::new(seconds, nanoseconds).ok_or(DecodeError::BadTimestamp {
        offset,
        seconds,
        nanoseconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of every marker, with contents of every length around those that matter.
    fn samples() -> impl Iterator<Item = Vec<u8>> {
        let contents = [
            vec![0; 40],
            vec![0xff; 40],
            b"an ascii text that is long enough for all".to_vec(),
            // Timestamps: ext 1, then seconds and nanoseconds.
            [&[0x01, 0, 0, 0, 5, 0, 0, 0, 7][..], &[0; 31]].concat(),
            [&[0x01, 0, 0, 0, 5, 0xff, 0xff, 0xff, 7][..], &[0; 31]].concat(),
            // An object id.
            [&[0x0c, 0x03][..], &[7; 38]].concat(),
        ];
        (0..=u8::MAX).flat_map(move |marker| {
            let contents = contents.clone();
            contents.into_iter().flat_map(move |content| {
                (0..content.len())
                    .map(move |length| [&[marker][..], &content[..length]].concat())
                    .collect::<Vec<_>>()
            })
        })
    }

    #[test]
    fn the_quick_way_reads_values_as_the_long_one_does() {
        let mut taken = 0;
        for bytes in samples() {
            let (mut quick, mut long) = (Reader::new(&bytes), Reader::new(&bytes));
            match quick.take_common_value() {
                Some(value) => {
                    assert_eq!(long.read_value(), Ok(value), "{bytes:02x?}");
                    assert_eq!(quick.offset(), long.offset(), "{bytes:02x?}");
                    taken += 1;
                }
                None => assert_eq!(quick.offset(), 0, "{bytes:02x?}"),
            }
        }
        assert!(taken > 20_000, "only {taken} were taken");
    }

    #[test]
    fn the_quick_way_reads_keys_as_the_long_one_does() {
        let mut taken = 0;
        for bytes in samples() {
            let (mut quick, mut long) = (Reader::new(&bytes), Reader::new(&bytes));
            match quick.take_common_key() {
                Some(key) => {
                    assert_eq!(long.read_key(), Ok(key), "{bytes:02x?}");
                    assert_eq!(quick.offset(), long.offset(), "{bytes:02x?}");
                    taken += 1;
                }
                None => assert_eq!(quick.offset(), 0, "{bytes:02x?}"),
            }
        }
        assert!(taken > 20_000, "only {taken} were taken");
    }
}
