//! Before the traces of a tick are decided, policies that plan hear of all of them: slice by slice, as everything in a shard's lock.

use super::{SLICE, Shard, Which};
use crate::processors::tail_sampling::policies::Policies;
use crate::processors::tail_sampling::policy::Trace;
use crate::processors::tail_sampling::table::Entry;
use std::sync::Arc;

/// How far they are.
pub enum Plan {
    /// There are more traces that they have to hear of.
    More,
    /// They have heard of all of them, and plan outside of the lock.
    Heard {
        /// Whose plan is made.
        policies: Arc<Policies>,
        /// For which shard.
        shard: usize,
    },
    /// Nobody plans, or not with these traces: those that make room are measured by the plan that there is.
    Nothing,
}

impl Shard {
    /// Tells policies that plan of at most [`SLICE`] of these traces.
    pub fn plan_some(&mut self, which: Which, now_ms: u64) -> Plan {
        let until_ms = match which {
            Which::Due => now_ms,
            Which::Any => u64::MAX,
            Which::Oldest { .. } => return Plan::Nothing,
        };
        if !self.rules.policies.plans() {
            return Plan::Nothing;
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
        match is_behind || entries.len() == SLICE {
            true => Plan::More,
            false => Plan::Heard { policies: Arc::clone(&self.rules.policies), shard: self.number },
        }
    }
}
