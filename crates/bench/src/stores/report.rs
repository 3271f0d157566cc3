//! What was measured, as the tables of a page.

use std::fmt::{self, Display, Write};

use super::{
    bloat::{self, Look},
    expiry::{self, Expiry},
    rounds::{How, Place, Row},
    run::Scale,
};
use crate::machine::Machine;

/// What a run has found out, and on what.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) versions: String,
    pub(crate) part: Box<dyn Display>,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, kernel, sync, load } = &self.machine;
        write!(
            f,
            "{processor}, {cores} cores, Linux {kernel}, `fdatasync` of 4 KiB {} µs, load before {load}; {}.\n\n{}",
            sync.as_micros(),
            self.versions,
            self.part
        )
    }
}

/// Operations a second, and what each costs.
pub(crate) struct Speed {
    pub(crate) rows: Vec<Row>,
    pub(crate) scale: Scale,
}

/// What the rate should be at least, at so many callers, of the better naive way.
const AIMS: [(Place, f64); 2] = [(Place::Postgres, 4.0), (Place::Redis, 2.0)];
const AIM_CALLERS: usize = 64;

impl Speed {
    /// The faster of the naive ways.
    fn naive(&self, callers: usize, place: Place) -> Option<&Row> {
        let naive = self
            .rows
            .iter()
            .filter(|row| row.callers == callers && row.place == place && row.how != How::Ledger);
        naive.max_by(|one, other| one.per_second.total_cmp(&other.per_second))
    }

    fn ratio(&self, row: &Row) -> Option<f64> {
        let naive = self.naive(row.callers, row.place)?;
        (row.how == How::Ledger).then(|| row.per_second / naive.per_second)
    }

    /// What one costs the server, the naive way to ours: how many times as many a server carries that has a machine of its own
    /// and is the bound.
    fn ratio_at_server(&self, row: &Row) -> Option<f64> {
        let naive = self.naive(row.callers, row.place)?;
        (row.how == How::Ledger).then(|| naive.server_cpu_us / row.server_cpu_us)
    }

    fn table(&self, out: &mut impl Write, callers: usize) -> fmt::Result {
        writeln!(
            out,
            "| {callers} caller{} | operations/s | slowest to fastest round | p50 ms | p99 ms | processor µs here | \
             at the server | to the naive way | by the server's processor alone |\n|---|---|---|---|---|---|---|---|---|",
            if callers == 1 { "" } else { "s" }
        )?;
        for row in self.rows.iter().filter(|row| row.callers == callers) {
            writeln!(
                out,
                "| {} | {} | {}–{} | {:.2} | {:.2} | {:.0} | {} | {} | {} |",
                name(row),
                grouped(row.per_second),
                grouped(row.range.0),
                grouped(row.range.1),
                row.p50_us / 1e3,
                row.p99_us / 1e3,
                row.client_cpu_us,
                if has_server(row.place) { format!("{:.0}", row.server_cpu_us) } else { String::new() },
                written(self.ratio(row)),
                written(self.ratio_at_server(row)),
            )?;
        }
        writeln!(out)
    }

    fn aims(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "| at {AIM_CALLERS} callers | measured | aim | |\n|---|---|---|---|")?;
        for (place, aim) in AIMS {
            let row = self
                .rows
                .iter()
                .find(|row| row.callers == AIM_CALLERS && row.place == place && row.how == How::Ledger);
            let Some(ratio) = row.and_then(|row| self.ratio(row)) else { continue };
            let verdict = match (self.scale.rounds >= Scale::ROUNDS, ratio >= aim) {
                (false, _) => "not measured: too few rounds",
                (true, true) => "met",
                (true, false) => "missed",
            };
            writeln!(out, "| {} to the naive way | {ratio:.2} | {aim} | {verdict} |", scheme(place))?;
        }
        Ok(())
    }
}

impl Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Medians of {} rounds of {:?} each.\n", self.scale.rounds, self.scale.measured)?;
        self.scale.callers.iter().try_for_each(|callers| self.table(f, *callers))?;
        self.aims(f)
    }
}

/// What expiry costs those who claim meanwhile.
pub(crate) struct Expiries {
    pub(crate) all: Vec<Expiry>,
}

/// By how much it may raise their 99th percentile.
const EXPIRY_AIM: f64 = 2.0;

impl Display for Expiries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} callers.\n\n| | records that expire | in | operations/s before, during, after | p50 ms | p99 ms | during to \
             before | aim |\n|---|---|---|---|---|---|---|---|",
            expiry::CALLERS
        )?;
        for Expiry { place, records, before, during, after } in &self.all {
            let all = [before, during, after];
            let three = |show: &dyn Fn(&super::callers::Measured) -> String| all.map(show).join(", ");
            let ratio = during.quantile_us(0.99) / before.quantile_us(0.99);
            let verdict = match (*records >= Scale::EXPIRING, ratio <= EXPIRY_AIM) {
                (false, _) => "not measured: too few records",
                (true, true) => "met",
                (true, false) => "missed",
            };
            writeln!(
                f,
                "| `{}` | {} | {:.1} s | {} | {} | {} | {ratio:.2} | {EXPIRY_AIM} at most: {verdict} |",
                scheme(*place),
                grouped(*records as f64),
                during.seconds,
                three(&|measured| grouped(measured.operations() / measured.seconds)),
                three(&|measured| format!("{:.2}", measured.quantile_us(0.5) / 1e3)),
                three(&|measured| format!("{:.2}", measured.quantile_us(0.99) / 1e3)),
            )?;
        }
        Ok(())
    }
}

/// PostgreSQL's table over many claims.
pub(crate) struct Bloat {
    pub(crate) looks: Vec<Look>,
    pub(crate) scale: Scale,
}

/// Rows of the table for people; the picture has all.
const SHOWN: u64 = 20;

impl Display for Bloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Records are kept for {:?}.\n\n| claims | table MB | indexes MB | live rows | dead rows | vacuums | updates within \
             their page |\n|---|---|---|---|---|---|---|",
            bloat::KEPT
        )?;
        let mut next = 0;
        for look in &self.looks {
            if look.claims < next {
                continue;
            }
            next = look.claims + self.scale.claims / SHOWN;
            writeln!(
                f,
                "| {} | {:.0} | {:.0} | {} | {} | {} | {:.0} % |",
                grouped(look.claims as f64),
                look.table_bytes as f64 / 1e6,
                look.index_bytes as f64 / 1e6,
                grouped(look.live as f64),
                grouped(look.dead as f64),
                look.vacuums,
                100.0 * look.hot_updates as f64 / look.updates.max(1) as f64,
            )?;
        }
        Ok(())
    }
}

fn name(row: &Row) -> String {
    let how = match (row.how, row.place) {
        (How::Ledger, _) => return format!("`{}`", scheme(row.place)),
        (How::Naive, Place::Postgres) => "`INSERT`, `UPDATE`",
        (How::Naive, Place::Cluster) => "`SET NX`, `SET`, a connection to each master",
        (How::Naive, _) => "`SET NX`, `SET`, one connection",
        (How::NaivePooled, _) => "`SET NX`, `SET`, pooled",
    };
    format!("naive: {how}")
}

fn written(ratio: Option<f64>) -> String {
    ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default()
}

pub(crate) const fn scheme(place: Place) -> &'static str {
    match place {
        Place::Memory => "memory:",
        Place::Embedded => "embedded:",
        Place::Postgres => "postgres://",
        Place::Redis => "redis://",
        Place::Cluster => "redis-cluster://",
    }
}

const fn has_server(place: Place) -> bool {
    !matches!(place, Place::Memory | Place::Embedded)
}

/// A whole number in groups of three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!(grouped(7.0), "7");
        assert_eq!(grouped(1234.4), "1 234");
        assert_eq!(grouped(123_456.0), "123 456");
        assert_eq!(grouped(1_000_000.0), "1 000 000");
    }
}
