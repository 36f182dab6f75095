//! Counters, gauges and histograms, and their Prometheus text.
//!
//! Names appear once, in [`super::names`]. A series is looked up when a component is built and counted with one relaxed
//! atomic per batch afterwards.

use super::Text;
use super::dynamic::{Dynamic, Meaning};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_otlp::Signal;

/// A metric: its name as users query it (without `_total`), its help and what it is.
#[derive(Debug)]
pub struct Desc {
    name: &'static str,
    help: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter { per_signal: bool },
    Gauge,
    Histogram { bounds: &'static [u64], scale: f64 },
}

impl Desc {
    /// A count that only grows.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Counter { per_signal: false } }
    }

    /// A count of items; the item word of the signal (`_spans`, `_metric_points`, `_log_records`) ends its name.
    pub const fn item_counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Counter { per_signal: true } }
    }

    /// A value that goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Gauge }
    }

    /// A distribution of whole numbers; `scale` turns them into the unit that is shown.
    pub const fn histogram(name: &'static str, help: &'static str, bounds: &'static [u64], scale: f64) -> Self {
        Self { name, help, kind: Kind::Histogram { bounds, scale } }
    }

    fn full_name(&self, signal: Option<Signal>) -> String {
        match (self.kind, signal) {
            (Kind::Counter { per_signal: true }, Some(signal)) => {
                format!("{}_{}_total", self.name, signal.items_str())
            }
            (Kind::Counter { .. }, _) => format!("{}_total", self.name),
            _ => self.name.to_owned(),
        }
    }
}

/// A count that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A value that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Sets it.
    pub fn set(&self, n: i64) {
        self.0.store(n, Relaxed);
    }

    /// What it stands at.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// A distribution over fixed buckets.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [u64],
    scale: f64,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64], scale: f64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Buckets { bounds, scale, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts one observation.
    pub fn record(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.0.sum.fetch_add(value, Relaxed);
    }

    /// How many observations there were.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Relaxed)).sum()
    }
}

type Observe = Arc<dyn Fn() -> f64 + Send + Sync>;

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Observed(Observe),
    Dynamic(Dynamic),
}

struct Family {
    help: &'static str,
    kind: &'static str,
    series: BTreeMap<Text, Series>,
}

/// The registry. Cloning shares it.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<String, Family>>>);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Metrics {
    /// Whether this is the same registry.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The counter of these labels; the same one at every call.
    pub fn counter(&self, desc: &Desc, signal: Option<Signal>, labels: Labels<'_>) -> Counter {
        match self.series(desc, signal, labels, || Series::Counter(Counter::default())) {
            Series::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of these labels; the same one at every call.
    pub fn gauge(&self, desc: &Desc, labels: Labels<'_>) -> Gauge {
        match self.series(desc, None, labels, || Series::Gauge(Gauge::default())) {
            Series::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram of these labels; the same one at every call.
    pub fn histogram(&self, desc: &Desc, labels: Labels<'_>) -> Histogram {
        let (bounds, scale) = match desc.kind {
            Kind::Histogram { bounds, scale } => (bounds, scale),
            _ => (&[][..], 1.0),
        };
        match self.series(desc, None, labels, || Series::Histogram(Histogram::new(bounds, scale))) {
            Series::Histogram(histogram) => histogram,
            _ => Histogram::new(bounds, scale),
        }
    }

    /// A value that is read when somebody asks; replaces an earlier reader of the same labels.
    pub fn observe(&self, desc: &Desc, labels: Labels<'_>, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let series = Series::Observed(Arc::new(read));
        self.with_family(desc, None, |family| family.series.insert(label_text(labels), series));
    }

    /// The series of a name that only a plugin knows; the same one at every call. `None` if the name, or one that follows
    /// from it, stands for something else.
    pub fn open(&self, meaning: Meaning, name: &str, help: &'static str, labels: &[(&str, &str)]) -> Option<Dynamic> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = |name: &str| families.get(name).is_some_and(|family| family.kind == "histogram");
        let of_another = HISTOGRAM_SUFFIXES.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(histogram));
        let has_others = HISTOGRAM_SUFFIXES.iter().any(|suffix| families.contains_key(&format!("{name}{suffix}")));
        if of_another || (meaning == Meaning::Histogram && has_others) {
            return None;
        }
        let kind = meaning.as_str();
        let make = || Family { help, kind, series: BTreeMap::new() };
        let family = families.entry(name.to_owned()).or_insert_with(make);
        if family.kind != kind {
            return None;
        }
        let make = || Series::Dynamic(Dynamic::new(meaning));
        match family.series.entry(label_text(labels)).or_insert_with(make) {
            Series::Dynamic(series) => Some(series.clone()),
            _ => None,
        }
    }

    /// Forgets a series that was opened so.
    pub fn close(&self, name: &str, labels: &[(&str, &str)]) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get_mut(name) {
            family.series.remove(&label_text(labels));
            if family.series.is_empty() {
                families.remove(name);
            }
        }
    }

    fn series(&self, desc: &Desc, signal: Option<Signal>, labels: Labels<'_>, make: impl FnOnce() -> Series) -> Series {
        self.with_family(desc, signal, |family| family.series.entry(label_text(labels)).or_insert_with(make).clone())
    }

    fn with_family<R>(&self, desc: &Desc, signal: Option<Signal>, act: impl FnOnce(&mut Family) -> R) -> R {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = match desc.kind {
            Kind::Counter { .. } => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram { .. } => "histogram",
        };
        let make = || Family { help: desc.help, kind, series: BTreeMap::new() };
        act(families.entry(desc.full_name(signal)).or_insert_with(make))
    }

    /// Every series as Prometheus text, format 0.0.4.
    pub fn render(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind);
            for (labels, series) in &family.series {
                match series {
                    Series::Counter(counter) => line(&mut out, name, labels, counter.get()),
                    Series::Gauge(gauge) => line(&mut out, name, labels, gauge.get()),
                    Series::Observed(read) => line(&mut out, name, labels, read()),
                    Series::Histogram(histogram) => histogram_lines(&mut out, name, labels, &histogram.0),
                    Series::Dynamic(series) => series.render(&mut out, name, labels),
                }
            }
        }
        out
    }

    /// The sum over all series of `full_name` whose labels contain every text of `having` (as in `exporter="nop"`).
    pub fn total(&self, full_name: &str, having: &[&str]) -> f64 {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(family) = families.get(full_name) else {
            return 0.0;
        };
        let wanted = family.series.iter().filter(|(labels, _)| having.iter().all(|text| labels.contains(text)));
        wanted
            .map(|(_, series)| match series {
                Series::Counter(counter) => counter.get() as f64,
                Series::Gauge(gauge) => gauge.get() as f64,
                Series::Observed(read) => read(),
                Series::Histogram(histogram) => histogram.count() as f64,
                Series::Dynamic(series) => series.total(),
            })
            .sum()
    }
}

/// What the lines of a histogram are called beside its name.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

pub(super) fn line(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(out, "{name} {value}"),
        labels => writeln!(out, "{name}{{{labels}}} {value}"),
    };
}

fn histogram_lines(out: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let bounds = buckets.bounds.iter().map(|bound| scaled(*bound, buckets.scale));
    distribution(out, name, labels, bounds, &buckets.counts, scaled(buckets.sum.load(Relaxed), buckets.scale));
}

/// The lines of a histogram; `counts` has one entry more than there are bounds.
pub(super) fn distribution(
    out: &mut String,
    name: &str,
    labels: &str,
    bounds: impl Iterator<Item = f64>,
    counts: &[AtomicU64],
    sum: f64,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut so_far = 0;
    for (count, bound) in counts.iter().zip(bounds.map(Some).chain([None])) {
        so_far += count.load(Relaxed);
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {so_far}");
    }
    line(out, &format!("{name}_sum"), labels, sum);
    line(out, &format!("{name}_count"), labels, so_far);
}

/// `value * scale`, by a division that does not turn 1.021 into 1.0210000000000001.
fn scaled(value: u64, scale: f64) -> f64 {
    if scale < 1.0 { value as f64 / scale.recip().round() } else { value as f64 * scale }
}

fn label_text(labels: &[(&str, &str)]) -> Text {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{name}=\"");
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    static SENT: Desc = Desc::item_counter("x_sent", "Items sent.");
    static TIME: Desc = Desc::histogram("x_seconds", "Time.", &[10, 100], 0.001);

    #[test]
    fn text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.counter(&SENT, Some(Signal::Traces), &[("exporter", "a\"b")]).add(3);
        metrics.counter(&SENT, Some(Signal::Traces), &[("exporter", "a\"b")]).add(4);
        let time = metrics.histogram(&TIME, &[]);
        for value in [10, 11, 1000] {
            time.record(value);
        }
        let text = metrics.render();
        assert!(
            text.contains("# TYPE x_sent_spans_total counter\nx_sent_spans_total{exporter=\"a\\\"b\"} 7\n"),
            "{text}"
        );
        assert!(text.contains(
            "x_seconds_bucket{le=\"0.01\"} 1\nx_seconds_bucket{le=\"0.1\"} 2\nx_seconds_bucket{le=\"+Inf\"} 3\n"
        ));
        assert!(text.contains("x_seconds_sum 1.021\nx_seconds_count 3\n"), "{text}");
        assert_eq!(metrics.total("x_sent_spans_total", &[]), 7.0);
    }
}
