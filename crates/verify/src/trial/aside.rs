//! Requests that a crash has interrupted, and that are told to wait: they wait together, and not one after another.

use tokio::time::Instant;

use super::{Step, Trial};
use crate::{
    call::{Answer, Outcome, Request},
    verdict::Stop,
};

/// One of them, with all that was sent before.
#[derive(Debug)]
pub struct Aside {
    request: Request,
    steps: Vec<Step>,
    /// Since when it waits.
    since: Instant,
    /// Until when it is told to wait, at most.
    by: Instant,
}

impl Trial<'_> {
    /// Whether a request is told to wait.
    #[must_use]
    pub fn is_to_wait(&self, outcome: &Outcome) -> bool {
        outcome.as_ref().is_ok_and(|answer| self.is_told_to_wait(answer))
    }

    /// Puts a request aside that is told to wait; what was sent so far belongs to it.
    pub(crate) fn set_aside(&mut self, request: &Request) -> Aside {
        let since = Instant::now();
        let by = since + self.lock_max();
        Aside { request: request.clone(), steps: std::mem::take(&mut self.steps), since, by }
    }

    /// Repeats it at least once, and until it is told something else or its time is over.
    ///
    /// # Errors
    /// If the run's requests are spent.
    pub(crate) async fn take_up(&mut self, aside: Aside) -> Result<Outcome, Stop> {
        self.steps = aside.steps;
        self.waits(aside.since.elapsed());
        let settled = self.settled_by("and once more, when its lock is over", &aside.request, aside.by).await;
        Self::outcome(settled)
    }

    /// That no answer came is an outcome too.
    pub(crate) fn outcome(settled: Result<Answer, Stop>) -> Result<Outcome, Stop> {
        match settled {
            Ok(answer) => Ok(Ok(answer)),
            Err(Stop::Lost { lost, .. }) => Ok(Err(lost)),
            Err(stop) => Err(stop),
        }
    }
}
