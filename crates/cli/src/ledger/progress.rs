//! How a transfer goes, on stderr: a bar that is written over on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};

use onlyonce_backends::{Progress, Step};

use crate::exit::tell;

/// Back to the beginning of the line, and nothing in it (ECMA-48, sections 8.3.15 and 8.3.41).
const CLEAR: &str = "\r\u{1b}[K";
/// How wide the bar is.
const WIDTH: u32 = 30;
/// How many records are passed over between two looks.
const RECORDS: u64 = 512;
/// After how many records there is a line where it is not known how many there are.
const UNTOLD: u64 = 100_000;

pub(super) struct Bar {
    terminal: bool,
    /// How many bytes there are to read.
    bytes: Option<u64>,
    /// What the last line was about, and how far it was.
    told: Option<(Step, u64)>,
    /// Whether the way out of waiting for late answers was told.
    hinted: bool,
}

impl Bar {
    /// `bytes` are those of the file that is read.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        Self { terminal: io::stderr().is_terminal(), bytes, told: None, hinted: false }
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        if !progress.records.is_multiple_of(RECORDS) && progress.part == 0.0 {
            return;
        }
        let part = self.part(&progress);
        if self.waits_for_listeners(&progress) {
            if self.terminal {
                let _ = write!(io::stderr(), "{CLEAR}");
            }
            tell(
                "hint: where all gateways of it are stopped nobody hears such answers: break off, and do it again with --stopped",
            );
        }
        if self.terminal {
            // Back to its beginning, so that a line of the log is written over it. Without a terminal that takes it, the end
            // is told all the same.
            let _ = write!(io::stderr(), "{CLEAR}{}\r", shown(&progress, part))
                .and_then(|()| io::stderr().flush());
        } else if self.is_news(&progress, part) {
            tell(&line(&progress, part));
        }
    }

    /// For the first time.
    fn waits_for_listeners(&mut self, progress: &Progress) -> bool {
        let waits = matches!(progress.step, Step::Ending { listening: Some(_), .. });
        waits && !std::mem::replace(&mut self.hinted, true)
    }

    /// Of a hundred, if it is known.
    fn part(&self, progress: &Progress) -> Option<u32> {
        let of_bytes =
            self.bytes.filter(|bytes| *bytes > 0).map(|bytes| progress.bytes.saturating_mul(100) / bytes);
        let of_ids = (progress.part > 0.0)
            .then_some((0..=100).take_while(|percent| f64::from(*percent) <= progress.part * 100.0));
        let of_ids = of_ids.and_then(Iterator::last);
        of_bytes.and_then(|percent| u32::try_from(percent.min(100)).ok()).or(of_ids)
    }

    /// Every tenth of the way, and whenever it is about something else.
    fn is_news(&mut self, progress: &Progress, part: Option<u32>) -> bool {
        let far = part.map_or(progress.records / UNTOLD, |percent| u64::from(percent / 10));
        let now = Some((progress.step, far));
        let waits = matches!(progress.step, Step::Closing | Step::Ending { .. });
        let is_news = self.told != now && (waits || far > 0 && progress.records >= RECORDS);
        self.told = now;
        is_news
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

/// Shorter than a terminal is wide: what does not fit into one line is not written over.
fn line(progress: &Progress, part: Option<u32>) -> String {
    let records = progress.records;
    match (progress.step, part) {
        (Step::Closing, _) => "closed to new keys; waiting until every gateway knows it".to_owned(),
        (Step::Ending { running, listening: None }, _) => {
            format!("closed to new keys; {}", still_run(running))
        }
        (Step::Ending { running, listening: Some((late, until)) }, _) => {
            format!("{}, {late} may be answered late, until {until}", still_run(running))
        }
        (Step::Checking, None) => format!("{records} records looked at"),
        (Step::Checking, Some(percent)) => format!("{percent} %: {records} records looked at"),
        (Step::Copying, None) => format!("{records} records"),
        (Step::Copying, Some(percent)) => format!("{percent} %: {records} records"),
    }
}

fn still_run(running: usize) -> String {
    format!("{running} still run{}", if running == 1 { "s" } else { "" })
}

fn shown(progress: &Progress, part: Option<u32>) -> String {
    let line = line(progress, part);
    match (progress.step, part) {
        (Step::Checking | Step::Copying, Some(percent)) => {
            let full = percent * WIDTH / 100;
            let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '-' }).collect();
            format!("[{bar}] {line}")
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::Timestamp;

    use super::*;

    fn at(records: u64, bytes: u64, part: f64) -> Progress {
        Progress { records, bytes, part, ..Progress::default() }
    }

    /// Where this machine's clock is wrong that is a long time, and nobody told how to be spared it.
    #[test]
    fn who_waits_for_late_answers_is_told_once_how_not_to() {
        let mut export = Bar::new(None);
        let waits = |listening| {
            let step = Step::Ending { running: 1, listening };
            export.waits_for_listeners(&Progress { step, ..Progress::default() })
        };
        let late = Some((1, Timestamp::from_ms(7)));
        assert_eq!([None, late, late, None, late].map(waits), [false, true, false, false, false]);
    }

    #[test]
    fn a_bar_says_how_far_it_is() {
        let mut import = Bar { terminal: false, bytes: Some(200), told: None, hinted: false };
        assert_eq!(import.part(&at(512, 100, 0.0)), Some(50));
        assert_eq!(import.part(&at(512, 999, 0.0)), Some(100));
        let export = Bar { terminal: false, bytes: None, told: None, hinted: false };
        assert_eq!(export.part(&at(7, 0, 0.257)), Some(25));
        assert_eq!(export.part(&at(7, 0, 0.0)), None);
        assert_eq!(shown(&at(7, 0, 0.5), Some(50)), "[###############---------------] 50 %: 7 records");
        let step = Step::Ending { running: 3, listening: None };
        let waiting = Progress { step, ..Progress::default() };
        assert_eq!(shown(&waiting, None), "closed to new keys; 3 still run");
        assert!(import.is_news(&waiting, None) && !import.is_news(&waiting, None));
        let news = [(5, 0), (10, 1), (15, 1), (21, 2)]
            .map(|(percent, _)| import.is_news(&at(512, 0, 0.0), Some(percent)));
        assert_eq!(news, [false, true, false, true]);
        assert!(!import.is_news(&at(1, 0, 0.0), Some(90)), "it is over before anybody has read that");
    }
}
