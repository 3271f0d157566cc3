//! Where things are counted: in any recorder of the `metrics` facade, under the names of [`onlyonce_core::metric`].
//!
//! A handle is resolved once and then counts with one atomic operation or two. A recorder may be given
//! ([`Meter::of`]), so that several ledgers in one process do not mix, or be the process's own ([`Meter::global`]).

use std::{fmt, sync::Arc};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use onlyonce_core::metric::{self, Kind, Metric};

const METADATA: Metadata<'static> = Metadata::new("onlyonce", Level::INFO, None);

/// A recorder to count in. Cheap to clone.
#[derive(Clone)]
pub struct Meter(Option<Arc<dyn Recorder + Send + Sync>>);

impl Meter {
    /// The recorder that the process has installed, as far as it has when a handle is resolved; without one, nothing is
    /// counted. Install it before a ledger is opened.
    pub const fn global() -> Self {
        Self(None)
    }

    /// This recorder.
    pub fn of(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(recorder)))
    }

    /// Tells the recorder what each metric of the catalogue says.
    pub fn describe(&self) {
        for Metric { name, kind, help, .. } in metric::ALL {
            self.with(|recorder| match kind {
                Kind::Counter => recorder.describe_counter((*name).into(), None, (*help).into()),
                Kind::Gauge => recorder.describe_gauge((*name).into(), None, (*help).into()),
                Kind::Histogram(_) => recorder.describe_histogram((*name).into(), None, (*help).into()),
            });
        }
    }

    /// A counter of the catalogue; `labels` are the values, in the catalogue's order.
    pub fn counter(&self, metric: &Metric, labels: &[&str]) -> Counter {
        debug_assert_eq!(metric.kind, Kind::Counter, "{}", metric.name);
        self.with(|recorder| recorder.register_counter(&key(metric, labels), &METADATA))
    }

    /// A gauge of the catalogue, likewise.
    pub fn gauge(&self, metric: &Metric, labels: &[&str]) -> Gauge {
        debug_assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
        self.with(|recorder| recorder.register_gauge(&key(metric, labels), &METADATA))
    }

    /// A histogram of the catalogue, likewise.
    pub fn histogram(&self, metric: &Metric, labels: &[&str]) -> Histogram {
        debug_assert!(matches!(metric.kind, Kind::Histogram(_)), "{}", metric.name);
        self.with(|recorder| recorder.register_histogram(&key(metric, labels), &METADATA))
    }

    fn with<T>(&self, use_it: impl FnOnce(&dyn Recorder) -> T) -> T {
        match &self.0 {
            Some(recorder) => use_it(&**recorder),
            None => metrics::with_recorder(use_it),
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Meter(given)" } else { "Meter(global)" })
    }
}

fn key(metric: &Metric, labels: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), labels.len(), "{} has other labels", metric.name);
    let named = metric.labels.iter().zip(labels);
    Key::from_parts(
        metric.name,
        named.map(|(label, value)| Label::new(label.name, (*value).to_owned())).collect::<Vec<_>>(),
    )
}
