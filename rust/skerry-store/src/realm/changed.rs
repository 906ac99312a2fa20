//! Which rows each of the newest commits has touched, so that what is cached of the objects can follow
//! (`columns`).
//!
//! Invariant: an entry is written in the transaction of its commit, by whichever process made it, from
//! what `SQLite` itself reports of the rows. A version without an entry, or with an empty one, may have
//! touched anything: commits through a handle without cache write none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};
use skerry_model::ClientVersion;

use crate::error::{Result, StoreError};

/// The table; run in a new file, and in one of an older format when it is upgraded.
pub(super) const CREATE_CHANGED: &str = "
CREATE TABLE changed (
    version INTEGER PRIMARY KEY,
    rows BLOB
) STRICT;
";

/// Ranges of rows beyond which a commit is not written down: reading everything anew is then no
/// dearer.
const RANGES_MAX: usize = 20_000;

/// Commits after which the table is trimmed, and what is kept of it then.
const TRIM_EVERY: i64 = 256;
const KEPT_VERSIONS: i64 = 4096;
const KEPT_BYTES: i64 = 4 << 20;

/// Rows of one class, as ranges of ids with both ends in them.
pub(crate) type Ranges = Vec<(i64, i64)>;

/// The rows that the open transaction has touched; shared with the hook of its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    /// By class.
    classes: BTreeMap<i64, Ranges>,
    count: usize,
}

impl Touched {
    /// Begins to take note of what the connection writes.
    pub(super) fn watch(connection: &mut Connection) -> Result<Self> {
        let touched = Self::default();
        let rows = touched.clone();
        connection.update_hook(Some(
            move |_action: rusqlite::hooks::Action, _database: &str, table: &str, row_id: i64| {
                if let Some(class_id) = table.strip_prefix('o').and_then(|id| id.parse().ok()) {
                    rows.add(class_id, row_id);
                }
            },
        ))?;
        Ok(touched)
    }

    fn add(&self, class_id: i64, row_id: i64) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.count > RANGES_MAX {
            return;
        }
        let ranges = rows.classes.entry(class_id).or_default();
        match ranges.last_mut() {
            Some((first, last)) if (*first..=*last).contains(&row_id) => {}
            Some((_, last)) if last.checked_add(1) == Some(row_id) => *last = row_id,
            Some(_) | None => {
                ranges.push((row_id, row_id));
                rows.count += 1;
            }
        }
    }

    /// Forgets what a transaction before this one has touched.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Rows::default();
    }

    /// Writes the entry of a commit.
    pub(super) fn save(&self, connection: &Connection, version: ClientVersion) -> Result<()> {
        let rows = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let packed = (rows.count <= RANGES_MAX).then(|| pack(rows.classes));
        connection
            .prepare_cached("INSERT OR REPLACE INTO changed VALUES (?1, ?2)")?
            .execute(params![version.0, packed])?;
        if version.0 % TRIM_EVERY == 0 {
            trim(connection, version)?;
        }
        Ok(())
    }
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

/// The rows of a class that were touched after a version, up to and including another; `None` when
/// that is not known.
pub(crate) fn touched_between(
    connection: &Connection,
    class_id: i64,
    (after, to): (ClientVersion, ClientVersion),
) -> Result<Option<Ranges>> {
    let mut statement = connection.prepare_cached(
        "SELECT version, rows FROM changed WHERE version > ?1 AND version <= ?2 ORDER BY version",
    )?;
    let mut rows = statement.query([after.0, to.0])?;
    let mut ranges = Ranges::new();
    let mut next = after.0;
    while let Some(row) = rows.next()? {
        next += 1;
        let (version, packed): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        let Some(packed) = packed.filter(|_| version == next) else { return Ok(None) };
        unpack(&packed, class_id, &mut ranges)
            .ok_or_else(|| StoreError::corrupted("an entry of table changed"))?;
        if ranges.len() > RANGES_MAX {
            ranges = merged(ranges);
        }
    }
    Ok((next == to.0).then(|| merged(ranges)))
}

/// The ranges in order, none touching another.
fn merged(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut kept = Ranges::with_capacity(ranges.len());
    for (first, last) in ranges {
        match kept.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            Some(_) | None => kept.push((first, last)),
        }
    }
    kept
}

/// For each class its id and number of ranges; for each range how far it begins behind the end of the
/// one before, and how many rows it has beyond one.
fn pack(classes: BTreeMap<i64, Ranges>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (class_id, ranges) in classes {
        let ranges = merged(ranges);
        put(&mut bytes, class_id.cast_unsigned());
        put(&mut bytes, ranges.len() as u64);
        let mut end = 0_i64;
        for (first, last) in ranges {
            put(&mut bytes, first.wrapping_sub(end).cast_unsigned());
            put(&mut bytes, last.wrapping_sub(first).cast_unsigned());
            end = last;
        }
    }
    bytes
}

fn unpack(mut bytes: &[u8], class_id: i64, into: &mut Ranges) -> Option<()> {
    while !bytes.is_empty() {
        let is_wanted = take(&mut bytes)?.cast_signed() == class_id;
        let count = take(&mut bytes)?;
        let mut end = 0_i64;
        for _ in 0..count {
            let first = end.wrapping_add(take(&mut bytes)?.cast_signed());
            end = first.checked_add(take(&mut bytes)?.cast_signed()).filter(|&end| end >= first)?;
            if is_wanted {
                into.push((first, end));
            }
        }
    }
    Some(())
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

    proptest! {
        #[test]
        fn touched_rows_come_back(
            rows in prop::collection::vec((1..4_i64, prop_oneof![1..40_i64, any::<i64>()]), 0..80),
        ) {
            let touched = Touched::default();
            for &(class_id, row_id) in &rows {
                touched.add(class_id, row_id);
            }
            let packed = pack(touched.0.lock().unwrap().classes.clone());
            for class_id in 1..4 {
                let mut ranges = Ranges::new();
                prop_assert!(unpack(&packed, class_id, &mut ranges).is_some());
                let is_in = |id: i64| ranges.iter().any(|range| (range.0..=range.1).contains(&id));
                for &(class, row_id) in &rows {
                    prop_assert!(class != class_id || is_in(row_id));
                }
                let count: i128 =
                    ranges.iter().map(|range| i128::from(range.1) - i128::from(range.0) + 1).sum();
                let ids: std::collections::BTreeSet<i64> = rows
                    .iter()
                    .filter(|(class, _)| *class == class_id)
                    .map(|(_, row_id)| *row_id)
                    .collect();
                prop_assert_eq!(count, ids.len() as i128);
            }
        }

        #[test]
        fn other_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut ranges = Ranges::new();
            let read = unpack(&bytes, 1, &mut ranges);
            prop_assert!(read.is_none() || ranges.iter().all(|range| range.0 <= range.1));
        }
    }
}
