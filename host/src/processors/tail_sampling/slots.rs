//! Where the entries of undecided traces are kept: packed to 68 bytes each, in chunks that never move and that are given back.
//!
//! Growing adds a chunk and is no pause. New entries go to the first chunk that has room, so that after a peak the later
//! chunks empty as its traces are decided, and go. What the filters of policies matched stands beside the entries, only as
//! wide as what occurs: one byte for up to eight filters, not sixteen; and so does what samplers before this one said, if any
//! said something.

use super::ot::Upstream;
use super::policy::{Facts, Matches};
use super::store::Chain;
use std::collections::BTreeSet;

/// Entries of a chunk.
const CHUNK: usize = 1024;
/// There is no entry.
pub(super) const NONE: u32 = u32::MAX;
/// Bits of [`Slot::flags`].
const ROOT: u8 = 1;
const HASTENED: u8 = 2;
const EXPIRED: u8 = 4;
const PLANNED: u8 = 8;

/// An entry as it is kept. Wide numbers are cut in two so that nothing is lost to alignment; instants are the lower half of
/// milliseconds, which is enough for 49 days.
#[derive(Clone, Debug)]
struct Slot {
    id: [u8; 16],
    start_ns: [u32; 2],
    end_ns: [u32; 2],
    bytes: u32,
    bytes_high: u8,
    flags: u8,
    policies: u16,
    spans: u32,
    errors: u32,
    chain: Chain,
    arrived_ms: u32,
    root_ms: u32,
    before: u32,
    /// Of a free one, the next free one.
    after: u32,
}

const _: () = assert!(size_of::<Slot>() == 68);
/// Encoded sizes of traces are known up to a tebibyte.
const BYTES_MAX: u64 = (1 << 40) - 1;

/// The links of an entry in the list that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) before: u32,
    pub(super) after: u32,
}

/// An undecided trace.
#[derive(Clone, Copy, Debug)]
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
    /// How long it waits.
    pub wait: Wait,
}

/// What a trace waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The full time, from its first span.
    Full,
    /// The time from its root, which came at this instant.
    AfterRoot(u64),
    /// Nothing any more.
    Nothing,
}

fn split(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Slot {
    fn empty(after: u32) -> Self {
        Self {
            id: [0; 16],
            // As of no spans.
            start_ns: [u32::MAX; 2],
            end_ns: [0; 2],
            bytes: 0,
            bytes_high: 0,
            flags: 0,
            policies: 0,
            spans: 0,
            errors: 0,
            chain: Chain::default(),
            arrived_ms: 0,
            root_ms: 0,
            before: NONE,
            after,
        }
    }

    /// Everything but the matches and what samplers said, which stand elsewhere.
    fn set_facts(&mut self, facts: &Facts) {
        let Facts { start_ns, end_ns, bytes, spans, errors, root, matches: _, upstream: _ } = *facts;
        let [low, high] = split(bytes.min(BYTES_MAX));
        (self.start_ns, self.end_ns, self.bytes, self.bytes_high) = (split(start_ns), split(end_ns), low, high as u8);
        (self.spans, self.errors) = (spans, errors);
        self.flags = self.flags & !ROOT | if root { ROOT } else { 0 };
    }

    fn facts(&self, matches: Matches, upstream: Upstream) -> Facts {
        Facts {
            start_ns: join(self.start_ns),
            end_ns: join(self.end_ns),
            bytes: join([self.bytes, self.bytes_high.into()]),
            spans: self.spans,
            errors: self.errors,
            root: self.flags & ROOT != 0,
            matches,
            upstream,
        }
    }
}

#[derive(Debug)]
struct Chunk {
    slots: Box<[Slot]>,
    /// `width` bytes for each slot.
    matches: Box<[u8]>,
    /// For each slot, or for none.
    upstream: Box<[Upstream]>,
    used: usize,
    /// The first free slot.
    free: u32,
}

impl Chunk {
    fn new(number: usize, width: usize, with_upstream: bool) -> Self {
        let first = number * CHUNK;
        let after = |i: usize| if i + 1 < CHUNK { (first + i + 1) as u32 } else { NONE };
        let slots = (0..CHUNK).map(|i| Slot::empty(after(i))).collect();
        let matches = vec![0; CHUNK * width].into_boxed_slice();
        let upstream = if with_upstream { Self::no_upstream() } else { Box::default() };
        Self { slots, matches, upstream, used: 0, free: first as u32 }
    }

    fn no_upstream() -> Box<[Upstream]> {
        vec![Upstream::default(); CHUNK].into_boxed_slice()
    }
}

/// All entries of a shard, by number.
#[derive(Debug)]
pub(super) struct Slots {
    chunks: Vec<Option<Chunk>>,
    /// Numbers of the chunks with a free slot, and of those that were given back.
    with_room: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    /// So many chunks are kept even if they are empty.
    reserved: usize,
    /// Bytes of an entry's matches.
    width: usize,
    /// Whether samplers before this one said anything about any trace.
    with_upstream: bool,
    /// The latest instant that was heard of: others are remembered as how long before it they were.
    now_ms: u64,
}

impl Slots {
    /// With room for `expected` entries at all times.
    pub(super) fn new(expected: usize) -> Self {
        let reserved = expected.div_ceil(CHUNK);
        let mut slots = Self {
            chunks: Vec::new(),
            with_room: BTreeSet::new(),
            gone: BTreeSet::new(),
            reserved,
            width: 1,
            with_upstream: false,
            now_ms: 0,
        };
        (0..reserved).for_each(|_| slots.grow());
        slots
    }

    /// What one entry takes.
    pub(super) fn entry_bytes(&self) -> usize {
        size_of::<Slot>() + self.width + if self.with_upstream { size_of::<Upstream>() } else { 0 }
    }

    /// A new entry that arrives now, in no list.
    pub(super) fn add(&mut self, id: [u8; 16], now_ms: u64, policies: u16) -> u32 {
        if self.with_room.is_empty() {
            self.grow();
        }
        self.now_ms = self.now_ms.max(now_ms);
        let Some(at) = self.with_room.first().copied() else { return NONE };
        let Some(chunk) = self.chunks.get_mut(at).and_then(Option::as_mut) else { return NONE };
        let number = chunk.free;
        let Some(slot) = chunk.slots.get_mut(number as usize % CHUNK) else { return NONE };
        chunk.free = slot.after;
        chunk.used += 1;
        if chunk.used == CHUNK {
            self.with_room.remove(&at);
        }
        *slot = Slot { id, policies, arrived_ms: now_ms as u32, ..Slot::empty(NONE) };
        self.set_matches(number, 0);
        self.set_upstream(number, Upstream::default());
        number
    }

    /// Takes an entry out; it is in no list.
    pub(super) fn remove(&mut self, number: u32) -> Option<Entry> {
        let entry = self.get(number)?;
        let at = number as usize / CHUNK;
        let chunk = self.chunks.get_mut(at)?.as_mut()?;
        let slot = chunk.slots.get_mut(number as usize % CHUNK)?;
        *slot = Slot::empty(chunk.free);
        chunk.free = number;
        chunk.used -= 1;
        let empty = chunk.used == 0;
        self.with_room.insert(at);
        if empty && at >= self.reserved && self.with_room.first().is_some_and(|first| *first < at) {
            self.give_back(at);
        }
        Some(entry)
    }

    /// The entry of this number.
    pub(super) fn get(&self, number: u32) -> Option<Entry> {
        let slot = self.slot(number)?;
        Some(Entry {
            id: slot.id,
            facts: slot.facts(self.matches(number), self.upstream(number)),
            chain: slot.chain,
            arrived_ms: self.instant(slot.arrived_ms),
            policies: slot.policies,
            planned: slot.flags & PLANNED != 0,
            wait: self.wait(slot),
        })
    }

    /// The id of an entry.
    pub(super) fn id(&self, number: u32) -> Option<&[u8; 16]> {
        Some(&self.slot(number)?.id)
    }

    /// When an entry arrived, and how long it waits.
    pub(super) fn instants(&self, number: u32) -> Option<(u64, Wait)> {
        let slot = self.slot(number)?;
        Some((self.instant(slot.arrived_ms), self.wait(slot)))
    }

    /// What is known of an entry, for a generation of policies.
    pub(super) fn set_facts(&mut self, number: u32, facts: &Facts, policies: u16) {
        if let Some(slot) = self.slot_mut(number) {
            slot.set_facts(facts);
            slot.policies = policies;
            self.set_matches(number, facts.matches);
            self.set_upstream(number, facts.upstream);
        }
    }

    /// Policies that plan have heard of an entry.
    pub(super) fn set_planned(&mut self, number: u32) {
        if let Some(slot) = self.slot_mut(number) {
            slot.flags |= PLANNED;
        }
    }

    pub(super) fn set_chain(&mut self, number: u32, chain: Chain) {
        if let Some(slot) = self.slot_mut(number) {
            slot.chain = chain;
        }
    }

    /// Changes how long an entry waits.
    pub(super) fn set_wait(&mut self, number: u32, wait: Wait) {
        if let Wait::AfterRoot(root_ms) = wait {
            self.now_ms = self.now_ms.max(root_ms);
        }
        if let Some(slot) = self.slot_mut(number) {
            slot.flags &= ROOT | PLANNED;
            match wait {
                Wait::Full => {}
                Wait::AfterRoot(root_ms) => (slot.flags, slot.root_ms) = (slot.flags | HASTENED, root_ms as u32),
                Wait::Nothing => slot.flags |= EXPIRED,
            }
        }
    }

    pub(super) fn links(&self, number: u32) -> Option<Links> {
        let slot = self.slot(number)?;
        Some(Links { before: slot.before, after: slot.after })
    }

    /// Changes the links of an entry; false if there is none.
    pub(super) fn link(&mut self, number: u32, change: impl FnOnce(&mut Links)) -> bool {
        let Some(slot) = self.slot_mut(number) else { return false };
        let mut links = Links { before: slot.before, after: slot.after };
        change(&mut links);
        (slot.before, slot.after) = (links.before, links.after);
        true
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.chunks.get(number as usize / CHUNK)?.as_ref()?.slots.get(number as usize % CHUNK)
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot> {
        self.chunks.get_mut(number as usize / CHUNK)?.as_mut()?.slots.get_mut(number as usize % CHUNK)
    }

    fn wait(&self, slot: &Slot) -> Wait {
        match slot.flags & (HASTENED | EXPIRED) {
            0 => Wait::Full,
            HASTENED => Wait::AfterRoot(self.instant(slot.root_ms)),
            _ => Wait::Nothing,
        }
    }

    /// The instant of which these are the lower bits.
    fn instant(&self, low: u32) -> u64 {
        self.now_ms.saturating_sub((self.now_ms as u32).wrapping_sub(low).into())
    }

    fn matches(&self, number: u32) -> Matches {
        let mut bytes = [0; size_of::<Matches>()];
        let at = number as usize % CHUNK * self.width;
        let chunk = self.chunks.get(number as usize / CHUNK).and_then(Option::as_ref);
        if let Some(stored) = chunk.and_then(|chunk| chunk.matches.get(at..at + self.width)) {
            bytes.iter_mut().zip(stored).for_each(|(byte, stored)| *byte = *stored);
        }
        Matches::from_le_bytes(bytes)
    }

    fn set_matches(&mut self, number: u32, matches: Matches) {
        let bytes = matches.to_le_bytes();
        let wanted = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if wanted > self.width {
            self.widen(wanted.next_power_of_two());
        }
        let at = number as usize % CHUNK * self.width;
        let chunk = self.chunks.get_mut(number as usize / CHUNK).and_then(Option::as_mut);
        if let Some(stored) = chunk.and_then(|chunk| chunk.matches.get_mut(at..at + self.width)) {
            stored.iter_mut().zip(bytes).for_each(|(stored, byte)| *stored = byte);
        }
    }

    fn upstream(&self, number: u32) -> Upstream {
        let chunk = self.chunks.get(number as usize / CHUNK).and_then(Option::as_ref);
        chunk.and_then(|chunk| chunk.upstream.get(number as usize % CHUNK)).copied().unwrap_or_default()
    }

    fn set_upstream(&mut self, number: u32, upstream: Upstream) {
        if upstream != Upstream::default() && !self.with_upstream {
            self.with_upstream = true;
            self.chunks.iter_mut().flatten().for_each(|chunk| chunk.upstream = Chunk::no_upstream());
        }
        let chunk = self.chunks.get_mut(number as usize / CHUNK).and_then(Option::as_mut);
        if let Some(stored) = chunk.and_then(|chunk| chunk.upstream.get_mut(number as usize % CHUNK)) {
            *stored = upstream;
        }
    }

    /// A filter matched whose bit had no room. This happens at most four times.
    fn widen(&mut self, width: usize) {
        for chunk in self.chunks.iter_mut().flatten() {
            let mut wider = vec![0; CHUNK * width].into_boxed_slice();
            for (to, from) in wider.chunks_exact_mut(width).zip(chunk.matches.chunks_exact(self.width)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
            chunk.matches = wider;
        }
        self.width = width;
    }

    fn grow(&mut self) {
        let at = self.gone.pop_first().unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() - 1
        });
        if let Some(place) = self.chunks.get_mut(at) {
            *place = Some(Chunk::new(at, self.width, self.with_upstream));
            self.with_room.insert(at);
        }
    }

    fn give_back(&mut self, at: usize) {
        self.with_room.remove(&at);
        self.gone.insert(at);
        if let Some(place) = self.chunks.get_mut(at) {
            *place = None;
        }
        while self.chunks.last().is_some_and(Option::is_none) {
            self.chunks.pop();
            self.gone.remove(&self.chunks.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Random entries with random facts beside a map of them, for longer than 49 days: they read as they were written, but for
    /// sizes beyond a tebibyte; and when most are gone, so is their memory.
    #[test]
    fn beside_a_map() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut slots = Slots::new(10);
        let mut map = BTreeMap::new();
        let mut now_ms = 0;
        let mut most = 0;
        let said = ["", "ot=rv:12345678901234", "ot=th:8"].map(|state| Upstream::of(state.as_bytes()));
        for step in 0..60_000_u64 {
            now_ms += random.u64(..200_000);
            let grows = step / 10_000 % 2 == 0;
            if map.is_empty() || random.u8(..100) < if grows { 80 } else { 20 } {
                let id = random.u128(..).to_le_bytes();
                let number = slots.add(id, now_ms, 7);
                assert!(map.insert(number, (id, now_ms, Facts::default(), 7, Wait::Full)).is_none());
            }
            let Some(number) = map.keys().nth(random.usize(..map.len().min(500))).copied() else { continue };
            let known = map.get_mut(&number).unwrap();
            // Nobody waits for weeks.
            let old = now_ms - known.1 > 1_000_000_000;
            match random.u8(..4) {
                0 => {
                    let bits = random.u32(..=step.max(2).ilog2() * 8).min(128);
                    known.2 = Facts {
                        start_ns: random.u64(..),
                        end_ns: random.u64(..),
                        bytes: random.u64(..1 << 40),
                        spans: random.u32(..),
                        errors: random.u32(..),
                        root: random.bool(),
                        matches: if bits == 0 { 0 } else { random.u128(..) >> (128 - bits) },
                        upstream: if step > 20_000 { said[random.usize(..3)] } else { Upstream::default() },
                    };
                    known.3 = random.u16(..);
                    slots.set_facts(number, &known.2, known.3);
                }
                1 => {
                    known.4 = [Wait::Full, Wait::AfterRoot(now_ms), Wait::Nothing][random.usize(..3)];
                    slots.set_wait(number, known.4);
                }
                _ => {}
            }
            if old || random.u8(..100) < if grows { 20 } else { 80 } {
                let entry = slots.remove(number).unwrap();
                let (id, arrived_ms, facts, policies, wait) = map.remove(&number).unwrap();
                assert_eq!((entry.id, entry.facts, entry.policies), (id, facts, policies));
                assert_eq!((entry.arrived_ms, entry.wait), (arrived_ms, wait));
                assert_eq!(slots.id(number).copied().filter(|id| *id != [0; 16]), None);
            }
            most = most.max(map.len());
        }
        assert!(most > 2 * CHUNK, "{most}");
        for number in map.keys() {
            slots.remove(*number);
        }
        assert_eq!(slots.chunks.iter().flatten().count(), 1);
    }

    /// After a peak, entries that come and go do not keep its chunks.
    #[test]
    fn memory_comes_back_after_a_peak() {
        let mut slots = Slots::new(0);
        let peak: Vec<u32> = (0..100_000).map(|_| slots.add([1; 16], 0, 0)).collect();
        assert_eq!(slots.chunks.len(), 98);
        let mut steady = std::collections::VecDeque::new();
        for number in peak {
            slots.remove(number);
            steady.push_back(slots.add([2; 16], 1, 0));
            if steady.len() > 1_500 {
                slots.remove(steady.pop_front().unwrap());
            }
        }
        assert!(slots.chunks.iter().flatten().count() <= 4, "{}", slots.chunks.iter().flatten().count());
    }
}
