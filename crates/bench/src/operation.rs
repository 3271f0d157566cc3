//! One operation from beginning to end, as the gateway does it: look up, claim, start, complete, under a key that nobody
//! has used, with parameters and a result of usual size.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use onlyonce_core::{Fingerprint, Owner, Policy, RecordId, event::Completion, fingerprint::Recipe};
use onlyonce_ledger::{
    Ledger,
    begin::{Claimed, Look, Request},
};

use crate::{failure::Failure, load};

/// Bytes of a usual answer's body.
pub(crate) const BODY: usize = 500;
/// What is stored of an answer beside its body: status, content type, lengths.
const ANSWER_HEAD: usize = 42;

/// What one operation comes to.
pub(crate) type Done<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A way to see to it that something is done once.
pub(crate) trait Way: Send + Sync + 'static {
    /// Claims a fresh key and completes it. An operation that is not claimed, or not completed, is a failure.
    fn operation(&self) -> Done<'_>;
}

/// The real one.
pub(crate) struct Real {
    ledger: Ledger,
    parameters: Bytes,
    policy: Policy,
    bytes: usize,
}

impl Real {
    /// Operations whose answers have a body of so many bytes.
    pub(crate) fn new(ledger: Ledger, policy: Policy, body: usize) -> Self {
        Self { ledger, parameters: usual_parameters().into(), policy, bytes: ANSWER_HEAD + body }
    }

    async fn once(&self) -> Result<(), Failure> {
        let Look::Free(leader) = self.ledger.look_up(&self.request(), Duration::ZERO).await? else {
            return Err(Failure::new("a random record was there already"));
        };
        let Claimed::Attempt(attempt) = leader.claim().await? else {
            return Err(Failure::new("a random record was claimed already"));
        };
        attempt.start().await.map_err(|lost| Failure::new(format!("{lost:?}")))?;
        let result = result(self.bytes).into();
        let completed = attempt.complete(Completion::Kept { status: 201 }, result).await;
        completed.map(drop).map_err(|unrecorded| Failure::new(format!("{unrecorded:?}")))
    }

    fn request(&self) -> Request {
        Request {
            id: RecordId(random()),
            recipe: Recipe::V1,
            fingerprint: Fingerprint(random()),
            owner: Owner([1; 16]),
            one_of_many: false,
            route: "default".into(),
            policy: self.policy.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

impl Way for Real {
    fn operation(&self) -> Done<'_> {
        Box::pin(self.once())
    }
}

/// What is stored of a usual request, as it is shown to an owner whose key stands for something else.
pub(crate) fn usual_parameters() -> String {
    format!(r#"{{"method":"POST","path":"/transfers","body":{}}}"#, load::BODY)
}

/// What is stored of a usual answer.
pub(crate) fn usual_result() -> Vec<u8> {
    result(ANSWER_HEAD + BODY)
}

/// Bytes that nothing can compress: a result's worst case.
fn result(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}
