//! Hears the server's warnings.
//!
//! A commit whose wait for the synchronous standby is broken off succeeds, with a warning: a fail-over then loses what was
//! acknowledged. So a write that is warned of counts as unknown. The driver gives a notice to nobody but `tracing`; a
//! listener of our own is there while a write is polled, and takes note. It goes by the level alone: the server says the
//! words in its own language.
//!
//! Invariant: whether it hears anything is tried at each opening where it matters (`durability.rs`); it is not assumed of a
//! driver or of how `tracing` was built.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tracing::{
    Dispatch, Event, Id, Level, Metadata, Subscriber,
    instrument::WithSubscriber,
    level_filters::LevelFilter,
    span::{Attributes, Record},
};

/// Where the driver tells what the server has to say.
const TARGET: &str = "sqlx::postgres::notice";

/// What was heard on the connections of one store.
#[derive(Clone, Debug)]
pub(crate) struct Warnings {
    heard: Arc<AtomicU64>,
    listener: Dispatch,
}

struct Listener(Arc<AtomicU64>);

impl Warnings {
    pub(crate) fn new() -> Self {
        let heard = Arc::default();
        Self { listener: Dispatch::new(Listener(Arc::clone(&heard))), heard }
    }

    /// Does a job, and says whether there was a warning meanwhile, on this connection or another: one too many makes a
    /// write unknown that was none, and that is asked for again.
    pub(crate) async fn during<T>(&self, job: impl Future<Output = T>) -> (T, bool) {
        let before = self.heard.load(Ordering::Acquire);
        let answer = job.with_subscriber(self.listener.clone()).await;
        (answer, self.heard.load(Ordering::Acquire) != before)
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
