//! What is asked for, and what is given for it.

use onlyonce::OperationRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A transfer that somebody wants.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Transfer {
    to: String,
    amount: u64,
}

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    operation: String,
    charge: Value,
}

impl Receipt {
    pub(crate) fn of(operation: OperationRef, charge: Value) -> Self {
        Self { operation: operation.to_string(), charge }
    }
}
