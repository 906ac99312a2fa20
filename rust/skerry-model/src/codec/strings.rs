//! The table of strings of one changeset, as it is written and as it is read.
//!
//! The invariant on both sides: indices are given by first use, no text has two, none is unused.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::reader::{Datum, Reader};
use super::{DecodeError, Writer};
use crate::{Name, ObjectKey, Within};

type Result<T> = std::result::Result<T, DecodeError>;

/// The table of strings as it grows: indices by first use.
///
/// A few strings are looked for one by one. More are found by address first, as names that come from
/// one schema or one table share their text, and then by content: in a tree and not by hash, for the
/// texts may come from somebody who knows how to make them collide.
#[derive(Default)]
pub(super) struct WrittenStrings<'a> {
    in_order: SmallVec<[&'a str; SCANNED_MAX]>,
    by_address: FxHashMap<(usize, usize), u32>,
    by_text: BTreeMap<&'a str, u32>,
}

/// Up to so many strings a scan is quicker than a hash.
const SCANNED_MAX: usize = 16;

impl<'a> WrittenStrings<'a> {
    /// The table, in order of first use.
    pub(super) fn into_order(self) -> SmallVec<[&'a str; SCANNED_MAX]> {
        self.in_order
    }

    /// Writes a key, its string as an index.
    #[inline]
    pub(super) fn write_key(&mut self, writer: &mut Writer, key: &'a ObjectKey) {
        if let ObjectKey::String(text) = key {
            writer.write_array_header(1);
            writer.write_u64(self.index(text).into());
        } else {
            writer.write_key(key);
        }
    }

    /// The index of a text, which is a new one at its first use.
    #[inline]
    pub(super) fn index(&mut self, text: &'a str) -> u32 {
        if self.in_order.len() <= SCANNED_MAX {
            let same = self.in_order.iter().position(|known| std::ptr::eq(*known, text));
            let known = same.or_else(|| self.in_order.iter().position(|known| *known == text));
            if let Some(index) = known {
                return to_u32(index);
            }
        }
        self.index_hashed(text)
    }

    fn index_hashed(&mut self, text: &'a str) -> u32 {
        let address = |text: &str| (text.as_ptr().addr(), text.len());
        let next = to_u32(self.in_order.len());
        if self.in_order.len() < SCANNED_MAX {
            self.in_order.push(text);
            return next;
        }
        if self.by_text.is_empty() {
            for (index, known) in self.in_order.iter().enumerate() {
                self.by_text.insert(known, to_u32(index));
                self.by_address.insert(address(known), to_u32(index));
            }
        }
        if let Some(index) = self.by_address.get(&address(text)) {
            return *index;
        }
        let index = *self.by_text.entry(text).or_insert(next);
        if index == next {
            self.in_order.push(text);
        }
        self.by_address.insert(address(text), index);
        index
    }
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).expect("the size limit ends a changeset long before 2^32 strings")
}

/// The table of strings, and how many of them have been used so far.
pub(super) struct ReadStrings {
    entries: Vec<Entry>,
    used: usize,
}

struct Entry {
    name: Name,
    /// The property of that name, once there was one, for all paths to share.
    property: Option<Arc<Within>>,
}

impl ReadStrings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.read_array_header()?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(Entry { name: Name::from(reader.read_str()?), property: None });
        }
        match duplicate(&entries) {
            Some(index) => Err(DecodeError::DuplicateString { index }),
            None => Ok(Self { entries, used: 0 }),
        }
    }

    #[inline]
    pub(super) fn name(&mut self, index: u64, offset: usize) -> Result<&Name> {
        self.entry(index, offset).map(|entry| &entry.name)
    }

    #[inline]
    fn entry(&mut self, index: u64, offset: usize) -> Result<&mut Entry> {
        let count = self.entries.len();
        let place = usize::try_from(index).ok().filter(|&place| place < count);
        let Some(place) = place else {
            return Err(DecodeError::MissingString { offset, index });
        };
        if place >= self.used {
            if place > self.used {
                let expected = self.used;
                return Err(DecodeError::StringOutOfOrder { offset, index: place, expected });
            }
            self.used += 1;
        }
        Ok(&mut self.entries[place])
    }

    pub(super) fn finish(&self) -> Result<()> {
        match self.entries.len() - self.used {
            0 => Ok(()),
            unused => Err(DecodeError::UnusedStrings { unused }),
        }
    }

    #[inline]
    pub(super) fn read_name(&mut self, reader: &mut Reader<'_>) -> Result<Name> {
        let offset = reader.offset();
        let index = reader.read_u64()?;
        self.name(index, offset).cloned()
    }

    /// Reads a name: the property itself, without steps below.
    #[inline]
    pub(super) fn read_property(&mut self, reader: &mut Reader<'_>) -> Result<Arc<Within>> {
        let offset = reader.offset();
        let index = reader.read_u64()?;
        let Entry { name, property } = self.entry(index, offset)?;
        let property = property.get_or_insert_with(|| {
            Arc::new(Within { field: name.clone(), elements: Box::default() })
        });
        Ok(property.clone())
    }

    #[inline]
    pub(super) fn read_key(&mut self, reader: &mut Reader<'_>) -> Result<ObjectKey> {
        if let Some(key) = reader.take_common_key() {
            return Ok(key);
        }
        let offset = reader.offset();
        match reader.read_datum()? {
            Datum::Array(1) => {
                let offset = reader.offset();
                let index = reader.read_u64()?;
                Ok(ObjectKey::String(self.name(index, offset)?.shared().clone()))
            }
            datum => reader.fixed_key(datum, offset),
        }
    }
}

/// Up to so many strings are compared each with each, which takes no memory.
const COMPARED_MAX: usize = 16;

/// Position of the first entry that equals an earlier one.
fn duplicate(entries: &[Entry]) -> Option<usize> {
    let text = |index: usize| entries[index].name.as_str();
    if entries.len() <= COMPARED_MAX {
        return (1..entries.len())
            .find(|&index| (0..index).any(|other| text(other) == text(index)));
    }
    // Sorting and not hashing: whoever made the bytes cannot make it slow.
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| text(a).cmp(text(b)));
    order.windows(2).filter(|pair| text(pair[0]) == text(pair[1])).map(|pair| pair[1]).min()
}
