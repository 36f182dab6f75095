//! A rate limit that samples consistently: with `use_tracestate`, what `rate_limiting` and `bytes_limiting` have in common.
//!
//! Of the traces that a shard decides in one tick those with the highest randomness are kept, as many as the tokens are enough for. The
//! highest randomness that was not kept is then the threshold that all of them were sampled with: whoever counts what was kept can
//! extrapolate, and yet the limit is not exceeded.
//!
//! The bucket is shared by all shards. So that the first one to tick does not empty it, each also has its share of the rate: a bucket of
//! its own, filled with its part of the tokens, which may go into debt for one trace that is larger than the share but not than the burst.
//!
//! A trace that is decided outside of a tick (early, for lack of room; without an id; or inside a policy that does not plan, as
//! `composite`) is measured by the last threshold, if there was one, and then takes its tokens as it would without `use_tracestate`.

use super::bucket::Bucket;
use super::per_shard::PerShard;
use super::{Facts, Layout, Planner, Policy, Trace, Vote};
use crate::processors::tail_sampling::ot::Threshold;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The limit.
struct Budget {
    bucket: Bucket,
    shards: PerShard<Shard>,
    cost: fn(&Facts) -> u64,
}

/// What belongs to one shard.
struct Shard {
    /// Its share of the rate; `None` if it is alone.
    share: Option<Bucket>,
    threshold: AtomicU64,
    /// Randomness and cost of the traces of this tick, as far as it has heard of them.
    heard: Mutex<Vec<(u64, u64)>>,
    /// Somebody plans, so that a trace of a tick needs no tokens any more when it is voted on.
    plans: AtomicBool,
}

impl Budget {
    /// `rate` tokens a second and `burst` at once; a trace takes as many as `cost` says.
    fn new(rate: u64, burst: u64, cost: fn(&Facts) -> u64, layout: &Layout) -> Self {
        let count = layout.shards();
        let share = || {
            let bucket = || Bucket::new(rate as f64 / count as f64, (burst / count as u64).max(1));
            Shard {
                share: (count > 1).then(bucket),
                threshold: AtomicU64::new(0),
                heard: Mutex::default(),
                plans: AtomicBool::new(false),
            }
        };
        Self { bucket: Bucket::new(rate as f64, burst), shards: PerShard::new(layout, share), cost }
    }

    /// Keeps the trace, or not.
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        let cost = (self.cost)(trace.facts);
        let Some(shard) = self.shards.of(trace).filter(|_| cost <= self.bucket.burst()) else {
            return Vote::NotSampled;
        };
        let above = Threshold::new(shard.threshold.load(Relaxed)).keeps(trace.randomness());
        let planned = trace.planned && shard.plans.load(Relaxed);
        Vote::sampled_if(above && (planned || self.take(shard, cost, trace.now_ms)))
    }

    /// That of the shard's last tick.
    fn threshold(&self, trace: &Trace<'_>) -> Threshold {
        self.shards.of(trace).map_or(Threshold::ALWAYS, |shard| Threshold::new(shard.threshold.load(Relaxed)))
    }

    fn take(&self, shard: &Shard, cost: u64, now_ms: u64) -> bool {
        let took = self.bucket.take(cost, now_ms);
        if let (true, Some(share)) = (took, &shard.share) {
            share.spend(cost, now_ms);
        }
        took
    }
}

/// A policy that is nothing but such a limit.
pub(super) struct Consistent(Arc<Budget>);

impl Consistent {
    /// `rate` tokens a second and `burst` at once, as `settings` say; a trace takes as many as `cost` says.
    pub(super) fn new(
        rate: u64,
        burst: u64,
        cost: fn(&Facts) -> u64,
        settings: &dyn Debug,
        layout: &mut Layout,
    ) -> Self {
        layout.read_trace_state();
        Self(layout.keep(settings, |layout| Budget::new(rate, burst, cost, layout)))
    }
}

impl Policy for Consistent {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        self.0.vote(trace)
    }

    fn threshold(&self, trace: &Trace<'_>) -> Threshold {
        self.0.threshold(trace)
    }

    fn planner(&self) -> Option<&dyn Planner> {
        Some(&*self.0)
    }

    fn is_pure(&self) -> bool {
        false
    }
}

impl Planner for Budget {
    fn hear(&self, shard: usize, group: &[&Trace<'_>]) {
        let Some(shard) = self.shards.get(shard) else { return };
        let fits = |trace: &&&Trace<'_>| (self.cost)(trace.facts) <= self.bucket.burst();
        let item = |trace: &&Trace<'_>| (trace.randomness(), (self.cost)(trace.facts));
        shard.heard.lock().unwrap_or_else(PoisonError::into_inner).extend(group.iter().filter(fits).map(item));
    }

    fn plan(&self, shard: usize, now_ms: u64) {
        let Some(shard) = self.shards.get(shard) else { return };
        let mut items = std::mem::take(&mut *shard.heard.lock().unwrap_or_else(PoisonError::into_inner));
        items.sort_unstable_by_key(|(randomness, _)| std::cmp::Reverse(*randomness));
        let mut most = u64::MAX;
        let threshold = loop {
            let budget = self.bucket.tokens(now_ms).min(share(shard, &items, now_ms)).min(most);
            let (threshold, cost) = cut(&items, budget);
            if cost == 0 || self.take(shard, cost, now_ms) {
                break threshold;
            }
            // Another shard was faster.
            most = cost - 1;
        };
        shard.threshold.store(threshold.number(), Relaxed);
        shard.plans.store(true, Relaxed);
    }
}

/// The tokens that are this shard's to spend. When it has saved up all it can, the first trace may cost more.
fn share(shard: &Shard, items: &[(u64, u64)], now_ms: u64) -> u64 {
    let Some(share) = &shard.share else { return u64::MAX };
    let tokens = share.tokens(now_ms);
    let first = items.first().map_or(0, |(_, cost)| *cost);
    if tokens >= share.burst() { tokens.max(first) } else { tokens }
}

/// The threshold that the budget is enough for, and the cost of what it keeps. `items` are randomness and cost, the highest randomness
/// first. What has the same randomness is kept together or not at all.
fn cut(items: &[(u64, u64)], budget: u64) -> (Threshold, u64) {
    let mut cost = 0u64;
    let spent = |item: &(u64, u64)| {
        cost = cost.saturating_add(item.1);
        cost > budget
    };
    let Some(first_out) = items.iter().position(spent) else {
        return (Threshold::ALWAYS, items.iter().map(|(_, cost)| cost).sum());
    };
    let randomness = items.get(first_out).map_or(0, |(randomness, _)| *randomness);
    let kept = items.iter().take_while(|item| item.0 > randomness);
    let (count, cost) = kept.fold((0, 0), |(count, sum), (_, cost)| (count + 1, sum + cost));
    if count == 0 { (Threshold::NEVER, 0) } else { (Threshold::new(randomness + 1), cost) }
}

#[cfg(test)]
#[path = "budget/tests.rs"]
mod tests;
