//! Lengths of time as people write them.

use std::time::Duration;

use super::PlanError;

/// Reads `250ms`, `2s`, `5m`, `24h` or `7d`.
pub(super) fn parse(name: &str, text: &str) -> Result<Duration, PlanError> {
    let wrong = || {
        PlanError::new(format!(
            "{name}: {text:?} is no length of time: write one such as 250ms, 2s, 5m or 24h"
        ))
    };
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text.strip_suffix(unit).unwrap_or(text).parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// The same, where the verifier would stand still for longer than `most`.
pub(super) fn at_most(name: &str, text: &str, most: Duration) -> Result<Duration, PlanError> {
    let length = parse(name, text)?;
    if length > most {
        let seconds = most.as_secs();
        return Err(PlanError::new(format!(
            "{name}: {text:?} is longer than the verifier waits; write at most {seconds}s"
        )));
    }
    if length.is_zero() {
        return Err(PlanError::new(format!(
            "{name}: {text:?} is no time at all; write one such as 250ms or 2s"
        )));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_number_and_a_unit() {
        assert_eq!(parse("x", "250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("x", "24h"), Ok(Duration::from_secs(86_400)));
        for wrong in ["", "s", "2", "2 s", "-1s", "1y", "99999999999999999999d"] {
            assert!(parse("x", wrong).is_err(), "{wrong}");
        }
    }
}
