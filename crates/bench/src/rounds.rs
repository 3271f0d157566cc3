//! Alternating rounds: each target gets its turn in each round, so that whatever disturbs the machine disturbs all of
//! them alike; what counts is the median over the rounds.

use std::{net::SocketAddr, path::Path};

use crate::{
    failure::Failure,
    gateway::{Running, Upstream},
    load::{self, Keys, Measured, Plan},
    nginx::Nginx,
    report,
    run::Scale,
    system::Processes,
};

/// Something that is measured.
struct Target {
    name: &'static str,
    address: SocketAddr,
    keys: Keys,
    processes: Processes,
}

/// What all rounds gave for one target: medians.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) requests_per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Of what is measured alone: neither the load generator nor, but for the bare upstream itself, the upstream.
    pub(crate) cpu_us: f64,
}

pub(crate) const BARE: &str = "bare upstream";
pub(crate) const NGINX: &str = "nginx, plain proxy";
pub(crate) const UNKEYED: &str = "onlyonce, no key";
pub(crate) const FRESH: &str = "onlyonce, fresh keys";
pub(crate) const REPLAY: &str = "onlyonce, replays";

/// Measures all targets.
pub(crate) async fn measure(
    onlyonce: &Path,
    nginx: &Path,
    directory: &Path,
    scale: &Scale,
) -> Result<Vec<Row>, Failure> {
    let upstream = Upstream::start().await?;
    let nginx = Nginx::start(nginx, directory, upstream.address).await?;
    let gateway = Running::start(onlyonce, &directory.join("ledger"), upstream.address, "").await?;
    let fresh = Keys::fresh();
    load::run(&plan(&of_gateway(&gateway, FRESH, fresh.clone()), scale)).await?;
    let targets = [
        Target {
            name: BARE,
            address: upstream.address,
            keys: Keys::none(),
            processes: upstream.processes.clone(),
        },
        Target {
            name: NGINX,
            address: nginx.address,
            keys: Keys::none(),
            processes: nginx.processes.clone(),
        },
        of_gateway(&gateway, UNKEYED, Keys::none()),
        of_gateway(&gateway, FRESH, fresh.clone()),
        // Of what was executed before the first round: the same ones in all rounds.
        of_gateway(&gateway, REPLAY, fresh.repeated()),
    ];
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); targets.len()];
    for round in 1..=scale.rounds {
        report::note(format_args!("round {round} of {}", scale.rounds));
        for (target, measured) in targets.iter().zip(&mut measured) {
            measured.push(load::run(&plan(target, scale)).await?);
        }
    }
    gateway.stop().await?;
    nginx.stop().await;
    Ok(targets.iter().zip(&measured).map(|(target, rounds)| Row::of(target.name, rounds)).collect())
}

fn of_gateway(gateway: &Running, name: &'static str, keys: Keys) -> Target {
    Target { name, address: gateway.address, keys, processes: gateway.processes.clone() }
}

fn plan<'a>(target: &'a Target, scale: &Scale) -> Plan<'a> {
    Plan {
        address: target.address,
        keys: &target.keys,
        connections: scale.connections,
        warm_up: scale.warm_up,
        measured: scale.measured,
        processes: &target.processes,
    }
}

impl Row {
    /// Medians over the rounds.
    pub(crate) fn of(name: &'static str, rounds: &[Measured]) -> Self {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value).collect());
        let rates = rounds.iter().map(rate);
        Self {
            name,
            requests_per_second: of(rate),
            range: (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max)),
            p50_us: of(|round| quantile(round, 0.5)),
            p99_us: of(|round| quantile(round, 0.99)),
            p999_us: of(|round| quantile(round, 0.999)),
            cpu_us: of(|round| round.cpu.as_secs_f64() * 1e6 / count(round)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 requests")]
fn count(measured: &Measured) -> f64 {
    measured.requests() as f64
}

fn rate(measured: &Measured) -> f64 {
    count(measured) / measured.seconds
}

/// A latency in microseconds.
#[expect(clippy::cast_precision_loss, reason = "less than a minute")]
pub(crate) fn quantile(measured: &Measured, quantile: f64) -> f64 {
    measured.latencies_us.value_at_quantile(quantile) as f64
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.0);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}
