//! What the process says about itself: metrics, the ledger, health, status and logs.
//!
//! One [`Telemetry`] per collector, handed to every component. Counting is one relaxed atomic per batch; nothing here
//! blocks.

pub mod decisions;
mod dynamic;
mod health;
mod ledger;
pub mod log;
mod metrics;
pub mod names;
pub mod process;
mod status;

pub use decisions::Decisions;
pub use dynamic::{Dynamic, Meaning};
pub use health::{Health, State};
pub use ledger::{Account, Holding, Ledger, Line};
pub use metrics::{Counter, Desc, Gauge, Histogram, Metrics};
pub use status::Status;

use std::sync::Arc;

/// The collector's own telemetry.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    metrics: Metrics,
    ledger: Ledger,
    health: Health,
    status: Status,
    decisions: Decisions,
}

impl Telemetry {
    /// With nothing in it yet.
    pub fn new() -> Self {
        let metrics = Metrics::default();
        Self {
            ledger: Ledger::new(metrics.clone()),
            metrics,
            health: Health::default(),
            status: Status::default(),
            decisions: Decisions::default(),
        }
    }

    /// Counters, gauges and histograms.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where every accepted item is.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Starting, ready or stopping.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What `GET /status` shows.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What `GET /tailsampling/why` asks.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }
}

/// Shared text of a label.
pub type Text = Arc<str>;
