//! Reads the values of the screen: from the collector's own telemetry, the backend and the generator.

use super::audit::is_receiver;
use super::backend::Arrivals;
use super::config::POLICIES;
use super::generator::Tally;
use super::specimens::Specimens;
use super::view::{PluginView, View};
use crate::telemetry::{Line, Telemetry};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that can be read.
#[derive(Clone, Debug)]
pub(super) struct Gauges {
    /// The collector's.
    pub telemetry: Telemetry,
    /// The backend's.
    pub arrivals: Arrivals,
    /// Spans before and after.
    pub specimens: Specimens,
    /// The generator's.
    pub tally: Tally,
    /// Name of the plugin's processor in the collector's status.
    pub processor: String,
}

impl Gauges {
    /// As things stand `elapsed` after the start. The accounts are read one after the other, so that what is on the way
    /// between two components can be missing; when everything has stopped they are exact.
    pub(super) fn view(&self, elapsed: Duration) -> View {
        let lines = self.telemetry.ledger().lines();
        let sum = |of: &dyn Fn(&Line) -> u64| lines.iter().map(of).sum::<u64>();
        let mut dropped = BTreeMap::new();
        for (reason, spans) in lines.iter().flat_map(|line| &line.dropped) {
            *dropped.entry(*reason).or_insert(0) += *spans;
        }
        View {
            elapsed,
            limit: None,
            accepted: sum(&|line| if is_receiver(line) { line.taken } else { 0 }),
            per_second: 0,
            kept: sum(&|line| if line.component.starts_with("processor:tail_sampling") { line.handed_on } else { 0 }),
            policies: POLICIES.iter().map(|policy| ((*policy).to_owned(), self.traces_kept_by(policy))).collect(),
            dropped: dropped.into_iter().map(|(reason, spans)| (reason.to_owned(), spans)).collect(),
            held: u64::try_from(lines.iter().map(|line| line.held).sum::<i64>()).unwrap_or(0),
            redacted: 0,
            arrived: self.arrivals.spans.get(),
            unredacted: self.arrivals.unredacted.get(),
            plugin: self.telemetry.status().views().get(&self.processor).and_then(plugin),
            pair: self.specimens.latest(),
            refusal: self.tally.reason(),
        }
    }

    fn traces_kept_by(&self, policy: &str) -> u64 {
        let policy = format!("policy=\"{policy}\"");
        let name = "otelcol_processor_tail_sampling_count_traces_sampled_total";
        self.telemetry.metrics().total(name, &[&policy, "sampled=\"true\""]) as u64
    }
}

fn plugin(status: &Value) -> Option<PluginView> {
    let text = |key: &str| status.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| status.get(key).and_then(Value::as_u64);
    Some(PluginView {
        name: text("name")?,
        version: text("version")?,
        generation: number("generation")?,
        hash: text("hash")?.chars().take(8).collect(),
        ns_per_span: number("ns_per_item"),
        error: text("error"),
    })
}
