//! How much memory the columns of one open file may take.
//!
//! Invariant: what is counted never exceeds the limit. Memory is reserved before it is kept, by whoever
//! makes a part, and given back when the last one who holds the part lets it go: a part that only an old
//! snapshot still holds is counted too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit and what is taken of it, in bytes.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    taken: AtomicUsize,
    /// The most that was ever taken.
    peak: AtomicUsize,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(max_bytes: usize) -> Arc<Self> {
        let (taken, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { limit: max_bytes, taken, peak })
    }

    /// Takes a part; `None` when it would exceed the limit.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reserved> {
        let more =
            |taken: usize| taken.checked_add(bytes).filter(|&together| together <= self.limit);
        let before = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        self.peak.fetch_max(before + bytes, Ordering::AcqRel);
        Some(Reserved { budget: Arc::clone(self), bytes })
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.limit
    }

    pub(super) fn taken_bytes(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    pub(super) fn peak_bytes(&self) -> usize {
        self.peak.load(Ordering::Acquire)
    }
}

impl Reserved {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back_and_never_more_than_there_is() {
        let budget = Budget::new(10);
        let seven = budget.reserve(7).unwrap();
        assert!(budget.reserve(4).is_none() && budget.reserve(usize::MAX).is_none());
        let three = budget.reserve(3).unwrap();
        assert_eq!((budget.taken_bytes(), three.bytes()), (10, 3));
        drop(seven);
        assert_eq!((budget.taken_bytes(), budget.peak_bytes()), (3, 10));
    }
}
