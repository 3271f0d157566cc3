//! Points in time as the ledger's clock gives them.
//!
//! A [`Timestamp`] is only ever made by a store's clock or read back from a record; `core` has no clock of its own.

use std::{fmt, time::Duration};

/// How far the clocks of those who make keys may be ahead of the ledger's.
pub const CLOCKS_APART: Duration = Duration::from_mins(5);

/// Milliseconds since the Unix epoch, by the clock of the ledger's store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A point in time, `ms` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// This time moved forward by `duration`; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration_ms(duration)))
    }

    /// This time moved back by `duration`; stops at 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration_ms(duration)))
    }

    /// How long `earlier` lies back; zero if it does not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A duration as people write it, in the largest unit that it is a whole number of: `250ms`, `90s`, `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUnits(pub Duration);

impl InUnits {
    /// The units, and how many milliseconds each has.
    pub const ALL: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    /// People say 24 hours.
    const DAY_MS: u64 = 86_400_000;
}

impl fmt::Display for InUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = duration_ms(self.0);
        let fits = |unit: u64| ms > 0 && ms.is_multiple_of(unit) && !(ms == unit && ms == Self::DAY_MS);
        match Self::ALL.iter().rev().find(|(_, unit)| fits(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", ms / unit),
            None => write!(f, "{ms}ms"),
        }
    }
}

/// Whole milliseconds of a duration, at most `u64::MAX`.
pub fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second: `2026-11-23T10:12:07Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let of_day = seconds % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        )
    }
}

/// Days since the epoch to year, month, day in the Gregorian calendar, for days that are not negative.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_428_727_999, "2026-11-23T10:12:07Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn never_wraps() {
        assert_eq!(Timestamp::from_ms(u64::MAX).plus(Duration::from_secs(1)).as_ms(), u64::MAX);
        assert_eq!(Timestamp::from_ms(1).since(Timestamp::from_ms(2)), Duration::ZERO);
    }
}
