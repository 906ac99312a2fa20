//! Rows of a class, by their ids: what a query gives before anything of an object is read.
//!
//! Invariant: the order is that of the result, and no row is named twice. Slices share what they are
//! slices of. Whether the rows exist is the business of whoever reads them.

use std::sync::Arc;

/// Rows of a class in the order of a result. Cheap to clone and to slice.
#[derive(Clone, Debug)]
pub struct Rows {
    source: Source,
    /// Place in the source of the first row; of no meaning when there is none.
    start: usize,
    step: isize,
    len: usize,
}

#[derive(Clone, Debug)]
enum Source {
    /// One after the other from here.
    From(i64),
    /// Ascending.
    Ascending(Arc<[i64]>),
    /// In any order.
    Each(Arc<[i64]>),
}

impl Rows {
    /// The rows from `first` on, one after the other.
    pub(crate) fn run(first: i64, len: usize) -> Self {
        Self { source: Source::From(first), start: 0, step: 1, len }
    }

    /// These rows, in this order.
    pub(crate) fn each(ids: Vec<i64>) -> Self {
        let is_run = ids.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        if let (true, Some(&first)) = (is_run, ids.first()) {
            return Self::run(first, ids.len());
        }
        let len = ids.len();
        let is_ascending = ids.is_sorted();
        let ids = Arc::from(ids);
        let source = if is_ascending { Source::Ascending(ids) } else { Source::Each(ids) };
        Self { source, start: 0, step: 1, len }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row at a place, from 0 on.
    pub fn get(&self, at: usize) -> Option<i64> {
        (at < self.len).then(|| self.id(at))
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len).map(|at| self.id(at))
    }

    /// The rows in order, so many at a time.
    pub fn blocks(&self, max_rows: usize) -> impl Iterator<Item = Vec<i64>> + '_ {
        let max_rows = max_rows.max(1);
        let starts = (0..self.len).step_by(max_rows);
        starts.map(move |start| self.slice(start, 1, max_rows).iter().collect())
    }

    /// `len` rows at most: that at `start`, and then those `step` places on. What is out of range is
    /// left out.
    #[must_use]
    pub fn slice(&self, start: usize, step: isize, len: usize) -> Self {
        let room = match (self.len.checked_sub(start), step.unsigned_abs()) {
            (None | Some(0), _) => 0,
            (Some(_), 0) => 1,
            (Some(left), wide) if step > 0 => left.div_ceil(wide),
            (Some(_), wide) => start / wide + 1,
        };
        let len = len.min(room);
        if len == 0 {
            return Self { source: self.source.clone(), start: 0, step: 1, len };
        }
        // A step of a slice of two rows or more is smaller than the source, so the product fits.
        let step = if len == 1 { 1 } else { self.step * step };
        Self { source: self.source.clone(), start: self.place(start), step, len }
    }

    /// Where a row stands in the order, if it is one of these.
    pub fn position(&self, id: i64) -> Option<usize> {
        let place = match &self.source {
            Source::From(first) => usize::try_from(id.checked_sub(*first)?).ok()?,
            Source::Ascending(ids) => ids.binary_search(&id).ok()?,
            Source::Each(_) => return self.iter().position(|each| each == id),
        };
        let wide = self.step.unsigned_abs();
        let distance = if self.step > 0 {
            place.checked_sub(self.start)?
        } else {
            self.start.checked_sub(place)?
        };
        let at = distance / wide;
        (distance % wide == 0 && at < self.len).then_some(at)
    }

    /// Whether the rows stand in the order of insertion.
    pub fn is_ascending(&self) -> bool {
        self.len < 2 || (self.step > 0 && !matches!(self.source, Source::Each(_)))
    }

    fn id(&self, at: usize) -> i64 {
        let place = self.place(at);
        match &self.source {
            Source::From(first) => first.wrapping_add(place.cast_signed() as i64),
            Source::Ascending(ids) | Source::Each(ids) => ids[place],
        }
    }

    /// The place in the source of one of the rows.
    fn place(&self, at: usize) -> usize {
        self.start.wrapping_add_signed(at.cast_signed().wrapping_mul(self.step))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Python's slices do, on a list.
    fn sliced(ids: &[i64], start: usize, step: isize, len: usize) -> Vec<i64> {
        let mut found = Vec::new();
        let mut at = start.cast_signed();
        while found.len() < len && at >= 0 && at.unsigned_abs() < ids.len() {
            found.push(ids[at.unsigned_abs()]);
            if step == 0 {
                break;
            }
            at = at.saturating_add(step);
        }
        found
    }

    fn ids() -> impl Strategy<Value = Vec<i64>> {
        let any = prop::collection::hash_set(-40i64..40, 0..30)
            .prop_map(|ids| ids.into_iter().collect::<Vec<_>>());
        let ascending = prop::collection::btree_set(-40i64..40, 0..30)
            .prop_map(|ids| ids.into_iter().collect::<Vec<_>>());
        let run = (-9i64..9, 0i64..30).prop_map(|(first, len)| (first..first + len).collect());
        prop_oneof![any, ascending, run]
    }

    fn step() -> impl Strategy<Value = isize> {
        prop_oneof![-7isize..8, Just(isize::MIN), Just(isize::MAX)]
    }

    proptest! {
        #[test]
        fn slices_of_slices_are_those_of_a_list(
            ids in ids(),
            slices in prop::collection::vec((0usize..35, step(), 0usize..35), 0..4),
        ) {
            let mut rows = Rows::each(ids.clone());
            let mut list = ids;
            for (start, step, len) in slices {
                rows = rows.slice(start, step, len);
                list = sliced(&list, start, step, len);
            }
            prop_assert_eq!(rows.iter().collect::<Vec<_>>(), list.clone());
            prop_assert_eq!(rows.len(), list.len());
            for id in -45..45 {
                let at = list.iter().position(|&each| each == id);
                prop_assert_eq!(rows.position(id), at, "{}", id);
            }
            prop_assert_eq!(rows.get(list.len()), None);
            prop_assert_eq!(rows.blocks(4).flatten().collect::<Vec<_>>(), list.clone());
            if rows.is_ascending() {
                prop_assert!(list.is_sorted());
            }
        }
    }
}
