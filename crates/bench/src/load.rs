//! The load generator: a fixed number of connections on one thread, each sending its next request when it has read the
//! whole answer to the one before.
//!
//! Invariant: every answer is looked at (status, length, what it says of its key), and one that is not expected ends
//! the round with what it was. Only requests that began and ended within the measured time count.

mod connection;
mod keys;
pub(crate) mod wire;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

pub(crate) use connection::Connection;
pub(crate) use keys::{BODY, Keys};

use crate::{failure::Failure, system::Processes};

/// The longest latency that is told apart from longer ones, in microseconds.
const LONGEST_US: u64 = 60_000_000;
/// Latencies are exact to as many digits.
const DIGITS: u8 = 3;

/// What is sent where, and for how long.
pub(crate) struct Plan<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) keys: &'a Keys,
    pub(crate) connections: usize,
    /// Before anything counts.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// Whose processor time is read.
    pub(crate) processes: &'a Processes,
}

/// What one round gave.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) latencies_us: Histogram<u64>,
    pub(crate) seconds: f64,
    pub(crate) cpu: Duration,
}

impl Measured {
    pub(crate) fn requests(&self) -> u64 {
        self.latencies_us.len()
    }
}

/// What the connections of one round share.
struct Round {
    /// Set while what ends counts, to when that began.
    counting: Cell<Option<Instant>>,
    over: Cell<bool>,
    latencies_us: RefCell<Histogram<u64>>,
}

/// Runs one round.
pub(crate) async fn run(plan: &Plan<'_>) -> Result<Measured, Failure> {
    let round = Rc::new(Round {
        counting: Cell::new(None),
        over: Cell::new(false),
        latencies_us: RefCell::new(Histogram::new_with_max(LONGEST_US, DIGITS)?),
    });
    let mut senders = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let connection = Connection::open(plan.address).await?;
        senders.push(tokio::task::spawn_local(send(connection, plan.keys.clone(), Rc::clone(&round))));
    }
    // bounded: by the plan; the load goes on meanwhile.
    tokio::time::sleep(plan.warm_up).await;
    let before = plan.processes.cpu()?;
    let began = Instant::now();
    round.counting.set(Some(began));
    // bounded: by the plan.
    tokio::time::sleep(plan.measured).await;
    round.counting.set(None);
    let seconds = began.elapsed().as_secs_f64();
    let cpu = plan.processes.cpu()?.saturating_sub(before);
    round.over.set(true);
    for sender in senders {
        sender.await??;
    }
    let latencies_us = round.latencies_us.borrow().clone();
    Ok(Measured { latencies_us, seconds, cpu })
}

async fn send(mut connection: Connection, keys: Keys, round: Rc<Round>) -> Result<(), Failure> {
    let mut request = keys.request();
    while !round.over.get() {
        keys.next(&mut request);
        let began = Instant::now();
        let answer = connection.exchange(request.bytes()).await?;
        keys.check(&answer)?;
        if round.counting.get().is_some_and(|since| since <= began) {
            let latency = u64::try_from(began.elapsed().as_micros()).unwrap_or(LONGEST_US);
            round.latencies_us.borrow_mut().saturating_record(latency);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::upstream;

    fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work)
    }

    async fn measure(keys: &Keys) -> Result<Measured, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(upstream::serve(listener));
        run(&Plan {
            address,
            keys,
            connections: 4,
            warm_up: Duration::from_millis(10),
            measured: Duration::from_millis(100),
            processes: &Processes::of([std::process::id()]),
        })
        .await
    }

    #[test]
    fn what_the_upstream_answers_is_counted() {
        let measured = on_one_thread(measure(&Keys::none())).unwrap();
        assert!(measured.requests() > 0);
        assert!(measured.seconds >= 0.1);
    }

    #[test]
    fn an_answer_that_is_not_expected_ends_the_round() {
        let failure = on_one_thread(measure(&Keys::fresh())).unwrap_err().to_string();
        assert!(failure.contains("no Idempotency-Status"), "{failure}");
    }
}
