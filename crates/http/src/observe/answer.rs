//! What an answer that goes by says of its operation.

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use http_body::Frame;
use onlyonce_core::{
    Outcome,
    outcome::{self, Overrides},
};
use tokio::sync::oneshot;

use crate::{body::Body, headers, observed::Observed, rules::Rules};

/// How an attempt would have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing was sent.
    NotSent,
    /// The answer broke off, or none came.
    Lost,
    /// Answered in full.
    Answered { status: u16, outcome: Outcome, large: bool },
}

impl Ended {
    /// Of a request whose client went away before the answer came: it would have been awaited and kept, as most are.
    pub(crate) const UNSEEN: Self = Self::Answered { status: 200, outcome: Outcome::Kept, large: false };
}

/// Follows an answer to its end; says once how it ended. Dropped before, it was the client that went away, and the answer
/// counts as whole.
#[derive(Debug)]
pub struct AnswerTap {
    seen: usize,
    limit: usize,
    status: u16,
    outcome: Outcome,
    told: Option<oneshot::Sender<Ended>>,
}

/// Follows an answer whose head is here.
pub(crate) fn follow<B>(answer: Response<B>, rules: &Rules, told: oneshot::Sender<Ended>) -> Response<Body<B>>
where
    B: http_body::Body,
{
    let status = answer.status().as_u16();
    let ended = match answer.extensions().get::<Observed>() {
        Some(Observed::NotSent) => Ended::NotSent,
        Some(Observed::Lost { .. }) => Ended::Lost,
        None => {
            let outcome = meaning(status, answer.headers(), &rules.outcomes);
            let tap = AnswerTap { seen: 0, limit: rules.answer_limit, status, outcome, told: Some(told) };
            return answer.map(|body| Body::Observed { body: Box::pin(body), tap: Box::new(tap) });
        }
    };
    // Whoever listened has gone with the process.
    let _ = told.send(ended);
    answer.map(Body::through)
}

impl AnswerTap {
    /// A frame goes by.
    pub(crate) fn saw(&mut self, frame: &Frame<Bytes>) {
        self.seen += frame.data_ref().map_or(0, Bytes::len);
    }

    /// That was all.
    pub(crate) fn ended(&mut self) {
        let large = self.seen > self.limit;
        self.tell(Ended::Answered { status: self.status, outcome: self.outcome, large });
    }

    /// There will be no more.
    pub(crate) fn broke(&mut self) {
        self.tell(Ended::Lost);
    }

    fn tell(&mut self, ended: Ended) {
        if let Some(told) = self.told.take() {
            let _ = told.send(ended);
        }
    }
}

impl Drop for AnswerTap {
    fn drop(&mut self) {
        self.ended();
    }
}

fn meaning(status: u16, headers: &HeaderMap, overrides: &Overrides) -> Outcome {
    match headers.get(headers::OUTCOME).map(http::HeaderValue::as_bytes) {
        Some(b"keep") => Outcome::Kept,
        Some(b"release") => Outcome::Released,
        Some(b"unknown") => Outcome::Unknown,
        _ => {
            let retry_after = headers.contains_key(header::RETRY_AFTER);
            outcome::of_answer(outcome::Answer { status, retry_after, rerun: false, inner: None }, overrides)
        }
    }
}
