//! Records that have expired, written as fast as a store takes them: each is what a claim and its completion leave behind,
//! made by the same `decide` at a time long ago.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Decision, Event, Fingerprint, Owner, Policy, RecordId, Timestamp, codec, decide,
    event::{Claim, Completion, Holder},
    fingerprint::Recipe,
};
use onlyonce_ledger::store::{Applied, BATCH_COMMANDS, Body, Command, Store};

use crate::{failure::Failure, operation};

/// How long ago the last of them expired.
const SINCE: Duration = Duration::from_secs(3600);
/// How long they were kept.
const KEPT: Duration = Duration::from_secs(3600);

/// Writes so many.
pub(crate) async fn fill(store: &Arc<dyn Store>, records: usize) -> Result<(), Failure> {
    let ended = Timestamp::from_ms(store.now().as_ms().saturating_sub(millis(SINCE + KEPT)));
    let mut left = records;
    while left > 0 {
        let count = left.min(BATCH_COMMANDS);
        let commands: Result<Vec<_>, _> = (0..count).map(|_| expired(ended)).collect();
        let applied = store.apply(commands?).await?;
        if applied.iter().any(|applied| *applied != Applied::Yes) {
            return Err(Failure::new("a random record was there already"));
        }
        left -= count;
    }
    Ok(())
}

fn expired(ended: Timestamp) -> Result<Command, Failure> {
    let attempt = AttemptId(operation::random());
    let claim = Event::Claim(Claim {
        attempt,
        recipe: Recipe::V1,
        fingerprint: Fingerprint(operation::random()),
        owner: Owner([1; 16]),
        route: "default".to_owned(),
        policy: Policy { retain_result: KEPT, retain_key: KEPT, ..Policy::default() },
        parameters: Bytes::from(operation::usual_parameters()),
    });
    let wrong = || Failure::new("a fresh record cannot be claimed and completed");
    let Decision::Write(claimed) = decide(None, &claim, ended) else { return Err(wrong()) };
    let holder = Holder { attempt, fence: claimed.fence };
    let end = Event::Complete(holder, Completion::Kept { status: 201 });
    let Decision::Write(record) = decide(Some(&claimed), &end, ended) else { return Err(wrong()) };
    let until = record.result_until().ok_or_else(wrong)?;
    let body = Body::Put { bytes: operation::usual_result().into(), until };
    Ok(Command {
        id: RecordId(operation::random()),
        expect: None,
        head: codec::encode(&record),
        body,
        note: None,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
