//! The store's time, and whether it has room.

use onlyonce_ledger::store::Room;

use super::{Ending, write};
use crate::{
    place::Subject,
    report::{Stop, ensure},
    rows::{id, in_progress, insert, version},
};

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
