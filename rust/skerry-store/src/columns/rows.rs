//! Which objects stand at which positions of a cached class.
//!
//! Invariant: positions ascend with `row_id`, and all chunks but the last are full, so that a position
//! is a chunk and a place in it. The position of an object that has been erased stays empty until the
//! class is read anew.

use std::sync::Arc;

use super::CHUNK_ROWS;
use super::budget::{Budget, Reserved};
use super::chunk::TooLarge;
use super::mask::Bits;

/// The rows of one chunk.
#[derive(Debug)]
pub(super) struct RowChunk {
    ids: Ids,
    pub(super) len: usize,
    /// Those that are no more.
    pub(super) dead: Option<Bits>,
    pub(super) dead_count: usize,
    _reserved: Reserved,
}

#[derive(Clone, Debug)]
enum Ids {
    /// One after the other from here.
    From(i64),
    Each(Box<[i64]>),
}

impl RowChunk {
    /// The rows of these ids, ascending.
    pub(super) fn new(ids: &[i64], budget: &Arc<Budget>) -> Result<Self, TooLarge> {
        let is_run = ids.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        let kept = match (is_run, ids.first()) {
            (true, Some(&first)) => Ids::From(first),
            _ => Ids::Each(ids.into()),
        };
        Self::with(kept, ids.len(), None, 0, budget)
    }

    fn with(
        ids: Ids,
        len: usize,
        dead: Option<Bits>,
        dead_count: usize,
        budget: &Arc<Budget>,
    ) -> Result<Self, TooLarge> {
        let of_ids = match &ids {
            Ids::From(_) => 0,
            Ids::Each(ids) => size_of_val(&**ids),
        };
        let bytes = size_of::<Self>() + of_ids + dead.as_ref().map_or(0, Bits::size_bytes);
        let reserved = budget.reserve(bytes).ok_or(TooLarge)?;
        Ok(Self { ids, len, dead, dead_count, _reserved: reserved })
    }

    pub(super) fn id(&self, at: usize) -> i64 {
        match &self.ids {
            Ids::From(first) => first + i64::try_from(at).expect("within a chunk"),
            Ids::Each(ids) => ids[at],
        }
    }

    pub(super) fn is_dead(&self, at: usize) -> bool {
        self.dead.as_ref().is_some_and(|dead| dead.get(at))
    }

    /// The same rows, some of which are no more (true) or are there again.
    pub(super) fn with_dead(
        &self,
        changes: &[(usize, bool)],
        budget: &Arc<Budget>,
    ) -> Result<Self, TooLarge> {
        let mut words = self.dead.as_ref().map_or_else(Vec::new, |dead| dead.words().to_vec());
        words.resize(CHUNK_ROWS / 64, 0);
        for &(at, is_dead) in changes {
            let bit = 1 << (at % 64);
            words[at / 64] = if is_dead { words[at / 64] | bit } else { words[at / 64] & !bit };
        }
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        let dead = (count > 0).then(|| Bits::from_words(words));
        Self::with(self.ids.clone(), self.len, dead, count, budget)
    }

    /// The same rows and more behind them.
    pub(super) fn extended(&self, more: &[i64], budget: &Arc<Budget>) -> Result<Self, TooLarge> {
        let ids: Vec<i64> =
            (0..self.len).map(|at| self.id(at)).chain(more.iter().copied()).collect();
        let mut longer = Self::new(&ids, budget)?;
        (longer.dead, longer.dead_count) = (self.dead.clone(), self.dead_count);
        Ok(longer)
    }

    fn find(&self, id: i64) -> Option<usize> {
        match &self.ids {
            Ids::From(first) => {
                let at = usize::try_from(id.checked_sub(*first)?).ok()?;
                (at < self.len).then_some(at)
            }
            Ids::Each(ids) => ids.binary_search(&id).ok(),
        }
    }
}

/// The position of a row.
pub(super) fn position_of(rows: &[Arc<RowChunk>], id: i64) -> Option<usize> {
    let chunk = rows.partition_point(|chunk| chunk.id(0) <= id).checked_sub(1)?;
    Some(chunk * CHUNK_ROWS + rows[chunk].find(id)?)
}

/// The greatest id that a row has or had.
pub(super) fn last_id(rows: &[Arc<RowChunk>]) -> Option<i64> {
    rows.last().map(|chunk| chunk.id(chunk.len - 1))
}

/// How many positions there are, and how many of them are empty.
pub(super) fn counts(rows: &[Arc<RowChunk>]) -> (usize, usize) {
    rows.iter().fold((0, 0), |(all, dead), chunk| (all + chunk.len, dead + chunk.dead_count))
}
