//! Closing a ledger before it is copied, and opening it again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{Decision, Event, Record, RecordId, State, codec, decide};

use super::{Error, ErrorKind, Progress};
use crate::{
    gate::CONFIRMED_WITHIN,
    identity::{Closed, Parts},
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

/// Opens a ledger again that was closed by an export; `false` if it was open. Only where it was not imported elsewhere, or what
/// was imported is not used: two ledgers that both take claims execute operations twice.
///
/// # Errors
/// If there is no ledger, the store fails, or an import into it has not ended.
pub async fn reopen(store: &dyn Store) -> Result<bool, Error> {
    let reopened = set(store, |closed| match closed {
        Some(Closed::Importing { .. }) => Err(importing()),
        Some(Closed::Exported { .. }) | None => Ok(None),
    });
    Ok(reopened.await?.is_some())
}

/// Closes the ledger and waits until nothing runs on it any more, or can.
pub(super) async fn close(
    store: &Arc<dyn Store>,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let now = store.now();
    let closed = set(&**store, |closed| match closed {
        Some(Closed::Importing { .. }) => Err(importing()),
        Some(Closed::Exported { .. }) => Ok(closed),
        None => Ok(Some(Closed::Exported { since: now })),
    });
    closed.await?;
    all_have_seen_it(&**store).await;
    let shared = store.capabilities().shared;
    loop {
        let running = end_what_is_left_behind(&**store, shared).await?;
        tell(Progress { running, ..Progress::default() });
        if running == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until each process has seen that the ledger is closed, or has not looked for so long that it takes no claims.
pub(super) async fn all_have_seen_it(store: &dyn Store) {
    if store.capabilities().shared {
        tokio::time::sleep(CONFIRMED_WITHIN + MARGIN).await;
    }
}

/// Writes the lapse of leases that have passed, so that no attempt gets one back; says how many still hold. In a store that one
/// process keeps for itself, nobody is there to hold one.
async fn end_what_is_left_behind(store: &dyn Store, shared: bool) -> Result<usize, Error> {
    let event = if shared { Event::Lapse } else { Event::ProcessGone };
    let mut running = 0;
    let mut after = None;
    loop {
        let page = store.open(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(running) };
        after = Some(*last);
        // After the rows were read: by a clock that was set back since, they would seem to have lapsed.
        store.hear_time().await?;
        for (id, row) in page {
            // One that cannot be read is copied as it is.
            let Ok(record) = codec::decode(&row).map(|record| store.steady().seen(record)) else { continue };
            if !matches!(record.state, State::InProgress { .. }) {
                continue;
            }
            let ended = match decide(Some(&record), &event, store.now()) {
                Decision::Write(ended) => write(store, id, &record, &ended).await?,
                Decision::Already | Decision::Refuse(_) => false,
            };
            // Also where it has changed meanwhile: it is looked at again.
            running += usize::from(!ended);
        }
    }
}

async fn write(store: &dyn Store, id: RecordId, before: &Record, after: &Record) -> Result<bool, Error> {
    let head = codec::encode(after);
    let command = Command { id, expect: Some(before.version), head, body: Body::Keep, note: None };
    let applied = store.apply(vec![command]).await?;
    Ok(applied.first() == Some(&crate::store::Applied::Yes))
}

/// Closes or opens a ledger as `to` says of what it is; gives the new row, `None` if nothing had to change.
pub(super) async fn set(
    store: &dyn Store,
    to: impl Fn(Option<Closed>) -> Result<Option<Closed>, Error>,
) -> Result<Option<Bytes>, Error> {
    for _ in 0..TRIES {
        let row = store.identity().await?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::Ledger, "there is no ledger here"))?;
        let parts = Parts::read(&row)?;
        let wanted = to(parts.closed)?;
        if wanted == parts.closed {
            return Ok(None);
        }
        let new = parts.with(wanted);
        if store.set_identity(Some(&row), new.clone()).await? {
            return Ok(Some(new));
        }
    }
    Err(Error::new(
        ErrorKind::Store,
        "others change the ledger's identity all the time; it can be done again",
    ))
}

fn importing() -> Error {
    Error::new(
        ErrorKind::Ledger,
        "an import into it has begun and not ended: run the import again with the whole of the same file",
    )
}
