//! Metrics of a plugin's own: they appear among the host's as `plugin_<name>`, with labels that say which plugin it was
//! and where.
//!
//! ```
//! use tailrace_sdk::metrics::{Counter, Histogram};
//!
//! let seen = Counter::open("orders_seen_total");
//! let large = Counter::with_labels("orders_large_total", &[("currency", "eur")]);
//! let amounts = Histogram::open("order_amount");
//! seen.add(3);
//! large.add(1);
//! amounts.record(249.95);
//! assert_eq!(tailrace_sdk::metrics::value("orders_seen_total", &[]), Some(3.0));
//! ```
//!
//! Open a series once, when the plugin is made, and keep it; to count is a call to the host, so count once per batch where
//! you can. Names are of the form `[a-z][a-z0-9_]*` and appear as they are; Prometheus wants units last (`_seconds`,
//! `_bytes`) and after them `_total` for counters. A plugin has at most `metric_series` series (100), all its instances
//! together, so never take values of telemetry as labels unless there are few. A series that the host refuses counts
//! nothing; the reason is in the log, once for each name.

use crate::host::{self, MetricKind};
use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

/// A sum that only grows.
#[derive(Clone, Copy, Debug)]
pub struct Counter(Series);

/// A value that goes up and down; the last one counts.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(Series);

/// A distribution. Its buckets are powers of ten, with the steps 1, 2.5 and 5.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(Series);

/// The host's number of a series, unless it refused.
#[derive(Clone, Copy, Debug)]
struct Series(Option<u32>);

impl Counter {
    /// A counter without labels.
    pub fn open(name: &str) -> Self {
        Self::with_labels(name, &[])
    }

    /// The counter of these labels.
    pub fn with_labels(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(Series::open(MetricKind::Counter, name, labels))
    }

    /// Adds to it; what is negative or not finite is ignored.
    pub fn add(&self, amount: impl Number) {
        self.0.record(amount);
    }
}

impl Gauge {
    /// A gauge without labels.
    pub fn open(name: &str) -> Self {
        Self::with_labels(name, &[])
    }

    /// The gauge of these labels.
    pub fn with_labels(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(Series::open(MetricKind::Gauge, name, labels))
    }

    /// Sets it; what is not finite is ignored.
    pub fn set(&self, value: impl Number) {
        self.0.record(value);
    }
}

impl Histogram {
    /// A histogram without labels.
    pub fn open(name: &str) -> Self {
        Self::with_labels(name, &[])
    }

    /// The histogram of these labels.
    pub fn with_labels(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(Series::open(MetricKind::Histogram, name, labels))
    }

    /// Counts a value; what is not finite is ignored.
    pub fn record(&self, value: impl Number) {
        self.0.record(value);
    }
}

impl Series {
    fn open(kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> Self {
        let labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match host::open_metric(kind, name, &labels) {
            Ok(number) => Self(Some(number)),
            Err(reason) => {
                complain(name, &reason);
                Self(None)
            }
        }
    }

    fn record(self, value: impl Number) {
        if let Some(number) = self.0 {
            host::record_metric(number, value.as_f64());
        }
    }
}

/// Logs why a series is not there, once for each name and this instance.
fn complain(name: &str, reason: &str) {
    /// A plugin that makes up names without end shall not fill its memory with them.
    const NAMES_MAX: usize = 100;
    thread_local! {
        static REFUSED: RefCell<HashSet<String>> = RefCell::default();
    }
    let new = REFUSED.with_borrow_mut(|names| names.len() < NAMES_MAX && names.insert(name.to_owned()));
    if new {
        crate::log::warn(&format!("goes on without a metric: {reason}"));
    }
}

/// What can be counted: numbers, and times, which count in seconds.
pub trait Number: Copy {
    /// As metrics have it.
    fn as_f64(self) -> f64;
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl Number for $number {
            #[inline]
            fn as_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

impl Number for Duration {
    fn as_f64(self) -> f64 {
        self.as_secs_f64()
    }
}

/// For tests: what a series stands at (for a histogram, how many values it has), if it was opened in this thread.
#[cfg(not(target_family = "wasm"))]
pub fn value(name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    host::value(name, labels)
}
