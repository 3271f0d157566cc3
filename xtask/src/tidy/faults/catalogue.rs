//! The faults found in existing systems that deduplicate requests, each a regression case for us.
//!
//! Invariant: an id never changes its meaning; tests are named after it.
//! Faults of parts that do not exist yet are added with those parts.

/// A part of the project that is finished as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Layer, gateway and embedded store: one click, one payment.
    Gateway,
}

/// The parts whose faults must be covered by tests.
pub(super) const FINISHED_PARTS: &[Part] = &[Part::Gateway];

/// One fault.
pub(super) struct Fault {
    pub(super) id: &'static str,
    pub(super) part: Part,
    /// What goes wrong in systems that have it.
    pub(super) summary: &'static str,
}

const fn gateway(id: &'static str, summary: &'static str) -> Fault {
    Fault { id, part: Part::Gateway, summary }
}

/// All of them, by id.
pub(super) const FAULTS: &[Fault] = &[
    gateway("F01", "look up, execute, store: parallel duplicates all execute"),
    gateway("F02", "the key alone is the identity: one caller gets another's answer"),
    gateway("F03", "the key is part of the fingerprint: the same key with another body executes"),
    gateway("F04", "another payload under a known key silently replays the first answer"),
    gateway("F05", "two keys with the same body are taken for one operation"),
    gateway("F06", "in progress is judged before the fingerprint"),
    gateway("F07", "a lock is taken before the look-up: concurrent replays refuse each other"),
    gateway("F08", "a waiter that gives up deletes the running owner's record"),
    gateway("F09", "a waiter claims again without reading the result again"),
    gateway("F10", "a fixed short wait, then a refusal"),
    gateway("F11", "the lock lives as long as the result: a crash blocks the key for a day"),
    gateway("F12", "the lock never expires: a crash blocks the key for ever"),
    gateway("F13", "the lease is not renewed: a slow upstream is executed twice"),
    gateway("F14", "a late owner overwrites or deletes its successor"),
    gateway("F15", "a failure after the effect deletes the record, and the retry executes again"),
    gateway("F16", "a server error after the effect frees the key"),
    gateway("F17", "a refused connection to the upstream leaves the lock behind"),
    gateway("F18", "the client hangs up, the handler is cancelled and the outcome is lost"),
    gateway("F19", "an answer too large to store is not remembered, and the retry executes again"),
    gateway("F20", "the stored answer is replayed as 200 whatever it was"),
    gateway("F21", "cookies are replayed, repeated headers folded, binary bodies corrupted"),
    gateway("F25", "a claim retried after a lost reply sees itself as a rival and wedges the key"),
    gateway("F26", "errors of the heartbeat are swallowed"),
    gateway("F29", "check-then-act, or executing anyway when the store fails"),
];
