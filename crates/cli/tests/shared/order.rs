//! The same keys in opposite orders.

use std::net::SocketAddr;

use onlyonce_testbed::{
    client::{Request, Response},
    effects::Upstream,
    servers,
};
use tokio::task::JoinHandle;

use crate::{
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{all, assert_problem, assert_replays, said, send, transfer},
};

const KEYS: usize = 500;
/// Each with keys of its own: what meets whom is a matter of chance.
const ROUNDS: usize = 4;
/// How often a request that found no room comes again.
const TRIES: usize = 20;

on_each_backend!(the_same_500_keys_in_opposite_orders_from_two_gateways_do_not_deadlock);

/// A batch that takes its rows in the order of its requests waits for another that has taken them the other way round,
/// and the database ends one of both.
async fn the_same_500_keys_in_opposite_orders_from_two_gateways_do_not_deadlock(ledger: &Ledger) {
    let before = deadlocks(ledger).await;
    let upstream = Upstream::counting().await;
    let pair = Pair::start(&upstream, ledger.setup("wait = \"60s\"")).await;
    for round in 0..ROUNDS {
        let request = |number: usize| transfer(&format!("{round}-{number}"));
        let forth = (0..KEYS).map(|number| insist(pair.one.address, request(number))).collect();
        let back = (0..KEYS).rev().map(|number| insist(pair.other.address, request(number))).collect();
        let (forth, mut back) = (all(forth).await, all(back).await);
        back.reverse();
        for (one, other) in forth.iter().zip(&back) {
            assert_eq!((one.status, other.status), (201, 201), "{} {}", one.text(), other.text());
            let (first, repeat) = if said(one) == Some("executed") { (one, other) } else { (other, one) };
            assert_replays(repeat, first);
        }
        assert_eq!(upstream.total(), (round + 1) * KEYS);
    }
    assert_eq!(deadlocks(ledger).await, before);
}

/// A thousand requests at once may be more than a slow machine takes, and are told to come again.
fn insist(gateway: SocketAddr, request: Request) -> JoinHandle<Response> {
    tokio::spawn(async move {
        for _ in 0..TRIES {
            let answer = send(gateway, &request).await;
            if answer.status != 503 {
                return answer;
            }
            assert_problem(&answer, 503, "capacity");
        }
        panic!("there is no room after {TRIES} tries");
    })
}

/// How often PostgreSQL has had to end a deadlock; the others know none.
async fn deadlocks(ledger: &Ledger) -> Option<String> {
    let (server, _) = ledger.url.split_once('?').unwrap();
    let counted = "select deadlocks from pg_stat_database where datname = current_database()";
    match server.starts_with("postgres") {
        true => Some(servers::postgres::ask(server, counted).await),
        false => None,
    }
}
