//! What `wit/host.wit` promises, on this machine: so that plugins that count, match and hash run under `cargo test`.
//!
//! The same functions as the bindings to the real host, with the same rules and answers; [`crate::metrics`],
//! [`crate::patterns`] and [`crate::hash`] do not know on which of the two they run. None of it is in a component.

mod hash;
mod metrics;
mod patterns;
#[cfg(test)]
mod tests;

pub(crate) use hash::hash_texts;
pub(crate) use metrics::{open_metric, record_metric, value};
pub(crate) use patterns::{capture_groups, compile_patterns, find_patterns, match_patterns, pattern_groups};

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a metric means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Texts, in columns.
pub(crate) struct Texts {
    pub(crate) ends: Vec<u32>,
    pub(crate) data: String,
}

/// Where patterns were found.
#[derive(Default)]
pub(crate) struct Matches {
    pub(crate) texts: Vec<u32>,
    pub(crate) patterns: Vec<u32>,
    pub(crate) starts: Vec<u32>,
    pub(crate) ends: Vec<u32>,
}

impl Texts {
    /// Each text.
    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.data.get(start as usize..*end as usize).unwrap_or_default())
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A random number.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(now())
}
