//! What the numbers should be, and whether they are.

use super::Report;
use crate::rounds::{BARE, FRESH, NGINX, REPLAY, UNKEYED};

/// One number that has an aim.
pub(super) struct Aim {
    pub(super) what: &'static str,
    pub(super) measured: f64,
    pub(super) bound: Bound,
    pub(super) unit: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    pub(super) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.measured >= bound,
            Bound::AtMost(bound) => self.measured <= bound,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
pub(super) fn all(report: &Report) -> Vec<Aim> {
    let aim = |what, measured, bound, unit| Aim { what, measured, bound, unit };
    let tail = report.row(FRESH).p99_us / report.row(NGINX).p99_us;
    let crowd = report.crowd.resident_waiting as f64 / 1e6;
    let record = report.full.bytes_per_record() as f64;
    vec![
        aim("fresh keys to nginx", report.ratio(FRESH, NGINX), Bound::AtLeast(0.5), ""),
        aim("replays to the bare upstream", report.ratio(REPLAY, BARE), Bound::AtLeast(0.6), ""),
        aim("no key to nginx", report.ratio(UNKEYED, NGINX), Bound::AtLeast(0.9), ""),
        aim("p99 of fresh keys to nginx's", tail, Bound::AtMost(4.0), ""),
        aim("memory with all waiters", crowd, Bound::AtMost(300.0), " MB"),
        aim("disk for each record", record, Bound::AtMost(900.0), " B"),
        aim("slowest start", report.full.slowest().as_secs_f64(), Bound::AtMost(2.0), " s"),
    ]
}
