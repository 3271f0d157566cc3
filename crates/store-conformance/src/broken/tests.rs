//! Every broken store fails its case, and every case is failed by a broken store: no check that cannot fail.

use std::collections::BTreeSet;

use super::{ALL, Sound, with};
use crate::{CASES, Outcome, check, memory::Forgetful};

#[tokio::test]
async fn the_memory_store_passes_what_it_can_be_asked() {
    let report = check(&|| Box::<Forgetful>::default()).await;
    report.assert_passed(&[
        "a_shared_clock_is_known_as_it_was_heard",
        "room_for_more_than_there_can_be_is_short",
        "what_was_acknowledged_stands_after_reopening",
        "a_command_that_was_cut_off_is_there_whole_or_not_at_all",
        "time_does_not_run_backwards_over_reopening",
    ]);
}

#[tokio::test]
async fn a_store_without_a_fault_passes_every_case() {
    check(&|| with(|_| Sound)).await.assert_passed(&[]);
}

#[tokio::test]
async fn every_broken_store_fails_the_case_that_is_named_for_it() {
    for broken in ALL {
        let case = CASES.iter().find(|case| case.name == broken.caught_by).expect("it names a case");
        let outcome = case.check((broken.make)()).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "\"{}\": {} {outcome:?}", broken.name, case.name);
    }
}

/// A check that cannot fail is a defect.
#[test]
fn every_case_is_failed_by_a_broken_store() {
    let cases: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    let caught: BTreeSet<_> = ALL.iter().map(|broken| broken.caught_by).collect();
    assert_eq!(cases, caught);
    assert_eq!(CASES.len(), cases.len(), "two cases have the same name");
}
