//! How long to wait before trying again (sync-engine 4.11; docs/protocol.md 7).
//!
//! The randomness comes from a seed that is handed in, so that a run can be repeated.

use crate::protocol::Backoff;

/// The figures when the server gives no others.
const DEFAULT: Backoff = Backoff { interval_s: 1, max_delay_s: 300, multiplier: 2 };
/// Share of a delay that chance may take away, in percent.
const JITTER_PERCENT: i64 = 25;

/// A small generator of random numbers (splitmix64); not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound`, both included; 0 for a negative bound.
    pub fn up_to(&mut self, bound: i64) -> i64 {
        let choices = u64::try_from(bound).unwrap_or(0).saturating_add(1);
        i64::try_from(self.next() % choices).expect("not above the bound")
    }
}

/// A delay that grows with each failure in a row.
#[derive(Clone, Debug)]
pub struct Delays {
    figures: Backoff,
    next_ms: i64,
}

impl Default for Delays {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl Delays {
    /// Starts with the first interval.
    pub fn new(figures: Backoff) -> Self {
        Self { figures, next_ms: i64::from(figures.interval_s) * 1000 }
    }

    /// Takes over the server's figures; the first interval comes next if they are new.
    pub fn use_figures(&mut self, figures: Backoff) {
        if figures != self.figures {
            *self = Self::new(figures);
        }
    }

    /// The delay after one more failure, in ms, less a random part.
    pub fn next(&mut self, random: &mut Random) -> i64 {
        let longest_ms = i64::from(self.figures.max_delay_s) * 1000;
        let delay_ms = self.next_ms.min(longest_ms);
        let grown_ms = delay_ms.saturating_mul(i64::from(self.figures.multiplier.max(1)));
        self.next_ms = grown_ms.min(longest_ms);
        delay_ms - random.up_to(delay_ms / 100 * JITTER_PERCENT)
    }

    /// Something succeeded: the first interval of the default figures comes next.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_five_minutes_less_a_quarter_at_most() {
        let (mut delays, mut random) = (Delays::default(), Random::new(7));
        for expected_ms in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(|s| s * 1000) {
            let delay_ms = delays.next(&mut random);
            assert!((expected_ms * 3 / 4..=expected_ms).contains(&delay_ms), "{delay_ms}");
        }
        delays.reset();
        assert!((750..=1000).contains(&delays.next(&mut random)));
    }

    #[test]
    fn the_server_can_say_how_long() {
        let (mut delays, mut random) = (Delays::default(), Random::new(7));
        let figures = Backoff { interval_s: 10, max_delay_s: 40, multiplier: 3 };
        for expected_ms in [10_000, 30_000, 40_000] {
            delays.use_figures(figures);
            let delay_ms = delays.next(&mut random);
            assert!((expected_ms * 3 / 4..=expected_ms).contains(&delay_ms), "{delay_ms}");
        }
    }

    #[test]
    fn absurd_figures_neither_overflow_nor_panic() {
        let figures = Backoff { interval_s: u32::MAX, max_delay_s: 0, multiplier: u32::MAX };
        let mut delays = Delays::new(figures);
        assert_eq!(delays.next(&mut Random::new(1)), 0);
        let figures = Backoff { interval_s: u32::MAX, max_delay_s: u32::MAX, multiplier: 0 };
        assert!(Delays::new(figures).next(&mut Random::new(1)) > 0);
    }
}
