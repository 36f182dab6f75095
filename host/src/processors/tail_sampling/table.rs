//! The undecided traces: from id to entry, in the order in which they become due, and in that in which they began to wait.
//!
//! Entries live in chunks ([`slots`](super::slots)), so that growing is no pause; the map from id to entry is cut into
//! [`sub_tables`](super::sub_tables) for the same reason. Lists run through the entries, one for those that wait the full `decision_wait`, one for those
//! whose root has come and one for those whose time is over; all are in order of time, for within a list everybody waits
//! equally long.

use super::policy::Facts;
pub use super::slots::Entry;
use super::slots::{self, Links, NONE, Slots, Wait};
use super::store::Chain;
use super::sub_tables::SubTables;
use crate::telemetry::decisions::Because;

/// Traces at most.
pub const TRACES_MAX: usize = slots::ENTRIES_MAX;

/// How long traces wait for their decision, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// From the first span.
    pub full_ms: u64,
    /// From the root span, if that is earlier.
    pub after_root_ms: Option<u64>,
}

impl Waits {
    /// When a trace is decided that arrived at this time and waits so.
    fn due_ms(self, (arrived_ms, wait): (u64, Wait)) -> u64 {
        match wait {
            Wait::Full => arrived_ms + self.full_ms,
            Wait::AfterRoot(root_ms) => root_ms + self.after_root_ms.unwrap_or(self.full_ms),
            Wait::Nothing => 0,
        }
    }
}

/// Since when a trace that arrived at this time waits as it does. Where room is needed, who waits longest goes first: those that
/// have just come with a root are due sooner than others, but not older.
fn since_ms((arrived_ms, wait): (u64, Wait)) -> u64 {
    match wait {
        Wait::Full => arrived_ms,
        Wait::AfterRoot(root_ms) => root_ms,
        Wait::Nothing => 0,
    }
}

impl Entry {
    /// When it is to be decided. Nothing of it is stored, so that the waits can be changed while it waits.
    pub fn due_ms(&self, waits: Waits) -> u64 {
        waits.due_ms((self.arrived_ms, self.wait))
    }

    /// Why it is decided, if its time has come: `because` if that is no matter of time.
    pub fn because(&self, because: Because) -> Because {
        match self.wait {
            Wait::AfterRoot(_) if because == Because::Due => Because::Root,
            Wait::Nothing if because == Because::Due => Because::Spans,
            _ => because,
        }
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
    slots: Slots,
    map: SubTables,
    /// Those that wait the full time, those that a root has hastened, those whose time is over, and those of which policies that plan
    /// have heard.
    lists: [List; 4],
}

impl Table {
    /// With room for `expected` traces.
    pub fn new(expected: usize) -> Self {
        Self {
            slots: Slots::new(expected),
            map: SubTables::new(expected),
            lists: [List { first: NONE, last: NONE }; 4],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of what is known of them, in bytes.
    pub fn footprint(&self) -> usize {
        self.slots.footprint() + self.len() * SubTables::BYTES
    }

    /// The entry of a trace.
    pub fn find(&self, hash: u64, id: &[u8; 16]) -> Option<u32> {
        self.map.find(hash, |number| self.slots.id(*number) == Some(id))
    }

    /// The entry of this number.
    pub fn get(&self, number: u32) -> Option<Entry> {
        self.slots.get(number)
    }

    /// For which generation of policies the facts of the trace of this number are; `None` inside if that was an earlier one than
    /// that of others.
    pub fn generation(&self, number: u32) -> Option<Option<u16>> {
        self.slots.policies(number)
    }

    /// Where the spans of the trace of this number are.
    pub fn chain(&self, number: u32) -> Option<Chain> {
        self.slots.chain(number)
    }

    /// What is known of a trace, for the policies for which that was before.
    pub fn set_facts(&mut self, number: u32, facts: &Facts) {
        self.slots.set_facts(number, facts);
    }

    /// What is known of a trace, anew, for this generation of policies, which is the latest.
    pub fn renew_facts(&mut self, number: u32, facts: &Facts, policies: u16) {
        self.slots.set_facts(number, facts);
        self.slots.set_policies(number, policies);
    }

    /// Policies that plan have heard of it.
    pub fn set_planned(&mut self, number: u32) {
        self.unlink(number);
        self.slots.set_planned(number);
        self.link(number);
    }

    /// Where its spans are.
    pub fn set_chain(&mut self, number: u32, chain: Chain) {
        self.slots.set_chain(number, chain);
    }

    /// Adds a trace that is not here, with facts for generation `policies`, the latest; there are fewer than [`TRACES_MAX`]. `rehash` gives the hash of an id.
    pub fn insert(
        &mut self,
        hash: u64,
        id: [u8; 16],
        now_ms: u64,
        policies: u16,
        rehash: impl Fn(&[u8; 16]) -> u64,
    ) -> u32 {
        let number = self.slots.add(id, now_ms, policies);
        let slots = &self.slots;
        self.map.insert(hash, number, |number| slots.id(*number).map_or(0, &rehash));
        self.link(number);
        number
    }

    /// Takes a trace out; its chain and facts are in what is returned.
    pub fn remove(&mut self, hash: u64, number: u32) -> Option<Entry> {
        self.map.remove(hash, number);
        self.unlink(number);
        self.slots.remove(number)
    }

    /// The root of a trace has come: it waits from now on, if that ends earlier.
    pub fn hasten(&mut self, number: u32, now_ms: u64, waits: Waits) {
        let (Some(entry), Some(wait)) = (self.get(number), waits.after_root_ms) else { return };
        if entry.wait == Wait::Full && now_ms + wait < entry.due_ms(waits) {
            self.change_wait(number, Wait::AfterRoot(now_ms));
        }
    }

    /// A trace is due now. Returns whether it was not before.
    pub fn expire(&mut self, number: u32) -> bool {
        let waits = !self.is_expired(number);
        if waits {
            self.change_wait(number, Wait::Nothing);
        }
        waits
    }

    /// Whether [`Self::expire`] was called for a trace.
    pub fn is_expired(&self, number: u32) -> bool {
        self.slots.instants(number).is_some_and(|(_, wait)| wait == Wait::Nothing)
    }

    fn change_wait(&mut self, number: u32, wait: Wait) {
        self.unlink(number);
        self.slots.set_wait(number, wait);
        self.link(number);
    }

    /// The trace that is due next, and when that is.
    pub fn next_due(&self, waits: Waits) -> Option<(u64, u32)> {
        self.in_order(waits).next()
    }

    /// The same among those of which policies that plan have not heard.
    pub fn next_unplanned(&self, waits: Waits) -> Option<(u64, u32)> {
        let [full, after_root, nothing, _] = self.firsts();
        self.merged([full, after_root, nothing, NONE], move |instants| waits.due_ms(instants)).next()
    }

    /// All traces in the order in which they are due, and when that is.
    pub fn in_order(&self, waits: Waits) -> impl Iterator<Item = (u64, u32)> {
        self.merged(self.firsts(), move |instants| waits.due_ms(instants))
    }

    /// The trace that has waited longest.
    pub fn oldest(&self) -> Option<u32> {
        self.by_age().next()
    }

    /// All traces, those that have waited longest first.
    pub fn by_age(&self) -> impl Iterator<Item = u32> {
        self.merged(self.firsts(), since_ms).map(|(_, number)| number)
    }

    fn firsts(&self) -> [u32; 4] {
        self.lists.map(|list| list.first)
    }

    /// Traces in the order of an instant by which each list is in order already, and that instant; `at` is where the lists begin.
    fn merged(&self, mut at: [u32; 4], instant: impl Fn((u64, Wait)) -> u64) -> impl Iterator<Item = (u64, u32)> {
        std::iter::from_fn(move || {
            let head = |(list, number): (usize, &u32)| Some((instant(self.slots.instants(*number)?), list, *number));
            let (instant, list, number) = at.iter().enumerate().filter_map(head).min()?;
            if let (Some(at), Some(links)) = (at.get_mut(list), self.slots.links(number)) {
                *at = links.after;
            }
            Some((instant, number))
        })
    }

    /// Puts an entry at the end of its list.
    fn link(&mut self, number: u32) {
        let Some(list) = self.slots.wait(number).and_then(|wait| self.lists.get_mut(list_of(wait))) else { return };
        let last = std::mem::replace(&mut list.last, number);
        if !self.slots.link(last, |links| links.after = number) {
            list.first = number;
        }
        self.slots.link(number, |links| *links = Links { before: last, after: NONE });
    }

    /// Takes an entry out of its list.
    fn unlink(&mut self, number: u32) {
        let (Some(Links { before, after }), Some(wait)) = (self.slots.links(number), self.slots.wait(number)) else {
            return;
        };
        let Some(list) = self.lists.get_mut(list_of(wait)) else { return };
        if !self.slots.link(before, |links| links.after = after) {
            list.first = after;
        }
        if !self.slots.link(after, |links| links.before = before) {
            list.last = before;
        }
    }
}

/// The list of an entry that waits so, and of which policies that plan have heard or not.
fn list_of((wait, planned): (Wait, bool)) -> usize {
    match wait {
        _ if planned => 3,
        Wait::Full => 0,
        Wait::AfterRoot(_) => 1,
        Wait::Nothing => 2,
    }
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
        assert!(table.expire(numbers[4000]) && table.expire(numbers[3500]) && !table.expire(numbers[4000]));
        let order: Vec<u32> = table.in_order(waits).map(|(_, number)| number).collect();
        // By age those whose time is over come first (with the one that came at 0), and the root of 2000 came behind all others that are there.
        let age: Vec<u64> = table.by_age().filter_map(|number| Some(table.get(number)?.arrived_ms)).collect();
        assert_eq!((table.oldest(), &age[..4], age[4999]), (Some(numbers[0]), &[0, 4000, 3500, 1][..], 2000));
        assert_eq!(age[4998], 3000, "its root came at 5,000");
        let mut left = Vec::new();
        while let Some((_, number)) = table.next_due(waits) {
            assert_eq!(number, order[left.len()]);
            let entry = table.get(number).unwrap();
            left.push(entry.arrived_ms);
            table.remove(hash(&entry.id), number).unwrap();
            assert_eq!(table.find(hash(&entry.id), &entry.id), None);
        }
        let mut expected: Vec<u64> = (0..5000).filter(|i| ![2000, 3000, 3500, 4000].contains(i)).collect();
        expected.splice(0..0, [4000, 3500, 3000]);
        // Due at 31,000, as is the one that came at 1,000.
        let same = expected.iter().position(|i| *i == 1000).unwrap();
        expected.insert(same + 1, 2000);
        assert_eq!(left, expected);
        assert!(table.is_empty());
    }
}
