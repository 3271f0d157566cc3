//! What a check works with: requests, effects, and a record of both.

mod aside;
mod begun;
mod believed;
mod change;
mod commands;
mod learnt;
mod over;
mod recognised;
mod requests;
mod resource;
mod settled;
mod upstream;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    call::{Answer, Outcome, Place, Request, Together, Way, shorten},
    counter::Counter,
    plan::Plan,
    profile::Profile,
    proxy,
    sink::{Calls, Sink},
    upstream::Application,
    verdict::{COUNTING, Stop, Verdict},
};

pub use aside::Aside;
pub use begun::Begun;
use believed::Counted;
pub(crate) use learnt::Learnt;
pub use resource::Document;
pub use upstream::Held;

/// One check's time with the API.
#[derive(Debug)]
pub struct Trial<'a> {
    plan: &'a Plan,
    profile: &'static Profile,
    /// What it shares with the other trials of its run.
    learnt: &'a Learnt,
    steps: Vec<Step>,
    counted: Counted,
    /// Whether there were more effects than expected, once at least.
    too_many: bool,
    /// How long the last request was repeated that was told to wait.
    waited: Duration,
    /// The count, if nothing was asked since and nothing is missing.
    rested: Option<Count>,
    /// What is behind the API, in the upstream view.
    application: Option<&'a Application>,
    /// Calls that come back, where they count.
    calls: Option<&'a Calls>,
}

/// What was sent at one time, and what came back.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it was for.
    pub what: String,
    /// The requests, and what became of each.
    pub exchanges: Vec<(Request, Outcome)>,
    /// Whether others go out before these are answered.
    pub together: Together,
    /// What was done to the API itself at that time.
    pub command: Option<Ran>,
}

/// A command of the plan that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// As it stands there.
    pub command: String,
    /// Whether the API had to answer before anything else was sent.
    pub starts: bool,
}

/// How many effects there were at some time.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub(crate) i64);

/// What a count came to.
struct Settled {
    /// Effects.
    last: i64,
    /// After which time the last of them was seen.
    lag: Duration,
    /// Whether it had been higher.
    fell: bool,
}

/// Why a count is none.
const WENT_BACK: &str = "what counts effects went back: something else changes it as well, and hides them; count with what only \
                         grows, while nobody else asks";

/// How long nothing may change before a count is believed.
const QUIET: Duration = Duration::from_millis(60);
/// How long after it began it is first looked at again, and by which share of the time that has passed the next look comes
/// later: of a count that is late, many looks tell nothing, and each costs a request.
const LOOK: Duration = Duration::from_millis(15);
const LATER: u32 = 4;

impl<'a> Trial<'a> {
    /// One of a run.
    pub(crate) const fn new(plan: &'a Plan, profile: &'static Profile, learnt: &'a Learnt) -> Self {
        Self {
            plan,
            profile,
            learnt,
            steps: Vec::new(),
            counted: Counted::Nothing,
            too_many: false,
            waited: Duration::ZERO,
            rested: None,
            application: None,
            calls: None,
        }
    }

    /// With calls that come back there.
    pub(crate) const fn hearing(mut self, calls: Option<&'a Calls>) -> Self {
        self.calls = calls;
        self
    }

    /// What is asked of which API.
    #[must_use]
    pub const fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// What is expected.
    #[must_use]
    pub const fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// All that was sent, and of what came back as much as is shown.
    pub(crate) fn into_steps(mut self) -> Vec<Step> {
        let exchanges = self.steps.iter_mut().flat_map(|step| &mut step.exchanges);
        exchanges.for_each(|(_, outcome)| shorten(outcome));
        self.steps
    }

    /// Sends a request and awaits its answer.
    ///
    /// # Errors
    /// If there is none: the check has come to its end.
    pub async fn send(&mut self, what: &str, request: &Request) -> Result<Answer, Stop> {
        let outcome = self.attempt(what, request).await?;
        outcome.map_err(|lost| Stop::Lost { step: what.to_owned(), lost })
    }

    /// Sends a request that has to be carried out for anything to be seen.
    ///
    /// # Errors
    /// If it is not, or there is no answer: the check has come to its end.
    pub async fn carried_out(&mut self, what: &str, request: &Request) -> Result<Answer, Stop> {
        let answer = self.send(what, request).await?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(Stop::not_observable(format!("{what} was not carried out: {answer}"))),
        }
    }

    /// Sends a request that may remain without an answer.
    ///
    /// # Errors
    /// If the run's requests are spent.
    pub async fn attempt(&mut self, what: &str, request: &Request) -> Result<Outcome, Stop> {
        let outcomes = self.at_once(what, vec![request.clone()]).await?;
        outcomes.into_iter().next().ok_or_else(|| Stop::not_observable("nothing was sent"))
    }

    /// Sends requests at once, each on a connection of its own; the answers are in the order of the requests.
    ///
    /// # Errors
    /// If the run's requests are spent, or these are more than it may send at once.
    pub async fn at_once(&mut self, what: &str, requests: Vec<Request>) -> Result<Vec<Outcome>, Stop> {
        self.rested = None;
        if requests.iter().any(|request| self.plan.key.carrier.is_gap_of(request)) {
            return Err(Stop::not_observable(
                "keys stand in paths here, and without one there is nothing to ask",
            ));
        }
        let places = self.spend(&requests)?;
        let carried: Vec<_> = requests
            .iter()
            .zip(places)
            .map(|(request, place)| {
                let (way, request) = (self.way(), request.clone());
                // Boxed: an exchange is large, and all that awaits one would be as large.
                Box::pin(async move { proxy::carry(&way, &request, place).await })
            })
            .collect();
        let mut outcomes = Vec::with_capacity(carried.len());
        if requests.len() > 1 {
            let tasks: Vec<_> = carried.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                outcomes.push(task.await.expect("an exchange does not panic"));
            }
        } else {
            for alone in carried {
                outcomes.push(alone.await);
            }
        }
        self.learnt.saw_answers(&outcomes);
        let together = if requests.len() > 1 { Together::WithOthers } else { Together::Alone };
        let exchanges = requests.into_iter().zip(outcomes.iter().cloned()).collect();
        self.steps.push(Step { what: what.to_owned(), exchanges, together, command: None });
        Ok(outcomes)
    }

    /// How many effects there are now.
    ///
    /// # Errors
    /// If nothing counts them, or the counter does not answer as the plan says.
    pub async fn count(&mut self) -> Result<Count, Stop> {
        if let Some(application) = self.application {
            return Ok(Count(i64::try_from(application.effects()).unwrap_or(i64::MAX)));
        }
        let Some(counter) = &self.plan.counter else {
            return Err(Stop::not_observable("nothing counts effects"));
        };
        let (operation, reading) = match counter {
            Counter::Asked { operation, reading } => (operation, reading),
            Counter::Called(sink) => return self.count_calls(sink),
        };
        let question = self.unkeyed(operation);
        let answer = self.send(COUNTING, &question).await?;
        let body = answer.json().ok_or_else(|| {
            Stop::not_observable(match answer.body.whole() {
                Some(_) => format!("the counter's answer is no JSON: {answer}"),
                None => "the counter's answer is too large to be kept: count something smaller".to_owned(),
            })
        })?;
        let count = reading.read(&body);
        if let Some(step) = self.steps.last_mut() {
            // It is asked again and again.
            step.exchanges.iter_mut().for_each(|(_, outcome)| shorten(outcome));
            if let Ok(count) = count {
                // Where a list is long, its beginning does not show it.
                step.what = format!("{COUNTING}: {count}");
            }
        }
        count.map(Count).map_err(|why| Stop::not_observable(format!("the counter: {why}: {answer}")))
    }

    fn count_calls(&mut self, sink: &Sink) -> Result<Count, Stop> {
        let calls = self.calls.ok_or_else(|| Stop::not_observable("nobody listens for calls that count"))?;
        let count = calls.counted();
        let what = format!("calls that have come ({sink}): {count}");
        self.steps.push(Step { what, exchanges: Vec::new(), together: Together::Alone, command: None });
        Ok(Count(count))
    }

    /// This is how a request that is carried out is answered.
    pub(crate) fn saw_usual(&self, status: http::StatusCode) {
        self.learnt.saw_usual(status);
    }

    /// How many effects there have been since `before`, once they have had the time that the plan gives them: it waits
    /// until there are as many as expected, and then for those that should not come.
    ///
    /// # Errors
    /// As for [`Trial::count`]; and if it went back meanwhile, as then it hides effects as well.
    pub async fn effects_since(&mut self, before: Count, expected: i64) -> Result<i64, Stop> {
        let Settled { last, fell, .. } = self.learning(before, expected).await?;
        match fell {
            false => Ok(last),
            true => Err(Stop::not_observable(WENT_BACK)),
        }
    }

    /// By how much what counts has moved since `before`, whichever way.
    pub(crate) async fn movement_since(&mut self, before: Count, expected: i64) -> Result<i64, Stop> {
        self.learning(before, expected).await.map(|settled| settled.last)
    }

    async fn learning(&mut self, before: Count, expected: i64) -> Result<Settled, Stop> {
        let settled = self.settled(before, expected).await?;
        self.learnt.saw_lag(settled.lag);
        Ok(settled)
    }

    /// As [`Trial::effects_since`], while requests still run, or where what counts may have been set back: it tells
    /// nothing of how late effects are.
    pub(crate) async fn effects_meanwhile(&mut self, before: Count, expected: i64) -> Result<i64, Stop> {
        self.settled(before, expected).await.map(|settled| settled.last)
    }

    /// Waits for the effects of what was sent before this check, where they are known to follow their answers.
    pub(crate) async fn at_rest(&mut self) -> Result<(), Stop> {
        if self.learnt.lag() > QUIET {
            let now = self.count().await?;
            self.settled(now, 0).await?;
            self.steps.clear();
        }
        Ok(())
    }

    /// How many effects there are once those of requests that nobody counted have had time to come.
    pub(crate) async fn count_at_rest(&mut self) -> Result<Count, Stop> {
        let (now, too_many) = (self.count().await?, self.too_many);
        self.settled(now, 0).await?;
        // Those that came meanwhile were asked for.
        self.too_many = too_many;
        self.count().await
    }

    async fn settled(&mut self, before: Count, expected: i64) -> Result<Settled, Stop> {
        let settle = self.plan.bounds.settle;
        let quiet = self.learnt.lag().min(settle).max(QUIET);
        let started = Instant::now();
        let first = self.steps.len();
        let mut count = self.count().await?;
        let (mut last, mut lag) = (self.between(before, count), Duration::ZERO);
        // A look at a copy that is behind is no fall, as long as the count comes back.
        let mut highest = last.max(0);
        let mut since = Instant::now();
        // bounded: by the plan's time to settle; a count that never rests is looked at no longer.
        while (since.elapsed() < quiet || last < expected) && started.elapsed() < settle.max(quiet * 2) {
            sleep(LOOK.max(started.elapsed() / LATER).min(quiet.max(LOOK))).await;
            count = self.count().await?;
            let now = self.between(before, count);
            highest = highest.max(now);
            if now != last {
                (last, lag, since) = (now, started.elapsed(), Instant::now());
            }
            // Of all these looks the report needs the last.
            self.steps.drain(first..self.steps.len().saturating_sub(1).max(first));
        }
        let counted = if last < expected { Counted::TooLittle } else { Counted::Enough };
        self.too_many |= last > expected;
        self.rested = (last == expected).then_some(count);
        self.counted = self.counted.max(counted);
        Ok(Settled { last, lag, fell: last < highest })
    }

    /// How many effects lie between two counts: the application's own, or those of the plan's counter.
    fn between(&self, before: Count, after: Count) -> i64 {
        match (&self.plan.counter, self.application) {
            (Some(counter), None) => counter.between(before.0, after.0),
            (_, Some(_)) | (None, None) => after.0 - before.0,
        }
    }

    /// Takes these from the requests of the run, and a place for each.
    fn spend(&self, requests: &[Request]) -> Result<Vec<Place>, Stop> {
        let bounds = &self.plan.bounds;
        let times: Vec<usize> = requests.iter().map(Request::times).collect();
        let places = self.learnt.places.take(&times).map_err(|needed| {
            let most = bounds.at_once;
            Stop::not_observable(format!(
                "it needs {needed} requests at once, and {most} are allowed: `--at-once {needed}`, or bounds.at_once in the plan"
            ))
        })?;
        let count = u32::try_from(times.iter().sum::<usize>()).unwrap_or(u32::MAX);
        if !self.learnt.spend(count, bounds.requests) {
            self.learnt.turned_away();
            return Err(self.spent());
        }
        Ok(places)
    }

    /// Whether anything was left out, because no more may be sent.
    pub(crate) fn is_spent(&self) -> bool {
        self.learnt.is_spent()
    }

    /// Nothing more may be asked.
    fn spent(&self) -> Stop {
        let most = self.plan.bounds.requests;
        Stop::not_observable(format!("the {most} requests that bounds.requests of the plan allows are spent"))
    }

    /// What was found, unless something was left out for want of requests: a fault that was seen is one all the same.
    ///
    /// # Errors
    /// If so.
    pub(crate) fn unless_spent(&self, found: Result<Verdict, Stop>) -> Result<Verdict, Stop> {
        match &found {
            Ok(Verdict::Fail { .. }) | Err(Stop::Verdict(Verdict::Fail { .. })) => found,
            _ if self.learnt.is_spent() => Err(self.spent()),
            _ => found,
        }
    }

    /// How its requests go out.
    fn way(&self) -> Way {
        let (origin, patience) = (self.plan.target.clone(), self.plan.bounds.patience);
        Way { origin, patience, room: self.learnt.room.clone() }
    }

    /// Waits until nothing that it began, and did not finish, is under way.
    pub(crate) async fn is_quiet(&self) {
        self.learnt.places.all_free().await;
    }
}
