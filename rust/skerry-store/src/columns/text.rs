//! Text and bytes of one chunk.
//!
//! Invariant: where few values differ, each is there once and the rows have numbers of one or two bytes;
//! a condition is then decided once for each. An index of such a chunk gives the rows of a value without
//! looking at the others.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHasher};

use super::budget::{Budget, Reserved};

/// Texts that are looked for among those of a dictionary, one after the other; for more it is made anew.
const PATCHED_MAX: usize = 64;

/// Texts one behind the other.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) bytes: Box<[u8]>,
    /// Where each ends.
    pub(super) ends: Box<[u32]>,
}

/// The number of a value for each row.
#[derive(Debug)]
pub(super) enum Codes {
    U8(Box<[u8]>),
    U16(Box<[u16]>),
}

/// Text of one chunk.
#[derive(Debug)]
pub(super) enum Text {
    Plain(Arena),
    Dictionary { entries: Arena, codes: Codes, index: OnceLock<Index> },
}

/// The rows of each value of a dictionary.
#[derive(Debug)]
pub(super) struct Index {
    /// Numbers of entries, plus one, at their hash or behind it; a power of two of places.
    table: Box<[u16]>,
    /// Where the rows of each entry begin.
    starts: Box<[u32]>,
    /// Rows, by entry and ascending.
    rows: Box<[u16]>,
    /// Holds the memory while the index is there.
    _reserved: Reserved,
}

/// The hash of a value in an [`Index`].
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Arena {
    pub(super) fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[at] as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The same with other texts in some places, which ascend; `None` when they take too much room.
    fn patched<'t>(&self, places: impl Iterator<Item = (usize, &'t [u8])>) -> Option<Self> {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut ends = Vec::with_capacity(self.ends.len());
        for (at, text) in places {
            self.copy(ends.len()..at, &mut bytes, &mut ends)?;
            bytes.extend_from_slice(text);
            ends.push(u32::try_from(bytes.len()).ok()?);
        }
        self.copy(ends.len()..self.len(), &mut bytes, &mut ends)?;
        Some(Self { bytes: bytes.into(), ends: ends.into() })
    }

    /// Adds texts of these places to others.
    fn copy(&self, from: Range<usize>, bytes: &mut Vec<u8>, ends: &mut Vec<u32>) -> Option<()> {
        let start = from.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let copied = &self.ends[from];
        let Some(&end) = copied.last() else { return Some(()) };
        let begin = u32::try_from(bytes.len()).ok()?;
        begin.checked_add(end - start)?;
        bytes.extend_from_slice(&self.bytes[start as usize..end as usize]);
        ends.extend(copied.iter().map(|end| end - start + begin));
        Some(())
    }

    fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.ends)
    }
}

impl Codes {
    pub(super) fn get(&self, at: usize) -> usize {
        match self {
            Self::U8(codes) => codes[at].into(),
            Self::U16(codes) => codes[at].into(),
        }
    }

    /// Hands the places of a number to `hit`.
    pub(super) fn positions(&self, code: usize, hit: &mut dyn FnMut(usize)) {
        match self {
            Self::U8(codes) => {
                if let Ok(code) = u8::try_from(code) {
                    memchr::memchr_iter(code, codes).for_each(hit);
                }
            }
            Self::U16(codes) => {
                let places = codes.iter().enumerate();
                places
                    .filter(|(_, found)| usize::from(**found) == code)
                    .for_each(|(at, _)| hit(at));
            }
        }
    }

    /// The same with other numbers in some places; `None` when one is too great.
    fn patched(&self, places: &[(usize, usize)]) -> Option<Self> {
        match self {
            Self::U8(codes) => {
                let mut codes = codes.clone();
                for &(at, code) in places {
                    codes[at] = u8::try_from(code).ok()?;
                }
                Some(Self::U8(codes))
            }
            Self::U16(codes) => {
                let mut codes = codes.clone();
                for &(at, code) in places {
                    codes[at] = u16::try_from(code).ok()?;
                }
                Some(Self::U16(codes))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::U8(codes) => codes.len(),
            Self::U16(codes) => codes.len(),
        }
    }
}

impl Text {
    pub(super) fn get(&self, at: usize) -> &[u8] {
        match self {
            Self::Plain(arena) => arena.get(at),
            Self::Dictionary { entries, codes, .. } => entries.get(codes.get(at)),
        }
    }

    /// The same with other texts in some places, which ascend, if that is little more than a copy.
    pub(super) fn patched<'t>(
        &self,
        places: impl ExactSizeIterator<Item = (usize, &'t [u8])>,
    ) -> Option<Self> {
        match self {
            Self::Plain(arena) => Some(Self::Plain(arena.patched(places)?)),
            Self::Dictionary { entries, codes, .. } if places.len() <= PATCHED_MAX => {
                let known = |text: &[u8]| (0..entries.len()).find(|&at| entries.get(at) == text);
                let places = places.map(|(at, text)| Some((at, known(text)?)));
                let codes = codes.patched(&places.collect::<Option<Vec<_>>>()?)?;
                let bytes = entries.bytes.clone();
                let entries = Arena { bytes, ends: entries.ends.clone() };
                Some(Self::Dictionary { entries, codes, index: OnceLock::new() })
            }
            Self::Dictionary { .. } => None,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Plain(arena) => arena.size_bytes(),
            Self::Dictionary { entries, codes: Codes::U8(codes), .. } => {
                entries.size_bytes() + codes.len()
            }
            Self::Dictionary { entries, codes: Codes::U16(codes), .. } => {
                entries.size_bytes() + size_of_val(&**codes)
            }
        }
    }

    /// The index, made if it is not there and there is memory for it.
    pub(super) fn index(&self, budget: &Arc<Budget>) -> Option<(&Arena, &Index)> {
        let Self::Dictionary { entries, codes, index } = self else { return None };
        if let Some(index) = index.get() {
            return Some((entries, index));
        }
        let made = Index::new(entries, codes, budget)?;
        Some((entries, index.get_or_init(|| made)))
    }
}

impl Index {
    fn new(entries: &Arena, codes: &Codes, budget: &Arc<Budget>) -> Option<Self> {
        let (rows, entry_count) = (codes.len(), entries.len());
        let places = (entry_count * 2).next_power_of_two();
        let reserved = budget.reserve(places * 2 + (entry_count + 1) * 4 + rows * 2)?;
        let mut table = vec![0_u16; places].into_boxed_slice();
        for entry in 0..entry_count {
            let mut place = place_of(hash(entries.get(entry)), places);
            while table[place] != 0 {
                place = (place + 1) % places;
            }
            table[place] = u16::try_from(entry + 1).expect("a chunk has no more rows than that");
        }
        let mut starts = vec![0_u32; entry_count + 1];
        for row in 0..rows {
            starts[codes.get(row) + 1] += 1;
        }
        for entry in 0..entry_count {
            starts[entry + 1] += starts[entry];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0_u16; rows];
        for row in 0..rows {
            let place = &mut next[codes.get(row)];
            sorted[*place as usize] = u16::try_from(row).expect("a chunk has no more rows");
            *place += 1;
        }
        let (starts, rows) = (starts.into_boxed_slice(), sorted.into_boxed_slice());
        Some(Self { table, starts, rows, _reserved: reserved })
    }

    /// The rows that have a value, ascending. Null rows have the empty text, so its rows are to be
    /// looked at again.
    pub(super) fn rows_of(&self, entries: &Arena, wanted: &[u8], hash: u64) -> &[u16] {
        let mut place = place_of(hash, self.table.len());
        while let Some(entry) = usize::from(self.table[place]).checked_sub(1) {
            if entries.get(entry) == wanted {
                return &self.rows[self.starts[entry] as usize..self.starts[entry + 1] as usize];
            }
            place = (place + 1) % self.table.len();
        }
        &[]
    }
}

fn place_of(hash: u64, places: usize) -> usize {
    // The upper bits are the better ones of this hash.
    usize::try_from(hash >> 40).expect("24 bits") & (places - 1)
}

/// Text of a chunk that is being made.
#[derive(Debug)]
pub(super) struct TextBuilder {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// `None` once too many values differ.
    dictionary: Option<Dictionary>,
}

#[derive(Debug, Default)]
struct Dictionary {
    numbers: FxHashMap<Box<[u8]>, u16>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    codes: Vec<u16>,
}

impl Default for TextBuilder {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), dictionary: Some(Dictionary::default()) }
    }
}

impl TextBuilder {
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(end_of(&self.bytes));
        if let Some(dictionary) = &mut self.dictionary
            && !dictionary.push(text)
        {
            self.dictionary = None;
        }
    }

    pub(super) fn grown_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn finish(self) -> Text {
        let is_small = |dictionary: &Dictionary| dictionary.ends.len() * 4 <= self.ends.len();
        match self.dictionary.filter(is_small) {
            Some(Dictionary { bytes, ends, codes, .. }) => {
                let codes = if ends.len() <= 1 << 8 {
                    let low = |&code| u8::try_from(code).expect("there are no more entries");
                    Codes::U8(codes.iter().map(low).collect())
                } else {
                    Codes::U16(codes.into())
                };
                let entries = Arena { bytes: bytes.into(), ends: ends.into() };
                Text::Dictionary { entries, codes, index: OnceLock::new() }
            }
            None => Text::Plain(Arena { bytes: self.bytes.into(), ends: self.ends.into() }),
        }
    }
}

impl Dictionary {
    /// Whether it is still worth it.
    fn push(&mut self, text: &[u8]) -> bool {
        let count = self.ends.len();
        if let Some(&code) = self.numbers.get(text) {
            self.codes.push(code);
        } else {
            let Ok(code) = u16::try_from(count) else { return false };
            self.numbers.insert(text.into(), code);
            self.bytes.extend_from_slice(text);
            self.ends.push(end_of(&self.bytes));
            self.codes.push(code);
        }
        // A thousand values come early: of 16,384 rows the first thousand look all different.
        count <= 2048 + self.codes.len() / 4
    }
}

/// Whoever makes a chunk asks [`TextBuilder::grown_bytes`] and keeps no chunk for which this is wrong.
fn end_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn patching_is_making_anew(
            texts in prop::collection::vec("[ab]{0,3}", 1..300),
            places in prop::collection::btree_map(0..300_usize, "[abc]{0,3}", 0..20),
        ) {
            let made = |texts: &[String]| {
                let mut builder = TextBuilder::default();
                for text in texts {
                    builder.push(text.as_bytes());
                }
                builder.finish()
            };
            let before = made(&texts);
            let places: Vec<(usize, String)> =
                places.into_iter().filter(|place| place.0 < texts.len()).collect();
            let mut wanted = texts.clone();
            for (at, text) in &places {
                wanted[*at].clone_from(text);
            }
            let patched = before.patched(places.iter().map(|(at, text)| (*at, text.as_bytes())));
            let is_known = places.iter().all(|(_, text)| texts.contains(text));
            let is_dictionary = matches!(before, Text::Dictionary { .. });
            prop_assert!(patched.is_some() || (!is_known && is_dictionary));
            if let Some(patched) = patched {
                for (at, text) in wanted.iter().enumerate() {
                    prop_assert_eq!(patched.get(at), text.as_bytes());
                }
            }
        }

        #[test]
        fn what_is_put_in_comes_out_and_the_index_finds_it(
            texts in prop::collection::vec("[ab]{0,3}", 1..300),
        ) {
            let mut builder = TextBuilder::default();
            for text in &texts {
                builder.push(text.as_bytes());
            }
            let text = builder.finish();
            for (at, wanted) in texts.iter().enumerate() {
                prop_assert_eq!(text.get(at), wanted.as_bytes());
            }
            if let Some((entries, index)) = text.index(&Budget::new(1 << 20)) {
                for wanted in ["", "a", "ab", "bab", "c"] {
                    let found: Vec<usize> = index
                        .rows_of(entries, wanted.as_bytes(), hash(wanted.as_bytes()))
                        .iter()
                        .map(|&row| row.into())
                        .collect();
                    let rows: Vec<usize> =
                        (0..texts.len()).filter(|&at| texts[at] == wanted).collect();
                    prop_assert_eq!(found, rows);
                }
            }
        }
    }
}
