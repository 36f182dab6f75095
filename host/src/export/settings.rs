//! `sending_queue`, `retry_on_failure` and `timeout`: the Collector's keys and defaults.
//!
//! ```yaml
//! timeout: 5s
//! retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 30s, max_elapsed_time: 300s}
//! sending_queue: {enabled: true, num_consumers: 10, queue_size: 1000, sizer: requests}
//! ```

use crate::pdata::Batch;
use crate::yaml::{self, Check, GoDuration};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;

/// What [`super::exporter`] puts around a sender.
#[derive(Clone, Debug, Default)]
pub struct SendSettings {
    /// The queue; `None`, or not `enabled`, sends while the caller waits.
    pub queue: Option<QueueSettings>,
    /// Retries; `None`, or not `enabled`, gives up after the first attempt.
    pub retry: Option<RetrySettings>,
    /// Time for one attempt; zero is no limit.
    pub timeout: Duration,
}

/// In what a queue or a batch is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizer {
    /// Batches, however large.
    #[default]
    Requests,
    /// Spans, metric data points or log records.
    Items,
    /// Encoded bytes.
    Bytes,
}

impl Sizer {
    /// The size of `batch`.
    pub fn measure(self, batch: &Batch) -> usize {
        match self {
            Self::Requests => 1,
            Self::Items => batch.items(),
            Self::Bytes => batch.bytes(),
        }
    }
}

/// `sending_queue`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Whether there is a queue at all.
    pub enabled: bool,
    /// How many batches are sent at the same time.
    pub num_consumers: usize,
    /// How much may wait and be under way, in units of `sizer`.
    pub queue_size: usize,
    /// What `queue_size` counts: `requests`, `items` or `bytes`.
    pub sizer: Sizer,
    /// Wait for room instead of refusing.
    pub block_on_overflow: bool,
    /// Answer when the batch has been sent, not when it is queued.
    pub wait_for_result: bool,
    /// Merge small batches, split large ones. Off unless written; `batch:` without a value is one with the defaults.
    #[serde(deserialize_with = "yaml::present")]
    pub batch: Option<GatherSettings>,
    /// How many encoded bytes may wait and be under way, whatever `sizer` says. Ours; the Collector has no such key.
    pub queue_bytes_max: usize,
    /// Not supported yet.
    pub(super) storage: Option<IgnoredAny>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            num_consumers: 10,
            queue_size: 1000,
            sizer: Sizer::Requests,
            block_on_overflow: false,
            wait_for_result: false,
            batch: None,
            queue_bytes_max: 256 << 20,
            storage: None,
        }
    }
}

impl QueueSettings {
    /// Records what is wrong with the section at `key`.
    pub fn check(&self, check: &mut Check<'_>, key: &str) {
        if self.storage.is_some() {
            check.error(&format!("{key}.storage"), "a queue on disk is not supported yet; remove the key");
        }
        if !self.enabled {
            return;
        }
        if self.num_consumers == 0 {
            check.error(&format!("{key}.num_consumers"), "must be positive");
        }
        for (name, size) in [("queue_size", self.queue_size), ("queue_bytes_max", self.queue_bytes_max)] {
            if size == 0 {
                check.error(&format!("{key}.{name}"), "must be positive");
            }
            if size > super::queue::LARGEST {
                check.error(&format!("{key}.{name}"), format!("must be at most {}", super::queue::LARGEST));
            }
        }
        if let Some(batch) = &self.batch {
            batch.check(check, &format!("{key}.batch"));
            if self.wait_for_result {
                check.error(&format!("{key}.wait_for_result"), "is not supported together with `batch`");
            }
            if batch.sizer(self.sizer) == self.sizer && batch.min_size > self.queue_size {
                check.error(&format!("{key}.batch.min_size"), "must be less than or equal to `queue_size`");
            }
        }
    }
}

/// `sending_queue.batch`: merges what waits until it is worth a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatherSettings {
    /// Send what there is after this time.
    pub flush_timeout: GoDuration,
    /// Send at once from this size on.
    pub min_size: usize,
    /// Split what is larger; 0 never splits.
    pub max_size: usize,
    /// What the sizes count: `items` or `bytes`; the queue's `sizer` if that is written, else `items`.
    pub(super) sizer: Option<Sizer>,
    /// Not supported: there is no client metadata in a batch.
    pub(super) partition: Option<IgnoredAny>,
}

impl Default for GatherSettings {
    fn default() -> Self {
        Self {
            flush_timeout: GoDuration(Duration::from_millis(200)),
            min_size: 8192,
            max_size: 0,
            sizer: None,
            partition: None,
        }
    }
}

impl GatherSettings {
    /// What the sizes count in a queue that counts in `queue` units. The queue's default, `requests`, is no size of a batch.
    pub fn sizer(&self, queue: Sizer) -> Sizer {
        match (self.sizer, queue) {
            (Some(sizer), _) => sizer,
            (None, Sizer::Requests) => Sizer::Items,
            (None, queue) => queue,
        }
    }

    fn check(&self, check: &mut Check<'_>, key: &str) {
        if self.partition.is_some() {
            check.error(&format!("{key}.partition"), "is not supported: batches carry no client metadata");
        }
        if self.sizer == Some(Sizer::Requests) {
            check.error(&format!("{key}.sizer"), "must be `items` or `bytes`");
        }
        if self.flush_timeout.0.is_zero() {
            check.error(&format!("{key}.flush_timeout"), "must be positive");
        }
        if self.max_size > 0 && self.max_size < self.min_size {
            check.error(&format!("{key}.max_size"), "must be greater than or equal to `min_size`");
        }
    }
}

/// `retry_on_failure`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// Whether a retryable failure is tried again.
    pub enabled: bool,
    /// The first wait.
    pub initial_interval: GoDuration,
    /// Each wait is spread by this share both ways.
    pub randomization_factor: f64,
    /// Each wait is this many times the one before.
    pub multiplier: f64,
    /// No wait is longer (but what the backend asks for is obeyed).
    pub max_interval: GoDuration,
    /// Give up when the next attempt would come later than this after the first; 0 never gives up.
    pub max_elapsed_time: GoDuration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: GoDuration(Duration::from_secs(5)),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: GoDuration(Duration::from_secs(30)),
            max_elapsed_time: GoDuration(Duration::from_secs(300)),
        }
    }
}

impl RetrySettings {
    /// Records what is wrong with the section at `key`.
    pub fn check(&self, check: &mut Check<'_>, key: &str) {
        if !self.enabled {
            return;
        }
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            check.error(&format!("{key}.randomization_factor"), "must be within [0, 1]");
        }
        if !(self.multiplier >= 0.0 && self.multiplier.is_finite()) {
            check.error(&format!("{key}.multiplier"), "must be non-negative");
        }
        let limit = self.max_elapsed_time;
        if limit.0.is_zero() {
            return;
        }
        if limit < self.initial_interval {
            check.error(&format!("{key}.max_elapsed_time"), "must not be less than `initial_interval`");
        }
        if limit < self.max_interval {
            check.error(&format!("{key}.max_elapsed_time"), "must not be less than `max_interval`");
        }
    }
}
