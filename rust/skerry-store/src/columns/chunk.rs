//! The values of one property in the rows of one chunk.
//!
//! Invariant: a chunk never changes; a value that is taken out of it is the one that was put in, bit for
//! bit. Integers take as many bytes as the greatest of them needs, dates no nanoseconds when none has
//! any, text a number each when few differ ([`Text`]).

use skerry_model::{ObjectId, Property, PropertyType, Timestamp, Uuid, Value};

use super::budget::{Budget, Reserved};
use super::mask::Bits;
use super::text::{Text, TextBuilder};
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Bool,
    Float,
    Double,
    Date,
    ObjectId,
    Uuid,
    String,
    Binary,
}

impl Kind {
    /// Of the values of a property, or of the elements of its list.
    pub(super) fn of(property: &Property) -> Option<Self> {
        match property.ty {
            PropertyType::Int => Some(Self::Int),
            PropertyType::Bool => Some(Self::Bool),
            PropertyType::Float => Some(Self::Float),
            PropertyType::Double => Some(Self::Double),
            PropertyType::Timestamp => Some(Self::Date),
            PropertyType::ObjectId => Some(Self::ObjectId),
            PropertyType::Uuid => Some(Self::Uuid),
            PropertyType::String => Some(Self::String),
            PropertyType::Binary => Some(Self::Binary),
            PropertyType::Decimal
            | PropertyType::Link
            | PropertyType::Mixed
            | PropertyType::GlobalKey => None,
        }
    }

    /// Some value that is not null.
    pub(super) fn sample(self) -> Value {
        let ty = match self {
            Self::Int => PropertyType::Int,
            Self::Bool => PropertyType::Bool,
            Self::Float => PropertyType::Float,
            Self::Double => PropertyType::Double,
            Self::Date => PropertyType::Timestamp,
            Self::ObjectId => PropertyType::ObjectId,
            Self::Uuid => PropertyType::Uuid,
            Self::String => PropertyType::String,
            Self::Binary => PropertyType::Binary,
        };
        ty.zero()
    }
}

/// A value on its way into or out of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Datum<'a> {
    Null,
    /// Integers, and booleans as 0 and 1.
    Int(i64),
    Float(f32),
    Double(f64),
    Date(Timestamp),
    ObjectId([u8; 12]),
    Uuid([u8; 16]),
    Bytes(&'a [u8]),
}

/// A value as SORT and DISTINCT see it: equal and ordered as `compare::order` has it among the values
/// of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key<'a> {
    Null,
    Number(i128),
    Bytes(&'a [u8]),
}

/// Integers of one width.
#[derive(Debug)]
pub(super) enum Ints {
    I8(Box<[i8]>),
    I16(Box<[i16]>),
    I32(Box<[i32]>),
    I64(Box<[i64]>),
}

#[derive(Debug)]
pub(super) enum Data {
    Ints(Ints),
    Floats(Box<[f32]>),
    Doubles(Box<[f64]>),
    Dates {
        seconds: Ints,
        nanoseconds: Option<Box<[i32]>>,
    },
    ObjectIds(Box<[[u8; 12]]>),
    Uuids(Box<[[u8; 16]]>),
    Text(Text),
    /// Where the elements of each row end, and all elements.
    Lists {
        ends: Box<[u32]>,
        elements: Box<Chunk>,
    },
}

/// The values of one property in the rows of one chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) kind: Kind,
    len: usize,
    pub(super) data: Data,
    pub(super) nulls: Option<Bits>,
    /// `None` for what is inside another chunk, which has reserved it.
    reserved: Option<Reserved>,
}

impl Ints {
    fn new(values: &[i64]) -> Self {
        let (least, greatest) =
            values.iter().fold((0, 0), |(a, b), &value| (value.min(a), value.max(b)));
        let fits = |low: i64, high: i64| low <= least && greatest <= high;
        if fits(i64::from(i8::MIN), i64::from(i8::MAX)) {
            Self::I8(narrowed(values))
        } else if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
            Self::I16(narrowed(values))
        } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
            Self::I32(narrowed(values))
        } else {
            Self::I64(values.into())
        }
    }

    pub(super) fn get(&self, at: usize) -> i64 {
        match self {
            Self::I8(values) => values[at].into(),
            Self::I16(values) => values[at].into(),
            Self::I32(values) => values[at].into(),
            Self::I64(values) => values[at],
        }
    }

    /// The same with other values in some places; `None` when one of them needs more bytes.
    fn patched(&self, patches: impl Iterator<Item = (usize, i64)>) -> Option<Self> {
        match self {
            Self::I8(values) => patched(values, patches).map(Self::I8),
            Self::I16(values) => patched(values, patches).map(Self::I16),
            Self::I32(values) => patched(values, patches).map(Self::I32),
            Self::I64(values) => patched(values, patches).map(Self::I64),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::I16(values) => size_of_val(&**values),
            Self::I32(values) => size_of_val(&**values),
            Self::I64(values) => size_of_val(&**values),
        }
    }
}

fn patched<T: Copy + TryFrom<V>, V>(
    values: &[T],
    patches: impl Iterator<Item = (usize, V)>,
) -> Option<Box<[T]>> {
    let mut values = Box::<[T]>::from(values);
    for (at, value) in patches {
        values[at] = T::try_from(value).ok()?;
    }
    Some(values)
}

fn narrowed<T: TryFrom<i64>>(values: &[i64]) -> Box<[T]> {
    let narrow = |&value| T::try_from(value).ok().expect("the width was chosen to hold it");
    values.iter().map(narrow).collect()
}

/// A double so that order is that of SORT: NaN first, both zeros one.
pub(super) fn double_key(double: f64) -> i64 {
    if double.is_nan() {
        return i64::MIN;
    }
    ordered_bits(if double == 0.0 { 0.0 } else { double })
}

/// The bits of a double that is no NaN as an integer of the same order; −0.0 is just below 0.0.
pub(super) fn ordered_bits(double: f64) -> i64 {
    flip(double.to_bits().cast_signed())
}

/// The reverse of [`ordered_bits`].
pub(super) fn from_ordered_bits(bits: i64) -> f64 {
    f64::from_bits(flip(bits).cast_unsigned())
}

fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// More than there are nanoseconds between −10⁹ and 10⁹.
pub(super) const DATE_STEP: i128 = 4_000_000_000;

/// A date as a number of the same order.
pub(super) fn date_key(seconds: i64, nanoseconds: i32) -> i128 {
    i128::from(seconds) * DATE_STEP + i128::from(nanoseconds)
}

impl Chunk {
    /// The value of a row; an empty one for a list.
    pub(super) fn get(&self, at: usize) -> Datum<'_> {
        if self.is_null(at) {
            return Datum::Null;
        }
        match &self.data {
            Data::Ints(ints) => Datum::Int(ints.get(at)),
            Data::Floats(floats) => Datum::Float(floats[at]),
            Data::Doubles(doubles) => Datum::Double(doubles[at]),
            Data::Dates { seconds, nanoseconds } => {
                let nanoseconds = nanoseconds.as_ref().map_or(0, |nanoseconds| nanoseconds[at]);
                let date = Timestamp::new(seconds.get(at), nanoseconds);
                Datum::Date(date.expect("it was a date when it was put in"))
            }
            Data::ObjectIds(ids) => Datum::ObjectId(ids[at]),
            Data::Uuids(uuids) => Datum::Uuid(uuids[at]),
            Data::Text(text) => Datum::Bytes(text.get(at)),
            Data::Lists { .. } => Datum::Null,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_null(&self, at: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.get(at))
    }

    /// The value of a row as the rest of the program has it.
    pub(super) fn value(&self, at: usize) -> Value {
        match self.get(at) {
            Datum::Null => Value::Null,
            Datum::Int(int) if self.kind == Kind::Bool => Value::Bool(int != 0),
            Datum::Int(int) => Value::Int(int),
            Datum::Float(float) => Value::Float(float),
            Datum::Double(double) => Value::Double(double),
            Datum::Date(date) => Value::Timestamp(date),
            Datum::ObjectId(id) => Value::ObjectId(ObjectId(id)),
            Datum::Uuid(uuid) => Value::Uuid(Uuid(uuid)),
            Datum::Bytes(bytes) if self.kind == Kind::Binary => Value::binary(bytes),
            Datum::Bytes(bytes) => {
                Value::string(std::str::from_utf8(bytes).expect("it was text when it was put in"))
            }
        }
    }

    /// The value of a row as SORT and DISTINCT see it.
    pub(super) fn key(&self, at: usize) -> Key<'_> {
        match self.get(at) {
            Datum::Null => Key::Null,
            Datum::Int(int) => Key::Number(int.into()),
            Datum::Float(float) => Key::Number(double_key(f64::from(float)).into()),
            Datum::Double(double) => Key::Number(double_key(double).into()),
            Datum::Date(date) => Key::Number(date_key(date.seconds(), date.nanoseconds())),
            Datum::Bytes(bytes) => Key::Bytes(bytes),
            Datum::ObjectId(_) => match &self.data {
                Data::ObjectIds(ids) => Key::Bytes(&ids[at]),
                _ => Key::Null,
            },
            Datum::Uuid(_) => match &self.data {
                Data::Uuids(uuids) => Key::Bytes(&uuids[at]),
                _ => Key::Null,
            },
        }
    }

    /// The elements of a row's list, by their numbers in the chunk of elements.
    pub(super) fn elements(&self, at: usize) -> (&Self, std::ops::Range<usize>) {
        match &self.data {
            Data::Lists { ends, elements } => (elements, list_range(ends, at)),
            _ => (self, 0..0),
        }
    }

    /// Whether a row has the same value, bit for bit, as a row of another chunk.
    pub(super) fn is_same(&self, at: usize, other: &Self, other_at: usize) -> bool {
        if let (Data::Lists { .. }, Data::Lists { .. }) = (&self.data, &other.data) {
            let (left, here) = self.elements(at);
            let (right, there) = other.elements(other_at);
            return self.is_null(at) == other.is_null(other_at)
                && here.len() == there.len()
                && here.zip(there).all(|(a, b)| left.is_same(a, right, b));
        }
        match (self.get(at), other.get(other_at)) {
            (Datum::Float(a), Datum::Float(b)) => a.to_bits() == b.to_bits(),
            (Datum::Double(a), Datum::Double(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }

    /// The same with the values of other rows in some places (place here, place in `source`), if that
    /// is a copy with a few numbers changed; `None` when the chunk has to be made anew.
    pub(super) fn patched(
        &self,
        places: &[(usize, usize)],
        source: &Self,
        budget: &Arc<Budget>,
    ) -> Option<Result<Self, TooLarge>> {
        if self.nulls.is_some() || source.nulls.is_some() {
            return None;
        }
        let places = places.iter();
        let data = match (&self.data, &source.data) {
            (Data::Ints(ints), Data::Ints(new)) => {
                Data::Ints(ints.patched(places.map(|&(at, from)| (at, new.get(from))))?)
            }
            (Data::Doubles(doubles), Data::Doubles(new)) => {
                Data::Doubles(patched(doubles, places.map(|&(at, from)| (at, new[from])))?)
            }
            (
                Data::Dates { seconds, nanoseconds: None },
                Data::Dates { seconds: new, nanoseconds: None },
            ) => {
                let seconds = seconds.patched(places.map(|&(at, from)| (at, new.get(from))))?;
                Data::Dates { seconds, nanoseconds: None }
            }
            (Data::Text(text), Data::Text(new)) => {
                Data::Text(text.patched(places.map(|&(at, from)| (at, new.get(from))))?)
            }
            _ => return None,
        };
        let chunk = Self { kind: self.kind, len: self.len, data, nulls: None, reserved: None };
        Some(chunk.reserved_from(budget))
    }

    /// With its memory reserved.
    fn reserved_from(mut self, budget: &Arc<Budget>) -> Result<Self, TooLarge> {
        self.reserved = Some(budget.reserve(self.size_bytes()).ok_or(TooLarge)?);
        Ok(self)
    }

    /// Bytes that are reserved for it, without what its index takes.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.reserved.as_ref().map_or(0, Reserved::bytes)
    }

    fn size_bytes(&self) -> usize {
        let data = match &self.data {
            Data::Ints(ints) => ints.size_bytes(),
            Data::Floats(floats) => size_of_val(&**floats),
            Data::Doubles(doubles) => size_of_val(&**doubles),
            Data::Dates { seconds, nanoseconds } => {
                seconds.size_bytes() + nanoseconds.as_ref().map_or(0, |all| size_of_val(&**all))
            }
            Data::ObjectIds(ids) => size_of_val(&**ids),
            Data::Uuids(uuids) => size_of_val(&**uuids),
            Data::Text(text) => text.size_bytes(),
            Data::Lists { ends, elements } => size_of_val(&**ends) + elements.size_bytes(),
        };
        size_of::<Self>() + data + self.nulls.as_ref().map_or(0, Bits::size_bytes)
    }
}

pub(super) fn list_range(ends: &[u32], at: usize) -> std::ops::Range<usize> {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[at] as usize
}

/// A chunk that is being made.
#[derive(Debug)]
pub(super) struct Builder {
    kind: Kind,
    len: usize,
    data: Growing,
    nulls: Vec<u64>,
}

#[derive(Debug)]
enum Growing {
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Dates { seconds: Vec<i64>, nanoseconds: Vec<i32> },
    ObjectIds(Vec<[u8; 12]>),
    Uuids(Vec<[u8; 16]>),
    Text(TextBuilder),
    Lists { ends: Vec<u32>, elements: Box<Builder> },
}

impl Builder {
    /// For single values.
    pub(super) fn new(kind: Kind) -> Self {
        let data = match kind {
            Kind::Int | Kind::Bool => Growing::Ints(Vec::new()),
            Kind::Float => Growing::Floats(Vec::new()),
            Kind::Double => Growing::Doubles(Vec::new()),
            Kind::Date => Growing::Dates { seconds: Vec::new(), nanoseconds: Vec::new() },
            Kind::ObjectId => Growing::ObjectIds(Vec::new()),
            Kind::Uuid => Growing::Uuids(Vec::new()),
            Kind::String | Kind::Binary => Growing::Text(TextBuilder::default()),
        };
        Self { kind, len: 0, data, nulls: Vec::new() }
    }

    /// For lists of such values.
    pub(super) fn lists(kind: Kind) -> Self {
        let elements = Box::new(Self::new(kind));
        let data = Growing::Lists { ends: Vec::new(), elements };
        Self { kind, len: 0, data, nulls: Vec::new() }
    }

    /// For more values like those of a chunk.
    pub(super) fn like(chunk: &Chunk) -> Self {
        match chunk.data {
            Data::Lists { .. } => Self::lists(chunk.kind),
            _ => Self::new(chunk.kind),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that it has for certain.
    pub(super) fn grown_bytes(&self) -> usize {
        match &self.data {
            Growing::Text(text) => text.grown_bytes(),
            Growing::Lists { elements, .. } => elements.len + elements.grown_bytes(),
            Growing::Ints(_)
            | Growing::Floats(_)
            | Growing::Doubles(_)
            | Growing::Dates { .. }
            | Growing::ObjectIds(_)
            | Growing::Uuids(_) => self.len,
        }
    }

    /// Adds a value; one of another kind than the chunk's is none.
    pub(super) fn push(&mut self, datum: Datum<'_>) {
        let is_null = match (&mut self.data, datum) {
            (Growing::Ints(ints), Datum::Int(int)) => push(ints, int),
            (Growing::Floats(floats), Datum::Float(float)) => push(floats, float),
            (Growing::Doubles(doubles), Datum::Double(double)) => push(doubles, double),
            (Growing::Dates { seconds, nanoseconds }, Datum::Date(date)) => {
                push(seconds, date.seconds());
                push(nanoseconds, date.nanoseconds())
            }
            (Growing::ObjectIds(ids), Datum::ObjectId(id)) => push(ids, id),
            (Growing::Uuids(uuids), Datum::Uuid(uuid)) => push(uuids, uuid),
            (Growing::Text(text), Datum::Bytes(bytes)) => {
                text.push(bytes);
                false
            }
            _ => {
                self.push_zero();
                true
            }
        };
        self.end_row(is_null);
    }

    fn push_zero(&mut self) {
        match &mut self.data {
            Growing::Ints(ints) => ints.push(0),
            Growing::Floats(floats) => floats.push(0.0),
            Growing::Doubles(doubles) => doubles.push(0.0),
            Growing::Dates { seconds, nanoseconds } => {
                seconds.push(0);
                nanoseconds.push(0);
            }
            Growing::ObjectIds(ids) => ids.push([0; 12]),
            Growing::Uuids(uuids) => uuids.push([0; 16]),
            Growing::Text(text) => text.push(&[]),
            Growing::Lists { ends, .. } => ends.push(ends.last().copied().unwrap_or(0)),
        }
    }

    /// Adds the elements of a list, which [`Builder::push_element`] has been given.
    pub(super) fn end_list(&mut self) {
        if let Growing::Lists { ends, elements } = &mut self.data {
            ends.push(u32::try_from(elements.len).unwrap_or(u32::MAX));
        }
        self.end_row(false);
    }

    pub(super) fn push_element(&mut self, datum: Datum<'_>) {
        if let Growing::Lists { elements, .. } = &mut self.data {
            elements.push(datum);
        }
    }

    fn end_row(&mut self, is_null: bool) {
        if is_null {
            self.nulls.resize(self.len / 64 + 1, 0);
            self.nulls[self.len / 64] |= 1 << (self.len % 64);
        }
        self.len += 1;
    }

    /// Adds a row of another chunk of the same kind.
    pub(super) fn copy(&mut self, chunk: &Chunk, at: usize) {
        if !matches!(chunk.data, Data::Lists { .. }) || chunk.is_null(at) {
            return self.push(chunk.get(at));
        }
        let (elements, range) = chunk.elements(at);
        for element in range {
            self.push_element(elements.get(element));
        }
        self.end_list();
    }

    /// The chunk, if its memory can be had.
    pub(super) fn finish(self, budget: &Arc<Budget>) -> Result<Chunk, TooLarge> {
        let grown = self.grown_bytes();
        if u32::try_from(grown).is_err() {
            return Err(TooLarge);
        }
        self.build().reserved_from(budget)
    }

    /// The chunk, without asking for its memory: for what is dropped soon.
    pub(super) fn build(self) -> Chunk {
        let data = match self.data {
            Growing::Ints(ints) => Data::Ints(Ints::new(&ints)),
            Growing::Floats(floats) => Data::Floats(floats.into()),
            Growing::Doubles(doubles) => Data::Doubles(doubles.into()),
            Growing::Dates { seconds, nanoseconds } => {
                let has_none = nanoseconds.iter().all(|&nanoseconds| nanoseconds == 0);
                let nanoseconds = (!has_none).then(|| nanoseconds.into());
                Data::Dates { seconds: Ints::new(&seconds), nanoseconds }
            }
            Growing::ObjectIds(ids) => Data::ObjectIds(ids.into()),
            Growing::Uuids(uuids) => Data::Uuids(uuids.into()),
            Growing::Text(text) => Data::Text(text.finish()),
            Growing::Lists { ends, elements } => {
                Data::Lists { ends: ends.into(), elements: Box::new(elements.build()) }
            }
        };
        let nulls = (!self.nulls.is_empty()).then(|| Bits::from_words(self.nulls));
        Chunk { kind: self.kind, len: self.len, data, nulls, reserved: None }
    }
}

/// Memory that could not be had.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLarge;

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    false
}
