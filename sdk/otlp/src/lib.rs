//! Placeholder until its owner lands it.
#![no_std]
extern crate alloc;
use alloc::vec::Vec;

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}
impl Signal {
    /// All.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];
    /// Name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
    /// Word.
    pub const fn item_word(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
        }
    }
}
/// Limits.
#[derive(Debug, Default)]
pub struct Limits {}
/// Item.
#[derive(Clone, Debug)]
pub struct Item {}
/// Index.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Items.
    pub items: Vec<Item>,
}
/// Error.
#[derive(Debug)]
pub struct Error {}
/// Validates.
pub fn validate(_: Signal, _: &[u8], _: &Limits) -> Result<Index, Error> {
    Ok(Index::default())
}
