//! Proof from outside that an HTTP API acts once, or a report of where it does not.
//!
//! A [`Plan`] says what is asked of which API and how its effects are counted. [`run()`] carries out the [`checks`] on
//! it, one after another, and gives a [`Report`]. Each check is a subject's row: an id, what has to hold, who says so,
//! and a function that tries it and says [what came out](Verdict). What a check expects where systems differ comes from
//! a [`Profile`].
//!
//! The verifier is tested like what it tests: a [correct API and broken ones](fixture) are part of it, and each check
//! passes on the first and fails on one of the others at least.
//!
//! Invariant: it knows nothing of any implementation, ours included. It sees what a client sees, or, in the upstream
//! view, what the application behind a gateway sees; what it cannot see it calls *not observable*, never a fault.

pub mod call;
pub mod check;
pub mod checks;
pub mod counter;
pub mod fixture;
pub mod plan;
pub mod preflight;
pub mod profile;
pub mod report;
pub mod run;
pub mod sink;
pub mod trial;
pub mod upstream;
pub mod verdict;

mod commands;
mod proxy;
mod random;
mod rehearsal;

pub use check::{Check, Level};
pub use plan::Plan;
pub use profile::Profile;
pub use report::Report;
pub use run::{Run, run};
pub use verdict::Verdict;
