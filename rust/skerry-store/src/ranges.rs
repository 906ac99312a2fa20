//! Sets of row ids as ranges.
//!
//! Invariant of what [`merged`] gives: ascending, with a gap between one range and the next.

use std::cmp::Ordering;

/// Rows of one class, as ranges of ids with both ends in them.
pub(crate) type Ranges = Vec<(i64, i64)>;

/// The ranges in order, none touching another.
pub(crate) fn merged(mut ranges: Ranges) -> Ranges {
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

/// Whether merged ranges hold a row.
pub(crate) fn contains(ranges: &[(i64, i64)], row_id: i64) -> bool {
    let found = ranges.binary_search_by(|&(first, last)| {
        if last < row_id {
            Ordering::Less
        } else if first > row_id {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    });
    found.is_ok()
}

/// What two sets of merged ranges have in common.
pub(crate) fn common(left: &[(i64, i64)], right: &[(i64, i64)]) -> Ranges {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut common = Ranges::new();
    while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
        let (first, last) = (a.0.max(b.0), a.1.min(b.1));
        if first <= last {
            common.push((first, last));
        }
        if a.1 < b.1 {
            left.next();
        } else {
            right.next();
        }
    }
    common
}

/// How many rows there are.
pub(crate) fn count(ranges: &[(i64, i64)]) -> u128 {
    ranges.iter().map(|range| u128::from(range.1.abs_diff(range.0)) + 1).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of_rows(rows: impl IntoIterator<Item = i64>) -> Ranges {
        merged(rows.into_iter().map(|row_id| (row_id, row_id)).collect())
    }

    fn rows() -> impl Strategy<Value = BTreeSet<i64>> {
        prop::collection::btree_set(prop_oneof![0..20_i64, Just(i64::MAX), Just(i64::MIN)], 0..12)
    }

    proptest! {
        #[test]
        fn ranges_are_sets(left in rows(), right in rows()) {
            let (a, b) = (of_rows(left.iter().copied()), of_rows(right.iter().copied()));
            prop_assert_eq!(count(&a), left.len() as u128);
            let both = common(&a, &b);
            for row_id in (0..20).chain([i64::MIN, i64::MAX]) {
                prop_assert_eq!(contains(&a, row_id), left.contains(&row_id));
                let is_in_both = left.contains(&row_id) && right.contains(&row_id);
                prop_assert_eq!(contains(&both, row_id), is_in_both);
            }
            let union: Ranges = a.into_iter().chain(b).collect();
            prop_assert_eq!(merged(union), of_rows(left.union(&right).copied()));
        }
    }
}
