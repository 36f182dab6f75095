//! Series whose names are known only while the process runs: those of plugins, which open them and count in floats.

use super::metrics::{distribution, line};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a series means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A sum that only grows.
    Counter,
    /// A value that goes up and down; the last one counts.
    Gauge,
    /// A distribution over powers of ten with the steps 1, 2.5 and 5.
    Histogram,
}

impl Meaning {
    /// As Prometheus calls it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Upper bounds of buckets: from a microsecond to thirty years, from one byte to a gigabyte.
const BOUNDS: [f64; 46] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 2.5e-1,
    5e-1, 1e0, 2.5e0, 5e0, 1e1, 2.5e1, 5e1, 1e2, 2.5e2, 5e2, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6,
    2.5e6, 5e6, 1e7, 2.5e7, 5e7, 1e8, 2.5e8, 5e8, 1e9,
];

/// A series. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Dynamic(Arc<Series>);

#[derive(Debug)]
struct Series {
    meaning: Meaning,
    /// The value, or the sum of a histogram: the bits of a float.
    value: AtomicU64,
    /// Values by bucket.
    counts: Box<[AtomicU64]>,
}

impl Dynamic {
    pub(super) fn new(meaning: Meaning) -> Self {
        let buckets = if meaning == Meaning::Histogram { BOUNDS.len() + 1 } else { 0 };
        let counts = (0..buckets).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Series { meaning, value: AtomicU64::new(0.0_f64.to_bits()), counts }))
    }

    /// What it means.
    pub fn meaning(&self) -> Meaning {
        self.0.meaning
    }

    /// How many hold it, the registry and the caller included.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Adds to a counter, sets a gauge, records a value of a histogram. What is not finite, or negative for a counter, is
    /// ignored.
    pub fn record(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        match self.0.meaning {
            Meaning::Counter if value < 0.0 => {}
            Meaning::Counter => self.add(value),
            Meaning::Gauge => self.0.value.store(value.to_bits(), Relaxed),
            Meaning::Histogram => {
                let bucket = BOUNDS.partition_point(|bound| *bound < value);
                if let Some(count) = self.0.counts.get(bucket) {
                    count.fetch_add(1, Relaxed);
                }
                self.add(value);
            }
        }
    }

    /// Adds, and stops at the largest number there is: a sum is never infinite.
    fn add(&self, more: f64) {
        let add = |bits| Some((f64::from_bits(bits) + more).clamp(f64::MIN, f64::MAX).to_bits());
        let _ = self.0.value.fetch_update(Relaxed, Relaxed, add);
    }

    fn value(&self) -> f64 {
        f64::from_bits(self.0.value.load(Relaxed))
    }

    /// The value; of a histogram, how many values there were.
    pub(super) fn total(&self) -> f64 {
        match self.0.meaning {
            Meaning::Histogram => self.0.counts.iter().map(|count| count.load(Relaxed)).sum::<u64>() as f64,
            _ => self.value(),
        }
    }

    /// Its lines of Prometheus text.
    pub(super) fn render(&self, out: &mut String, name: &str, labels: &str) {
        match self.0.meaning {
            Meaning::Histogram => {
                distribution(out, name, labels, BOUNDS.into_iter(), &self.0.counts, self.value());
            }
            _ => line(out, name, labels, self.value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        let open = |meaning, name: &str, labels: &[(&str, &str)]| metrics.open(meaning, name, "Help.", labels);
        let sum = open(Meaning::Counter, "plugin_seen", &[("kind", "a")]).unwrap();
        for value in [0.5, 2.0, -1.0, f64::NAN, f64::INFINITY] {
            sum.record(value);
        }
        open(Meaning::Counter, "plugin_seen", &[("kind", "a")]).unwrap().record(1.0);
        open(Meaning::Gauge, "plugin_level", &[]).unwrap().record(-2.0);
        let wait = open(Meaning::Histogram, "plugin_wait", &[("kind", "a")]).unwrap();
        for value in [-3.0, 0.25, 0.26, 2e9] {
            wait.record(value);
        }
        let text = metrics.render();
        for line in [
            "# HELP plugin_seen Help.\n# TYPE plugin_seen counter\nplugin_seen{kind=\"a\"} 3.5\n",
            "# TYPE plugin_level gauge\nplugin_level -2\n",
            "plugin_wait_bucket{kind=\"a\",le=\"0.000001\"} 1\n",
            "plugin_wait_bucket{kind=\"a\",le=\"0.25\"} 2\nplugin_wait_bucket{kind=\"a\",le=\"0.5\"} 3\n",
            "le=\"1000000000\"} 3\nplugin_wait_bucket{kind=\"a\",le=\"+Inf\"} 4\n",
            "plugin_wait_sum{kind=\"a\"} 1999999997.51\nplugin_wait_count{kind=\"a\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    /// Two meanings of one name would make the whole page unreadable.
    #[test]
    fn a_name_has_one_meaning() {
        let metrics = Metrics::default();
        let open = |meaning, name: &str| metrics.open(meaning, name, "Help.", &[]);
        assert!(open(Meaning::Histogram, "plugin_a").is_some() && open(Meaning::Gauge, "plugin_b_sum").is_some());
        assert!(open(Meaning::Counter, "plugin_a").is_none());
        assert!(open(Meaning::Counter, "plugin_a_count").is_none());
        assert!(open(Meaning::Histogram, "plugin_b").is_none());
        metrics.close("plugin_a", &[]);
        assert!(open(Meaning::Counter, "plugin_a").is_some());
    }
}
