//! Alternating rounds at each number of callers: each way gets its turn in each round, so that whatever disturbs the machine
//! disturbs all of them alike; what counts is the median over the rounds.
//!
//! Everything is opened anew for each number of callers, on the same servers, in tables and namespaces of its own: no way
//! pays for what was written by another or at another number.

use std::{path::Path, sync::Arc, time::Duration};

use onlyonce_core::Policy;

use super::{
    callers::{self, Measured, Parties},
    ledgers, naive,
    run::Scale,
    servers::Servers,
};
use crate::{
    failure::Failure,
    operation::Way,
    report,
    rounds::median,
    system::{Family, Processes},
};

/// A backend, or what the naive way is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Place {
    Memory,
    Embedded,
    Postgres,
    Redis,
    #[value(name = "redis-cluster")]
    Cluster,
}

/// How it is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Ledger,
    Naive,
    /// The naive way on a connection for each call.
    NaivePooled,
}

struct Target {
    place: Place,
    how: How,
    way: Arc<dyn Way>,
    parties: Parties,
}

/// What all rounds gave for one way: medians.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) callers: usize,
    pub(crate) place: Place,
    pub(crate) how: How,
    pub(crate) per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) client_cpu_us: f64,
    pub(crate) server_cpu_us: f64,
}

pub(crate) async fn measure(
    servers: &mut Servers,
    directory: &Path,
    scale: &Scale,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for callers in scale.callers {
        let mut targets = open(servers, directory, callers).await?;
        targets.retain(|target| scale.wants(target.place));
        let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); targets.len()];
        for round in 1..=scale.rounds {
            report::note(format_args!("{callers} callers, round {round} of {}", scale.rounds));
            for (Target { way, parties, .. }, measured) in targets.iter().zip(&mut measured) {
                measured.push(callers::run(way, callers, scale.warm_up, scale.measured, parties).await?);
            }
        }
        rows.extend(targets.iter().zip(&measured).map(|(target, rounds)| target.row(callers, rounds)));
    }
    Ok(rows)
}

async fn open(servers: &mut Servers, directory: &Path, callers: usize) -> Result<Vec<Target>, Failure> {
    let name = format!("bench_{callers}");
    let (postgres, redis, cluster) = (servers.postgres.url(), servers.redis.url(), servers.cluster.url());
    let stores = [
        (Place::Memory, ledgers::memory()),
        (Place::Embedded, ledgers::embedded(&directory.join(&name))?),
        (Place::Postgres, ledgers::postgres(&postgres, &name).await?),
        (Place::Redis, ledgers::redis(&redis, &name).await?),
        (Place::Cluster, ledgers::redis(&cluster, &name).await?),
    ];
    let mut ways = Vec::new();
    for (place, store) in stores {
        ways.push((place, How::Ledger, ledgers::on(store, Policy::default()).await?));
    }
    ways.extend([
        (Place::Postgres, How::Naive, naive::postgres::open(&postgres).await?),
        (Place::Redis, How::Naive, naive::redis::shared(&redis).await?),
        (Place::Redis, How::NaivePooled, naive::redis::pooled(&redis).await?),
        (Place::Cluster, How::Naive, naive::redis::cluster(&mut servers.cluster).await?),
    ]);
    // What is compared is measured one after the other.
    ways.sort_by_key(|(place, ..)| *place as u8);
    let target = |(place, how, way)| Target { place, how, way, parties: parties(servers, place) };
    Ok(ways.into_iter().map(target).collect())
}

/// Who works for it.
pub(crate) fn parties(servers: &Servers, place: Place) -> Parties {
    let server = match place {
        Place::Memory | Place::Embedded => Family::of([]),
        Place::Postgres => servers.postgres_processes.clone(),
        Place::Redis => servers.redis_processes.clone(),
        Place::Cluster => servers.cluster_processes.clone(),
    };
    Parties { client: Processes::of([std::process::id()]), server }
}

impl Target {
    fn row(&self, callers: usize, rounds: &[Measured]) -> Row {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value).collect());
        let rates = rounds.iter().map(rate);
        Row {
            callers,
            place: self.place,
            how: self.how,
            per_second: of(rate),
            range: (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max)),
            p50_us: of(|round| round.quantile_us(0.5)),
            p99_us: of(|round| round.quantile_us(0.99)),
            client_cpu_us: of(|round| each(round, round.client_cpu)),
            server_cpu_us: of(|round| each(round, round.server_cpu)),
        }
    }
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 operations")]
    pub(crate) fn operations(&self) -> f64 {
        self.latencies_us.len() as f64
    }

    /// A latency in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "less than a minute")]
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.latencies_us.value_at_quantile(quantile) as f64
    }
}

fn rate(measured: &Measured) -> f64 {
    measured.operations() / measured.seconds
}

/// Microseconds for each operation.
fn each(measured: &Measured, cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e6 / measured.operations()
}
