//! Everything that runs in a demo: backend, collector and generator, started and stopped in this order and its reverse.

use super::audit::{Audit, Books, audit};
use super::backend::{Arrivals, Backend};
use super::config;
use super::gauges::Gauges;
use super::generator::{self, Generator, Tally};
use super::ledger::SpanLedger;
use super::plugins::Plugins;
use super::span_ids::SpanIds;
use super::specimens::Specimens;
use crate::collector::{Collector, Options};
use crate::components::FACTORIES;
use crate::shutdown::Deadline;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long the collector may take to let go of what it holds.
const DRAIN: Duration = Duration::from_secs(15);

/// Why a demo could not start.
pub(super) type StartError = Box<dyn std::error::Error>;

/// A running demo.
pub(super) struct World {
    plugins: Plugins,
    backend: Backend,
    collector: Collector,
    generator: Generator,
    ledger: SpanLedger,
    specimens: Specimens,
}

/// What is left of it.
pub(super) struct Remains {
    /// Whether the books agree.
    pub audit: Audit,
    /// What the generator saw.
    pub tally: Tally,
}

impl World {
    /// Starts everything; when it returns spans flow.
    ///
    /// # Errors
    /// What could not be started; nothing is left running then.
    pub(super) async fn start(rate: u32, plugins: Option<&Path>) -> Result<Self, StartError> {
        let plugins = Plugins::lay_out(plugins)?;
        let ids = SpanIds::new(fastrand::u64(..));
        let ledger = SpanLedger::new(ids);
        let specimens = Specimens::default();
        let backend = Backend::start(ledger.clone(), specimens.clone()).await?;
        let sources = config::sources(plugins.watched(), backend.address());
        let config = crate::config::load(&sources, &[], &FACTORIES).map_err(|problems| problems.to_string())?;
        let options = Options { admin_endpoint: Some("127.0.0.1:0".to_owned()), ..Options::default() };
        let collector = Collector::start(&config, &options).await?;
        let target = collector.telemetry().status().address("otlp/grpc").ok_or("the collector does not listen")?;
        let settings = generator::Settings { target, rate, seed: fastrand::u64(..), ids };
        let generator = Generator::start(settings, ledger.clone(), specimens.clone());
        Ok(Self { plugins, backend, collector, generator, ledger, specimens })
    }

    /// The files to play with.
    pub(super) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Where the collector listens, by name.
    pub(super) fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.collector.telemetry().status().address(listener)
    }

    /// What the screen reads; goes on working when everything has stopped.
    pub(super) fn gauges(&self) -> Gauges {
        Gauges {
            telemetry: self.collector.telemetry().clone(),
            arrivals: self.backend.arrivals().clone(),
            specimens: self.specimens.clone(),
            tally: self.generator.tally().clone(),
        }
    }

    /// Stops the generator, lets the collector drain into the backend, stops that, and compares the books.
    pub(super) async fn stop(self) -> Remains {
        let tally = self.generator.stop().await;
        let lines = self.collector.shutdown(Deadline::after(DRAIN)).await;
        let arrivals: Arrivals = self.backend.stop(Deadline::after(Duration::from_secs(1))).await;
        let books = Books {
            generator_accepted: tally.accepted.get(),
            sums: self.ledger.sums(),
            backend_spans: arrivals.spans.get(),
            lines,
        };
        Remains { audit: audit(&books), tally }
    }
}
