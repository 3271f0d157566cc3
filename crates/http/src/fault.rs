//! Points at which a request can be parked, so that tests can aim a crash, or a pause, at a window.
//!
//! Without the feature `fault-points` every point is nothing at all.

/// The windows in which a crash or a pause makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The claim is durable; nothing was sent.
    ClaimedSent,
    /// The attempt has started, within its lease; nothing was sent.
    StartedSent,
    /// The request was sent, and the head of its answer may have come; nothing of it was taken in.
    SentAnswered,
    /// The answer is here; it is not recorded.
    AnsweredRecorded,
    /// The result is durable; the client has nothing.
    RecordedDelivered,
}

impl Window {
    /// All, in the order of a request's way.
    pub const ALL: [Self; 5] = [
        Self::ClaimedSent,
        Self::StartedSent,
        Self::SentAnswered,
        Self::AnsweredRecorded,
        Self::RecordedDelivered,
    ];
    /// Those in which a crash makes a difference of its own: no ledger hears of a start.
    pub const OF_CRASHES: [Self; 4] =
        [Self::ClaimedSent, Self::SentAnswered, Self::AnsweredRecorded, Self::RecordedDelivered];

    /// Its name on the command line of a test.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClaimedSent => "claimed-sent",
            Self::StartedSent => "started-sent",
            Self::SentAnswered => "sent-answered",
            Self::AnsweredRecorded => "answered-recorded",
            Self::RecordedDelivered => "recorded-delivered",
        }
    }
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::signal::unix::{SignalKind, signal};

    use super::Window;

    /// The number of `SIGCONT` on Linux.
    const CONTINUED: SignalKind = SignalKind::from_raw(18);

    static ARMED: OnceLock<Window> = OnceLock::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    /// Arms one window for the rest of the process: from now on every other request that comes there stays there.
    pub fn arm(window: Window) {
        let _ = ARMED.set(window);
    }

    /// Parks the request here, if this window is armed and it is its turn, until the process was stopped and is continued.
    /// Each says how many there are now, so that a test can wait for the line of the one that fills the window.
    #[expect(clippy::print_stderr, reason = "the test that armed it reads this line")]
    pub async fn point(window: Window) {
        if ARMED.get() != Some(&window) {
            return;
        }
        let seen = SEEN.fetch_add(1, Ordering::Relaxed);
        if seen.is_multiple_of(2) {
            let mut continued = signal(CONTINUED).expect("the runtime listens for signals");
            eprintln!("parked {} {}", window.as_str(), seen / 2 + 1);
            continued.recv().await;
        }
    }
}

#[cfg(feature = "fault-points")]
pub use armed::{arm, point};

/// Nothing: the feature `fault-points` is off.
#[cfg(not(feature = "fault-points"))]
pub async fn point(_window: Window) {}
