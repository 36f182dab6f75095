//! State that a policy keeps for each shard.

use super::{Layout, Trace};

/// One for each shard. Votes of one shard are cast one at a time, so nobody else changes it meanwhile.
#[derive(Debug)]
pub(super) struct PerShard<T>(Box<[T]>);

impl<T> PerShard<T> {
    /// For the shards of a processor.
    pub(super) fn new(layout: &Layout, make: impl FnMut() -> T) -> Self {
        Self(std::iter::repeat_with(make).take(layout.shards()).collect())
    }

    /// That of the shard that asks.
    pub(super) fn of(&self, trace: &Trace<'_>) -> Option<&T> {
        self.get(trace.shard)
    }

    /// That of a shard.
    pub(super) fn get(&self, shard: usize) -> Option<&T> {
        self.0.get(shard)
    }
}
