//! Stores that each break one rule, so that every case of the suite is seen to fail.
//!
//! Each is an [`Intercept`] before an in-memory store that does everything else right ([`Disk`]). Backends make these
//! mistakes one at a time, and mostly under concurrency or at a crash; here they happen every time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::{
    clock::Steady,
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Applied, Capabilities, Command, Error, Reply, Room, Store},
};

use crate::{memory::Disk, place::Place, rows::PAST};

mod audit;
mod batches;
mod claims;
mod clock;
mod durability;
mod expiry;
mod open;
mod reads;
mod results;
mod versions;

/// What a disk says of itself.
const DISK: Capabilities = Capabilities { name: "broken", durable: true, shared: false };

/// A disk that several processes use, with which nothing is wrong.
pub struct Sound;

impl Intercept for Sound {
    fn capabilities(&self, _: &MemoryStore) -> Capabilities {
        Capabilities { shared: true, ..DISK }
    }

    fn lag(&self, _: &MemoryStore) -> Duration {
        Duration::from_millis(1)
    }

    fn steady(&self, _: &MemoryStore) -> Steady {
        Steady { since: PAST, ahead: Duration::ZERO }
    }

    fn hear_time<'a>(&'a self, _: &'a MemoryStore) -> Reply<'a, ()> {
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(())
        })
    }

    fn room(&self, _: &MemoryStore, in_flight_bytes: u64) -> Room {
        if in_flight_bytes < u64::MAX { Room::Enough } else { Room::Short }
    }
}

/// A broken store, and a case that catches it.
pub struct Broken {
    /// What it does wrong.
    pub name: &'static str,
    /// A case that must fail.
    pub caught_by: &'static str,
    /// A place for it.
    pub make: fn() -> Box<dyn Place>,
}

/// A place whose store has the fault that `fault` makes at each opening.
pub fn with<F: Intercept>(fault: impl Fn(&Arc<MemoryStore>) -> F + Send + Sync + 'static) -> Box<dyn Place> {
    Box::new(Disk::new(move |rows| Intercepted::new(Arc::clone(&rows), Arc::new(fault(&rows)))))
}

/// Writes whatever stands.
async fn force(rows: &MemoryStore, mut command: Command) -> Result<Applied, Error> {
    let standing = head(rows, command.id).await?;
    command.expect = standing.and_then(|row| codec::peek(&row).ok()).map(|peek| peek.version);
    one(rows, command).await
}

async fn one(rows: &MemoryStore, command: Command) -> Result<Applied, Error> {
    let applied = rows.apply(vec![command]).await?;
    Ok(applied.into_iter().next().expect("one command has one answer"))
}

async fn head(rows: &MemoryStore, id: RecordId) -> Result<Option<Bytes>, Error> {
    Ok(rows.heads(&[id]).await?.into_iter().next().flatten())
}

macro_rules! broken {
    ($($name:literal, caught by $case:ident: $fault:expr;)*) => {
        &[$(Broken { name: $name, caught_by: stringify!($case), make: || with($fault) }),*]
    };
}

/// All broken stores, the eight that every design falls for first.
pub const ALL: &[Broken] = broken! {
    "select, then insert", caught by of_64_concurrent_inserts_of_one_record_one_applies: |_| claims::SelectThenInsert;
    "unconditional complete", caught by a_renewal_after_completion_loses: |_| versions::Unconditional;
    "forgets the fence", caught by an_update_needs_the_exact_version: |_| versions::AttemptOnly;
    "expires by the wall clock", caught by a_sweep_goes_by_the_time_it_is_given: |_| expiry::ByWallClock;
    "loses the last batch", caught by what_was_acknowledged_stands_after_reopening: durability::LosesTheLastBatch::over;
    "says not applied for unknown", caught by a_write_that_was_not_applied_is_not_there: |_| batches::NotAppliedForUnknown::default();
    "reorders one record's commands", caught by the_last_acknowledged_write_of_a_record_stands: |_| versions::Reorders::default();
    "stale reads", caught by what_was_acknowledged_is_read_at_once: |_| reads::Stale::default();

    "insert overwrites", caught by an_insert_applies_only_where_no_row_stands: |_| claims::Overwrites;
    "conflict hides the row", caught by a_conflict_answers_with_the_row_that_stands: |_| claims::HidesTheRow;
    "update inserts", caught by an_update_of_an_absent_row_conflicts: |_| versions::Upserts;
    "cuts the batch", caught by a_full_batch_is_applied: |_| batches::Cuts;
    "all or nothing", caught by a_conflict_hinders_no_other_command_of_its_batch: |_| batches::AllOrNothing;
    "sorts the answers", caught by answers_come_in_the_order_of_the_commands: |_| batches::SortsAnswers;
    "half a batch before an error", caught by a_row_that_cannot_be_read_again_is_refused_with_its_whole_batch: |_| batches::OneByOne;
    "leaves out absent rows", caught by heads_answer_in_the_order_they_were_asked: |_| reads::LeavesOutAbsent;
    "unreadable is absent", caught by an_unreadable_row_is_a_conflict_and_never_absent: |_| reads::UnreadableIsAbsent;
    "sweeps what it cannot read", caught by an_unreadable_row_survives_every_sweep: |_| expiry::SweepsUnreadable;
    "drops results that are kept", caught by a_result_is_put_kept_and_removed_as_the_command_says: |_| results::DropsKept;
    "writes the result first", caught by a_result_changes_only_with_its_row: |_| results::WrittenApart::default();
    "cuts large results", caught by a_large_result_comes_back_byte_for_byte: |_| results::Cuts;
    "open rows expire", caught by an_open_row_survives_every_sweep: |_| expiry::OpenRowsExpire;
    "leaves results behind", caught by a_sweep_removes_a_row_with_its_result: |_| results::LeftBehind::default();
    "sweep without limit", caught by a_sweep_keeps_to_its_limit: |_| expiry::NoLimit;
    "sweeps by id", caught by a_new_claim_over_an_expired_row_survives_a_sweep: |_| expiry::ById;
    "the same page for ever", caught by open_rows_come_once_each_in_order_page_by_page: |_| open::SamePage;
    "an index that is not kept", caught by a_row_is_listed_as_open_exactly_while_it_is: |_| open::StaleIndex::default();
    "moves open rows alone", caught by rows_of_every_kind_come_once_each_in_order_page_by_page: |_| open::OpenAlone;
    "empty without open rows", caught by a_store_is_empty_only_without_any_row: |_| open::EmptyWithoutOpen;
    "identity overwritten", caught by the_identity_is_replaced_only_if_it_stands: |_| claims::IdentityOverwritten;
    "identity: select, then insert", caught by of_16_concurrent_identities_one_stands: |_| claims::IdentitySelectThenInsert;
    "oldest first", caught by the_audit_reads_newest_first_page_by_page: |_| audit::OldestFirst;
    "audits what did not happen", caught by an_entry_is_written_only_with_its_command: |_| audit::WhateverHappens;
    "clock steps back", caught by time_does_not_run_backwards: |_| clock::StepsBack::default();
    "shared, and steady since ever", caught by a_shared_clock_is_known_as_it_was_heard: |_| clock::Shared::SteadySinceEver;
    "shared, and known exactly", caught by a_shared_clock_is_known_as_it_was_heard: |_| clock::Shared::KnownExactly;
    "shared, and heard from nobody", caught by a_shared_clock_is_known_as_it_was_heard: |_| clock::Shared::HeardFromNobody;
    "never room", caught by a_store_with_space_has_room: |_| clock::Always(Room::Short);
    "always room", caught by room_for_more_than_there_can_be_is_short: |_| clock::Always(Room::Enough);
    "row first, result later", caught by a_command_that_was_cut_off_is_there_whole_or_not_at_all: |_| durability::InParts;
    "clock starts anew", caught by time_does_not_run_backwards_over_reopening: |_| clock::StartsAnew::default();
};

#[cfg(test)]
mod tests;
