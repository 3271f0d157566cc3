//! What an answer that goes by says of its operation.

use bytes::Bytes;
use http::{Response, header};
use http_body::Frame;
use onlyonce_core::{Outcome, outcome};
use tokio::sync::oneshot;

use crate::{body::Body, capture, execution, headers, rules::Rules, sending::NoAnswer};

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

/// Follows an answer to its end, or to where its attempt would have ended; says once how it did. Dropped before, it was
/// the client that went away, and the answer counts as whole.
#[derive(Debug)]
pub struct AnswerTap {
    seen: usize,
    /// How much would be read before it is recorded.
    read: usize,
    /// How much of it would be kept.
    kept: usize,
    status: u16,
    outcome: Outcome,
    told: Option<oneshot::Sender<Ended>>,
}

/// Follows an answer whose head is here.
pub(crate) fn follow<B>(answer: Response<B>, rules: &Rules, told: oneshot::Sender<Ended>) -> Response<Body<B>>
where
    B: http_body::Body,
{
    let ended = match answer.extensions().get::<NoAnswer>() {
        Some(NoAnswer::NotSent | NoAnswer::NoPlace) => Ended::NotSent,
        Some(NoAnswer::Lost { .. }) => Ended::Lost,
        None => {
            let tap = AnswerTap::new(&answer, rules, told);
            return answer.map(|body| Body::Observed { body: Box::pin(body), tap: Box::new(tap) });
        }
    };
    // Whoever listened has gone with the process.
    let _ = told.send(ended);
    answer.map(Body::through)
}

impl AnswerTap {
    fn new<B>(answer: &Response<B>, rules: &Rules, told: oneshot::Sender<Ended>) -> Self {
        let status = answer.status().as_u16();
        let outcome = execution::handlers_word(answer.extensions(), answer.headers().get(headers::OUTCOME))
            .unwrap_or_else(|| {
                let retry_after = answer.headers().contains_key(header::RETRY_AFTER);
                let answer = outcome::Answer { status, retry_after, rerun: false, inner: None };
                outcome::of_answer(answer, &rules.outcomes)
            });
        let kept = if rules.store_body { rules.answer_limit } else { usize::MAX };
        let read = capture::limit(rules, answer.headers());
        let mut tap =
            Self { seen: 0, read: read.unwrap_or_default(), kept, status, outcome, told: Some(told) };
        if read.is_none() {
            tap.answered(rules.store_body);
        }
        tap
    }

    /// A frame goes by.
    pub(crate) fn saw(&mut self, frame: &Frame<Bytes>) {
        self.seen += frame.data_ref().map_or(0, Bytes::len);
        if self.seen > self.read {
            // What comes after it is the client's affair.
            self.ended();
        }
    }

    /// That was all.
    pub(crate) fn ended(&mut self) {
        self.answered(self.seen > self.kept);
    }

    /// There will be no more.
    pub(crate) fn broke(&mut self) {
        self.tell(Ended::Lost);
    }

    fn answered(&mut self, large: bool) {
        self.tell(Ended::Answered { status: self.status, outcome: self.outcome, large });
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

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use onlyonce_core::{LedgerKey, parameters::Redaction};

    use super::*;
    use crate::headers;

    const TOO_LARGE: Ended = Ended::Answered { status: 200, outcome: Outcome::Kept, large: true };

    fn rules(store_body: bool) -> Rules {
        let redaction = Redaction::new(&LedgerKey::new([1; 32]), &[]);
        Rules { answer_limit: 4, store_body, ..Rules::new("*", redaction) }
    }

    /// How an attempt would have ended, at the head of its answer and at its end.
    async fn ended(answer: Response<&'static str>, rules: &Rules) -> (Option<Ended>, Ended) {
        let (told, mut ended) = oneshot::channel();
        let answer = follow(answer.map(Full::<Bytes>::from), rules, told);
        let at_head = ended.try_recv().ok();
        answer.into_body().collect().await.unwrap();
        (at_head, at_head.or_else(|| ended.try_recv().ok()).unwrap())
    }

    fn with(name: http::HeaderName, value: &'static str) -> Response<&'static str> {
        Response::builder().header(name, value).body("ok").unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_too_large_where_it_would_not_be_kept() {
        for (body, store_body, expected) in
            [("1234", true, Ended::UNSEEN), ("12345", true, TOO_LARGE), ("12345", false, Ended::UNSEEN)]
        {
            assert_eq!(
                ended(Response::new(body), &rules(store_body)).await,
                (None, expected),
                "{body} {store_body}"
            );
        }
    }

    /// It is recorded before its stream begins, so how that ends does not count.
    #[tokio::test]
    async fn a_stream_of_events_has_ended_its_attempt_at_its_head() {
        for (store_body, expected) in [(true, TOO_LARGE), (false, Ended::UNSEEN)] {
            let stream = with(header::CONTENT_TYPE, "text/event-stream");
            assert_eq!(ended(stream, &rules(store_body)).await.0, Some(expected), "{store_body}");
        }
    }

    #[tokio::test]
    async fn the_handlers_word_counts_by_header_and_by_extension() {
        let released = Ended::Answered { status: 200, outcome: Outcome::Released, large: false };
        assert_eq!(ended(with(headers::OUTCOME, "release"), &rules(true)).await.1, released);
        assert_eq!(ended(with(headers::OUTCOME, "whatever"), &rules(true)).await.1, Ended::UNSEEN);
        let mut said = with(headers::OUTCOME, "keep");
        said.extensions_mut().insert(Outcome::Released);
        assert_eq!(ended(said, &rules(true)).await.1, released);
    }
}
