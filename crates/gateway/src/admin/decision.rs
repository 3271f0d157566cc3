//! What an operator says, and what has to be there for it to count: a verdict that makes sense, a name and a reason.

use onlyonce_core::{
    Fence,
    event::{Seen, Verdict},
    record::StateName,
};
use onlyonce_ledger::audit::Author;
use serde::Deserialize;

use super::answer::Refusal;

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
            (As::Applied, Some(status), false) => Verdict::applied(status)
                .map_err(|error| Refusal::invalid(format!("`status`: {error}. Nothing was done."))),
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
    pub(super) fn author(self) -> Result<Author, Refusal> {
        Author::new(&self.by, &self.reason)
            .map_err(|error| Refusal::invalid(format!("{error}. Nothing was done.")))
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
