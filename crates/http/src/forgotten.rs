//! Keys for which nothing is on record, and that may stand for something all the same.
//!
//! Judged after the look-up, so that what is on record stands, however old its key is.

use onlyonce_core::{Timestamp, time::CLOCKS_APART};
use onlyonce_ledger::{Ledger, begin::Leader};

use crate::{rules::Late, search::Keyed};

/// Why a key may stand for something that nobody remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// It was made longer ago than keys are remembered, by its own word.
    Aged,
    /// The ledger was restored to an earlier state, and the key may have been used after that state.
    Restored,
}

/// What is to be feared of the key that `leader` would claim.
pub(crate) fn why(keyed: &Keyed, leader: &Leader, ledger: &Ledger) -> Option<Forgotten> {
    let (now, kept) = (ledger.now(), keyed.rules.policy.retain_key);
    let birth = keyed.birth(now);
    let aged = |born: Timestamp| keyed.rules.late == Late::RefuseDated && born.plus(kept) < now;
    if leader.is_first() && birth.is_some_and(aged) {
        return Some(Forgotten::Aged);
    }
    let restored = leader.forgotten_before()?;
    // What was lost would have ended by then; as all that is kept, not because a clock has jumped.
    let lasts = ledger.retention_now() <= restored.plus(kept);
    let may_be_older = match birth {
        Some(born) => born < restored.plus(CLOCKS_APART),
        None => keyed.rules.refuses_undated(),
    };
    (lasts && may_be_older).then_some(Forgotten::Restored)
}
