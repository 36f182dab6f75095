//! The process's state machine: build, start, run, drain.
//!
//! ```text
//! Config --build--> Graph --start--> Ready --shutdown--> Stopping --drained or deadline--> ended, with its ledger
//! ```
//! Metrics and the admin listener live here, on the runtime that started the collector, so that they answer whatever
//! the workers do.

mod admin;
mod why;

use crate::component::BuildError;
use crate::config::Config;
use crate::pipeline::Graph;
use crate::shutdown::Deadline;
use crate::telemetry::{Line, State, Telemetry, process};
use crate::web::{self, Server};
use crate::workers::{WorkerThreads, Workers};
use http::StatusCode;
use std::{fmt, io};

/// How a collector is run, beside its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runtimes that move data; one per core by default.
    pub workers: usize,
    /// `host:port` of the admin listener; `None` turns it off.
    pub admin_endpoint: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { workers: cores, admin_endpoint: Some("localhost:13190".to_owned()) }
    }
}

/// Why a collector did not start: every reason that could be found.
#[derive(Debug)]
pub struct StartError(Vec<String>);

impl std::error::Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self(vec![error.to_string()])
    }
}

impl From<Vec<BuildError>> for StartError {
    /// What one component has to say in several pipelines is said once.
    fn from(errors: Vec<BuildError>) -> Self {
        let mut said: Vec<String> = Vec::new();
        for error in errors {
            let text = error.to_string();
            if !said.contains(&text) {
                said.push(text);
            }
        }
        Self(said)
    }
}

/// A running collector.
pub struct Collector {
    graph: Graph,
    telemetry: Telemetry,
    threads: WorkerThreads,
    /// Closed when this is dropped.
    _servers: Vec<Server>,
}

/// Builds everything and opens nothing: what `tailrace validate` does.
///
/// # Errors
/// Every component that cannot be built.
pub fn check(config: &Config) -> Result<(), StartError> {
    let (workers, threads) = Workers::start(1)?;
    let built = Graph::build(config, &Telemetry::new(), &workers);
    threads.stop();
    Ok(built.map(drop)?)
}

impl Collector {
    /// Builds and starts the pipelines of `config`; when it returns they take data.
    ///
    /// # Errors
    /// What could not be built or started; nothing is left running then.
    pub async fn start(config: &Config, options: &Options) -> Result<Self, StartError> {
        Built::new(config, options)?.start().await
    }

    /// Metrics, ledger, health and status of this collector.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Drains until `deadline`, ends everything and gives the final ledger.
    pub async fn shutdown(self, deadline: Deadline) -> Vec<Line> {
        self.telemetry.health().set(State::Stopping);
        self.graph.shutdown(deadline).await;
        let ledger = self.telemetry.ledger().lines();
        // Joining threads blocks: not on a runtime.
        let threads = self.threads;
        let _ = tokio::task::spawn_blocking(move || threads.stop()).await;
        ledger
    }
}

/// The pipelines of a collector before any of them takes data: whoever ends the process now loses nothing.
pub struct Built<'a> {
    graph: Graph,
    telemetry: Telemetry,
    workers: Workers,
    threads: WorkerThreads,
    metrics_endpoint: Option<&'a str>,
    options: &'a Options,
}

impl<'a> Built<'a> {
    /// Builds the pipelines of `config`. Blocks: plugins are loaded.
    ///
    /// # Errors
    /// What could not be built.
    pub fn new(config: &'a Config, options: &'a Options) -> Result<Self, StartError> {
        let telemetry = Telemetry::new();
        process::observe(telemetry.metrics());
        let (workers, threads) = Workers::start(options.workers)?;
        let graph = Graph::build(config, &telemetry, &workers)?;
        let metrics_endpoint = config.service.telemetry.metrics_endpoint.as_deref();
        Ok(Self { graph, telemetry, workers, threads, metrics_endpoint, options })
    }

    /// Starts them; when it returns they take data.
    ///
    /// # Errors
    /// What could not be started; nothing is left running then.
    pub async fn start(self) -> Result<Collector, StartError> {
        let Self { graph, telemetry, workers, threads, metrics_endpoint, options } = self;
        let mut servers = Vec::new();
        if let Some(endpoint) = metrics_endpoint {
            servers.push(metrics_server(endpoint, &telemetry).await?);
        }
        servers.extend(admin_server(options, &telemetry).await);
        graph.start().await.map_err(|error| StartError(vec![error.to_string()]))?;
        telemetry.health().set(State::Ready);
        tracing::info!(workers = workers.count(), "everything is ready");
        Ok(Collector { graph, telemetry, threads, _servers: servers })
    }
}

async fn metrics_server(endpoint: &str, telemetry: &Telemetry) -> Result<Server, StartError> {
    let metrics = telemetry.metrics().clone();
    let answer = move |request: &http::Request<_>| match request.uri().path() {
        "/metrics" => web::reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics.render()),
        _ => web::not_found(),
    };
    let server = Server::start(endpoint, answer).await;
    let server = server.map_err(|error| {
        StartError(vec![format!("service::telemetry::metrics: cannot listen on {endpoint}: {error}")])
    })?;
    telemetry.status().listening("metrics", server.address());
    tracing::info!(listener = "metrics", address = %server.address(), "listening");
    Ok(server)
}

/// The admin listener is a convenience: a busy port is a warning.
async fn admin_server(options: &Options, telemetry: &Telemetry) -> Option<Server> {
    let endpoint = options.admin_endpoint.as_deref()?;
    let shown = telemetry.clone();
    match Server::start(endpoint, move |request| admin::answer(request, &shown)).await {
        Ok(server) => {
            telemetry.status().listening("admin", server.address());
            tracing::info!(listener = "admin", address = %server.address(), "listening");
            Some(server)
        }
        Err(error) => {
            tracing::warn!(endpoint, %error, "the admin listener is off; --admin-endpoint sets another address");
            None
        }
    }
}
