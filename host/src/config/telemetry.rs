//! `service::telemetry`: the collector's own logs and metrics.
//!
//! ```yaml
//! service:
//!   telemetry:
//!     logs: {level: info, encoding: console}
//!     metrics:
//!       level: normal
//!       readers:
//!       - pull: {exporter: {prometheus: {host: localhost, port: 8888}}}
//! ```
//! Logs go to stderr. Every key of the Collector is known here; one that asks for something we do not do is refused by
//! name, one that asks for what we do anyway is fine.

use crate::telemetry::log::Encoding;
use crate::yaml::endpoint::HostPort;
use crate::yaml::{Check, Node, Problems, Section, Settings, Value};
use serde::Deserialize;

/// The collector's own logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// How it logs.
    pub logs: Logs,
    /// `host:port` that serves `/metrics`; `None` serves nothing.
    pub metrics_endpoint: Option<String>,
}

/// How the collector logs, on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// For people or machines.
    pub encoding: Encoding,
}

impl Default for Logs {
    fn default() -> Self {
        Self { level: "info".to_owned(), encoding: Encoding::Console }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        let metrics = HostPort { host: "localhost".to_owned(), port: METRICS_PORT };
        Self { logs: Logs::default(), metrics_endpoint: Some(metrics.to_string()) }
    }
}

const METRICS_PORT: u16 = 8888;

/// Reads the section.
pub(super) fn read(section: &Section<'_>, problems: &mut Problems) -> Option<Telemetry> {
    let written: TelemetrySettings = section.settings(problems)?;
    let metrics = written.metrics;
    let readers = metrics.readers.as_deref().unwrap_or_default();
    let prometheus = readers.iter().find_map(|reader| reader.pull.as_ref()?.exporter.prometheus.as_ref());
    let endpoint = match (metrics.level, metrics.address, prometheus) {
        (Level::None, _, _) => None,
        (_, _, Some(Prometheus { host, port, .. })) => Some(HostPort { host: host.clone(), port: *port }.to_string()),
        (_, Some(address), None) => Some(address.to_string()),
        (_, None, None) => Telemetry::default().metrics_endpoint,
    };
    let encoding = match written.logs.encoding {
        LogEncoding::Console => Encoding::Console,
        LogEncoding::Json => Encoding::Json,
    };
    let logs = Logs { level: written.logs.level.as_str().to_owned(), encoding };
    Some(Telemetry { logs, metrics_endpoint: endpoint })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TelemetrySettings {
    logs: LogSettings,
    metrics: MetricSettings,
    traces: Option<TraceSettings>,
    resource: Option<Node>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogSettings {
    level: LogLevel,
    encoding: LogEncoding,
    output_paths: Vec<String>,
    error_output_paths: Vec<String>,
    development: bool,
    disable_caller: bool,
    disable_stacktrace: bool,
    disable_zap_resource: bool,
    sampling: Option<Node>,
    initial_fields: Option<Node>,
    processors: Option<Node>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            encoding: LogEncoding::Console,
            output_paths: vec!["stderr".to_owned()],
            error_output_paths: vec!["stderr".to_owned()],
            development: false,
            disable_caller: true,
            disable_stacktrace: true,
            disable_zap_resource: true,
            sampling: None,
            initial_fields: None,
            processors: None,
        }
    }
}

/// In any case of letters, as in the Collector.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl TryFrom<String> for LogLevel {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(&text));
        found.ok_or_else(|| format!("{text:?} is none of debug, info, warn, error"))
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogEncoding {
    Console,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MetricSettings {
    level: Level,
    address: Option<HostPort>,
    readers: Option<Vec<MetricReader>>,
    views: Option<Node>,
}

/// In any case of letters, as in the Collector.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
enum Level {
    None,
    Basic,
    #[default]
    Normal,
    Detailed,
}

impl TryFrom<String> for Level {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "basic" => Ok(Self::Basic),
            "normal" => Ok(Self::Normal),
            "detailed" => Ok(Self::Detailed),
            _ => Err(format!("{text:?} is none of none, basic, normal, detailed")),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MetricReader {
    pull: Option<Pull>,
    periodic: Option<Node>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pull {
    exporter: PullExporter,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PullExporter {
    prometheus: Option<Prometheus>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Prometheus {
    host: String,
    port: u16,
    without_scope_info: bool,
    without_units: bool,
    without_type_suffix: bool,
    with_resource_constant_labels: Option<Node>,
}

impl Default for Prometheus {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: METRICS_PORT,
            without_scope_info: true,
            without_units: true,
            without_type_suffix: false,
            with_resource_constant_labels: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TraceSettings {
    level: Option<Level>,
    processors: Option<Node>,
    propagators: Option<Node>,
}

impl Settings for TelemetrySettings {
    fn check(&self, check: &mut Check<'_>) {
        self.logs.check(check);
        self.metrics.check(check);
        if let Some(traces) = &self.traces {
            if traces.level.is_some_and(|level| level != Level::None) {
                check.error("traces.level", "Tailrace makes no traces of itself yet; only none is supported");
            }
            refuse(check, "traces.processors", traces.processors.as_ref(), "Tailrace makes no traces of itself yet");
            refuse(check, "traces.propagators", traces.propagators.as_ref(), "Tailrace makes no traces of itself yet");
        }
        refuse(
            check,
            "resource",
            self.resource.as_ref(),
            "attributes of the collector's own telemetry are not supported yet",
        );
    }
}

impl LogSettings {
    fn check(&self, check: &mut Check<'_>) {
        for (key, paths) in
            [("logs.output_paths", &self.output_paths), ("logs.error_output_paths", &self.error_output_paths)]
        {
            if paths.iter().any(|path| path != "stderr") || paths.is_empty() {
                check.error(key, "logs go to stderr; only [stderr] is supported");
            }
        }
        if self.development {
            check.error("logs.development", "is not supported");
        }
        for (key, disabled) in [
            ("logs.disable_caller", self.disable_caller),
            ("logs.disable_stacktrace", self.disable_stacktrace),
            ("logs.disable_zap_resource", self.disable_zap_resource),
        ] {
            if !disabled {
                check.error(key, "log lines never carry this; only true is supported");
            }
        }
        let off = |sampling: &Node| matches!(sampling.get("enabled").map(|node| &node.value), Some(Value::Bool(false)));
        if self.sampling.as_ref().is_some_and(|sampling| !off(sampling)) {
            check.error("logs.sampling", "logs are not sampled; only enabled: false is supported");
        }
        refuse(check, "logs.initial_fields", self.initial_fields.as_ref(), "is not supported yet");
        refuse(
            check,
            "logs.processors",
            self.processors.as_ref(),
            "sending the collector's own logs is not supported yet",
        );
    }
}

impl MetricSettings {
    fn check(&self, check: &mut Check<'_>) {
        if matches!(self.level, Level::Basic | Level::Detailed) {
            check.warning("metrics.level", "the metrics are those of level normal at every level but none");
        }
        if self.address.is_some() {
            let message = "is the Collector's old spelling of readers[].pull.exporter.prometheus.{host, port}";
            check.warning("metrics.address", message);
            if self.readers.is_some() {
                check.error("metrics.address", "cannot be combined with readers");
            }
        }
        refuse(check, "metrics.views", self.views.as_ref(), "is not supported yet");
        let Some(readers) = &self.readers else { return };
        if readers.is_empty() && self.level != Level::None {
            check.error("metrics.readers", "there must be a reader unless level is none");
        }
        for (i, reader) in readers.iter().enumerate() {
            let key = format!("metrics.readers[{i}]");
            if i > 0 {
                check.error(&key, "more than one reader is not supported yet");
            }
            let periodic = format!("{key}.periodic");
            if reader.periodic.is_some() {
                check.error(&periodic, "sending the collector's own metrics is not supported yet");
            }
            match reader.pull.as_ref().map(|pull| &pull.exporter.prometheus) {
                Some(Some(prometheus)) => prometheus.check(check, &format!("{key}.pull.exporter.prometheus")),
                Some(None) => check.error(&format!("{key}.pull.exporter"), "needs prometheus"),
                None if reader.periodic.is_none() => check.error(&key, "needs pull"),
                None => {}
            }
        }
    }
}

impl Prometheus {
    fn check(&self, check: &mut Check<'_>, key: &str) {
        if !self.without_scope_info {
            check.error(&format!("{key}.without_scope_info"), "scope labels are not supported; only true is");
        }
        if !self.without_units {
            check.error(&format!("{key}.without_units"), "units in names are not supported; only true is");
        }
        if self.without_type_suffix {
            check
                .error(&format!("{key}.without_type_suffix"), "counters always end in _total; only false is supported");
        }
        let labels = format!("{key}.with_resource_constant_labels");
        refuse(check, &labels, self.with_resource_constant_labels.as_ref(), "is not supported yet");
    }
}

/// Refuses a key unless nothing is in it.
fn refuse(check: &mut Check<'_>, key: &str, node: Option<&Node>, message: &str) {
    let empty = node.is_none_or(|node| match &node.value {
        Value::Null => true,
        Value::Seq(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    });
    if !empty {
        check.error(key, message);
    }
}
