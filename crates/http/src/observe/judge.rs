//! What would have become of a request, found out beside it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use onlyonce_core::{
    Outcome, Refusal,
    event::{Completion, Unknown},
    metric,
    record::{ReleaseCause, UnknownCause},
};
use onlyonce_ledger::{
    Attempt, Error, ErrorKind,
    begin::{Claimed, Leader, Look, Standing},
};
use tokio::sync::oneshot;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use super::{
    answer::Ended,
    body::{Arrived, BodyTap},
};
use crate::{
    answer, forgotten,
    layer::Layer,
    rules::Rules,
    sameness::{self, Found},
    search::{Candidate, Head},
    telemetry,
};

/// Where a request that goes by is followed.
pub(crate) struct Taps {
    pub(crate) body: BodyTap,
    /// How its attempt ends; for [`AnswerTap`](super::AnswerTap).
    pub(crate) ended: oneshot::Sender<Ended>,
}

/// Judges the head of a request that goes by. `None`: there is nothing more to follow.
pub(crate) fn watch(layer: &Layer, rules: &Arc<Rules>, parts: &Parts) -> Option<Taps> {
    let seen = |result| {
        telemetry::observed(layer.shared(), rules, result, None);
        None
    };
    let candidate = match layer.search(Arc::clone(rules), parts) {
        Head::Ruleless | Head::Unkeyed(_) => return seen(metric::Result::Passed),
        Head::Refused(refusal) => return seen(metric::Result::of(&refusal.refused.problem())),
        Head::Read(candidate) => candidate,
    };
    let Some((place, room)) = layer.shared().shadow.place() else { return seen(metric::Result::Capacity) };
    let (body, arrived) = BodyTap::new(rules.request_limit, room);
    let (ended, ending) = oneshot::channel();
    let (layer, rules, parts) = (layer.clone(), Arc::clone(rules), parts.clone());
    tokio::spawn(async move {
        judge(layer, &rules, *candidate, parts, arrived, ending).await;
        drop(place);
    });
    Some(Taps { body, ended })
}

async fn judge(
    layer: Layer,
    rules: &Rules,
    candidate: Candidate,
    parts: Parts,
    arrived: oneshot::Receiver<Arrived>,
    ending: oneshot::Receiver<Ended>,
) {
    let shared = layer.shared();
    let body = match arrived.await {
        Ok(Arrived::Whole(body)) => body,
        Ok(Arrived::TooLarge | Arrived::Broken) => {
            return telemetry::observed(shared, rules, metric::Result::Invalid, None);
        }
        Ok(Arrived::NoRoom) => return telemetry::observed(shared, rules, metric::Result::Capacity, None),
        // Its client gave it up before it had arrived, or it was answered before: nothing would be on record.
        Err(_) => return,
    };
    let found = match sameness::judge(&layer, candidate, &parts, &body) {
        Ok(Some(found)) => found,
        Ok(None) => return telemetry::observed(shared, rules, metric::Result::Passed, None),
        Err(refused) => {
            return telemetry::observed(shared, rules, metric::Result::of(&refused.problem()), None);
        }
    };
    drop(body);
    let id = found.1.id;
    // What the ledger would say of these operations is not so.
    let result = run(&layer, rules, found, ending).with_subscriber(NoSubscriber::default()).await;
    telemetry::observed(shared, rules, result, Some(id));
}

/// The way of an enforced request, from look-up to outcome.
async fn run(
    layer: &Layer,
    rules: &Rules,
    (keyed, mut request): Found,
    ending: oneshot::Receiver<Ended>,
) -> metric::Result {
    // Nobody will be shown them.
    request.parameters = Bytes::new();
    let ledger = match layer.shared().shadow.ledger().await {
        Ok(ledger) => ledger,
        Err(error) => return failed(&error),
    };
    match ledger.look_up(&request, rules.wait).await {
        Ok(Look::Free(leader)) if forgotten::why(&keyed, &leader, ledger).is_some() => {
            metric::Result::KeyExpired
        }
        Ok(Look::Free(leader)) => claim(rules, leader, ending).await,
        Ok(Look::Stands(standing)) => stands(&standing),
        Err(error) => failed(&error),
    }
}

async fn claim(rules: &Rules, leader: Leader, ending: oneshot::Receiver<Ended>) -> metric::Result {
    match leader.claim().await {
        Ok(Claimed::Attempt(attempt)) => see_through(rules, &attempt, ending).await,
        Ok(Claimed::Stands(standing)) => stands(&standing),
        Err(error) => failed(&error),
    }
}

/// Up to the deadline, and for a while beyond it.
async fn see_through(
    rules: &Rules,
    attempt: &Attempt,
    mut ending: oneshot::Receiver<Ended>,
) -> metric::Result {
    // It has been sent already; a lease that is lost shows in the end.
    let _ = attempt.start().await;
    match tokio::time::timeout(rules.policy.deadline, &mut ending).await {
        Ok(ended) => end(attempt, ended.unwrap_or(Ended::UNSEEN)).await,
        Err(_) => {
            let listening = rules.listening();
            let unknown = Unknown { cause: UnknownCause::Deadline, seen_status: None, listening };
            let _ = attempt.lose_track(unknown).await;
            if let Ok(ended) = tokio::time::timeout(listening, ending).await {
                end(attempt, ended.unwrap_or(Ended::UNSEEN)).await;
            }
            metric::Result::Unknown
        }
    }
}

/// Writes the end as it would be written. What the ledger in memory refuses was ended before.
async fn end(attempt: &Attempt, ended: Ended) -> metric::Result {
    match ended {
        Ended::NotSent => {
            let _ = attempt.release(ReleaseCause::NotSent, Some(Bytes::new())).await;
            metric::Result::Unreachable
        }
        Ended::Lost => {
            let _ = attempt.lose_track(UnknownCause::AnswerLost.into()).await;
            metric::Result::Unknown
        }
        Ended::Answered { status, outcome: Outcome::Kept, large } => {
            let completion =
                if large { Completion::TooLarge { status } } else { Completion::Kept { status } };
            let _ = attempt.complete(completion, Bytes::new()).await;
            metric::Result::Executed
        }
        Ended::Answered { status, outcome: Outcome::Released, .. } => {
            let shared = answer::is_same_for_waiters(status).then(Bytes::new);
            let _ = attempt.release(ReleaseCause::Answered(status), shared).await;
            metric::Result::Released
        }
        Ended::Answered { outcome: Outcome::Unknown, .. } => {
            let _ = attempt.lose_track(UnknownCause::Answered.into()).await;
            metric::Result::Unknown
        }
    }
}

fn stands(standing: &Standing) -> metric::Result {
    match standing {
        Standing::Result { .. } | Standing::Shared { .. } => metric::Result::Replayed,
        Standing::Damaged { .. } => metric::Result::ResultGone,
        Standing::Refused { refusal, .. } => match refusal {
            Refusal::Mismatch => metric::Result::Mismatch,
            Refusal::Unknown => metric::Result::Unknown,
            Refusal::Gone(_) | Refusal::Completed => metric::Result::ResultGone,
            _ => metric::Result::InProgress,
        },
    }
}

fn failed(error: &Error) -> metric::Result {
    match error.kind() {
        ErrorKind::Capacity => metric::Result::Capacity,
        ErrorKind::Unavailable | ErrorKind::Damaged => metric::Result::Ledger,
    }
}
