//! Settings of `batch`.

use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::time::Duration;

/// What the Collector's `metadata_cardinality_limit` says by default.
const METADATA_CARDINALITY_LIMIT: u32 = 1000;

/// The keys of the Collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// A batch is sent once it has so many items; 0 sends at once.
    pub(super) send_batch_size: usize,
    /// A batch is sent so long after its first item came at the latest; 0 sends at once.
    pub(super) timeout: GoDuration,
    /// Larger batches are split; 0 is no bound.
    pub(super) send_batch_max_size: usize,
    /// Not supported; must be empty.
    pub(super) metadata_keys: Vec<String>,
    /// Belongs to `metadata_keys`; only the default.
    pub(super) metadata_cardinality_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            send_batch_size: 8192,
            timeout: GoDuration(Duration::from_millis(200)),
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: METADATA_CARDINALITY_LIMIT,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.send_batch_max_size > 0 && self.send_batch_max_size < self.send_batch_size {
            check.error("send_batch_max_size", "must be 0 (no bound) or at least send_batch_size");
        }
        if !self.metadata_keys.is_empty() {
            check.error("metadata_keys", "is not supported: batches do not keep the metadata of their requests");
        }
        if self.metadata_cardinality_limit != METADATA_CARDINALITY_LIMIT {
            check.error("metadata_cardinality_limit", "is not supported, as metadata_keys is not");
        }
    }
}
