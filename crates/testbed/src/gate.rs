//! A barrier between a test and an instrument: the instrument stops at it, the test sees that it has
//! arrived and lets it on. This is what replaces sleeping.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

/// How long a test waits for something to arrive before it fails.
pub const WAIT_LIMIT: Duration = Duration::from_secs(30);
/// How long something is held before the instrument gives up on being let through.
pub const HOLD_LIMIT: Duration = Duration::from_secs(300);

/// A gate that holds whoever passes until the test opens it. Clones are the same gate.
///
/// Visitors go through in the order in which they arrived.
#[derive(Clone, Debug)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    arrived: watch::Sender<usize>,
    admitted: watch::Sender<usize>,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self::admitting(0)
    }

    /// A gate that stops nobody, but counts.
    pub fn opened() -> Self {
        Self::admitting(usize::MAX)
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.admitted.send_replace(usize::MAX);
    }

    /// Lets `n` more visitors through.
    pub fn admit(&self, n: usize) {
        self.0.admitted.send_modify(|admitted| *admitted = admitted.saturating_add(n));
    }

    /// Waits until `n` visitors have arrived since the gate was made, those already let through included.
    ///
    /// # Panics
    /// After [`WAIT_LIMIT`].
    pub async fn arrived(&self, n: usize) {
        reached(&self.0.arrived, n, "visitors at a gate").await;
    }

    /// How many are standing at the gate now.
    pub fn waiting(&self) -> usize {
        let arrived = *self.0.arrived.borrow();
        arrived.saturating_sub(*self.0.admitted.borrow())
    }

    /// Arrives, and returns when let through. Dropping the future gives the place in the queue away unused:
    /// an admission given to it counts as spent.
    ///
    /// # Panics
    /// After [`HOLD_LIMIT`]: a test forgot to open its gate.
    pub async fn pass(&self) {
        let mut ticket = 0;
        self.0.arrived.send_modify(|arrived| {
            ticket = *arrived;
            *arrived += 1;
        });
        let mut admitted = self.0.admitted.subscribe();
        let passed = timeout(HOLD_LIMIT, admitted.wait_for(|admitted| *admitted > ticket)).await;
        passed.expect("the gate was opened in time").expect("the gate outlives its visitors");
    }

    fn admitting(n: usize) -> Self {
        Self(Arc::new(State { arrived: watch::Sender::new(0), admitted: watch::Sender::new(n) }))
    }
}

/// Waits until the counter is at least `n`.
pub(crate) async fn reached(counter: &watch::Sender<usize>, n: usize, what: &str) {
    let mut counter = counter.subscribe();
    let waited = timeout(WAIT_LIMIT, counter.wait_for(|count| *count >= n)).await.map(|seen| seen.is_ok());
    assert_eq!(waited, Ok(true), "waited {WAIT_LIMIT:?} for {n} {what}, saw {}", *counter.borrow());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_gate_holds_its_visitors_until_admitted_in_order() {
        let gate = Gate::closed();
        let (first, second) = (pass(&gate), pass(&gate));
        gate.arrived(2).await;
        assert_eq!(gate.waiting(), 2);
        assert!(!first.is_finished() && !second.is_finished());
        gate.admit(1);
        first.await.unwrap();
        assert!(!second.is_finished());
        assert_eq!(gate.waiting(), 1);
        gate.open();
        second.await.unwrap();
        gate.pass().await;
        gate.arrived(3).await;
    }

    fn pass(gate: &Gate) -> tokio::task::JoinHandle<()> {
        let gate = gate.clone();
        tokio::spawn(async move { gate.pass().await })
    }
}
