//! Metrics of a plugin's own: `open-metric` and `record-metric`.
//!
//! The series belong to the plugin in its place of the configuration: all its instances and all its versions count in the
//! same ones, so a sum goes on over a swap. At most `metric_series` of them are there; when a plugin wants more, those that
//! no instance has open any longer make room.

use crate::plugin::bindings::host::MetricKind;
use crate::plugin::log::cut;
use crate::telemetry::{Counter, Dynamic, Meaning, Metrics};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest name of a metric or label.
const NAME_BYTES_MAX: usize = 100;
/// Longest value of a label.
const VALUE_BYTES_MAX: usize = 200;
/// Labels of one series, without those that the host adds.
const LABELS_MAX: usize = 8;
/// Labels that the host adds, and the one that Prometheus keeps for itself.
const TAKEN: [&str; 4] = ["plugin", "processor", "pipeline", "le"];
/// What comes before a plugin's name for a metric.
const PREFIX: &str = "plugin_";

/// Name and labels, these in the order of their names.
type Key = (String, Vec<(String, String)>);

/// The series of one plugin in one place of the configuration.
pub(in crate::plugin) struct PluginSeries {
    metrics: Metrics,
    labels: Vec<(String, String)>,
    open: Mutex<HashMap<Key, Dynamic>>,
    refused: Counter,
}

impl PluginSeries {
    /// With none yet. `labels` say which plugin it is and where; what is refused is counted in `refused`.
    pub(in crate::plugin) fn new(metrics: &Metrics, labels: &[(&'static str, &str)], refused: Counter) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { metrics: metrics.clone(), labels, open: Mutex::default(), refused }
    }

    fn open(&self, kind: MetricKind, key: &Key, most: usize) -> Result<Dynamic, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let meaning = match kind {
            MetricKind::Counter => Meaning::Counter,
            MetricKind::Gauge => Meaning::Gauge,
            MetricKind::Histogram => Meaning::Histogram,
        };
        if let Some(series) = open.get(key).filter(|series| series.meaning() == meaning) {
            return Ok(series.clone());
        }
        // A version before may have meant something else by this name: what nobody has open any longer is forgotten.
        let others = open.iter().filter(|(known, series)| known.0 == key.0 && series.meaning() != meaning);
        let unused = others.filter(|(_, series)| series.holders() <= 2).map(|(known, _)| known.clone());
        for unused in unused.collect::<Vec<_>>() {
            self.close(&mut open, &unused);
        }
        if open.contains_key(key) {
            return Err(another_kind(&key.0));
        }
        while open.len() >= most {
            let unused = open.iter().find(|(_, series)| series.holders() <= 2).map(|(key, _)| key.clone());
            let Some(unused) = unused else {
                return Err(format!("the plugin has {most} series, as many as metric_series allows"));
            };
            self.close(&mut open, &unused);
        }
        let series = self.metrics.open(meaning, &full_name(&key.0), "A metric of a plugin.", &self.all_labels(key));
        let series = series.ok_or_else(|| another_kind(&key.0))?;
        open.insert(key.clone(), series.clone());
        Ok(series)
    }

    fn close(&self, open: &mut HashMap<Key, Dynamic>, key: &Key) {
        open.remove(key);
        self.metrics.close(&full_name(&key.0), &self.all_labels(key));
    }

    fn all_labels<'a>(&'a self, key: &'a Key) -> Vec<(&'a str, &'a str)> {
        self.labels.iter().chain(&key.1).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl Drop for PluginSeries {
    /// The plugin is gone, and its series with it.
    fn drop(&mut self) {
        let open = std::mem::take(self.open.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (key, _) in open.iter().filter(|(_, series)| series.holders() <= 2) {
            self.metrics.close(&full_name(&key.0), &self.all_labels(key));
        }
    }
}

fn full_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn another_kind(name: &str) -> String {
    format!("the metric {name:?} was opened as another kind before, by this plugin or another")
}

/// What one instance has open.
pub(in crate::plugin) struct Opened {
    /// Let go before the plugin's, which looks who has a series.
    series: Vec<Dynamic>,
    plugin: Arc<PluginSeries>,
    most: usize,
    numbers: HashMap<Key, u32>,
}

impl Opened {
    /// Nothing yet; at most `most` series for the plugin.
    pub(in crate::plugin) fn new(plugin: Arc<PluginSeries>, most: usize) -> Self {
        Self { plugin, most, series: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of a series; or why it cannot be had.
    pub(in crate::plugin) fn open(
        &mut self,
        kind: MetricKind,
        name: String,
        labels: Vec<(String, String)>,
    ) -> Result<u32, String> {
        let opened = self.try_open(kind, name, labels);
        if opened.is_err() {
            self.plugin.refused.add(1);
        }
        opened
    }

    fn try_open(&mut self, kind: MetricKind, name: String, labels: Vec<(String, String)>) -> Result<u32, String> {
        let key = checked(name, labels)?;
        let series = self.plugin.open(kind, &key, self.most)?;
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = u32::try_from(self.series.len()).map_err(|_| "too many series".to_owned())?;
        self.series.push(series);
        self.numbers.insert(key, number);
        Ok(number)
    }

    /// Counts a value.
    pub(in crate::plugin) fn record(&self, number: u32, value: f64) {
        if let Some(series) = self.series.get(number as usize) {
            series.record(value);
        }
    }
}

/// The name and the labels, if they are as they must be.
fn checked(name: String, mut labels: Vec<(String, String)>) -> Result<Key, String> {
    const FORM: &str = "must be of the form [a-z][a-z0-9_]*, with at most 100 bytes";
    if !is_name(&name) {
        return Err(format!("the name {:?} of a metric {FORM}", cut(&name, NAME_BYTES_MAX)));
    }
    if labels.len() > LABELS_MAX {
        return Err(format!("the metric {name:?} has {} labels; {LABELS_MAX} are possible", labels.len()));
    }
    labels.sort();
    for (label, value) in &labels {
        if !is_name(label) {
            return Err(format!("the name {:?} of a label {FORM}", cut(label, NAME_BYTES_MAX)));
        }
        if TAKEN.contains(&label.as_str()) {
            return Err(format!("the label {label:?} is the host's own: call it otherwise"));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(format!("the value of the label {label:?} is longer than {VALUE_BYTES_MAX} bytes"));
        }
    }
    if labels.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return Err(format!("the metric {name:?} has a label twice"));
    }
    Ok((name, labels))
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(most: usize) -> (Metrics, Opened) {
        let (metrics, refused) = (Metrics::default(), Counter::default());
        let labels = [("plugin", "p"), ("processor", "wasm/p")];
        let series = PluginSeries::new(&metrics, &labels, refused);
        (metrics, Opened::new(Arc::new(series), most))
    }

    fn named(name: &str) -> (MetricKind, String, Vec<(String, String)>) {
        (MetricKind::Counter, name.to_owned(), Vec::new())
    }

    fn open(opened: &mut Opened, name: &str) -> Result<u32, String> {
        let (kind, name, labels) = named(name);
        opened.open(kind, name, labels)
    }

    /// What an instance opened is its own as long as it lives; what nobody has open any longer makes room.
    #[test]
    fn unused_series_make_room() {
        let (metrics, mut old) = opened(2);
        let mut new = Opened::new(Arc::clone(&old.plugin), 2);
        for name in ["a", "b"] {
            let number = open(&mut old, name).unwrap();
            old.record(number, 5.0);
        }
        assert_eq!(open(&mut old, "a"), Ok(0));
        assert!(open(&mut new, "c").unwrap_err().contains("metric_series"));
        assert_eq!(new.plugin.refused.get(), 1);
        let a = open(&mut new, "a").unwrap();
        drop(old);
        assert_eq!(open(&mut new, "c"), Ok(1));
        new.record(a, 1.0);
        assert_eq!((metrics.total("plugin_a", &["plugin=\"p\""]), metrics.total("plugin_b", &[])), (6.0, 0.0));
        drop(new);
        assert!(!metrics.render().contains("plugin_"), "{}", metrics.render());
    }

    /// A metric that a new version counts in another way is its own once no instance of the old one has it open.
    #[test]
    fn another_version_may_mean_something_else() {
        let (metrics, mut old) = opened(10);
        let zone = |name: &str| vec![("zone".to_owned(), name.to_owned())];
        for zone in [zone("a"), zone("b")] {
            old.open(MetricKind::Counter, "orders".to_owned(), zone).unwrap();
        }
        let mut new = Opened::new(Arc::clone(&old.plugin), 10);
        let histogram = |opened: &mut Opened| opened.open(MetricKind::Histogram, "orders".to_owned(), zone("a"));
        assert!(histogram(&mut new).unwrap_err().contains("another kind"));
        drop(old);
        let number = histogram(&mut new).unwrap();
        new.record(number, 1.0);
        assert!(metrics.render().contains("# TYPE plugin_orders histogram"), "{}", metrics.render());
        assert!(open(&mut new, "orders").unwrap_err().contains("another kind"));
    }

    #[test]
    fn names_have_a_form() {
        let (_, mut opened) = opened(100);
        for bad in ["", "A", "9a", "a-b", "é", "a b", &"x".repeat(101)] {
            assert!(open(&mut opened, bad).is_err(), "{bad}");
        }
        assert_eq!(open(&mut opened, &"x".repeat(100)), Ok(0));
        let mut labelled = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            opened.open(MetricKind::Gauge, "g".to_owned(), labels)
        };
        let long = "v".repeat(200);
        let number = labelled(&[("b", "1"), ("a", &long)]).unwrap();
        assert_eq!(labelled(&[("a", &long), ("b", "1")]), Ok(number));
        assert!(labelled(&[("a", &format!("{long}v"))]).is_err());
        for bad in [&[("A", "")][..], &[("plugin", "")], &[("le", "")], &[("a", "1"), ("a", "2")], &[("a", ""); 9]] {
            assert!(labelled(bad).is_err(), "{bad:?}");
        }
        assert!(open(&mut opened, "g").unwrap_err().contains("another kind"));
    }
}
