//! A part of the traces, chosen by a hash of their ids, behind one short lock of its own.
//!
//! Everything here happens inside that lock and ends soon: the runs of one request are appended, or at most
//! [`SLICE`] traces are decided, or one segment is compacted. Nothing waits.

use super::cache::DecisionCache;
use super::fold;
use super::intake::{Keyed, Run, Runs};
use super::policies::{Outcome, Policies};
use super::policy::{Answer, Facts, Trace};
use super::regroup::{Regroup, Unwritable};
use super::shown::{Answers, Gather, Shown};
use super::store::{Chain, NewRun, Store};
use super::table::{Table, Waits};
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
    /// From the first span, or the root, to the decision.
    pub waits: Waits,
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
    /// Spans of one trace that plugins are shown at most.
    pub spans_shown_max: usize,
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
pub struct Yield {
    /// Full batches.
    pub ready: Vec<Batch>,
    /// What happened.
    pub tally: Tally,
    /// Whose votes were counted.
    pub policies: Arc<Policies>,
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Enough,
    /// Not before others were decided.
    For {
        /// So many traces would be new.
        new_traces: usize,
    },
}

/// Which traces are to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose time has come.
    Due,
    /// All.
    Any,
    /// The oldest, until there is room for so many new traces, and memory for more spans.
    Oldest {
        /// How many.
        room_for: usize,
    },
}

impl Shard {
    /// An empty one.
    pub fn new(rules: Rules) -> Self {
        let segment = (rules.bytes_max / SEGMENTS_MIN).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1);
        let mut shard = Self {
            table: Table::new(rules.traces_expected),
            store: Store::new(segment),
            cache: DecisionCache::new(rules.cache.0, rules.cache.1),
            leaving: Regroup::default(),
            ready: Vec::new(),
            tally: Tally::default(),
            rules: rules.clone(),
        };
        shard.follow_rules(rules);
        shard
    }

    /// Keeps to other rules from now on, also for what it holds already. The decision cache stays as it is.
    pub fn follow_rules(&mut self, rules: Rules) {
        // The limit is noticed when a segment has gone beyond it.
        let bytes_max = rules.bytes_max.saturating_sub(self.store.segment_bytes());
        self.rules = Rules { bytes_max, ..rules };
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
        let (ready, tally) = (std::mem::take(&mut self.ready), std::mem::take(&mut self.tally));
        Yield { ready, tally, policies: Arc::clone(&self.rules.policies) }
    }

    /// For how many traces there is no room if the runs of these numbers are to be taken without deciding anything early, and
    /// whether there is memory. A shard that holds nothing always has room: otherwise a request larger than the shard
    /// would wait for ever.
    pub fn room(&mut self, runs: &Runs<'_>, numbers: &[u32]) -> Room {
        let memory = self.store.footprint() <= self.rules.bytes_max;
        if self.table.is_empty() || (memory && self.table.len() + numbers.len() <= self.rules.traces_max) {
            return Room::Enough;
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
        if memory && table.len() + new.len() <= rules.traces_max {
            Room::Enough
        } else {
            Room::For { new_traces: new.len() }
        }
    }

    /// Takes the runs of these numbers. `strays` is what the plugins say of those that have no trace id, in their order.
    pub fn append<'s>(
        &mut self,
        runs: &Runs<'_>,
        numbers: &[u32],
        strays: &mut impl Iterator<Item = &'s [Answer]>,
        now_ms: u64,
    ) {
        let bounds = self.bounds(runs, numbers);
        for run in numbers.iter().filter_map(|number| runs.get(*number)) {
            match run.id {
                Some(id) => self.append_run(runs, run, id, bounds, now_ms),
                None => self.decide_stray(runs, run, strays.next().unwrap_or_default(), now_ms),
            }
        }
    }

    fn append_run(
        &mut self,
        runs: &Runs<'_>,
        run: &Run,
        id: [u8; 16],
        (traces_max, bytes_max): (usize, usize),
        now_ms: u64,
    ) {
        let number = match self.table.find(run.hash, &id) {
            Some(number) => number,
            None => {
                if let Some(kept) = self.cache.get(run.hash) {
                    return self.follow(runs, run, kept);
                }
                while self.table.len() >= traces_max && self.decide_next(now_ms, Early::Traces) {}
                self.tally.new_trace();
                let keyed = self.rules.keyed;
                self.table.insert(run.hash, id, now_ms, self.rules.policies.generation(), |id| keyed.hash(id))
            }
        };
        let Some((mut facts, mut chain)) = self.known(number) else { return };
        facts.fold(&runs.facts_for(run, &self.rules.policies));
        if facts.size() > self.rules.trace_bytes_max {
            return self.drop_too_large(run.hash, number, facts.spans as usize);
        }
        let new = NewRun { context: runs.context(run), spans: run.spans, pieces: runs.pieces(run) };
        while self.store.append(&mut chain, number, &new, now_ms).is_err() {
            // No numbers are left for segments. The oldest makes room; if that is this one, it goes on as a late span.
            let gone = self.table.next_due(self.rules.waits).is_some_and(|(_, next)| next == number);
            self.decide_next(now_ms, Early::Memory);
            if gone {
                let kept = self.cache.get(run.hash).unwrap_or(false);
                return self.follow(runs, run, kept);
            }
        }
        if let Some(entry) = self.table.get_mut(number) {
            (entry.facts, entry.chain) = (facts, chain);
        }
        if run.facts.root {
            self.table.hasten(number, now_ms, self.rules.waits);
        }
        while self.store.footprint() > bytes_max && self.decide_next(now_ms, Early::Memory) {}
    }

    /// How many traces and bytes may be held while these runs are taken. Where plugins have to be asked, traces that make room
    /// are decided outside of the lock, before others are taken. What is taken at the same time may pass the limits by
    /// an eighth, or by a request that is larger than that; beyond it traces are decided without asking.
    fn bounds(&self, runs: &Runs<'_>, numbers: &[u32]) -> (usize, usize) {
        let (traces, bytes) = (self.rules.traces_max, self.rules.bytes_max);
        if self.rules.policies.samplers().is_empty() {
            return (traces, bytes);
        }
        let len = |run: &Run| runs.pieces(run).iter().map(|piece| piece.len()).sum::<usize>();
        let new_bytes = numbers.iter().filter_map(|number| runs.get(*number)).map(len).sum();
        (traces + numbers.len().max(traces / 8), bytes + (bytes / 8).max(new_bytes))
    }

    /// What is known of a trace, for the policies of now, and where its spans are.
    fn known(&mut self, number: u32) -> Option<(Facts, Chain)> {
        let Self { table, store, rules, .. } = self;
        let entry = table.get_mut(number)?;
        if entry.policies != rules.policies.generation() {
            let mut facts = Facts::default();
            store.visit(entry.chain, |run| facts.fold(&fold::run(&run.context, run.bytes, &rules.policies)));
            facts.around = entry.facts.around;
            (entry.facts, entry.policies) = (facts, rules.policies.generation());
        }
        Some((entry.facts, entry.chain))
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
    fn decide_stray(&mut self, runs: &Runs<'_>, run: &Run, answers: &[Answer], now_ms: u64) {
        let Self { rules, tally, .. } = self;
        let facts = runs.facts_for(run, &rules.policies);
        let answers = if runs.generation() == rules.policies.generation() { answers } else { &[] };
        let trace = Trace { id: &[0; 16], facts: &facts, answers, now_ms };
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

    fn drop_too_large(&mut self, hash: u64, number: u32, spans: usize) {
        if let Some(entry) = self.table.remove(hash, number) {
            self.store.free(entry.chain);
            self.cache.put(hash, Outcome::NotSampled);
            self.tally.too_large(spans);
        }
    }

    /// Decides at most [`SLICE`] of these traces, without asking any plugin. Returns whether there are more.
    pub fn decide_some(&mut self, which: Which, now_ms: u64) -> bool {
        let mut decided = 0;
        while decided < SLICE
            && let Some((due_ms, number)) = self.table.next_due(self.rules.waits)
            && (which == Which::Any || due_ms <= now_ms)
        {
            self.decide(number, now_ms, &[], decided == 0);
            decided += 1;
        }
        self.tally.extrapolate(decided as u64);
        decided == SLICE
    }

    /// Shows at most [`SLICE`] of these traces, and no more bytes than one call may have.
    pub fn show(&mut self, which: Which, now_ms: u64) -> Option<Shown> {
        let waits = self.rules.waits;
        let with_spans = self.rules.policies.samplers().iter().any(|sampler| sampler.sees_spans());
        let mut gather = Gather::new(self.rules.spans_shown_max, with_spans);
        let mut freed = 0;
        let meant: Vec<u32> = self
            .table
            .in_order(waits)
            .enumerate()
            .take_while(|(before, (due_ms, number))| {
                let wanted = match which {
                    Which::Due => *due_ms <= now_ms,
                    Which::Any => true,
                    Which::Oldest { room_for } => {
                        self.table.len() + room_for > self.rules.traces_max + before
                            || self.store.footprint() > self.rules.bytes_max + freed
                    }
                };
                freed += self.table.get(*number).map_or(0, |entry| entry.facts.bytes as usize);
                wanted
            })
            .map(|(_, (_, number))| number)
            .take(SLICE)
            .collect();
        for number in meant {
            let Some((facts, chain)) = self.known(number) else { continue };
            let Some(id) = self.table.get(number).map(|entry| entry.id) else { continue };
            let mut trace = gather.open(id, self.rules.keyed.hash(&id), facts);
            self.store.visit(chain, |run| trace.run(&run));
            trace.close();
            if !gather.has_room() {
                break;
            }
        }
        gather.finish(Arc::clone(&self.rules.policies))
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
            if let Which::Oldest { .. } = which {
                let full = self.table.len() >= self.rules.traces_max;
                self.tally.early(if full { Early::Traces } else { Early::Memory });
            }
            self.decide(number, now_ms, answers.of(at), decided == 0);
            decided += 1;
        }
        self.tally.extrapolate(decided);
    }

    /// Drops at most [`SLICE`] undecided traces because this is the end. Returns whether there are more.
    pub fn drop_any(&mut self) -> bool {
        for _ in 0..SLICE {
            let next = self.table.next_due(self.rules.waits);
            let Some((number, id)) = next.and_then(|(_, at)| Some((at, self.table.get(at)?.id))) else { return false };
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
        let touched_after_ms = now_ms.saturating_sub(self.rules.waits.full_ms / 2);
        let Some(slot) = self.store.worth_compacting(touched_after_ms) else { return false };
        self.store.compact(slot, &mut self.table, now_ms).is_ok()
    }

    /// Decides the trace that would be decided next, before its time. Returns whether there was one.
    fn decide_next(&mut self, now_ms: u64, why: Early) -> bool {
        let Some((_, number)) = self.table.next_due(self.rules.waits) else { return false };
        self.tally.early(why);
        self.decide(number, now_ms, &[], false);
        true
    }

    /// Decides a trace. One of a slice is `timed` for all of them: clocks cost more than votes.
    fn decide(&mut self, number: u32, now_ms: u64, answers: &[Answer], timed: bool) {
        let Some((facts, _)) = self.known(number) else { return };
        let Self { table, store, cache, leaving, ready, tally, rules } = self;
        let Some(entry) = table.get(number) else { return };
        let trace = Trace { id: &entry.id, facts: &facts, answers, now_ms };
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

/// A batch is ready, or its spans are lost for good and counted.
fn put(ready: &mut Vec<Batch>, tally: &mut Tally, batch: Result<Batch, Unwritable>) {
    match batch {
        Ok(batch) => ready.push(batch),
        Err(Unwritable { spans }) => tally.dropped(Drop::Unwritable, spans),
    }
}
