//! Whether claims may be made: the ledger is still the one that was opened, and is not closed.
//!
//! Other processes may close a shared ledger, to move it, or lose it: a server without its data looks like a new one. So its
//! identity is read every few seconds, and a claim is made only if it was there, and open, within [`CONFIRMED_WITHIN`]. Whoever
//! closes a ledger waits that long, and knows that no attempt will start of which its record does not tell him.
//!
//! Invariant: an attempt comes to be only while the gate is open, judged after its claim was acknowledged. Completions,
//! renewals and releases are never held up here. What people and probes settle or forget is: it would be known here, and not
//! where the ledger goes on.

use std::{
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::Timestamp;

use crate::{
    clock::Boot,
    engine::Engine,
    error::Error,
    identity::{Closed, Parts},
    store,
};

/// How long a look at the identity lets claims be made.
pub const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(crate) struct Gate {
    /// The identity row as it was opened.
    opened: Bytes,
    /// Whether others may change it.
    shared: bool,
    known: Mutex<Known>,
}

#[derive(Clone, Copy)]
struct Known {
    /// When it was asked for, the last time that it was found.
    confirmed: Boot,
    state: State,
    /// Until when something may be missing, if the ledger was restored.
    forgotten_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed(Closed),
    /// There is another ledger, or none.
    Another,
}

impl Gate {
    /// For a ledger whose identity was asked for at `asked`.
    pub(crate) fn new(opened: Bytes, shared: bool, asked: Boot) -> Self {
        let state = State::of(&opened, Some(&opened));
        let forgotten_before = forgotten_before(&opened);
        if state != State::Open {
            state.tell();
        }
        forgotten_before.inspect(tell_restored);
        Self { opened, shared, known: Mutex::new(Known { confirmed: asked, state, forgotten_before }) }
    }

    /// # Errors
    /// If no claim may be made now, with the reason.
    pub(crate) fn passes(&self) -> Result<(), Error> {
        self.passes_at(Boot::now())
    }

    /// Why the ledger takes no claims; `None` if it does, or if that is not known.
    pub(crate) fn closed(&self) -> Option<Closed> {
        match self.known().state {
            State::Closed(closed) => Some(closed),
            State::Open | State::Another => None,
        }
    }

    /// Whether it was the ledger that was opened, when it was looked at last.
    pub(crate) fn is_of_this_ledger(&self) -> bool {
        self.known().state != State::Another
    }

    /// The time before which something may have been done that is not on record, if the ledger was restored to an earlier state.
    pub(crate) fn forgotten_before(&self) -> Option<Timestamp> {
        self.known().forgotten_before
    }

    fn passes_at(&self, now: Boot) -> Result<(), Error> {
        let known = *self.known();
        match known.state {
            State::Closed(Closed::Exported { .. }) => Err(Error::unavailable("closed: it was exported")),
            State::Closed(Closed::Importing { .. }) => {
                Err(Error::unavailable("closed: an import into it has not ended"))
            }
            State::Another => Err(Error::unavailable("it is not the ledger that was opened")),
            State::Open if self.shared && now.since(known.confirmed) > CONFIRMED_WITHIN => {
                Err(Error::unavailable("its identity was not confirmed lately"))
            }
            State::Open => Ok(()),
        }
    }

    /// Takes note of what was found; says when to look again.
    fn heard(&self, asked: Boot, found: Result<Option<Bytes>, store::Error>) -> Duration {
        let Ok(found) = found else { return LOOK_AGAIN };
        let state = State::of(&self.opened, found.as_ref());
        let mut known = self.known();
        // Several ask, and answers overtake each other: an older one says nothing that is still so.
        if asked < known.confirmed {
            return LOOK_EVERY;
        }
        if known.state != state {
            state.tell();
        }
        // Of another ledger it says nothing about this one.
        let noted = found.filter(|_| state != State::Another).and_then(|row| forgotten_before(&row));
        if noted > known.forgotten_before {
            noted.inspect(tell_restored);
        }
        let forgotten_before = known.forgotten_before.max(noted);
        *known = Known { confirmed: asked, state, forgotten_before };
        LOOK_EVERY
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Looks whether it still is the ledger that was opened.
    pub(crate) async fn is_still_the_ledger(&self) -> Result<bool, store::Error> {
        if self.is_shared() {
            let asked = Boot::now();
            self.gate.heard(asked, Ok(self.store.identity().await?));
        }
        Ok(self.gate.is_of_this_ledger())
    }
}

impl State {
    /// What a row says to who has opened another row, or this one. That the key is wrapped by another secret means nothing to
    /// him: he has the key.
    fn of(opened: &[u8], found: Option<&Bytes>) -> Self {
        let (Ok(opened), Some(Ok(found))) = (Parts::read(opened), found.map(|row| Parts::read(row))) else {
            return Self::Another;
        };
        match found.closed {
            _ if !found.is_same_ledger(&opened) => Self::Another,
            Some(closed) => Self::Closed(closed),
            None => Self::Open,
        }
    }

    fn tell(self) {
        match self {
            Self::Open => tracing::info!("the ledger is open to claims"),
            Self::Closed(Closed::Exported { since }) => tracing::error!(
                %since,
                "the ledger is closed to claims, because it was exported: what was done is replayed, and new keys are refused; \
                 go on with the ledger that it was imported into"
            ),
            Self::Closed(Closed::Importing { since, .. }) => tracing::error!(
                %since,
                "the ledger is closed to claims, because an import into it has not ended: run the import again"
            ),
            Self::Another => tracing::error!(
                "the ledger that was opened is not there any more: its identity is missing, unreadable or another one; new keys \
                 are refused until it is back"
            ),
        }
    }
}

fn forgotten_before(row: &[u8]) -> Option<Timestamp> {
    Parts::read(row).ok()?.forgotten_before
}

fn tell_restored(before: &Timestamp) {
    tracing::warn!(
        %before,
        "the ledger was restored: what was done before that time may be missing, so keys that may be from then, and that nothing \
         is on record for, are refused for as long as their route remembers keys"
    );
}

/// Looks at the identity of a shared ledger for as long as the engine lives.
pub(crate) async fn keep(engine: Weak<Engine>) {
    let mut pause = LOOK_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let Some(alive) = engine.upgrade() else { return };
        let asked = Boot::now();
        let wait = alive.options.store_wait;
        pause = match tokio::time::timeout(wait, alive.store.identity()).await {
            Ok(found) => alive.gate.heard(asked, found),
            Err(_) => LOOK_AGAIN,
        };
    }
}

#[cfg(test)]
mod tests;
