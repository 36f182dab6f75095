//! The undecided traces: from id to entry, and in the order in which they become due.
//!
//! Entries live in chunks that never move, so that growing is no pause; the map from id to entry is cut into sub-tables for
//! the same reason. Two lists run through the entries, one for those that wait the full `decision_wait` and one for those
//! whose root has come; both are in order of time, for within a list everybody waits equally long.

use super::policy::Facts;
use super::store::{Chain, Chains};
use hashbrown::HashTable;

/// Entries of a chunk.
const CHUNK: usize = 1024;
/// Sub-tables of the map.
const SUB_TABLES: usize = 256;
/// There is no entry.
const NONE: u32 = u32::MAX;

/// How long traces wait for their decision, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// From the first span.
    pub full_ms: u64,
    /// From the root span, if that is earlier.
    pub after_root_ms: Option<u64>,
}

/// Which wait a trace is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wait {
    /// `decision_wait` from the first span.
    #[default]
    Full,
    /// `decision_wait_after_root_received` from the root.
    AfterRoot,
}

/// An undecided trace.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its id.
    pub id: [u8; 16],
    /// What is known of its spans.
    pub facts: Facts,
    /// Where its spans are.
    pub chain: Chain,
    /// When its first span came, in milliseconds of the processor's clock.
    pub arrived_ms: u64,
    /// Which generation of policies its facts are for.
    pub policies: u16,
    /// Policies that plan have heard of it.
    pub planned: bool,
    wait: Wait,
    /// When its root came, if that hastened it.
    root_ms: u64,
    before: u32,
    after: u32,
}

impl Entry {
    /// When it is to be decided. Nothing of it is stored, so that the waits can be changed while it waits.
    pub fn due_ms(&self, waits: Waits) -> u64 {
        match self.wait {
            Wait::Full => self.arrived_ms + waits.full_ms,
            Wait::AfterRoot => self.root_ms + waits.after_root_ms.unwrap_or(waits.full_ms),
        }
    }

    /// Whether it waits since its root came, and not for the full time.
    pub fn hastened(&self) -> bool {
        self.wait == Wait::AfterRoot
    }
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

/// All undecided traces of a shard.
#[derive(Debug)]
pub struct Table {
    chunks: Vec<Box<[Entry]>>,
    free: Vec<u32>,
    map: Box<[HashTable<u32>]>,
    lists: [List; 2],
    len: usize,
}

impl Table {
    /// With room for `expected` traces.
    pub fn new(expected: usize) -> Self {
        let each = expected.div_ceil(SUB_TABLES);
        let mut table = Self {
            chunks: Vec::new(),
            free: Vec::new(),
            map: (0..SUB_TABLES).map(|_| HashTable::with_capacity(each)).collect(),
            lists: [List { first: NONE, last: NONE }; 2],
            len: 0,
        };
        while table.free.len() < expected {
            table.grow();
        }
        table
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry of a trace.
    pub fn find(&self, hash: u64, id: &[u8; 16]) -> Option<u32> {
        let chunks = &self.chunks;
        self.sub_table(hash)?.find(hash, |number| entry(chunks, *number).is_some_and(|entry| entry.id == *id)).copied()
    }

    /// The entry of this number.
    pub fn get(&self, number: u32) -> Option<&Entry> {
        entry(&self.chunks, number)
    }

    /// The entry of this number.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        entry_mut(&mut self.chunks, number)
    }

    /// Adds a trace that is not here, with facts for generation `policies`. `rehash` gives the hash of an id.
    pub fn insert(
        &mut self,
        hash: u64,
        id: [u8; 16],
        now_ms: u64,
        policies: u16,
        rehash: impl Fn(&[u8; 16]) -> u64,
    ) -> u32 {
        if self.free.is_empty() {
            self.grow();
        }
        let number = self.free.pop().unwrap_or(NONE);
        if let Some(entry) = self.get_mut(number) {
            *entry = Entry { id, arrived_ms: now_ms, policies, ..Entry::default() };
        }
        let chunks = &self.chunks;
        if let Some(table) = self.map.get_mut(sub_table(hash)) {
            table.insert_unique(hash, number, |number| entry(chunks, *number).map_or(0, |entry| rehash(&entry.id)));
        }
        self.len += 1;
        self.link(number, Wait::Full);
        number
    }

    /// Takes a trace out; its chain and facts are in what is returned.
    pub fn remove(&mut self, hash: u64, number: u32) -> Option<Entry> {
        if let Some(table) = self.map.get_mut(sub_table(hash))
            && let Ok(occupied) = table.find_entry(hash, |other| *other == number)
        {
            occupied.remove();
        }
        self.unlink(number);
        let entry = std::mem::take(self.get_mut(number)?);
        self.free.push(number);
        self.len -= 1;
        Some(entry)
    }

    /// The root of a trace has come: it waits from now on, if that ends earlier.
    pub fn hasten(&mut self, number: u32, now_ms: u64, waits: Waits) {
        let (Some(entry), Some(wait)) = (self.get(number), waits.after_root_ms) else { return };
        if entry.wait == Wait::Full && now_ms + wait < entry.due_ms(waits) {
            self.unlink(number);
            if let Some(entry) = self.get_mut(number) {
                entry.root_ms = now_ms;
            }
            self.link(number, Wait::AfterRoot);
        }
    }

    /// The trace that is due next, and when that is.
    pub fn next_due(&self, waits: Waits) -> Option<(u64, u32)> {
        self.in_order(waits).next()
    }

    /// All traces in the order in which they are due, and when that is.
    pub fn in_order(&self, waits: Waits) -> impl Iterator<Item = (u64, u32)> {
        let mut at = self.lists.map(|list| list.first);
        std::iter::from_fn(move || {
            let head = |(list, number): (usize, &u32)| Some((self.get(*number)?.due_ms(waits), *number, list));
            let (due_ms, number, list) = at.iter().enumerate().filter_map(head).min()?;
            if let (Some(at), Some(entry)) = (at.get_mut(list), self.get(number)) {
                *at = entry.after;
            }
            Some((due_ms, number))
        })
    }

    fn sub_table(&self, hash: u64) -> Option<&HashTable<u32>> {
        self.map.get(sub_table(hash))
    }

    fn grow(&mut self) {
        let first = self.chunks.len() * CHUNK;
        self.chunks.push(vec![Entry::default(); CHUNK].into_boxed_slice());
        self.free.extend((first..first + CHUNK).rev().map(|number| number as u32));
    }

    fn link(&mut self, number: u32, wait: Wait) {
        let Some(list) = self.lists.get_mut(wait as usize) else { return };
        let last = std::mem::replace(&mut list.last, number);
        if last == NONE {
            list.first = number;
        } else if let Some(last) = entry_mut(&mut self.chunks, last) {
            last.after = number;
        }
        if let Some(entry) = entry_mut(&mut self.chunks, number) {
            (entry.before, entry.after, entry.wait) = (last, NONE, wait);
        }
    }

    fn unlink(&mut self, number: u32) {
        let Some(entry) = self.get(number) else { return };
        let (before, after, wait) = (entry.before, entry.after, entry.wait);
        let Some(list) = self.lists.get_mut(wait as usize) else { return };
        match entry_mut(&mut self.chunks, before) {
            Some(before) => before.after = after,
            None => list.first = after,
        }
        match entry_mut(&mut self.chunks, after) {
            Some(after) => after.before = before,
            None => list.last = before,
        }
    }
}

impl Chains for Table {
    fn chain_mut(&mut self, owner: u32) -> Option<&mut Chain> {
        self.get_mut(owner).map(|entry| &mut entry.chain)
    }
}

/// Bits that neither the choice of the shard nor the sub-table itself uses.
fn sub_table(hash: u64) -> usize {
    (hash >> 40) as usize % SUB_TABLES
}

fn entry(chunks: &[Box<[Entry]>], number: u32) -> Option<&Entry> {
    chunks.get(number as usize / CHUNK)?.get(number as usize % CHUNK)
}

fn entry_mut(chunks: &mut [Box<[Entry]>], number: u32) -> Option<&mut Entry> {
    chunks.get_mut(number as usize / CHUNK)?.get_mut(number as usize % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries leave in the order in which they are due; a root hastens a trace past those that wait the full time.
    #[test]
    fn order_of_decisions() {
        let hash = |id: &[u8; 16]| u64::from_le_bytes(*id.first_chunk().unwrap()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = |i: u64| [i.to_le_bytes(), [7; 8]].concat().try_into().unwrap();
        let mut table = Table::new(0);
        let numbers: Vec<u32> = (0..5000).map(|i| table.insert(hash(&id(i)), id(i), i, 0, hash)).collect();
        assert!(numbers.iter().enumerate().all(|(i, number)| {
            table.find(hash(&id(i as u64)), &id(i as u64)) == Some(*number) && table.len() == 5000
        }));
        let waits = Waits { full_ms: 30_000, after_root_ms: Some(5_000) };
        table.hasten(numbers[3000], 5_000, waits);
        table.hasten(numbers[2000], 26_000, waits);
        table.hasten(numbers[3000], 35_000, waits);
        table.hasten(numbers[1], 55_000, waits);
        let order: Vec<u32> = table.in_order(waits).map(|(_, number)| number).collect();
        let mut left = Vec::new();
        while let Some((_, number)) = table.next_due(waits) {
            assert_eq!(number, order[left.len()]);
            let entry = table.get(number).unwrap().clone();
            left.push(entry.arrived_ms);
            table.remove(hash(&entry.id), number).unwrap();
            assert_eq!(table.find(hash(&entry.id), &entry.id), None);
        }
        let mut expected: Vec<u64> = (0..5000).filter(|i| *i != 3000 && *i != 2000).collect();
        expected.insert(0, 3000);
        // Due at 31,000, as is the one that came at 1,000.
        let same = expected.iter().position(|i| *i == 1000).unwrap();
        expected.insert(same + 1, 2000);
        assert_eq!(left, expected);
        assert!(table.is_empty());
    }
}
