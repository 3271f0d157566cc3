//! Random numbers that a seed brings back: SplitMix64 (Steele, Lea, Flood: Fast splittable generators, 2014).

use std::time::Duration;

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The source for one purpose of one seed; two purposes are unrelated.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a, which spreads short texts well enough for a seed.
        let mixed = purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mixed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits");
        usize::try_from(self.bits() % bound).expect("less than a usize")
    }

    /// Once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Less than `bound`, in steps of a microsecond.
    pub(crate) fn time_below(&mut self, bound: Duration) -> Duration {
        let steps = usize::try_from(bound.as_micros()).expect("a short time");
        Duration::from_micros(u64::try_from(self.below(steps)).expect("a usize fits"))
    }
}
