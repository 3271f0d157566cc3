//! A ledger that is moved from one store to another answers as before, byte for byte; but `settle_after` counts anew.
//!
//! No case of the [suite](crate::check), since it takes two stores: whoever has a backend moves a ledger there and back.

use std::{io::Cursor, sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    Fingerprint, Owner, Policy, RecordId, State, codec,
    event::{Completion, Seen, Verdict},
    fingerprint::Recipe,
    policy::OnUnknown,
    record::{ReleaseCause, Source, StateName, UnknownCause},
};
use onlyonce_ledger::{
    Attempt, Ledger, Options,
    audit::Author,
    begin::{Claimed, Look, Request, Standing},
    identity::Secret,
    operator::Settlement,
    store::{Body, Command, Store},
    transfer::{self, Export, Input},
};

use crate::rows::noise;

const HOUR: Duration = Duration::from_secs(3600);
/// A result that no batch takes together with others.
const LARGE: usize = 3 * 1024 * 1024;
const KEPT: Completion = Completion::Kept { status: 201 };

/// Fills `from`, which must be empty, moves it to `to`, which must be so too, and compares what every key is answered with.
///
/// # Panics
/// If anything is answered otherwise, or one of the stores fails.
pub async fn assert_answers_survive_a_move(from: Arc<dyn Store>, to: Arc<dyn Store>) {
    let keys = fill(&from).await;
    let mut file = Vec::new();
    let exported = transfer::export(Arc::clone(&from), Export::Move, &mut file, &mut |_| {}).await;
    let exported = exported.expect("it can be exported");
    let before = Answers::of(&from, &keys).await;
    let imported = transfer::import(Arc::clone(&to), Input::Stream(&mut &*file), &mut |_| {}).await;
    let imported = imported.expect("and imported");
    assert_eq!((imported.records, imported.results), (exported.records, exported.results));
    assert_eq!(Answers::of(&to, &keys).await, before);
    // Once more, as after an interruption that nobody noticed was none.
    let again = transfer::import(Arc::clone(&to), Input::File(&mut Cursor::new(file)), &mut |_| {}).await;
    let again = again.expect("and imported again");
    assert_eq!(again.kept, again.records);
    assert_eq!(Answers::of(&to, &keys).await, before, "imported once more");
}

/// What a ledger answers.
#[derive(Debug, PartialEq)]
struct Answers {
    /// To each key, asked by the same request and by another one.
    keys: Vec<[Answer; 2]>,
    rows: Vec<(RecordId, Bytes)>,
    audit: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    answer: String,
    record: Option<Bytes>,
    parameters: Option<Bytes>,
    result: Option<Bytes>,
}

impl Answers {
    async fn of(store: &Arc<dyn Store>, keys: &[Request]) -> Self {
        let ledger = open(store).await;
        let mut answers = Vec::new();
        for request in keys {
            let other = Request { fingerprint: Fingerprint([2; 32]), ..request.clone() };
            answers.push([Answer::of(&ledger, request).await, Answer::of(&ledger, &other).await]);
        }
        let rows = store.rows(None, 1_000).await.expect("it can be read");
        let rows = rows.into_iter().map(|(id, row)| (id, by_any_clock(row))).collect();
        let audit = ledger.audit(None, 1_000).await.expect("so can its audit");
        let audit = audit.entries.into_iter().map(|(_, entry)| format!("{entry:?}")).collect();
        Self { keys: answers, rows, audit }
    }
}

impl Answer {
    async fn of(ledger: &Ledger, request: &Request) -> Self {
        let nothing = |answer: String| Self { answer, record: None, parameters: None, result: None };
        let standing = match ledger.look_up(request, Duration::ZERO).await {
            Ok(Look::Stands(standing)) => standing,
            Ok(Look::Free(_)) => return nothing("free".to_owned()),
            Err(error) => return nothing(error.to_string()),
        };
        let record = standing.record();
        let (answer, result) = match &standing {
            Standing::Result { result, .. } => ("result".to_owned(), Some(result.clone())),
            Standing::Refused { refusal, .. } => (format!("{refusal:?}"), None),
            Standing::Damaged { .. } => ("damaged".to_owned(), None),
            Standing::Shared { .. } => ("shared".to_owned(), None),
        };
        Self {
            answer,
            record: Some(by_any_clock(codec::encode(record))),
            parameters: ledger.parameters(request.id, record),
            result,
        }
    }
}

/// The row, but for when `settle_after` begins: that counts anew wherever another clock is gone by.
fn by_any_clock(row: Bytes) -> Bytes {
    let Ok(mut record) = codec::decode(&row) else { return row };
    if let State::Unknown { since, settle_from, .. } = &mut record.state {
        *settle_from = *since;
    }
    codec::encode(&record)
}

async fn open(store: &Arc<dyn Store>) -> Ledger {
    let secret = Secret::new([7; 32]).expect("it is long enough");
    Ledger::open(Arc::clone(store), &secret, Options::default()).await.expect("it can be opened").0
}

fn request(key: u8, policy: Policy) -> Request {
    let mut id = [0x33; 16];
    id[0] = key.wrapping_mul(11);
    Request {
        id: RecordId(id),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([key; 16]),
        one_of_many: true,
        route: format!("POST /transfers/{key}"),
        policy,
        parameters: Bytes::from(format!("{{\"amount\":{key}}}")),
    }
}

async fn run(ledger: &Ledger, request: &Request) -> Attempt {
    match ledger.look_up(request, Duration::ZERO).await {
        Ok(Look::Free(leader)) => match leader.claim().await {
            Ok(Claimed::Attempt(attempt)) => attempt,
            other => panic!("the key is free, and not {other:?}"),
        },
        other => panic!("the key is free, and not {other:?}"),
    }
}

/// A ledger with a record in every state; their requests, and one that was never made.
async fn fill(store: &Arc<dyn Store>) -> Vec<Request> {
    let ledger = open(store).await;
    let plain = Policy { settle_after: Some(Duration::ZERO), ..Policy::default() };
    let rerun = Policy { on_unknown: OnUnknown::Rerun, ..plain.clone() };
    let probe = Policy { on_unknown: OnUnknown::Probe, settle_after: Some(HOUR), ..Policy::default() };
    let mut requests = kept(&ledger, &plain).await;
    requests.extend(lost(&ledger, [&plain, &rerun, &probe]).await);
    let [released, left_behind, damaged] = [30, 31, 32].map(|key| request(key, plain.clone()));
    let attempt = run(&ledger, &released).await;
    attempt.release(ReleaseCause::Answered(429), None).await.expect("it is on record");
    leave_behind(&ledger, &**store, left_behind.id).await;
    run(&ledger, &damaged).await.complete(KEPT, Bytes::from_static(b"paid")).await.expect("it is on record");
    damage(&**store, damaged.id).await;
    requests.extend([released, left_behind, damaged, request(33, plain)]);
    requests
}

/// Those whose outcome is known.
async fn kept(ledger: &Ledger, plain: &Policy) -> Vec<Request> {
    let short = Policy { retain_result: Duration::ZERO, ..plain.clone() };
    let results = [
        (plain, Bytes::from_static(b"paid")),
        (plain, Bytes::new()),
        (plain, noise(3, LARGE)),
        (plain, Bytes::from_static(b"to be forgotten")),
        (&short, Bytes::from_static(b"of no use any more")),
    ];
    let mut requests = Vec::new();
    for (key, (policy, result)) in (0..).zip(results) {
        let request = request(key, policy.clone());
        run(ledger, &request).await.complete(KEPT, result).await.expect("it is on record");
        requests.push(request);
    }
    let (reference, seen, author) = seen(ledger, nth(&requests, 3)).await;
    ledger.forget(reference, seen, author).await.expect("it can be written").expect("and may be");
    let too_large = request(9, plain.clone());
    let attempt = run(ledger, &too_large).await;
    let cut = attempt.complete(Completion::TooLarge { status: 200 }, Bytes::new()).await;
    cut.expect("it is on record");
    requests.push(too_large);
    requests
}

fn nth(requests: &[Request], number: usize) -> &Request {
    requests.get(number).expect("there are as many")
}

/// Those whose outcome nobody knows, or has been settled.
async fn lost(ledger: &Ledger, [plain, rerun, probe]: [&Policy; 3]) -> Vec<Request> {
    let policies = [plain, probe, rerun, rerun, plain, plain];
    let requests: Vec<_> = (10..).zip(policies).map(|(key, policy)| request(key, policy.clone())).collect();
    for request in &requests {
        let attempt = run(ledger, request).await;
        attempt.lose_track(UnknownCause::AnswerLost.into()).await.expect("it is on record");
    }
    let rerun = run(ledger, nth(&requests, 3)).await;
    rerun.release(ReleaseCause::Answered(409), None).await.expect("it is unknown as before");
    settle(ledger, nth(&requests, 4), Verdict::Applied { status: 202 }).await;
    settle(ledger, nth(&requests, 5), Verdict::NotApplied { forced: true }).await;
    requests
}

async fn seen(ledger: &Ledger, request: &Request) -> (onlyonce_core::OperationRef, Seen, Author) {
    let record = ledger.record(request.id).await.expect("it can be read").expect("it is there");
    let seen = Seen { state: record.state.name(), fence: record.fence };
    let author = Author::new("Ana", "the bank's list says so").expect("it can be kept");
    (record.operation_ref(request.id), seen, author)
}

async fn settle(ledger: &Ledger, request: &Request, verdict: Verdict) {
    let (reference, seen, author) = seen(ledger, request).await;
    assert_eq!(seen.state, StateName::Unknown);
    let result = Bytes::from_static(b"settled");
    let settlement = Settlement { by: Source::Operator, seen, verdict, result, author };
    ledger.settle(reference, settlement).await.expect("it can be written").expect("and may be");
}

/// In progress, and its process is gone.
async fn leave_behind(ledger: &Ledger, store: &dyn Store, id: RecordId) {
    let policy = Policy { lease: Duration::from_secs(1), ..Policy::default() };
    let attempt = run(ledger, &Request { id, ..request(31, policy) }).await;
    let in_progress = row(store, id).await;
    attempt.release(ReleaseCause::NotStarted, None).await.expect("it is on record");
    replace(store, id, in_progress).await;
}

/// It can be read as far as a store looks, and no further.
async fn damage(store: &dyn Store, id: RecordId) {
    let mut damaged = row(store, id).await.to_vec();
    *damaged.last_mut().expect("it has a checksum") ^= 1;
    replace(store, id, damaged.into()).await;
}

async fn row(store: &dyn Store, id: RecordId) -> Bytes {
    store.heads(&[id]).await.expect("it can be read").remove(0).expect("it is there")
}

async fn replace(store: &dyn Store, id: RecordId, head: Bytes) {
    let expect = Some(codec::peek(&row(store, id).await).expect("it is whole").version);
    let command = Command { id, expect, head, body: Body::Keep, note: None };
    store.apply(vec![command]).await.expect("a store looks no further than it has to");
}

#[cfg(test)]
mod tests {
    use onlyonce_ledger::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn a_ledger_moves_from_memory_to_memory() {
        let (from, to) = (Arc::<MemoryStore>::default(), Arc::<MemoryStore>::default());
        assert_answers_survive_a_move(from, to).await;
    }
}
