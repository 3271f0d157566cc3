//! What outlives the check that it was asked for: the first request of a run, and effects that come later.

use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::time::Instant;

use super::{Count, Trial};
use crate::{
    call::{Answer, Request},
    plan::Part,
    verdict::Stop,
};

/// What the trials of a run leave to those that follow.
#[derive(Debug, Default)]
pub(crate) struct Over {
    first: OnceLock<(Request, Answer, Instant, u32)>,
    /// After which check everything was counted that it had asked for, and how much that was.
    rested: Mutex<Option<(&'static str, Count)>>,
    /// Effects that came later than their checks, each in a line.
    late: Mutex<Vec<String>>,
}

/// The first request of a run, and its answer.
pub(crate) struct First<'a> {
    pub(crate) request: Request,
    pub(crate) answer: Answer,
    /// When it was answered.
    pub(crate) at: Instant,
    keys: u32,
    trial: &'a super::Learnt,
}

/// Most lines; one that is too many is enough.
const LATE_MAX: usize = 8;

impl First<'_> {
    /// How many keys were made since.
    pub(crate) fn others(&self) -> u32 {
        self.trial.keys().saturating_sub(self.keys)
    }
}

impl<'a> Trial<'a> {
    /// The first request of the run, if there was one that was carried out.
    pub(crate) fn first_of_the_run(&self) -> Option<First<'a>> {
        let (request, answer, at, keys) = self.learnt.over.first.get()?.clone();
        if let Some(application) = self.application {
            application.expect(&request.token, Part::Create);
        }
        Some(First { request, answer, at, keys, trial: self.learnt })
    }

    /// This is the first request of the run, unless there was one before.
    pub(crate) fn is_first_of_the_run(&self, request: &Request, answer: &Answer) -> First<'a> {
        let new = || (request.clone(), answer.clone(), Instant::now(), self.learnt.keys());
        let (request, answer, at, keys) = self.learnt.over.first.get_or_init(new).clone();
        First { request, answer, at, keys, trial: self.learnt }
    }

    /// Nothing that was asked for in the time of `check` has still to be counted, as far as is known: more that comes is
    /// late.
    pub(crate) fn leaves(&self, check: &'static str) {
        let rested = self.rested.map(|count| (check, count));
        *self.learnt.over.rested.lock().unwrap_or_else(PoisonError::into_inner) = rested;
    }

    /// Looks whether there has been anything since the check before.
    ///
    /// # Errors
    /// As for [`Trial::count`].
    pub(crate) async fn look_for_late_effects(&mut self) -> Result<(), Stop> {
        let rested = self.learnt.over.rested.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((check, count)) = rested else { return Ok(()) };
        let more = self.glance(count).await?;
        if more > 0 {
            self.note(format!(
                "{more} more after {check} had counted its own, before anything else was asked"
            ));
        }
        Ok(())
    }

    fn note(&self, line: String) {
        let mut late = self.learnt.over.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late.len() < LATE_MAX {
            late.push(line);
        }
    }

    /// Effects that came later than their checks.
    pub(crate) fn late_effects(&self) -> Vec<String> {
        let mut late = self.learnt.over.late.lock().unwrap_or_else(PoisonError::into_inner).clone();
        late.extend(self.application.iter().flat_map(|application| application.late()));
        late
    }
}
