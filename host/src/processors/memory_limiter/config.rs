//! Settings, and the limits in bytes that they mean.

use super::gate::Limits;
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// What the Collector's garbage-collection keys say by default: their name and its milliseconds.
const MIN_GC_SOFT: GoDuration = GoDuration(Duration::from_secs(10));
const MIN_GC_HARD: GoDuration = GoDuration(Duration::ZERO);
const MAX_GC: GoDuration = GoDuration(Duration::from_secs(30));

/// The keys of the Collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Time between two readings of the memory; required.
    pub(super) check_interval: GoDuration,
    /// The limit, in MiB. Takes precedence over the percentage.
    pub(super) limit_mib: u64,
    /// How far below the limit refusing begins, in MiB; 0 is a fifth of the limit.
    pub(super) spike_limit_mib: u64,
    /// The limit, in percent of the memory that the container, or else the machine, has.
    pub(super) limit_percentage: u64,
    /// How far below the limit refusing begins, in percent of that memory; 0 is a fifth of the limit.
    pub(super) spike_limit_percentage: u64,
    /// Only the default: there is no garbage collector.
    pub(super) min_gc_interval_when_soft_limited: GoDuration,
    /// Only the default: there is no garbage collector.
    pub(super) min_gc_interval_when_hard_limited: GoDuration,
    /// Only the default: there is no garbage collector.
    pub(super) max_gc_interval_when_soft_limited: GoDuration,
    /// Only the default: there is no garbage collector.
    pub(super) max_gc_interval_when_hard_limited: GoDuration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            check_interval: GoDuration::default(),
            limit_mib: 0,
            spike_limit_mib: 0,
            limit_percentage: 0,
            spike_limit_percentage: 0,
            min_gc_interval_when_soft_limited: MIN_GC_SOFT,
            min_gc_interval_when_hard_limited: MIN_GC_HARD,
            max_gc_interval_when_soft_limited: MAX_GC,
            max_gc_interval_when_hard_limited: MAX_GC,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.check_interval.0.is_zero() {
            check.error("check_interval", "must be set, and greater than zero (1s is usual)");
        }
        if self.limit_mib == 0 && self.limit_percentage == 0 {
            check.error("", "limit_mib or limit_percentage must be set");
        }
        if self.limit_mib > 0 && self.spike_limit_mib >= self.limit_mib {
            check.error("spike_limit_mib", "must be smaller than limit_mib");
        }
        if self.limit_mib > 0 && (self.limit_percentage > 0 || self.spike_limit_percentage > 0) {
            let key = if self.limit_percentage > 0 { "limit_percentage" } else { "spike_limit_percentage" };
            check.warning(key, "has no effect beside limit_mib, which takes precedence");
        }
        if self.limit_mib == 0 && self.spike_limit_mib > 0 {
            check.error("spike_limit_mib", "needs limit_mib; beside limit_percentage set spike_limit_percentage");
        }
        for (key, percentage) in
            [("limit_percentage", self.limit_percentage), ("spike_limit_percentage", self.spike_limit_percentage)]
        {
            if percentage > 100 {
                check.error(key, "must be at most 100");
            }
        }
        if self.limit_percentage > 0 && self.spike_limit_percentage >= self.limit_percentage {
            check.error("spike_limit_percentage", "must be smaller than limit_percentage");
        }
        for (key, value, default) in [
            ("min_gc_interval_when_soft_limited", self.min_gc_interval_when_soft_limited, MIN_GC_SOFT),
            ("min_gc_interval_when_hard_limited", self.min_gc_interval_when_hard_limited, MIN_GC_HARD),
            ("max_gc_interval_when_soft_limited", self.max_gc_interval_when_soft_limited, MAX_GC),
            ("max_gc_interval_when_hard_limited", self.max_gc_interval_when_hard_limited, MAX_GC),
        ] {
            if value != default {
                check.error(key, "only the default is supported: there is no garbage collector; remove the key");
            }
        }
    }
}

impl Config {
    /// The limits in bytes. `total` says how much memory there is; it is asked only for percentages.
    pub(super) fn limits(&self, total: impl FnOnce() -> Option<u64>) -> Option<Limits> {
        let (hard, spike) = if self.limit_mib > 0 {
            (self.limit_mib.saturating_mul(MIB), self.spike_limit_mib.saturating_mul(MIB))
        } else {
            let percent = total()? / 100;
            (percent * self.limit_percentage, percent * self.spike_limit_percentage)
        };
        let spike = if spike == 0 { hard / 5 } else { spike };
        Some(Limits { soft: hard.saturating_sub(spike), hard })
    }
}
