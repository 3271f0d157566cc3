//! Requests whose answers are not awaited at once.

use tokio::task::JoinHandle;

use super::{Step, Trial};
use crate::{
    call::{Lost, Outcome, Place, Request, Together},
    proxy::carry,
    verdict::Stop,
};

/// Requests that are under way. Dropped, their clients hang up.
#[derive(Debug)]
pub struct Begun {
    step: usize,
    requests: Vec<(Request, Running)>,
}

#[derive(Debug)]
struct Running(JoinHandle<Outcome>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Trial<'_> {
    /// Sends requests at once, and does not wait for their answers.
    ///
    /// # Errors
    /// If the run's requests are spent, or these are more than it may send at once.
    pub fn begin(&mut self, what: &str, requests: Vec<Request>) -> Result<Begun, Stop> {
        let places = self.spend(&requests)?;
        self.rested = None;
        let step = self.steps.len();
        let exchanges = requests.iter().map(|request| (request.clone(), Err(Lost::NotAwaited))).collect();
        self.steps.push(Step {
            what: what.to_owned(),
            exchanges,
            together: Together::Meanwhile,
            command: None,
        });
        let begin = |(request, place): (Request, Place)| {
            let (way, sent) = (self.way(), request.clone());
            (request, Running(tokio::spawn(async move { carry(&way, &sent, place).await })))
        };
        Ok(Begun { step, requests: requests.into_iter().zip(places).map(begin).collect() })
    }

    /// Waits for all of their answers.
    pub async fn finish(&mut self, begun: Begun) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(begun.requests.len());
        let mut exchanges = Vec::with_capacity(begun.requests.len());
        for (request, mut running) in begun.requests {
            let outcome = (&mut running.0).await.expect("an exchange does not panic");
            outcomes.push(outcome.clone());
            exchanges.push((request, outcome));
        }
        self.learnt.saw_answers(&outcomes);
        if let Some(step) = self.steps.get_mut(begun.step) {
            step.exchanges = exchanges;
        }
        outcomes
    }
}

impl Begun {
    /// Whether all answers have come, or can come no more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.requests.iter().all(|(_, running)| running.0.is_finished())
    }
}
