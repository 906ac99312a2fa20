//! A bounded cursor over msgpack bytes.
//!
//! The invariant: nothing is read past the end, every number and length is in its shortest form,
//! and a length is checked against the bytes that remain before anybody can take memory for it. It
//! borrows, and allocates nothing.

use rmp::Marker;

use super::DecodeError;

/// Reads msgpack values one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Offset of `bytes[0]` in what the caller was given, so that errors point there.
    base: usize,
}

/// One msgpack value, or the head of an array or map whose elements come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'a> {
    /// Nil.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer up to `i64::MAX`.
    Int(i64),
    /// An integer above `i64::MAX`.
    BigInt(u64),
    /// A 32-bit floating-point number.
    Float(f32),
    /// A 64-bit floating-point number.
    Double(f64),
    /// A text.
    Str(&'a str),
    /// Bytes.
    Bin(&'a [u8]),
    /// Type and content of an extension.
    Ext(i8, &'a [u8]),
    /// Head of an array of so many values.
    Array(usize),
    /// Head of a map of so many pairs.
    Map(usize),
}

type Result<T> = std::result::Result<T, DecodeError>;

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, base: 0 }
    }

    /// A reader of bytes that another reader has returned, and which end at that reader's offset.
    #[must_use]
    pub fn nested(&self, content: &'a [u8]) -> Self {
        Self { bytes: content, position: 0, base: self.offset() - content.len() }
    }

    /// Offset of the next byte.
    #[inline]
    pub fn offset(&self) -> usize {
        self.base + self.position
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Ends the reading: nothing may be left.
    pub fn finish(self) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            count_bytes => Err(DecodeError::TrailingBytes { offset: self.offset(), count_bytes }),
        }
    }

    /// Reads an integer from 0 to `u64::MAX`.
    #[inline]
    pub fn read_u64(&mut self) -> Result<u64> {
        let offset = self.offset();
        if let Some(small) = self.small_uint() {
            return Ok(u64::from(small));
        }
        match self.read_datum_or("an unsigned integer")? {
            Datum::BigInt(int) => Ok(int),
            Datum::Int(int) => u64::try_from(int).map_err(|_| DecodeError::OutOfRange {
                offset,
                what: "unsigned integer",
                value: int.into(),
            }),
            _ => Err(self.unexpected(offset, "an unsigned integer")),
        }
    }

    /// Reads an integer from 0 to `u32::MAX`.
    pub fn read_u32(&mut self) -> Result<u32> {
        let offset = self.offset();
        let int = self.read_u64()?;
        u32::try_from(int).map_err(|_| DecodeError::OutOfRange {
            offset,
            what: "32-bit unsigned integer",
            value: int.into(),
        })
    }

    /// Reads an integer from `i64::MIN` to `i64::MAX`.
    pub fn read_i64(&mut self) -> Result<i64> {
        let offset = self.offset();
        match self.read_datum_or("an integer")? {
            Datum::Int(int) => Ok(int),
            Datum::BigInt(int) => {
                Err(DecodeError::OutOfRange { offset, what: "64-bit integer", value: int.into() })
            }
            _ => Err(self.unexpected(offset, "an integer")),
        }
    }

    /// Reads a boolean.
    pub fn read_bool(&mut self) -> Result<bool> {
        let offset = self.offset();
        match self.read_datum_or("a boolean")? {
            Datum::Bool(bool) => Ok(bool),
            _ => Err(self.unexpected(offset, "a boolean")),
        }
    }

    /// Reads a nil.
    pub fn read_nil(&mut self) -> Result<()> {
        let offset = self.offset();
        match self.read_datum_or("nil")? {
            Datum::Nil => Ok(()),
            _ => Err(self.unexpected(offset, "nil")),
        }
    }

    /// Takes a nil if one is next; says whether it did.
    pub fn take_nil(&mut self) -> bool {
        let is_nil = self.bytes.get(self.position) == Some(&Marker::Null.to_u8());
        self.position += usize::from(is_nil);
        is_nil
    }

    /// Reads a text.
    #[inline]
    pub fn read_str(&mut self) -> Result<&'a str> {
        if let Some(text) = self.take_short_str() {
            return Ok(text);
        }
        let offset = self.offset();
        match self.read_datum_or("a string")? {
            Datum::Str(text) => Ok(text),
            _ => Err(self.unexpected(offset, "a string")),
        }
    }

    /// Reads bytes.
    pub fn read_bin(&mut self) -> Result<&'a [u8]> {
        let offset = self.offset();
        match self.read_datum_or("binary")? {
            Datum::Bin(bytes) => Ok(bytes),
            _ => Err(self.unexpected(offset, "binary")),
        }
    }

    /// Reads a 64-bit floating-point number.
    pub fn read_f64(&mut self) -> Result<f64> {
        let offset = self.offset();
        match self.read_datum_or("a double")? {
            Datum::Double(double) => Ok(double),
            _ => Err(self.unexpected(offset, "a double")),
        }
    }

    /// Reads type and content of an extension.
    pub fn read_ext(&mut self) -> Result<(i8, &'a [u8])> {
        let offset = self.offset();
        match self.read_datum_or("an extension")? {
            Datum::Ext(ext_type, content) => Ok((ext_type, content)),
            _ => Err(self.unexpected(offset, "an extension")),
        }
    }

    /// Reads the head of an array: its number of elements, which is at most [`Self::remaining`].
    #[inline]
    pub fn read_array_header(&mut self) -> Result<usize> {
        let offset = self.offset();
        // The fast way for what most instructions are: fewer than 16 elements.
        if let Some(&marker @ 0x90..=0x9f) = self.bytes.get(self.position) {
            self.position += 1;
            return self.count(usize::from(marker & 0x0f), 1);
        }
        match self.read_datum_or("an array")? {
            Datum::Array(count) => Ok(count),
            _ => Err(self.unexpected(offset, "an array")),
        }
    }

    /// Reads the head of a map: its number of pairs, at most half of [`Self::remaining`].
    pub fn read_map_header(&mut self) -> Result<usize> {
        let offset = self.offset();
        match self.read_datum_or("a map")? {
            Datum::Map(count) => Ok(count),
            _ => Err(self.unexpected(offset, "a map")),
        }
    }

    /// Reads whatever comes next.
    pub fn read_datum(&mut self) -> Result<Datum<'a>> {
        self.read_datum_or("a value")
    }

    /// What comes next, without taking it.
    pub fn peek_datum(&self) -> Result<Datum<'a>> {
        let mut ahead = Self { bytes: self.bytes, position: self.position, base: self.base };
        ahead.read_datum()
    }

    /// The error for a value at `offset` that is not what was expected.
    pub(super) fn unexpected(&self, offset: usize, expected: &'static str) -> DecodeError {
        let marker = offset.checked_sub(self.base).and_then(|at| self.bytes.get(at));
        let marker = *marker.expect("the value at this offset has been read");
        DecodeError::UnexpectedType { offset, expected, marker }
    }

    /// What has not been read yet.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Goes on by so many bytes, which the caller has seen in [`Self::rest`].
    #[inline]
    pub(super) fn skip(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.remaining());
        self.position += bytes;
    }

    /// The fast way for what most integers are: one byte.
    #[inline]
    fn small_uint(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.position).copied().filter(|&byte| byte < 0x80)?;
        self.position += 1;
        Some(byte)
    }

    /// The fast way for what most texts are: sound ones of fewer than 32 bytes.
    #[inline]
    pub(super) fn take_short_str(&mut self) -> Option<&'a str> {
        let (&marker @ 0xa0..=0xbf, rest) = self.rest().split_first()? else { return None };
        let length = usize::from(marker & 0x1f);
        let text = std::str::from_utf8(rest.get(..length)?).ok()?;
        self.skip(1 + length);
        Some(text)
    }

    fn read_datum_or(&mut self, expected: &'static str) -> Result<Datum<'a>> {
        let start = self.offset();
        let [marker] = self.array::<1>()?;
        Ok(match Marker::from_u8(marker) {
            Marker::FixPos(int) => Datum::Int(int.into()),
            Marker::FixNeg(int) => Datum::Int(int.into()),
            Marker::Null => Datum::Nil,
            Marker::False => Datum::Bool(false),
            Marker::True => Datum::Bool(true),
            Marker::F32 => Datum::Float(f32::from_be_bytes(self.array()?)),
            Marker::F64 => Datum::Double(f64::from_be_bytes(self.array()?)),
            Marker::U8 => self.unsigned::<1>(start, 0x80)?,
            Marker::U16 => self.unsigned::<2>(start, 1 << 8)?,
            Marker::U32 => self.unsigned::<4>(start, 1 << 16)?,
            Marker::U64 => self.unsigned::<8>(start, 1 << 32)?,
            Marker::I8 => self.negative::<1>(start, -32)?,
            Marker::I16 => self.negative::<2>(start, i8::MIN.into())?,
            Marker::I32 => self.negative::<4>(start, i16::MIN.into())?,
            Marker::I64 => self.negative::<8>(start, i32::MIN.into())?,
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.length::<1>(start, 32).and_then(|length| self.text(length))?,
            Marker::Str16 => {
                self.length::<2>(start, 1 << 8).and_then(|length| self.text(length))?
            }
            Marker::Str32 => {
                self.length::<4>(start, 1 << 16).and_then(|length| self.text(length))?
            }
            Marker::Bin8 => Datum::Bin(self.sized::<1>(start, 0)?),
            Marker::Bin16 => Datum::Bin(self.sized::<2>(start, 1 << 8)?),
            Marker::Bin32 => Datum::Bin(self.sized::<4>(start, 1 << 16)?),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => match self.length::<1>(start, 0)? {
                1 | 2 | 4 | 8 | 16 => return Err(DecodeError::NotShortest { offset: start }),
                length => self.extension(length)?,
            },
            Marker::Ext16 => self.length::<2>(start, 1 << 8).and_then(|n| self.extension(n))?,
            Marker::Ext32 => self.length::<4>(start, 1 << 16).and_then(|n| self.extension(n))?,
            Marker::FixArray(count) => Datum::Array(self.count(count.into(), 1)?),
            Marker::Array16 => self.elements::<2>(start, 16, 1).map(Datum::Array)?,
            Marker::Array32 => self.elements::<4>(start, 1 << 16, 1).map(Datum::Array)?,
            Marker::FixMap(count) => Datum::Map(self.count(count.into(), 2)?),
            Marker::Map16 => self.elements::<2>(start, 16, 2).map(Datum::Map)?,
            Marker::Map32 => self.elements::<4>(start, 1 << 16, 2).map(Datum::Map)?,
            Marker::Reserved => return Err(self.unexpected(start, expected)),
        })
    }

    #[inline]
    fn slice(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let Some(slice) = rest.get(..length) else {
            return Err(self.truncated(length));
        };
        self.position += length;
        Ok(slice)
    }

    #[cold]
    fn truncated(&self, needed_bytes: usize) -> DecodeError {
        let remaining_bytes = self.remaining();
        DecodeError::Truncated { offset: self.offset(), needed_bytes, remaining_bytes }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some(array) = self.bytes[self.position..].first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.position += N;
        Ok(*array)
    }

    /// Reads `N` big-endian bytes.
    #[inline]
    fn bits<const N: usize>(&mut self) -> Result<u64> {
        Ok(self.array::<N>()?.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte)))
    }

    #[inline]
    fn unsigned<const N: usize>(&mut self, start: usize, at_least: u64) -> Result<Datum<'a>> {
        let int = self.bits::<N>()?;
        if int < at_least {
            return Err(DecodeError::NotShortest { offset: start });
        }
        Ok(i64::try_from(int).map_or(Datum::BigInt(int), Datum::Int))
    }

    /// Reads an integer of a signed format, which shortest forms use for negative ones only.
    #[inline]
    fn negative<const N: usize>(&mut self, start: usize, below: i64) -> Result<Datum<'a>> {
        let unused_bits = 64 - 8 * N;
        let int = (self.bits::<N>()? << unused_bits).cast_signed() >> unused_bits;
        if int >= below {
            return Err(DecodeError::NotShortest { offset: start });
        }
        Ok(Datum::Int(int))
    }

    #[inline]
    fn length<const N: usize>(&mut self, start: usize, at_least: usize) -> Result<usize> {
        // A length that this machine cannot count is longer than what remains.
        let length = usize::try_from(self.bits::<N>()?).unwrap_or(usize::MAX);
        if length < at_least {
            return Err(DecodeError::NotShortest { offset: start });
        }
        Ok(length)
    }

    fn sized<const N: usize>(&mut self, start: usize, at_least: usize) -> Result<&'a [u8]> {
        let length = self.length::<N>(start, at_least)?;
        self.slice(length)
    }

    #[inline]
    fn text(&mut self, length: usize) -> Result<Datum<'a>> {
        let start = self.offset();
        let bytes = self.slice(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Datum::Str(text)),
            Err(error) => Err(DecodeError::BadUtf8 { offset: start + error.valid_up_to() }),
        }
    }

    fn extension(&mut self, length: usize) -> Result<Datum<'a>> {
        let [ext_type] = self.array::<1>()?;
        Ok(Datum::Ext(ext_type.cast_signed(), self.slice(length)?))
    }

    fn elements<const N: usize>(
        &mut self,
        start: usize,
        at_least: usize,
        element_bytes: usize,
    ) -> Result<usize> {
        let count = self.length::<N>(start, at_least)?;
        self.count(count, element_bytes)
    }

    #[inline]
    fn count(&mut self, count: usize, element_bytes: usize) -> Result<usize> {
        let needed_bytes = count.saturating_mul(element_bytes);
        if needed_bytes > self.remaining() {
            return Err(self.truncated(needed_bytes));
        }
        Ok(count)
    }
}
