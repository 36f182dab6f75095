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

use super::contexts::{Context, Contexts};
use super::segment::{NUMBERS_MAX, RunRef, SEGMENT_BYTES_MAX, Segment};

/// The smallest segment, unless it is made for one large span.
const SEGMENT_BYTES_MIN: usize = 64 << 10;
/// The budget has room for at least so many segments; and segments are made so small that at least as many are in use,
/// if they can be, for one of each lane is not full yet.
const SEGMENTS_MIN: usize = 128;
/// Lanes at most, and segments of the budget to each lane at least.
const LANES: (u64, u64) = (16, 8);
/// Segments kept for reuse, and how many more for each so many in use: about what a tick of heavy traffic frees.
const POOL: (usize, usize) = (4, 32);
/// A segment is worth compacting when less than this share of it is wanted, in percent.
const COMPACT_BELOW_PERCENT: usize = 50;

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
}

/// A run on its way in.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Resource and scope.
    pub context: Context<'a>,
    /// How many spans, at most [`RUN_SPANS_MAX`](super::segment::RUN_SPANS_MAX).
    pub spans: u16,
    /// Their bytes, each span with tag and length, in two pieces.
    pub pieces: [&'a [u8]; 2],
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

/// Whoever owns the chains, for moving what they point at.
pub trait Chains {
    /// The chain that a run with these bytes is part of, and its owner.
    fn chain(&self, run: &[u8]) -> Option<(u32, Chain)>;
    /// The chain of this owner is another one now.
    fn set_chain(&mut self, owner: u32, chain: Chain);
}

/// There is no number left for another segment. The owner must decide traces before it goes on.
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
    pub fn append(&mut self, chain: &mut Chain, run: &NewRun<'_>, due_ms: u64, now_ms: u64) -> Result<(), Full> {
        // Later than that nothing is due; what is due already is as good as due now.
        let due_ms = due_ms.clamp(now_ms, now_ms + self.division.lanes * self.lane_ms);
        let len = run.pieces.iter().map(|piece| piece.len()).sum();
        let slot = self.slot_for(len, due_ms)?;
        let context = self.contexts.hold(&run.context);
        let at = self.write(slot, context, run.spans, run.pieces, due_ms);
        let before = std::mem::replace(&mut chain.tail, at);
        let first = self.run_mut(before).map_or(at, |last| std::mem::replace(&mut last.next, at));
        if let Some(new) = self.run_mut(at) {
            (new.next, new.before) = (first, before);
        }
        Ok(())
    }

    /// Calls `each` with the runs of a trace in the order in which they came.
    pub fn visit(&self, chain: Chain, mut each: impl FnMut(OldRun<'_>)) {
        let mut at = self.first(chain);
        while let Some(run) = self.old_run(at) {
            each(run);
            at = self.after(chain, at);
        }
    }

    /// Calls `each` with the runs of a trace, in the order in which they came, and lets go of them, but only of `most`: the
    /// others are what is left of `chain`. Returns how many they were.
    pub fn release(&mut self, chain: &mut Chain, most: usize, mut each: impl FnMut(OldRun<'_>)) -> usize {
        let mut at = self.first(*chain);
        let mut released = 0;
        while released < most
            && let Some(run) = self.old_run(at)
        {
            each(run);
            let next = self.after(*chain, at);
            self.kill(at, true);
            at = next;
            released += 1;
        }
        match self.run_mut(at) {
            Some(first) => {
                first.before = RunRef::NONE;
                if let Some(last) = self.run_mut(chain.tail) {
                    last.next = at;
                }
            }
            None => *chain = Chain::default(),
        }
        released
    }

    /// Lets go of the runs of a trace.
    pub fn free(&mut self, mut chain: Chain) {
        self.release(&mut chain, usize::MAX, |_| {});
    }

    /// A segment that is mostly dead but will not die by itself before `until_ms`.
    pub fn worth_compacting(&mut self, until_ms: u64) -> Option<u16> {
        for _ in 0..self.slots.len() {
            self.looked_at = (self.looked_at + 1) % self.slots.len();
            let Some(segment) = self.slots.get(self.looked_at).and_then(Option::as_ref) else { continue };
            let mostly_dead = segment.live * 100 < segment.capacity() * COMPACT_BELOW_PERCENT;
            let slot = self.looked_at as u16;
            if mostly_dead && segment.due_ms > until_ms && !segment.stuck && !self.active.contains(&Some(slot)) {
                return Some(slot);
            }
        }
        None
    }

    /// Moves what is wanted of segment `slot` to the active one of its lane and frees it.
    ///
    /// # Errors
    /// [`Full`]: what has not been moved is still where it was.
    pub fn compact(&mut self, slot: u16, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let runs = self.segment(slot).map_or(0, |segment| segment.runs.len());
        for number in 0..runs as u16 {
            let at = RunRef::new(slot, number);
            if self.run_mut(at).is_some_and(|run| !run.is_dead()) {
                self.move_run(at, chains, now_ms)?;
            }
        }
        // Whatever is left belongs to nobody.
        if let Some(segment) = self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut) {
            segment.stuck = true;
        }
        Ok(())
    }

    /// Copies one run to an active segment and lets go of the old one. Only the ends of a chain concern its owner.
    fn move_run(&mut self, at: RunRef, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let Some(old) = self.run_mut(at).copied() else { return Ok(()) };
        let is_first = old.before == RunRef::NONE;
        let is_last = self.run_mut(old.next).is_some_and(|next| next.before == RunRef::NONE);
        let Some(bytes) = self.old_run(at).map(|run| run.bytes) else { return Ok(()) };
        let owner = if is_first || is_last { chains.chain(bytes) } else { None };
        let last = match owner {
            Some((_, chain)) => chain.tail,
            None if is_first || is_last => return Ok(()),
            None => RunRef::NONE,
        };
        let len = bytes.len();
        let Some(due_ms) = self.slots.get(at.slot()).and_then(Option::as_ref).map(|segment| segment.due_ms) else {
            return Ok(());
        };
        let due_ms = due_ms.clamp(now_ms, now_ms + self.division.lanes * self.lane_ms);
        let slot = self.slot_for(len, due_ms)?;
        // Out of its slot while it is read: the active segment is another one.
        let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::take) else { return Ok(()) };
        let new = self.write(slot, old.context, old.spans(), [segment.run_bytes(at.number()), &[]], due_ms);
        if let Some(place) = self.slots.get_mut(at.slot()) {
            *place = Some(segment);
        }
        let next = if old.next == at { new } else { old.next };
        if let Some(run) = self.run_mut(new) {
            (run.next, run.before) = (next, old.before);
        }
        if let Some(run) = self.run_mut(if is_first { last } else { old.before })
            && !(is_first && is_last)
        {
            run.next = new;
        }
        if is_last {
            if let Some((owner, _)) = owner {
                chains.set_chain(owner, Chain { tail: new });
            }
        } else if let Some(run) = self.run_mut(next) {
            run.before = new;
        }
        self.kill(at, false);
        Ok(())
    }

    /// Lets go of a run, and of its context if that goes with it.
    fn kill(&mut self, at: RunRef, with_context: bool) {
        let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::as_mut) else { return };
        let len = segment.run_bytes(at.number()).len();
        let Some(run) = segment.runs.get_mut(at.number()) else { return };
        run.kill();
        if with_context {
            self.contexts.release(run.context);
        }
        segment.live -= len;
        self.live -= len;
        if segment.live == 0 {
            self.close(at.slot());
        }
    }

    /// A segment with room for `len` bytes that are wanted until `due_ms`.
    fn slot_for(&mut self, len: usize, due_ms: u64) -> Result<u16, Full> {
        let (smallest, largest) = self.division.segment_bytes;
        let usual = 1 << (self.in_use / (2 * SEGMENTS_MIN)).max(1).ilog2();
        let usual = usual.clamp(smallest, largest);
        let lane = due_ms / self.lane_ms;
        // One that would leave much of a segment's end unused gets one of its own.
        if len > usual / 4 {
            return self.open(Segment::with_capacity(len), lane);
        }
        let turn = (lane % self.active.len() as u64) as usize;
        let active = self.active.get(turn).copied().flatten();
        if let Some(slot) = active
            && self.segment(slot).is_some_and(|segment| segment.lane == lane && segment.has_room(len))
        {
            return Ok(slot);
        }
        while self.pool.last().is_some_and(|segment| !(usual / 2..=usual * 2).contains(&segment.capacity())) {
            self.pool.pop();
        }
        let segment = self.pool.pop().unwrap_or_else(|| Segment::with_capacity(usual));
        let slot = self.open(segment, lane)?;
        if let Some(place) = self.active.get_mut(turn) {
            *place = Some(slot);
        }
        if let Some(full) = active.and_then(|slot| self.slots.get_mut(usize::from(slot))).and_then(Option::as_mut) {
            let before = full.footprint();
            full.seal();
            self.in_use -= before - full.footprint();
        }
        Ok(slot)
    }

    /// Takes a segment into use.
    fn open(&mut self, mut segment: Segment, lane: u64) -> Result<u16, Full> {
        segment.lane = lane;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < NUMBERS_MAX => {
                self.slots.push(None);
                (self.slots.len() - 1) as u16
            }
            None => return Err(Full),
        };
        self.in_use += segment.footprint();
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = Some(segment);
        }
        Ok(slot)
    }

    /// Writes a run to a segment that has room for it.
    fn write(&mut self, slot: u16, context: u32, spans: u16, pieces: [&[u8]; 2], due_ms: u64) -> RunRef {
        let Some(segment) = self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut) else { return RunRef::NONE };
        let before = segment.footprint();
        let live = segment.live;
        let number = segment.append(context, spans, pieces);
        segment.due_ms = segment.due_ms.max(due_ms);
        self.in_use += segment.footprint() - before;
        self.live += segment.live - live;
        RunRef::new(slot, number)
    }

    /// Takes a segment out of use.
    fn close(&mut self, slot: usize) {
        let Some(mut segment) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.in_use -= segment.footprint();
        self.free.push(slot as u16);
        if let Some(active) = self.active.iter_mut().find(|active| **active == Some(slot as u16)) {
            *active = None;
        }
        let in_use = self.slots.len() - self.free.len();
        self.pool.truncate(POOL.0 + in_use / POOL.1);
        // Those that were made for one large run are not kept.
        if self.pool.len() < POOL.0 + in_use / POOL.1 && segment.capacity().is_power_of_two() {
            segment.clear();
            self.pool.push(segment);
        }
    }

    fn segment(&self, slot: u16) -> Option<&Segment> {
        self.slots.get(usize::from(slot)).and_then(Option::as_ref)
    }

    /// The first run of a chain.
    fn first(&self, chain: Chain) -> RunRef {
        let tail = self.slots.get(chain.tail.slot()).and_then(Option::as_ref);
        tail.and_then(|segment| segment.runs.get(chain.tail.number())).map_or(RunRef::NONE, |run| run.next)
    }

    /// The run of a chain behind `at`.
    fn after(&self, chain: Chain, at: RunRef) -> RunRef {
        if at == chain.tail {
            return RunRef::NONE;
        }
        let segment = self.slots.get(at.slot()).and_then(Option::as_ref);
        segment.and_then(|segment| segment.runs.get(at.number())).map_or(RunRef::NONE, |run| run.next)
    }

    fn old_run(&self, at: RunRef) -> Option<OldRun<'_>> {
        let segment = self.slots.get(at.slot()).and_then(Option::as_ref)?;
        let run = segment.runs.get(at.number())?;
        let (context, bytes) = (self.contexts.get(run.context), segment.run_bytes(at.number()));
        Some(OldRun { context, spans: run.spans(), bytes })
    }

    fn run_mut(&mut self, at: RunRef) -> Option<&mut super::segment::Run> {
        self.slots.get_mut(at.slot()).and_then(Option::as_mut)?.runs.get_mut(at.number())
    }
}

#[cfg(test)]
mod tests;
