//! What an operator says, and what has to be there for it to count: a verdict that makes sense, a name and a reason.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use onlyonce_core::{
    Fence, Outcome,
    event::{Seen, Verdict},
    outcome,
    record::StateName,
};
use onlyonce_http::stored::Stored;
use onlyonce_ledger::audit::Author;
use serde::Deserialize;

use super::answer::Refusal;

/// Most characters of a reason.
const REASON_MAX: usize = 1_000;
/// Most characters of a name.
const NAME_MAX: usize = 100;

/// What became of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum As {
    Applied,
    NotApplied,
}

/// The part of a settlement that says what became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) as_: As,
    pub(super) status: Option<u16>,
    pub(super) force: bool,
}

/// Who changes something and why, as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) by: String,
    pub(super) reason: String,
}

impl Said {
    /// As the ledger takes it.
    pub(super) fn verdict(self) -> Result<Verdict, Refusal> {
        match (self.as_, self.status, self.force) {
            (As::Applied, _, true) => Err(Refusal::invalid(
                "`force` waives the wait before *not applied*; *applied* needs none. Nothing was done.",
            )),
            (As::Applied, None, false) => Err(Refusal::invalid(
                "`status` is missing: the status that the upstream would have answered, such as 201. Repeats get it. \
                 Nothing was done.",
            )),
            (As::Applied, Some(status), false) if outcome::by_table(status, false) == Outcome::Kept => {
                Ok(Verdict::Applied { status })
            }
            (As::Applied, Some(_), false) => Err(Refusal::invalid(
                "`status` is not one by which an operation is known to have ended: repeats would get an answer that \
                 says it was not done. Name the status that the upstream would have answered, such as 201. Nothing \
                 was done.",
            )),
            (As::NotApplied, Some(_), _) => Err(Refusal::invalid(
                "`status` goes with `\"as\": \"applied\"` only: *not applied* frees the key, and the next repeat runs. \
                 Nothing was done.",
            )),
            (As::NotApplied, None, forced) => Ok(Verdict::NotApplied { forced }),
        }
    }
}

impl Signed {
    /// For the audit.
    pub(super) fn author(self, action: impl Into<String>) -> Result<Author, Refusal> {
        let who = text(&self.by, NAME_MAX, "by")?;
        let why = text(&self.reason, REASON_MAX, "reason")?;
        Ok(Author { who, why, action: action.into() })
    }
}

fn text(given: &str, max: usize, member: &str) -> Result<String, Refusal> {
    let given = given.trim();
    let fits = (1..=max).contains(&given.chars().count()) && !given.chars().any(char::is_control);
    if fits {
        return Ok(given.to_owned());
    }
    Err(Refusal::invalid(format!(
        "`{member}` must have 1 to {max} characters on one line: it is what the audit keeps. Nothing was done."
    )))
}

/// What the audit calls a settlement.
pub(super) fn action(verdict: Verdict) -> String {
    match verdict {
        Verdict::Applied { status } => format!("settle applied {status}"),
        Verdict::NotApplied { forced: false } => "settle not applied".to_owned(),
        Verdict::NotApplied { forced: true } => "settle not applied, forced".to_owned(),
    }
}

/// What repeats get after a settlement: the status, and no body, since nobody has it.
pub(super) fn result(verdict: Verdict) -> Bytes {
    match verdict {
        Verdict::NotApplied { .. } => Bytes::new(),
        Verdict::Applied { status } => {
            let status = StatusCode::from_u16(status).expect("the statuses that are kept are all valid");
            Stored { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }.encode()
        }
    }
}

/// The state and fence that the operator looked at.
pub(super) fn seen(state: &str, fence: u32) -> Result<Seen, Refusal> {
    let state = StateName::parse(state).ok_or_else(|| {
        let names = StateName::ALL.map(StateName::as_str).join(", ");
        Refusal::invalid(format!("`state` must be the one that you saw: {names}. Nothing was done."))
    })?;
    Ok(Seen { state, fence: Fence(fence) })
}
