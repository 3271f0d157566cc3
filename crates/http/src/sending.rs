//! What an inner service that talks to an upstream tells the layer beyond its answer.
//!
//! A plain handler needs none of this: its answer's status says what became of the operation, and the layer starts
//! the attempt before it calls. A proxy knows more: that nothing was sent, or that something was and the answer is
//! lost. It also starts the attempt itself, right before its first byte.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use onlyonce_core::{Fence, OperationRef};
use onlyonce_ledger::{Attempt, attempt::LeaseLost, clock::Boot};

use crate::headers;

/// Put into an answer's extensions by a service that saw no answer. The answer itself is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It is certain that no byte of the request was taken.
    NotSent,
    /// The same, because as much is under way to the upstream as may be: this service is busy, and not the upstream gone.
    NoPlace,
    /// Bytes were sent; the answer broke off.
    Lost {
        /// The status that was seen before.
        seen_status: Option<u16>,
    },
}

/// In a keyed request's extensions: the attempt that it is, and the way to start it, for services that do so themselves.
#[derive(Clone, Debug)]
pub struct Start {
    pub(crate) attempt: Arc<Attempt>,
    /// The key that went to the service.
    pub(crate) key: Option<HeaderValue>,
}

impl Start {
    /// Whether a request with this head is the one that was claimed. A service may make another one of its extensions.
    pub(crate) fn is_of(&self, head: &HeaderMap) -> bool {
        match (&self.key, head.get(headers::KEY)) {
            (None, None) => {
                let operation = head.get(headers::OPERATION).and_then(|value| value.to_str().ok());
                operation == Some(self.operation_ref().to_string().as_str())
            }
            (ours, theirs) => ours.as_ref() == theirs,
        }
    }

    /// To be called right before the first byte goes out. Gives the moment until which that byte may go; past it,
    /// nothing may be sent before this was called again.
    ///
    /// # Errors
    /// [`LeaseLost`]: nothing may be sent; answer with [`NoAnswer::NotSent`].
    pub async fn confirm(&self) -> Result<Boot, LeaseLost> {
        self.attempt.start().await
    }

    /// The operation's public name.
    pub fn operation_ref(&self) -> OperationRef {
        self.attempt.operation_ref()
    }

    /// How many claims the record has had, this one included.
    pub fn fence(&self) -> Fence {
        self.attempt.fence()
    }

    /// Whether an earlier attempt of the operation is unknown.
    pub fn is_rerun(&self) -> bool {
        self.attempt.is_rerun()
    }
}
