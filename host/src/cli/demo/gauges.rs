//! Reads the values of the screen: from the collector's own telemetry, the backend and the generator.

use super::audit::is_receiver;
use super::backend::Arrivals;
use super::generator::Tally;
use super::specimens::Specimens;
use super::view::{PluginView, View};
use crate::telemetry::{Line, Telemetry};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The plugin in the collector's status.
const PLUGIN: &str = "processor:wasm/redact@traces";
/// Tail sampling in the collector's status and ledger.
const SAMPLING: &str = "processor:tail_sampling@traces";
/// Digits of a hash that are shown.
const HASH_DIGITS: usize = 8;

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
}

impl Gauges {
    /// As things stand `elapsed` after the start. The accounts are read one after the other, so that what is on the way
    /// between two components can be missing; when everything has stopped they are exact.
    pub(super) fn view(&self, elapsed: Duration) -> View {
        let lines = self.telemetry.ledger().lines();
        let views = self.telemetry.status().views();
        let of = |component: &str| views.get(component).cloned().unwrap_or_default();
        let (plugin, sampling) = (of(PLUGIN), of(SAMPLING));
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
            kept: sum(&|line| if line.component == SAMPLING { line.handed_on } else { 0 }),
            policies: policies(&sampling),
            dropped: dropped.into_iter().map(|(reason, spans)| (reason.to_owned(), spans)).collect(),
            held: u64::try_from(lines.iter().map(|line| line.held).sum::<i64>()).unwrap_or(0),
            redacted: number(&plugin, "values_set") + number(&plugin, "values_removed"),
            arrived: self.arrivals.spans.get(),
            unredacted: self.arrivals.unredacted.get(),
            plugin: running(&plugin),
            pair: self.specimens.latest(),
            refusal: self.tally.reason(),
        }
    }
}

/// Traces by the policy that was the first to keep them.
fn policies(sampling: &Value) -> Vec<(String, u64)> {
    let kept = sampling.get("traces_sampled_by_policy").and_then(Value::as_object);
    let kept = kept.into_iter().flatten();
    kept.map(|(policy, traces)| (policy.clone(), traces.as_u64().unwrap_or(0))).collect()
}

fn running(plugin: &Value) -> Option<PluginView> {
    let text = |key: &str| plugin.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(PluginView {
        name: text("plugin")?,
        version: text("version")?,
        generation: number(plugin, "generation"),
        hash: text("hash")?.chars().take(HASH_DIGITS).collect(),
        ns_per_span: plugin.get("nanoseconds_per_item").and_then(Value::as_u64),
        error: plugin.pointer("/load_error/reason").and_then(Value::as_str).map(str::to_owned),
    })
}

fn number(view: &Value, key: &str) -> u64 {
    view.get(key).and_then(Value::as_u64).unwrap_or(0)
}
