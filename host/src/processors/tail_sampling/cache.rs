//! Which traces were decided lately, and how: so that late spans follow the first decision.
//!
//! A set of 32-bit fingerprints in cuckoo buckets of four, about four bytes an id. There is one set for kept traces and
//! one for the others, each in two generations: when the newer is full, the older is forgotten and takes its place. A set
//! of size `n` remembers at least the last `n` ids and at most twice as many.
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

    /// Whether the trace was kept; `None` if it was not decided lately.
    pub fn get(&mut self, hash: u64) -> Option<bool> {
        if self.sampled.contains(hash) {
            Some(true)
        } else if self.not_sampled.contains(hash) {
            Some(false)
        } else {
            None
        }
    }

    /// Remembers a decision.
    pub fn put(&mut self, hash: u64, outcome: Outcome) {
        if outcome.keeps() { self.sampled.insert(hash) } else { self.not_sampled.insert(hash) }
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

    fn contains(&mut self, hash: u64) -> bool {
        if self.newer.is_nothing() {
            return false;
        }
        let key = Key::of(hash, self.newer.buckets.len());
        if self.newer.contains(key) {
            return true;
        }
        if !self.older.contains(key) {
            return false;
        }
        self.add(key);
        true
    }

    fn insert(&mut self, hash: u64) {
        if !self.newer.is_nothing() {
            let key = Key::of(hash, self.newer.buckets.len());
            if !self.newer.contains(key) {
                self.add(key);
            }
        }
    }

    fn add(&mut self, key: Key) {
        if self.newer.is_full() {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(key);
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

#[derive(Debug)]
struct Cuckoo {
    buckets: Box<[[u32; WAYS]]>,
    len: usize,
    full_at: usize,
    /// Which slot to sacrifice next.
    turn: usize,
    /// A fingerprint found no place: the set is full whatever its count says.
    jammed: bool,
}

impl Cuckoo {
    fn new(size: usize) -> Self {
        // Zeroed memory from the system costs nothing until it is touched.
        let slots = size.saturating_mul(100).div_ceil(FILL_PERCENT);
        let spare = if size == 0 { 0 } else { SPARE_BUCKETS };
        let buckets = (slots.div_ceil(WAYS) + spare).min(u32::MAX as usize);
        Self { buckets: vec![[EMPTY; WAYS]; buckets].into_boxed_slice(), len: 0, full_at: size, turn: 0, jammed: false }
    }

    fn is_nothing(&self) -> bool {
        self.buckets.is_empty()
    }

    fn is_full(&self) -> bool {
        self.jammed || self.len >= self.full_at
    }

    fn clear(&mut self) {
        self.buckets.fill([EMPTY; WAYS]);
        self.len = 0;
        self.jammed = false;
    }

    fn holds(&self, key: Key) -> bool {
        self.buckets.get(key.bucket).is_some_and(|bucket| bucket.contains(&key.fingerprint))
    }

    fn contains(&self, key: Key) -> bool {
        self.holds(key) || self.holds(key.other(self.buckets.len()))
    }

    /// Puts the fingerprint into its bucket if that has room.
    fn put(&mut self, key: Key) -> bool {
        let free = self.buckets.get_mut(key.bucket).and_then(|bucket| bucket.iter_mut().find(|slot| **slot == EMPTY));
        match free {
            Some(slot) => {
                *slot = key.fingerprint;
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, key: Key) {
        self.len += 1;
        let buckets = self.buckets.len();
        let mut key = key;
        if self.put(key) {
            return;
        }
        key = key.other(buckets);
        for _ in 0..KICKS_MAX {
            if self.put(key) {
                return;
            }
            self.turn = self.turn.wrapping_add(1);
            let turn = (self.turn ^ self.turn >> 2) % WAYS;
            if let Some(slot) = self.buckets.get_mut(key.bucket).and_then(|bucket| bucket.get_mut(turn)) {
                std::mem::swap(slot, &mut key.fingerprint);
            }
            key = key.other(buckets);
        }
        // The last fingerprint that was moved is forgotten; at 90 percent this does not happen in practice.
        self.jammed = true;
    }
}

#[cfg(test)]
mod tests;
