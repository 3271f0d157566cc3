//! The same for programs.

use serde_json::{Value, json};

use super::{Report, aims};
use crate::{
    load::Measured,
    rounds::{Row, quantile},
};

impl Report {
    pub(crate) fn json(&self) -> String {
        let (machine, scale, crowd, full) = (&self.machine, &self.scale, &self.crowd, &self.full);
        let document = json!({
            "machine": {
                "processor": machine.processor,
                "cores": machine.cores,
                "kernel": machine.kernel,
                "fdatasync_us": micros(machine.sync),
                "load_before": machine.load,
            },
            "connections": scale.connections,
            "rounds": scale.rounds,
            "seconds": scale.measured.as_secs_f64(),
            "targets": self.rows.iter().map(|row| self.target(row)).collect::<Vec<_>>(),
            "waiters": {
                "count": crowd.waiters,
                "resident_before_bytes": crowd.resident_before,
                "resident_waiting_bytes": crowd.resident_waiting,
                "resident_peak_bytes": crowd.resident_peak,
                "bytes_per_waiter": crowd.bytes_per_waiter(),
                "answered_in_s": crowd.answered_in.as_secs_f64(),
                "others_before": latencies(&crowd.others_before),
                "others_beside": latencies(&crowd.others_beside),
            },
            "full_ledger": {
                "records": full.records,
                "disk_bytes": full.disk_bytes,
                "journal_bytes": full.journal_bytes,
                "bytes_per_record": full.bytes_per_record(),
                "started_in_s": full.started_in.iter().map(|took| took.as_secs_f64()).collect::<Vec<_>>(),
                "resident_bytes": full.resident,
            },
            "aims": aims::all(self).iter().map(aim).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }

    fn target(&self, row: &Row) -> Value {
        let (ratio, to) = self.own_ratio(row.name);
        json!({
            "name": row.name,
            "requests_per_second": row.requests_per_second,
            "slowest_round": row.range.0,
            "fastest_round": row.range.1,
            "p50_us": row.p50_us,
            "p99_us": row.p99_us,
            "p999_us": row.p999_us,
            "cpu_us_per_request": row.cpu_us,
            "ratio": ratio,
            "ratio_to": to,
        })
    }
}

fn latencies(measured: &Measured) -> Value {
    json!({
        "p50_us": quantile(measured, 0.5),
        "p99_us": quantile(measured, 0.99),
        "p999_us": quantile(measured, 0.999),
    })
}

fn aim(aim: &aims::Aim) -> Value {
    let (word, bound) = match aim.bound {
        aims::Bound::AtLeast(bound) => ("at_least", bound),
        aims::Bound::AtMost(bound) => ("at_most", bound),
    };
    json!({
        "what": aim.what,
        "measured": aim.measured.as_ref().ok(),
        "not_measured": aim.measured.as_ref().err(),
        word: bound,
        "unit": aim.unit.trim(),
        "met": aim.is_met(),
    })
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
