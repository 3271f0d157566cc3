//! What the numbers should be, and whether they are.
//!
//! Invariant: an aim is met or missed by what was measured in full only. A shorter run's number is none: ten thousand
//! records are still in the journal, and take nothing at all.

use super::Report;
use crate::{
    rounds::{BARE, FRESH, NGINX, REPLAY, UNKEYED},
    run::Scale,
};

/// One number that has an aim.
pub(super) struct Aim {
    pub(super) what: &'static str,
    /// The number; or why there is none.
    pub(super) measured: Result<f64, String>,
    pub(super) bound: Bound,
    pub(super) unit: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    /// `None`: not measured.
    pub(super) fn is_met(&self) -> Option<bool> {
        let measured = *self.measured.as_ref().ok()?;
        Some(match self.bound {
            Bound::AtLeast(bound) => measured >= bound,
            Bound::AtMost(bound) => measured <= bound,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
pub(super) fn all(report: &Report) -> Vec<Aim> {
    let Report { scale, crowd, full, .. } = report;
    let aim = |what, measured, bound, unit| Aim { what, measured, bound, unit };
    let tail = report.row(FRESH).p99_us / report.row(NGINX).p99_us;
    let rate = |value| of_full(scale.rounds, Scale::ROUNDS, "rounds", value);
    let crowd = of_full(crowd.waiters, Scale::WAITERS, "waiters", crowd.resident_waiting as f64 / 1e6);
    let filled = |value| of_full(full.records, Scale::RECORDS, "records", value);
    vec![
        aim("fresh keys to nginx", rate(report.ratio(FRESH, NGINX)), Bound::AtLeast(0.5), ""),
        aim("replays to the bare upstream", rate(report.ratio(REPLAY, BARE)), Bound::AtLeast(0.6), ""),
        aim("no key to nginx", rate(report.ratio(UNKEYED, NGINX)), Bound::AtLeast(0.9), ""),
        aim("p99 of fresh keys to nginx's", rate(tail), Bound::AtMost(4.0), ""),
        aim("memory with all waiters", crowd, Bound::AtMost(300.0), " MB"),
        aim("disk for each record", filled(full.bytes_per_record() as f64), Bound::AtMost(900.0), " B"),
        aim("slowest start", filled(full.slowest().as_secs_f64()), Bound::AtMost(2.0), " s"),
    ]
}

/// A number that counts if there was as much of everything as there should be.
fn of_full<N: PartialOrd + std::fmt::Display>(
    count: N,
    wanted: N,
    what: &str,
    value: f64,
) -> Result<f64, String> {
    if count >= wanted { Ok(value) } else { Err(format!("{count} {what} instead of {wanted}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--quick` fills a ledger of which nothing has left the journal: 6 bytes a record were once called a success.
    #[test]
    fn what_was_not_measured_in_full_meets_nothing() {
        let aim = |count| Aim {
            what: "disk for each record",
            measured: of_full(count, Scale::RECORDS, "records", 6.0),
            bound: Bound::AtMost(900.0),
            unit: " B",
        };
        assert_eq!(aim(Scale::RECORDS).is_met(), Some(true));
        let short = aim(10_000);
        assert_eq!(short.is_met(), None);
        assert_eq!(short.measured.unwrap_err(), "10000 records instead of 1000000");
    }
}
