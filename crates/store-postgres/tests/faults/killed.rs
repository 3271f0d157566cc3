//! `kill -9` and restart of the server while it is under load.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_ledger::{
    Ledger,
    begin::{Claimed, Look, Standing},
};
use onlyonce_testbed::servers::Postgres;

use crate::{
    begun::{CREATED, Place, replayed, request},
    rows::Session,
};

/// How often the server is killed.
const KILLS: u32 = 4;
/// Who works at the same time.
const WORKERS: u32 = 16;

/// What was done, and what was acknowledged.
#[derive(Default)]
struct Seen {
    executions: Mutex<HashMap<u32, u32>>,
    acknowledged: Mutex<HashMap<u32, Bytes>>,
    next: AtomicU32,
    enough: AtomicBool,
}

/// Takes key after key, and asks again under the same key until there is a result, as a client does.
async fn work(ledger: Ledger, seen: Arc<Seen>) {
    while !seen.enough.load(Ordering::Relaxed) {
        let key = seen.next.fetch_add(1, Ordering::Relaxed);
        for _ in 0..20 {
            let Ok(look) = ledger.look_up(&request(key), Duration::from_secs(1)).await else { continue };
            let leader = match look {
                Look::Free(leader) => leader,
                Look::Stands(Standing::Result { result, .. }) => {
                    seen.acknowledged.lock().unwrap().insert(key, result);
                    break;
                }
                Look::Stands(_) => continue,
            };
            let Ok(Claimed::Attempt(attempt)) = leader.claim().await else { continue };
            if attempt.start().await.is_err() {
                continue;
            }
            *seen.executions.lock().unwrap().entry(key).or_default() += 1;
            let result = Bytes::from(format!("result {key}"));
            if attempt.complete(CREATED, result.clone()).await.is_ok() {
                seen.acknowledged.lock().unwrap().insert(key, result);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let ledgers = [place.ledger().await, place.ledger().await];
    let seen = Arc::<Seen>::default();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| tokio::spawn(work(ledgers[(worker % 2) as usize].clone(), Arc::clone(&seen))))
        .collect();
    let more = async || {
        let done = || seen.acknowledged.lock().unwrap().len();
        let goal = done() + 200;
        while done() < goal {
            tokio::task::yield_now().await;
        }
    };
    for _ in 0..KILLS {
        more().await;
        server.kill9().await;
        server.restart().await;
    }
    // Until it serves again: who connected while it started was told so.
    more().await;
    seen.enough.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let executions = seen.executions.lock().unwrap().clone();
    let twice: Vec<_> = executions.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "executed more than once: {twice:?}");
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    for (key, result) in &acknowledged {
        assert_eq!(replayed(&ledgers[0], &request(*key)).await, result, "{key}");
    }
    let mut beside = Session::open(&server.url()).await;
    let completed = format!("select count(*) from {}.records where state = 'completed'", place.schema);
    assert!(beside.count(completed).await >= i64::try_from(acknowledged.len()).unwrap());
}
