//! A segment: an append-only piece of memory that holds runs of spans.
//!
//! A *run* is one or more neighbouring spans of one trace in one scope, each with tag and length, as they stand in a
//! `ScopeSpans`. Beside the bytes is a table of 16-byte references; those of one trace form a ring, so that a trace needs
//! to know only its last.

use super::memory::Memory;

/// Where a reference is: number of the segment and of the reference in it. [`RunRef::NONE`] is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRef(u32);

impl RunRef {
    /// There is none.
    pub const NONE: Self = Self(u32::MAX);

    pub(super) fn new(slot: u16, number: u16) -> Self {
        Self(u32::from(slot) << 16 | u32::from(number))
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
pub(super) const SEGMENT_BYTES_MAX: usize = 1 << (32 - SPANS_BITS);
const SPANS_BITS: u32 = 12;

/// A reference to a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where it begins, and how many spans it has; none if nobody wants it any more. It ends where the next one begins.
    place: u32,
    /// The next run of the same trace; behind the last one comes the first.
    pub(super) next: RunRef,
    /// The run before it; none before the first.
    pub(super) before: RunRef,
    /// Number of its context.
    pub(super) context: u32,
}

const _: () = assert!(size_of::<Run>() == 16);

impl Run {
    fn offset(&self) -> usize {
        (self.place >> SPANS_BITS) as usize
    }

    /// How many spans it has.
    pub(super) fn spans(&self) -> u16 {
        self.place as u16 & RUN_SPANS_MAX
    }

    /// Whether nobody wants it any more.
    pub(super) fn is_dead(&self) -> bool {
        self.spans() == 0
    }

    /// Nobody wants it any more.
    pub(super) fn kill(&mut self) {
        self.place &= !u32::from(RUN_SPANS_MAX);
    }
}

/// A piece of memory with runs in it.
#[derive(Debug, Default)]
pub(super) struct Segment {
    bytes: Memory,
    pub(super) runs: Vec<Run>,
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
        Self { bytes: Memory::with_capacity(bytes), ..Self::default() }
    }

    /// How many bytes it was made for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Memory that it takes, the references included.
    pub(super) fn footprint(&self) -> usize {
        self.capacity() + self.runs.capacity() * size_of::<Run>()
    }

    /// Makes it as good as new, with its memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
        *self =
            Self { bytes: std::mem::take(&mut self.bytes), runs: std::mem::take(&mut self.runs), ..Self::default() };
    }

    /// Nothing is added from now on: what was set aside for more references is given back.
    pub(super) fn seal(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// Whether a run of `len` bytes fits.
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.bytes.len() + len <= self.capacity()
            && self.bytes.len() < SEGMENT_BYTES_MAX
            && self.runs.len() < NUMBERS_MAX
    }

    /// Appends the bytes of a run of at most [`RUN_SPANS_MAX`] spans and its reference, which belongs to no trace yet. There
    /// must be room.
    pub(super) fn append(&mut self, context: u32, spans: u16, pieces: [&[u8]; 2]) -> u16 {
        if self.runs.len() == self.runs.capacity() {
            // Doubling would set aside as much again.
            self.runs.reserve_exact(16 + self.runs.len() / 4);
        }
        let place = (self.bytes.len() as u32) << SPANS_BITS | u32::from(spans);
        pieces.iter().for_each(|piece| self.bytes.extend(piece));
        self.live += pieces.iter().map(|piece| piece.len()).sum::<usize>();
        self.runs.push(Run { place, next: RunRef::NONE, before: RunRef::NONE, context });
        (self.runs.len() - 1) as u16
    }

    /// The bytes of a run.
    pub(super) fn run_bytes(&self, number: usize) -> &[u8] {
        let offset = |number: usize| self.runs.get(number).map_or(self.bytes.len(), Run::offset);
        self.bytes.get(offset(number)..offset(number + 1))
    }
}
