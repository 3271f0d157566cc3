//! The keep-alive race: an upstream closes an idle connection while a request is on its way to it.
//!
//! Such a request is unknown, rightly, and nobody can tell it from one that was executed. So it must not come to it:
//! keyed requests leave connections alone that may be about to be closed.

use std::{collections::BTreeMap, time::Duration};

use onlyonce_testbed::{
    client::Connection,
    hostile::{BODY, Behaviour, End, Hostile, IDLE_CLOSE, Idle, Piece, Plan, Reads},
    proxy::{Fault, Proxy},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    files,
    gateway::{Gateway, Setup},
    transfer::{said, transfer},
};

/// Requests at a time: each takes a connection, which is then idle until the next burst.
const LANES: usize = 500;
const BURSTS: u32 = 20;
/// From one burst to the next: none to 1.2 s, in so many steps as there are bursts.
const GAP_STEP: Duration = Duration::from_millis(63);
/// The way to the upstream. While a request is on it, the upstream may close.
const WAY: Duration = Duration::from_millis(5);
/// How long the upstream works: longer than a burst takes to arrive, so that its requests share no connection.
const WORK: Duration = Duration::from_millis(200);

/// How the requests of a run were answered, and what the upstream got.
#[derive(Debug, Default)]
struct Run {
    answers: BTreeMap<(u16, String), usize>,
    /// How many keys the upstream got how often.
    executions: BTreeMap<usize, usize>,
    connections: usize,
}

/// Keyed requests in bursts, with these gaps after them, to an upstream that closes what is idle.
async fn run(setup: Setup, gaps: impl Iterator<Item = Duration>) -> Run {
    files::allow_many();
    let hostile = Hostile::start(closing_idle()).await;
    let way = Proxy::start(hostile.addr()).await;
    way.always(Fault::delay_up(WAY));
    let gateway = Gateway::start(&way.url(), setup).await;
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        lanes.push(Connection::open(gateway.address).await.unwrap());
    }
    let mut run = Run::default();
    for (burst, gap) in gaps.enumerate() {
        let mut begun = JoinSet::new();
        for (lane, mut connection) in lanes.drain(..).enumerate() {
            begun.spawn(async move {
                let answer = connection.send(&transfer(&format!("k-{burst}-{lane}"))).await.unwrap();
                let said = said(&answer).unwrap_or_default().to_owned();
                (connection, (answer.status, said))
            });
        }
        for (connection, seen) in begun.join_all().await {
            lanes.push(connection);
            *run.answers.entry(seen).or_default() += 1;
        }
        // bounded: idleness itself is what is tested
        sleep(gap).await;
    }
    for executions in hostile.keys().into_values() {
        *run.executions.entry(executions).or_default() += 1;
    }
    run.connections = way.connections();
    run
}

/// Works for a while, answers, and closes idle connections after 0.9 to 1.1 s.
fn closing_idle() -> Behaviour {
    let rest = format!("TTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n", BODY.len());
    let rest = [rest.as_bytes(), BODY].concat();
    let writes = vec![Piece::Slowly(b"H".to_vec(), WORK), Piece::Bytes(rest)];
    Behaviour::Planned(Plan { reads: Reads::Whole, writes, end: End::Idle(Idle::CloseAfter(IDLE_CLOSE)) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_to_an_upstream_that_closes_idle_connections_leave_nothing_unknown() {
    // Short and long ones in turn, so that connections meet their next request before, while and after they are closed.
    let gaps = (0..BURSTS).map(|burst| GAP_STEP * (burst * 7 % BURSTS));
    let run = run(Setup::anonymous(), gaps).await;
    let all = LANES * BURSTS as usize;
    assert_eq!(run.answers, BTreeMap::from([((201, "executed".to_owned()), all)]), "{run:?}");
    assert_eq!(run.executions, BTreeMap::from([(1, all)]), "each key once");
    assert!(run.connections > 2 * LANES, "connections are closed: {run:?}");
    // How many depends on how busy the machine is: a burst may last longer than its gap.
    assert!(run.connections < all, "connections are used again: {run:?}");
}

/// The same without the rule: the race is real, and would have been seen above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rule_the_race_is_lost_now_and_then_and_never_twice_for_a_key() {
    let gaps = [600, 700, 800, 900, 0].map(Duration::from_millis);
    let run = run(Setup::anonymous().top("upstream_idle = \"30s\""), gaps.into_iter()).await;
    println!("without the rule: {run:?}");
    assert!(run.answers.contains_key(&(502, "unknown".to_owned())), "{run:?}");
    assert_eq!(run.executions.keys().max(), Some(&1), "nothing is sent again: {run:?}");
}
