//! A part of the traces, chosen by a hash of their ids, behind one short lock of its own.
//!
//! Everything here happens inside that lock and ends soon: the runs of one request are appended, or at most
//! [`SLICE`] traces are decided, or one segment is compacted. Nothing waits.

use super::cache::DecisionCache;
use super::intake::{Keyed, Run, Runs};
use super::policies::{Outcome, Policies};
use super::policy::Trace;
use super::regroup::{Regroup, Unwritable};
use super::store::{Chain, Chains, Division, NewRun, Store};
use super::table::Table;
use super::tally::{Drop, Early, Tally};
use crate::pdata::Batch;
use std::sync::Arc;
use tailrace_otlp::{SpanView, wire};

/// How many traces are decided at a time.
pub const SLICE: usize = 500;

/// What a shard may do and hold.
#[derive(Clone)]
pub struct Rules {
    /// Who votes.
    pub policies: Arc<Policies>,
    /// Hashes ids.
    pub keyed: Keyed,
    /// From the first span to the decision, in milliseconds.
    pub wait_ms: u64,
    /// From the root span to the decision, in milliseconds, if that is earlier.
    pub wait_after_root_ms: Option<u64>,
    /// Undecided traces at most.
    pub traces_max: usize,
    /// Memory of segments at most, in bytes.
    pub bytes_max: usize,
    /// Bytes of one trace's spans at most.
    pub trace_bytes_max: u64,
    /// Room for so many traces is made at the start.
    pub traces_expected: usize,
    /// Decisions remembered: kept traces and others.
    pub cache: (usize, usize),
}

/// Its state.
pub struct Shard {
    rules: Rules,
    table: Table,
    store: Store,
    cache: DecisionCache,
    leaving: Regroup,
    ready: Vec<Batch>,
    tally: Tally,
}

/// What came of holding the lock: to be reported and handed on behind it.
#[derive(Debug, Default)]
pub struct Yield {
    /// Full batches.
    pub ready: Vec<Batch>,
    /// What happened.
    pub tally: Tally,
}

impl Shard {
    /// An empty one.
    pub fn new(mut rules: Rules) -> Self {
        let store = Store::new(Division::of(rules.bytes_max), rules.wait_ms);
        // The limit is noticed when a segment has gone beyond it.
        rules.bytes_max = rules.bytes_max.saturating_sub(store.segment_bytes());
        Self {
            table: Table::new(rules.traces_expected),
            store,
            cache: DecisionCache::new(rules.cache.0, rules.cache.1),
            leaving: Regroup::default(),
            ready: Vec::new(),
            tally: Tally::default(),
            rules,
        }
    }

    /// Undecided traces.
    pub fn traces(&self) -> usize {
        self.table.len()
    }

    /// Memory of their spans, in bytes.
    pub fn bytes(&self) -> usize {
        self.store.footprint()
    }

    /// What has come of everything since the last call.
    pub fn harvest(&mut self) -> Yield {
        Yield { ready: std::mem::take(&mut self.ready), tally: std::mem::take(&mut self.tally) }
    }

    /// Whether the runs of these numbers can be taken without deciding anything early. A shard that holds nothing always
    /// has room: otherwise a request larger than the shard would wait for ever.
    pub fn has_room(&mut self, runs: &Runs<'_>, numbers: &[u32]) -> bool {
        if self.table.is_empty() {
            return true;
        }
        if self.store.footprint() > self.rules.bytes_max {
            return false;
        }
        let Self { table, cache, rules, .. } = self;
        let mut new: Vec<[u8; 16]> = numbers
            .iter()
            .filter_map(|number| runs.get(*number))
            .filter_map(|run| Some((run, run.id?)))
            .filter(|(run, id)| table.find(run.hash, id).is_none() && cache.get(run.hash).is_none())
            .map(|(_, id)| id)
            .collect();
        new.sort_unstable();
        new.dedup();
        table.len() + new.len() <= rules.traces_max
    }

    /// Takes the runs of these numbers.
    pub fn append(&mut self, runs: &Runs<'_>, numbers: &[u32], now_ms: u64) {
        for run in numbers.iter().filter_map(|number| runs.get(*number)) {
            match run.id {
                Some(id) => self.append_run(runs, run, id, now_ms),
                None => self.decide_stray(runs, run, now_ms),
            }
        }
    }

    fn append_run(&mut self, runs: &Runs<'_>, run: &Run, id: [u8; 16], now_ms: u64) {
        let number = match self.table.find(run.hash, &id) {
            Some(number) => number,
            None => {
                if let Some(kept) = self.cache.get(run.hash) {
                    return self.follow(runs, run, kept);
                }
                while self.table.len() >= self.rules.traces_max && self.decide_next(now_ms, Early::Traces) {}
                self.tally.new_trace();
                let keyed = self.rules.keyed;
                let due_ms = now_ms + self.rules.wait_ms;
                self.table.insert(run.hash, id, now_ms, due_ms, |id| keyed.hash(id))
            }
        };
        let Some(entry) = self.table.get_mut(number) else { return };
        let (mut facts, mut chain, due_ms) = (entry.facts, entry.chain, entry.due_ms);
        facts.fold(&run.facts);
        if facts.bytes > self.rules.trace_bytes_max {
            entry.facts = facts;
            return self.drop_too_large(run.hash, number);
        }
        let new = NewRun { context: runs.context(run), spans: run.spans, pieces: runs.pieces(run) };
        while self.store.append(&mut chain, &new, due_ms, now_ms).is_err() {
            // No numbers are left for segments. The oldest makes room; if that is this one, it goes on as a late span.
            let gone = self.table.next_due() == Some(number);
            self.decide_next(now_ms, Early::Memory);
            if gone {
                let kept = self.cache.get(run.hash).unwrap_or(false);
                return self.follow(runs, run, kept);
            }
        }
        if let Some(entry) = self.table.get_mut(number) {
            (entry.facts, entry.chain) = (facts, chain);
        }
        if let (true, Some(wait)) = (run.facts.root, self.rules.wait_after_root_ms) {
            self.table.hasten(number, now_ms + wait);
        }
        while self.store.footprint() > self.rules.bytes_max && self.decide_next(now_ms, Early::Memory) {}
    }

    /// Late spans do as was decided about their trace.
    fn follow(&mut self, runs: &Runs<'_>, run: &Run, kept: bool) {
        self.tally.late(kept, usize::from(run.spans));
        if kept {
            self.leave(runs, run);
        }
    }

    /// Spans without a trace id belong to no trace: each is decided at once, as a trace of its own. All of them together
    /// would be one giant trace that anybody can feed.
    fn decide_stray(&mut self, runs: &Runs<'_>, run: &Run, now_ms: u64) {
        let Self { rules, tally, .. } = self;
        let trace = Trace { id: &[0; 16], facts: &run.facts, now_ms };
        let decision = rules.policies.decide(&trace, |policy, vote| tally.vote(policy, vote));
        tally.decided(decision, usize::from(run.spans), 0);
        if decision.outcome.keeps() {
            self.leave(runs, run);
        }
    }

    /// A run goes out without having been stored.
    fn leave(&mut self, runs: &Runs<'_>, run: &Run) {
        let Self { leaving, ready, tally, .. } = self;
        leaving.add(&runs.context(run), run.spans, runs.pieces(run), &mut |batch| put(ready, tally, batch));
    }

    fn drop_too_large(&mut self, hash: u64, number: u32) {
        if let Some(entry) = self.table.remove(hash, number) {
            self.store.free(entry.chain);
            self.cache.put(hash, Outcome::NotSampled);
            self.tally.too_large(entry.facts.spans as usize);
        }
    }

    /// Decides at most [`SLICE`] of the traces that are due. Returns whether there are more.
    pub fn decide_due(&mut self, now_ms: u64) -> bool {
        let mut decided = 0;
        while decided < SLICE {
            match self.table.next_due() {
                Some(number) if self.table.get(number).is_some_and(|entry| entry.due_ms <= now_ms) => {
                    // One trace of a slice is timed for all of them: clocks cost more than votes.
                    self.decide(number, now_ms, decided == 0);
                    decided += 1;
                }
                _ => break,
            }
        }
        self.tally.extrapolate(decided as u64);
        decided == SLICE
    }

    /// Decides at most [`SLICE`] traces, due or not. Returns whether there are more.
    pub fn decide_any(&mut self, now_ms: u64) -> bool {
        for _ in 0..SLICE {
            let Some(number) = self.table.next_due() else { return false };
            self.decide(number, now_ms, false);
        }
        true
    }

    /// Drops at most [`SLICE`] undecided traces because this is the end. Returns whether there are more.
    pub fn drop_any(&mut self) -> bool {
        for _ in 0..SLICE {
            let Some((number, id)) = self.table.next_due().and_then(|at| Some((at, self.table.get(at)?.id))) else {
                return false;
            };
            if let Some(entry) = self.table.remove(self.rules.keyed.hash(&id), number) {
                self.store.free(entry.chain);
                self.tally.dropped(Drop::Shutdown, entry.facts.spans as usize);
            }
        }
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
        let until_ms = now_ms + self.rules.wait_ms / 4;
        let Some(slot) = self.store.worth_compacting(until_ms) else { return false };
        let mut owners = Owners { table: &mut self.table, keyed: self.rules.keyed };
        self.store.compact(slot, &mut owners, now_ms).is_ok()
    }

    /// Decides the trace that would be decided next, before its time. Returns whether there was one.
    fn decide_next(&mut self, now_ms: u64, why: Early) -> bool {
        let Some(number) = self.table.next_due() else { return false };
        self.tally.early(why);
        self.decide(number, now_ms, false);
        true
    }

    fn decide(&mut self, number: u32, now_ms: u64, timed: bool) {
        let Self { table, store, cache, leaving, ready, tally, rules } = self;
        let Some(entry) = table.get(number) else { return };
        let trace = Trace { id: &entry.id, facts: &entry.facts, now_ms };
        let mut clock = timed.then(std::time::Instant::now);
        let decision = rules.policies.decide(&trace, |policy, vote| {
            tally.vote(policy, vote);
            if let Some(started) = &mut clock {
                let now = std::time::Instant::now();
                let took = now.duration_since(std::mem::replace(started, now));
                tally.time(policy, took.as_nanos() as u64);
            }
        });
        let hash = rules.keyed.hash(&entry.id);
        let Some(entry) = table.remove(hash, number) else { return };
        tally.decided(decision, entry.facts.spans as usize, now_ms.saturating_sub(entry.arrived_ms));
        cache.put(hash, decision.outcome);
        if decision.outcome.keeps() {
            store.visit(entry.chain, |run| {
                leaving.add(&run.context, run.spans, [run.bytes, &[]], &mut |batch| put(ready, tally, batch));
            });
        }
        store.free(entry.chain);
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
        if let Some(entry) = self.table.get_mut(owner) {
            entry.chain = chain;
        }
    }
}

/// A batch is ready, or its spans are lost for good and counted.
fn put(ready: &mut Vec<Batch>, tally: &mut Tally, batch: Result<Batch, Unwritable>) {
    match batch {
        Ok(batch) => ready.push(batch),
        Err(Unwritable { spans }) => tally.dropped(Drop::Unwritable, spans),
    }
}
