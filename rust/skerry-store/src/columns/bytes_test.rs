//! Conditions on text and bytes.
//!
//! Invariant: [`BytesTest::matches`] is `compare::matches_as`, or with `[c]` `compare::matches_folded`,
//! for a value and a constant of the same kind, neither of them null.

use std::cmp::Ordering;

use memchr::memmem;
use rustc_hash::FxHashSet;
use skerry_query::{CompareOp, compare, like};

use super::mask::Mask;
use super::text::{Arena, Codes, Text};

/// A condition on bytes that are there.
#[derive(Debug)]
pub(super) struct BytesTest {
    what: What,
    folds: bool,
}

#[derive(Debug)]
enum What {
    Equal(Box<[u8]>),
    NotEqual(Box<[u8]>),
    /// Below, equal and above the constant.
    Ordered(Box<[u8]>, [bool; 3]),
    BeginsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Contains(Box<[u8]>),
    Like(Box<[u8]>),
    In(FxHashSet<Box<[u8]>>),
}

impl BytesTest {
    pub(super) fn new(op: CompareOp, constant: &[u8], folds: bool) -> Self {
        let constant: Box<[u8]> =
            if folds { compare::fold(constant).into() } else { constant.into() };
        let what = match op {
            CompareOp::Equal => What::Equal(constant),
            CompareOp::NotEqual => What::NotEqual(constant),
            CompareOp::Less => What::Ordered(constant, [true, false, false]),
            CompareOp::LessOrEqual => What::Ordered(constant, [true, true, false]),
            CompareOp::Greater => What::Ordered(constant, [false, false, true]),
            CompareOp::GreaterOrEqual => What::Ordered(constant, [false, true, true]),
            CompareOp::BeginsWith => What::BeginsWith(constant),
            CompareOp::EndsWith => What::EndsWith(constant),
            CompareOp::Contains => What::Contains(constant),
            CompareOp::Like => What::Like(constant),
        };
        Self { what, folds }
    }

    pub(super) fn one_of<'v>(constants: impl Iterator<Item = &'v [u8]>) -> Self {
        Self { what: What::In(constants.map(Box::from).collect()), folds: false }
    }

    /// The constant, when only values with exactly its bytes match.
    pub(super) fn only_match(&self) -> Option<&[u8]> {
        match &self.what {
            What::Equal(constant) if !self.folds => Some(constant),
            _ => None,
        }
    }

    /// How dear it is, in comparison with a number's.
    pub(super) fn cost(&self) -> u32 {
        let folding = if self.folds { 4 } else { 0 };
        folding
            + match self.what {
                What::Equal(_) | What::NotEqual(_) | What::BeginsWith(_) | What::EndsWith(_) => 4,
                What::Ordered(..) | What::In(_) => 8,
                What::Contains(_) => 12,
                What::Like(_) => 40,
            }
    }

    pub(super) fn matches(&self, bytes: &[u8]) -> bool {
        if self.folds { self.holds(&compare::fold(bytes)) } else { self.holds(bytes) }
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        match &self.what {
            What::Equal(constant) => *bytes == **constant,
            What::NotEqual(constant) => *bytes != **constant,
            What::Ordered(constant, accepted) => {
                accepted[match bytes.cmp(constant) {
                    Ordering::Less => 0,
                    Ordering::Equal => 1,
                    Ordering::Greater => 2,
                }]
            }
            What::BeginsWith(constant) => bytes.starts_with(constant),
            What::EndsWith(constant) => bytes.ends_with(constant),
            What::Contains(constant) => like::contains(bytes, constant),
            What::Like(constant) => like::like(bytes, constant),
            What::In(constants) => constants.contains(bytes),
        }
    }

    /// Keeps the selected rows that match, among those of `text` that are not null.
    pub(super) fn narrow(&self, text: &Text, mask: &mut Mask) {
        match text {
            Text::Plain(arena) => match &self.what {
                What::Contains(needle) if is_dense(mask, arena.len()) && !needle.is_empty() => {
                    self.search(arena, needle, mask);
                }
                _ => mask.keep(|at| self.matches(arena.get(at))),
            },
            Text::Dictionary { entries, codes, .. } => {
                let passing: Vec<bool> =
                    (0..entries.len()).map(|entry| self.matches(entries.get(entry))).collect();
                codes.narrow(&passing, mask);
            }
        }
    }

    /// Hands the numbers of all that match to `hit`.
    pub(super) fn hits(&self, text: &Text, hit: &mut dyn FnMut(usize)) {
        match text {
            Text::Plain(arena) => {
                (0..arena.len()).filter(|&at| self.matches(arena.get(at))).for_each(hit);
            }
            Text::Dictionary { entries, codes, .. } => {
                for entry in (0..entries.len()).filter(|&entry| self.matches(entries.get(entry))) {
                    codes.positions(entry, hit);
                }
            }
        }
    }

    /// Looks for the needle in the whole chunk at once, and then for the rows in which it was found.
    fn search(&self, arena: &Arena, needle: &[u8], mask: &mut Mask) {
        let mut found = Found { arena, row: 0, start: 0, mask: Mask::first(0) };
        if self.folds {
            for_each_candidate(&arena.bytes, needle, |at| {
                found.add(at, needle.len(), |text, at| is_folded_at(text, at, needle));
            });
        } else {
            let finder = memmem::Finder::new(needle);
            let mut from = 0;
            while let Some(ahead) = finder.find(&arena.bytes[from..]) {
                found.add(from + ahead, needle.len(), |_text, _at| true);
                from += ahead + 1;
            }
        }
        mask.keep_all_of(&found.mask);
    }
}

/// A search over the bytes of a chunk.
struct Found<'a> {
    arena: &'a Arena,
    /// The row that the search has come to, and where its text starts.
    row: usize,
    start: usize,
    mask: Mask,
}

impl Found<'_> {
    /// Takes the row around a place, later than all before, if the needle lies within it.
    fn add(&mut self, at: usize, needle_len: usize, is_here: impl FnOnce(&[u8], usize) -> bool) {
        while self.arena.ends[self.row] as usize <= at {
            self.start = self.arena.ends[self.row] as usize;
            self.row += 1;
        }
        let end = self.arena.ends[self.row] as usize;
        if at + needle_len <= end && is_here(&self.arena.bytes[self.start..end], at - self.start) {
            self.mask.set(self.row);
        }
    }
}

/// Hands the places to `visit` where the needle may stand in any case: those where its first and last
/// byte are, but for the bit that tells small letters from capitals.
#[expect(clippy::needless_bitwise_bool, reason = "without branches it becomes vector code")]
fn for_each_candidate(bytes: &[u8], needle: &[u8], mut visit: impl FnMut(usize)) {
    const CASE: u8 = 0x20;
    let Some((&first, gap)) = needle.first().zip(needle.len().checked_sub(1)) else { return };
    let (first, last) = (first | CASE, needle[gap] | CASE);
    let Some(ends) = bytes.get(gap..) else { return };
    let (starts, ends) = (bytes[..ends.len()].as_chunks::<64>(), ends.as_chunks::<64>());
    for (block, (start, end)) in starts.0.iter().zip(ends.0).enumerate() {
        let mut hits = [false; 64];
        for (hit, (start, end)) in hits.iter_mut().zip(start.iter().zip(end)) {
            *hit = (start | CASE == first) & (end | CASE == last);
        }
        if hits.contains(&true) {
            let places = hits.iter().enumerate().filter(|(_, hit)| **hit);
            places.for_each(|(at, _)| visit(block * 64 + at));
        }
    }
    let done = starts.0.len() * 64;
    for (at, (start, end)) in starts.1.iter().zip(ends.1).enumerate() {
        if start | CASE == first && end | CASE == last {
            visit(done + at);
        }
    }
}

/// Whether the folded needle stands at a place of a text that is not folded.
fn is_folded_at(text: &[u8], at: usize, needle: &[u8]) -> bool {
    let folded = |at: usize| match text[at] {
        byte @ b'A'..=b'Z' => byte + 0x20,
        byte @ (0x80..=0x96 | 0x98..=0x9E) if at > 0 && text[at - 1] == 0xC3 => byte + 0x20,
        byte => byte,
    };
    needle.iter().enumerate().all(|(ahead, &wanted)| folded(at + ahead) == wanted)
}

/// Whether it pays to look at all rows of a chunk.
fn is_dense(mask: &Mask, rows: usize) -> bool {
    mask.count() * 8 > rows
}

impl Codes {
    /// Keeps the selected rows whose number passes.
    fn narrow(&self, passing: &[bool], mask: &mut Mask) {
        let mut all =
            passing.iter().enumerate().filter(|(_, passes)| **passes).map(|(code, _)| code);
        let (first, second) = (all.next(), all.next());
        match (first, second, self) {
            (None, _, _) => mask.clear(),
            (Some(only), None, Self::U8(codes)) => {
                mask.keep_values(codes, None, false, |code| usize::from(code) == only);
            }
            (Some(only), None, Self::U16(codes)) => {
                mask.keep_values(codes, None, false, |code| usize::from(code) == only);
            }
            (Some(_), Some(_), Self::U8(codes)) => {
                mask.keep_values(codes, None, false, |code| passing[usize::from(code)]);
            }
            (Some(_), Some(_), Self::U16(codes)) => {
                mask.keep_values(codes, None, false, |code| passing[usize::from(code)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skerry_model::Value;
    use skerry_query::compare::{Rule, matches_as, matches_folded};

    use super::super::CHUNK_ROWS;
    use super::super::text::TextBuilder;
    use super::*;

    const OPS: [CompareOp; 10] = [
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
        CompareOp::BeginsWith,
        CompareOp::EndsWith,
        CompareOp::Contains,
        CompareOp::Like,
    ];

    /// Bytes that fold, halves of characters among them.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(vec![b'a', b'A', b'b', 0xC3, 0x89, 0xA9, b'*', b'?']);
        prop::collection::vec(byte, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn a_whole_chunk_is_decided_as_its_rows_one_by_one(
            texts in prop::collection::vec(bytes(), 1..80),
            repeats in 1..9_usize,
            constant in bytes(),
            op in prop::sample::select(OPS.to_vec()),
            folds: bool,
        ) {
            let mut builder = TextBuilder::default();
            let rows: Vec<&Vec<u8>> = texts.iter().cycle().take(CHUNK_ROWS.min(texts.len() * repeats)).collect();
            for row in &rows {
                builder.push(row);
            }
            let mut mask = Mask::first(rows.len());
            BytesTest::new(op, &constant, folds).narrow(&builder.finish(), &mut mask);
            let mut found = Vec::new();
            mask.visit(|at| { found.push(at); true });
            let constant = Value::binary(constant);
            let compare = if folds { matches_folded } else { matches_as };
            let wanted: Vec<usize> = (0..rows.len())
                .filter(|&at| compare(op, &Value::binary(rows[at].clone()), &constant, Rule::Column))
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
