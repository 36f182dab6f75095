//! Where the entries of undecided traces are kept: packed ([`record`](super::record)), in chunks of mapped memory that never move and
//! that go back to the system.
//!
//! Growing adds a chunk and is no pause. New entries go to the first chunk that has room, so that after a peak the later
//! chunks empty as its traces are decided, and go.

use super::memory::Memory;
use super::policy::Facts;
use super::record::{Flag, Record, Shape, Wide};
use super::store::Chain;
use super::sub_tables::NUMBER_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of a chunk: so many take whole pages of memory, however large one is.
const CHUNK: usize = 4096;
/// There is no entry.
pub(super) const NONE: u32 = NUMBER_MAX;
/// Entries at most: each has a number, and those of a chunk may be free.
pub(super) const ENTRIES_MAX: usize = NUMBER_MAX as usize - CHUNK;
/// Numbers that stand beside their record take about so many bytes.
const WIDE_BYTES: usize = 64;

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
    /// Which generation of policies its facts are for; `None` if that was an earlier one than that of others.
    pub policies: Option<u16>,
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

#[derive(Debug)]
struct Chunk {
    shape: Shape,
    memory: Memory,
    /// The generation of policies for which the facts are, but of records that are [stale](Flag::Stale).
    policies: u16,
    used: usize,
    /// So many records were used at some time; behind them nothing was written, and no memory is taken.
    begun: usize,
    /// The first free one of those.
    free: u32,
}

impl Chunk {
    fn new(shape: Shape) -> Self {
        Self { shape, memory: Memory::new(CHUNK * shape.len()), policies: 0, used: 0, begun: 0, free: NONE }
    }

    fn record(&self, at: usize) -> Option<Record<&[u8]>> {
        let len = self.shape.len();
        let bytes = self.memory.bytes().get(at * len..(at + 1) * len)?;
        (at < self.begun).then_some(Record { shape: self.shape, bytes })
    }

    fn record_mut(&mut self, at: usize) -> Option<Record<&mut [u8]>> {
        let len = self.shape.len();
        let bytes = self.memory.bytes_mut().get_mut(at * len..(at + 1) * len)?;
        (at < self.begun).then_some(Record { shape: self.shape, bytes })
    }

    /// A record that is free, of this chunk, which has the number `chunk`.
    fn take(&mut self, chunk: usize) -> Option<u32> {
        let number = match self.free {
            NONE if self.begun == CHUNK => return None,
            NONE => {
                self.begun += 1;
                (chunk * CHUNK + self.begun - 1) as u32
            }
            free => {
                self.free = self.record(free as usize % CHUNK)?.after();
                free
            }
        };
        self.used += 1;
        Some(number)
    }

    fn give_back(&mut self, number: u32) {
        let free = std::mem::replace(&mut self.free, number);
        if let Some(mut record) = self.record_mut(number as usize % CHUNK) {
            record.free(free);
            self.used -= 1;
        }
    }

    /// The generation of policies for which the facts of a record are, if that is known.
    fn policies(&self, record: &Record<&[u8]>) -> Option<u16> {
        (!record.has(Flag::Stale)).then_some(self.policies)
    }

    /// The facts of a record are for this generation of policies from now on. Those of all others are not, if it is a new one.
    fn set_policies(&mut self, at: usize, policies: u16) {
        if self.policies != policies {
            self.policies = policies;
            for at in 0..self.begun {
                self.record_mut(at).iter_mut().for_each(|record| record.set(Flag::Stale, true));
            }
        }
        self.record_mut(at).iter_mut().for_each(|record| record.set(Flag::Stale, false));
    }

    /// The same records in another shape.
    fn reshape(&mut self, shape: Shape) {
        let old = std::mem::replace(self, Self::new(shape));
        (self.policies, self.used, self.begun, self.free) = (old.policies, old.used, old.begun, old.free);
        for at in 0..old.begun {
            if let (Some(mut to), Some(from)) = (self.record_mut(at), old.record(at)) {
                to.copy(&from);
            }
        }
    }
}

/// All entries of a shard, by number.
#[derive(Debug)]
pub(super) struct Slots {
    chunks: Vec<Option<Chunk>>,
    /// Numbers of the chunks with a free record, and of those that were given back.
    with_room: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    /// So many chunks are kept even if they are empty.
    reserved: usize,
    /// What occurs, and there is room for in new chunks.
    shape: Shape,
    wide: BTreeMap<u32, Wide>,
    len: usize,
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
            shape: Shape::default(),
            wide: BTreeMap::new(),
            len: 0,
            now_ms: 0,
        };
        (0..reserved).for_each(|_| slots.grow());
        slots
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory that they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        self.len * self.shape.len() + self.wide.len() * WIDE_BYTES
    }

    /// A new entry that arrives now, in no list. There are fewer than [`ENTRIES_MAX`].
    pub(super) fn add(&mut self, id: [u8; 16], now_ms: u64, policies: u16) -> u32 {
        if self.with_room.is_empty() {
            self.grow();
        }
        self.now_ms = self.now_ms.max(now_ms);
        let Some(at) = self.with_room.first().copied() else { return NONE };
        let Some(chunk) = self.chunks.get_mut(at).and_then(Option::as_mut) else { return NONE };
        let Some(number) = chunk.take(at) else { return NONE };
        if chunk.used == CHUNK {
            self.with_room.remove(&at);
        }
        self.len += 1;
        self.edit(number, Shape::default(), |record| {
            record.clear(&id);
            record.set_arrived_ms(now_ms as u32);
            record.set_links(NONE, NONE);
        });
        self.set_policies(number, policies);
        number
    }

    /// Takes an entry out; it is in no list.
    pub(super) fn remove(&mut self, number: u32) -> Option<Entry> {
        let entry = self.get(number)?;
        let at = number as usize / CHUNK;
        let chunk = self.chunks.get_mut(at)?.as_mut()?;
        chunk.give_back(number);
        let empty = chunk.used == 0;
        self.len -= 1;
        if !self.wide.is_empty() {
            self.wide.remove(&number);
        }
        self.with_room.insert(at);
        if empty && at >= self.reserved && self.with_room.first().is_some_and(|first| *first < at) {
            self.give_back(at);
        }
        Some(entry)
    }

    /// The entry of this number.
    pub(super) fn get(&self, number: u32) -> Option<Entry> {
        let chunk = self.chunk(number)?;
        let record = chunk.record(number as usize % CHUNK)?;
        let wide = if record.has(Flag::Wide) { self.wide.get(&number) } else { None };
        Some(Entry {
            id: *record.id()?,
            facts: record.facts(wide),
            chain: record.chain(),
            arrived_ms: self.instant(record.arrived_ms()),
            policies: chunk.policies(&record),
            planned: record.has(Flag::Planned),
            wait: self.wait_of(&record),
        })
    }

    /// The id of an entry.
    pub(super) fn id(&self, number: u32) -> Option<&[u8; 16]> {
        let chunk = self.chunk(number)?;
        chunk.memory.bytes().get(number as usize % CHUNK * chunk.shape.len()..)?.first_chunk()
    }

    /// For which generation of policies the facts of an entry are; `None` inside if for an earlier one than those of others.
    pub(super) fn policies(&self, number: u32) -> Option<Option<u16>> {
        let chunk = self.chunk(number)?;
        Some(chunk.policies(&chunk.record(number as usize % CHUNK)?))
    }

    /// Where the spans of an entry are.
    pub(super) fn chain(&self, number: u32) -> Option<Chain> {
        Some(self.record(number)?.chain())
    }

    /// When an entry arrived, and how long it waits.
    pub(super) fn instants(&self, number: u32) -> Option<(u64, Wait)> {
        let record = self.record(number)?;
        Some((self.instant(record.arrived_ms()), self.wait_of(&record)))
    }

    /// How long an entry waits, and whether policies that plan have heard of it.
    pub(super) fn wait(&self, number: u32) -> Option<(Wait, bool)> {
        let record = self.record(number)?;
        Some((self.wait_of(&record), record.has(Flag::Planned)))
    }

    /// What is known of an entry, for the policies for which that was before.
    pub(super) fn set_facts(&mut self, number: u32, facts: &Facts) {
        let written = self.edit(number, Shape::of(facts), |record| {
            let was_wide = record.has(Flag::Wide);
            (record.set_facts(facts), was_wide)
        });
        match written {
            Some((Some(wide), _)) => {
                self.wide.insert(number, wide);
            }
            Some((None, true)) => {
                self.wide.remove(&number);
            }
            _ => {}
        }
    }

    /// What is known of an entry is for this generation of policies, which is the latest.
    pub(super) fn set_policies(&mut self, number: u32, policies: u16) {
        if let Some(chunk) = self.chunks.get_mut(number as usize / CHUNK).and_then(Option::as_mut) {
            chunk.set_policies(number as usize % CHUNK, policies);
        }
    }

    /// Policies that plan have heard of an entry.
    pub(super) fn set_planned(&mut self, number: u32) {
        self.edit(number, Shape::default(), |record| record.set(Flag::Planned, true));
    }

    pub(super) fn set_chain(&mut self, number: u32, chain: Chain) {
        self.edit(number, Shape::default(), |record| record.set_chain(chain));
    }

    /// Changes how long an entry waits.
    pub(super) fn set_wait(&mut self, number: u32, wait: Wait) {
        let mut wanted = Shape::default();
        if let Wait::AfterRoot(root_ms) = wait {
            self.now_ms = self.now_ms.max(root_ms);
            wanted.root = true;
        }
        self.edit(number, wanted, |record| {
            record.set(Flag::Hastened, matches!(wait, Wait::AfterRoot(_)));
            record.set(Flag::Expired, wait == Wait::Nothing);
            if let Wait::AfterRoot(root_ms) = wait {
                record.set_root_ms(root_ms as u32);
            }
        });
    }

    pub(super) fn links(&self, number: u32) -> Option<Links> {
        let record = self.record(number)?;
        Some(Links { before: record.before(), after: record.after() })
    }

    /// Changes the links of an entry; false if there is none.
    pub(super) fn link(&mut self, number: u32, change: impl FnOnce(&mut Links)) -> bool {
        let Some(mut links) = self.links(number) else { return false };
        change(&mut links);
        self.edit(number, Shape::default(), |record| record.set_links(links.before, links.after));
        true
    }

    fn chunk(&self, number: u32) -> Option<&Chunk> {
        self.chunks.get(number as usize / CHUNK)?.as_ref()
    }

    fn record(&self, number: u32) -> Option<Record<&[u8]>> {
        self.chunk(number)?.record(number as usize % CHUNK)
    }

    /// Changes a record, in which there is room for what is `wanted`.
    fn edit<T>(&mut self, number: u32, wanted: Shape, change: impl FnOnce(&mut Record<&mut [u8]>) -> T) -> Option<T> {
        self.shape = self.shape.and(wanted);
        let chunk = self.chunks.get_mut(number as usize / CHUNK)?.as_mut()?;
        // Something occurs for the first time. Each chunk takes its turn when it is needed there: that is no pause.
        if chunk.shape.and(wanted) != chunk.shape {
            chunk.reshape(self.shape);
        }
        Some(change(&mut chunk.record_mut(number as usize % CHUNK)?))
    }

    fn wait_of(&self, record: &Record<&[u8]>) -> Wait {
        match (record.has(Flag::Hastened), record.has(Flag::Expired)) {
            (_, true) => Wait::Nothing,
            (true, _) => Wait::AfterRoot(self.instant(record.root_ms())),
            _ => Wait::Full,
        }
    }

    /// The instant of which these are the lower bits.
    fn instant(&self, low: u32) -> u64 {
        self.now_ms.saturating_sub((self.now_ms as u32).wrapping_sub(low).into())
    }

    fn grow(&mut self) {
        let at = self.gone.pop_first().unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() - 1
        });
        if let Some(place) = self.chunks.get_mut(at) {
            *place = Some(Chunk::new(self.shape));
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
mod tests;
