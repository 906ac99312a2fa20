//! Which rows of a chunk are selected: a bit for each.
//!
//! Invariant: bits behind the last row of the chunk are never set.

use super::CHUNK_ROWS;

const WORDS: usize = CHUNK_ROWS / 64;

/// A bit for each row of a chunk.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    words: Box<[u64]>,
}

/// Bits of a chunk that is being made, or of which few have any.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    words: Box<[u64]>,
}

impl Bits {
    pub(super) fn from_words(words: Vec<u64>) -> Self {
        Self { words: words.into_boxed_slice() }
    }

    pub(super) fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

impl Mask {
    /// The first `len` rows of a chunk.
    pub(super) fn first(len: usize) -> Self {
        let mut mask = Self { words: vec![0; WORDS].into_boxed_slice() };
        mask.select_first(len);
        mask
    }

    pub(super) fn select_first(&mut self, len: usize) {
        for (at, word) in self.words.iter_mut().enumerate() {
            *word = match len.saturating_sub(at * 64) {
                0 => 0,
                rest @ 1..64 => (1 << rest) - 1,
                _ => u64::MAX,
            };
        }
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub(super) fn without(&mut self, bits: &Bits) {
        for (word, other) in self.words.iter_mut().zip(bits.words()) {
            *word &= !other;
        }
    }

    pub(super) fn remove(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    pub(super) fn keep_all_of(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Keeps of the selected rows those that `nulls` has, or those that it has not.
    pub(super) fn keep_nulls(&mut self, nulls: Option<&Bits>, keep: Keep) {
        match (nulls, keep) {
            (Some(bits), Keep { nulls: true, others: false }) => {
                let others = std::iter::repeat(&0);
                for (word, other) in self.words.iter_mut().zip(bits.words().iter().chain(others)) {
                    *word &= other;
                }
            }
            (Some(bits), Keep { nulls: false, others: true }) => self.without(bits),
            (None, Keep { nulls: true, others: false })
            | (_, Keep { nulls: false, others: false }) => self.clear(),
            (None, Keep { nulls: false, others: true })
            | (_, Keep { nulls: true, others: true }) => {}
        }
    }

    /// Keeps the selected rows whose value passes; null ones as `null_matches` says.
    pub(super) fn keep_values<T: Copy>(
        &mut self,
        values: &[T],
        nulls: Option<&Bits>,
        null_matches: bool,
        test: impl Fn(T) -> bool,
    ) {
        let mut blocks = values.chunks(64);
        for (at, word) in self.words.iter_mut().enumerate() {
            let Some(block) = blocks.next() else { break };
            if *word == 0 {
                continue;
            }
            let mut passed = pack(block, &test);
            if let Some(&null) = nulls.and_then(|nulls| nulls.words().get(at)) {
                passed = if null_matches { passed | null } else { passed & !null };
            }
            *word &= passed;
        }
    }

    /// Keeps the selected rows whose number passes.
    pub(super) fn keep(&mut self, mut test: impl FnMut(usize) -> bool) {
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if !test(at * 64 + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    pub(super) fn set(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// The selected rows, ascending, until `visit` wants no more.
    pub(super) fn visit(&self, mut visit: impl FnMut(usize) -> bool) -> bool {
        for (at, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if !visit(at * 64 + bit) {
                    return false;
                }
            }
        }
        true
    }
}

/// Which rows of a column stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub(super) nulls: bool,
    pub(super) others: bool,
}

/// A bit for each value that passes. The tests of a whole block are made first, side by side, and then
/// gathered eight bits at a time: the compiler makes vector code of that.
fn pack<T: Copy>(block: &[T], test: &impl Fn(T) -> bool) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let Ok(block) = <&[T; 64]>::try_from(block) else {
        let bits = block.iter().enumerate();
        return bits.fold(0, |word, (at, &value)| word | u64::from(test(value)) << at);
    };
    let mut passed = [0_u8; 64];
    for (passed, &value) in passed.iter_mut().zip(block) {
        *passed = u8::from(test(value));
    }
    let mut word = 0;
    for (at, eight) in passed.as_chunks::<8>().0.iter().enumerate() {
        word |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (at * 8);
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_kept_one_by_one(
            values in prop::collection::vec(-3..3_i8, 0..CHUNK_ROWS), bound in -3..3_i8,
        ) {
            let mut mask = Mask::first(values.len());
            mask.keep_values(&values, None, false, |value| value < bound);
            let mut kept = Vec::new();
            mask.visit(|at| { kept.push(at); true });
            let wanted: Vec<usize> = (0..values.len()).filter(|&at| values[at] < bound).collect();
            prop_assert_eq!(mask.count(), wanted.len());
            prop_assert_eq!(kept, wanted);
        }
    }
}
