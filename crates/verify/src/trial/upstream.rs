//! The other side of a check in the upstream view.

use std::time::Duration;

use super::{Begun, Trial};
use crate::{
    call::{Outcome, Request},
    upstream::{Act, Application, Barrier, Script, Stage},
    verdict::Stop,
};

impl<'a> Trial<'a> {
    /// With this application behind the API.
    pub(crate) const fn before(mut self, application: Option<&'a Application>) -> Self {
        self.application = application;
        self
    }

    /// The application behind the API.
    ///
    /// # Errors
    /// In the client's view.
    pub fn application(&self) -> Result<&'a Application, Stop> {
        self.application.ok_or_else(|| {
            Stop::not_observable("the verifier is not the application behind it: add [upstream] to the plan")
        })
    }

    /// A new operation for which the application follows a script.
    ///
    /// # Errors
    /// As for [`Trial::operation`], and in the client's view.
    pub fn scripted(&self, script: Script) -> Result<Request, Stop> {
        let application = self.application()?;
        let request = self.operation()?;
        application.follow(&request.token, script);
        Ok(request)
    }

    /// The check has ended: what the application held goes on, and it listens.
    pub(crate) async fn turn(&self, check: &'static str) {
        let Some(application) = self.application else { return };
        application.turn(check);
        // If it cannot listen again, all that follows shows it.
        drop(application.up().await);
    }
}

/// A first request that the application holds.
#[derive(Debug)]
pub struct Held {
    /// It; its clones are repeats.
    pub request: Request,
    barrier: Barrier,
    begun: Begun,
}

impl Held {
    /// Whether it is still held: the application waits, and nobody has answered it. What passes for a request that was
    /// held has to prove that first.
    ///
    /// # Errors
    /// If it is not.
    pub fn proof(&self) -> Result<(), Stop> {
        let why = match (self.barrier.waiting(), self.begun.is_over()) {
            (1.., false) => return Ok(()),
            (_, true) => "it was answered while the application still had it",
            (0, false) => "the application was left by whoever had sent it there",
        };
        Err(Stop::not_observable(format!("the first request could not be held: {why}")))
    }
}

impl Trial<'_> {
    /// Begins a new operation that the application carries out as usual, but holds there.
    ///
    /// # Errors
    /// If it does not come there.
    pub async fn hold(&mut self, stage: Stage) -> Result<Held, Stop> {
        let barrier = Barrier::closed();
        let script = Script::first(Act::usual().held(stage, &barrier));
        let request = self.scripted(script)?;
        let what = format!("a first request, which the application holds {stage}");
        let begun = self.begin(&what, vec![request.clone()])?;
        let held = Held { request, barrier, begun };
        self.reached(held).await
    }

    async fn reached(&mut self, held: Held) -> Result<Held, Stop> {
        let patience = self.plan().bounds.patience;
        if held.barrier.reached(1, patience).await {
            return Ok(held);
        }
        let what = match self.release(held).await {
            Ok(answer) => format!("it was answered with {answer}"),
            Err(lost) => lost.to_string(),
        };
        Err(Stop::not_observable(format!(
            "the first request did not reach the application: {what}; let the system forward to where [upstream] listens"
        )))
    }

    /// Lets it go on, and waits for its answer.
    pub async fn release(&mut self, held: Held) -> Outcome {
        held.barrier.open();
        let outcomes = self.finish(held.begun).await;
        outcomes.into_iter().next().expect("one request has one outcome")
    }

    /// Its client hangs up; only then it goes on.
    pub async fn abandon(&self, held: Held) -> Request {
        drop(held.begun);
        tokio::time::sleep(NOTICED).await;
        held.barrier.open();
        held.request
    }
}

/// How long a hang-up may need to be noticed.
const NOTICED: Duration = Duration::from_millis(100);
