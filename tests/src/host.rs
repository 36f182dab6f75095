//! A collector in this process, on free ports.

use crate::PATIENCE;
use crate::client::Client;
use crate::http;
use crate::ledger::{Totals, Watch};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tailrace::collector::{Collector, Options};
use tailrace::components::FACTORIES;
use tailrace::config;
use tailrace::shutdown::Deadline;
use tailrace::telemetry::{Line, Telemetry};

/// A running collector.
pub struct Host {
    collector: Collector,
    /// What its configuration was warned about.
    pub warnings: Vec<String>,
}

/// Merged into every configuration: metrics on a free port.
const METRICS_ON_A_FREE_PORT: &str =
    "yaml:service::telemetry::metrics::readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]";

impl Host {
    /// Starts one from YAML text, with metrics and admin on free ports.
    ///
    /// # Panics
    /// When the configuration is refused: the faults are the message.
    pub async fn start(yaml: &str) -> Self {
        Self::try_start(&[format!("yaml:{yaml}")], &[]).await.unwrap_or_else(|faults| panic!("{faults}\n\n{yaml}"))
    }

    /// Starts one from sources and `--set`s, as the command line does.
    pub async fn try_start(sources: &[String], sets: &[String]) -> Result<Self, String> {
        Self::start_with(sources, sets, Some("127.0.0.1:0")).await
    }

    /// As [`Self::try_start`], with the admin listener somewhere or nowhere.
    pub async fn start_with(sources: &[String], sets: &[String], admin: Option<&str>) -> Result<Self, String> {
        let mut sources = sources.to_vec();
        sources.push(METRICS_ON_A_FREE_PORT.to_owned());
        let config = config::load(&sources, sets, &FACTORIES).map_err(|problems| problems.to_string())?;
        let warnings = config.warnings.iter().map(ToString::to_string).collect();
        let options = Options { workers: 2, admin_endpoint: admin.map(str::to_owned) };
        let collector = Collector::start(&config, &options).await.map_err(|error| error.to_string())?;
        Ok(Self { collector, warnings })
    }

    /// Its own telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        self.collector.telemetry()
    }

    /// The address of a listener, as in `otlp/grpc`.
    pub fn address(&self, name: &str) -> SocketAddr {
        let status = self.telemetry().status();
        status.address(name).unwrap_or_else(|| panic!("{name} is not among {:?}", status.addresses()))
    }

    /// Where it takes OTLP over gRPC.
    pub fn grpc(&self) -> SocketAddr {
        self.address("otlp/grpc")
    }

    /// Where it takes OTLP over HTTP.
    pub fn http(&self) -> SocketAddr {
        self.address("otlp/http")
    }

    /// A gRPC client of it.
    pub async fn client(&self) -> Client {
        Client::connect(self.grpc()).await
    }

    /// A metric as `/metrics` shows it, summed over the series that carry all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        self.telemetry().metrics().total(name, labels)
    }

    /// A ledger of the whole.
    pub fn totals(&self) -> Totals {
        Totals::of(&self.telemetry().ledger().lines())
    }

    /// Looks at the ledger until it is told to stop.
    pub fn watch(&self, in_motion: usize) -> Watch {
        Watch::start(self.telemetry(), in_motion)
    }

    /// `GET path` of a listener: status and body.
    pub async fn get(&self, listener: &str, path: &str) -> (u16, String) {
        let reply = http::get(self.address(listener), path).await;
        (reply.status, reply.text().to_owned())
    }

    /// `GET /status`.
    pub async fn status(&self) -> Value {
        let (status, body) = self.get("admin", "/status").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("the status is JSON")
    }

    /// Waits until something is so that the collector does by itself and tells nobody about: looks every 5 ms.
    ///
    /// # Panics
    /// After five minutes: the test has failed.
    pub async fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let wait = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            while !so(self) {
                ticks.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("waited five minutes for {what}; {:?}", self.totals()));
    }

    /// Drains within 10 s and gives the final ledger.
    pub async fn stop(self) -> Vec<Line> {
        self.stop_within(Duration::from_secs(10)).await
    }

    /// Drains until a deadline and gives the final ledger.
    pub async fn stop_within(self, grace: Duration) -> Vec<Line> {
        self.collector.shutdown(Deadline::after(grace)).await
    }
}

/// A configuration: OTLP in on free ports, the components given as `(id, settings)`, and one pipeline for each of
/// `signals` through all of them in that order.
pub fn yaml(signals: &[&str], processors: &[(&str, &str)], exporters: &[(&str, &str)]) -> String {
    let section = |components: &[(&str, &str)]| -> String {
        components.iter().map(|(id, settings)| format!("  {id}: {settings}\n")).collect()
    };
    let ids = |components: &[(&str, &str)]| components.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
    let pipeline = |signal: &&str| {
        let (processors, exporters) = (ids(processors), ids(exporters));
        format!("    {signal}: {{receivers: [otlp], processors: [{processors}], exporters: [{exporters}]}}\n")
    };
    let pipelines: String = signals.iter().map(pipeline).collect();
    let (processors, exporters) = (section(processors), section(exporters));
    format!(
        "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: '127.0.0.1:0'}}\n      http: {{endpoint: '127.0.0.1:0'}}\n\
         processors:\n{processors}exporters:\n{exporters}service:\n  pipelines:\n{pipelines}"
    )
}
