//! Many keys, each several times at once, at either gateway.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use onlyonce_testbed::{client::Connection, effects::Upstream};
use tokio::task::JoinSet;

use crate::{
    chance::Chance,
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{said, transfer},
};

const KEYS: usize = 10_000;
/// How often each key is sent.
const EACH: usize = 8;
/// Keys whose requests are shuffled with each other: fewer than there are clients, so that many are there at once.
const SHUFFLED: usize = 20;
const CLIENTS: usize = 48;

on_each_backend!(
    ten_thousand_keys_eight_times_each_at_random_to_either_gateway_have_one_effect_and_one_answer_each
);

/// Who sends what next, and what was answered.
struct Errands {
    order: Vec<usize>,
    next: AtomicUsize,
    answers: Mutex<HashMap<usize, Vec<u8>>>,
    executed: AtomicUsize,
}

/// A gateway that trusts what it remembers, or reads before it claims, runs a key twice where another is as quick.
#[expect(clippy::print_stdout, reason = "the seed of a run that failed")]
async fn ten_thousand_keys_eight_times_each_at_random_to_either_gateway_have_one_effect_and_one_answer_each(
    ledger: &Ledger,
) {
    let seed = Chance::new(std::process::id().into(), &ledger.url).bits();
    println!("seed {seed}");
    let upstream = Upstream::counting().await;
    let pair = Pair::start(&upstream, ledger.setup("wait = \"60s\"")).await;
    let errands = Arc::new(Errands {
        order: order(&mut Chance::new(seed, "order")),
        next: AtomicUsize::new(0),
        answers: Mutex::default(),
        executed: AtomicUsize::new(0),
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let chance = Chance::new(seed, &format!("client {client}"));
        clients.spawn(run(chance, [pair.one.address, pair.other.address], Arc::clone(&errands)));
    }
    clients.join_all().await;
    assert_eq!(errands.answers.lock().unwrap().len(), KEYS);
    assert_eq!(errands.executed.load(Ordering::Relaxed), KEYS, "each key has one answer that is no replay");
    assert_eq!((upstream.total(), upstream.keys().len()), (KEYS, KEYS));
}

/// Every key as often as it is sent, shuffled with those near it.
fn order(chance: &mut Chance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..KEYS).flat_map(|key| [key; EACH]).collect();
    for near in order.chunks_mut(SHUFFLED * EACH) {
        for last in (1..near.len()).rev() {
            near.swap(last, chance.below(last + 1));
        }
    }
    order
}

async fn run(mut chance: Chance, gateways: [SocketAddr; 2], errands: Arc<Errands>) {
    let mut connections =
        [Connection::open(gateways[0]).await.unwrap(), Connection::open(gateways[1]).await.unwrap()];
    while let Some(&key) = errands.order.get(errands.next.fetch_add(1, Ordering::Relaxed)) {
        let request = transfer(&format!("key-{key}"));
        let answer = connections[chance.below(2)].send(&request).await.unwrap();
        assert_eq!(answer.status, 201, "key {key}: {}", answer.text());
        errands.executed.fetch_add(usize::from(said(&answer) == Some("executed")), Ordering::Relaxed);
        let mut answers = errands.answers.lock().unwrap();
        let first = answers.entry(key).or_insert_with(|| answer.body.clone());
        assert_eq!(*first, answer.body, "key {key} has two answers");
    }
}
