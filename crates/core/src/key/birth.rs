//! When a key was made, where it says so itself.
//!
//! Invariant: a number that happens to read as a time is not taken for one. A UUIDv7 is known by its version and variant
//! bits; a ULID has none, so it counts only where a route declares that its keys are such.

use std::time::Duration;

use super::Key;
use crate::Timestamp;

/// 2015-01-01T00:00:00Z. Nobody who makes dated keys made one before.
const EARLIEST: Timestamp = Timestamp::from_ms(1_420_070_400_000);
/// Clocks go wrong by hours; what is born later than that has no time in it.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// Crockford's alphabet, in the order of its values.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Key {
    /// When the key was made, by its own word; `None` if it has none that can be believed.
    pub fn birth(&self, ulid: bool, now: Timestamp) -> Option<Timestamp> {
        let text = self.as_str().as_bytes();
        let born = uuid_v7(text).or_else(|| ulid.then(|| self::ulid(text)).flatten())?;
        (EARLIEST <= born && born <= now.plus(AHEAD_MAX)).then_some(born)
    }
}

/// RFC 9562, section 5.7: 48 bits of milliseconds, version 7, variant 10.
fn uuid_v7(text: &[u8]) -> Option<Timestamp> {
    let shaped = text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'7',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        });
    let digits = text.iter().filter(|byte| **byte != b'-').take(12);
    shaped.then(|| milliseconds(digits.map(|byte| char::from(*byte).to_digit(16)), 4)).flatten()
}

/// 48 bits of milliseconds in ten characters, then sixteen of chance. The first character holds three bits only.
fn ulid(text: &[u8]) -> Option<Timestamp> {
    let value = |byte: u8| {
        let place = CROCKFORD.iter().position(|character| *character == byte.to_ascii_uppercase())?;
        u32::try_from(place).ok()
    };
    let shaped = text.len() == 26
        && matches!(text, [b'0'..=b'7', ..])
        && text.iter().all(|byte| value(*byte).is_some());
    shaped.then(|| milliseconds(text.iter().take(10).map(|byte| value(*byte)), 5)).flatten()
}

fn milliseconds(digits: impl Iterator<Item = Option<u32>>, bits: u32) -> Option<Timestamp> {
    let shifted = |ms: u64, digit: Option<u32>| Some(ms << bits | u64::from(digit?));
    digits.into_iter().try_fold(0, shifted).map(Timestamp::from_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T10:12:07.999Z
    const NOW: Timestamp = Timestamp::from_ms(1_795_428_727_999);

    fn birth(text: &str, ulid: bool) -> Option<u64> {
        Key::literal(text).unwrap().birth(ulid, NOW).map(Timestamp::as_ms)
    }

    #[test]
    fn a_uuid_of_version_7_tells_its_birth_and_no_other_does() {
        // RFC 9562, appendix A.6.
        let uuid = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";
        assert_eq!(birth(uuid, false), Some(1_645_557_742_000));
        assert_eq!(birth(&uuid.to_lowercase(), true), Some(1_645_557_742_000));
        for other in [
            "017F22E2-79B0-4CC3-98C4-DC0C0C07398F",
            "017F22E2-79B0-7CC3-18C4-DC0C0C07398F",
            "017F22E2-79B0-7CC3-C8C4-DC0C0C07398F",
            "017F22E279B07CC398C4DC0C0C07398F",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398G",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398FF",
            "017F22E27-9B0-7CC3-98C4-DC0C0C07398F",
            "{017F22E2-79B0-7CC3-98C4-DC0C0C07398",
        ] {
            assert_eq!(birth(other, true), None, "{other}");
        }
    }

    /// E4: a 26-character order number is a valid ULID of 1970, and would be expired for ever.
    #[test]
    fn e4_a_number_that_reads_as_a_time_is_none() {
        assert_eq!(birth("01ARYZ6S41TSV4RRFFQ69G5FAV", true), Some(1_469_918_176_385));
        assert_eq!(birth("01aryz6s41tsv4rrffq69g5fav", true), Some(1_469_918_176_385));
        assert_eq!(birth("01ARYZ6S41TSV4RRFFQ69G5FAV", false), None, "not declared");
        for none in [
            "00000000000000000000004711",
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "81ARYZ6S41TSV4RRFFQ69G5FAV",
            "01ARYZ6S41TSV4RRFFQ69G5FAU",
            "01ARYZ6S41TSV4RRFFQ69G5FA",
            "00000000-0000-7000-8000-000000000000",
            "ffffffff-ffff-7fff-bfff-ffffffffffff",
        ] {
            assert_eq!(birth(none, true), None, "{none}");
        }
    }

    #[test]
    fn births_before_2015_or_more_than_a_day_ahead_are_none() {
        let born = |ms: u64| {
            let hex = format!("{ms:012x}");
            birth(&format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..]), false)
        };
        let day = 24 * 3600 * 1000;
        for (ms, counts) in [
            (EARLIEST.as_ms() - 1, false),
            (EARLIEST.as_ms(), true),
            (NOW.as_ms() + day, true),
            (NOW.as_ms() + day + 1, false),
        ] {
            assert_eq!(born(ms), counts.then_some(ms));
        }
    }
}
