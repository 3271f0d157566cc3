//! Answers of the operators' listener: JSON, or a problem document that says what to do.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response as Plain, header},
    response::{IntoResponse, Response},
};
use onlyonce_core::{OperationRef, Record, Refusal as Judged, problem, problem::URN_BASE};
use onlyonce_http::problem::Refused;
use onlyonce_ledger::{Error, ErrorKind};
use serde::Serialize;

use super::{
    State,
    problems::{
        NO_SUCH_CALL, NO_SUCH_METHOD, NOTHING_TO_FORGET, NOTHING_TO_SETTLE, RECORD_DAMAGED,
        RECORD_IN_PROGRESS, RECORD_MOVED, REQUEST_INVALID, SETTLE_AFTER_MISSING, SETTLE_TOO_EARLY,
        TOKEN_REQUIRED,
    },
    view::{self, Operation},
};

/// Where an operator looks at what stands.
pub(super) const RECORDS_PATH: &str = "/api/v1/records/";

/// A refusal on its way to the operator.
#[derive(Debug)]
pub(super) struct Refusal(Box<Refused>);

/// What a call answers.
pub(super) type Answer = Result<Response, Refusal>;

pub(super) fn json(value: &impl Serialize) -> Response {
    Json(value).into_response()
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(Box::new(refused))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        tracing::warn!(%error, "an operator's request met a ledger that failed");
        Self::from(match error.kind() {
            ErrorKind::Capacity => Refused::new(
                problem::CAPACITY,
                "The ledger has more to write than it takes at once. Nothing was changed. Send the request again.",
            )
            .retry_after(1),
            ErrorKind::Unavailable => Refused::new(
                problem::LEDGER_UNAVAILABLE,
                "The ledger does not answer. If this was a change, it may have been written or not: look at the \
                 operation before you send it again. It names state and fence, so it cannot be done twice.",
            )
            .retry_after(1),
            ErrorKind::Damaged => Refused::new(
                RECORD_DAMAGED,
                "What is stored of this operation cannot be read, so its key stays refused and nothing can be changed. \
                 The gateway's log names the record.",
            ),
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let asks_for_token = self.0.name() == TOKEN_REQUIRED.name;
        let (status, headers, bytes) = self.0.document(URN_BASE);
        let mut response = Plain::new(Body::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if asks_for_token {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl Refusal {
    /// The request has to be written otherwise.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Refused::new(REQUEST_INVALID, detail).into()
    }

    /// There is no operation of this name.
    pub(super) fn not_found() -> Self {
        Refused::new(
            problem::NOT_FOUND,
            "It never was, or its key retention has ended. A key that is used again after that begins an operation of another \
             name.",
        )
        .into()
    }
}

/// Nothing is changed in a ledger that is on the move.
pub(super) fn may_change(state: &State) -> Result<(), Refusal> {
    match state.ledger().closed() {
        None => Ok(()),
        Some(_) => Err(Refusal::from(Refused::new(
            problem::LEDGER_UNAVAILABLE,
            "The ledger is closed: it was exported, or an import into it has not ended. Nothing was changed. What it holds is \
             settled and forgotten where it goes on.",
        ))),
    }
}

/// Why the ledger refused a change, in the words of [`why`], with what stands now.
pub(super) async fn refused(state: &State, reference: OperationRef, judged: Judged) -> Refusal {
    let standing = match state.ledger().operation(reference).await {
        Ok(Some(record)) => record,
        Ok(None) => return Refusal::not_found(),
        Err(error) => return error.into(),
    };
    let now = state.ledger().now();
    let refused = why(judged, reference, &standing);
    let refused = match judged {
        Judged::TooEarly(from) => refused
            .retry_after(from.since(now).as_secs() + 1)
            .member("not_applied_from", view::not_before(from).to_string()),
        _ => refused,
    };
    let operation = serde_json::to_value(Operation::new(reference, &standing, now));
    refused.member("operation", operation.expect("names, numbers and texts can be written as JSON")).into()
}

/// A refusal in plain words: what stands, and what to do.
pub(super) fn why(judged: Judged, reference: OperationRef, standing: &Record) -> Refused {
    let (state, fence) = (standing.state.name().as_str(), standing.fence);
    match judged {
        Judged::InProgress | Judged::Lapsed | Judged::LeaseHolds => Refused::new(
            RECORD_IN_PROGRESS,
            "An attempt is working on it, so nobody can say yet what becomes of it. Nothing was changed. At its \
             deadline at the latest it is completed, free or unknown: look again then.",
        ),
        Judged::Moved
        | Judged::Superseded
        | Judged::Mismatch
        | Judged::SettledOtherwise
        | Judged::Unknown => Refused::new(
            RECORD_MOVED,
            format!(
                "You named another state or fence than now stands: {state}, fence {fence}. Nothing was changed. \
                     Look at {RECORDS_PATH}{reference} and decide anew: what you found out may be about an attempt \
                     before this one."
            ),
        ),
        Judged::NotOpen | Judged::Completed | Judged::Gone(_) => Refused::new(
            NOTHING_TO_SETTLE,
            format!(
                "It is {state}, so its outcome is known and there is nothing to settle. Nothing was changed. If that \
                 contradicts what you found, the audit says who settled it."
            ),
        ),
        Judged::Open => Refused::new(
            NOTHING_TO_FORGET,
            "It has not ended, so there is no result to forget. Nothing was changed. Settle it first.",
        ),
        Judged::Absent => Refused::new(
            NOTHING_TO_FORGET,
            format!("It is {state} and holds no result. Nothing was changed, and there is nothing to do."),
        ),
        Judged::TooEarly(from) => Refused::new(
            SETTLE_TOO_EARLY,
            format!(
                "The request may still take effect: the route's settle_after is over at {}. Nothing was changed. Say \
                 it then; or, if the upstream cannot do it any more because it is stopped or its queue is empty, use \
                 force and say so in the reason.",
                view::not_before(from)
            ),
        ),
        Judged::NoSettleAfter => Refused::new(
            SETTLE_AFTER_MISSING,
            "The operation was claimed while its route had no settle_after, so no time can be named from which it is \
             certain that nothing comes any more. Nothing was changed. If the upstream cannot do it any more, use \
             force and say why in the reason; and give the route a settle_after for the next time.",
        ),
    }
}

pub(super) async fn no_such_call() -> Refusal {
    Refused::new(
        NO_SUCH_CALL,
        "The calls are /healthz, /readyz, /metrics, and under /api/v1: records, records/{operation_ref}, \
         records/{operation_ref}/settle, lookup, settle, audit.",
    )
    .into()
}

pub(super) async fn no_such_method() -> Refusal {
    Refused::new(NO_SUCH_METHOD, "The header Allow says which methods this path has.").into()
}
