//! What a plugin is, shared with the thread that takes a version back and with the list of plugins; what every call has before
//! and after it; and what went wrong lately.

use super::error::{Failure, Incident, RunError};
use super::generation::Generation;
use super::metrics::PluginMetrics;
use super::options::{Failed, Options};
use super::platform::Platform;
use super::program::Hash;
use super::quarantine::Input;
use super::state::Current;
use super::swap::Swaps;
use crate::telemetry::{Metrics, names};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Failed calls that are kept for the status.
const ERRORS_MAX: usize = 5;
/// Reasons of a plugin that are told apart, and what the others are counted under.
const DROP_REASONS_MAX: usize = 10;
const OTHER_REASONS: &str = "other reasons";

/// What is shared with the thread that takes a version back, and with the list of plugins.
pub(super) struct Inner {
    /// How it is to run. The version that runs may be one that was gone back to, and have others.
    pub(super) options: Arc<Options>,
    pub(super) platform: Arc<Platform>,
    /// The file that it follows.
    pub(super) file: Option<PathBuf>,
    pub(super) current: Current,
    pub(super) metrics: Arc<PluginMetrics>,
    pub(super) registry: Metrics,
    pub(super) swaps: Swaps,
    pub(super) trouble: Mutex<Trouble>,
}

/// What went wrong lately, for the status.
#[derive(Clone, Default)]
pub(super) struct Trouble {
    /// Why the file as it lies in the directory does not run.
    pub(super) load: Option<(SystemTime, Option<Hash>, String)>,
    /// Calls that failed lately, the last one at the end: when, why, and how often in a row.
    pub(super) calls: VecDeque<(SystemTime, String, u64)>,
    /// Items of batches that it dropped whole, by the reason that it gave.
    pub(super) drop_reasons: BTreeMap<String, u64>,
}

impl Inner {
    /// Lets the metrics show how many inputs are in quarantine.
    pub(super) fn show_quarantine(self: &Arc<Self>, labels: &[(&'static str, &str)]) {
        let shown = Arc::downgrade(self);
        self.registry.observe(&names::PLUGIN_QUARANTINED, labels, move || {
            shown.upgrade().map_or(0.0, |plugin| plugin.current.load().quarantined() as f64)
        });
    }

    /// Its place in the configuration.
    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    /// Whether this is where it counts.
    pub(super) fn counts_into(&self, metrics: &Metrics) -> bool {
        self.registry.is(metrics)
    }

    /// Before a batch, or traces: whether a call may be made for it.
    pub(super) fn admit(&self, generation: &Generation, input: Input<'_>) -> Result<(), Failure> {
        let Some((rest, accidents)) = generation.held(input) else { return Ok(()) };
        if let Some(counter) = self.metrics.failures(Incident::Quarantined) {
            counter.add(1);
        }
        let what = input.what();
        let message = format!("it had {accidents} accidents on {what} and is not called for it for {rest:.1?}");
        Err(Failure::new(Incident::Quarantined, message))
    }

    /// After a batch, or traces: what it means for the input, for the instances and for the version, and what is to be
    /// done with the batch.
    pub(super) fn settle<T>(
        self: &Arc<Self>,
        generation: &Generation,
        input: Input<'_>,
        result: Result<T, RunError>,
    ) -> Result<T, Failed> {
        if let Some(verdict) = generation.ended(input, &result) {
            self.act_on(generation.number, verdict);
        }
        result.map_err(|error| {
            self.trouble().call_failed(&error);
            Failed { mode: generation.error_mode(), error }
        })
    }

    /// The plugin dropped a whole batch, and said why.
    pub(super) fn dropped(&self, reason: &str, items: usize) {
        self.trouble().dropped(reason, items as u64);
    }

    pub(super) fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    fn dropped(&mut self, reason: &str, items: u64) {
        let is_counted = self.drop_reasons.len() < DROP_REASONS_MAX || self.drop_reasons.contains_key(reason);
        let reason = if is_counted { reason } else { OTHER_REASONS };
        *self.drop_reasons.entry(reason.to_owned()).or_default() += items;
    }

    fn call_failed(&mut self, error: &RunError) {
        let reason = error.to_string();
        match self.calls.back_mut() {
            Some((at, last, count)) if *last == reason => (*at, *count) = (SystemTime::now(), *count + 1),
            _ => self.calls.push_back((SystemTime::now(), reason, 1)),
        }
        if self.calls.len() > ERRORS_MAX {
            self.calls.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin that makes reasons of telemetry gets a few; what it drops is counted all the same.
    #[test]
    fn reasons_have_an_end() {
        let mut trouble = Trouble::default();
        for number in 0..1000 {
            trouble.dropped(&format!("reason {number}"), 2);
            trouble.dropped("reason 0", 1);
        }
        assert_eq!(trouble.drop_reasons.len(), DROP_REASONS_MAX + 1);
        assert_eq!((trouble.drop_reasons["reason 0"], trouble.drop_reasons["reason 9"]), (1002, 2));
        assert_eq!(trouble.drop_reasons[OTHER_REASONS], 2 * (1000 - DROP_REASONS_MAX as u64));
    }
}
