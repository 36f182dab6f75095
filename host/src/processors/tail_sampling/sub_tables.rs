//! A hash table of numbers, cut into many small ones: each grows by itself, so that growing is no pause.

use hashbrown::HashTable;

/// How many.
const COUNT: usize = 256;

/// Numbers of things that are found by a hash.
#[derive(Debug)]
pub(super) struct SubTables {
    tables: Box<[HashTable<u32>]>,
    /// Room that each keeps.
    each: usize,
}

impl SubTables {
    /// What a number takes, where they are half full.
    pub(super) const BYTES: usize = 2 * (size_of::<u32>() + 1);

    /// With room for `expected` numbers at all times.
    pub(super) fn new(expected: usize) -> Self {
        let each = expected.div_ceil(COUNT);
        Self { tables: (0..COUNT).map(|_| HashTable::with_capacity(each)).collect(), each }
    }

    /// The number with this hash that is meant.
    pub(super) fn find(&self, hash: u64, is_meant: impl FnMut(&u32) -> bool) -> Option<u32> {
        self.tables.get(of(hash))?.find(hash, is_meant).copied()
    }

    /// Adds a number that is not here. `rehash` gives the hash of a number.
    pub(super) fn insert(&mut self, hash: u64, number: u32, rehash: impl Fn(&u32) -> u64) {
        let Some(table) = self.tables.get_mut(of(hash)) else { return };
        if table.len() * 8 < table.capacity() {
            // There was a peak.
            table.shrink_to((table.len() * 2).max(self.each), &rehash);
        }
        table.insert_unique(hash, number, rehash);
    }

    /// Takes out a number.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        if let Some(table) = self.tables.get_mut(of(hash))
            && let Ok(occupied) = table.find_entry(hash, |other| *other == number)
        {
            occupied.remove();
            if table.is_empty() && table.capacity() > self.each * 2 + 64 {
                *table = HashTable::with_capacity(self.each);
            }
        }
    }
}

/// Bits that neither the choice of the shard nor a table itself uses.
fn of(hash: u64) -> usize {
    (hash >> 40) as usize % COUNT
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
        let mut tables = SubTables::new(0);
        let mut set = BTreeSet::new();
        for step in 0..100_000_u32 {
            let number = random.u32(..40_000);
            let grows = step < 60_000;
            if set.contains(&number) && !(grows && random.bool()) {
                tables.remove(hash(&number), number);
                set.remove(&number);
            } else if grows && set.insert(number) {
                tables.insert(hash(&number), number, hash);
            }
            let found = tables.find(hash(&number), |other| *other == number);
            assert_eq!(found, set.contains(&number).then_some(number));
        }
        for number in set {
            tables.remove(hash(&number), number);
        }
        assert!(tables.tables.iter().all(|table| table.is_empty() && table.capacity() <= 64));
    }
}
