//! Whether the counter still counts.
//!
//! A list that ends at a page counts until the page is full. From then on nothing that a check counts is so, neither the
//! effect that it misses nor the second one that it does not see. An account that is empty, or a quota that is used up, ends
//! it too: what is refused from then on is refused for that.

use super::{QUIET, Trial};
use crate::{
    call::{Answer, Request},
    verdict::{Stop, Verdict},
};

/// Why nothing can be told.
const STOPPED: &str = "the counter has stopped moving: does its list end at a page? Count with a total, or with a list \
                       that has room for all that the verifier adds";

/// What has been counted in a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// Nothing.
    #[default]
    Nothing,
    /// Always as much as was expected, or more.
    Enough,
    /// Less, once at least.
    TooLittle,
}

impl Trial<'_> {
    /// What a check has found, if the counter that it went by still moves for a fresh operation.
    ///
    /// # Errors
    /// If it does not, or as the check ended.
    pub(crate) async fn believed(&mut self, found: Result<Verdict, Stop>) -> Result<Verdict, Stop> {
        let in_doubt = match (self.counted, &found) {
            (Counted::TooLittle, _) => true,
            // Of more effects than there should be, all were seen.
            (Counted::Enough, Ok(Verdict::Pass { .. } | Verdict::Deviates { .. })) => true,
            _ => false,
        };
        if self.may_be_refusal(&found)
            && let Some(answer) = self.refused_by_now().await
            && self.was_refused_so(&answer)
        {
            return Err(Stop::not_observable(format!(
                "a fresh operation is refused by now: {answer}; let the API have room for all that the verifier asks"
            )));
        }
        let ours = self.application.is_some() || self.plan.counter.is_none();
        match in_doubt && !ours && self.has_stopped().await {
            true => Err(Stop::not_observable(STOPPED)),
            false => found,
        }
    }

    /// Nothing is tried any more with a counter that was seen standing still.
    pub(crate) fn counter_moves(&self) -> Result<(), Stop> {
        match self.learnt.has_counter_stopped() {
            true => Err(Stop::not_observable(STOPPED)),
            false => Ok(()),
        }
    }

    /// Whether a fresh operation that is carried out leaves the counter where it was. Where it is not carried out, or
    /// nothing answers, that says nothing of the counter.
    async fn has_stopped(&mut self) -> bool {
        let steps = self.steps.len();
        let stopped = matches!(self.moved().await, Ok(Some(false)));
        self.learnt.saw_counter(stopped);
        if !stopped {
            self.steps.truncate(steps);
        }
        stopped
    }

    /// Whether a fault may be no more than that something was refused. Too many effects, or two answers under one key, are
    /// none the less seen where everything is refused from then on.
    fn may_be_refusal(&self, found: &Result<Verdict, Stop>) -> bool {
        let is_fault = matches!(found, Ok(Verdict::Fail { .. }));
        // What was never carried out is refused for something else.
        is_fault && self.learnt.has_usual() && !self.too_many && !self.saw_two_answers()
    }

    /// Whether one key got two different answers, each of which says that it was carried out.
    fn saw_two_answers(&self) -> bool {
        let carried_out = self.answers().filter(|(request, answer)| {
            answer.is_success()
                && !request.method.is_safe()
                && !self.without_key(request).asks_the_same(request)
        });
        let mut firsts: Vec<(&Request, &Answer)> = Vec::new();
        for (request, answer) in carried_out {
            match firsts.iter().find(|(first, _)| first.asks_the_same(request)) {
                Some((_, first)) if !first.is_same(answer) => return true,
                Some(_) => {}
                None => firsts.push((request, answer)),
            }
        }
        false
    }

    /// Whether anything that the check has sent was refused in the same words: otherwise that is not why.
    fn was_refused_so(&self, refusal: &Answer) -> bool {
        self.answers().any(|(_, answer)| answer.says_the_same(refusal))
    }

    fn answers(&self) -> impl Iterator<Item = (&Request, &Answer)> {
        let exchanges = self.steps.iter().flat_map(|step| &step.exchanges);
        exchanges.filter_map(|(request, outcome)| Some((request, outcome.as_ref().ok()?)))
    }

    /// How a fresh operation is refused for what it asks.
    async fn refused_by_now(&mut self) -> Option<Answer> {
        let steps = self.steps.len();
        let before = self.count().await.ok();
        let request = self.operation().ok()?;
        let answer = self.send("a fresh operation: is it still carried out", &request).await.ok();
        let refused = answer.filter(|answer| answer.status.is_client_error());
        if let (None, Some(before)) = (&refused, before) {
            // What is late is waited for: it is not the next check's. Whether it comes is judged elsewhere.
            let _ = self.effects_since(before, 1).await;
        }
        self.steps.truncate(steps);
        refused
    }

    async fn moved(&mut self) -> Result<Option<bool>, Stop> {
        let before = self.count().await?;
        let request = self.operation()?;
        if !self.send("a fresh operation: does the counter still move", &request).await?.is_success() {
            return Ok(None);
        }
        // What is late is waited for: it is not the next check's.
        if self.learnt.lag() < QUIET {
            let counted = self.count().await?;
            if self.between(before, counted) != 0 {
                self.rested = Some(counted);
                return Ok(Some(true));
            }
        }
        self.effects_since(before, 1).await.map(|effects| Some(effects != 0))
    }
}
