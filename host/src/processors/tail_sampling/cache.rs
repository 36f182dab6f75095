//! Which traces were decided lately, and how: so that late spans follow the first decision.
//!
//! A set of 32-bit fingerprints in cuckoo buckets of four, about five and a half bytes an id. There is one set for kept traces
//! and one for the others, each in two generations: when the newer is full, the older is forgotten and takes its place. A set
//! of size `n` remembers at least the last `n` ids and at most twice as many.
//!
//! Beside each fingerprint is a byte that says when the decision was taken: to the second while the generation is
//! younger than four minutes, later to about a hundredth of the time that two generations span.
//!
//! It can mistake one id for another: for about 1 in 10^8 new traces it takes the first span for a late one. What is asked
//! for often stays: an id found in the older generation moves to the newer one.

use super::policies::Outcome;

/// Slots of a bucket.
const WAYS: usize = 4;
/// How full a generation gets, in percent of its slots.
const FILL_PERCENT: usize = 90;
/// Buckets beyond that: few buckets jam long before they are full.
const SPARE_BUCKETS: usize = 16;
/// How many fingerprints may be moved to make room for one, before the generation counts as full.
const KICKS_MAX: usize = 500;
/// Stands for an empty slot.
const EMPTY: u32 = 0;

/// What is remembered of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Whether the trace was kept.
    pub kept: bool,
    /// How long ago it was decided, in seconds, about.
    pub age_s: u64,
}

/// What was decided lately, by the keyed hash of the trace id.
#[derive(Debug)]
pub struct DecisionCache {
    sampled: Generations,
    not_sampled: Generations,
}

impl DecisionCache {
    /// For at least so many ids of either kind; 0 remembers none.
    pub fn new(sampled: usize, not_sampled: usize) -> Self {
        Self { sampled: Generations::new(sampled), not_sampled: Generations::new(not_sampled) }
    }

    /// What was decided about a trace; `None` if it was not decided lately. `now_ms` is on the clock of [`Self::put`].
    pub fn get(&mut self, hash: u64, now_ms: u64) -> Option<Past> {
        let now_s = now_ms / 1000;
        let past = |kept| move |decided_s: u64| Past { kept, age_s: now_s.saturating_sub(decided_s) };
        let sampled = self.sampled.find(hash, now_s).map(past(true));
        sampled.or_else(|| self.not_sampled.find(hash, now_s).map(past(false)))
    }

    /// Whether the trace was decided lately.
    pub fn contains(&mut self, hash: u64) -> bool {
        self.get(hash, 0).is_some()
    }

    /// Remembers a decision.
    pub fn put(&mut self, hash: u64, outcome: Outcome, now_ms: u64) {
        let set = if outcome.keeps() { &mut self.sampled } else { &mut self.not_sampled };
        set.insert(hash, now_ms / 1000);
    }
}

/// Two sets, of which the older is forgotten when the newer is full.
#[derive(Debug)]
struct Generations {
    newer: Cuckoo,
    older: Cuckoo,
}

impl Generations {
    fn new(size: usize) -> Self {
        Self { newer: Cuckoo::new(size), older: Cuckoo::new(size) }
    }

    /// When the decision was taken.
    fn find(&mut self, hash: u64, now_s: u64) -> Option<u64> {
        if self.newer.is_nothing() {
            return None;
        }
        let key = Key::of(hash, self.newer.buckets.len());
        if let Some(decided_s) = self.newer.find(key) {
            return Some(decided_s);
        }
        let decided_s = self.older.find(key)?;
        self.add(key, decided_s, now_s);
        Some(decided_s)
    }

    fn insert(&mut self, hash: u64, now_s: u64) {
        if !self.newer.is_nothing() {
            let key = Key::of(hash, self.newer.buckets.len());
            if self.newer.find(key).is_none() {
                self.add(key, now_s, now_s);
            }
        }
    }

    fn add(&mut self, key: Key, decided_s: u64, now_s: u64) {
        if self.newer.is_full() {
            std::mem::swap(&mut self.newer, &mut self.older);
            // What is found in the older one moves here, with its time.
            let since_s = self.older.began_s;
            self.newer.clear(Clock { since_s, step_s: 1 }, now_s);
        }
        let stamp = self.newer.stamp(decided_s);
        self.newer.insert(key, stamp);
    }
}

/// A fingerprint and one of its two buckets.
#[derive(Clone, Copy, Debug)]
struct Key {
    fingerprint: u32,
    bucket: usize,
}

impl Key {
    fn of(hash: u64, buckets: usize) -> Self {
        // The hash is keyed and good, but some of its bits are the same for all ids of a shard: mix them in.
        let mixed = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mixed ^ mixed >> 29;
        Self { fingerprint: (mixed as u32).max(EMPTY + 1), bucket: scale((mixed >> 32) as u32, buckets) }
    }

    /// The same fingerprint in its other bucket. Doing it twice leads back.
    fn other(self, buckets: usize) -> Self {
        let sum = scale(self.fingerprint.wrapping_mul(0x5bd1_e995).rotate_left(15), buckets);
        Self { bucket: (sum + buckets - self.bucket) % buckets, ..self }
    }
}

/// Maps 32 random bits to a number below `n`.
fn scale(random: u32, n: usize) -> usize {
    ((u64::from(random) * n as u64) >> 32) as usize
}

/// How times are made to fit into a byte: as steps since an instant.
#[derive(Clone, Copy, Debug)]
struct Clock {
    since_s: u64,
    step_s: u64,
}

#[derive(Debug)]
struct Cuckoo {
    buckets: Box<[[u32; WAYS]]>,
    /// When each came.
    stamps: Box<[[u8; WAYS]]>,
    clock: Clock,
    /// When the first decision of this generation was taken.
    began_s: u64,
    len: usize,
    full_at: usize,
    /// Which slot to sacrifice next.
    turn: usize,
    /// A fingerprint found no place: the set is full whatever its count says.
    jammed: bool,
}

impl Cuckoo {
    fn new(size: usize) -> Self {
        let slots = size.saturating_mul(100).div_ceil(FILL_PERCENT);
        let spare = if size == 0 { 0 } else { SPARE_BUCKETS };
        let buckets = (slots.div_ceil(WAYS) + spare).min(u32::MAX as usize);
        Self {
            // Zeroed memory from the system costs nothing until it is touched.
            buckets: vec![[EMPTY; WAYS]; buckets].into_boxed_slice(),
            stamps: vec![[0; WAYS]; buckets].into_boxed_slice(),
            clock: Clock { since_s: 0, step_s: 1 },
            began_s: 0,
            len: 0,
            full_at: size,
            turn: 0,
            jammed: false,
        }
    }

    fn is_nothing(&self) -> bool {
        self.buckets.is_empty()
    }

    fn is_full(&self) -> bool {
        self.jammed || self.len >= self.full_at
    }

    fn clear(&mut self, clock: Clock, now_s: u64) {
        self.buckets.fill([EMPTY; WAYS]);
        self.stamps.fill([0; WAYS]);
        (self.clock, self.began_s) = (clock, now_s);
        self.len = 0;
        self.jammed = false;
    }

    /// The byte for an instant. When the instants no longer fit, all become coarser.
    fn stamp(&mut self, at_s: u64) -> u8 {
        let since_s = at_s.saturating_sub(self.clock.since_s);
        while since_s / self.clock.step_s > u64::from(u8::MAX) {
            self.clock.step_s *= 2;
            let set = self.stamps.iter_mut().flatten().filter(|stamp| **stamp > 0);
            set.for_each(|stamp| *stamp /= 2);
        }
        (since_s / self.clock.step_s) as u8
    }

    /// When the fingerprint came, if it is in this bucket.
    fn find_in(&self, key: Key) -> Option<u64> {
        let slot = self.buckets.get(key.bucket)?.iter().position(|slot| *slot == key.fingerprint)?;
        let stamp = self.stamps.get(key.bucket)?.get(slot)?;
        Some(self.clock.since_s + u64::from(*stamp) * self.clock.step_s)
    }

    /// When the fingerprint came, if it is here.
    fn find(&self, key: Key) -> Option<u64> {
        self.find_in(key).or_else(|| self.find_in(key.other(self.buckets.len())))
    }

    /// Puts the fingerprint into its bucket if that has room.
    fn put(&mut self, key: Key, stamp: u8) -> bool {
        let bucket = (self.buckets.get_mut(key.bucket), self.stamps.get_mut(key.bucket));
        let (Some(bucket), Some(stamps)) = bucket else { return false };
        match bucket.iter_mut().zip(stamps).find(|(slot, _)| **slot == EMPTY) {
            Some((slot, time)) => {
                (*slot, *time) = (key.fingerprint, stamp);
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, mut key: Key, mut stamp: u8) {
        self.len += 1;
        let buckets = self.buckets.len();
        if self.put(key, stamp) {
            return;
        }
        key = key.other(buckets);
        for _ in 0..KICKS_MAX {
            if self.put(key, stamp) {
                return;
            }
            self.turn = self.turn.wrapping_add(1);
            let turn = (self.turn ^ self.turn >> 2) % WAYS;
            if let Some(slot) = self.buckets.get_mut(key.bucket).and_then(|bucket| bucket.get_mut(turn)) {
                std::mem::swap(slot, &mut key.fingerprint);
            }
            if let Some(time) = self.stamps.get_mut(key.bucket).and_then(|stamps| stamps.get_mut(turn)) {
                std::mem::swap(time, &mut stamp);
            }
            key = key.other(buckets);
        }
        // The last fingerprint that was moved is forgotten; at 90 percent this does not happen in practice.
        self.jammed = true;
    }
}

#[cfg(test)]
mod tests;
