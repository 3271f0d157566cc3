//! Ending an unknown by hand.
//!
//! Who decides is a person, or a job that has asked the provider; what they decide goes through the ledger like every
//! other event, is judged there, and is audited. Nothing is decided here.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use onlyonce_core::{
    Fence, OperationRef, Outcome,
    event::{Seen, Verdict},
    outcome,
    record::{Source, StateName},
};
use onlyonce_http::stored::Stored;
use onlyonce_ledger::{audit::Author, operator};

use crate::handle::Onlyonce;

/// Most characters of a name.
const NAME_MAX: usize = 100;
/// Most characters of a reason.
const REASON_MAX: usize = 1_000;

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
    /// It had no effect and will have none: the key is free. Only after [`settle_after`](crate::Layer::settle_after), where
    /// the layer has one.
    NotApplied,
}

/// Failed to settle an operation.
#[derive(Debug)]
pub struct NotSettled(String);

impl Settlement {
    fn check(&self) -> Result<(), NotSettled> {
        text("by", &self.by, NAME_MAX)?;
        text("reason", &self.reason, REASON_MAX)?;
        match self.became {
            Became::Applied(status) if outcome::by_table(status.as_u16(), false) != Outcome::Kept => {
                Err(NotSettled(format!(
                    "{status} says that it was not done, or that nobody knows; name the status that the handler would \
                     have answered, such as 201"
                )))
            }
            Became::Applied(_) | Became::NotApplied => Ok(()),
        }
    }
}

fn text(member: &str, given: &str, max: usize) -> Result<(), NotSettled> {
    if (1..=max).contains(&given.chars().count()) && !given.chars().any(char::is_control) {
        return Ok(());
    }
    Err(NotSettled(format!(
        "`{member}` must have 1 to {max} characters on one line: it is what the audit keeps"
    )))
}

impl fmt::Display for NotSettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotSettled {}

impl Onlyonce {
    /// Ends an unknown outcome. [`ledger`](Self::ledger) lists those that are open. Goes on if it is dropped half way.
    ///
    /// # Errors
    /// [`NotSettled`] if the operation is not unknown, or not any more, if it is too early to say *not applied*, if what is
    /// said makes no sense, or if the ledger failed: then it may or may not be settled, and can be looked up.
    pub async fn settle(&self, operation: OperationRef, settlement: Settlement) -> Result<(), NotSettled> {
        settlement.check()?;
        let Settlement { attempt, became, by, reason } = settlement;
        let (verdict, result, action) = match became {
            Became::NotApplied => {
                (Verdict::NotApplied { forced: false }, Bytes::new(), "settle not applied".to_owned())
            }
            Became::Applied(status) => (
                Verdict::Applied { status: status.as_u16() },
                Stored { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }.encode(),
                format!("settle applied {}", status.as_u16()),
            ),
        };
        let settlement = operator::Settlement {
            by: Source::Operator,
            seen: Seen { state: StateName::Unknown, fence: Fence(attempt) },
            verdict,
            result,
            author: Author { who: by, why: reason, action },
        };
        let ledger = self.ledger().clone();
        // Broken off between the store's word and the ledger's books, it would leave the count of unknowns wrong.
        let settled = tokio::spawn(async move { ledger.settle(operation, settlement).await }).await;
        match settled {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(refusal))) => {
                Err(NotSettled(format!("{operation} is not settled, the ledger refuses: {refusal:?}")))
            }
            Ok(Err(error)) => {
                Err(NotSettled(format!("whether {operation} is settled is not known: {error}")))
            }
            Err(_) => Err(NotSettled(format!("settling {operation} was broken off"))),
        }
    }
}
