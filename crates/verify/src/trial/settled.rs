//! What is known only after a while, or after asking again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Count, Trial};
use crate::{
    call::{Answer, Lost, Request},
    verdict::{Stop, Verdict},
};

/// How long before a request that was told to wait is sent again, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// After so many leases a lock that was left behind has ended.
const LEASES: u32 = 3;

impl Trial<'_> {
    /// Exactly one effect since `before`, or the check ends here.
    ///
    /// # Errors
    /// If there are more, or none was counted.
    pub async fn one_effect_since(&mut self, before: Count, after: &str) -> Result<(), Stop> {
        self.effects_or_stop(before, 1, after).await
    }

    /// One effect since `before`, and its answer for whoever repeated it; or the check ends here. Where there is neither,
    /// the request is lost: nobody can have it carried out any more.
    ///
    /// # Errors
    /// If there are more or none, or the repeat is refused.
    pub async fn one_effect_and_answer(
        &mut self,
        before: Count,
        after: &str,
        repeat: &Answer,
    ) -> Result<(), Stop> {
        let effects = self.effects_since(before, 1).await?;
        let actual = match (effects, repeat.is_success()) {
            (1, true) => return Ok(()),
            (0, false) => format!("no effect, and the repeat is refused: {repeat}"),
            (0, true) => format!("no effect, though the repeat says success: {repeat}"),
            (1, false) => format!("one effect, and the repeat is refused: {repeat}"),
            (_, _) => format!("{effects} effects"),
        };
        Err(Stop::Verdict(Verdict::fail(format!("1 effect after {after}, and an answer"), actual)))
    }

    /// Exactly so many effects since `before`, or the check ends here.
    ///
    /// # Errors
    /// If there are more, or fewer were counted.
    pub async fn effects_or_stop(&mut self, before: Count, expected: i64, after: &str) -> Result<(), Stop> {
        let effects = self.effects_since(before, expected).await?;
        let plural = if expected == 1 { "" } else { "s" };
        let wanted = format!("{expected} effect{plural} after {after}");
        match effects {
            _ if effects == expected => Ok(()),
            0 => Err(Stop::not_observable(format!("the counter saw no effect after {after}"))),
            _ => Err(Stop::Verdict(Verdict::fail(wanted, format!("{effects} effects")))),
        }
    }

    /// Whether it says that the first request still runs. What the API says to every request that it takes, such as 202,
    /// does not.
    #[must_use]
    pub fn is_told_to_wait(&self, answer: &Answer) -> bool {
        let usual = answer.is_success() && self.learnt.is_usual(answer.status);
        self.profile.in_progress.knows(answer.status) && !usual
    }

    /// Whether a success says what the first answer to that request said: what is taken, and done later, is answered so
    /// for good.
    fn was_first_told(&self, request: &Request, answer: &Answer) -> bool {
        let before = self.steps.split_last().map_or(&[][..], |(_, before)| before);
        let mut sent = before.iter().flat_map(|step| &step.exchanges);
        let first = match sent.find(|(sent, _)| sent.asks_the_same(request)) {
            Some((_, Ok(first))) => first,
            Some((_, Err(Lost::Withheld(first)))) => first,
            _ => return false,
        };
        answer.is_success() && answer.is_same(first)
    }

    /// An answer; `None`: the connection was closed before, which is how many a server refuses what is too large or has
    /// too long a head (RFC 9110, section 15.5.14).
    ///
    /// # Errors
    /// If it was lost otherwise.
    pub fn unless_closed(answer: Result<Answer, Stop>) -> Result<Option<Answer>, Stop> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Stop::Lost { lost: Lost::BrokeOff(_), .. }) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// Repeats a request for as long as it is told to wait, and no longer than an answer may take. What it is told at
    /// the end may still be to wait.
    ///
    /// # Errors
    /// As for [`Trial::send`].
    pub async fn until_settled(&mut self, what: &str, request: &Request) -> Result<Answer, Stop> {
        self.settled_by(what, request, Instant::now() + self.plan.bounds.patience).await
    }

    /// The same where nothing runs any more, and a lock can only have been left behind: then no longer than
    /// [`Trial::lock_max`].
    ///
    /// # Errors
    /// As for [`Trial::send`].
    pub async fn until_unlocked(&mut self, what: &str, request: &Request) -> Result<Answer, Stop> {
        self.settled_by(what, request, Instant::now() + self.lock_max()).await
    }

    /// How long a key is taken to be locked at most once nothing runs: longer than the lease where the plan names it,
    /// otherwise as long as an answer may take.
    #[must_use]
    pub fn lock_max(&self) -> Duration {
        let (patience, lease) = (self.plan.bounds.patience, self.plan.key.lease);
        lease.map_or(patience, |lease| patience.min(lease.saturating_mul(LEASES)))
    }

    pub(super) async fn settled_by(
        &mut self,
        what: &str,
        request: &Request,
        by: Instant,
    ) -> Result<Answer, Stop> {
        let (began, first) = (Instant::now(), self.steps.len());
        let mut again = false;
        // bounded: by that time, and by the requests of the run.
        loop {
            let answer = self.send(what, request).await?;
            self.waited = began.elapsed();
            if again {
                // A script asks once, and then has to wait before.
                let last = self.steps.pop();
                self.waits(self.waited);
                self.steps.extend(last);
            }
            if !self.is_told_to_wait(&answer) || self.was_first_told(request, &answer) {
                return Ok(answer);
            }
            let asked = answer.header("retry-after").and_then(|text| text.parse().ok());
            let pause = asked.map_or(PAUSE.0, Duration::from_secs).clamp(PAUSE.0, PAUSE.1);
            let known = self.learnt.waits_at_most(&answer).map(|most| began + most);
            if Instant::now() + pause > known.map_or(by, |known| known.min(by)) {
                self.gives_up(&answer, known.is_some());
                return Ok(answer);
            }
            sleep(pause).await;
            again = true;
            // Of all these refusals the report needs the last.
            self.steps.truncate(first);
        }
    }

    /// Nobody waits any more: the report says how long it was, and why no longer.
    fn gives_up(&mut self, answer: &Answer, known: bool) {
        if self.waited + PAUSE.1 >= self.plan.bounds.patience {
            self.learnt.saw_waiting_in_vain(answer);
        }
        let why = if known { ", as the same refusal has lasted before" } else { "" };
        if let Some(step) = self.steps.last_mut() {
            step.what = format!("{}; asked again for {:.1} s{why}", step.what, self.waited.as_secs_f32());
        }
    }

    /// How long the last request was repeated that was told to wait.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// What was repeated within the time for which results are kept; later it is carried out as new, and rightly so.
    ///
    /// # Errors
    /// If it was not.
    pub fn still_kept(&self, since: Instant) -> Result<(), Stop> {
        let took = since.elapsed();
        match self.plan.retention.filter(|kept| took >= *kept) {
            Some(kept) => Err(Stop::not_observable(format!(
                "from the request to the end of its repeats it took {:.1} s, and its result is kept for {:.1} s only: \
                 configure the API and the plan with more, or start it faster",
                took.as_secs_f32(),
                kept.as_secs_f32()
            ))),
            None => Ok(()),
        }
    }

    /// How many steps there are so far.
    pub(crate) const fn step(&self) -> usize {
        self.steps.len()
    }

    /// What was sent since then stands in no report.
    pub(crate) fn shows_up_to(&mut self, step: usize) {
        self.steps.truncate(step);
    }

    /// Begins anew: what was sent so far stands in no report. For what is tried many times, of which one is shown.
    pub(crate) fn shows_only_what_follows(&mut self) {
        self.steps.clear();
    }
}
