//! The checks, one file for each subject.

mod apart;
mod broken;
mod crash;
mod delete;
mod down;
mod errors;
mod etag;
mod expiry;
mod failure;
mod forward;
mod hangup;
mod held;
mod key;
mod later;
mod limits;
mod lost;
mod mismatch;
mod overlap;
mod page;
mod put;
mod race;
mod replay;
mod safe;
pub(crate) mod sameness;
mod scope;
mod status;
mod stored;
mod unkeyed;

use crate::check::Check;

pub use page::page;

/// Subjects, in the order in which they are tried: what is cheap and says most comes first.
const SUBJECTS: &[&[Check]] = &[
    replay::CHECKS,
    mismatch::CHECKS,
    key::CHECKS,
    sameness::CHECKS,
    apart::CHECKS,
    unkeyed::CHECKS,
    scope::CHECKS,
    errors::CHECKS,
    race::CHECKS,
    lost::CHECKS,
    hangup::CHECKS,
    failure::CHECKS,
    limits::CHECKS,
    expiry::CHECKS,
    safe::CHECKS,
    put::CHECKS,
    delete::CHECKS,
    etag::CHECKS,
    forward::CHECKS,
    stored::CHECKS,
    overlap::CHECKS,
    broken::CHECKS,
    status::CHECKS,
    down::CHECKS,
    // From here on it may be killed.
    later::CHECKS,
    held::CHECKS,
    crash::CHECKS,
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Check> {
    SUBJECTS.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_have_a_subject() {
        let mut seen = HashSet::new();
        for check in all() {
            assert!(seen.insert(check.id), "{} twice", check.id);
            assert!(
                check.id.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()),
                "{}",
                check.id
            );
            assert!(!check.controls.is_empty(), "{} is failed by no shipped fixture", check.id);
        }
    }
}
