//! What this gateway has counted, in memory, for whoever asks for `/metrics`.
//!
//! A recorder of the `metrics` facade, one for each gateway, so that several in one process do not mix. It knows the
//! catalogue and nothing else: a series is a number of atomics that is fixed when it is registered, so counting takes no
//! lock, and memory does not grow with what is counted or with how seldom it is asked for.

mod histogram;
mod text;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use onlyonce_core::metric::{self, Kind, Metric};

use self::histogram::Buckets;

/// The series of one metric, by the values of its labels in the catalogue's order.
type Series<T> = BTreeMap<Vec<String>, Arc<T>>;

/// Counters, gauges and histograms of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    counters: Mutex<BTreeMap<&'static str, Series<AtomicU64>>>,
    /// As the bits of an `f64`.
    gauges: Mutex<BTreeMap<&'static str, Series<AtomicU64>>>,
    histograms: Mutex<BTreeMap<&'static str, Series<Buckets>>>,
}

impl Registry {
    /// Everything, in the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for metric in metric::ALL {
            text::head(&mut out, metric);
            match metric.kind {
                Kind::Counter => each(&self.counters, metric, |labels, count| {
                    text::sample(&mut out, metric, labels, &count.load(Ordering::Relaxed));
                }),
                Kind::Gauge => each(&self.gauges, metric, |labels, bits| {
                    text::sample(&mut out, metric, labels, &f64::from_bits(bits.load(Ordering::Relaxed)));
                }),
                Kind::Histogram(_) => each(&self.histograms, metric, |labels, buckets| {
                    text::histogram(&mut out, metric, labels, &buckets.seen());
                }),
            }
        }
        out
    }
}

fn each<T>(
    all: &Mutex<BTreeMap<&'static str, Series<T>>>,
    metric: &Metric,
    mut show: impl FnMut(&[String], &T),
) {
    for (labels, value) in lock(all).get(metric.name).into_iter().flatten() {
        show(labels, value);
    }
}

/// A series, the same one for the same labels; `None` if the catalogue does not have it.
fn series<T>(
    all: &Mutex<BTreeMap<&'static str, Series<T>>>,
    key: &Key,
    new: impl FnOnce(&Metric) -> Option<T>,
) -> Option<Arc<T>> {
    let metric = metric::ALL.iter().find(|metric| metric.name == key.name())?;
    let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
    let mut all = lock(all);
    let series = all.entry(metric.name).or_default();
    if let Some(known) = series.get(&labels) {
        return Some(Arc::clone(known));
    }
    let value = Arc::new(new(metric)?);
    series.insert(labels, Arc::clone(&value));
    Some(value)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A series is there or it is not, also after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder for Registry {
    // The catalogue has the descriptions.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        series(&self.counters, key, |_| Some(AtomicU64::new(0))).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        series(&self.gauges, key, |_| Some(AtomicU64::new(0))).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let new = |metric: &Metric| match metric.kind {
            Kind::Histogram(bounds) => Some(Buckets::new(bounds)),
            Kind::Counter | Kind::Gauge => None,
        };
        series(&self.histograms, key, new).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_ledger::Meter;

    use super::*;

    fn counted(count: impl FnOnce(&Meter)) -> String {
        let registry = Arc::new(Registry::default());
        count(&Meter::of(Arc::clone(&registry)));
        registry.text()
    }

    #[test]
    fn a_series_counts_in_one_place_whoever_asks_for_it() {
        let text = counted(|meter| {
            for _ in 0..2 {
                meter.counter(&metric::REQUESTS, &["POST /a", "executed"]).increment(2);
            }
            meter.counter(&metric::REQUESTS, &["*", "passed"]).increment(1);
            meter.gauge(&metric::UNKNOWN_RECORDS, &["POST /a"]).set(3.0);
        });
        assert!(
            text.contains("onlyonce_requests_total{route=\"POST /a\",result=\"executed\"} 4\n"),
            "{text}"
        );
        assert!(text.contains("onlyonce_requests_total{route=\"*\",result=\"passed\"} 1\n"), "{text}");
        assert!(text.contains("\nonlyonce_unknown_records{route=\"POST /a\"} 3\n"), "{text}");
        assert!(text.contains("# TYPE onlyonce_unknown_records gauge\n"), "{text}");
    }

    #[test]
    fn a_histogram_adds_up_from_bucket_to_bucket() {
        let text = counted(|meter| {
            let batch = meter.histogram(&metric::BATCH_SIZE, &[]);
            for size in [1.0, 2.0, 3.0, 600.0] {
                batch.record(size);
            }
        });
        for line in [
            "onlyonce_batch_size_bucket{le=\"1\"} 1",
            "onlyonce_batch_size_bucket{le=\"2\"} 2",
            "onlyonce_batch_size_bucket{le=\"4\"} 3",
            "onlyonce_batch_size_bucket{le=\"512\"} 3",
            "onlyonce_batch_size_bucket{le=\"+Inf\"} 4",
            "onlyonce_batch_size_sum 606",
            "onlyonce_batch_size_count 4",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
    }

    #[test]
    fn what_the_catalogue_does_not_have_is_not_shown() {
        let registry = Registry::default();
        let metadata = Metadata::new("test", metrics::Level::INFO, None);
        registry.register_counter(&Key::from_name("onlyonce_other_total"), &metadata).increment(1);
        assert!(!registry.text().contains("onlyonce_other_total"));
    }
}
