//! Closing a ledger before it is copied, and opening it again.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{Decision, Event, Record, RecordId, State, Timestamp, codec, decide};

use super::{Error, ErrorKind, Progress, Step};
use crate::{
    gate::CONFIRMED_WITHIN,
    identity::{Closed, Parts, not_ended},
    store::{Body, Command, Store},
};

/// Added to [`CONFIRMED_WITHIN`], for clocks that do not run alike.
const MARGIN: Duration = Duration::from_secs(2);
/// How often it is looked whether something still runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a change of the identity is tried that others change too.
pub(super) const TRIES: usize = 16;
/// Open rows read at once.
const PAGE: usize = 512;

/// What a ledger was reopened from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// Nothing: it is open.
    WasOpen,
    /// An export.
    Exported,
    /// An import that has not ended. What it has written stays, and what was to come is missing.
    Importing,
}

/// Has a ledger that was closed take claims again. Only where what was exported is not used: two ledgers that both take claims
/// execute operations twice. An import that broke off is given up by it where the ledger was open before, and so is whole.
///
/// # Errors
/// If there is no ledger, the store fails, or there was none before an import that has not ended.
pub async fn reopen(store: &dyn Store) -> Result<Reopened, Error> {
    let was = set(store, |closed| match closed {
        Some(Closed::Importing { was_open: false, .. }) => Err(importing(false)),
        Some(Closed::Importing { .. } | Closed::Exported { .. }) | None => Ok(None),
    });
    Ok(match was.await? {
        None => Reopened::WasOpen,
        Some(Closed::Exported { .. }) => Reopened::Exported,
        Some(Closed::Importing { .. }) => Reopened::Importing,
    })
}

/// Whether somebody may still hear the answer of an attempt that was given up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listeners {
    /// Gateways that are waited for.
    MayBe,
    /// Nobody: all gateways are stopped.
    Gone,
}

/// Closes the ledger and waits until nothing runs on it any more, or can, and no late answer is listened for.
pub(super) async fn close(
    store: &Arc<dyn Store>,
    listeners: Listeners,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let now = store.now();
    let closed = set(&**store, |closed| match closed {
        Some(Closed::Importing { was_open, .. }) => Err(importing(was_open)),
        Some(Closed::Exported { .. }) => Ok(closed),
        None => Ok(Some(Closed::Exported { since: now })),
    });
    closed.await?;
    all_have_seen_it(&**store, tell).await;
    loop {
        let Left { running, listening } = end_what_is_left_behind(&**store).await?;
        let listening = listening.filter(|_| listeners == Listeners::MayBe);
        if running == 0 && listening.is_none() {
            return Ok(());
        }
        tell(Progress { step: Step::Ending { running, listening }, ..Progress::default() });
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until each process has seen that the ledger is closed, or has not looked for so long that it takes no claims.
pub(super) async fn all_have_seen_it(store: &dyn Store, tell: &mut (dyn FnMut(Progress) + Send)) {
    if store.capabilities().shared {
        tell(Progress { step: Step::Closing, ..Progress::default() });
        tokio::time::sleep(CONFIRMED_WITHIN + MARGIN).await;
    }
}

/// What an export waits for.
#[derive(Default)]
struct Left {
    running: usize,
    listening: Option<(usize, Timestamp)>,
}

/// Writes the lapse of leases that have passed, so that no attempt gets one back; says how many still hold, and how many
/// attempts that were given up may still hear an answer. In a store that one process keeps for itself, nobody is there for either.
async fn end_what_is_left_behind(store: &dyn Store) -> Result<Left, Error> {
    let shared = store.capabilities().shared;
    let event = if shared { Event::Lapse } else { Event::ProcessGone };
    let mut left = Left::default();
    let mut after = None;
    loop {
        let page = store.open(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(left) };
        after = Some(*last);
        // After the rows were read: by a clock that was set back since, they would seem to have lapsed.
        store.hear_time().await?;
        for (id, row) in page {
            // One that cannot be read is copied as it is.
            let Ok(record) = codec::decode(&row) else { continue };
            match record.state {
                State::InProgress { .. } => {
                    let record = store.steady().seen(record);
                    let ended = match decide(Some(&record), &event, store.now()) {
                        Decision::Write(ended) => write(store, id, &record, &ended).await?,
                        Decision::Already | Decision::Refuse(_) => false,
                    };
                    // Also where it has changed meanwhile: it is looked at again.
                    left.running += usize::from(!ended);
                }
                // As it is written. To this process it counts anew, in case the clock was set; but an answer that is missed is
                // only not known where the ledger goes on.
                State::Unknown { settle_from, .. } if shared && store.now() < settle_from => {
                    let (count, until) = left.listening.unwrap_or((0, settle_from));
                    left.listening = Some((count + 1, until.max(settle_from)));
                }
                State::Unknown { .. }
                | State::Released { .. }
                | State::Completed { .. }
                | State::Tombstone { .. } => {}
            }
        }
    }
}

async fn write(store: &dyn Store, id: RecordId, before: &Record, after: &Record) -> Result<bool, Error> {
    let head = codec::encode(after);
    let command = Command { id, expect: Some(before.version), head, body: Body::Keep, note: None };
    let applied = store.apply(vec![command]).await?;
    Ok(applied.first() == Some(&crate::store::Applied::Yes))
}

/// Closes or opens a ledger as `to` says of what it is; gives what it was.
pub(super) async fn set(
    store: &dyn Store,
    to: impl Fn(Option<Closed>) -> Result<Option<Closed>, Error>,
) -> Result<Option<Closed>, Error> {
    for _ in 0..TRIES {
        let row = store.identity().await?;
        let row = row.ok_or_else(no_ledger)?;
        let parts = Parts::read(&row)?;
        let wanted = to(parts.closed)?;
        if wanted == parts.closed || store.set_identity(Some(&row), parts.with(wanted)).await? {
            return Ok(parts.closed);
        }
    }
    Err(contended())
}

pub(super) fn contended() -> Error {
    Error::new(ErrorKind::Store, "others change the ledger's identity all the time; it can be done again")
}

pub(super) fn no_ledger() -> Error {
    Error::new(ErrorKind::Ledger, "there is none")
}

pub(super) fn importing(was_open: bool) -> Error {
    Error::new(ErrorKind::Ledger, not_ended(was_open))
}
