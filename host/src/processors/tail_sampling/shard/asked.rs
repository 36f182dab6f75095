//! Decisions that plugins have a say in. Their calls happen outside of the lock: traces are shown, and, if they are still here
//! when the answers have come, decided.

use super::{SLICE, Shard, Which};
use crate::processors::tail_sampling::shown::{Answers, Gather, Shown};
use std::sync::Arc;

/// The next trace is a giant that is being folded anew, because the policies changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind;

impl Shard {
    /// Shows at most [`SLICE`] of these traces, and no more bytes than one call may have.
    ///
    /// # Errors
    /// [`Behind`]: to be called again.
    pub fn show(&mut self, which: Which, now_ms: u64) -> Result<Option<Shown>, Behind> {
        self.refold.begin();
        let waits = self.rules.waits;
        let with_spans = self.rules.policies.samplers().iter().any(|sampler| sampler.sees_spans());
        let mut gather = Gather::new(self.rules.spans_shown_max, with_spans);
        let mut freed = 0;
        let order: Box<dyn Iterator<Item = (u64, u32)> + '_> = match which {
            Which::Oldest { .. } => Box::new(self.table.by_age().map(|number| (0, number))),
            Which::Due | Which::Any => Box::new(self.table.in_order(waits)),
        };
        let meant: Vec<u32> = order
            .enumerate()
            .take_while(|(before, (due_ms, number))| {
                let wanted = match which {
                    Which::Due => *due_ms <= now_ms,
                    Which::Any => true,
                    Which::Oldest { room_for } => {
                        self.table.len() + room_for > self.rules.traces_max + before
                            || self.bytes() > self.rules.bytes_max + freed
                    }
                };
                freed += self.table.get(*number).map_or(0, |entry| entry.facts.bytes as usize);
                wanted
            })
            .map(|(_, (_, number))| number)
            .take(SLICE)
            .collect();
        for number in meant {
            if !self.freshen(number) {
                if gather.is_empty() {
                    return Err(Behind);
                }
                break;
            }
            let Some(entry) = self.table.get(number) else { continue };
            let mut trace = gather.open(entry.id, self.rules.keyed.hash(&entry.id), entry.facts);
            self.store.visit(entry.chain, &entry.id, |run| trace.run(&run));
            trace.close();
            if !gather.has_room() {
                break;
            }
        }
        Ok(gather.finish(Arc::clone(&self.rules.policies)))
    }

    /// Decides what was shown, as far as it is still here and undecided. If the policies changed meanwhile, nothing is decided:
    /// others have to be asked.
    pub fn decide_shown(&mut self, shown: &Shown, answers: &Answers, which: Which, now_ms: u64) {
        if shown.policies.generation() != self.rules.policies.generation() {
            return;
        }
        let mut decided = 0;
        for (at, trace) in shown.traces.iter().enumerate() {
            let Some(number) = self.table.find(trace.hash, &trace.id) else { continue };
            let because = self.because(which);
            self.decide(number, now_ms, answers.of(at), because, decided == 0);
            decided += 1;
        }
        self.tally.extrapolate(decided);
    }
}
