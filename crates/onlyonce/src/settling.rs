//! Ending an unknown by hand.
//!
//! Who decides is a person, or a job that has asked the provider; what they decide goes through the ledger like every
//! other event, is judged there, and is audited. Nothing is decided here.

use std::fmt;

use http::StatusCode;
use onlyonce_core::{
    Fence, OperationRef, Refusal,
    event::{Seen, Verdict},
    record::{Source, StateName},
};
use onlyonce_http::stored::Stored;
use onlyonce_ledger::{audit::Author, operator};

use crate::handle::Onlyonce;

/// What became of an operation, by somebody who knows.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which attempt was looked at: the `attempts` of the operations endpoint. If there has been another since, it is
    /// refused.
    pub attempt: u32,
    /// What became of it.
    pub became: Became,
    /// Who says so, for the audit.
    pub by: String,
    /// How they know, for the audit.
    pub reason: String,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It took effect: repeats get this status, which the handler would have answered, and no body.
    Applied(StatusCode),
    /// It had no effect and will have none: the key is free. Only on a layer with
    /// [`settle_after`](crate::Layer::settle_after), and once that has passed.
    NotApplied,
    /// The same, earlier or on a layer without `settle_after`: nothing but the one who says so vouches that no attempt is
    /// still at work. If one is, the next repeat acts a second time.
    NotAppliedByForce,
}

/// Failed to settle an operation.
#[derive(Debug)]
pub struct NotSettled {
    kind: NotSettledKind,
    detail: String,
}

/// Why an operation was not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSettledKind {
    /// What is said makes no sense.
    Invalid,
    /// There is no such operation, or none any more.
    Absent,
    /// It is not unknown, or there has been another attempt since.
    Moved,
    /// `settle_after` has not passed: *not applied* can be said later, or by force.
    TooEarly,
    /// The layer has no `settle_after`: *not applied* can be said by force alone.
    OnlyByForce,
    /// The ledger failed: it may or may not be settled.
    InDoubt,
}

impl NotSettled {
    /// Why.
    pub fn kind(&self) -> NotSettledKind {
        self.kind
    }

    fn new(kind: NotSettledKind, detail: String) -> Self {
        Self { kind, detail }
    }

    fn refused(operation: OperationRef, refusal: Refusal) -> Self {
        let (kind, why) = match refusal {
            Refusal::Absent => (NotSettledKind::Absent, "there is no such operation"),
            Refusal::TooEarly(_) => (NotSettledKind::TooEarly, "`settle_after` has not passed yet"),
            Refusal::NoSettleAfter => (
                NotSettledKind::OnlyByForce,
                "its layer has no `settle_after`; say it by force, if you are certain",
            ),
            _ => (NotSettledKind::Moved, "it is not unknown, or there has been another attempt since"),
        };
        Self::new(kind, format!("{operation} is not settled, the ledger refuses: {why}"))
    }
}

impl Settlement {
    /// As the ledger takes it.
    fn of_operator(self) -> Result<operator::Settlement, NotSettled> {
        let invalid = |why: String| NotSettled::new(NotSettledKind::Invalid, why);
        let author = Author::new(&self.by, &self.reason).map_err(|error| invalid(error.to_string()))?;
        let verdict = match self.became {
            Became::Applied(status) => {
                Verdict::applied(status.as_u16()).map_err(|error| invalid(error.to_string()))?
            }
            Became::NotApplied => Verdict::NotApplied { forced: false },
            Became::NotAppliedByForce => Verdict::NotApplied { forced: true },
        };
        Ok(operator::Settlement {
            by: Source::Operator,
            seen: Seen { state: StateName::Unknown, fence: Fence(self.attempt) },
            verdict,
            result: Stored::of_verdict(verdict),
            author,
        })
    }
}

impl fmt::Display for NotSettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for NotSettled {}

impl Onlyonce {
    /// Ends an unknown outcome. [`ledger`](Self::ledger) lists those that are open. Goes on if it is dropped half way.
    ///
    /// # Errors
    /// [`NotSettled`] if the operation is not unknown, or not any more, if *not applied* cannot be said now or here, if what is
    /// said makes no sense, or if the ledger failed: then it may or may not be settled, and can be looked up.
    pub async fn settle(&self, operation: OperationRef, settlement: Settlement) -> Result<(), NotSettled> {
        match self.ledger().settle(operation, settlement.of_operator()?).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refusal)) => Err(NotSettled::refused(operation, refusal)),
            Err(error) => {
                let detail = format!("whether {operation} is settled is not known: {error}");
                Err(NotSettled::new(NotSettledKind::InDoubt, detail))
            }
        }
    }
}
