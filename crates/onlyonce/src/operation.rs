//! What a handler knows of the operation that it carries out.

use std::fmt;

use http::Extensions;
use onlyonce_core::OperationRef;
use onlyonce_http::Start;
use uuid::Uuid;

use crate::problem::Problem;

/// The namespace of keys for providers (RFC 9562, section 6.6). They are derived from it for ever: another one would be
/// another charge for each attempt that is still open.
const DOWNSTREAM: Uuid = Uuid::from_u128(0x6a2f_0d3c_91b7_4e58_a4d1_0f6b_7c25_e83d);

/// One execution of a keyed request, for the handler that carries it out. An extractor under the feature `axum`;
/// elsewhere [`of`](Self::of) finds it in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    reference: OperationRef,
    attempt: u32,
    rerun: bool,
}

impl Operation {
    /// The operation that a request carries out; `None` if no layer ran, or the request has no key where none is needed.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let start = extensions.get::<Start>()?;
        let attempt = start.fence().0;
        Some(Self { reference: start.operation_ref(), attempt, rerun: start.is_rerun() })
    }

    /// The operation's public name, `op_…`: the same for all of its attempts, and new when its key begins a new operation
    /// after key retention. Made for a unique column beside what the handler writes: then a second attempt, should there
    /// ever be one, cannot write twice.
    pub fn reference(&self) -> OperationRef {
        self.reference
    }

    /// Which attempt this is, from 1: the fence. A store that remembers the highest one it has seen can refuse a slower,
    /// earlier attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether an earlier attempt is unknown, and may have taken effect or still be running. Only on routes that
    /// [promise](crate::Layer::rerun) to be able to bear that.
    pub fn is_rerun(&self) -> bool {
        self.rerun
    }

    /// A key for a call to a provider, from this operation and the name of the step: the same in every attempt, process
    /// and release, and different for each step. A UUID of 36 characters, which every provider takes (Stripe up to 255).
    ///
    /// It makes a re-run's call the same call, as far as the provider goes along:
    /// - A provider forgets (Stripe after 24 hours or more). A re-run after that is a second charge; where a provider
    ///   forgets sooner than operations are settled, do not use [`rerun`](crate::Layer::rerun).
    /// - The name is part of the key. Rename or split a step while operations are unknown, and their re-run calls anew.
    /// - The provider compares parameters: compute them from the request alone, not from rows that may have changed.
    /// - A [released](Self::release) operation that is sent again corrected goes on under the same name. The provider
    ///   refuses the other parameters if it has seen the key, which is right: then the release was not.
    /// - One step is one call. In a loop, put what it is about into the name: `refund/42`.
    #[must_use]
    pub fn downstream_key(&self, step: &str) -> String {
        // The reference has one length, so that no step runs into it.
        Uuid::new_v5(&DOWNSTREAM, format!("{}/{step}", self.reference).as_bytes()).to_string()
    }

    /// Nothing was done, and nothing will be: the key becomes free, and a repeat runs again. For failures that are
    /// certain to have come before any effect: a provider that was not reached, a pool without a free connection. When in
    /// doubt, it is [`unknown`](Self::unknown).
    ///
    /// The error goes to the log. The client is told 502 `upstream-unreachable` and that the same key may be sent again;
    /// in a re-run 502 `outcome-unknown`, since the earlier attempt is not undone by this one's failure.
    pub fn release(&self, error: impl fmt::Display) -> Problem {
        tracing::warn!(idempotency.operation_ref = %self.reference, attempt = self.attempt, %error, "nothing was done");
        Problem::released(self.reference)
    }

    /// Nobody knows whether it took effect: a provider that was called and did not answer. Repeats are refused until
    /// somebody settles it, or run again where the route [says so](crate::Layer::rerun).
    ///
    /// The error goes to the log. The client is told 502 `outcome-unknown`.
    pub fn unknown(&self, error: impl fmt::Display) -> Problem {
        tracing::error!(idempotency.operation_ref = %self.reference, attempt = self.attempt, %error, "the outcome is unknown");
        Problem::unknown(self.reference)
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::{RecordId, Timestamp};

    use super::*;

    fn operation(record: u8, ms: u64) -> Operation {
        let first_claim_at = Timestamp::from_ms(ms);
        let reference = OperationRef { record: RecordId([record; 16]), first_claim_at };
        Operation { reference, attempt: 1, rerun: false }
    }

    #[test]
    fn a_downstream_key_is_the_same_in_every_attempt_and_of_one_step_of_one_operation() {
        let first = operation(1, 1_000);
        let again = Operation { attempt: 7, rerun: true, ..first.clone() };
        assert_eq!(first.downstream_key("charge"), again.downstream_key("charge"));
        let others = [
            first.downstream_key("refund"),
            first.downstream_key(""),
            operation(2, 1_000).downstream_key("charge"),
            // The same client key, used for a new operation after retention.
            operation(1, 9_000).downstream_key("charge"),
        ];
        for other in others {
            assert_ne!(other, first.downstream_key("charge"));
            assert_eq!(other.len(), 36);
        }
    }

    #[test]
    fn downstream_keys_stay_as_they_are() {
        // Providers remember them: if this one moves, a re-run after an update charges again.
        assert_eq!(
            operation(7, 1_790_000_000_000).downstream_key("charge"),
            "dc46f4db-613d-5529-9c9e-576fa9827294"
        );
    }
}
