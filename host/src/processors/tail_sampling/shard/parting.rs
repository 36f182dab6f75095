//! Spans leave the shard: into batches if their trace is kept, away if not. A trace may have any number of them; beyond so many
//! in one hold of the lock, the rest leaves later.

use super::{RUNS_AT_A_TIME, Shard};
use crate::pdata::Batch;
use crate::processors::tail_sampling::intake::{Keyed, Run, Runs};
use crate::processors::tail_sampling::leave::Label;
use crate::processors::tail_sampling::policies::Decision;
use crate::processors::tail_sampling::regroup::Unwritable;
use crate::processors::tail_sampling::store::{Chain, Chains};
use crate::processors::tail_sampling::table::Table;
use crate::processors::tail_sampling::tally::{Drop, Tally};
use tailrace_otlp::{SpanView, wire};

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
    pub(super) fn part(&mut self, mut chain: Chain, label: Option<Label>) {
        let Self { store, leaving, ready, tally, runs_left, .. } = self;
        let mut unparseable = 0;
        *runs_left -= match &label {
            Some(label) => store.release(&mut chain, *runs_left, |run| {
                let ready = &mut |batch| put(ready, tally, batch);
                unparseable += leaving.add(&run.context, run.spans, [run.bytes, &[]], label, ready);
            }),
            None => store.release(&mut chain, *runs_left, |_| {}),
        };
        tally.unparseable_tracestate(unparseable);
        if !chain.is_empty() {
            self.parting.push_back((chain, label));
        }
    }

    /// Lets go of more of what is left of decided traces. Returns whether anything was left.
    pub fn release_more(&mut self) -> bool {
        self.runs_left = RUNS_AT_A_TIME;
        let Some((chain, label)) = self.parting.pop_front() else { return false };
        self.part(chain, label);
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
        let mut owners = Owners { table: &mut self.table, keyed: self.rules.keyed };
        self.store.compact(slot, &mut owners, now_ms).is_ok()
    }
}

/// Finds the trace of a run by the id in its first span.
struct Owners<'a> {
    table: &'a mut Table,
    keyed: Keyed,
}

impl Chains for Owners<'_> {
    fn chain(&self, run: &[u8]) -> Option<(u32, Chain)> {
        let id = SpanView::new(run.get(wire::read_len(run, 1)?)?).trace_id()?;
        let number = self.table.find(self.keyed.hash(id), id)?;
        Some((number, self.table.get(number)?.chain))
    }

    fn set_chain(&mut self, owner: u32, chain: Chain) {
        self.table.set_chain(owner, chain);
    }
}

/// A batch is ready, or its spans are lost for good and counted.
fn put(ready: &mut Vec<Batch>, tally: &mut Tally, batch: Result<Batch, Unwritable>) {
    match batch {
        Ok(batch) => ready.push(batch),
        Err(Unwritable { spans }) => tally.dropped(Drop::Unwritable, spans),
    }
}
