//! The probe: asks the upstream what became of an operation whose outcome is unknown, and settles it by the answer.
//!
//! Invariant: a probe decides nothing that an operator could not. It names the state and fence that it saw, and says *not
//! applied* only once `settle_after` has passed since the attempt's last chance to send; `decide` holds it to both. It
//! asks by the operation's own name, so one caller's operation cannot answer for another's.
//!
//! What is to be asked is read from the ledger, page by page, so a restart changes nothing; what is remembered of a record
//! ([`diary`]) only makes its next question later. Nobody's request waits for a probe.

mod circuit;
mod diary;
mod question;
mod reading;
mod rounds;

pub(crate) use question::questions;
pub(crate) use rounds::Prober;
