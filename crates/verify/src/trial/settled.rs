//! What is known only after a while, or after asking again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Count, Trial};
use crate::{
    call::{Answer, Request},
    verdict::{Stop, Verdict},
};

/// How long before a request that was told to wait is sent again, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

impl Trial<'_> {
    /// Exactly one effect since `before`, or the check ends here.
    ///
    /// # Errors
    /// If there are more, or none was counted.
    pub async fn one_effect_since(&mut self, before: Count, after: &str) -> Result<(), Stop> {
        self.effects_or_stop(before, 1, after).await
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

    /// Repeats a request for as long as it is told to wait, and no longer than an answer may take. What it is told at
    /// the end may still be to wait.
    ///
    /// # Errors
    /// As for [`Trial::send`].
    pub async fn until_settled(&mut self, what: &str, request: &Request) -> Result<Answer, Stop> {
        let started = Instant::now();
        // bounded: by the plan's patience, and by the requests of the run.
        loop {
            let answer = self.send(what, request).await?;
            if !self.profile.in_progress.knows(answer.status) {
                return Ok(answer);
            }
            let asked = answer.header("retry-after").and_then(|text| text.parse().ok());
            let pause = asked.map_or(PAUSE.0, Duration::from_secs).clamp(PAUSE.0, PAUSE.1);
            if started.elapsed() + pause > self.plan.bounds.patience {
                return Ok(answer);
            }
            sleep(pause).await;
            // Of all these refusals the report needs the last.
            self.steps.pop();
        }
    }

    /// Begins anew: what was sent so far stands in no report. For what is tried many times, of which one is shown.
    pub(crate) fn shows_only_what_follows(&mut self) {
        self.steps.clear();
    }
}
