//! After a change of the policies, what is known of the traces that wait is for others. It is folded anew, from the bytes that are
//! held, when a trace is to be decided; so many spans in one hold of the lock that nobody waits for a giant.

use super::Shard;
use crate::processors::tail_sampling::fold;
use crate::processors::tail_sampling::policy::Facts;
use crate::processors::tail_sampling::store::Cursor;
use crate::processors::tail_sampling::table::Entry;

/// Spans that are folded anew in one hold of the lock.
pub(super) const SPANS_AT_A_TIME: u32 = 5_000;
/// Where the next trace would have to be folded for long, one of so many that come next is decided early in its place.
pub(super) const OTHERS: usize = 16;

/// The trace that is being folded.
#[derive(Debug)]
struct UnderWay {
    number: u32,
    generation: u16,
    cursor: Cursor,
    facts: Facts,
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Refold {
    under_way: Option<UnderWay>,
    /// Spans that may still be folded before the lock is given back.
    left: usize,
}

impl Refold {
    /// The lock was taken.
    pub(super) fn begin(&mut self) {
        self.left = SPANS_AT_A_TIME as usize;
    }

    /// The trace of this number is gone.
    fn forget(&mut self, number: u32) {
        self.under_way.take_if(|under_way| under_way.number == number);
    }
}

impl Shard {
    /// What is known of a trace, for the policies of now.
    pub(super) fn known(&mut self, number: u32) -> Option<Entry> {
        if !self.is_fresh(number)? {
            let left = std::mem::replace(&mut self.refold.left, usize::MAX);
            self.freshen(number);
            self.refold.left = left;
        }
        self.table.get(number)
    }

    /// Whether what is known of a trace is for the policies of now.
    pub(super) fn is_fresh(&self, number: u32) -> Option<bool> {
        Some(self.table.generation(number)? == Some(self.rules.policies.generation()))
    }

    /// Folds a trace anew if it has to be, as far as that may be done in one hold of the lock. Returns whether it is done.
    pub(super) fn freshen(&mut self, number: u32) -> bool {
        if self.is_fresh(number) != Some(false) {
            return true;
        }
        if self.refold.left == 0 {
            return false;
        }
        let Self { table, store, rules, refold, .. } = self;
        let Some(entry) = table.get(number) else { return true };
        let generation = rules.policies.generation();
        let same = |way: &UnderWay| (way.number, way.generation) == (number, generation) && store.is_valid(&way.cursor);
        let mut way = refold.under_way.take().filter(same).unwrap_or_else(|| UnderWay {
            number,
            generation,
            cursor: store.cursor(entry.chain),
            facts: Facts::default(),
        });
        while refold.left > 0
            && let Some(spans) = store.visit_next(entry.chain, &entry.id, &mut way.cursor, |run| {
                way.facts.fold(&fold::run(&run.context, run.bytes, &rules.policies));
                run.spans
            })
        {
            refold.left = refold.left.saturating_sub(spans.into());
        }
        if !way.cursor.is_at_end() {
            refold.under_way = Some(way);
            return false;
        }
        // Resources and scopes are not held once for each request that they came with.
        table.renew_facts(number, &Facts { bytes: entry.facts.bytes, ..way.facts }, generation);
        true
    }

    /// Takes a trace out of the table.
    pub(super) fn remove(&mut self, hash: u64, number: u32) -> Option<Entry> {
        self.refold.forget(number);
        self.table.remove(hash, number)
    }

    /// What more spans bring, while what is known of their trace is for other policies: the bytes and how many there are. The
    /// rest is found when it is folded anew.
    pub(super) fn fold_stale(&mut self, number: u32, mut known: Facts, more: &Facts) {
        known.fold(&Facts { matches: 0, upstream: known.upstream, ..*more });
        self.table.set_facts(number, &known);
    }
}
