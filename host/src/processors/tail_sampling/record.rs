//! How an entry is written: in 49 bytes, and more only for what somebody asks.
//!
//! Each number has as many bits as those of usual traces need; a trace with larger ones has them beside ([`Wide`]). Instants are
//! the lower half of milliseconds, which is enough for 49 days. Entries are numbered with 24 bits. For which policies the facts
//! are is known of all records of a chunk together; a record only says if its own are for others.

use super::ot::Upstream;
use super::policy::{Facts, Matches};
use super::store::Chain;

/// A number in `len` bytes at `at`.
#[derive(Clone, Copy, Debug)]
struct Field {
    at: usize,
    len: usize,
}

impl Field {
    const fn new(at: usize, len: usize) -> Self {
        Self { at, len }
    }

    /// The largest number for which there is room.
    const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.len)
    }

    #[inline]
    fn get(self, record: &[u8]) -> u64 {
        let mut bytes = [0; 8];
        if let (Some(stored), Some(bytes)) = (record.get(self.at..self.at + self.len), bytes.get_mut(..self.len)) {
            bytes.copy_from_slice(stored);
        }
        u64::from_le_bytes(bytes)
    }

    #[inline]
    fn put(self, record: &mut [u8], number: u64) {
        let bytes = number.to_le_bytes();
        if let (Some(stored), Some(bytes)) = (record.get_mut(self.at..self.at + self.len), bytes.get(..self.len)) {
            stored.copy_from_slice(bytes);
        }
    }
}

/// Bytes of the id, which comes first.
const ID: usize = 16;
const START: Field = Field::new(16, 8);
/// From the start to the end; it wraps if the end comes first.
const DURATION: Field = Field::new(24, 5);
const BYTES: Field = Field::new(29, 3);
/// Spans, errors and flags: [`SPANS`], [`ERRORS`] and [`FLAGS`].
const COUNTS: Field = Field::new(32, 3);
const CHAIN: Field = Field::new(35, 4);
const ARRIVED: Field = Field::new(39, 4);
const BEFORE: Field = Field::new(43, 3);
/// Of a free record, the next free one.
const AFTER: Field = Field::new(46, 3);
/// Bytes of all that every entry has.
const COMMON: usize = 49;

/// Some bits of [`COUNTS`].
#[derive(Clone, Copy, Debug)]
struct Bits {
    at: u32,
    len: u32,
}

impl Bits {
    const fn max(self) -> u64 {
        (1 << self.len) - 1
    }

    const fn of(self, counts: u64) -> u64 {
        counts >> self.at & self.max()
    }
}

const FLAGS: Bits = Bits { at: 0, len: 6 };
const ERRORS: Bits = Bits { at: FLAGS.at + FLAGS.len, len: 7 };
const SPANS: Bits = Bits { at: ERRORS.at + ERRORS.len, len: 11 };

/// Something that is so or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// A root is among the spans.
    Root = 1,
    /// It waits from its root.
    Hastened = 2,
    /// It waits no more.
    Expired = 4,
    /// Policies that plan have heard of it.
    Planned = 8,
    /// Its numbers are in a [`Wide`].
    Wide = 16,
    /// Its facts are for other policies than those of others in its chunk.
    Stale = 32,
}

/// What there is in a record beside what every entry has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes for what filters matched.
    pub(super) matches: usize,
    /// What samplers before this one said.
    pub(super) upstream: bool,
    /// When the root came.
    pub(super) root: bool,
}

impl Shape {
    /// The one that is needed for these facts.
    pub(super) fn of(facts: &Facts) -> Self {
        let bytes = (Matches::BITS - facts.matches.leading_zeros()).div_ceil(8) as usize;
        let matches = if bytes == 0 { 0 } else { bytes.next_power_of_two() };
        Self { matches, upstream: facts.upstream != Upstream::default(), root: false }
    }

    /// The smallest with room for what there is in either.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            matches: self.matches.max(other.matches),
            upstream: self.upstream || other.upstream,
            root: self.root || other.root,
        }
    }

    /// Bytes of a record.
    pub(super) fn len(self) -> usize {
        COMMON + self.matches + if self.upstream { 8 } else { 0 } + if self.root { 4 } else { 0 }
    }

    fn upstream(self) -> Option<Field> {
        self.upstream.then(|| Field::new(COMMON + self.matches, 8))
    }

    fn root(self) -> Option<Field> {
        self.root.then(|| Field::new(self.len() - 4, 4))
    }
}

/// The numbers of a trace, if some are too large for its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    duration_ns: u64,
    bytes: u64,
    spans: u32,
    errors: u32,
}

impl Wide {
    fn of(facts: &Facts) -> Self {
        let Facts { start_ns, end_ns, bytes, spans, errors, .. } = *facts;
        Self { duration_ns: end_ns.wrapping_sub(start_ns), bytes, spans, errors }
    }

    fn fits(&self) -> bool {
        self.duration_ns <= DURATION.max()
            && self.bytes <= BYTES.max()
            && u64::from(self.spans) <= SPANS.max()
            && u64::from(self.errors) <= ERRORS.max()
    }
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<R> {
    pub(super) shape: Shape,
    pub(super) bytes: R,
}

impl<R: AsRef<[u8]>> Record<R> {
    fn get(&self, field: Field) -> u64 {
        field.get(self.bytes.as_ref())
    }

    pub(super) fn id(&self) -> Option<&[u8; ID]> {
        self.bytes.as_ref().first_chunk()
    }

    pub(super) fn has(&self, flag: Flag) -> bool {
        self.get(COUNTS) & flag as u64 != 0
    }

    /// The facts; `wide` are the numbers if it [has](Flag::Wide) them beside.
    pub(super) fn facts(&self, wide: Option<&Wide>) -> Facts {
        let numbers = wide.copied().unwrap_or_else(|| Wide {
            duration_ns: self.get(DURATION),
            bytes: self.get(BYTES),
            spans: SPANS.of(self.get(COUNTS)) as u32,
            errors: ERRORS.of(self.get(COUNTS)) as u32,
        });
        let start_ns = self.get(START);
        Facts {
            start_ns,
            end_ns: start_ns.wrapping_add(numbers.duration_ns),
            bytes: numbers.bytes,
            spans: numbers.spans,
            errors: numbers.errors,
            root: self.has(Flag::Root),
            matches: self.matches(),
            upstream: self.shape.upstream().map_or(Upstream::default(), |field| Upstream::from_bits(self.get(field))),
        }
    }

    fn matches(&self) -> Matches {
        let mut bytes = [0; size_of::<Matches>()];
        let stored = self.bytes.as_ref().get(COMMON..COMMON + self.shape.matches).unwrap_or_default();
        bytes.iter_mut().zip(stored).for_each(|(byte, stored)| *byte = *stored);
        Matches::from_le_bytes(bytes)
    }

    pub(super) fn chain(&self) -> Chain {
        Chain::from_bits(self.get(CHAIN) as u32)
    }

    pub(super) fn arrived_ms(&self) -> u32 {
        self.get(ARRIVED) as u32
    }

    pub(super) fn root_ms(&self) -> u32 {
        self.shape.root().map_or(0, |field| self.get(field) as u32)
    }

    pub(super) fn before(&self) -> u32 {
        self.get(BEFORE) as u32
    }

    pub(super) fn after(&self) -> u32 {
        self.get(AFTER) as u32
    }
}

impl Record<&mut [u8]> {
    fn put(&mut self, field: Field, number: u64) {
        field.put(self.bytes, number);
    }

    /// Makes it the record of a new entry of this id.
    pub(super) fn clear(&mut self, id: &[u8; ID]) {
        self.bytes.fill(0);
        if let Some(stored) = self.bytes.first_chunk_mut() {
            *stored = *id;
        }
        self.set_facts(&Facts::default());
        self.set_chain(Chain::default());
    }

    /// Nobody's any more; `next` is the next free one.
    pub(super) fn free(&mut self, next: u32) {
        self.put(COUNTS, 0);
        self.set_chain(Chain::default());
        self.put(AFTER, next.into());
    }

    /// Writes the facts, for which there must be room; returns the numbers if they have to stand beside.
    pub(super) fn set_facts(&mut self, facts: &Facts) -> Option<Wide> {
        let wide = Wide::of(facts);
        self.put(START, facts.start_ns);
        self.put(DURATION, wide.duration_ns);
        self.put(BYTES, wide.bytes);
        let flags = FLAGS.of(self.get(COUNTS)) & !(Flag::Root as u64 | Flag::Wide as u64);
        let root = if facts.root { Flag::Root as u64 } else { 0 };
        let beside = if wide.fits() { 0 } else { Flag::Wide as u64 };
        // Those for which there is no room are not read.
        let (spans, errors) = (u64::from(wide.spans) & SPANS.max(), u64::from(wide.errors) & ERRORS.max());
        self.put(COUNTS, spans << SPANS.at | errors << ERRORS.at | flags | root | beside);
        let stored = self.bytes.get_mut(COMMON..COMMON + self.shape.matches).unwrap_or_default();
        stored.iter_mut().zip(facts.matches.to_le_bytes()).for_each(|(stored, byte)| *stored = byte);
        if let Some(field) = self.shape.upstream() {
            self.put(field, facts.upstream.bits());
        }
        (!wide.fits()).then_some(wide)
    }

    pub(super) fn set(&mut self, flag: Flag, so: bool) {
        let others = self.get(COUNTS) & !(flag as u64);
        self.put(COUNTS, others | if so { flag as u64 } else { 0 });
    }

    pub(super) fn set_chain(&mut self, chain: Chain) {
        self.put(CHAIN, chain.bits().into());
    }

    pub(super) fn set_arrived_ms(&mut self, low: u32) {
        self.put(ARRIVED, low.into());
    }

    /// There must be room for it.
    pub(super) fn set_root_ms(&mut self, low: u32) {
        if let Some(field) = self.shape.root() {
            self.put(field, low.into());
        }
    }

    pub(super) fn set_links(&mut self, before: u32, after: u32) {
        self.put(BEFORE, before.into());
        self.put(AFTER, after.into());
    }

    /// Takes over all that is in another record, which has no more than there is room for in this one.
    pub(super) fn copy(&mut self, from: &Record<&[u8]>) {
        let stored = self.bytes.iter_mut().zip(from.bytes.iter().take(COMMON + from.shape.matches));
        stored.for_each(|(to, from)| *to = *from);
        if let (Some(field), Some(old)) = (self.shape.upstream(), from.shape.upstream()) {
            self.put(field, from.get(old));
        }
        self.set_root_ms(from.root_ms());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(AFTER.at + AFTER.len == COMMON);
    const _: () = assert!(SPANS.at + SPANS.len == 8 * COUNTS.len as u32 && FLAGS.max() == 2 * Flag::Stale as u64 - 1);

    /// Random facts, links and instants in a record of a random shape, and then of a larger one, are read as they were written.
    #[test]
    fn what_is_written_is_read() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..10_000 {
            let mut any = |bits: u32| random.u64(..) >> (64 - random.u32(1..=bits));
            let facts = Facts {
                start_ns: any(64),
                end_ns: any(64),
                bytes: any(30),
                spans: any(20) as u32,
                errors: any(10) as u32,
                root: any(2) > 1,
                matches: if any(2) > 1 { 0 } else { Matches::from(any(64)) << (any(64) % 65) },
                upstream: if any(2) > 1 { Upstream::default() } else { Upstream::from_bits(any(64)) },
            };
            let shape = Shape { root: any(2) > 1, ..Shape::of(&facts) };
            let id = [any(64), any(64)].map(u64::to_le_bytes).concat().try_into().unwrap();
            let (links, instants) = ((any(24) as u32, any(24) as u32), (any(32) as u32, any(32) as u32));
            let flags = [Flag::Hastened, Flag::Expired, Flag::Planned, Flag::Stale].map(|flag| (flag, any(2) > 1));
            let mut bytes = vec![9; shape.len()];
            let mut record = Record { shape, bytes: &mut bytes[..] };
            record.clear(&id);
            assert_eq!((record.facts(None), record.chain()), (Facts::default(), Chain::default()));
            let wide = record.set_facts(&facts);
            record.set_links(links.0, links.1);
            record.set_arrived_ms(instants.0);
            record.set_root_ms(instants.1);
            flags.iter().for_each(|(flag, so)| record.set(*flag, *so));
            record.set_chain(Chain::from_bits(links.0));
            let check = |record: &Record<&[u8]>| {
                assert_eq!((record.id(), record.facts(wide.as_ref())), (Some(&id), facts));
                assert_eq!(record.has(Flag::Wide), wide.is_some());
                assert!(flags.iter().all(|(flag, so)| record.has(*flag) == *so));
                assert_eq!((record.before(), record.after()), links);
                assert_eq!((record.arrived_ms(), record.chain()), (instants.0, Chain::from_bits(links.0)));
                assert_eq!(record.root_ms(), if shape.root { instants.1 } else { 0 });
            };
            let record = Record { shape, bytes: &bytes[..] };
            check(&record);
            let larger = shape.and(Shape { matches: 16, upstream: true, root: any(2) > 1 });
            let mut copied = vec![0; larger.len()];
            Record { shape: larger, bytes: &mut copied[..] }.copy(&record);
            check(&Record { shape: larger, bytes: &copied[..] });
        }
    }
}
