//! Whether an upstream that fails is asked at all.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures one after another, and it is left alone.
const FAILURES: u32 = 3;
/// For how long at first; twice as long each time it fails again.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long at most.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Closed while answers come; open, it lets one question through now and then.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    /// No question before this.
    until: Option<Instant>,
}

impl Circuit {
    /// Whether a question may go now. While the circuit is open that is one, and the next one a pause later.
    pub(super) fn lets_through(&mut self, now: Instant) -> bool {
        match self.until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.until = Some(now + self.pause());
                true
            }
        }
    }

    /// The upstream answered, whatever it was.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It did not, or with a failure of its own.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.until = Some(now + self.pause());
        }
    }

    fn pause(&self) -> Duration {
        PAUSE.saturating_mul(1 << (self.failures.saturating_sub(FAILURES)).min(16)).min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_failures_one_question_goes_in_each_ever_longer_pause() {
        let mut now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES {
            assert!(circuit.lets_through(now));
            circuit.failed(now);
        }
        for pause in [PAUSE, PAUSE * 2, PAUSE * 4] {
            assert!(!circuit.lets_through(now + pause - Duration::from_millis(1)));
            now += pause;
            assert!(circuit.lets_through(now) && !circuit.lets_through(now), "one goes");
            circuit.failed(now);
        }
        for _ in 0..100 {
            circuit.failed(now);
        }
        assert!(circuit.lets_through(now + PAUSE_MAX), "it is never given up");
        circuit.answered();
        assert!(circuit.lets_through(now) && circuit.lets_through(now));
    }
}
