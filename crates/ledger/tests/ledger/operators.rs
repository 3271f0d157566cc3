//! What people may do with an operation, and what is written down of it.

use std::time::Duration;

use onlyonce_core::{
    OperationRef, Record, Refusal,
    event::{Seen, Verdict},
    record::{Source, StateName, TombstoneCause},
};
use onlyonce_ledger::{audit::Author, operator::Settlement};

use crate::{
    begun::{Begun, CREATED, LOST, begin, refused, replayed, request, result, settled},
    faulty::{Fault, Gate, Write},
};

const APPLIED: Verdict = Verdict::Applied { status: 201 };
const NOT_APPLIED: Verdict = Verdict::NotApplied { forced: false };
const FORCED: Verdict = Verdict::NotApplied { forced: true };

fn ana() -> Author {
    Author::new("ana", "called the bank").unwrap()
}

fn seen(state: StateName, fence: u32) -> Seen {
    Seen { state, fence: onlyonce_core::Fence(fence) }
}

impl Begun {
    async fn unknown_operation(&self) -> OperationRef {
        self.run(&request(1)).await.lose_track(LOST).await.unwrap();
        self.reference(&request(1)).await
    }

    async fn settle(&self, reference: OperationRef, seen: Seen, verdict: Verdict) -> Result<Record, Refusal> {
        let settlement =
            Settlement { by: Source::Operator, seen, verdict, result: result("settled"), author: ana() };
        self.ledger.settle(reference, settlement).await.unwrap()
    }

    async fn forget(&self, reference: OperationRef, seen: Seen) -> Result<Record, Refusal> {
        self.ledger.forget(reference, seen, ana()).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn settled_as_applied_it_is_replayed_and_audited() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    assert_eq!(begun.unknown(), 1);
    begun.settle(reference, seen(StateName::Unknown, 1), APPLIED).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"settled");
    assert_eq!(begun.unknown(), 0);
    let (_, entry) = begun.ledger.audit(None, 10).await.unwrap().entries.remove(0);
    assert_eq!((entry.who.as_str(), entry.why.as_str()), ("ana", "called the bank"));
    assert_eq!(entry.operation_ref, reference.to_string());
    assert_eq!(begun.audit().await, ["settle applied 201: unknown, fence 1 -> completed, fence 1"]);
}

/// Broken off between the store's word and the ledger's books, a settlement left the count of unknowns wrong.
#[tokio::test(start_paused = true)]
async fn a_settlement_goes_on_if_who_asked_for_it_is_gone() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    let gate = Gate::closed();
    begun.store.fail(Write::Complete, Fault::Held(gate.clone()), 1);
    {
        let mut asked = std::pin::pin!(begun.settle(reference, seen(StateName::Unknown, 1), APPLIED));
        tokio::select! {
            biased;
            _ = &mut asked => panic!("the store has not answered"),
            () = begun.store.until_met(Write::Complete, 1) => {}
        }
    }
    assert_eq!(begun.unknown(), 1);
    gate.open();
    begun.store.until_applied(Write::Complete, 1).await;
    settled().await;
    assert_eq!(begun.unknown(), 0);
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"settled");
}

#[test]
fn a_name_and_a_reason_are_something_on_one_line() {
    let long = "x".repeat(101);
    for (who, why, member) in
        [("", "y", "by"), (" ", "y", "by"), ("a\nb", "y", "by"), (&long, "y", "by"), ("x", "\u{7}", "reason")]
    {
        let unsigned = Author::new(who, why).unwrap_err().to_string();
        assert!(unsigned.starts_with(&format!("`{member}` must have 1 to ")), "{who:?}, {why:?}: {unsigned}");
    }
    assert_eq!(Author::new(" ana ", "row 8123\n"), Author::new("ana", "row 8123"));
    assert!(Author::new(&long[1..], "y").is_ok());
}

/// Not applied means no effect, and none to come.
#[tokio::test(start_paused = true)]
async fn not_applied_can_be_said_after_settle_after_or_by_force() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    let unknown = seen(StateName::Unknown, 1);
    begun.store.advance(Duration::from_secs(115));
    assert!(matches!(begun.settle(reference, unknown, NOT_APPLIED).await, Err(Refusal::TooEarly(_))));
    assert_eq!(begun.state(&request(1)).await, "unknown, fence 1");
    begun.store.advance(Duration::from_secs(6));
    begun.settle(reference, unknown, NOT_APPLIED).await.unwrap();
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");

    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    begun.settle(reference, unknown, FORCED).await.unwrap();
    begun.execute(&request(1), "paid").await;
}

/// He studied one fence, and meanwhile it was another.
#[tokio::test(start_paused = true)]
async fn who_decided_about_another_state_or_fence_is_refused_and_nothing_is_audited() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    for stale in [seen(StateName::Unknown, 2), seen(StateName::InProgress, 1)] {
        assert_eq!(begun.settle(reference, stale, APPLIED).await, Err(Refusal::Moved));
        assert_eq!(begun.settle(reference, stale, FORCED).await, Err(Refusal::Moved));
    }
    begun.settle(reference, seen(StateName::Unknown, 1), APPLIED).await.unwrap();
    assert_eq!(begun.settle(reference, seen(StateName::Unknown, 1), FORCED).await, Err(Refusal::NotOpen));
    assert_eq!(begun.forget(reference, seen(StateName::Completed, 2)).await, Err(Refusal::Moved));
    assert_eq!(begun.forget(reference, seen(StateName::Tombstone, 1)).await, Err(Refusal::Moved));
    assert_eq!(begun.audit().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_runs_cannot_be_settled_and_what_is_open_cannot_be_forgotten() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    let reference = begun.reference(&request(1)).await;
    let running = seen(StateName::InProgress, 1);
    assert_eq!(begun.settle(reference, running, APPLIED).await, Err(Refusal::InProgress));
    assert_eq!(begun.settle(reference, running, FORCED).await, Err(Refusal::InProgress));
    assert_eq!(begun.forget(reference, running).await, Err(Refusal::Open));
    attempt.lose_track(LOST).await.unwrap();
    assert_eq!(begun.forget(reference, seen(StateName::Unknown, 1)).await, Err(Refusal::Open));
    attempt.complete(CREATED, result("paid")).await.unwrap();
}

/// Forgetting a result must not free its key.
#[tokio::test(start_paused = true)]
async fn what_is_forgotten_leaves_no_result_and_no_parameters_and_is_never_run_again() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let reference = begun.reference(&request(1)).await;
    let record = begun.forget(reference, seen(StateName::Completed, 1)).await.unwrap();
    assert_eq!(begun.store.body_of(request(1).id).await, None);
    assert_eq!(begun.ledger.parameters(request(1).id, &record), None);
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Gone(TombstoneCause::Forgotten));
    assert_eq!(refused(begun.standing(&crate::begun::other_body(1)).await), Refusal::Mismatch);
    assert_eq!(begun.audit().await, ["forget: completed, fence 1 -> tombstone, fence 1"]);
}

/// A change and its audit entry are one: neither without the other, and neither twice.
#[tokio::test(start_paused = true)]
async fn a_settlement_whose_reply_was_lost_is_done_and_audited_once() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    begun.store.fail(Write::Complete, Fault::ReplyLost, 3);
    begun.settle(reference, seen(StateName::Unknown, 1), APPLIED).await.unwrap();
    assert_eq!(begun.audit().await.len(), 1);
    assert_eq!(begun.unknown(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_is_not_written_is_not_audited() {
    let begun = begin().await;
    let reference = begun.unknown_operation().await;
    let fault = Fault::Refused(onlyonce_ledger::store::ErrorKind::NotApplied);
    begun.store.keep_failing(Write::Complete, fault);
    let settlement = Settlement {
        by: Source::Operator,
        seen: seen(StateName::Unknown, 1),
        verdict: APPLIED,
        result: result("settled"),
        author: ana(),
    };
    begun.ledger.settle(reference, settlement).await.unwrap_err();
    assert_eq!(begun.audit().await, Vec::<String>::new());
    assert_eq!(begun.state(&request(1)).await, "unknown, fence 1");
}

/// The key has begun a new operation since; the old name must not reach it.
#[tokio::test(start_paused = true)]
async fn an_operation_is_not_reached_by_the_name_of_the_one_before() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let old = begun.reference(&request(1)).await;
    begun.store.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(begun.ledger.operation(old).await.unwrap(), None);
    assert_eq!(begun.forget(old, seen(StateName::Completed, 1)).await, Err(Refusal::Absent));
    begun.execute(&request(1), "paid again").await;
    assert_eq!(begun.ledger.operation(old).await.unwrap(), None);
    assert_eq!(begun.forget(old, seen(StateName::Completed, 1)).await, Err(Refusal::Absent));
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid again");
}

#[tokio::test(start_paused = true)]
async fn open_records_are_listed_page_by_page() {
    let begun = begin().await;
    let attempts = (begun.run(&request(1)).await, begun.run(&request(2)).await, begun.run(&request(3)).await);
    attempts.1.lose_track(LOST).await.unwrap();
    begun.execute(&request(4), "paid").await;
    let first = begun.ledger.open_records(None, 2).await.unwrap();
    let second = begun.ledger.open_records(first.next, 2).await.unwrap();
    let names: Vec<_> = first
        .listed
        .iter()
        .chain(&second.listed)
        .map(|listed| (listed.reference.record.0[0], listed.record.state.name().as_str()))
        .collect();
    assert_eq!(names, [(1, "in-progress"), (2, "unknown"), (3, "in-progress")]);
}

/// A full page of rows that cannot be read looked like the end of the list, and hid everybody behind it.
#[tokio::test(start_paused = true)]
async fn a_page_of_which_nothing_can_be_read_is_not_the_last() {
    let begun = begin().await;
    let _attempts = (begun.run(&request(1)).await, begun.run(&request(2)).await);
    let mut row = begun.store.row(request(1).id).await.unwrap().to_vec();
    row.pop();
    begun.store.plant(request(1).id, Some(row.into()));
    let first = begun.ledger.open_records(None, 1).await.unwrap();
    assert!(first.listed.is_empty(), "{first:?}");
    let second = begun.ledger.open_records(first.next, 1).await.unwrap();
    assert_eq!(second.listed[0].reference.record, request(2).id);
    assert_eq!(begun.ledger.open_records(second.next, 1).await.unwrap().next, None);
}
