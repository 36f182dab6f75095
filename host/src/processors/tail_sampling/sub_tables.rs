//! A hash table of numbers, cut into many small ones: each grows by itself, so that growing is no pause.
//!
//! A number takes four and a half to seven bytes, and five or six of a million. It stands in a word of four, with eight bits of its
//! hash above it, so that hardly any other is looked at in vain; words stand in buckets of a cache line each. Where a bucket is
//! full the next one takes what comes, and counts are kept of what had to go on, so that who searches knows where to stop. A table
//! grows by an eighth to a quarter, and not all by the same: they are never half empty, and hardly ever grow all at once.

use super::memory::Memory;

/// How many tables.
const COUNT: usize = 256;
/// Numbers are smaller than this one, which is none.
pub(super) const NUMBER_MAX: u32 = NUMBER;
/// Bits of a word that are the number, plus one: a word that is 0 is free.
const NUMBER: u32 = (1 << TAG_AT) - 1;
/// Above it are bits of the hash.
const TAG_AT: u32 = 24;
/// Words of a bucket.
const WORDS: usize = 16;
/// Bytes of a bucket.
const BUCKET: usize = WORDS * size_of::<u32>();
/// Buckets of a page of memory.
const PAGE: usize = 4096 / BUCKET;
/// Tables of so many or more have whole pages, which go back to the system when a table grows.
const PAGED_MIN: usize = 2 * PAGE;
/// How full a table gets, in percent.
const FULL_PERCENT: usize = 90;
/// And how empty, before it shrinks.
const EMPTY_PERCENT: usize = 20;

/// Numbers of things that are found by a hash.
#[derive(Debug)]
pub(super) struct SubTables {
    tables: Box<[Table]>,
    /// Numbers for which each keeps room.
    each: usize,
}

impl SubTables {
    /// What a number takes, in the mean.
    pub(super) const BYTES: usize = 5;

    /// With room for `expected` numbers at all times.
    pub(super) fn new(expected: usize) -> Self {
        let each = expected.div_ceil(COUNT);
        Self { tables: (0..COUNT).map(|_| Table::new(buckets_for(each))).collect(), each }
    }

    /// The number with this hash that is meant.
    pub(super) fn find(&self, hash: u64, is_meant: impl FnMut(&u32) -> bool) -> Option<u32> {
        self.tables.get(of(hash))?.find(hash, is_meant)
    }

    /// Adds a number that is not here, smaller than [`NUMBER_MAX`]. `rehash` gives the hash of a number.
    pub(super) fn insert(&mut self, hash: u64, number: u32, rehash: impl Fn(&u32) -> u64) {
        let Some(table) = self.tables.get_mut(of(hash)) else { return };
        let room = table.buckets() * WORDS;
        if (table.len + 1) * 100 > room * FULL_PERCENT {
            let eighth = table.buckets() / 8 + 1;
            let more = eighth + hash as usize % eighth;
            table.resize(table.buckets() + more, rehash);
        } else if table.len * 100 < room * EMPTY_PERCENT && table.buckets() > whole(buckets_for(self.each)) + 1 {
            // There was a peak.
            table.resize(buckets_for((table.len * 2 + 1).max(self.each)), rehash);
        }
        table.insert(hash, number);
    }

    /// Takes out a number.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        let Some(table) = self.tables.get_mut(of(hash)) else { return };
        table.remove(hash, number);
        if table.len == 0 && table.buckets() > whole(buckets_for(self.each)) + 4 {
            *table = Table::new(buckets_for(self.each));
        }
    }
}

/// Bits that neither the choice of the shard nor a table itself uses.
fn of(hash: u64) -> usize {
    (hash >> 40) as usize % COUNT
}

/// So many have room for these numbers.
fn buckets_for(numbers: usize) -> usize {
    (numbers * 100).div_ceil(WORDS * FULL_PERCENT)
}

/// So many or a few more.
fn whole(buckets: usize) -> usize {
    if buckets < PAGED_MIN { buckets } else { buckets.next_multiple_of(PAGE) }
}

#[derive(Debug)]
struct Table {
    words: Memory,
    /// For each bucket, how many numbers found no room in it and went on to the next one; [`u8::MAX`] is any number of them.
    passed: Box<[u8]>,
    len: usize,
}

impl Table {
    /// With so many buckets, or a few more.
    fn new(buckets: usize) -> Self {
        let buckets = whole(buckets);
        Self { words: Memory::new(buckets * BUCKET), passed: vec![0; buckets].into_boxed_slice(), len: 0 }
    }

    fn buckets(&self) -> usize {
        self.passed.len()
    }

    /// Where a number with this hash is put, if there is room.
    fn home(&self, hash: u64) -> usize {
        let random = hash & u64::from(NUMBER);
        ((random * self.buckets() as u64) >> TAG_AT) as usize
    }

    fn behind(&self, at: usize) -> usize {
        if at + 1 < self.buckets() { at + 1 } else { 0 }
    }

    fn bucket(&self, at: usize) -> Option<[u32; WORDS]> {
        let bytes: &[u8; BUCKET] = self.words.bytes().get(at * BUCKET..)?.first_chunk()?;
        let (words, _) = bytes.as_chunks::<{ size_of::<u32>() }>();
        let mut bucket = [0; WORDS];
        bucket.iter_mut().zip(words).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
        Some(bucket)
    }

    fn set(&mut self, at: usize, place: usize, word: u32) {
        let start = at * BUCKET + place * size_of::<u32>();
        if let Some(bytes) = self.words.bytes_mut().get_mut(start..start + size_of::<u32>()) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn find(&self, hash: u64, mut is_meant: impl FnMut(&u32) -> bool) -> Option<u32> {
        let (tag, mut at) = (tag(hash), self.home(hash));
        for _ in 0..self.buckets() {
            let bucket = self.bucket(at)?;
            let mut alike = places(&bucket, |word| word & !NUMBER == tag && word & NUMBER != 0);
            while alike != 0 {
                let word = bucket.get(alike.trailing_zeros() as usize)?;
                let number = (word & NUMBER) - 1;
                if is_meant(&number) {
                    return Some(number);
                }
                alike &= alike - 1;
            }
            if *self.passed.get(at)? == 0 {
                return None;
            }
            at = self.behind(at);
        }
        None
    }

    /// Puts in a number; there is room.
    fn insert(&mut self, hash: u64, number: u32) {
        let mut at = self.home(hash);
        for _ in 0..self.buckets() {
            let Some(bucket) = self.bucket(at) else { return };
            let free = places(&bucket, |word| word == 0);
            if free != 0 {
                self.set(at, free.trailing_zeros() as usize, tag(hash) | (number + 1));
                self.len += 1;
                return;
            }
            if let Some(passed) = self.passed.get_mut(at) {
                *passed = passed.saturating_add(1);
            }
            at = self.behind(at);
        }
    }

    fn remove(&mut self, hash: u64, number: u32) {
        let (home, word) = (self.home(hash), tag(hash) | (number + 1));
        let mut at = home;
        for _ in 0..self.buckets() {
            let Some(bucket) = self.bucket(at) else { return };
            let here = places(&bucket, |other| other == word);
            if here != 0 {
                self.set(at, here.trailing_zeros() as usize, 0);
                self.len -= 1;
                break;
            }
            if self.passed.get(at) == Some(&0) {
                return;
            }
            at = self.behind(at);
        }
        let mut before = home;
        while before != at {
            // One that is at its largest may stand for more.
            if let Some(passed) = self.passed.get_mut(before).filter(|passed| **passed < u8::MAX) {
                *passed -= 1;
            }
            before = self.behind(before);
        }
    }

    fn resize(&mut self, buckets: usize, rehash: impl Fn(&u32) -> u64) {
        let old = std::mem::replace(self, Self::new(buckets));
        for bucket in (0..old.buckets()).filter_map(|at| old.bucket(at)) {
            for word in bucket.into_iter().filter(|word| *word != 0) {
                let number = (word & NUMBER) - 1;
                self.insert(rehash(&number), number);
            }
        }
    }
}

/// The bits of a hash that stand above the number.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !NUMBER
}

/// The places in a bucket of which something is so, one bit for each.
fn places(bucket: &[u32; WORDS], is_so: impl Fn(u32) -> bool) -> u32 {
    bucket.iter().enumerate().fold(0, |places, (place, word)| places | u32::from(is_so(*word)) << place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Random numbers with hashes that often collide come and go, beside a set; after a peak there is no room kept for it.
    #[test]
    fn beside_a_set() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let hash = |number: &u32| u64::from(number / 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (expected, most, base) in [(0, 40_000, 0), (5_000, 40_000, NUMBER_MAX - 40_000), (0, 600_000, 70)] {
            let mut tables = SubTables::new(expected);
            let kept = tables.words();
            let mut set = BTreeSet::new();
            for step in 0..most * 3 {
                let number = base + random.u32(..most);
                let grows = step < most * 2;
                if set.contains(&number) && !(grows && random.bool()) {
                    tables.remove(hash(&number), number);
                    set.remove(&number);
                } else if grows && set.insert(number) {
                    tables.insert(hash(&number), number, hash);
                }
                let found = tables.find(hash(&number), |other| *other == number);
                assert_eq!(found, set.contains(&number).then_some(number));
            }
            assert_eq!(tables.tables.iter().map(|table| table.len).sum::<usize>(), set.len());
            for number in set {
                tables.remove(hash(&number), number);
            }
            assert!(tables.words() <= kept + COUNT * 4 * WORDS, "{}", tables.words());
            let passed = tables.tables.iter().flat_map(|table| &table.passed);
            assert!(passed.into_iter().all(|passed| *passed == 0), "nobody is searched for further than he is");
        }
    }

    /// However many numbers there are, while they only become more and while they come and go: they take what is said.
    #[test]
    fn what_a_number_takes() {
        let hash = |number: &u32| {
            let mixed = (u64::from(*number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let mut tables = SubTables::new(0);
        let taken = |tables: &SubTables| -> usize {
            tables.tables.iter().map(|table| table.words.len() + table.passed.len()).sum()
        };
        let insert = |tables: &mut SubTables, number| tables.insert(hash(&number), number, hash);
        for number in 0..1_000_000 {
            insert(&mut tables, number);
            let each = taken(&tables) as f64 / f64::from(number + 1);
            assert!(number % 10_000 > 0 || number < 100_000 || (4.5..6.9).contains(&each), "{each} each at {number}");
        }
        for number in 1_000_000..2_000_000 {
            tables.remove(hash(&(number - 1_000_000)), number - 1_000_000);
            insert(&mut tables, number);
        }
        let each = taken(&tables) as f64 / 1_000_000.0;
        assert!(each < 5.7, "{each}");
        for number in 1_000_000..2_000_000 {
            assert_eq!(tables.find(hash(&number), |other| *other == number), Some(number));
        }
    }

    impl SubTables {
        /// How many words all tables have.
        fn words(&self) -> usize {
            self.tables.iter().map(|table| table.buckets() * WORDS).sum()
        }
    }
}
