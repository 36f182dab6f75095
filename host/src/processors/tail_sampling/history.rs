//! What was decided lately, by whom and on which evidence: the last decisions of a shard.
//!
//! A ring of records of [`Record`]'s 72 bytes and 8 for every 21 votes, with a chained index of 4 bytes over the trace ids.
//! All of it is set aside at the start (the system gives the memory as it is first written) and a decision writes one
//! record: nothing is allocated, moved or searched. The oldest record is overwritten; with it go the names of policies to
//! which only it referred.

use super::ballot::{self, Ballot};
use super::policy::{Facts, Vote};
use super::roster::Roster;
use crate::telemetry::decisions::{Because, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;

/// A decision.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The trace.
    pub id: [u8; 16],
    /// When, in milliseconds of the processor's clock.
    pub decided_ms: u64,
    /// Encoded size of the spans that had arrived.
    pub bytes: u64,
    /// From the earliest start to the latest end, as policies see it.
    pub duration_ns: u64,
    /// How many spans had arrived.
    pub spans: u32,
    /// How many of them had status error.
    pub errors: u32,
    /// From the first span's arrival to the decision.
    pub held_ms: u32,
    /// Spans that came afterwards.
    pub late_spans: u32,
    /// From the decision to the last of them.
    pub late_after_ms: u32,
    /// Number of the roster.
    roster: u32,
    /// Sequence number of the record before with the same place in the index.
    before: u32,
    /// What became of it.
    pub verdict: Verdict,
    /// Why then.
    pub because: Because,
    /// What the shadow policies would have done; `None` if there are none, or if they were not asked.
    pub shadow: Option<Verdict>,
    /// Whether a span without a parent had arrived.
    pub root: bool,
}

/// What is to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// Keyed hash of the id.
    pub hash: u64,
    /// The trace.
    pub id: [u8; 16],
    /// What was known of its spans.
    pub facts: &'a Facts,
    /// When its first span came, in milliseconds of the processor's clock.
    pub arrived_ms: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Why then.
    pub because: Because,
    /// What the shadow policies would have done.
    pub shadow: Option<Verdict>,
    /// Who voted what.
    pub votes: &'a Ballot,
}

/// A record as it is shown.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The decision.
    pub record: Record,
    /// Its votes, packed.
    votes: Vec<u64>,
    /// Who they are.
    pub roster: Arc<Roster>,
}

impl Remembered {
    /// What the policy of this number voted, shadow policies counted behind the real ones.
    pub fn vote(&self, number: usize) -> Option<Vote> {
        ballot::vote(&self.votes, number)
    }
}

/// The last decisions.
#[derive(Debug)]
pub struct History {
    size: usize,
    records: Vec<Record>,
    votes: Vec<u64>,
    /// Words of votes of each record.
    words: usize,
    /// By some bits of the hash, the sequence number of the latest record.
    latest: Box<[u32]>,
    /// Where the next record goes, once the ring is full.
    next: usize,
    /// How many there ever were: the sequence number of the latest, which may have begun again at 0.
    total: u32,
    /// Those that records refer to, in the order of time, and the present one.
    rosters: VecDeque<Arc<Roster>>,
}

impl History {
    /// Of so many decisions by so many voters; 0 remembers none.
    pub fn new(size: usize, voters: usize) -> Self {
        let words = ballot::words_for(voters);
        Self {
            size,
            records: Vec::with_capacity(size),
            votes: vec![0; size * words],
            words,
            latest: vec![0; size].into_boxed_slice(),
            next: 0,
            total: 0,
            rosters: VecDeque::new(),
        }
    }

    /// How many decisions it remembers at most.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many decisions it remembers.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing has been forgotten yet.
    pub fn is_whole(&self) -> bool {
        self.total as usize == self.records.len()
    }

    /// Memory that it takes when it is full, in bytes.
    pub fn bytes(&self) -> usize {
        self.size * (size_of::<Record>() + self.words * size_of::<u64>() + size_of::<u32>())
    }

    /// When the oldest decision was made.
    pub fn reaches_back_to(&self) -> Option<u64> {
        self.record(self.records.len().checked_sub(1)?).map(|record| record.decided_ms)
    }

    /// Remembers what those of `roster` decided.
    pub fn put(&mut self, decided: &Decided<'_>, roster: &Arc<Roster>, now_ms: u64) {
        let Decided { hash, id, facts, arrived_ms, verdict, because, shadow, votes } = *decided;
        let record = Record {
            id,
            decided_ms: now_ms,
            bytes: facts.bytes,
            duration_ns: facts.end_ns.saturating_sub(facts.start_ns),
            spans: facts.spans,
            errors: facts.errors,
            held_ms: short(now_ms.saturating_sub(arrived_ms)),
            late_spans: 0,
            late_after_ms: 0,
            roster: roster.number,
            before: 0,
            verdict,
            because,
            shadow,
            root: facts.root,
        };
        self.push(hash, record, votes.words(), roster);
    }

    /// Spans of a trace came after its decision. If that is forgotten, that they came is remembered by itself.
    pub fn late(&mut self, hash: u64, id: [u8; 16], spans: u32, kept: bool, roster: &Arc<Roster>, now_ms: u64) {
        let of_trace = |age: &usize| self.record(*age).is_some_and(|record| record.id == id);
        let latest = self.ages(hash).find(of_trace);
        if let Some(age) = latest {
            let slot = self.slot(age);
            if let Some(record) = self.records.get_mut(slot) {
                record.late_spans = record.late_spans.saturating_add(spans);
                record.late_after_ms = short(now_ms.saturating_sub(record.decided_ms));
            }
            return;
        }
        let record = Record {
            id,
            decided_ms: now_ms,
            bytes: 0,
            duration_ns: 0,
            spans: 0,
            errors: 0,
            held_ms: 0,
            late_spans: spans,
            late_after_ms: 0,
            roster: roster.number,
            before: 0,
            verdict: if kept { Verdict::Sampled } else { Verdict::NotSampled },
            because: Because::Late,
            shadow: None,
            root: false,
        };
        self.push(hash, record, &[], roster);
    }

    /// The decisions about a trace, the latest first.
    pub fn about(&self, hash: u64, id: &[u8; 16]) -> Vec<Remembered> {
        let ages = self.ages(hash).filter(|age| self.record(*age).is_some_and(|record| record.id == *id));
        ages.filter_map(|age| self.remembered(age)).collect()
    }

    /// Looks at the decisions from the one that was the latest when there were `total` in all, or from the latest, towards
    /// the past: at most `most` of them. Gives where to go on.
    pub fn look_back(&self, total: Option<u32>, most: usize, mut each: impl FnMut(Look<'_>)) -> Option<u32> {
        let first = self.total.wrapping_sub(total.unwrap_or(self.total)) as usize;
        let end = self.records.len().min(first.saturating_add(most));
        let ages = first..end;
        ages.for_each(|age| each(Look { history: self, age }));
        (end < self.records.len()).then(|| self.total.wrapping_sub(end as u32))
    }

    fn push(&mut self, hash: u64, mut record: Record, votes: &[u64], roster: &Arc<Roster>) {
        if self.size == 0 {
            return;
        }
        if !self.rosters.back().is_some_and(|back| Arc::ptr_eq(back, roster)) {
            self.widen(ballot::words_for(roster.voters()));
            self.rosters.push_back(Arc::clone(roster));
        }
        self.total = self.total.wrapping_add(1);
        if let Some(latest) = place(hash, self.size).and_then(|place| self.latest.get_mut(place)) {
            record.before = std::mem::replace(latest, self.total);
        }
        let slot = self.next;
        match self.records.get_mut(slot) {
            Some(old) => *old = record,
            None => self.records.push(record),
        }
        self.next = if slot + 1 == self.size { 0 } else { slot + 1 };
        let mut votes = votes.iter().copied();
        for word in self.votes.iter_mut().skip(slot * self.words).take(self.words) {
            *word = votes.next().unwrap_or(0);
        }
        self.forget_rosters();
    }

    /// Drops the rosters in front of that of the oldest record.
    fn forget_rosters(&mut self) {
        if self.rosters.len() < 2 {
            return;
        }
        let oldest = self.record(self.records.len().saturating_sub(1)).map_or(0, |record| record.roster);
        while self.rosters.len() > 1 && self.rosters.front().is_some_and(|front| front.number != oldest) {
            self.rosters.pop_front();
        }
    }

    /// Makes room for so many words of votes in each record: policies were added.
    fn widen(&mut self, words: usize) {
        if words <= self.words {
            return;
        }
        let mut wider = vec![0; self.size * words];
        if self.words > 0 {
            for (new, old) in wider.chunks_exact_mut(words).zip(self.votes.chunks_exact(self.words)) {
                new.iter_mut().zip(old).for_each(|(new, old)| *new = *old);
            }
        }
        (self.votes, self.words) = (wider, words);
    }

    /// Ages of the records that stand at one place of the index; the latest record of all has age 0.
    fn ages(&self, hash: u64) -> impl Iterator<Item = usize> {
        let mut next = place(hash, self.size).and_then(|place| self.latest.get(place)).copied();
        let mut known = None;
        std::iter::from_fn(move || {
            let age = self.total.wrapping_sub(next?) as usize;
            // What is overwritten is older than all; ages grow along a chain, or it is not one.
            if age >= self.records.len() || known.is_some_and(|known| age <= known) {
                return None;
            }
            known = Some(age);
            next = self.record(age).map(|record| record.before);
            Some(age)
        })
    }

    fn slot(&self, age: usize) -> usize {
        (self.next + self.size - 1 - age) % self.size.max(1)
    }

    fn record(&self, age: usize) -> Option<&Record> {
        if age >= self.records.len() { None } else { self.records.get(self.slot(age)) }
    }

    fn remembered(&self, age: usize) -> Option<Remembered> {
        let look = Look { history: self, age };
        Some(Remembered { record: *look.record()?, votes: look.votes().to_vec(), roster: Arc::clone(look.roster()?) })
    }
}

/// One decision, where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    history: &'a History,
    age: usize,
}

impl<'a> Look<'a> {
    /// The decision.
    pub fn record(self) -> Option<&'a Record> {
        self.history.record(self.age)
    }

    /// Whose it was.
    pub fn roster(self) -> Option<&'a Arc<Roster>> {
        let number = self.record()?.roster;
        self.history.rosters.iter().rev().find(|roster| roster.number == number)
    }

    /// What the policy of this number voted.
    pub fn vote(self, number: usize) -> Option<Vote> {
        ballot::vote(self.votes(), number)
    }

    /// A copy to take out of the lock.
    pub fn remember(self) -> Option<Remembered> {
        self.history.remembered(self.age)
    }

    fn votes(self) -> &'a [u64] {
        let start = self.history.slot(self.age) * self.history.words;
        self.history.votes.get(start..start + self.history.words).unwrap_or_default()
    }
}

/// Place in the index: bits of the hash by which no shard is chosen.
fn place(hash: u64, size: usize) -> Option<usize> {
    let random = hash >> 40 ^ hash << 8 & 0xffff_ffff;
    let place = (u128::from(random & 0xffff_ffff) * size as u128) >> 32;
    usize::try_from(place).ok().filter(|place| *place < size)
}

fn short(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
