//! The table for people.

use std::fmt::{self, Write};

use super::{Report, aims};
use crate::rounds::quantile;

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("a text takes what is written to it");
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            out,
            "{}, {} cores, Linux {}, fdatasync {} µs, load before {}\n{} connections, {} rounds of {:?}, medians\n",
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.sync.as_micros(),
            machine.load,
            self.scale.connections,
            self.scale.rounds,
            self.scale.measured
        )?;
        self.targets(out)?;
        self.costs(out)?;
        self.aims(out)
    }

    fn targets(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "{:<22}{:>10}{:>16}{:>9}{:>9}{:>9}{:>9}  ratio",
            "", "req/s", "range", "p50 ms", "p99 ms", "p99.9", "CPU µs"
        )?;
        for row in &self.rows {
            let (ratio, to) = self.own_ratio(row.name);
            writeln!(
                out,
                "{:<22}{:>10.0}{:>16}{:>9.2}{:>9.2}{:>9.2}{:>9.1}  {ratio:.2} of {to}",
                row.name,
                row.requests_per_second,
                format!("{:.0}–{:.0}", row.range.0, row.range.1),
                row.p50_us / 1e3,
                row.p99_us / 1e3,
                row.p999_us / 1e3,
                row.cpu_us,
            )?;
        }
        writeln!(out)
    }

    fn costs(&self, out: &mut String) -> fmt::Result {
        let (crowd, full) = (&self.crowd, &self.full);
        writeln!(
            out,
            "{} waiters on one key: {} MB before, {} MB while they wait ({} B each), {} MB at most; all answered {:.2} s \
             after the first",
            crowd.waiters,
            crowd.resident_before / 1_000_000,
            crowd.resident_waiting / 1_000_000,
            crowd.bytes_per_waiter(),
            crowd.resident_peak / 1_000_000,
            crowd.answered_in.as_secs_f64()
        )?;
        let (before, beside) = (&crowd.others_before, &crowd.others_beside);
        writeln!(
            out,
            "other keys meanwhile: p50 {:.2} ms, p99 {:.2} ms; without the crowd {:.2} ms, {:.2} ms",
            quantile(beside, 0.5) / 1e3,
            quantile(beside, 0.99) / 1e3,
            quantile(before, 0.5) / 1e3,
            quantile(before, 0.99) / 1e3,
        )?;
        let starts: Vec<_> =
            full.started_in.iter().map(|took| format!("{:.2} s", took.as_secs_f64())).collect();
        writeln!(
            out,
            "{} records with results of 500 bytes: {} B each on disk, and {} MB of journal for all; started in {}, with {} MB\n",
            full.records,
            full.bytes_per_record(),
            full.journal_bytes / 1_000_000,
            starts.join(", "),
            full.resident / 1_000_000
        )
    }

    fn aims(&self, out: &mut String) -> fmt::Result {
        for aim in aims::all(self) {
            let (word, bound) = match aim.bound {
                aims::Bound::AtLeast(bound) => ("at least", bound),
                aims::Bound::AtMost(bound) => ("at most", bound),
            };
            let verdict = if aim.is_met() { "met" } else { "missed" };
            let measured = format!("{:.2}{}", aim.measured, aim.unit);
            writeln!(out, "{:<30}{measured:>12}  {word} {bound}{}: {verdict}", aim.what, aim.unit)?;
        }
        Ok(())
    }
}
