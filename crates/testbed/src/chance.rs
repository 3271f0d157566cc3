//! Random numbers for names and jitter, from the seed that the standard library draws for its hash maps.
//!
//! Not for secrets, and not reproducible: the races that use it are not either.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    ops::RangeInclusive,
    time::Duration,
};

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A duration from `range`, both ends included, in steps of a microsecond.
pub(crate) fn duration_in(range: &RangeInclusive<Duration>) -> Duration {
    let span = range.end().saturating_sub(*range.start()).as_micros();
    let steps = u64::try_from(span).unwrap_or(u64::MAX - 1);
    *range.start() + Duration::from_micros(bits() % (steps + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jitter_stays_in_its_range_and_varies() {
        let range = Duration::from_millis(900)..=Duration::from_millis(1100);
        let drawn: Vec<Duration> = (0..200).map(|_| duration_in(&range)).collect();
        assert!(drawn.iter().all(|d| range.contains(d)));
        assert!(drawn.iter().any(|d| *d != drawn[0]));
        let point = Duration::from_millis(5)..=Duration::from_millis(5);
        assert_eq!(duration_in(&point), Duration::from_millis(5));
    }
}
