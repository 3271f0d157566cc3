//! Random bytes from the operating system: attempt ids, nonces, ledger keys.

use onlyonce_core::AttemptId;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    getrandom::fill(&mut out).expect("the operating system has random bytes");
    out
}

/// A new attempt's name.
pub(crate) fn attempt() -> AttemptId {
    AttemptId(bytes())
}
