//! A segment: a piece of memory that holds runs of spans.
//!
//! A *run* is one or more neighbouring spans of one trace in one scope. The bytes of runs fill the piece from its front, 11-byte
//! references to them from its end, until they meet: nothing is set aside for either. A reference knows the run before it of its
//! trace, or the trace if it is the first. The others have, in front of their bytes, where the next one is; behind the last comes the
//! second. So a trace needs to know only its last run, finds the first from there, and one that has no other pays for no ring.

use super::memory::Memory;
use std::ops::Range;

/// Where a reference is: number of the segment and of the reference in it. [`RunRef::NONE`] is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRef(u32);

impl RunRef {
    /// There is none.
    pub const NONE: Self = Self(u32::MAX);

    pub(super) fn new(slot: u16, number: u16) -> Self {
        Self(u32::from(slot) << 16 | u32::from(number))
    }

    /// As a number, for those who keep it.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// From [`Self::bits`].
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) fn slot(self) -> usize {
        (self.0 >> 16) as usize
    }

    pub(super) fn number(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// How many references a segment, and how many segments a shard can hold. One number fewer than 16 bits have, so that no
/// reference is [`RunRef::NONE`].
pub(super) const NUMBERS_MAX: usize = u16::MAX as usize;
/// How many spans a run can have.
pub const RUN_SPANS_MAX: u16 = (1 << SPANS_BITS) - 1;
/// How large a segment can be that holds more than one run.
pub(super) const SEGMENT_BYTES_MAX: usize = 1 << OFFSET_BITS;
/// Bytes of a reference.
pub(super) const REFERENCE: usize = 11;
/// Bytes in front of those of a run that is not the first: where the next one is.
const NEXT: usize = size_of::<u32>();

const SPANS_BITS: u32 = 9;
const OFFSET_BITS: u32 = 20;
/// Bits of the first word of a reference, between the spans and the offset.
const LED: u32 = 1 << SPANS_BITS;
const FIRST: u32 = LED << 1;
const LINKED: u32 = FIRST << 1;

/// What is before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Another run of its trace.
    Run(RunRef),
    /// Nothing: it is the first, of the trace with this number.
    Owner(u32),
}

/// A reference to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it begins. It ends where the next one begins.
    offset: u32,
    /// How many spans it has; none if nobody wants it any more.
    pub(super) spans: u16,
    /// Its spans are [`packed`](super::packed).
    pub(super) led: bool,
    /// Where the next one is stands in front of its bytes.
    linked: bool,
    /// The run before it.
    pub(super) before: Before,
    /// Number of its context, of 24 bits.
    pub(super) context: u32,
}

impl Run {
    pub(super) fn new(before: Before, context: u32, spans: u16, led: bool) -> Self {
        Self { offset: 0, spans, led, linked: false, before, context }
    }

    /// Whether nobody wants it any more.
    pub(super) fn is_dead(&self) -> bool {
        self.spans == 0
    }

    /// Whether it is the first of its trace.
    pub(super) fn is_first(&self) -> bool {
        matches!(self.before, Before::Owner(_))
    }

    /// What `len` bytes of it take, without the reference, where they are put next.
    pub(super) fn taken(&self, len: usize) -> usize {
        if self.is_first() { len } else { NEXT + len }
    }

    fn start(&self) -> usize {
        self.offset as usize + if self.linked { NEXT } else { 0 }
    }

    fn write(&self) -> [u8; REFERENCE] {
        let (first, before) = match self.before {
            Before::Run(before) => (0, before.0),
            Before::Owner(owner) => (FIRST, owner),
        };
        let flag = |so: bool, bit: u32| if so { bit } else { 0 };
        let flags = first | flag(self.led, LED) | flag(self.linked, LINKED);
        let place = self.offset << (32 - OFFSET_BITS) | flags | u32::from(self.spans);
        let mut bytes = [0; REFERENCE];
        // They share a byte; the word in front is written last.
        if let Some(end) = bytes.last_chunk_mut() {
            *end = (self.context << 8).to_le_bytes();
        }
        if let Some(start) = bytes.first_chunk_mut() {
            *start = (u64::from(before) << 32 | u64::from(place)).to_le_bytes();
        }
        bytes
    }

    fn read(bytes: [u8; REFERENCE]) -> Self {
        let front = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (place, before) = (front as u32, (front >> 32) as u32);
        Self {
            offset: place >> (32 - OFFSET_BITS),
            spans: place as u16 & RUN_SPANS_MAX,
            led: place & LED != 0,
            linked: place & LINKED != 0,
            before: if place & FIRST != 0 { Before::Owner(before) } else { Before::Run(RunRef(before)) },
            context: bytes.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) >> 8),
        }
    }
}

/// A piece of memory with runs in it.
#[derive(Debug, Default)]
pub(super) struct Segment {
    memory: Memory,
    /// Bytes of runs, from the front.
    len: usize,
    /// How many references there are, from the end.
    runs: usize,
    /// Bytes of the runs that are still wanted.
    pub(super) live: usize,
    /// The lane whose runs it takes.
    pub(super) lane: u64,
    /// When the last of its traces is due, as far as was known when their runs came.
    pub(super) due_ms: u64,
    /// It cannot be compacted.
    pub(super) stuck: bool,
}

impl Segment {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { memory: Memory::new(bytes), ..Self::default() }
    }

    /// Memory that it takes, the references included.
    pub(super) fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Makes it as good as new, with its memory.
    pub(super) fn clear(&mut self) {
        *self = Self { memory: std::mem::take(&mut self.memory), ..Self::default() };
    }

    /// Whether a run that [takes](Run::taken) so many bytes fits.
    pub(super) fn has_room(&self, taken: usize) -> bool {
        self.len + taken + (self.runs + 1) * REFERENCE <= self.capacity()
            && self.len < SEGMENT_BYTES_MAX
            && self.runs < NUMBERS_MAX
    }

    /// Appends a run of `len` bytes, which `fill` writes, and its reference. There must be room. If it is not the first, it has
    /// yet to be said [what is next](Self::set_next).
    pub(super) fn append(&mut self, run: Run, len: usize, fill: impl FnOnce(&mut [u8])) -> u16 {
        let run = Run { offset: self.len as u32, linked: !run.is_first(), ..run };
        let start = run.start();
        if let Some(room) = self.memory.bytes_mut().get_mut(start..start + len) {
            fill(room);
        }
        self.len = start + len;
        self.live += len;
        self.runs += 1;
        let number = self.runs - 1;
        self.set(number, &run);
        number as u16
    }

    /// How many references there are, those to dead runs included.
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// The reference of this number.
    pub(super) fn run(&self, number: usize) -> Option<Run> {
        let bytes = self.memory.bytes().get(self.place(number)?)?;
        Some(Run::read(*bytes.first_chunk()?))
    }

    /// The run behind the one of this number, which is not the first; behind the last comes the second.
    pub(super) fn next(&self, number: usize) -> Option<RunRef> {
        let start = self.run(number).filter(|run| run.linked)?.offset as usize;
        let bytes = self.memory.bytes().get(start..)?.first_chunk()?;
        Some(RunRef(u32::from_le_bytes(*bytes)))
    }

    /// Another run comes behind the one of this number, which is not the first.
    pub(super) fn set_next(&mut self, number: usize, next: RunRef) {
        let Some(run) = self.run(number).filter(|run| run.linked) else { return };
        let start = run.offset as usize;
        if let Some(bytes) = self.memory.bytes_mut().get_mut(start..start + NEXT) {
            bytes.copy_from_slice(&next.0.to_le_bytes());
        }
    }

    /// Changes the reference of this number.
    pub(super) fn set(&mut self, number: usize, run: &Run) {
        let place = self.place(number);
        if let Some(bytes) = place.and_then(|place| self.memory.bytes_mut().get_mut(place)) {
            bytes.copy_from_slice(&run.write());
        }
    }

    /// Nobody wants `run`, which has this number, any more. Returns how many bytes that sets free.
    pub(super) fn kill(&mut self, number: usize, run: &Run) -> usize {
        let len = self.end(number) - run.start();
        self.set(number, &Run { spans: 0, ..*run });
        self.live -= len;
        len
    }

    /// The bytes of a run.
    pub(super) fn run_bytes(&self, number: usize) -> &[u8] {
        let start = self.run(number).map_or(self.len, |run| run.start());
        self.memory.bytes().get(start..self.end(number)).unwrap_or_default()
    }

    fn end(&self, number: usize) -> usize {
        self.run(number + 1).map_or(self.len, |next| next.offset as usize)
    }

    fn place(&self, number: usize) -> Option<Range<usize>> {
        let end = self.capacity().checked_sub(number * REFERENCE)?;
        (number < self.runs && end >= REFERENCE).then(|| end - REFERENCE..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reference says is read as it was written, up to the largest numbers.
    #[test]
    fn references_read_as_written() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..1_000 {
            let any = random.u32(..);
            let run = Run {
                offset: random.u32(..1 << OFFSET_BITS),
                spans: random.u16(..=RUN_SPANS_MAX),
                led: random.bool(),
                linked: random.bool(),
                before: if random.bool() { Before::Owner(any) } else { Before::Run(RunRef(any)) },
                context: random.u32(..1 << 24),
            };
            assert_eq!(Run::read(run.write()), run);
        }
    }
}
