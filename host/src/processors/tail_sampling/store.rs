//! The spans of undecided traces, in segments.
//!
//! Time is cut into *lanes* by when traces are due, and each lane has a segment of its own that new runs go to the end of:
//! what is decided together lies together, however long the spans of a trace take to come, and a segment dies as a whole
//! soon after the first of its traces. Every segment counts the bytes that are still wanted: when none are left it goes back
//! to the pool; when early decisions have left it mostly dead, [`Store::compact`] moves the rest. Resources and
//! scopes are beside them ([`contexts`](super::contexts)). The memory of all together is known at any time
//! ([`Store::footprint`]) and is what the byte budget bounds.
//!
//! Whatever is done to one run takes the same time, however many its trace has.

mod compact;
mod ring;
mod room;

use super::contexts::{Context, Contexts};
use super::packed;
use super::segment::{Before, Run, RunRef, SEGMENT_BYTES_MAX, Segment};
pub use compact::Chains;

/// The smallest segment, unless it is made for one large span.
const SEGMENT_BYTES_MIN: usize = 32 << 10;
/// The budget has room for at least so many segments.
const SEGMENTS_MIN: usize = 128;
/// Segments are made so small that at least so many are in use, if they can be: of those of each lane one is not full.
const IN_USE_MIN: usize = 512;
/// Lanes at most, and segments of the budget to each lane at least.
const LANES: (u64, u64) = (16, 8);
/// Memory for unpacking that is kept between two traces.
const SCRATCH_KEPT: usize = 64 << 10;
/// The runs of one trace: the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    tail: RunRef,
}

impl Default for Chain {
    fn default() -> Self {
        Self { tail: RunRef::NONE }
    }
}

impl Chain {
    /// Whether there are no runs.
    pub fn is_empty(self) -> bool {
        self.tail == RunRef::NONE
    }

    /// As a number, for those who keep it.
    pub(super) fn bits(self) -> u32 {
        self.tail.bits()
    }

    /// From [`Self::bits`].
    pub(super) fn from_bits(bits: u32) -> Self {
        Self { tail: RunRef::from_bits(bits) }
    }
}

/// A run on its way in.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Resource and scope.
    pub context: Context<'a>,
    /// Number of its trace.
    pub owner: u32,
    /// How many spans, at most [`RUN_SPANS_MAX`](super::segment::RUN_SPANS_MAX).
    pub spans: u16,
    /// Their bytes, each span with tag and length, in two pieces.
    pub pieces: [&'a [u8]; 2],
    /// The message of each begins with the id of the trace, and they are in the second piece.
    pub led: bool,
}

impl NewRun<'_> {
    /// How many bytes of it are kept.
    fn len(&self) -> usize {
        let [head, records] = self.pieces;
        if self.led { packed::packed_len(records, self.spans) } else { head.len() + records.len() }
    }

    fn write(&self, out: &mut [u8]) {
        let [head, records] = self.pieces;
        if self.led {
            packed::pack(records, self.spans, out);
        } else if let Some((room, rest)) = out.split_at_mut_checked(head.len()) {
            room.copy_from_slice(head);
            rest.copy_from_slice(records);
        }
    }
}

/// A run on its way out.
#[derive(Clone, Copy, Debug)]
pub struct OldRun<'a> {
    /// Resource and scope.
    pub context: Context<'a>,
    /// How many spans.
    pub spans: u16,
    /// Their bytes, each span with tag and length.
    pub bytes: &'a [u8],
}

/// How much of a trace is let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// So many runs.
    pub runs: usize,
    /// So many bytes of spans that go somewhere, and the rest of a run.
    pub bytes: usize,
}

impl Portion {
    /// Everything.
    pub const ALL: Self = Self { runs: usize::MAX, bytes: usize::MAX };

    fn is_empty(self) -> bool {
        self.runs == 0 || self.bytes == 0
    }
}

/// How far the runs of a trace were visited.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// The next run.
    at: RunRef,
    /// How much had been compacted by then.
    compacted: u64,
}

impl Cursor {
    /// Whether all runs were visited.
    pub fn is_at_end(&self) -> bool {
        self.at == RunRef::NONE
    }
}

/// There is no number left for another segment or context. The owner must decide traces before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// How a store divides its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// The smallest and the largest segment.
    pub segment_bytes: (usize, usize),
    /// Into how many lanes the wait is cut.
    pub lanes: u64,
}

impl Division {
    /// For a budget of `bytes_max`.
    pub fn of(bytes_max: usize) -> Self {
        // A power of two, as all sizes in between are: they are reused for one another.
        let largest = 1 << (bytes_max / SEGMENTS_MIN).max(1).ilog2();
        let largest = largest.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        let lanes = ((bytes_max / largest) as u64 / LANES.1).clamp(1, LANES.0);
        Self { segment_bytes: (SEGMENT_BYTES_MIN, largest), lanes }
    }
}

/// All segments of a shard.
#[derive(Debug)]
pub struct Store {
    division: Division,
    lane_ms: u64,
    contexts: Contexts,
    slots: Vec<Option<Segment>>,
    free: Vec<u16>,
    /// The segments that new runs go to. Lanes take turns, the next wait's use the places of those that are over.
    active: Box<[Option<u16>]>,
    pool: Vec<Segment>,
    /// Memory of the segments in use.
    in_use: usize,
    live: usize,
    /// Where the search for something to compact goes on.
    looked_at: usize,
    /// How many segments were compacted.
    compacted: u64,
    /// For unpacking.
    scratch: Vec<u8>,
}

impl Store {
    /// For traces that wait `wait_ms` for their decision.
    pub fn new(division: Division, wait_ms: u64) -> Self {
        let mut store = Self {
            division,
            lane_ms: 1,
            contexts: Contexts::default(),
            slots: Vec::new(),
            free: Vec::new(),
            // Two more: the wait begins and ends within a lane, and clocks of requests differ a little.
            active: vec![None; division.lanes as usize + 2].into_boxed_slice(),
            pool: Vec::new(),
            in_use: 0,
            live: 0,
            looked_at: 0,
            compacted: 0,
            scratch: Vec::new(),
        };
        store.expect_wait(wait_ms);
        store
    }

    /// Traces wait so long from now on.
    pub fn expect_wait(&mut self, wait_ms: u64) {
        self.lane_ms = wait_ms.div_ceil(self.division.lanes.max(1)).max(1);
    }

    /// Size of the largest segment, in bytes.
    pub fn segment_bytes(&self) -> usize {
        self.division.segment_bytes.1
    }

    /// Memory of all segments in use and of what belongs to them, in bytes.
    pub fn footprint(&self) -> usize {
        self.in_use + self.contexts.footprint()
    }

    /// Bytes of spans that are wanted.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Adds a run to a trace that is due at `due_ms`.
    ///
    /// # Errors
    /// [`Full`]: nothing was added.
    pub fn append(&mut self, chain: &mut Chain, new: &NewRun<'_>, due_ms: u64, now_ms: u64) -> Result<(), Full> {
        let due_ms = self.clamp(due_ms, now_ms);
        let before = if chain.is_empty() { Before::Owner(new.owner) } else { Before::Run(chain.tail) };
        let context = self.contexts.hold(&new.context).ok_or(Full)?;
        let run = Run::new(before, context, new.spans, new.led);
        let len = new.len();
        let Ok(slot) = self.slot_for(run.taken(len), due_ms) else {
            self.contexts.release(context);
            return Err(Full);
        };
        let at = self.write(slot, run, len, due_ms, |room| new.write(room));
        self.put_behind(chain, at);
        Ok(())
    }

    /// Where the runs of a trace begin.
    pub fn cursor(&self, chain: Chain) -> Cursor {
        Cursor { at: self.first(chain), compacted: self.compacted }
    }

    /// Whether the run that a cursor points to is still there, if it was not let go of.
    pub fn is_valid(&self, cursor: &Cursor) -> bool {
        cursor.compacted == self.compacted
    }

    /// Calls `with` with the next run of the trace `id`, if there is one.
    pub fn visit_next<T>(
        &mut self,
        chain: Chain,
        id: &[u8; 16],
        cursor: &mut Cursor,
        with: impl FnOnce(OldRun<'_>) -> T,
    ) -> Option<T> {
        let run = self.run(cursor.at)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = with(self.restore(cursor.at, &run, id, &mut scratch));
        self.scratch = scratch;
        cursor.at = self.behind(chain, cursor.at, &run);
        Some(result)
    }

    /// Calls `each` with the runs of the trace `id` in the order in which they came.
    pub fn visit(&mut self, chain: Chain, id: &[u8; 16], mut each: impl FnMut(OldRun<'_>)) {
        let mut cursor = self.cursor(chain);
        while self.visit_next(chain, id, &mut cursor, &mut each).is_some() {}
    }

    /// Calls `each` with the runs of the trace `id`, in the order in which they came, and lets go of them, but only of a
    /// `portion`, which is used up: the others are what is left of `chain`. It gets the context, how many spans there are, and
    /// their bytes in two pieces.
    pub fn release(
        &mut self,
        chain: &mut Chain,
        id: &[u8; 16],
        portion: &mut Portion,
        mut each: impl FnMut(&Context<'_>, u16, [&[u8]; 2]),
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.let_go(chain, portion, |store, at, run| {
            let context = store.contexts.get(run.context);
            let kept = store.bytes(at);
            let mut pieces = [kept, &[]];
            scratch.clear();
            if run.led && run.spans == 1 {
                // Not copied once more than has to be.
                packed::unpack_head(kept, id, &mut scratch);
                pieces = [&scratch, kept];
            } else if run.led {
                packed::unpack(kept, run.spans, id, &mut scratch);
                pieces = [&scratch, &[]];
            }
            each(&context, run.spans, pieces);
            kept.len()
        });
        self.scratch = scratch;
        // One that was as large as a batch is no measure.
        self.scratch.shrink_to(SCRATCH_KEPT);
    }

    /// Lets go of the runs of a trace, but only of a `portion`, which is used up: the others are what is left of `chain`.
    pub fn free(&mut self, chain: &mut Chain, portion: &mut Portion) {
        self.let_go(chain, portion, |_, _, _| 0);
    }

    /// Writes a run to a segment that has room for it.
    fn write(&mut self, slot: u16, run: Run, len: usize, due_ms: u64, fill: impl FnOnce(&mut [u8])) -> RunRef {
        let Some(segment) = self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut) else { return RunRef::NONE };
        let number = segment.append(run, len, fill);
        segment.due_ms = segment.due_ms.max(due_ms);
        self.live += len;
        RunRef::new(slot, number)
    }

    /// Lets go of a run, and of its context if that goes with it.
    fn kill(&mut self, at: RunRef, run: &Run, with_context: bool) {
        let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::as_mut) else { return };
        self.live -= segment.kill(at.number(), run);
        if segment.live == 0 {
            self.close(at.slot());
        }
        if with_context {
            self.contexts.release(run.context);
        }
    }

    /// A run as it came. `scratch` is where it is unpacked.
    fn restore<'a>(&'a self, at: RunRef, run: &Run, id: &[u8; 16], scratch: &'a mut Vec<u8>) -> OldRun<'a> {
        let mut bytes = self.bytes(at);
        if run.led {
            scratch.clear();
            packed::unpack(bytes, run.spans, id, scratch);
            bytes = scratch;
        }
        OldRun { context: self.contexts.get(run.context), spans: run.spans, bytes }
    }

    /// The bytes of a run as they are kept.
    fn bytes(&self, at: RunRef) -> &[u8] {
        self.segment(at.slot()).map_or(&[], |segment| segment.run_bytes(at.number()))
    }

    fn segment(&self, slot: usize) -> Option<&Segment> {
        self.slots.get(slot).and_then(Option::as_ref)
    }

    fn run(&self, at: RunRef) -> Option<Run> {
        self.segment(at.slot())?.run(at.number())
    }

    fn edit(&mut self, at: RunRef, edit: impl FnOnce(&mut Run)) {
        if let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::as_mut)
            && let Some(mut run) = segment.run(at.number())
        {
            edit(&mut run);
            segment.set(at.number(), &run);
        }
    }
}

#[cfg(test)]
mod tests;
