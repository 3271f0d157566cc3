//! What goes away by itself: rows past their key retention and results past their own.
//!
//! While fjall merges files it asks [`Expiry`] about every value it meets. Only [`Verdict::Remove`] is ever answered,
//! which leaves a tombstone: a record has been written several times, and without one an older version that lies
//! deeper (*in progress*) would come back (`Destroy` and `RemoveWeak` do that).
//!
//! A removal is no compare-and-set, and need not be: the tombstone takes the sequence number of the version it
//! replaces, so any later write of the same key, a new claim over an expired row, stays above it.
//!
//! Invariant: open rows and rows that cannot be read are never removed, and nothing is while the clock is in doubt.

use std::sync::{Arc, OnceLock};

use fjall::compaction::filter::{
    CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict,
};
use onlyonce_core::{Timestamp, codec};

use crate::{
    clock::Clock,
    keyspaces::{self, Filters, RECORDS, RESULTS},
};

/// Says when a stored value may go; `None`: never.
type ExpiresAt = fn(&[u8]) -> Option<Timestamp>;

/// The filters of those keyspaces whose rows expire.
pub(crate) fn filters(clock: &Arc<OnceLock<Arc<Clock>>>) -> Filters {
    let clock = Arc::clone(clock);
    Arc::new(move |keyspace| {
        let expires_at = match keyspace {
            RECORDS => row_expires_at,
            RESULTS => keyspaces::until,
            _ => return None,
        };
        Some(Arc::new(Expiry { clock: Arc::clone(&clock), expires_at }))
    })
}

/// When a row may be removed: never while it is open, and never if it cannot be read.
pub(crate) fn row_expires_at(row: &[u8]) -> Option<Timestamp> {
    codec::peek(row).ok().filter(|peek| !peek.open)?.expires_at
}

struct Expiry {
    clock: Arc<OnceLock<Arc<Clock>>>,
    expires_at: ExpiresAt,
}

impl Factory for Expiry {
    fn name(&self) -> &str {
        "expiry"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Expired {
            before: self.clock.get().and_then(|clock| clock.expiry()),
            expires_at: self.expires_at,
        })
    }
}

/// The filter of one merge, which judges by the time at which it began.
struct Expired {
    before: Option<Timestamp>,
    expires_at: ExpiresAt,
}

impl CompactionFilter for Expired {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        let Some(now) = self.before else { return Ok(Verdict::Keep) };
        let end = (self.expires_at)(&item.value()?);
        Ok(if end.is_some_and(|end| end <= now) { Verdict::Remove } else { Verdict::Keep })
    }
}
