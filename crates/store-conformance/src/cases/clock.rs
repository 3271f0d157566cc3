//! The store's time, and whether it has room.

use std::{future::poll_fn, task::Poll, time::Duration};

use onlyonce_core::Timestamp;
use onlyonce_ledger::store::{Room, Store};

use super::{Ending, write};
use crate::{
    place::Subject,
    report::{Stop, ensure},
    rows::{id, in_progress, insert, version},
};

/// How often the time is asked for: an answer from a server may happen to be there at once, but not each time.
const QUESTIONS: usize = 32;

pub(super) async fn time_does_not_run_backwards(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let mut last = store.now();
    for number in 0..32 {
        write(&*store, insert(id(number), &in_progress(version(1, 1)))).await?;
        let now = store.now();
        ensure!(now >= last, "{now} comes after {last}");
        last = now;
    }
    Ok(())
}

/// What a store gets by default is right where no other process has a part in its clock. Elsewhere it lets keys run again
/// when that clock is set.
pub(super) async fn a_shared_clock_is_known_as_it_was_heard(subject: &mut Subject) -> Ending {
    let store = subject.store();
    if !store.capabilities().shared {
        return Err(Stop::Skipped("no other process shares its clock"));
    }
    ensure!(store.steady().since > Timestamp::default(), "it was steady before anybody heard it");
    ensure!(store.lag() > Duration::ZERO, "it is known exactly, although an answer takes time");
    for _ in 0..QUESTIONS {
        if !is_heard_at_once(&*store).await? {
            return Ok(());
        }
    }
    Err(Stop::Failed("the time is heard before anybody can have answered".to_owned()))
}

async fn is_heard_at_once(store: &dyn Store) -> Result<bool, Stop> {
    let mut asked = store.hear_time();
    match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
        Poll::Ready(heard) => heard.map(|()| true),
        Poll::Pending => asked.await.map(|()| false),
    }
    .map_err(Stop::from)
}

pub(super) async fn a_store_with_space_has_room(subject: &mut Subject) -> Ending {
    let store = subject.store();
    ensure!(store.room(0) == Room::Enough, "an empty store is short of room");
    ensure!(store.room_for_result(0) == Room::Enough, "an empty store keeps no result");
    Ok(())
}

pub(super) async fn room_for_more_than_there_can_be_is_short(subject: &mut Subject) -> Ending {
    let store = subject.store();
    if !store.capabilities().durable {
        return Err(Stop::Skipped("it keeps nothing on a disk"));
    }
    ensure!(store.room(u64::MAX) == Room::Short, "claims are admitted that could never be completed");
    Ok(())
}
