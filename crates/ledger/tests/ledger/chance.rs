//! What a random history is made of.

use std::sync::atomic::{AtomicU64, Ordering};

use onlyonce_ledger::store::ErrorKind;

use crate::faulty::{Fault, Met, Write};

/// Numbers that look random and are the same for the same seed (xorshift64*).
#[derive(Debug)]
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// Below `bound`, which is not zero.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut state = self.0.load(Ordering::Relaxed);
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.store(state, Ordering::Relaxed);
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    /// Refused for its content is only what has some: a store that refuses any other row once refuses it always.
    pub(crate) fn fault(&self, met: &[Met]) -> Fault {
        match self.below(5) {
            0 => Fault::ReplyLost,
            1 => Fault::Ghost,
            2 => Fault::Refused(ErrorKind::Unknown),
            3 if met.iter().all(|met| met.write == Write::Complete) => Fault::Refused(ErrorKind::Content),
            _ => Fault::Refused(ErrorKind::NotApplied),
        }
    }
}
