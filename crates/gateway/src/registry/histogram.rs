//! How often a value fell between two bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::HistogramFn;

/// One series of a histogram.
#[derive(Debug)]
pub(crate) struct Buckets {
    bounds: &'static [f64],
    /// One for each bound, and one beyond the last.
    counts: Box<[AtomicU64]>,
    /// As the bits of an `f64`.
    sum: AtomicU64,
}

/// What a histogram has seen.
pub(crate) struct Seen {
    /// Each bound, and how many values were at most that.
    pub(crate) up_to: Vec<(f64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

impl Buckets {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// The count is that of the buckets, so the two never disagree.
    pub(crate) fn seen(&self) -> Seen {
        let mut count = 0;
        let mut up_to = Vec::with_capacity(self.bounds.len());
        for (at, bucket) in self.counts.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            up_to.extend(self.bounds.get(at).map(|bound| (*bound, count)));
        }
        Seen { up_to, count, sum: f64::from_bits(self.sum.load(Ordering::Relaxed)) }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.counts.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let added = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // It always gives a value, so it cannot fail.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }
}
