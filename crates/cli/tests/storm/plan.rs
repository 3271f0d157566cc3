//! How hard it storms, from the environment.

use std::hash::{BuildHasher, RandomState};

use crate::chance::Chance;

/// How many kills each window gets; set by `cargo xtask storm`.
const KILLS: &str = "ONLYONCE_STORM_KILLS";
/// The seed of an earlier storm.
const SEED: &str = "ONLYONCE_STORM_SEED";
/// Kills in each window in a run of all tests, which has a minute for them.
const FEW: usize = 3;

/// One storm.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Kills in each window.
    pub(crate) kills: usize,
    seed: u64,
}

impl Plan {
    /// The plan of this run; prints the seed that brings it back.
    #[expect(clippy::print_stdout, reason = "a storm that found something is repeated by its seed")]
    pub(crate) fn of_this_run(name: &str) -> Self {
        let drawn = RandomState::new().hash_one(name);
        let plan = Self { kills: set(KILLS).unwrap_or(FEW), seed: set(SEED).unwrap_or(drawn) };
        println!("{name}: {} kills in each window, {SEED}={}", plan.kills, plan.seed);
        plan
    }

    /// The random numbers for one purpose.
    pub(crate) fn chance(&self, purpose: &str) -> Chance {
        Chance::new(self.seed, purpose)
    }

    /// Rounds tried for the kills of one window; a round whose kill caught nothing does not count.
    pub(crate) fn rounds(&self) -> usize {
        self.kills * 2 + 2
    }
}

#[expect(clippy::disallowed_methods, reason = "the storm is asked for more through its environment")]
fn set<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is not a number")))
}
