//! Differences of two lists, as indices.
//!
//! Invariant: taking the elements at `deletions` (indices in the first list) away and putting those of
//! the second list at `insertions` (indices there) in gives the second list. What has moved is taken
//! away and put in; as few as possible are, among those that are not on both sides more than once.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Positions one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRange {
    /// The first.
    pub start: usize,
    /// How many, 1 at least.
    pub length: usize,
}

/// What has changed in a list. All ranges ascend with a gap in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListChanges {
    /// In the list before: what is no longer there, or elsewhere.
    pub deletions: Vec<IndexRange>,
    /// In the list after: what was not there, or elsewhere.
    pub insertions: Vec<IndexRange>,
    /// In the list after: what is still there and differs.
    pub modifications: Vec<IndexRange>,
    /// The same, in the list before.
    pub old_modifications: Vec<IndexRange>,
}

impl ListChanges {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        let Self { deletions, insertions, modifications, old_modifications } = self;
        deletions.is_empty()
            && insertions.is_empty()
            && modifications.is_empty()
            && old_modifications.is_empty()
    }
}

/// Ascending indices as ranges.
pub(super) fn ranges_of(indices: impl IntoIterator<Item = usize>) -> Vec<IndexRange> {
    let mut ranges: Vec<IndexRange> = Vec::new();
    for index in indices {
        match ranges.last_mut() {
            Some(last) if last.start + last.length == index => last.length += 1,
            Some(_) | None => ranges.push(IndexRange { start: index, length: 1 }),
        }
    }
    ranges
}

/// What two lists have in common, and what not; all indices ascend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    /// In the first list.
    pub(super) deleted: Vec<usize>,
    /// In the second.
    pub(super) inserted: Vec<usize>,
    /// Index in the first list, and in the second, of what is in both.
    pub(super) kept: Vec<(usize, usize)>,
}

/// What one ascending list has that another does not, and the reverse: indices in the first, and in the
/// second. Elements that are `reborn` are others although they are equal.
pub(super) fn diff_ascending(
    old: &[i64],
    new: &[i64],
    reborn: impl Fn(i64) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    let (mut deleted, mut inserted) = (Vec::new(), Vec::new());
    let (mut at_old, mut at_new) = (0, 0);
    loop {
        match (old.get(at_old), new.get(at_new)) {
            (None, None) => return (deleted, inserted),
            (Some(a), Some(b)) if a == b => {
                if reborn(*a) {
                    deleted.push(at_old);
                    inserted.push(at_new);
                }
                (at_old, at_new) = (at_old + 1, at_new + 1);
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                deleted.push(at_old);
                at_old += 1;
            }
            (_, _) => {
                inserted.push(at_new);
                at_new += 1;
            }
        }
    }
}

/// The difference of two lists that have no element twice. Elements that are `reborn` are others
/// although they are equal.
pub(super) fn diff<T: Copy + Eq + Hash>(old: &[T], new: &[T], reborn: impl Fn(T) -> bool) -> Diff {
    let is_kept = |(a, b): &(&T, &T)| a == b && !reborn(**a);
    let prefix = old.iter().zip(new).take_while(is_kept).count();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(is_kept).count();
    let old_middle = &old_rest[..old_rest.len() - suffix];
    let new_middle = &new_rest[..new_rest.len() - suffix];
    let places: FxHashMap<T, usize> =
        old_middle.iter().enumerate().map(|(index, &element)| (element, index)).collect();
    let both = new_middle.iter().enumerate().filter_map(|(index, element)| {
        let place = places.get(element).filter(|_| !reborn(*element))?;
        Some((*place + prefix, index + prefix))
    });
    let middle = longest_ascending(&both.collect::<Vec<_>>());
    let kept_before = (0..prefix).map(|index| (index, index));
    let (old_end, new_end) = (old.len() - suffix, new.len() - suffix);
    let kept_after = (0..suffix).map(|index| (old_end + index, new_end + index));
    let kept: Vec<(usize, usize)> = kept_before.chain(middle).chain(kept_after).collect();
    Diff {
        deleted: gaps(kept.iter().map(|pair| pair.0), old.len()),
        inserted: gaps(kept.iter().map(|pair| pair.1), new.len()),
        kept,
    }
}

/// The numbers below `end` that are not among ascending ones.
fn gaps(kept: impl Iterator<Item = usize>, end: usize) -> Vec<usize> {
    let (mut gaps, mut next) = (Vec::new(), 0);
    for index in kept.chain([end]) {
        gaps.extend(next..index);
        next = index + 1;
    }
    gaps
}

/// A longest selection of the pairs, whose second numbers ascend, in which the first do too.
fn longest_ascending(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    if pairs.windows(2).all(|two| two[0].0 < two[1].0) {
        return pairs.to_vec();
    }
    // Where the best selection of each length ends so far, and what comes before each pair.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, pair) in pairs.iter().enumerate() {
        // Most often it is behind all others.
        let is_last = ends.last().is_none_or(|&end| pairs[end].0 < pair.0);
        let length =
            if is_last { ends.len() } else { ends.partition_point(|&end| pairs[end].0 < pair.0) };
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut selected = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        selected.push(pairs[at]);
        next = before[at];
    }
    selected.reverse();
    selected
}

/// Makes each element one of a kind, by how many equal ones stand before it.
pub(super) fn numbered<T: Copy + Eq + Hash>(elements: &[T]) -> Vec<(T, u32)> {
    let mut seen: FxHashMap<T, u32> = FxHashMap::default();
    let number = |&element: &T| {
        let count = seen.entry(element).or_default();
        *count += 1;
        (element, *count)
    };
    elements.iter().map(number).collect()
}

/// Takes what was deleted and inserted in the same place for modified: pairs of old and new index,
/// which leave `deleted` and `inserted`.
pub(super) fn pair_replaced(diff: &mut Diff, lengths: (usize, usize)) -> Vec<(usize, usize)> {
    let mut replaced = Vec::new();
    let (mut old, mut new) = (0, 0);
    for &(old_kept, new_kept) in diff.kept.iter().chain([&lengths]) {
        replaced.extend((old..old_kept).zip(new..new_kept));
        (old, new) = (old_kept + 1, new_kept + 1);
    }
    let mut at = replaced.iter().map(|pair| pair.0).peekable();
    diff.deleted.retain(|index| at.next_if_eq(index).is_none());
    let mut at = replaced.iter().map(|pair| pair.1).peekable();
    diff.inserted.retain(|index| at.next_if_eq(index).is_none());
    replaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn applied<T: Copy>(old: &[T], new: &[T], diff: &Diff) -> Vec<T> {
        let kept = (0..old.len()).filter(|index| !diff.deleted.contains(index));
        let mut list: Vec<T> = kept.map(|index| old[index]).collect();
        for &index in &diff.inserted {
            list.insert(index, new[index]);
        }
        list
    }

    /// The length of the longest common subsequence.
    fn longest(old: &[u8], new: &[u8]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for element in old {
            let mut diagonal = 0;
            for (at, other) in new.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if element == other { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    fn unique() -> impl Strategy<Value = Vec<u8>> {
        Just((0..12_u8).collect::<Vec<_>>())
            .prop_shuffle()
            .prop_flat_map(|all| (0..all.len()).prop_map(move |length| all[..length].to_vec()))
    }

    proptest! {
        #[test]
        fn a_diff_leads_from_one_list_to_the_other_and_moves_little(
            old in unique(), new in unique(), reborn in 0..24_u8,
        ) {
            let diff = diff(&old, &new, |element| element == reborn);
            prop_assert_eq!(applied(&old, &new, &diff), new.clone());
            prop_assert!(diff.kept.iter().all(|&(a, b)| old[a] == new[b] && old[a] != reborn));
            if !(old.contains(&reborn) && new.contains(&reborn)) {
                prop_assert_eq!(diff.kept.len(), longest(&old, &new));
            }
        }

        #[test]
        fn ascending_lists_are_compared_as_others_are(
            mut old in unique(), mut new in unique(), reborn in 0..24_u8,
        ) {
            old.sort_unstable();
            new.sort_unstable();
            let expected = diff(&old, &new, |element| element == reborn);
            let wide = |list: &[u8]| list.iter().copied().map(i64::from).collect::<Vec<_>>();
            let (deleted, inserted) =
                diff_ascending(&wide(&old), &wide(&new), |row| row == i64::from(reborn));
            prop_assert_eq!((deleted, inserted), (expected.deleted, expected.inserted));
        }

        #[test]
        fn lists_with_equal_elements_are_compared_too(
            old in prop::collection::vec(0..4_u8, 0..12),
            new in prop::collection::vec(0..4_u8, 0..12),
        ) {
            let (a, b) = (numbered(&old), numbered(&new));
            let mut diff = diff(&a, &b, |_| false);
            prop_assert_eq!(applied(&a, &b, &diff), b.clone());
            let replaced = pair_replaced(&mut diff, (old.len(), new.len()));
            // With the replaced ones as they are, all indices are accounted for once.
            let mut of_old: Vec<usize> = diff.deleted.clone();
            of_old.extend(diff.kept.iter().chain(&replaced).map(|pair| pair.0));
            let mut of_new: Vec<usize> = diff.inserted.clone();
            of_new.extend(diff.kept.iter().chain(&replaced).map(|pair| pair.1));
            of_old.sort_unstable();
            of_new.sort_unstable();
            prop_assert_eq!(of_old, (0..old.len()).collect::<Vec<_>>());
            prop_assert_eq!(of_new, (0..new.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_element_that_moves_is_the_only_one_that_is_named() {
        let diff = diff(&[1, 2, 3, 4, 5], &[1, 3, 4, 2, 5], |_| false);
        assert_eq!((diff.deleted, diff.inserted), (vec![1], vec![3]));
    }

    #[test]
    fn an_element_that_is_set_is_replaced() {
        let (old, new) = (numbered(&[1, 2, 3]), numbered(&[1, 9, 3]));
        let mut diff = diff(&old, &new, |_| false);
        assert_eq!(pair_replaced(&mut diff, (3, 3)), [(1, 1)]);
        assert!(diff.deleted.is_empty() && diff.inserted.is_empty());
    }
}
