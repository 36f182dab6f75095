//! A part of the traces, chosen by a hash of their ids, behind one short lock of its own.
//!
//! Everything here happens inside that lock and ends soon: the runs of one request are appended, or at most
//! [`SLICE`] traces are decided, or one segment is compacted. Nothing waits.

mod ingest;
mod plan;

use super::ballot::Ballot;
use super::cache::{DecisionCache, Past};
use super::credits::Credits;
use super::fold;
use super::history::{Decided, History};
use super::intake::{Keyed, Run, Runs};
use super::leave::{Label, Labels, Leaving};
use super::policies::{Decision, Outcome, Policies};
use super::policy::{Answer, Facts, Trace, Vote};
use super::regroup::Unwritable;
use super::shown::{Answers, Gather, Shown};
use super::store::{Chain, Chains, Division, NewRun, Portion, Store};
use super::table::{Entry, Table, Waits};
use super::tally::{Drop, Early, Tally};
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

impl Which {
    /// Why they are decided; the oldest because there is no room.
    fn because(self) -> Because {
        match self {
            Self::Due => Because::Due,
            Self::Any => Because::Shutdown,
            Self::Oldest { .. } => Because::Traces,
        }
    }
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
        self.rules = Rules { bytes_max, ..rules };
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
        let Some((mut facts, mut chain)) = self.known(number) else { return };
        let due_ms = self.table.get(number).map_or(now_ms, |entry| entry.due_ms(self.rules.waits));
        facts.fold(&runs.facts_for(run, &self.rules.policies));
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
            let gone = self.table.next_due(self.rules.waits).is_some_and(|(_, next)| next == number);
            self.decide_next(now_ms, Early::Memory);
            if gone {
                let past = self.cache.get(run.hash, now_ms).unwrap_or(Past { kept: false, age_s: 0 });
                return self.follow(runs, run, id, past, now_ms);
            }
        }
        self.table.set_facts(number, &facts, self.rules.policies.generation());
        self.table.set_chain(number, chain);
        if run.facts.root {
            self.table.hasten(number, now_ms, self.rules.waits);
        }
        let full = facts.spans >= self.rules.trace_spans_max;
        if full && self.may_ask(facts.spans) {
            // Those who have to be asked are asked at the next tick.
            self.tally.early_if(self.table.expire(number), Early::Spans);
        } else if full {
            self.tally.early_if(!self.table.is_expired(number), Early::Spans);
            self.decide(number, now_ms, &[], Because::Spans, false);
        }
        while self.bytes() > bounds.bytes && (self.release_more() || self.decide_next(now_ms, Early::Memory)) {}
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
        while self.table.len() >= bounds.traces && self.decide_next(now_ms, Early::Traces) {}
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
        Bounds { traces: traces + numbers.len().max(traces / 8), bytes: bytes + (bytes / 8).max(new_bytes) }
    }

    /// Whether a trace that has all the spans it may have waits for the plugins to be asked about it. It goes on taking
    /// spans for so long, but only an eighth more.
    fn may_ask(&self, spans: u32) -> bool {
        let most = self.rules.trace_spans_max;
        !self.rules.policies.samplers().is_empty() && spans < most.saturating_add(most / 8)
    }

    /// What is known of a trace, for the policies of now, and where its spans are.
    fn known(&mut self, number: u32) -> Option<(Facts, Chain)> {
        let Self { table, store, rules, .. } = self;
        let mut entry = table.get(number)?;
        if entry.policies != rules.policies.generation() {
            let mut facts = Facts::default();
            store.visit(entry.chain, &entry.id, |run| facts.fold(&fold::run(&run.context, run.bytes, &rules.policies)));
            // Resources and scopes are not held once for each request that they came with.
            facts.bytes = entry.facts.bytes;
            table.set_facts(number, &facts, rules.policies.generation());
            entry.facts = facts;
        }
        Some((entry.facts, entry.chain))
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

    /// A run goes out without having been stored.
    fn leave(&mut self, runs: &Runs<'_>, run: &Run, label: &Label) {
        let Self { leaving, ready, tally, .. } = self;
        let ready = &mut |batch| put(ready, tally, batch);
        let unparseable = leaving.add(&runs.context(run), run.spans, runs.pieces(run), label, ready);
        tally.unparseable_tracestate(unparseable);
    }

    /// What is to be written on the spans of the trace about which this was decided just now.
    fn label(&self, decision: Decision) -> Label {
        Label::new(&self.rules.labels, &self.rules.policies, decision, self.number)
    }

    fn drop_too_large(&mut self, hash: u64, number: u32, facts: Facts, now_ms: u64) {
        if let Some(mut entry) = self.table.remove(hash, number) {
            entry.facts = facts;
            self.unvoted(hash, &entry, Verdict::TooLarge, Because::Size, now_ms);
            self.cache.put(hash, Outcome::NotSampled, now_ms);
            self.tally.too_large(facts.spans as usize);
            self.part(entry.id, entry.chain, None);
        }
    }

    /// A trace leaves without anybody having voted.
    fn unvoted(&mut self, hash: u64, entry: &Entry, verdict: Verdict, because: Because, now_ms: u64) {
        self.ballot.clear();
        let Self { ballot: votes, history, rules, .. } = self;
        let Entry { id, facts, arrived_ms, .. } = entry;
        let decided = Decided { hash, id: *id, facts, arrived_ms: *arrived_ms, verdict, because, shadow: None, votes };
        history.put(&decided, &rules.policies.roster(), now_ms);
    }

    /// Decides at most [`SLICE`] of these traces, without asking any plugin. Returns whether there are more.
    pub fn decide_some(&mut self, which: Which, now_ms: u64) -> bool {
        let mut decided = 0;
        while decided < SLICE
            && let Some((due_ms, number)) = self.table.next_due(self.rules.waits)
            && (which == Which::Any || due_ms <= now_ms)
        {
            self.decide(number, now_ms, &[], which.because(), decided == 0);
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
            let Some((facts, chain)) = self.known(number) else { continue };
            let Some(id) = self.table.get(number).map(|entry| entry.id) else { continue };
            let mut trace = gather.open(id, self.rules.keyed.hash(&id), facts);
            self.store.visit(chain, &id, |run| trace.run(&run));
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
            let mut because = which.because();
            if let Which::Oldest { .. } = which {
                let full = self.table.len() >= self.rules.traces_max;
                let early = if full { Early::Traces } else { Early::Memory };
                self.tally.early(early);
                because = early.into();
            }
            self.decide(number, now_ms, answers.of(at), because, decided == 0);
            decided += 1;
        }
        self.tally.extrapolate(decided);
    }

    /// Drops at most [`SLICE`] undecided traces because this is the end. Returns whether there are more.
    pub fn drop_any(&mut self, now_ms: u64) -> bool {
        for _ in 0..SLICE {
            let next = self.table.next_due(self.rules.waits);
            let Some((number, id)) = next.and_then(|(_, at)| Some((at, self.table.get(at)?.id))) else { return false };
            let hash = self.rules.keyed.hash(&id);
            if let Some(entry) = self.table.remove(hash, number) {
                self.unvoted(hash, &entry, Verdict::Undecided, Because::Shutdown, now_ms);
                self.part(entry.id, entry.chain, None);
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
        let until_ms = now_ms + self.rules.waits.full_ms / 4;
        let Some(slot) = self.store.worth_compacting(until_ms) else { return false };
        self.store.compact(slot, &mut Owners(&mut self.table), now_ms).is_ok()
    }

    /// Decides the trace that would be decided next, before its time. Returns whether there was one.
    fn decide_next(&mut self, now_ms: u64, why: Early) -> bool {
        let Some((_, number)) = self.table.next_due(self.rules.waits) else { return false };
        self.tally.early(why);
        self.decide(number, now_ms, &[], why.into(), false);
        true
    }

    /// Decides a trace. One of a slice is `timed` for all of them: clocks cost more than votes.
    fn decide(&mut self, number: u32, now_ms: u64, answers: &[Answer], because: Because, timed: bool) {
        let Some((facts, _)) = self.known(number) else { return };
        self.ballot.clear();
        let Self { table, tally, ballot, rules, .. } = self;
        let Some(entry) = table.get(number) else { return };
        let (planned, because) = (entry.planned, entry.because(because));
        let trace = Trace { answers, shard: self.number, planned, ..Trace::new(&entry.id, &facts, now_ms) };
        tally.about(&facts);
        let decision = match rules.on_ingest {
            false => rules.policies.decide(&trace, votes(tally, ballot, timed)),
            // They voted on every span as it arrived, and nobody wanted it.
            true => Decision::NOT_SAMPLED,
        };
        let shadow = shadow_votes(&rules.policies, &trace, decision, tally, ballot);
        let hash = rules.keyed.hash(&entry.id);
        self.finish(number, hash, Ended { decision, shadow, because }, now_ms);
    }

    /// The trace is decided: its spans go out or away. The votes are on the ballot.
    fn finish(&mut self, number: u32, hash: u64, ended: Ended, now_ms: u64) {
        let Ended { decision, shadow, because } = ended;
        let label = decision.outcome.keeps().then(|| self.label(decision));
        let Some(entry) = self.table.remove(hash, number) else { return };
        let decided = Decided {
            hash,
            id: entry.id,
            facts: &entry.facts,
            arrived_ms: entry.arrived_ms,
            verdict: decision.outcome.into(),
            because,
            shadow,
            votes: &self.ballot,
        };
        self.history.put(&decided, &self.rules.policies.roster(), now_ms);
        self.tally.decided(decision, entry.facts.spans as usize, now_ms.saturating_sub(entry.arrived_ms));
        self.cache.put(hash, decision.outcome, now_ms);
        if let Some(label) = &label {
            self.credits.put(hash, label.policy());
        }
        self.part(entry.id, entry.chain, label);
    }

    /// The spans of a decided trace go out with a label, or away; some of them later, if it has many.
    fn part(&mut self, id: [u8; 16], mut chain: Chain, label: Option<Label>) {
        let Self { store, leaving, ready, tally, left, .. } = self;
        let mut unparseable = 0;
        match &label {
            Some(label) => store.release(&mut chain, &id, left, |run| {
                let ready = &mut |batch| put(ready, tally, batch);
                unparseable += leaving.add(&run.context, run.spans, [run.bytes, &[]], label, ready);
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

/// How a trace ended.
struct Ended {
    decision: Decision,
    /// What the shadow policies would have done.
    shadow: Option<Verdict>,
    because: Because,
}

/// Asks the shadow policies, if there are any, behind the others.
fn shadow_votes(
    policies: &Policies,
    trace: &Trace<'_>,
    decision: Decision,
    tally: &mut Tally,
    ballot: &mut Ballot,
) -> Option<Verdict> {
    let vote = |policy, vote| ballot.put(policies.count() + policy, vote);
    policies.shadow().map(|shadow| shadow.decide(trace, decision, &mut tally.shadow, vote).into())
}

/// Counts votes, and the time of each if they are timed, and puts them on the ballot.
fn votes(tally: &mut Tally, ballot: &mut Ballot, timed: bool) -> impl FnMut(usize, Vote) {
    let mut clock = timed.then(std::time::Instant::now);
    move |policy, vote| {
        tally.vote(policy, vote);
        ballot.put(policy, vote);
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
