//! The table of cases, and the entry that runs it.
//!
//! A case's name is its function's name, and the claim that it tests. Each has a place of its own and a bounded time.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::{Applied, Command, Store};

use crate::{
    place::{BoxFuture, Place, Subject},
    report::{Outcome, Report, Stop},
};

mod audit;
mod batch;
mod clock;
mod durable;
mod expiry;
mod identity;
mod insert;
mod open;
mod read;
mod result;
mod unreadable;
mod update;

/// Longest that a case may take.
const CASE_LIMIT: Duration = Duration::from_secs(60);

type Ending = Result<(), Stop>;

/// A claim about a store, and how it is tested.
pub struct Case {
    /// The claim.
    pub name: &'static str,
    run: for<'a> fn(&'a mut Subject) -> BoxFuture<'a, Ending>,
}

macro_rules! cases {
    ($($topic:ident { $($claim:ident),* $(,)? })*) => {
        &[$($(Case { name: stringify!($claim), run: |subject| Box::pin($topic::$claim(subject)) }),*),*]
    };
}

/// All cases.
pub const CASES: &[Case] = cases! {
    insert {
        an_insert_applies_only_where_no_row_stands,
        a_conflict_answers_with_the_row_that_stands,
        of_64_concurrent_inserts_of_one_record_one_applies,
    }
    update {
        an_update_needs_the_exact_version,
        an_update_of_an_absent_row_conflicts,
        a_renewal_after_completion_loses,
        the_last_acknowledged_write_of_a_record_stands,
    }
    batch {
        a_full_batch_is_applied,
        a_conflict_hinders_no_other_command_of_its_batch,
        answers_come_in_the_order_of_the_commands,
        a_row_that_cannot_be_read_again_is_refused_with_its_whole_batch,
        a_write_that_was_not_applied_is_not_there,
    }
    read {
        what_was_acknowledged_is_read_at_once,
        heads_answer_in_the_order_they_were_asked,
    }
    unreadable {
        an_unreadable_row_is_a_conflict_and_never_absent,
        an_unreadable_row_survives_every_sweep,
    }
    result {
        a_result_is_put_kept_and_removed_as_the_command_says,
        a_result_changes_only_with_its_row,
        a_large_result_comes_back_byte_for_byte,
    }
    expiry {
        an_open_row_survives_every_sweep,
        a_sweep_goes_by_the_time_it_is_given,
        a_sweep_removes_a_row_with_its_result,
        a_sweep_keeps_to_its_limit,
        a_new_claim_over_an_expired_row_survives_a_sweep,
    }
    open {
        open_rows_come_once_each_in_order_page_by_page,
        a_row_is_listed_as_open_exactly_while_it_is,
        rows_of_every_kind_come_once_each_in_order_page_by_page,
        a_store_is_empty_only_without_any_row,
    }
    identity {
        the_identity_is_replaced_only_if_it_stands,
        of_16_concurrent_identities_one_stands,
    }
    audit {
        the_audit_reads_newest_first_page_by_page,
        an_entry_is_written_only_with_its_command,
    }
    clock {
        time_does_not_run_backwards,
        a_shared_clock_is_known_as_it_was_heard,
        a_store_with_space_has_room,
        room_for_more_than_there_can_be_is_short,
    }
    durable {
        what_was_acknowledged_stands_after_reopening,
        a_command_that_was_cut_off_is_there_whole_or_not_at_all,
        time_does_not_run_backwards_over_reopening,
    }
};

/// Runs every case, each with a place of its own from `make`.
///
/// Needs a tokio runtime with time. Says nothing by itself: look at the [`Report`].
pub async fn check(make: &dyn Fn() -> Box<dyn Place>) -> Report {
    let mut cases = Vec::with_capacity(CASES.len());
    for case in CASES {
        cases.push((case.name, case.check(make()).await));
    }
    Report { cases }
}

impl Case {
    /// Runs this case alone.
    pub async fn check(&self, place: Box<dyn Place>) -> Outcome {
        let mut subject = Subject::open(place).await;
        match tokio::time::timeout(CASE_LIMIT, (self.run)(&mut subject)).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Stop::Failed(how))) => Outcome::Failed(how),
            Ok(Err(Stop::Skipped(why))) => Outcome::Skipped(why),
            Err(_) => Outcome::Failed(format!("it did not end within {} s", CASE_LIMIT.as_secs())),
        }
    }
}

/// Applies one command and says what became of it.
async fn apply(store: &dyn Store, command: Command) -> Result<Applied, Stop> {
    let mut applied = store.apply(vec![command]).await?;
    match (applied.pop(), applied.is_empty()) {
        (Some(applied), true) => Ok(applied),
        _ => Err(Stop::Failed("one command has not one answer".to_owned())),
    }
}

/// Applies one command that must be.
async fn write(store: &dyn Store, command: Command) -> Result<(), Stop> {
    match apply(store, command).await? {
        Applied::Yes => Ok(()),
        Applied::Conflict(standing) => {
            Err(Stop::Failed(format!("a write that should be applied met {standing:?}")))
        }
    }
}

/// The row that stands.
async fn head(store: &dyn Store, id: RecordId) -> Result<Option<Bytes>, Stop> {
    Ok(store.heads(&[id]).await?.into_iter().next().flatten())
}
