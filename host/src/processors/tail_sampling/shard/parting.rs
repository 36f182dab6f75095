//! Spans leave the shard: into batches if their trace is kept, away if not. A trace may have any number of them; beyond so many
//! in one hold of the lock, the rest leaves later.

use super::{AT_A_TIME, Shard};
use crate::pdata::Batch;
use crate::processors::tail_sampling::intake::{Run, Runs};
use crate::processors::tail_sampling::leave::Label;
use crate::processors::tail_sampling::policies::Decision;
use crate::processors::tail_sampling::regroup::Unwritable;
use crate::processors::tail_sampling::store::{Chain, Chains};
use crate::processors::tail_sampling::table::Table;
use crate::processors::tail_sampling::tally::{Drop, Tally};

impl Shard {
    /// A run goes out without having been stored.
    pub(super) fn leave(&mut self, runs: &Runs<'_>, run: &Run, label: &Label) {
        let Self { leaving, ready, tally, .. } = self;
        let ready = &mut |batch| put(ready, tally, batch);
        let unparseable = leaving.add(&runs.context(run), run.spans, runs.pieces(run), label, ready);
        tally.unparseable_tracestate(unparseable);
    }

    /// What is to be written on the spans of the trace about which this was decided just now.
    pub(super) fn label(&self, decision: Decision) -> Label {
        Label::new(&self.rules.labels, &self.rules.policies, decision, self.number)
    }

    /// The spans of a decided trace go out with a label, or away; some of them later, if it has many.
    pub(super) fn part(&mut self, id: [u8; 16], mut chain: Chain, label: Option<Label>) {
        let Self { store, leaving, ready, tally, left, .. } = self;
        let mut unparseable = 0;
        match &label {
            Some(label) => store.release(&mut chain, &id, left, |context, spans, pieces| {
                let ready = &mut |batch| put(ready, tally, batch);
                unparseable += leaving.add(context, spans, pieces, label, ready);
            }),
            None => store.free(&mut chain, left),
        }
        tally.unparseable_tracestate(unparseable);
        if !chain.is_empty() {
            self.parting.push_back((id, chain, label));
        }
    }

    /// Lets go of more of what is left of decided traces. Returns whether anything was left.
    pub fn release_more(&mut self) -> bool {
        self.left = AT_A_TIME;
        let Some((id, chain, label)) = self.parting.pop_front() else { return false };
        self.part(id, chain, label);
        true
    }

    /// The end of a tick: what was gathered goes out even if it fills no batch.
    pub fn flush(&mut self) {
        let Self { leaving, ready, tally, .. } = self;
        leaving.flush(&mut |batch| put(ready, tally, batch));
    }

    /// Compacts one segment that early decisions left mostly dead, if there is one. Returns whether there was.
    pub fn compact(&mut self, now_ms: u64) -> bool {
        // With less than a quarter of the wait to go it is left to die.
        let until_ms = now_ms + self.rules.waits.full_ms / 4;
        let Some(slot) = self.store.worth_compacting(until_ms) else { return false };
        self.store.compact(slot, &mut Owners(&mut self.table), now_ms).is_ok()
    }
}

/// The traces in the table, which have a chain each.
struct Owners<'a>(&'a mut Table);

impl Chains for Owners<'_> {
    fn chain(&self, owner: u32) -> Option<Chain> {
        self.0.chain(owner)
    }

    fn set_chain(&mut self, owner: u32, chain: Chain) {
        self.0.set_chain(owner, chain);
    }
}

/// A batch is ready, or its spans are lost for good and counted.
fn put(ready: &mut Vec<Batch>, tally: &mut Tally, batch: Result<Batch, Unwritable>) {
    match batch {
        Ok(batch) => ready.push(batch),
        Err(Unwritable { spans }) => tally.dropped(Drop::Unwritable, spans),
    }
}
