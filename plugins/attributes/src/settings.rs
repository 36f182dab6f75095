//! What the operator writes, and for which signals it makes sense.

use actions::ActionSettings;
use actions::settings::{Faults, texts};
use serde::Deserialize;
use serde_json::Value as Json;
use tailrace_sdk::{Intrinsic, Signal};

/// Settings of the processor, with the Collector's keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Only what matches is worked on.
    pub(crate) include: Option<MatchSettings>,
    /// What matches is left alone.
    pub(crate) exclude: Option<MatchSettings>,
    /// What is done, in this order.
    pub(crate) actions: Vec<ActionSettings>,
    /// The signal of the pipeline. The host fills it in, so that a key that another signal has is found when the
    /// configuration is read; without it, the plugin works on the signals for which all keys make sense.
    pub(crate) signal: Option<SignalName>,
}

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignalName {
    Traces,
    Metrics,
    Logs,
}

/// What `include` and `exclude` have: all of the properties must match, each with one of its values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MatchSettings {
    /// `strict` or `regexp`.
    pub(crate) match_type: String,
    /// Options of the Collector's cache, which this plugin does not need.
    #[serde(rename = "regexp")]
    pub(crate) _regexp: RegexpSettings,
    #[serde(deserialize_with = "texts")]
    pub(crate) services: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) span_names: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) span_kinds: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) log_bodies: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) log_severity_texts: Vec<String>,
    pub(crate) log_severity_number: Option<SeverityNumber>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metric_names: Vec<String>,
    pub(crate) attributes: Vec<AttributeSettings>,
    pub(crate) resources: Vec<AttributeSettings>,
    pub(crate) libraries: Vec<Library>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RegexpSettings {
    #[serde(rename = "cacheenabled")]
    _cacheenabled: bool,
    #[serde(rename = "cachemaxnumentries")]
    _cachemaxnumentries: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SeverityNumber {
    /// The lowest severity that matches.
    pub(crate) min: i64,
    /// Whether a record without a severity matches.
    pub(crate) match_undefined: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AttributeSettings {
    pub(crate) key: String,
    /// Without one, it is enough that the attribute is there.
    pub(crate) value: Option<Json>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Library {
    pub(crate) name: String,
    /// Without one, any version matches.
    pub(crate) version: Option<String>,
}

/// What has to be seen to match.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) attributes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) fields: Vec<Intrinsic>,
}

impl Settings {
    /// The signals that this makes sense for; that of the pipeline if it is known.
    pub(crate) fn signals(&self, faults: &mut Faults) -> Vec<Signal> {
        let matches = [("include", &self.include), ("exclude", &self.exclude)];
        let matches = matches.into_iter().filter_map(|(path, of)| Some((path, of.as_ref()?)));
        if let Some(signal) = self.signal {
            let signal = match signal {
                SignalName::Traces => Signal::Traces,
                SignalName::Metrics => Signal::Metrics,
                SignalName::Logs => Signal::Logs,
            };
            for (path, of) in matches {
                of.check(path, signal, faults);
            }
            return vec![signal];
        }
        let mut signals = vec![Signal::Traces, Signal::Metrics, Signal::Logs];
        for (path, of) in matches {
            signals.retain(|signal| {
                let mut here = Faults::default();
                of.check(path, *signal, &mut here);
                here.is_empty()
            });
        }
        if signals.is_empty() {
            faults.add("", "`include` and `exclude` have keys of different signals, so that no data can match them");
        }
        signals
    }
}

impl MatchSettings {
    /// Finds the keys that `signal` does not have.
    fn check(&self, path: &str, signal: Signal, faults: &mut Faults) {
        use Signal::{Logs, Metrics, Traces};
        let not_metrics: &[Signal] = &[Traces, Logs];
        let properties: [(&str, bool, &[Signal]); 10] = [
            ("services", !self.services.is_empty(), &[Traces]),
            ("span_names", !self.span_names.is_empty(), &[Traces]),
            ("span_kinds", !self.span_kinds.is_empty(), &[Traces]),
            ("log_bodies", !self.log_bodies.is_empty(), &[Logs]),
            ("log_severity_texts", !self.log_severity_texts.is_empty(), &[Logs]),
            ("log_severity_number", self.log_severity_number.is_some(), &[Logs]),
            ("metric_names", !self.metric_names.is_empty(), &[Metrics]),
            ("attributes", !self.attributes.is_empty(), not_metrics),
            ("libraries", !self.libraries.is_empty(), not_metrics),
            ("resources", !self.resources.is_empty(), &[Traces, Metrics, Logs]),
        ];
        let what = match signal {
            Traces => "traces",
            Metrics => "metrics",
            Logs => "logs",
        };
        let fits = |(_, _, signals): &&(&str, bool, &[Signal])| signals.contains(&signal);
        for (key, set, signals) in &properties {
            if *set && !signals.contains(&signal) {
                faults.add(&format!("{path}.{key}"), format!("cannot be used in a pipeline of {what}"));
            }
        }
        if !properties.iter().any(|(_, set, _)| *set) {
            let keys: Vec<_> = properties.iter().filter(fits).map(|(key, _, _)| *key).collect();
            faults.add(path, format!("needs at least one of {}", keys.join(", ")));
        }
    }
}
