//! Traces are decided: those that are due, or the oldest because there is no room.

use super::refold::OTHERS;
use super::{SLICE, Shard};
use crate::processors::tail_sampling::ballot::Ballot;
use crate::processors::tail_sampling::history::Decided;
use crate::processors::tail_sampling::policies::{Decision, Policies};
use crate::processors::tail_sampling::policy::{Answer, Trace, Vote};
use crate::processors::tail_sampling::table::Entry;
use crate::processors::tail_sampling::tally::{Drop, Early, Tally};
use crate::telemetry::decisions::{Because, Verdict};

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

/// How a trace ended.
pub(super) struct Ended {
    pub(super) decision: Decision,
    /// What the shadow policies would have done.
    pub(super) shadow: Option<Verdict>,
    pub(super) because: Because,
}

impl Shard {
    /// Decides at most [`SLICE`] of these traces, without asking any plugin. Returns whether there are more.
    pub fn decide_some(&mut self, which: Which, now_ms: u64) -> bool {
        self.refold.begin();
        let (mut decided, mut is_behind) = (0, false);
        while decided < SLICE
            && let Some((due_ms, number)) = self.table.next_due(self.rules.waits)
            && (which == Which::Any || due_ms <= now_ms)
        {
            is_behind = !self.freshen(number);
            if is_behind {
                break;
            }
            let because = self.because(which);
            self.decide(number, now_ms, &[], because, decided == 0);
            decided += 1;
        }
        self.tally.extrapolate(decided as u64);
        is_behind || decided == SLICE
    }

    /// Why one of these is decided now. Where there has to be room it is before its time, and counted.
    pub(super) fn because(&mut self, which: Which) -> Because {
        match which {
            Which::Due => Because::Due,
            Which::Any => Because::Shutdown,
            Which::Oldest { .. } => {
                let full = self.table.len() >= self.rules.traces_max;
                let early = if full { Early::Traces } else { Early::Memory };
                self.tally.early(early);
                early.into()
            }
        }
    }

    /// Decides the oldest trace, before its time. Returns whether there was one.
    pub(super) fn decide_oldest(&mut self, now_ms: u64, why: Early) -> bool {
        let Some(mut number) = self.table.oldest() else { return false };
        if !self.freshen(number) {
            // One of the next, rather than to fold a giant anew while a sender waits.
            let mut others = self.table.by_age().take(OTHERS);
            number = others.find(|other| self.is_fresh(*other) == Some(true)).unwrap_or(number);
        }
        self.tally.early(why);
        self.decide(number, now_ms, &[], why.into(), false);
        true
    }

    /// Decides a trace. One of a slice is `timed` for all of them: clocks cost more than votes.
    pub(super) fn decide(&mut self, number: u32, now_ms: u64, answers: &[Answer], because: Because, timed: bool) {
        let Some(entry) = self.known(number) else { return };
        self.ballot.clear();
        let Self { tally, ballot, rules, .. } = self;
        let (Entry { id, facts, planned, .. }, because) = (&entry, entry.because(because));
        let trace = Trace { answers, shard: self.number, planned: *planned, ..Trace::new(id, facts, now_ms) };
        tally.about(facts);
        let decision = match rules.on_ingest {
            false => rules.policies.decide(&trace, votes(tally, ballot, timed)),
            // They voted on every span as it arrived, and nobody wanted it.
            true => Decision::NOT_SAMPLED,
        };
        let shadow = shadow_votes(&rules.policies, &trace, decision, tally, ballot);
        let hash = rules.keyed.hash(id);
        self.finish(number, hash, Ended { decision, shadow, because }, now_ms);
    }

    /// The trace is decided: its spans go out or away. The votes are on the ballot.
    pub(super) fn finish(&mut self, number: u32, hash: u64, ended: Ended, now_ms: u64) {
        let Ended { decision, shadow, because } = ended;
        let label = decision.outcome.keeps().then(|| self.label(decision));
        let Some(entry) = self.remove(hash, number) else { return };
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

    /// A trace leaves without anybody having voted.
    pub(super) fn unvoted(&mut self, hash: u64, entry: &Entry, verdict: Verdict, because: Because, now_ms: u64) {
        self.ballot.clear();
        let Self { ballot: votes, history, rules, .. } = self;
        let Entry { id, facts, arrived_ms, .. } = entry;
        let decided = Decided { hash, id: *id, facts, arrived_ms: *arrived_ms, verdict, because, shadow: None, votes };
        history.put(&decided, &rules.policies.roster(), now_ms);
    }

    /// Drops at most [`SLICE`] undecided traces because this is the end. Returns whether there are more.
    pub fn drop_any(&mut self, now_ms: u64) -> bool {
        for _ in 0..SLICE {
            let next = self.table.next_due(self.rules.waits);
            let Some((number, id)) = next.and_then(|(_, at)| Some((at, self.table.get(at)?.id))) else { return false };
            let hash = self.rules.keyed.hash(&id);
            if let Some(entry) = self.remove(hash, number) {
                self.unvoted(hash, &entry, Verdict::Undecided, Because::Shutdown, now_ms);
                self.part(entry.id, entry.chain, None);
                self.tally.dropped(Drop::Shutdown, entry.facts.spans as usize);
            }
        }
        true
    }
}

/// Asks the shadow policies, if there are any, behind the others.
pub(super) fn shadow_votes(
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
pub(super) fn votes(tally: &mut Tally, ballot: &mut Ballot, timed: bool) -> impl FnMut(usize, Vote) {
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
