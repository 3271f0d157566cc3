//! What an inner service that talks to an upstream tells the layer beyond its answer.
//!
//! A plain handler needs none of this: its answer's status says what became of the operation, and the layer starts
//! the attempt before it calls. A proxy knows more: that nothing was sent, or that something was and the answer is
//! lost. It also starts the attempt itself, right before its first byte.

use std::sync::Arc;

use onlyonce_core::{Fence, OperationRef};
use onlyonce_ledger::{Attempt, attempt::LeaseLost};

/// Put into an answer's extensions by a service that saw no answer. The answer itself is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It is certain that no byte of the request was taken.
    NotSent,
    /// Bytes were sent; the answer broke off.
    Lost {
        /// The status that was seen before.
        seen_status: Option<u16>,
    },
}

/// In a keyed request's extensions: the attempt that it is, and the way to start it, for services that do so themselves.
#[derive(Clone, Debug)]
pub struct Start(pub(crate) Arc<Attempt>);

impl Start {
    /// To be called right before the first byte goes out.
    ///
    /// # Errors
    /// [`LeaseLost`]: nothing may be sent; answer with [`Observed::NotSent`].
    pub async fn confirm(&self) -> Result<(), LeaseLost> {
        self.0.start().await
    }

    /// The operation's public name.
    pub fn operation_ref(&self) -> OperationRef {
        self.0.operation_ref()
    }

    /// How many claims the record has had, this one included.
    pub fn fence(&self) -> Fence {
        self.0.fence()
    }

    /// Whether an earlier attempt of the operation is in doubt.
    pub fn is_rerun(&self) -> bool {
        self.0.is_rerun()
    }
}
