//! Another secret for a ledger that several processes are using.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::{
    Ledger, Options,
    begin::{Claimed, Look, Request, Standing},
    identity::{OpenErrorKind, Secret, rewrap},
};

use crate::{
    begun::{CREATED, LONG, passes, request},
    faulty::Faulty,
};

/// Keys of each stage of the rotation.
const KEYS: u32 = 50;
/// Duplicates of each key, by whichever process.
const DUPLICATES: usize = 8;

/// How often each key was executed.
type Effects = Arc<Mutex<HashMap<u32, usize>>>;

fn old() -> Secret {
    Secret::new([1; 32]).unwrap()
}

fn new() -> Secret {
    Secret::new([2; 32]).unwrap()
}

async fn opened(store: &Arc<Faulty>, secret: &Secret) -> Ledger {
    let options = Options::default();
    Ledger::open(store.store(), secret, options).await.unwrap().0
}

fn numbered(number: u32) -> Request {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Request { id: RecordId(id), ..request(0) }
}

/// Every error fails the test: no request may fail.
async fn call(ledger: Ledger, number: u32, effects: Effects) -> Bytes {
    let standing = match ledger.look_up(&numbered(number), LONG).await.unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(leader) => match leader.claim().await.unwrap() {
            Claimed::Stands(standing) => standing,
            Claimed::Attempt(attempt) => {
                attempt.start().await.unwrap();
                *effects.lock().unwrap().entry(number).or_default() += 1;
                // Longer than it takes to see another identity.
                passes(Duration::from_secs(3)).await;
                let result = Bytes::from(format!("transfer {number}"));
                attempt.complete(CREATED, result.clone()).await.unwrap();
                return result;
            }
        },
    };
    match standing {
        Standing::Result { result, .. } => result,
        other => panic!("a repeat gets the result, and not {other:?}"),
    }
}

/// All duplicates at once, spread over the processes, while `meanwhile` happens.
async fn under_load(
    ledgers: [&Ledger; 2],
    stage: u32,
    effects: &Effects,
    meanwhile: impl Future<Output = ()>,
) {
    let mut calls = Vec::new();
    for number in stage * KEYS..(stage + 1) * KEYS {
        for duplicate in 0..DUPLICATES {
            let [even, odd] = ledgers;
            let ledger = if duplicate % 2 == 0 { even.clone() } else { odd.clone() };
            calls.push((number, tokio::spawn(call(ledger, number, Arc::clone(effects)))));
        }
    }
    passes(Duration::from_secs(1)).await;
    meanwhile.await;
    for (number, call) in calls {
        assert_eq!(call.await.unwrap(), format!("transfer {number}"));
    }
}

/// D1: during a rotation one process looked under the old name of a record and the other under the new one, and both ran it. Here
/// the names do not change, and those who have the ledger's key go on with it; each is restarted with the new secret in turn.
#[tokio::test(start_paused = true)]
async fn d1_a_rewrap_under_load_fails_no_request_and_runs_none_twice() {
    let store = Arc::<Faulty>::default();
    store.share();
    let (one, two) = (opened(&store, &old()).await, opened(&store, &old()).await);
    let effects = Effects::default();
    under_load([&one, &two], 0, &effects, async {
        rewrap(&*store.store(), &old(), &new()).await.unwrap();
    })
    .await;
    // Past the time for which a look at the identity counts.
    passes(Duration::from_secs(30)).await;
    under_load([&one, &two], 1, &effects, async {}).await;
    let refused = Ledger::open(store.store(), &old(), Options::default()).await.unwrap_err();
    assert_eq!(refused.kind(), OpenErrorKind::Secret, "the old secret opens it no more");
    let one_again = opened(&store, &new()).await;
    assert_eq!(one_again.key().expose(), two.key().expose());
    under_load([&one_again, &two], 2, &effects, async move { drop(one) }).await;
    let two_again = opened(&store, &new()).await;
    under_load([&one_again, &two_again], 3, &effects, async move { drop(two) }).await;
    // What was done before, by whoever asks now.
    for number in 0..4 * KEYS {
        assert_eq!(call(two_again.clone(), number, Arc::clone(&effects)).await, format!("transfer {number}"));
    }
    let effects = effects.lock().unwrap();
    assert_eq!(effects.len(), usize::try_from(4 * KEYS).unwrap());
    assert!(effects.values().all(|times| *times == 1), "{effects:?}");
}
