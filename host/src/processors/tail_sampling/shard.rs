//! A part of the traces, chosen by a hash of their ids, behind one short lock of its own.
//!
//! Everything here happens inside that lock and ends soon: the runs of one request are appended, or at most
//! [`SLICE`] traces are decided, or one segment is compacted. Nothing waits.

mod ingest;

use super::cache::DecisionCache;
use super::intake::{Keyed, Run, Runs};
use super::leave::{Label, Labels, Leaving};
use super::policies::{Decision, Outcome, Policies};
use super::policy::{Trace, Vote};
use super::regroup::Unwritable;
use super::store::{NewRun, Store};
use super::table::Table;
use super::tally::{Drop, Early, Tally};
use crate::pdata::Batch;
use std::sync::Arc;

/// How many traces are decided at a time.
pub const SLICE: usize = 500;
/// Size of a segment, unless the memory is too small for a good number of them.
const SEGMENT_BYTES: (usize, usize) = (64 << 10, 1 << 20);
/// The memory has room for at least so many segments.
const SEGMENTS_MIN: usize = 16;

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
    /// Policies vote on spans as they arrive, and no more when the trace is due.
    pub on_ingest: bool,
    /// What is written on spans that leave.
    pub labels: Labels,
    /// Number of this shard.
    pub shard: usize,
}

/// Its state.
pub struct Shard {
    rules: Rules,
    table: Table,
    store: Store,
    cache: DecisionCache,
    leaving: Leaving,
    /// The traces that are due until then were planned.
    planned_ms: Option<u64>,
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
        let segment = (rules.bytes_max / SEGMENTS_MIN).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1);
        // The limit is noticed when a segment has gone beyond it.
        rules.bytes_max = rules.bytes_max.saturating_sub(segment);
        Self {
            table: Table::new(rules.traces_expected),
            store: Store::new(segment),
            cache: DecisionCache::new(rules.cache.0, rules.cache.1),
            leaving: Leaving::new(rules.labels.clone()),
            planned_ms: None,
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
        if self.rules.on_ingest {
            return self.ingest(runs, numbers, now_ms);
        }
        for run in numbers.iter().filter_map(|number| runs.get(*number)) {
            match run.id {
                Some(id) => self.append_run(runs, run, id, now_ms),
                None => self.decide_stray(runs, run, now_ms),
            }
        }
    }

    fn append_run(&mut self, runs: &Runs<'_>, run: &Run, id: [u8; 16], now_ms: u64) {
        let number = match self.entry(run, id, now_ms) {
            Ok(number) => number,
            Err(kept) => return self.follow(runs, run, kept),
        };
        let Some(entry) = self.table.get_mut(number) else { return };
        let (mut facts, mut chain) = (entry.facts, entry.chain);
        facts.fold(&run.facts);
        if facts.bytes > self.rules.trace_bytes_max {
            entry.facts = facts;
            return self.drop_too_large(run.hash, number);
        }
        let new = NewRun { context: runs.context(run), spans: run.spans, pieces: runs.pieces(run) };
        while self.store.append(&mut chain, number, &new, now_ms).is_err() {
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

    /// The entry of the trace of `run`, which may be new.
    ///
    /// # Errors
    /// The trace was decided lately, and kept or not.
    fn entry(&mut self, run: &Run, id: [u8; 16], now_ms: u64) -> Result<u32, bool> {
        if let Some(number) = self.table.find(run.hash, &id) {
            return Ok(number);
        }
        if let Some(kept) = self.cache.get(run.hash) {
            return Err(kept);
        }
        while self.table.len() >= self.rules.traces_max && self.decide_next(now_ms, Early::Traces) {}
        self.tally.new_trace();
        let keyed = self.rules.keyed;
        let due_ms = now_ms + self.rules.wait_ms;
        Ok(self.table.insert(run.hash, id, now_ms, due_ms, |id| keyed.hash(id)))
    }

    /// Late spans do as was decided about their trace.
    fn follow(&mut self, runs: &Runs<'_>, run: &Run, kept: bool) {
        self.tally.late(kept, usize::from(run.spans));
        if kept {
            let label = if self.rules.labels.record_policy { Label::late() } else { Label::default() };
            self.leave(runs, run, &label);
        }
    }

    /// Spans without a trace id belong to no trace: each is decided at once, as a trace of its own. All of them together
    /// would be one giant trace that anybody can feed.
    fn decide_stray(&mut self, runs: &Runs<'_>, run: &Run, now_ms: u64) {
        let Self { rules, tally, .. } = self;
        let trace = Trace { shard: rules.shard, ..Trace::new(&[0; 16], &run.facts, now_ms) };
        let decision = match rules.on_ingest {
            false => rules.policies.decide(&trace, votes(tally, false)),
            true => rules.policies.decide_on_ingest(&trace, votes(tally, false)).unwrap_or(Decision::NOT_SAMPLED),
        };
        tally.decided(decision, usize::from(run.spans), 0);
        if decision.outcome.keeps() {
            let label = self.label(decision);
            self.leave(runs, run, &label);
        }
    }

    /// A run goes out without having been stored.
    fn leave(&mut self, runs: &Runs<'_>, run: &Run, label: &Label) {
        let Self { leaving, ready, tally, .. } = self;
        let ready = &mut |batch| put(ready, tally, batch);
        let unparseable = leaving.add(&runs.context(run), run.spans, runs.pieces(run), label, ready);
        tally.unparseable_tracestate(unparseable);
    }

    /// What is to be written on the spans of the trace about which this was decided just now.
    fn label(&self, decision: Decision) -> Label {
        Label::new(&self.rules.labels, &self.rules.policies, decision, self.rules.shard)
    }

    fn drop_too_large(&mut self, hash: u64, number: u32) {
        if let Some(entry) = self.table.remove(hash, number) {
            self.store.free(entry.chain);
            self.cache.put(hash, Outcome::NotSampled);
            self.tally.too_large(entry.facts.spans as usize);
        }
    }

    /// Tells policies that plan of all traces that are due at `due_ms`, before any of them is decided. The one thing here that takes as
    /// long as there are traces.
    pub fn plan(&mut self, due_ms: u64, now_ms: u64) {
        let Self { rules, table, .. } = self;
        if rules.policies.plan_ahead() {
            let due = table.due(due_ms).map(|entry| Trace::new(&entry.id, &entry.facts, now_ms));
            let group: Vec<Trace<'_>> = due.map(|trace| Trace { shard: rules.shard, ..trace }).collect();
            rules.policies.plan(rules.shard, now_ms, &group);
            self.planned_ms = Some(due_ms);
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
        // A segment lives at most `wait` longer than its last run; with less than half of that to go it is left to die.
        let touched_after_ms = now_ms.saturating_sub(self.rules.wait_ms / 2);
        let Some(slot) = self.store.worth_compacting(touched_after_ms) else { return false };
        self.store.compact(slot, &mut self.table, now_ms).is_ok()
    }

    /// Decides the trace that would be decided next, before its time. Returns whether there was one.
    fn decide_next(&mut self, now_ms: u64, why: Early) -> bool {
        let Some(number) = self.table.next_due() else { return false };
        self.tally.early(why);
        self.decide(number, now_ms, false);
        true
    }

    fn decide(&mut self, number: u32, now_ms: u64, timed: bool) {
        let Self { table, tally, rules, .. } = self;
        let Some(entry) = table.get(number) else { return };
        let planned = self.planned_ms.is_some_and(|planned_ms| entry.due_ms <= planned_ms);
        let trace = Trace { shard: rules.shard, planned, ..Trace::new(&entry.id, &entry.facts, now_ms) };
        let decision = match rules.on_ingest {
            false => rules.policies.decide(&trace, votes(tally, timed)),
            // They voted on every span as it arrived, and nobody wanted it.
            true => Decision::NOT_SAMPLED,
        };
        let hash = rules.keyed.hash(&entry.id);
        self.finish(number, hash, decision, now_ms);
    }

    /// The trace is decided: its spans go out or away.
    fn finish(&mut self, number: u32, hash: u64, decision: Decision, now_ms: u64) {
        let label = if decision.outcome.keeps() { self.label(decision) } else { Label::default() };
        let Self { table, store, cache, leaving, ready, tally, .. } = self;
        let Some(entry) = table.remove(hash, number) else { return };
        tally.decided(decision, entry.facts.spans as usize, now_ms.saturating_sub(entry.arrived_ms));
        cache.put(hash, decision.outcome);
        if decision.outcome.keeps() {
            let mut unparseable = 0;
            store.visit(entry.chain, |run| {
                let ready = &mut |batch| put(ready, tally, batch);
                unparseable += leaving.add(&run.context, run.spans, [run.bytes, &[]], &label, ready);
            });
            tally.unparseable_tracestate(unparseable);
        }
        store.free(entry.chain);
    }
}

/// Counts votes, and the time of each if they are timed.
fn votes(tally: &mut Tally, timed: bool) -> impl FnMut(usize, Vote) {
    let mut clock = timed.then(std::time::Instant::now);
    move |policy, vote| {
        tally.vote(policy, vote);
        if let Some(started) = &mut clock {
            let now = std::time::Instant::now();
            let took = now.duration_since(std::mem::replace(started, now));
            tally.time(policy, took.as_nanos() as u64);
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
