//! Before the traces of a tick are decided, policies that plan hear of all of them: slice by slice, as everything in a shard's lock.

use super::{SLICE, Shard, Which};
use crate::processors::tail_sampling::policies::Policies;
use crate::processors::tail_sampling::policy::Trace;
use crate::processors::tail_sampling::table::Entry;
use std::sync::Arc;

impl Shard {
    /// Tells policies that plan of at most [`SLICE`] of these traces. Returns whether there are more.
    pub fn plan_some(&mut self, which: Which, now_ms: u64) -> bool {
        let until_ms = match which {
            Which::Due => now_ms,
            Which::Any => u64::MAX,
            Which::Oldest { .. } => return false,
        };
        if !self.rules.policies.plans() {
            return false;
        }
        self.refold.begin();
        let mut is_behind = false;
        let mut entries: Vec<Entry> = Vec::with_capacity(SLICE);
        while entries.len() < SLICE
            && let Some((due_ms, number)) = self.table.next_unplanned(self.rules.waits)
            && due_ms <= until_ms
        {
            is_behind = !self.freshen(number);
            if is_behind {
                break;
            }
            self.table.set_planned(number);
            entries.extend(self.table.get(number));
        }
        let traces = entries.iter().map(|entry| Trace::new(&entry.id, &entry.facts, now_ms));
        let traces: Vec<Trace<'_>> = traces.map(|trace| Trace { shard: self.number, ..trace }).collect();
        self.rules.policies.tell(self.number, &traces);
        is_behind || entries.len() == SLICE
    }

    /// Whose plan is made outside of the lock, once all those traces were told, and for which shard.
    pub fn planners(&self) -> (Arc<Policies>, usize) {
        (Arc::clone(&self.rules.policies), self.number)
    }
}
