//! Durations and sizes as people write them: `250ms`, `60s`, `5m`, `24h`, `7d`; `0`, `512KiB`, `8MiB`, `1GiB`.

use std::{fmt, time::Duration};

use onlyonce_core::time::InUnits;
use serde::{Deserialize, Deserializer};

use super::written::{Written, one};

/// A duration with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

const SIZES: [(&str, u64); 5] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl Span {
    /// Reads a duration.
    ///
    /// # Errors
    /// What would be valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::checked(text)
    }
}

impl fmt::Display for Span {
    /// As it would be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InUnits(self.0).fmt(f)
    }
}

impl Written for Span {
    const VALID: &'static str = "a duration such as 250ms, 30s, 5m, 24h or 7d";

    fn read(text: &str) -> Option<Self> {
        read(text, &InUnits::ALL).map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl Written for Size {
    const VALID: &'static str = "a size such as 0, 512KiB, 8MiB or 1GiB";

    fn read(text: &str) -> Option<Self> {
        read(text, &SIZES).map(Self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer)
    }
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_not() {
        for (text, ms) in
            [("250ms", 250), ("60s", 60_000), ("5m", 300_000), ("24h", 86_400_000), ("7 d", 604_800_000)]
        {
            let span = Span::parse(text).unwrap();
            assert_eq!(span.0, Duration::from_millis(ms), "{text}");
            assert_eq!(Span::parse(&span.to_string()), Ok(span), "{text}");
        }
        let shown = |ms| Span(Duration::from_millis(ms)).to_string();
        assert_eq!([0, 250, 90_000, 86_400_000].map(shown), ["0ms", "250ms", "90s", "24h"]);
        for text in ["", "s", "1", "-1s", "1.5s", "1y", "99999999999999999999d"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
        assert_eq!(Size::read("8MiB"), Some(Size(8 << 20)));
        assert_eq!(Size::read("0"), Some(Size(0)));
        assert!(Size::read("8MB").is_none());
    }
}
