//! What a plugin costs and does, counted once per batch.

use super::error::Incident;
use super::imports::PluginSeries;
use super::state::StateMetrics;
use crate::telemetry::{Counter, Gauge, Histogram, Metrics, names};
use std::sync::Arc;

/// The series of one plugin in one place of the configuration.
#[derive(Clone)]
pub(super) struct PluginMetrics {
    pub(super) calls: Counter,
    pub(super) skipped: Counter,
    pub(super) items: Counter,
    pub(super) items_out: Counter,
    pub(super) items_dropped: Counter,
    pub(super) values_set: Counter,
    pub(super) values_removed: Counter,
    pub(super) nanos: Counter,
    pub(super) cpu_nanos: Counter,
    pub(super) call_time: Histogram,
    pub(super) refusals: Counter,
    pub(super) reloads: Counter,
    pub(super) reload_failures: Counter,
    pub(super) rollbacks: Counter,
    pub(super) generation: Gauge,
    pub(super) instances: Gauge,
    pub(super) memory: Gauge,
    pub(super) log_suppressed: Counter,
    pub(super) states: StateMetrics,
    /// Series of the plugin's own.
    pub(super) series: Arc<PluginSeries>,
    failures: [Counter; Incident::ALL.len()],
}

impl PluginMetrics {
    /// Opens the series; `labels` say which plugin and where.
    pub(super) fn open(metrics: &Metrics, labels: &[(&'static str, &str)]) -> Self {
        let counter = |desc| metrics.counter(desc, None, labels);
        let with = |desc, name: &'static str, value: &'static str| {
            let labels: Vec<_> = labels.iter().copied().chain([(name, value)]).collect();
            metrics.counter(desc, None, &labels)
        };
        Self {
            calls: counter(&names::PLUGIN_CALLS),
            skipped: counter(&names::PLUGIN_SKIPPED),
            items: counter(&names::PLUGIN_ITEMS),
            items_out: counter(&names::PLUGIN_ITEMS_OUT),
            items_dropped: counter(&names::PLUGIN_ITEMS_DROPPED),
            values_set: with(&names::PLUGIN_EDITS, "action", "set"),
            values_removed: with(&names::PLUGIN_EDITS, "action", "remove"),
            nanos: counter(&names::PLUGIN_TIME),
            cpu_nanos: counter(&names::PLUGIN_CPU_TIME),
            call_time: metrics.histogram(&names::PLUGIN_CALL_TIME, labels),
            refusals: counter(&names::PLUGIN_REFUSALS),
            reloads: with(&names::PLUGIN_RELOADS, "result", "ok"),
            reload_failures: with(&names::PLUGIN_RELOADS, "result", "failed"),
            rollbacks: with(&names::PLUGIN_RELOADS, "result", "rolled_back"),
            generation: metrics.gauge(&names::PLUGIN_GENERATION, labels),
            instances: metrics.gauge(&names::PLUGIN_INSTANCES, labels),
            memory: metrics.gauge(&names::PLUGIN_MEMORY, labels),
            log_suppressed: counter(&names::PLUGIN_LOG_SUPPRESSED),
            states: StateMetrics::open(metrics, labels),
            series: Arc::new(PluginSeries::new(metrics, labels, counter(&names::PLUGIN_SERIES_REFUSED))),
            failures: Incident::ALL.map(|incident| with(&names::PLUGIN_FAILURES, "reason", incident.as_str())),
        }
    }

    /// Accidents of this kind.
    pub(super) fn failures(&self, incident: Incident) -> Option<&Counter> {
        let place = Incident::ALL.iter().position(|known| *known == incident)?;
        self.failures.get(place)
    }
}
