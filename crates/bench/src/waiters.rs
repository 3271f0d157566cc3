//! Ten thousand repeats that wait for one operation: what they take, and what others notice of them.

use std::{path::Path, time::Duration};

use crate::{
    failure::Failure,
    gateway::{Running, Upstream},
    load::{self, Connection, Keys, Measured, Plan},
    report,
    run::Scale,
    upstream::{HELD, RELEASE},
};

/// So that none of them stops waiting by itself.
const SETTINGS: &str = "wait = \"10m\"\ndeadline = \"10m\"";
/// How often the gateway is asked whether all of them wait, and how far apart.
const GATHER_TRIES: u32 = 6_000;
const GATHER_PAUSE: Duration = Duration::from_millis(10);

/// What a crowd costs.
pub(crate) struct Crowd {
    pub(crate) waiters: usize,
    /// The gateway's memory before, while they wait, and at its peak (while they are answered).
    pub(crate) resident_before: u64,
    pub(crate) resident_waiting: u64,
    pub(crate) resident_peak: u64,
    /// Fresh keys without a crowd, and beside it.
    pub(crate) others_before: Measured,
    pub(crate) others_beside: Measured,
    /// From the release to the last of their answers.
    pub(crate) answered_in: Duration,
}

impl Crowd {
    pub(crate) fn bytes_per_waiter(&self) -> u64 {
        self.resident_waiting.saturating_sub(self.resident_before) / (self.waiters as u64).max(1)
    }
}

pub(crate) async fn measure(onlyonce: &Path, directory: &Path, scale: &Scale) -> Result<Crowd, Failure> {
    report::note(format_args!("{} waiters on one key", scale.waiters));
    let upstream = Upstream::start().await?;
    let gateway = Running::start(onlyonce, &directory.join("crowd"), upstream.address, SETTINGS).await?;
    let fresh = Keys::fresh();
    let others = Plan {
        address: gateway.address,
        keys: &fresh,
        connections: scale.connections,
        warm_up: scale.warm_up,
        measured: scale.measured,
        processes: &gateway.processes,
    };
    let others_before = load::run(&others).await?;
    let resident_before = gateway.processes.resident()?;

    let crowd = Keys::same(HELD);
    let first = tokio::task::spawn_local(ask(gateway.address, crowd.expecting("executed")));
    gathered(&gateway, "onlyonce_attempts_in_flight ", 1).await?;
    let mut waiting = Vec::with_capacity(scale.waiters);
    for _ in 0..scale.waiters {
        let mut connection = Connection::open(gateway.address).await?;
        let mut request = crowd.request();
        crowd.next(&mut request);
        connection.send(request.bytes()).await?;
        waiting.push(connection);
    }
    gathered(&gateway, "onlyonce_waiters ", scale.waiters as u64).await?;
    let resident_waiting = gateway.processes.resident()?;
    let others_beside = load::run(&others).await?;

    let released = std::time::Instant::now();
    Connection::open(upstream.address).await?.send(release().as_bytes()).await?;
    for connection in &mut waiting {
        crowd.check(&connection.answer().await?)?;
    }
    let answered_in = released.elapsed();
    first.await??;
    let resident_peak = gateway.processes.resident_peak()?;
    drop(waiting);
    gateway.stop().await?;
    Ok(Crowd {
        waiters: scale.waiters,
        resident_before,
        resident_waiting,
        resident_peak,
        others_before,
        others_beside,
        answered_in,
    })
}

async fn ask(address: std::net::SocketAddr, keys: Keys) -> Result<(), Failure> {
    let mut request = keys.request();
    keys.next(&mut request);
    keys.check(&Connection::open(address).await?.exchange(request.bytes()).await?)
}

fn release() -> String {
    format!("POST {RELEASE} HTTP/1.1\r\nhost: api.example\r\ncontent-length: 0\r\n\r\n")
}

/// Waits until a metric has reached `count`.
async fn gathered(gateway: &Running, metric: &str, count: u64) -> Result<(), Failure> {
    let mut seen = 0;
    for _ in 0..GATHER_TRIES {
        seen = gateway.metric(metric).await?;
        if seen >= count {
            return Ok(());
        }
        // bounded: by GATHER_TRIES.
        tokio::time::sleep(GATHER_PAUSE).await;
    }
    Err(Failure::new(format!("{metric}stays at {seen} and should reach {count}")))
}
