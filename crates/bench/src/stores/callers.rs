//! The load: a fixed number of callers, each beginning its next operation when the one before has ended.
//!
//! Only operations that began and ended within the measured time count.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::{
    failure::Failure,
    operation::Way,
    system::{Family, Processes},
};

/// The longest latency that is told apart from longer ones, in microseconds.
const LONGEST_US: u64 = 60_000_000;
/// Latencies are exact to as many digits.
const DIGITS: u8 = 3;

const WARMING_UP: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Whose processor time is read.
pub(crate) struct Parties {
    /// This process, without the servers, which are its children: engine, client library, and the load itself.
    pub(crate) client: Processes,
    /// The servers; none where the store is in this process.
    pub(crate) server: Family,
}

/// What one round gave.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) latencies_us: Histogram<u64>,
    pub(crate) seconds: f64,
    pub(crate) client_cpu: Duration,
    pub(crate) server_cpu: Duration,
}

struct Load {
    way: Arc<dyn Way>,
    phase: AtomicU8,
    latencies_us: Mutex<Histogram<u64>>,
}

/// Callers that are at work; dropped, they go on.
pub(crate) struct Callers {
    load: Arc<Load>,
    tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>>,
}

/// Runs one round.
pub(crate) async fn run(
    way: &Arc<dyn Way>,
    callers: usize,
    warm_up: Duration,
    measured: Duration,
    parties: &Parties,
) -> Result<Measured, Failure> {
    let callers = Callers::start(Arc::clone(way), callers)?;
    // bounded: by the plan; the load goes on meanwhile.
    tokio::time::sleep(warm_up).await;
    // bounded: by the plan.
    let counted = callers.count(parties, tokio::time::sleep(measured)).await;
    callers.stop().await?;
    counted.map(|((), measured)| measured)
}

impl Callers {
    pub(crate) fn start(way: Arc<dyn Way>, callers: usize) -> Result<Self, Failure> {
        let latencies_us = Mutex::new(Histogram::new_with_max(LONGEST_US, DIGITS)?);
        let load = Arc::new(Load { way, phase: AtomicU8::new(WARMING_UP), latencies_us });
        let tasks = (0..callers).map(|_| tokio::spawn(Arc::clone(&load).call())).collect();
        Ok(Self { load, tasks })
    }

    /// Counts what they do while something else happens.
    pub(crate) async fn count<T>(
        &self,
        parties: &Parties,
        meanwhile: impl Future<Output = T>,
    ) -> Result<(T, Measured), Failure> {
        self.load.latencies().reset();
        let (client, server) = (parties.client.cpu()?, parties.server.cpu()?);
        let began = Instant::now();
        self.load.phase.store(COUNTING, Ordering::Release);
        let happened = meanwhile.await;
        self.load.phase.store(WARMING_UP, Ordering::Release);
        let seconds = began.elapsed().as_secs_f64();
        let measured = Measured {
            client_cpu: parties.client.cpu()?.saturating_sub(client),
            server_cpu: parties.server.cpu()?.saturating_sub(server),
            latencies_us: self.load.latencies().clone(),
            seconds,
        };
        Ok((happened, measured))
    }

    /// Operations counted so far.
    pub(crate) fn operations(&self) -> u64 {
        self.load.latencies().len()
    }

    /// Whether none has stopped, which a caller does when an operation fails.
    pub(crate) fn are_at_work(&self) -> bool {
        !self.tasks.iter().any(tokio::task::JoinHandle::is_finished)
    }

    /// Lets each finish what it has begun.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.load.phase.store(OVER, Ordering::Release);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

impl Load {
    async fn call(self: Arc<Self>) -> Result<(), Failure> {
        loop {
            let phase = self.phase.load(Ordering::Acquire);
            if phase == OVER {
                return Ok(());
            }
            let began = Instant::now();
            self.way.operation().await?;
            if phase == COUNTING && self.phase.load(Ordering::Acquire) == COUNTING {
                let latency = u64::try_from(began.elapsed().as_micros()).unwrap_or(LONGEST_US);
                self.latencies().saturating_record(latency);
            }
        }
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Histogram<u64>> {
        self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
