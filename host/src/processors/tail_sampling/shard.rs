//! A part of the traces, chosen by a hash of their ids, behind one short lock of its own.
//!
//! Everything here happens inside that lock and ends soon: a portion of the runs of one request is appended, or at most
//! [`SLICE`] traces are decided, or one segment is compacted. Nothing waits.

mod asked;
mod decide;
mod ingest;
mod parting;
mod plan;
mod refold;

pub use asked::Behind;
pub use decide::Which;
use decide::{shadow_votes, votes};
pub use plan::Plan;
use refold::Refold;

use super::ballot::Ballot;
use super::cache::{DecisionCache, Past};
use super::credits::Credits;
use super::history::History;
use super::intake::{Keyed, Run, Runs};
use super::leave::{Label, Labels, Leaving};
use super::policies::{Decision, Outcome, Policies};
use super::policy::{Answer, Facts, Trace};
use super::store::{Chain, Division, NewRun, Portion, Store};
use super::table::{Entry, TRACES_MAX, Table, Waits};
use super::tally::{Early, Tally};
use crate::pdata::Batch;
use crate::telemetry::decisions::{Because, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many traces are decided at a time.
pub const SLICE: usize = 500;
/// How much is let go of at a time: a trace may have any number of runs.
const AT_A_TIME: Portion = Portion { runs: 5_000, bytes: 2 << 20 };

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
    /// A trace with so many spans is decided at once.
    pub trace_spans_max: u32,
    /// Room for so many traces is made at the start.
    pub traces_expected: usize,
    /// Decisions remembered: kept traces and others.
    pub cache: (usize, usize),
    /// Decisions that can be explained.
    pub history: usize,
    /// Spans of one trace that plugins are shown at most.
    pub spans_shown_max: usize,
    /// Policies vote on spans as they arrive, and no more when the trace is due.
    pub on_ingest: bool,
    /// What is written on spans that leave.
    pub labels: Labels,
}

/// Its state.
pub struct Shard {
    number: usize,
    rules: Rules,
    table: Table,
    store: Store,
    cache: DecisionCache,
    leaving: Leaving,
    credits: Credits,
    history: History,
    /// The votes on the trace that is being decided.
    ballot: Ballot,
    ready: Vec<Batch>,
    tally: Tally,
    /// What is left of traces that are decided and have many runs, and what is written on them if
    /// they were kept.
    parting: VecDeque<([u8; 16], Chain, Option<Label>)>,
    /// What may still be let go of before the lock is given back.
    left: Portion,
    /// The trace that is being folded for policies that are new.
    refold: Refold,
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

/// What may be held at most while runs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    traces: usize,
    bytes: usize,
}

impl Shard {
    /// An empty one, of this number.
    pub fn new(number: usize, rules: Rules) -> Self {
        let store = Store::new(Division::of(rules.bytes_max), rules.waits.full_ms);
        let mut shard = Self {
            number,
            table: Table::new(rules.traces_expected),
            store,
            cache: DecisionCache::new(rules.cache.0, rules.cache.1),
            leaving: Leaving::default(),
            credits: Credits::default(),
            history: History::new(rules.history, rules.policies.roster().voters()),
            ballot: Ballot::default(),
            ready: Vec::new(),
            tally: Tally::default(),
            parting: VecDeque::new(),
            left: AT_A_TIME,
            refold: Refold::default(),
            rules: rules.clone(),
        };
        shard.follow_rules(rules);
        shard
    }

    /// Keeps to other rules from now on, also for what it holds already. The decision cache stays as it is.
    pub fn follow_rules(&mut self, rules: Rules) {
        // The limit is noticed when a segment has gone beyond it.
        let bytes_max = rules.bytes_max.saturating_sub(self.store.segment_bytes());
        self.store.expect_wait(rules.waits.full_ms);
        self.leaving.follow(&rules.labels);
        self.credits.remember(if rules.labels.names_policies() { rules.cache.0 } else { 0 });
        self.rules = Rules { bytes_max, traces_max: rules.traces_max.min(TRACES_MAX), ..rules };
    }

    /// Undecided traces.
    pub fn traces(&self) -> usize {
        self.table.len()
    }

    /// Memory that they take, in bytes: their spans, and what is known of them.
    pub fn bytes(&self) -> usize {
        self.store.footprint() + self.table.footprint()
    }

    /// What was decided lately.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What is known of an undecided trace, when its first span came and when it is due.
    pub fn waiting(&self, hash: u64, id: &[u8; 16]) -> Option<(Facts, u64, u64)> {
        let entry = self.table.get(self.table.find(hash, id)?)?;
        Some((entry.facts, entry.arrived_ms, entry.due_ms(self.rules.waits)))
    }

    /// Whether a trace was kept, if that is all that is remembered.
    pub fn outcome(&mut self, hash: u64, now_ms: u64) -> Option<bool> {
        self.cache.get(hash, now_ms).map(|past| past.kept)
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
        let memory = self.bytes() <= self.rules.bytes_max;
        if self.table.is_empty() || (memory && self.table.len() + numbers.len() <= self.rules.traces_max) {
            return Room::Enough;
        }
        let Self { table, cache, rules, .. } = self;
        let mut new: Vec<[u8; 16]> = numbers
            .iter()
            .filter_map(|number| runs.get(*number))
            .filter_map(|run| Some((run, run.id?)))
            .filter(|(run, id)| table.find(run.hash, id).is_none() && !cache.contains(run.hash))
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
        self.refold.begin();
        let bounds = self.bounds(runs, numbers);
        if self.rules.on_ingest {
            return self.ingest(runs, numbers, bounds, now_ms);
        }
        for run in numbers.iter().filter_map(|number| runs.get(*number)) {
            match run.id {
                Some(id) => self.append_run(runs, run, id, bounds, now_ms),
                None => self.decide_stray(runs, run, strays.next().unwrap_or_default(), now_ms),
            }
        }
    }

    fn append_run(&mut self, runs: &Runs<'_>, run: &Run, id: [u8; 16], bounds: Bounds, now_ms: u64) {
        let number = match self.entry(run, id, bounds, now_ms) {
            Ok(number) => number,
            Err(past) => return self.follow(runs, run, id, past, now_ms),
        };
        let Some(entry) = self.table.get(number) else { return };
        let is_fresh = entry.policies == Some(self.rules.policies.generation());
        let due_ms = entry.due_ms(self.rules.waits);
        let Entry { mut facts, mut chain, .. } = entry;
        let more = runs.facts_for(run, &self.rules.policies);
        facts.fold(&more);
        if facts.bytes > self.rules.trace_bytes_max {
            return self.drop_too_large(run.hash, number, facts, now_ms);
        }
        let new = NewRun {
            context: runs.context(run),
            owner: number,
            spans: run.spans,
            pieces: runs.pieces(run),
            led: run.led,
        };
        while self.store.append(&mut chain, &new, due_ms, now_ms).is_err() {
            if self.release_more() {
                continue;
            }
            // No numbers are left for segments. The oldest makes room; if that is this one, it goes on as a late span.
            let gone = self.table.oldest() == Some(number);
            self.decide_oldest(now_ms, Early::Memory);
            if gone {
                let past = self.cache.get(run.hash, now_ms).unwrap_or(Past { kept: false, age_s: 0 });
                return self.follow(runs, run, id, past, now_ms);
            }
        }
        match is_fresh {
            true => self.table.set_facts(number, &facts),
            false => self.fold_stale(number, entry.facts, &more),
        }
        self.table.set_chain(number, chain);
        if run.facts.root {
            self.table.hasten(number, now_ms, self.rules.waits);
        }
        let full = facts.spans >= self.rules.trace_spans_max;
        if full && self.may_wait(facts.spans, is_fresh) {
            self.tally.early_if(self.table.expire(number), Early::Spans);
        } else if full {
            self.tally.early_if(!self.table.is_expired(number), Early::Spans);
            self.decide(number, now_ms, &[], Because::Spans, false);
        }
        while self.bytes() > bounds.bytes && (self.release_more() || self.decide_oldest(now_ms, Early::Memory)) {}
    }

    /// The entry of the trace of `run`, which may be new.
    ///
    /// # Errors
    /// The trace was decided lately, and kept or not.
    fn entry(&mut self, run: &Run, id: [u8; 16], bounds: Bounds, now_ms: u64) -> Result<u32, Past> {
        if let Some(number) = self.table.find(run.hash, &id) {
            return Ok(number);
        }
        if let Some(past) = self.cache.get(run.hash, now_ms) {
            return Err(past);
        }
        while self.table.len() >= bounds.traces && self.decide_oldest(now_ms, Early::Traces) {}
        self.tally.new_trace();
        let keyed = self.rules.keyed;
        Ok(self.table.insert(run.hash, id, now_ms, self.rules.policies.generation(), |id| keyed.hash(id)))
    }

    /// How many traces and bytes may be held while these runs are taken. Where plugins have to be asked, traces that make room
    /// are decided outside of the lock, before others are taken. What is taken at the same time may pass the limits by
    /// an eighth, or by a request that is larger than that; beyond it traces are decided without asking.
    fn bounds(&self, runs: &Runs<'_>, numbers: &[u32]) -> Bounds {
        let (traces, bytes) = (self.rules.traces_max, self.rules.bytes_max);
        if self.rules.policies.samplers().is_empty() {
            return Bounds { traces, bytes };
        }
        let len = |run: &Run| runs.pieces(run).iter().map(|piece| piece.len()).sum::<usize>();
        let new_bytes = numbers.iter().filter_map(|number| runs.get(*number)).map(len).sum();
        let more = numbers.len().max(traces / 8);
        Bounds { traces: (traces + more).min(TRACES_MAX), bytes: bytes + (bytes / 8).max(new_bytes) }
    }

    /// Whether a trace that has all the spans it may have waits for the next tick: for the plugins to be asked about it, or to
    /// be folded anew in pieces. It goes on taking spans for so long, but only an eighth more.
    fn may_wait(&self, spans: u32, is_fresh: bool) -> bool {
        let most = self.rules.trace_spans_max;
        let has_to = !self.rules.policies.samplers().is_empty() || (!is_fresh && spans > refold::SPANS_AT_A_TIME);
        has_to && spans < most.saturating_add(most / 8)
    }

    /// Late spans do as was decided about their trace.
    fn follow(&mut self, runs: &Runs<'_>, run: &Run, id: [u8; 16], past: Past, now_ms: u64) {
        self.tally.late(past, usize::from(run.spans));
        self.history.late(run.hash, id, run.spans.into(), past.kept, &self.rules.policies.roster(), now_ms);
        if past.kept {
            let label = Label::late(&self.rules.labels, self.credits.of(run.hash));
            self.leave(runs, run, &label);
        }
    }

    /// Spans without a trace id belong to no trace: each is decided at once, as a trace of its own. All of them together
    /// would be one giant trace that anybody can feed.
    fn decide_stray(&mut self, runs: &Runs<'_>, run: &Run, answers: &[Answer], now_ms: u64) {
        let Self { rules, tally, ballot, number, .. } = self;
        let facts = runs.facts_for(run, &rules.policies);
        if facts.bytes > rules.trace_bytes_max {
            return tally.too_large(facts.spans as usize);
        }
        let answers = if runs.generation() == rules.policies.generation() { answers } else { &[] };
        let trace = Trace { answers, shard: *number, ..Trace::new(&[0; 16], &facts, now_ms) };
        tally.about(&facts);
        let vote = votes(tally, ballot, false);
        let decision = match rules.on_ingest {
            false => rules.policies.decide(&trace, vote),
            true => rules.policies.decide_on_ingest(&trace, vote).unwrap_or(Decision::NOT_SAMPLED),
        };
        shadow_votes(&rules.policies, &trace, decision, tally, ballot);
        tally.decided(decision, usize::from(run.spans), 0);
        if decision.outcome.keeps() {
            let label = self.label(decision);
            self.leave(runs, run, &label);
        }
    }

    fn drop_too_large(&mut self, hash: u64, number: u32, facts: Facts, now_ms: u64) {
        if let Some(mut entry) = self.remove(hash, number) {
            entry.facts = facts;
            self.unvoted(hash, &entry, Verdict::TooLarge, Because::Size, now_ms);
            self.cache.put(hash, Outcome::NotSampled, now_ms);
            self.tally.too_large(facts.spans as usize);
            self.part(entry.id, entry.chain, None);
        }
    }
}
