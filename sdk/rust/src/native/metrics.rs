//! The series of the plugin under test. Each thread has its own, as each test has a thread of its own.

use super::MetricKind;
use std::cell::RefCell;

const SERIES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 100;
const LABEL_BYTES_MAX: usize = 200;
const LABELS_MAX: usize = 8;
/// Labels that the host adds itself.
const TAKEN: [&str; 4] = ["plugin", "processor", "pipeline", "le"];

type Labels = Vec<(String, String)>;

struct Series {
    kind: MetricKind,
    name: String,
    labels: Labels,
    value: f64,
}

thread_local! {
    static SERIES: RefCell<Vec<Series>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn open_metric(kind: MetricKind, name: &str, labels: &[(String, String)]) -> Result<u32, String> {
    let labels = check(name, labels)?;
    SERIES.with_borrow_mut(|all| {
        if all.iter().any(|series| series.name == name && series.kind != kind) {
            return Err(format!("the metric {name:?} was opened as another kind before"));
        }
        let found = all.iter().position(|series| series.name == name && series.labels == labels);
        let number = found.unwrap_or(all.len());
        if found.is_none() {
            if all.len() >= SERIES_MAX {
                return Err(format!("the plugin has {SERIES_MAX} series, as many as metric_series allows"));
            }
            all.push(Series { kind, name: name.to_owned(), labels, value: 0.0 });
        }
        u32::try_from(number).map_err(|_| "too many series".to_owned())
    })
}

/// The labels in the order of their names, if everything is as it must be.
fn check(name: &str, labels: &[(String, String)]) -> Result<Labels, String> {
    let good = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    if !good(name) {
        return Err(format!("the metric name {name:?} must be of the form [a-z][a-z0-9_]*, with at most 100 bytes"));
    }
    if labels.len() > LABELS_MAX {
        return Err(format!("the metric {name:?} has {} labels; {LABELS_MAX} are possible", labels.len()));
    }
    let mut sorted = labels.to_vec();
    sorted.sort();
    for (label, value) in &sorted {
        if !good(label) {
            return Err(format!("the label {label:?} must be of the form [a-z][a-z0-9_]*, with at most 100 bytes"));
        }
        if TAKEN.contains(&label.as_str()) {
            return Err(format!("the label {label:?} is the host's own"));
        }
        if value.len() > LABEL_BYTES_MAX {
            return Err(format!("the value of the label {label:?} is longer than {LABEL_BYTES_MAX} bytes"));
        }
    }
    if sorted.windows(2).any(|pair| matches!(pair, [(one, _), (two, _)] if one == two)) {
        return Err(format!("the metric {name:?} has a label twice"));
    }
    Ok(sorted)
}

pub(crate) fn record_metric(metric: u32, value: f64) {
    SERIES.with_borrow_mut(|all| {
        let Some(series) = all.get_mut(metric as usize) else { return };
        match series.kind {
            _ if !value.is_finite() => {}
            MetricKind::Counter if value < 0.0 => {}
            MetricKind::Counter => series.value += value,
            MetricKind::Gauge => series.value = value,
            MetricKind::Histogram => series.value += 1.0,
        }
    });
}

/// What a series stands at; of a histogram, how many values it has.
pub(crate) fn value(name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    labels.sort();
    SERIES.with_borrow(|all| all.iter().find(|one| one.name == name && one.labels == labels).map(|one| one.value))
}
