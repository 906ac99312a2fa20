//! How a list differs from what it was when it is known which rows may stand elsewhere.
//!
//! Invariant: it says what [`super::diff`] says, with as few rows moved, but looks only at the rows that
//! may have moved and at the runs of others between them. Of what could as well have moved, rows that
//! were touched are taken for it.

use super::diff::{IndexRange, ListChanges};

/// A list in which some rows were taken out of an earlier one and others put in. What is left of the
/// earlier one stands in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Places in the earlier list of the rows that were taken out, ascending, with their rows.
    pub(super) removed: Vec<(usize, i64)>,
    /// Places in the later list of those that were put in, ascending, with their rows.
    pub(super) inserted: Vec<(usize, i64)>,
    /// How many rows were left, and are in the later list: the first ones of those not taken out.
    pub(super) left: usize,
}

/// Rows one behind the other in both lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    old: usize,
    new: usize,
    length: usize,
    was_touched: bool,
}

/// How many rows, and how many of these untouched.
type Weight = (usize, usize);

impl Run {
    fn weight(&self) -> Weight {
        (self.length, if self.was_touched { 0 } else { self.length })
    }
}

impl Moved {
    /// A list that is as it was.
    pub(super) fn nothing(length: usize) -> Self {
        Self { removed: Vec::new(), inserted: Vec::new(), left: length }
    }

    /// The changes that lead from a list of so many rows to one of so many. Rows that are `reborn` are
    /// others although they are equal. Rows at the `dirty` places of the earlier list, which ascend, are
    /// modified if they are still there.
    pub(super) fn changes(
        &self,
        (old_len, new_len): (usize, usize),
        is_reborn: impl Fn(i64) -> bool,
        dirty: &[usize],
    ) -> ListChanges {
        let kept = heaviest_ascending(self.runs(is_reborn));
        let mut changes = ListChanges::default();
        let (mut old, mut new) = (0, 0);
        let mut dirty = dirty.iter().copied().peekable();
        let end = Run { old: old_len, new: new_len, length: 0, was_touched: false };
        for run in kept.iter().chain([&end]) {
            push(&mut changes.deletions, old, run.old);
            push(&mut changes.insertions, new, run.new);
            while dirty.next_if(|&place| place < run.old).is_some() {}
            while let Some(place) = dirty.next_if(|&place| place < run.old + run.length) {
                push(&mut changes.old_modifications, place, place + 1);
                let place = place - run.old + run.new;
                push(&mut changes.modifications, place, place + 1);
            }
            (old, new) = (run.old + run.length, run.new + run.length);
        }
        changes
    }

    /// Everything that is in both lists, by place in the later one.
    fn runs(&self, is_reborn: impl Fn(i64) -> bool) -> Vec<Run> {
        let before = |rows: &[(usize, i64)]| -> Vec<usize> {
            rows.iter().enumerate().map(|(count, &(place, _))| place - count).collect()
        };
        // How many of those that were left stand before each that was taken out or put in.
        let (removed, inserted) = (before(&self.removed), before(&self.inserted));
        let mut cuts: Vec<usize> = removed.iter().chain(&inserted).copied().collect();
        cuts.extend([0, self.left]);
        cuts.retain(|&cut| cut <= self.left);
        cuts.sort_unstable();
        cuts.dedup();
        let left = cuts.windows(2).map(|two| Run {
            old: two[0] + removed.partition_point(|&cut| cut <= two[0]),
            new: two[0] + inserted.partition_point(|&cut| cut <= two[0]),
            length: two[1] - two[0],
            was_touched: false,
        });
        let mut runs: Vec<Run> = left.collect();
        let mut places: Vec<(i64, usize)> =
            self.removed.iter().map(|&(place, row_id)| (row_id, place)).collect();
        places.sort_unstable();
        for &(new, row_id) in &self.inserted {
            let found = places.binary_search_by_key(&row_id, |place| place.0);
            if let Ok(found) = found
                && !is_reborn(row_id)
            {
                let old = places[found].1;
                runs.push(Run { old, new, length: 1, was_touched: true });
            }
        }
        runs.sort_unstable_by_key(|run| run.new);
        runs
    }
}

/// Adds indices to ranges that lie before them.
fn push(ranges: &mut Vec<IndexRange>, start: usize, end: usize) {
    if start == end {
        return;
    }
    match ranges.last_mut() {
        Some(last) if last.start + last.length == start => last.length += end - start,
        Some(_) | None => ranges.push(IndexRange { start, length: end - start }),
    }
}

/// A heaviest selection of runs, which ascend in the later list, that ascend in the earlier one too.
fn heaviest_ascending(runs: Vec<Run>) -> Vec<Run> {
    if runs.windows(2).all(|two| two[0].old < two[1].old) {
        return runs;
    }
    let mut olds: Vec<usize> = runs.iter().map(|run| run.old).collect();
    olds.sort_unstable();
    // By how many runs lie before in the earlier list: the heaviest selection that ends there, and
    // its last run, as a tree of prefixes.
    let mut tree: Vec<(Weight, Option<usize>)> = vec![((0, 0), None); olds.len() + 1];
    let mut before: Vec<Option<usize>> = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let rank = olds.partition_point(|&old| old < run.old);
        let (mut heaviest, mut place) = (tree[0], rank);
        while place > 0 {
            if tree[place].0 > heaviest.0 {
                heaviest = tree[place];
            }
            place &= place - 1;
        }
        let ((length, untouched), last) = heaviest;
        before.push(last);
        let (own_length, own_untouched) = run.weight();
        let weight = (length + own_length, untouched + own_untouched);
        let mut place = rank + 1;
        while place < tree.len() {
            if weight > tree[place].0 {
                tree[place] = (weight, Some(at));
            }
            place += place & place.wrapping_neg();
        }
    }
    let mut next = tree.iter().max_by_key(|(weight, _)| *weight).and_then(|(_, last)| *last);
    let mut selected = Vec::new();
    while let Some(at) = next {
        selected.push(runs[at]);
        next = before[at];
    }
    selected.reverse();
    selected
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::diff::{diff, ranges_of};
    use super::*;

    /// A list, and another in which rows with numbers below `touched` stand anywhere, or not at all.
    fn lists() -> impl Strategy<Value = (Vec<i64>, Vec<i64>, i64)> {
        let shuffled = || {
            let all = Just((0..14_i64).collect::<Vec<_>>()).prop_shuffle();
            (all, 0..15_usize).prop_map(|(all, length)| all[..length].to_vec())
        };
        (shuffled(), shuffled(), 0..8_i64, prop::collection::vec(any::<prop::sample::Index>(), 8))
            .prop_map(|(old, others, touched, places)| {
                let mut new: Vec<i64> = old.iter().copied().filter(|row| *row >= touched).collect();
                let put_in = others.into_iter().filter(|row| *row < touched);
                for (row, place) in put_in.zip(places) {
                    new.insert(place.index(new.len() + 1), row);
                }
                (old, new, touched)
            })
    }

    fn places(list: &[i64], touched: i64) -> Vec<(usize, i64)> {
        let all = list.iter().copied().enumerate();
        all.filter(|(_, row)| *row < touched).collect()
    }

    fn indices(ranges: &[IndexRange]) -> Vec<usize> {
        ranges.iter().flat_map(|range| range.start..range.start + range.length).collect()
    }

    proptest! {
        #[test]
        fn as_little_moves_as_when_all_is_compared(
            (old, mut new, touched) in lists(), reborn in 0..8_i64, cut in 0..6_usize,
            dirty in prop::collection::btree_set(0..14_usize, 0..14),
        ) {
            let left = old.iter().filter(|row| **row >= touched).count();
            // The end of the list is cut off, as LIMIT does.
            let gone: Vec<i64> = new.split_off(new.len() - cut.min(new.len()));
            let left = left - gone.iter().filter(|row| **row >= touched).count();
            let is_reborn = |row: i64| row == reborn && row < touched;
            let moved =
                Moved { removed: places(&old, touched), inserted: places(&new, touched), left };
            let dirty: Vec<usize> = dirty.into_iter().filter(|place| *place < old.len()).collect();
            let changes = moved.changes((old.len(), new.len()), is_reborn, &dirty);
            let expected = diff(&old, &new, is_reborn);
            let (deletions, insertions) =
                (indices(&changes.deletions), indices(&changes.insertions));
            prop_assert_eq!(ranges_of(deletions.clone()), changes.deletions);
            prop_assert_eq!(ranges_of(insertions.clone()), changes.insertions);
            prop_assert_eq!(deletions.len(), expected.deleted.len());
            prop_assert_eq!(insertions.len(), expected.inserted.len());
            let mut list = old.clone();
            for &place in deletions.iter().rev() {
                list.remove(place);
            }
            for &place in &insertions {
                list.insert(place, new[place]);
            }
            prop_assert_eq!(&list, &new);
            // What is modified was at a dirty place, was not taken out and is the same row.
            let still_there: Vec<usize> =
                dirty.into_iter().filter(|place| !deletions.contains(place)).collect();
            let (before, after) =
                (indices(&changes.old_modifications), indices(&changes.modifications));
            prop_assert_eq!(&before, &still_there);
            prop_assert_eq!(ranges_of(before.clone()), changes.old_modifications);
            prop_assert_eq!(ranges_of(after.clone()), changes.modifications);
            prop_assert!(before.iter().zip(&after).all(|(a, b)| old[*a] == new[*b]));
            prop_assert_eq!(before.len(), after.len());
        }
    }

    #[test]
    fn of_two_that_change_places_the_touched_one_has_moved() {
        for (touched, expected) in [(1, (0, 1)), (2, (1, 0))] {
            let old: Vec<i64> = vec![1, 2];
            let place = |list: &[i64]| {
                let place = list.iter().position(|row| *row == touched).unwrap();
                vec![(place, touched)]
            };
            let moved = Moved { removed: place(&old), inserted: place(&[2, 1]), left: 1 };
            let changes = moved.changes((2, 2), |_| false, &[]);
            let found = (changes.deletions[0].start, changes.insertions[0].start);
            assert_eq!(found, expected, "{touched} is touched");
        }
    }
}
