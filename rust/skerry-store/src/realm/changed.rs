//! Which rows each of the newest commits has touched, and which of their properties, so that what is
//! kept of the objects can follow: columns in memory (`columns`) and observers (`observe`).
//!
//! Invariant: an entry is written in the transaction of its commit, by whichever process made it, from
//! what [`Touched`](crate::objects::Touched) says. A version without an entry, or with an empty one,
//! may have touched anything.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use skerry_model::ClientVersion;

use crate::error::{Result, StoreError};
use crate::objects::{Touch, TouchedRows};
use crate::ranges::{Ranges, merged};

/// The table; run in a new file, and in one of an older format when it is upgraded.
pub(super) const CREATE_CHANGED: &str = "
CREATE TABLE changed (
    version INTEGER PRIMARY KEY,
    rows BLOB
) STRICT;
";

/// What entries of format 3 said is not known of this one: they are forgotten.
pub(super) const UPGRADE_TO_4: &str = "DELETE FROM changed";

/// Commits after which the table is trimmed, and what is kept of it then.
const TRIM_EVERY: i64 = 256;
const KEPT_VERSIONS: i64 = 4096;
const KEPT_BYTES: i64 = 4 << 20;

/// Ranges that were read after which they are merged, so that many commits take no more room than the
/// rows that they are about.
const MERGE_EVERY: usize = 100_000;

/// What was done to the rows of one class; all ranges are merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassChanges {
    /// They are new, also those that took the place of others.
    pub(crate) created: Ranges,
    /// They are gone, also those whose place others have taken.
    pub(crate) erased: Ranges,
    /// Something in them may differ, nobody knows what.
    pub(crate) any: Ranges,
    /// By number of the property that may differ.
    pub(crate) properties: BTreeMap<u32, Ranges>,
}

/// What some commits have done together, by class id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeMap<i64, ClassChanges>);

impl ClassChanges {
    fn of(&mut self, touch: Touch) -> &mut Ranges {
        match touch {
            Touch::Created => &mut self.created,
            Touch::Erased => &mut self.erased,
            Touch::Any => &mut self.any,
            Touch::Property(number) => self.properties.entry(number).or_default(),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Ranges> {
        let properties = self.properties.values_mut();
        [&mut self.created, &mut self.erased, &mut self.any].into_iter().chain(properties)
    }
}

impl Changes {
    /// What was done in a class, if anything was.
    pub(crate) fn class(&self, class_id: i64) -> Option<&ClassChanges> {
        self.0.get(&class_id)
    }

    /// The classes in which something was done.
    pub(crate) fn class_ids(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    /// What was done after a version, up to and including another; `None` when that is not known.
    pub(crate) fn between(
        connection: &Connection,
        span: (ClientVersion, ClientVersion),
    ) -> Result<Option<Self>> {
        let (mut changes, mut count) = (Self::default(), 0_usize);
        let is_known = read(connection, span, &mut |class_id, touch, range| {
            changes.0.entry(class_id).or_default().of(touch).push(range);
            count += 1;
            if count.is_multiple_of(MERGE_EVERY) {
                changes.merge();
            }
        })?;
        changes.merge();
        Ok(is_known.then_some(changes))
    }

    fn merge(&mut self) {
        for ranges in self.0.values_mut().flat_map(ClassChanges::all) {
            *ranges = merged(std::mem::take(ranges));
        }
    }
}

/// The rows of a class that were touched after a version, up to and including another; `None` when
/// that is not known.
pub(crate) fn touched_between(
    connection: &Connection,
    class_id: i64,
    span: (ClientVersion, ClientVersion),
) -> Result<Option<Ranges>> {
    let mut ranges = Ranges::new();
    let is_known = read(connection, span, &mut |class, _touch, range| {
        if class == class_id {
            ranges.push(range);
            if ranges.len() > MERGE_EVERY {
                ranges = merged(std::mem::take(&mut ranges));
            }
        }
    })?;
    Ok(is_known.then(|| merged(ranges)))
}

/// Writes the entry of a commit; `None` when it may have touched anything.
pub(super) fn save(
    connection: &Connection,
    version: ClientVersion,
    rows: Option<&TouchedRows>,
) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO changed VALUES (?1, ?2)")?
        .execute(params![version.0, rows.map(pack)])?;
    if version.0 % TRIM_EVERY == 0 {
        trim(connection, version)?;
    }
    Ok(())
}

fn trim(connection: &Connection, version: ClientVersion) -> Result<()> {
    let oldest: Option<i64> = connection
        .prepare_cached(
            "SELECT max(version) FROM (
                 SELECT version, sum(length(rows)) OVER (ORDER BY version DESC) AS together
                 FROM changed) WHERE together > ?1",
        )?
        .query_row([KEPT_BYTES], |row| row.get(0))?;
    let oldest = oldest.unwrap_or(0).max(version.0.saturating_sub(KEPT_VERSIONS));
    connection.prepare_cached("DELETE FROM changed WHERE version <= ?1")?.execute([oldest])?;
    Ok(())
}

/// Is told of a range of rows: number of their class, what was done, first and last.
type Visit<'v> = dyn FnMut(i64, Touch, (i64, i64)) + 'v;

/// Reads the entries after a version, up to and including another; whether they say everything.
fn read(
    connection: &Connection,
    (after, to): (ClientVersion, ClientVersion),
    visit: &mut Visit<'_>,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT version, rows FROM changed WHERE version > ?1 AND version <= ?2 ORDER BY version",
    )?;
    let mut rows = statement.query([after.0, to.0])?;
    let mut next = after.0;
    while let Some(row) = rows.next()? {
        next += 1;
        let (version, packed): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        let Some(packed) = packed.filter(|_| version == next) else { return Ok(false) };
        unpack(&packed, visit).ok_or_else(|| StoreError::corrupted("an entry of table changed"))?;
    }
    Ok(next == to.0)
}

/// For each class and what was done its id, the code of the latter and the number of ranges; for each
/// range how far it begins behind the end of the one before, and how many rows it has beyond one.
fn pack(rows: &TouchedRows) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (&(class_id, touch), ranges) in rows {
        put(&mut bytes, class_id.cast_unsigned());
        put(&mut bytes, code(touch));
        put(&mut bytes, ranges.len() as u64);
        let mut end = 0_i64;
        for &(first, last) in ranges {
            put(&mut bytes, first.wrapping_sub(end).cast_unsigned());
            put(&mut bytes, last.wrapping_sub(first).cast_unsigned());
            end = last;
        }
    }
    bytes
}

fn unpack(mut bytes: &[u8], visit: &mut Visit<'_>) -> Option<()> {
    while !bytes.is_empty() {
        let class_id = take(&mut bytes)?.cast_signed();
        let touch = touch_of(take(&mut bytes)?)?;
        let count = take(&mut bytes)?;
        let mut end = 0_i64;
        for _ in 0..count {
            let first = end.wrapping_add(take(&mut bytes)?.cast_signed());
            end = first.checked_add(take(&mut bytes)?.cast_signed()).filter(|&end| end >= first)?;
            visit(class_id, touch, (first, end));
        }
    }
    Some(())
}

fn code(touch: Touch) -> u64 {
    match touch {
        Touch::Created => 0,
        Touch::Erased => 1,
        Touch::Any => 2,
        Touch::Property(number) => u64::from(number) + 3,
    }
}

fn touch_of(code: u64) -> Option<Touch> {
    match code {
        0 => Some(Touch::Created),
        1 => Some(Touch::Erased),
        2 => Some(Touch::Any),
        code => u32::try_from(code - 3).ok().map(Touch::Property),
    }
}

/// Seven bits a byte, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn touch() -> impl Strategy<Value = Touch> {
        prop_oneof![
            Just(Touch::Created),
            Just(Touch::Erased),
            Just(Touch::Any),
            prop_oneof![0..3_u32, Just(u32::MAX)].prop_map(Touch::Property),
        ]
    }

    proptest! {
        #[test]
        fn touched_rows_come_back(
            rows in prop::collection::vec(
                (1..4_i64, touch(), prop_oneof![1..40_i64, any::<i64>()]), 0..80),
        ) {
            let mut touched = TouchedRows::new();
            for (class_id, touch, row_id) in rows {
                touched.entry((class_id, touch)).or_default().push((row_id, row_id));
            }
            for ranges in touched.values_mut() {
                *ranges = merged(std::mem::take(ranges));
            }
            let mut found = TouchedRows::new();
            let read = unpack(&pack(&touched), &mut |class_id, touch, range| {
                found.entry((class_id, touch)).or_default().push(range);
            });
            prop_assert_eq!(read, Some(()));
            prop_assert_eq!(found, touched);
        }

        #[test]
        fn other_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut is_sound = true;
            let _read: Option<()> = unpack(&bytes, &mut |_class_id, _touch, (first, last)| {
                is_sound &= first <= last;
            });
            prop_assert!(is_sound);
        }
    }
}
