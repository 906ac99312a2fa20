//! One condition on one column, made ready for whole chunks.
//!
//! Invariant: a leaf keeps exactly the rows for which [`Predicate::matches`] holds. What is made ready is
//! asked of `compare` beforehand: how null fares, how NaN fares, and where in the order of the column's
//! values the constant stands. What has no such form is decided row by row by the evaluator.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;
use skerry_model::Value;
use skerry_query::compare::{self, Rule};
use skerry_query::{CompareOp, Operand, Predicate, PropertyRef, ValueSet};

use super::bytes_test::BytesTest;
use super::chunk::{
    Chunk, DATE_STEP, Data, Datum, Ints, Kind, date_key, from_ordered_bits, ordered_bits,
};
use super::mask::{Keep, Mask};

/// A condition on the values of one column.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Number of the property.
    pub(super) number: u32,
    test: Test,
    /// Whether null matches.
    null: bool,
}

#[derive(Debug)]
enum Test {
    /// All that are not null, or none of them.
    Constant(bool),
    Interval(Interval),
    Doubles(DoubleInterval),
    IntSet(FxHashSet<i64>),
    /// Object ids and UUIDs: below, equal and above the constant.
    Fixed(Box<[u8]>, [bool; 3]),
    Bytes(BytesTest),
    /// Lists of which an element passes.
    AnyElement(Element),
}

/// Values from `low` to `high`, both of them too, or all others. Of dates it is [`date_key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    low: i128,
    high: i128,
    inside: bool,
}

#[derive(Clone, Copy, Debug)]
struct DoubleInterval {
    low: f64,
    high: f64,
    inside: bool,
    /// Whether NaN matches.
    nan: bool,
}

#[derive(Debug)]
struct Element {
    test: ElementTest,
    /// Whether null matches.
    null: bool,
}

#[derive(Debug)]
enum ElementTest {
    Int(Interval),
    Bytes(BytesTest),
}

impl Leaf {
    /// A comparison of the column with a constant; `None` when it has to be decided row by row.
    pub(super) fn compare(
        (number, kind): (u32, Kind),
        op: CompareOp,
        constant: &Value,
        (case_insensitive, rule): (bool, Rule),
    ) -> Option<Self> {
        let matches = |value: &Value| {
            if case_insensitive {
                compare::matches_folded(op, value, constant, rule)
            } else {
                compare::matches_as(op, value, constant, rule)
            }
        };
        let null = matches(&Value::Null);
        let test = match (kind, constant) {
            (Kind::Float | Kind::Double, Value::Null) if op != CompareOp::Like => {
                let sample = matches(&kind.sample());
                let nan = matches(&Value::Double(f64::NAN));
                (sample == nan).then_some(Test::Constant(sample))?
            }
            (_, Value::Null) => Test::Constant(matches(&kind.sample())),
            (Kind::Bool, _) => Test::Interval(Interval::of_bools(
                matches(&Value::Bool(false)),
                matches(&Value::Bool(true)),
            )),
            (Kind::String, Value::String(text)) => {
                Test::Bytes(BytesTest::new(op, text.as_bytes(), case_insensitive))
            }
            (Kind::Binary, Value::Binary(bytes)) => {
                Test::Bytes(BytesTest::new(op, bytes, case_insensitive))
            }
            _ if case_insensitive || op.is_string_operator() => return None,
            (Kind::ObjectId, Value::ObjectId(id)) => Test::Fixed(id.0.into(), accepted(op)),
            (Kind::Uuid, Value::Uuid(uuid)) => Test::Fixed(uuid.0.into(), accepted(op)),
            (Kind::Date, Value::Timestamp(date)) => {
                let key = date_key(date.seconds(), date.nanoseconds());
                Test::Interval(Interval::new(op, key, key))
            }
            (Kind::Int, Value::Int(int)) => {
                Test::Interval(Interval::new(op, (*int).into(), (*int).into()))
            }
            (Kind::Int, Value::Double(_) | Value::Float(_)) if !is_nan(constant) => {
                let order = |int: i64| compare::order(&Value::Int(int), constant);
                let (low, high) = equal_range((i64::MIN, i64::MAX), order);
                Test::Interval(Interval::new(op, low, high))
            }
            (Kind::Double | Kind::Float, Value::Int(_) | Value::Double(_) | Value::Float(_))
                if !is_nan(constant) =>
            {
                let nan = matches(&Value::Double(f64::NAN));
                Test::Doubles(DoubleInterval::new(op, constant, nan))
            }
            _ => return None,
        };
        Some(Self { number, test, null })
    }

    /// Membership of the column's values in a set.
    pub(super) fn is_in((number, kind): (u32, Kind), values: &ValueSet) -> Option<Self> {
        let null = values.contains(&Value::Null);
        let others = || values.iter().filter(|value| !value.is_null());
        let test = match kind {
            Kind::Int if others().all(|value| matches!(value, Value::Int(_))) => {
                let ints = others().filter_map(|value| match value {
                    Value::Int(int) => Some(*int),
                    _ => None,
                });
                Test::IntSet(ints.collect())
            }
            Kind::String if others().all(|value| matches!(value, Value::String(_))) => {
                Test::Bytes(BytesTest::one_of(others().filter_map(|value| match value {
                    Value::String(text) => Some(text.as_bytes()),
                    _ => None,
                })))
            }
            _ => return None,
        };
        Some(Self { number, test, null })
    }

    /// Lists that have an element which compares with the constant as `op` says.
    pub(super) fn any_element(
        (number, kind): (u32, Kind),
        op: CompareOp,
        constant: &Value,
        case_insensitive: bool,
    ) -> Option<Self> {
        let test = match (kind, constant) {
            (Kind::Int, Value::Int(int)) if !case_insensitive && !op.is_string_operator() => {
                ElementTest::Int(Interval::new(op, (*int).into(), (*int).into()))
            }
            (Kind::String, Value::String(text)) => {
                ElementTest::Bytes(BytesTest::new(op, text.as_bytes(), case_insensitive))
            }
            _ => return None,
        };
        let null = compare::matches_as(op, &Value::Null, constant, Rule::Expression);
        let element = Element { test, null };
        Some(Self { number, test: Test::AnyElement(element), null: false })
    }

    /// How dear it is, to try the cheapest first.
    pub(super) fn cost(&self) -> u32 {
        match &self.test {
            Test::Constant(_) => 0,
            Test::Interval(_) | Test::Doubles(_) => 1,
            Test::IntSet(_) | Test::Fixed(..) => 3,
            Test::Bytes(test) => test.cost(),
            Test::AnyElement(_) => 10,
        }
    }

    /// The text that an index of the column can be asked for.
    pub(super) fn only_match(&self) -> Option<&[u8]> {
        match &self.test {
            Test::Bytes(test) => test.only_match(),
            Test::Constant(_)
            | Test::Interval(_)
            | Test::Doubles(_)
            | Test::IntSet(_)
            | Test::Fixed(..)
            | Test::AnyElement(_) => None,
        }
    }

    /// Keeps the selected rows of a chunk that match.
    pub(super) fn narrow(&self, chunk: &Chunk, mask: &mut Mask) {
        let (nulls, null) = (chunk.nulls.as_ref(), self.null);
        match (&self.test, &chunk.data) {
            (Test::Constant(others), _) => {
                mask.keep_nulls(nulls, Keep { nulls: null, others: *others });
            }
            (Test::Interval(interval), Data::Ints(ints)) => {
                interval.narrow(ints, chunk, null, mask);
            }
            (Test::Interval(interval), Data::Dates { seconds, nanoseconds: None }) => {
                interval.of_seconds().narrow(seconds, chunk, null, mask);
            }
            (Test::Doubles(interval), Data::Doubles(doubles)) => {
                interval.narrow(doubles, f64::from, chunk, null, mask);
            }
            (Test::Doubles(interval), Data::Floats(floats)) => {
                interval.narrow(floats, f64::from, chunk, null, mask);
            }
            (Test::IntSet(wanted), Data::Ints(Ints::I8(values))) => {
                let passing: Vec<bool> =
                    (i8::MIN..=i8::MAX).map(|value| wanted.contains(&value.into())).collect();
                let place = |value: i8| usize::from(value.cast_unsigned() ^ 0x80);
                mask.keep_values(values, nulls, null, |value| passing[place(value)]);
            }
            (Test::Bytes(test), Data::Text(text)) => {
                let mut of_null = mask.clone();
                of_null.keep_nulls(nulls, Keep { nulls: null, others: false });
                mask.keep_nulls(nulls, Keep { nulls: false, others: true });
                test.narrow(text, mask);
                mask.add(&of_null);
            }
            (Test::AnyElement(element), Data::Lists { ends, elements }) => {
                element.narrow(ends, elements, mask);
            }
            _ => mask.keep(|at| match chunk.get(at) {
                Datum::Null => null,
                datum => self.test.matches(datum),
            }),
        }
    }
}

impl Test {
    /// Decides one value that is not null.
    fn matches(&self, datum: Datum<'_>) -> bool {
        match (self, datum) {
            (Self::Constant(matches), _) => *matches,
            (Self::Interval(interval), Datum::Int(int)) => interval.contains(int.into()),
            (Self::Interval(interval), Datum::Date(date)) => {
                interval.contains(date_key(date.seconds(), date.nanoseconds()))
            }
            (Self::IntSet(ints), Datum::Int(int)) => ints.contains(&int),
            (Self::Fixed(constant, accepted), Datum::ObjectId(id)) => {
                accepted[place(id.as_slice().cmp(constant))]
            }
            (Self::Fixed(constant, accepted), Datum::Uuid(uuid)) => {
                accepted[place(uuid.as_slice().cmp(constant))]
            }
            (Self::Bytes(test), Datum::Bytes(bytes)) => test.matches(bytes),
            _ => false,
        }
    }
}

impl Interval {
    /// The values that stand as `op` says to those from `low` to `high`, which equal the constant. None
    /// does when `low` is the one behind `high`.
    fn new(op: CompareOp, low: i128, high: i128) -> Self {
        let (low, high, inside) = match op {
            CompareOp::NotEqual => (low, high, false),
            CompareOp::Less => (i128::MIN, low - 1, true),
            CompareOp::LessOrEqual => (i128::MIN, high, true),
            CompareOp::Greater => (high + 1, i128::MAX, true),
            CompareOp::GreaterOrEqual => (low, i128::MAX, true),
            CompareOp::Equal
            | CompareOp::BeginsWith
            | CompareOp::EndsWith
            | CompareOp::Contains
            | CompareOp::Like => (low, high, true),
        };
        Self { low, high, inside }
    }

    fn of_bools(no: bool, yes: bool) -> Self {
        let (low, high) = match (no, yes) {
            (false, false) => (1, 0),
            (false, true) => (1, 1),
            (true, false) => (0, 0),
            (true, true) => (0, 1),
        };
        Self { low, high, inside: true }
    }

    fn contains(self, value: i128) -> bool {
        (self.low <= value && value <= self.high) == self.inside
    }

    /// The same for dates without nanoseconds, of which the seconds are looked at.
    fn of_seconds(self) -> Self {
        let low = self.low.div_euclid(DATE_STEP) + i128::from(self.low.rem_euclid(DATE_STEP) != 0);
        Self { low, high: self.high.div_euclid(DATE_STEP), inside: self.inside }
    }

    fn narrow(self, ints: &Ints, chunk: &Chunk, null: bool, mask: &mut Mask) {
        match ints {
            Ints::I8(values) => self.narrow_as(values, chunk, null, mask),
            Ints::I16(values) => self.narrow_as(values, chunk, null, mask),
            Ints::I32(values) => self.narrow_as(values, chunk, null, mask),
            Ints::I64(values) => self.narrow_as(values, chunk, null, mask),
        }
    }

    #[expect(clippy::needless_bitwise_bool, reason = "without branches it becomes vector code")]
    fn narrow_as<T: Int>(self, values: &[T], chunk: &Chunk, null: bool, mask: &mut Mask) {
        let (nulls, inside) = (chunk.nulls.as_ref(), self.inside);
        let (low, high) = (self.low.max(T::LEAST.into()), self.high.min(T::GREATEST.into()));
        let ends = (T::try_from(low).ok(), T::try_from(high).ok());
        match ends {
            (Some(low), Some(high)) if low <= high => {
                if inside {
                    mask.keep_values(values, nulls, null, |value| (low <= value) & (value <= high));
                } else {
                    mask.keep_values(values, nulls, null, |value| (value < low) | (high < value));
                }
            }
            _ => mask.keep_nulls(nulls, Keep { nulls: null, others: !inside }),
        }
    }
}

/// An integer of some width.
trait Int: Copy + Ord + Into<i128> + TryFrom<i128> {
    const LEAST: Self;
    const GREATEST: Self;
}

macro_rules! int {
    ($($width:ty),*) => {
        $(impl Int for $width {
            const LEAST: Self = <$width>::MIN;
            const GREATEST: Self = <$width>::MAX;
        })*
    };
}

int!(i8, i16, i32, i64);

impl DoubleInterval {
    fn new(op: CompareOp, constant: &Value, nan: bool) -> Self {
        let ends = (ordered_bits(f64::NEG_INFINITY), ordered_bits(f64::INFINITY));
        let order = |bits: i64| compare::order(&Value::Double(from_ordered_bits(bits)), constant);
        let (low, high) = equal_range(ends, order);
        let Interval { low, high, inside } = Interval::new(op, low, high);
        let (low, high) = (low.max(ends.0.into()), high.min(ends.1.into()));
        let double = |bits: i128| i64::try_from(bits).ok().map(from_ordered_bits);
        match (double(low), double(high)) {
            (Some(low_end), Some(high_end)) if low <= high => {
                Self { low: low_end, high: high_end, inside, nan }
            }
            _ => Self { low: f64::INFINITY, high: f64::NEG_INFINITY, inside, nan },
        }
    }

    fn narrow<T: Copy>(
        self,
        values: &[T],
        widen: impl Fn(T) -> f64,
        chunk: &Chunk,
        null: bool,
        mask: &mut Mask,
    ) {
        let Self { low, high, inside, nan } = self;
        let nulls = chunk.nulls.as_ref();
        let is_in = |value: f64| (low..=high).contains(&value);
        match (inside, nan) {
            (true, false) => mask.keep_values(values, nulls, null, |value| is_in(widen(value))),
            (false, true) => mask.keep_values(values, nulls, null, |value| !is_in(widen(value))),
            (inside, nan) => mask.keep_values(values, nulls, null, |value| {
                let value = widen(value);
                if value.is_nan() { nan } else { is_in(value) == inside }
            }),
        }
    }
}

impl Element {
    fn narrow(&self, ends: &[u32], elements: &Chunk, mask: &mut Mask) {
        let mut hits = vec![0_u64; elements.len().div_ceil(64)];
        let mut hit = |at: usize| hits[at / 64] |= 1 << (at % 64);
        match (&self.test, &elements.data) {
            (ElementTest::Int(interval), Data::Ints(ints)) => {
                let matches = |at: &usize| interval.contains(ints.get(*at).into());
                (0..elements.len()).filter(matches).for_each(&mut hit);
            }
            (ElementTest::Bytes(test), Data::Text(text)) => test.hits(text, &mut hit),
            _ => {}
        }
        let is_hit = |at: usize| {
            if elements.is_null(at) { self.null } else { hits[at / 64] >> (at % 64) & 1 == 1 }
        };
        mask.keep(|row| super::chunk::list_range(ends, row).any(is_hit));
    }
}

/// The least value that is not below the constant, and the greatest that is not above it.
fn equal_range((least, greatest): (i64, i64), order: impl Fn(i64) -> Ordering) -> (i128, i128) {
    let first = |passes: &dyn Fn(Ordering) -> bool| {
        let (mut low, mut high) = (i128::from(least), i128::from(greatest) + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let value = i64::try_from(middle).expect("between two of 64 bits");
            if passes(order(value)) { high = middle } else { low = middle + 1 }
        }
        low
    };
    (first(&Ordering::is_ge), first(&Ordering::is_gt) - 1)
}

fn is_nan(value: &Value) -> bool {
    match value {
        Value::Double(double) => double.is_nan(),
        Value::Float(float) => float.is_nan(),
        _ => false,
    }
}

/// Whether `op` accepts what is below, equal to and above the constant.
fn accepted(op: CompareOp) -> [bool; 3] {
    match op {
        CompareOp::NotEqual => [true, false, true],
        CompareOp::Less => [true, false, false],
        CompareOp::LessOrEqual => [true, true, false],
        CompareOp::Greater => [false, false, true],
        CompareOp::GreaterOrEqual => [false, true, true],
        CompareOp::Equal
        | CompareOp::BeginsWith
        | CompareOp::EndsWith
        | CompareOp::Contains
        | CompareOp::Like => [false, true, false],
    }
}

fn place(order: Ordering) -> usize {
    match order {
        Ordering::Less => 0,
        Ordering::Equal => 1,
        Ordering::Greater => 2,
    }
}

/// The property and the constant of a comparison of the two, in this order.
pub(super) fn sides(predicate: &Predicate) -> Option<(&PropertyRef, CompareOp, &Value, bool)> {
    match predicate {
        Predicate::Compare {
            left: Operand::Property(property),
            op,
            right: Operand::Constant(constant),
            case_insensitive,
        } => Some((property, *op, constant, *case_insensitive)),
        _ => None,
    }
}
