//! What a keyed request is told: results, replays and refusals, and the headers that mark them.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use onlyonce_core::{
    Owner, Record, RecordId, Refusal, State, Timestamp,
    event::Unknown,
    outcome,
    parameters::differs,
    policy::OnUnknown,
    problem,
    record::{Source, StateName, TombstoneCause, UnknownCause},
};
use onlyonce_ledger::{Attempt, Error, ErrorKind, Ledger, begin::Standing};

use crate::{
    body::Body,
    forgotten::Forgotten,
    headers::{self, EXPIRES, REPLAYED, SETTLED},
    problem::Refused,
    rules::{Conflict, Rules},
    search::Echo,
    shared::Shared,
    stored::Stored,
};

/// What `Idempotency-Status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Executed,
    Replayed,
    Released,
    Unknown,
    Unstored,
}

impl Status {
    const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Executed => "executed",
            Self::Replayed => "replayed",
            Self::Released => "released",
            Self::Unknown => "unknown",
            Self::Unstored => "unstored",
        })
    }
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// The upstream was not reached.
    Unreachable,
    /// As many connections to it are open as may be.
    NoPlace,
}

/// What an answer needs to know of the request it answers.
pub(crate) struct Asked<'a> {
    pub(crate) id: RecordId,
    pub(crate) rules: &'a Rules,
    /// Its own redacted parameters.
    pub(crate) parameters: &'a [u8],
    /// Who asks, if that is one of many; to him alone parameters may be shown.
    pub(crate) one_of_many: Option<Owner>,
}

/// Marks an answer that the service gave.
pub(crate) fn mark<B>(answer: &mut Response<Body<B>>, status: Status, result_until: Option<Timestamp>) {
    let headers = answer.headers_mut();
    headers.insert(headers::STATUS, status.value());
    if let Some(until) = result_until {
        headers.insert(EXPIRES, http_date(until));
    }
}

/// The answer that stands for a repeat.
pub(crate) fn standing<B>(shared: &Shared, asked: &Asked<'_>, standing: Standing) -> Response<Body<B>> {
    let ledger = &shared.ledger;
    match standing {
        Standing::Result { record, result } => {
            let mut room = shared.buffers.reserve(asked.one_of_many);
            // What others hold as well, because they waited for it together, is in memory once.
            if result.is_unique() && !room.grow(result.len()) {
                return failed(asked.rules, &Error::capacity("bytes buffered"));
            }
            match Stored::decode(result) {
                Some(stored) => replay(stored.within(room), &record),
                None => refused(ledger, asked, Refusal::Completed, &record),
            }
        }
        Standing::Shared { answer, .. } => match Stored::decode(answer) {
            Some(stored) => again(stored, Status::Released),
            None => unreadable(asked.rules),
        },
        Standing::Refused { refusal, record } => refused(ledger, asked, refusal, &record),
        Standing::Damaged { record } => refused(ledger, asked, Refusal::Completed, &record),
    }
}

/// A failure of the ledger or a bound. Nothing was done for this request.
pub(crate) fn failed<B>(rules: &Rules, error: &Error) -> Response<Body<B>> {
    match error.kind() {
        ErrorKind::Capacity => Refused::new(
            problem::CAPACITY,
            "A bound is reached. Nothing was done. Send the request again with the same key.",
        ),
        ErrorKind::Unavailable => Refused::new(
            problem::LEDGER_UNAVAILABLE,
            "The ledger cannot be reached, so nothing was done. Send the request again with the same key.",
        ),
        ErrorKind::Damaged => {
            return Refused::new(
                problem::RESULT_UNAVAILABLE,
                "What is on record for this key cannot be read, so what became of its operation is not known. Nothing was done \
                 now. Ask the operator.",
            )
            .into_response(&rules.problem_base);
        }
    }
    .retry_after(jitter())
    .into_response(&rules.problem_base)
}

/// All requests together have buffered as much as they may, or all of its caller's, so this one's body was not read. Who
/// repeats what runs here waits for nothing, and is told so; with which body the key was sent cannot be said.
pub(crate) fn no_room<B>(shared: &Shared, rules: &Rules, id: Option<RecordId>) -> Response<Body<B>> {
    match id.and_then(|id| Some((id, shared.ledger.running(id)?))) {
        Some((id, record)) => {
            let (reference, state) = (record.operation_ref(id), record.state.name().as_str());
            let problem = in_progress(&shared.ledger, &record).about(reference, state, record.first_claim_at);
            problem.into_response(&rules.problem_base)
        }
        None => failed(rules, &Error::capacity("bytes buffered")),
    }
}

/// The key may have stood for something that is no longer remembered.
pub(crate) fn forgotten(rules: &Rules, why: Forgotten) -> Refused {
    let why = match why {
        Forgotten::Aged => format!(
            "The key was made longer ago than the {} s for which keys are remembered here, and nothing is on record for it",
            rules.policy.retain_key.as_secs()
        ),
        Forgotten::Restored => {
            "What was done shortly before this service was restored is not on record, and the key may be \
             from that time, as any key that does not tell when it was made"
                .to_owned()
        }
    };
    Refused::new(
        problem::KEY_EXPIRED,
        format!(
            "{why}: whether it took effect then cannot be told. Nothing was done. Look the effect up by its own name, and \
             use a new key only if you mean a new operation."
        ),
    )
}

fn replay<B>(stored: Stored, record: &Record) -> Response<Body<B>> {
    let mut answer = again(stored, Status::Replayed);
    if let State::Completed { by, result_until, .. } = record.state {
        let headers = answer.headers_mut();
        headers.insert(EXPIRES, http_date(result_until));
        let by = match by {
            Source::Attempt => None,
            Source::Probe => Some("probe"),
            Source::Operator => Some("operator"),
        };
        if let Some(by) = by {
            headers.insert(SETTLED, HeaderValue::from_static(by));
        }
    }
    answer
}

fn again<B>(stored: Stored, status: Status) -> Response<Body<B>> {
    let Stored { status: code, mut headers, body, trailers } = stored;
    announce(&mut headers, trailers.as_ref());
    let mut answer = Response::new(Body::with_trailers(body, trailers));
    *answer.status_mut() = code;
    *answer.headers_mut() = headers;
    mark(&mut answer, status, None);
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

fn refused<B>(ledger: &Ledger, asked: &Asked<'_>, refusal: Refusal, record: &Record) -> Response<Body<B>> {
    let reference = record.operation_ref(asked.id);
    let first = record.first_claim_at;
    let state = record.state.name();
    let problem = match refusal {
        Refusal::Mismatch => mismatch(ledger, asked, record),
        Refusal::InProgress | Refusal::Lapsed => in_progress(ledger, record),
        Refusal::Unknown => unknown(ledger.now(), asked.rules, record),
        Refusal::Gone(TombstoneCause::TooLarge) => Refused::new(
            problem::RESULT_UNAVAILABLE,
            format!("{} Its answer was too large to keep. Do not send it again.", what_became(record)),
        ),
        Refusal::Gone(_) => Refused::new(
            problem::RESULT_EXPIRED,
            format!("{} Its result is no longer kept. Do not send it again.", what_became(record)),
        ),
        Refusal::Completed => Refused::new(
            problem::RESULT_UNAVAILABLE,
            format!("{} Its result is damaged. Ask the operator.", what_became(record)),
        ),
        // The others answer attempts and operators; a request that meets one lost a race, and may come again.
        _ => in_progress(ledger, record),
    };
    let problem = problem.within(asked.rules).about(reference, state.as_str(), first);
    let mut answer = problem.into_response(&asked.rules.problem_base);
    if state == StateName::Unknown && refusal == Refusal::Unknown {
        mark(&mut answer, Status::Unknown, None);
    }
    answer
}

fn mismatch(ledger: &Ledger, asked: &Asked<'_>, record: &Record) -> Refused {
    let shown = asked.one_of_many.is_some() && asked.rules.conflict != Conflict::None;
    let accepted = shown.then(|| ledger.parameters(asked.id, record)).flatten();
    let mut differing =
        accepted.as_deref().map_or_else(Vec::new, |accepted| differs(accepted, asked.parameters));
    differing.sort_unstable();
    let in_words = match differing.as_slice() {
        [] if accepted.is_some() => {
            " in what is not shown (look at host, content type, headers that count, hidden members)".into()
        }
        [] => String::new(),
        some => format!(" in {}", some.join(", ")),
    };
    let detail = format!(
        "The key was first used at {} for another request. This one differs{in_words} and was not executed. If it \
         should repeat the first, send that one unchanged and you get its answer. If it is something new, it needs a key of \
         its own: that is for a person to decide, not for a retry.",
        record.first_claim_at
    );
    let mut problem = Refused::new(problem::KEY_REUSED, detail).status(asked.rules.mismatch);
    // Another route has its own idea of what may be shown, and what this one redacts was not redacted there.
    let is_own = record.route == *asked.rules.name;
    if is_own
        && asked.rules.conflict == Conflict::Canonical
        && let Some(accepted) = accepted
    {
        problem = problem.accepted(accepted);
    }
    if differing.is_empty() { problem } else { problem.member("differs", differing) }
}

fn in_progress(ledger: &Ledger, record: &Record) -> Refused {
    let age = ledger.now().since(record.claimed_at);
    Refused::new(
        problem::IN_PROGRESS,
        format!(
            "The first request with this key, sent {} s ago, is still being worked on. This one was not executed. \
             Send it again later with the same key to get the first one's answer.",
            age.as_secs()
        ),
    )
    .retry_after(match age.as_secs() {
        0..5 => 1,
        5..15 => 2,
        15..60 => 4,
        _ => 8,
    })
}

/// Why nobody knows, for a repeat.
fn unknown(now: Timestamp, rules: &Rules, record: &Record) -> Refused {
    let detail = "The first request with this key may or may not have taken effect; nobody knows yet. This one was \
                  not executed.";
    let State::Unknown { settle_from, .. } = record.state else {
        return Refused::new(problem::OUTCOME_UNKNOWN, detail);
    };
    let rerun = record.policy.on_unknown == OnUnknown::Rerun && rules.policy.on_unknown == OnUnknown::Rerun;
    match record.policy.settle_after {
        Some(wait) if rerun => {
            let left = settle_from.plus(wait).since(now);
            let detail =
                format!("{detail} It will be run again when it is sent with the same key after the wait.");
            Refused::new(problem::OUTCOME_UNKNOWN, detail).same_key().retry_after(whole_seconds(left))
        }
        _ => {
            let ask = if rules.operations {
                "Ask what became of it at `operation`, or ask the operator."
            } else {
                "Ask the operator."
            };
            let refused =
                Refused::new(problem::OUTCOME_UNKNOWN, format!("{detail} Do not use a new key. {ask}"));
            let first = settle_from.plus(record.policy.settle_after.unwrap_or_default());
            match next_probe(rules, first.since(now)) {
                Some(seconds) => refused.retry_after(seconds),
                None => refused,
            }
        }
    }
}

/// When there may be news, in seconds: after the first probe, or the next one.
fn next_probe(rules: &Rules, till_first: Duration) -> Option<u64> {
    let every = rules.probes?;
    Some(whole_seconds(if till_first.is_zero() { every } else { till_first }))
}

/// Nobody knows what became of the attempt that this request began. `status` says whether that is on record.
pub(crate) fn lost<B>(
    rules: &Rules,
    attempt: &Attempt,
    unknown: Unknown,
    status: Status,
) -> Response<Body<B>> {
    let (code, what) = what_happened(unknown.cause);
    let detail = format!("{what} Whether it took effect is unknown. Do not use a new key.");
    let problem = Refused::new(problem::OUTCOME_UNKNOWN, detail).status(code);
    let rerun = rules.policy.on_unknown == OnUnknown::Rerun;
    let problem = match rules.policy.settle_after {
        Some(wait) if rerun => problem.same_key().retry_after(whole_seconds(unknown.listening + wait)),
        wait => match next_probe(rules, unknown.listening + wait.unwrap_or_default()) {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        },
    };
    let reference = attempt.operation_ref();
    let first = reference.first_claim_at;
    let problem = problem.within(rules).about(reference, StateName::Unknown.as_str(), first);
    let mut answer = problem.into_response(&rules.problem_base);
    mark(&mut answer, status, None);
    answer
}

const fn what_happened(cause: UnknownCause) -> (StatusCode, &'static str) {
    match cause {
        UnknownCause::Deadline => {
            (StatusCode::GATEWAY_TIMEOUT, "The request was sent, and was not answered in time.")
        }
        UnknownCause::Drained => (
            StatusCode::GATEWAY_TIMEOUT,
            "The request was sent, and this process stopped before it was answered.",
        ),
        UnknownCause::Handler => {
            (StatusCode::BAD_GATEWAY, "The handler began with the request and failed before it answered.")
        }
        UnknownCause::RerunRefused => (
            StatusCode::BAD_GATEWAY,
            "The upstream was not reached and nothing was sent this time, but an earlier attempt was sent.",
        ),
        UnknownCause::AnswerLost
        | UnknownCause::Lapsed
        | UnknownCause::ProcessGone
        | UnknownCause::Answered => {
            (StatusCode::BAD_GATEWAY, "The request was sent, and its answer broke off or never came.")
        }
    }
}

impl Unsent {
    /// Nothing was sent, and that is on record.
    pub(crate) fn recorded(self) -> Refused {
        self.refused("The key is free.")
    }

    /// Nothing was sent, and the ledger has not confirmed that it knows.
    pub(crate) fn unrecorded(self) -> Refused {
        self.refused("That is not on record yet.")
    }

    fn refused(self, standing: &str) -> Refused {
        let (problem, what, seconds) = match self {
            Self::Unreachable => {
                (problem::UPSTREAM_UNREACHABLE, "The upstream was not reached and nothing was sent.", 1)
            }
            Self::NoPlace => {
                let what = "As many connections to the upstream are open as may be, so nothing was sent.";
                (problem::CAPACITY, what, jitter())
            }
        };
        let detail = format!("{what} {standing} Send the request again with the same key.");
        Refused::new(problem, detail).retry_after(seconds)
    }
}

fn unreadable<B>(rules: &Rules) -> Response<Body<B>> {
    Refused::new(problem::LEDGER_UNAVAILABLE, "An answer on record cannot be read. Send the request again.")
        .retry_after(jitter())
        .into_response(&rules.problem_base)
}

/// As far as the record says; a kept answer of 400 and up is a refusal or a failure that stands.
fn what_became(record: &Record) -> String {
    match record.state {
        State::Completed { status, .. } | State::Tombstone { status: Some(status), .. } if status < 400 => {
            format!("The operation took place and was answered with status {status}.")
        }
        State::Completed { status, .. } | State::Tombstone { status: Some(status), .. } => {
            format!("The operation was answered with status {status}.")
        }
        _ => "The operation has ended.".to_owned(),
    }
}

/// Whether those who wait are better served with this answer than with trying in turn.
pub(crate) fn is_same_for_waiters(status: u16) -> bool {
    outcome::SAME_FOR_WAITERS.contains(&status)
}

/// An HTTP date (RFC 9110, section 5.6.7).
fn http_date(time: Timestamp) -> HeaderValue {
    // A date beyond the year 9999 cannot be written; nobody keeps results that long.
    let capped = time.as_ms().min(253_402_300_799_000);
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(capped));
    HeaderValue::try_from(date).expect("an HTTP date is ASCII")
}

/// Rounded up, at least one.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

/// One to three seconds: callers that were refused together shall not come back together.
fn jitter() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    1 + RandomState::new().hash_one(0) % 3
}

/// The client's key, as it wrote it, in the header by which it came.
pub(crate) fn echo<B>(answer: &mut Response<Body<B>>, key: Option<&Echo>) {
    if let Some(Echo { name, value }) = key {
        answer.headers_mut().insert(name, value.clone());
    }
}

/// Names the trailers: hyper sends none that a `Trailer` header does not announce.
pub(crate) fn announce(headers: &mut HeaderMap, trailers: Option<&HeaderMap>) {
    headers.remove(header::TRAILER);
    for name in trailers.into_iter().flat_map(HeaderMap::keys) {
        headers.append(header::TRAILER, HeaderValue::from(name.clone()));
    }
}
