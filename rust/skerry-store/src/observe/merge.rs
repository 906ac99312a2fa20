//! The results of a sorted query, followed row by row.
//!
//! Invariant: what comes out is what running the query again would give. The rows that were touched are
//! taken out of the list, and those of them that match now are put in where a search by the order of the
//! query finds their places; of the others neither the order nor what it is made of has changed. What
//! rows are sorted by is read for this and not kept. `None` means that the query has to be run again: it
//! does more than sort and limit, or more was touched than that pays for, or what a limit cuts off moves
//! up.

use skerry_query::{Descriptor, Query, SortOrder};

use super::moved::Moved;
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::{contains, count};
use crate::realm::Snapshot;
use crate::sql::StoredPlaces;

/// Touched rows that are followed however few results there are, and however many.
const MERGED_MIN: usize = 256;
const MERGED_MAX: usize = 10_000;

/// For so many results one touched row is followed; if there are more, sorting all costs no more.
const RESULTS_PER_MERGED: usize = 16;

/// Places in a list, ascending, with their rows.
type Places = Vec<(usize, i64)>;

/// Results after a commit.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) rows: Vec<i64>,
    pub(super) moved: Moved,
}

/// What became of the results of a query of which nothing but the `undecided` rows may match otherwise or
/// stand elsewhere.
pub(super) fn merged(
    snapshot: &Snapshot,
    (table, query): (&ClassTable, &Query),
    rows: &[i64],
    undecided: &[(i64, i64)],
) -> Result<Option<Merged>> {
    let (descriptors, limit) = match query.descriptors.split_last() {
        Some((Descriptor::Limit(limit), before)) => {
            (before, usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        Some((Descriptor::Sort(_) | Descriptor::Distinct(_), _)) | None => {
            (query.descriptors.as_slice(), usize::MAX)
        }
    };
    let Some(order) = SortOrder::of(descriptors) else { return Ok(None) };
    let most = (rows.len() / RESULTS_PER_MERGED).clamp(MERGED_MIN, MERGED_MAX);
    if count(undecided) > most as u128 {
        return Ok(None);
    }
    let tables = snapshot.tables();
    let matching = snapshot.read(|connection| {
        tables.matching_row_ids(connection, table, &query.predicate, undecided)
    })?;
    let removed = places(rows, undecided);
    let left = without(rows, &removed);
    let put_in = match snapshot.row_keys(table, &order)? {
        Some(keys) => placed(&left, matching, |row_id| keys.of(row_id))?,
        None => snapshot.read(|connection| {
            let mut places = StoredPlaces::new(tables, connection, table, &order)?;
            placed(&left, matching, |row_id| places.of(row_id))
        })?,
    };
    Ok(joined(&left, put_in, (limit, rows.len() < limit)).map(|(rows, inserted)| {
        let left = rows.len() - inserted.len();
        Merged { rows, moved: Moved { removed, inserted, left } }
    }))
}

/// Where those of the rows stand that are in merged ranges.
pub(super) fn places(rows: &[i64], ranges: &[(i64, i64)]) -> Places {
    if ranges.is_empty() {
        return Vec::new();
    }
    let sieve = Sieve::of(ranges);
    let all = rows.iter().copied().enumerate();
    all.filter(|&(_, row_id)| sieve.may_hold(row_id) && contains(ranges, row_id)).collect()
}

/// Bits for the lowest parts of ids, so that most rows that are not in ranges need not be looked for.
struct Sieve(Vec<u64>);

impl Sieve {
    const BITS: usize = 1 << 16;

    fn of(ranges: &[(i64, i64)]) -> Self {
        if count(ranges) > (Self::BITS / 2) as u128 {
            return Self(vec![u64::MAX; Self::BITS / 64]);
        }
        let mut sieve = Self(vec![0; Self::BITS / 64]);
        for row_id in ranges.iter().flat_map(|&(first, last)| first..=last) {
            let (word, bit) = Self::place(row_id);
            sieve.0[word] |= bit;
        }
        sieve
    }

    fn place(row_id: i64) -> (usize, u64) {
        let [low, high, ..] = row_id.to_le_bytes();
        let place = usize::from(u16::from_le_bytes([low, high]));
        (place / 64, 1 << (place % 64))
    }

    fn may_hold(&self, row_id: i64) -> bool {
        let (word, bit) = Self::place(row_id);
        self.0[word] & bit != 0
    }
}

/// The rows that do not stand at these places, which ascend.
fn without(rows: &[i64], places: &[(usize, i64)]) -> Vec<i64> {
    let mut left = Vec::with_capacity(rows.len() - places.len());
    let mut from = 0;
    for &(place, _) in places {
        left.extend_from_slice(&rows[from..place]);
        from = place + 1;
    }
    left.extend_from_slice(&rows[from..]);
    left
}

/// Rows in the order of their keys, each behind how many of the `left` ones it belongs, which are in
/// that order too.
fn placed<K: Ord>(
    left: &[i64],
    row_ids: Vec<i64>,
    mut key: impl FnMut(i64) -> Result<K>,
) -> Result<Places> {
    let keyed = row_ids.into_iter().map(|row_id| Ok((key(row_id)?, row_id)));
    let mut keyed: Vec<(K, i64)> = keyed.collect::<Result<_>>()?;
    keyed.sort_unstable();
    let mut placed = Vec::with_capacity(keyed.len());
    for wanted in keyed {
        // Always through the same middles, so that what was read for one is there for the next.
        let (mut low, mut high) = (0, left.len());
        while low < high {
            let middle = low.midpoint(high);
            if (key(left[middle])?, left[middle]) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        placed.push((low, wanted.1));
    }
    Ok(placed)
}

/// The rows that were left with others put in, and where those stand; `None` when a limit, to which the
/// rows before came if they were not all there were, lets more in than are known.
fn joined(
    left: &[i64],
    mut put_in: Vec<(usize, i64)>,
    (limit, is_whole): (usize, bool),
) -> Option<(Vec<i64>, Places)> {
    if !is_whole {
        // What belongs behind all that are left may belong behind some that are not known.
        put_in.retain(|&(behind, _)| behind < left.len());
        if left.len() + put_in.len() < limit {
            return None;
        }
    }
    let mut rows = Vec::with_capacity(left.len() + put_in.len());
    let mut inserted = Vec::with_capacity(put_in.len());
    let mut from = 0;
    for (behind, row_id) in put_in {
        rows.extend_from_slice(&left[from..behind]);
        inserted.push((rows.len(), row_id));
        rows.push(row_id);
        from = behind;
    }
    rows.extend_from_slice(&left[from..]);
    rows.truncate(limit);
    inserted.retain(|&(place, _)| place < limit);
    Some((rows, inserted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranges::merged as merged_ranges;

    proptest! {
        #[test]
        fn rows_in_ranges_are_found(
            rows in prop::collection::vec(prop_oneof![0..300_i64, any::<i64>()], 0..60),
            ranges in prop::collection::vec((any::<i64>(), prop_oneof![0..9_i64, Just(i64::MAX)]), 0..9),
            singles in prop::collection::vec(0..300_i64, 0..60),
        ) {
            let wide = ranges.into_iter().map(|(first, more)| (first, first.saturating_add(more)));
            let ranges = merged_ranges(wide.chain(singles.into_iter().map(|row| (row, row))).collect());
            let expected: Vec<(usize, i64)> = rows
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, row)| ranges.iter().any(|range| range.0 <= *row && *row <= range.1))
                .collect();
            prop_assert_eq!(places(&rows, &ranges), expected);
        }

        /// Sorting all of them, with the first `limit` known before, is what it comes to.
        #[test]
        fn what_is_put_in_stands_as_if_all_were_sorted(
            before in prop::collection::vec(0..6_u8, 1..24),
            after in prop::collection::vec((0..24_usize, 0..6_u8), 0..8),
            limit in prop_oneof![Just(usize::MAX), 0..24_usize],
        ) {
            let sorted = |keys: &[u8]| {
                let mut rows: Vec<i64> = (0..).take(keys.len()).collect();
                rows.sort_by_key(|row| keys[usize::try_from(*row).unwrap()]);
                rows.truncate(limit);
                rows
            };
            let mut keys = before.clone();
            let mut touched = Vec::new();
            for (row, key) in after {
                if row < keys.len() {
                    keys[row] = key;
                    touched.push((i64::try_from(row).unwrap(), i64::try_from(row).unwrap()));
                }
            }
            let touched = merged_ranges(touched);
            let old = sorted(&before);
            let removed = places(&old, &touched);
            let left = without(&old, &removed);
            let matching = (0..24).filter(|row| contains(&touched, *row)).collect();
            let key = |row: i64| Ok(keys[usize::try_from(row).unwrap()]);
            let put_in = placed(&left, matching, key).unwrap();
            if let Some((rows, inserted)) = joined(&left, put_in, (limit, old.len() < limit)) {
                prop_assert_eq!(&rows, &sorted(&keys));
                prop_assert_eq!(inserted, places(&rows, &touched));
            } else {
                prop_assert!(left.len() < limit && before.len() >= limit);
            }
        }
    }
}
