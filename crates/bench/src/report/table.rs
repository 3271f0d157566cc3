//! The table for people.

use std::fmt::{self, Write};

use super::{Report, aims};
use crate::{rounds::quantile, start_up::Full, waiters::Crowd};

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
            "{}, {} cores, Linux {}, fdatasync {} µs, load before {}\n{} connections, {} of {:?}, medians\n",
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.sync.as_micros(),
            machine.load,
            self.scale.connections,
            if self.scale.rounds == 1 {
                "1 round".to_owned()
            } else {
                format!("{} rounds", self.scale.rounds)
            },
            self.scale.measured
        )?;
        self.targets(out)?;
        writeln!(out, "{}\n{}\n", self.crowd, self.full)?;
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

    fn aims(&self, out: &mut String) -> fmt::Result {
        for aim in aims::all(self) {
            let (word, bound) = match aim.bound {
                aims::Bound::AtLeast(bound) => ("at least", bound),
                aims::Bound::AtMost(bound) => ("at most", bound),
            };
            let (measured, verdict) = match &aim.measured {
                Ok(measured) => {
                    let verdict = if aim.is_met() == Some(true) { "met" } else { "missed" };
                    (format!("{measured:.2}{}", aim.unit), verdict.to_owned())
                }
                Err(why) => (String::new(), format!("not measured ({why})")),
            };
            writeln!(out, "{:<30}{measured:>12}  {word} {bound}{}: {verdict}", aim.what, aim.unit)?;
        }
        Ok(())
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} waiters on one key: {} MB before, {} MB while they wait ({} B each), {} MB at most; all answered {:.2} s \
             after the first",
            self.waiters,
            self.resident_before / 1_000_000,
            self.resident_waiting / 1_000_000,
            self.bytes_per_waiter(),
            self.resident_peak / 1_000_000,
            self.answered_in.as_secs_f64()
        )?;
        let (before, beside) = (&self.others_before, &self.others_beside);
        write!(
            f,
            "other keys meanwhile: p50 {:.2} ms, p99 {:.2} ms; without the crowd {:.2} ms, {:.2} ms",
            quantile(beside, 0.5) / 1e3,
            quantile(beside, 0.99) / 1e3,
            quantile(before, 0.5) / 1e3,
            quantile(before, 0.99) / 1e3,
        )
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts: Vec<_> =
            self.started_in.iter().map(|took| format!("{:.2} s", took.as_secs_f64())).collect();
        write!(
            f,
            "{} records with results of 500 bytes: {} MB of files and {} MB of journal; started in {}, with {} MB",
            self.records,
            self.file_bytes() / 1_000_000,
            self.journal_bytes / 1_000_000,
            starts.join(", "),
            self.resident / 1_000_000
        )
    }
}
