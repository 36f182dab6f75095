//! The spans of undecided traces, in segments.
//!
//! New runs go to the end of an active segment. Every segment counts the bytes that are still wanted: when none are left
//! it goes back to the pool whole; when early decisions have left it mostly dead, [`Store::compact`] moves the rest. The
//! memory of all segments together is known at any time ([`Store::footprint`]) and is what the byte budget bounds.

use super::segment::{Context, DEAD, NUMBERS_MAX, Run, RunRef, Segment};

/// Segments kept for reuse: about what a tick of heavy traffic frees.
const POOL_MAX: usize = 8;
/// A segment is worth compacting when less than this share of it is wanted, in percent.
const COMPACT_BELOW_PERCENT: usize = 50;

/// The runs of one trace: the ends of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    head: RunRef,
    tail: RunRef,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: RunRef::NONE, tail: RunRef::NONE }
    }
}

/// A run on its way in.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Resource and scope.
    pub context: Context<'a>,
    /// How many spans.
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

/// What a segment is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    New,
    Moved,
}

/// Whoever owns the chains, for moving what they point at.
pub trait Chains {
    /// The chain of an entry.
    fn chain_mut(&mut self, owner: u32) -> Option<&mut Chain>;
}

/// There is no number left for another segment. The owner must decide traces before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// All segments of a shard.
#[derive(Debug)]
pub struct Store {
    segment_bytes: usize,
    slots: Vec<Option<Segment>>,
    free: Vec<u16>,
    /// Where new runs go, and where those go that compaction moves: they have shown that they live long, and stay apart.
    active: [Option<u16>; 2],
    pool: Vec<Segment>,
    /// Memory of the segments in use.
    in_use: usize,
    live: usize,
}

impl Store {
    /// With segments of `segment_bytes`.
    pub fn new(segment_bytes: usize) -> Self {
        Self {
            segment_bytes,
            slots: Vec::new(),
            free: Vec::new(),
            active: [None; 2],
            pool: Vec::new(),
            in_use: 0,
            live: 0,
        }
    }

    /// Size of a segment, in bytes.
    pub fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    /// Memory of all segments in use, in bytes.
    pub fn footprint(&self) -> usize {
        self.in_use
    }

    /// Bytes of spans that are wanted.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Adds a run to the trace of entry `owner`.
    ///
    /// # Errors
    /// [`Full`]: nothing was added.
    pub fn append(&mut self, chain: &mut Chain, owner: u32, run: &NewRun<'_>, now_ms: u64) -> Result<(), Full> {
        let at = self.write(Fill::New, owner, run, now_ms)?;
        if let Some(last) = self.run_mut(chain.tail) {
            last.next = at;
        } else {
            chain.head = at;
        }
        chain.tail = at;
        Ok(())
    }

    /// Calls `each` with the runs of a trace in the order in which they came.
    pub fn visit(&self, chain: Chain, mut each: impl FnMut(OldRun<'_>)) {
        let mut at = chain.head;
        while let Some((segment, run)) = self.run(at) {
            each(OldRun { context: segment.context(run), spans: run.spans, bytes: segment.run_bytes(run) });
            at = run.next;
        }
    }

    /// Lets go of the runs of a trace.
    pub fn free(&mut self, chain: Chain) {
        let mut at = chain.head;
        while at != RunRef::NONE {
            let slot = at.slot();
            let Some(segment) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
            let Some(run) = segment.runs.get_mut(at.number()) else { return };
            run.owner = DEAD;
            at = run.next;
            let len = run.len as usize;
            segment.live -= len;
            self.live -= len;
            if segment.live == 0 && !self.active.contains(&Some(slot as u16)) {
                self.close(slot);
            }
        }
        if self.live == 0 {
            // Nothing is held: the active segments have no reason to keep their dead runs.
            for slot in std::mem::take(&mut self.active).into_iter().flatten() {
                self.close(usize::from(slot));
            }
        }
    }

    /// A segment that is mostly dead but will not die by itself before long: its last run came after `touched_after_ms`.
    pub fn worth_compacting(&self, touched_after_ms: u64) -> Option<u16> {
        let worth = |(slot, segment): (usize, &Option<Segment>)| {
            let segment = segment.as_ref()?;
            let mostly_dead = segment.live * 100 < segment.capacity() * COMPACT_BELOW_PERCENT;
            let slot = u16::try_from(slot).ok()?;
            (mostly_dead && segment.touched_ms > touched_after_ms && !self.active.contains(&Some(slot))).then_some(slot)
        };
        self.slots.iter().enumerate().find_map(worth)
    }

    /// Moves what is wanted of segment `slot` to another one and frees it. Takes as long as the chains of its traces.
    ///
    /// # Errors
    /// [`Full`]: what has not been moved is still where it was.
    pub fn compact(&mut self, slot: u16, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let Some(segment) = self.slots.get(usize::from(slot)).and_then(Option::as_ref) else { return Ok(()) };
        let mut owners: Vec<u32> = segment.runs.iter().map(|run| run.owner).filter(|owner| *owner != DEAD).collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            let Some(chain) = chains.chain_mut(owner) else { continue };
            self.move_runs(slot, owner, chain, now_ms)?;
        }
        Ok(())
    }

    /// Moves the runs of one trace out of segment `slot`. At each step the chain is whole.
    fn move_runs(&mut self, slot: u16, owner: u32, chain: &mut Chain, now_ms: u64) -> Result<(), Full> {
        let mut before = RunRef::NONE;
        let mut at = chain.head;
        while let Some((_, run)) = self.run(at) {
            let next = run.next;
            if at.slot() == usize::from(slot) {
                let moved = self.move_run(at, owner, now_ms)?;
                match self.run_mut(before) {
                    Some(run) => run.next = moved,
                    None => chain.head = moved,
                }
                if chain.tail == at {
                    chain.tail = moved;
                }
                at = moved;
            }
            before = at;
            at = next;
        }
        Ok(())
    }

    /// Copies one run to the segment of moved ones and lets go of the old one.
    fn move_run(&mut self, at: RunRef, owner: u32, now_ms: u64) -> Result<RunRef, Full> {
        // Out of its slot while it is read: active segments are other ones.
        let Some(mut old) = self.slots.get_mut(at.slot()).and_then(Option::take) else { return Err(Full) };
        let Some(run) = old.runs.get(at.number()).copied() else { return Err(Full) };
        let pieces = [old.run_bytes(&run), &[]];
        let run_again = NewRun { context: old.context(&run), spans: run.spans, pieces };
        let moved = self.write(Fill::Moved, owner, &run_again, now_ms);
        if let Ok(moved) = moved {
            if let Some(new) = self.run_mut(moved) {
                new.next = run.next;
            }
            if let Some(run) = old.runs.get_mut(at.number()) {
                run.owner = DEAD;
            }
            old.live -= run.len as usize;
            self.live -= run.len as usize;
        }
        let dead = old.live == 0;
        if let Some(place) = self.slots.get_mut(at.slot()) {
            *place = Some(old);
        }
        if dead {
            self.close(at.slot());
        }
        moved
    }

    /// Writes a run to an active segment, which may be a new one.
    fn write(&mut self, fill: Fill, owner: u32, run: &NewRun<'_>, now_ms: u64) -> Result<RunRef, Full> {
        let len = run.pieces.iter().map(|piece| piece.len()).sum();
        let room = |segment: &Segment| segment.has_room(len, &run.context);
        let slot = match self.active.get(fill as usize).copied().flatten() {
            Some(slot) if self.segment(slot).is_some_and(room) => slot,
            _ => self.open(fill, len + run.context.resource.len() + run.context.scope.len())?,
        };
        let Some(segment) = self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut) else { return Err(Full) };
        let before = segment.footprint();
        let context = segment.intern(&run.context);
        let number = segment.append(owner, context, run.spans, run.pieces);
        segment.touched_ms = now_ms;
        self.in_use += segment.footprint() - before;
        self.live += len;
        Ok(RunRef::new(slot, number))
    }

    /// Makes another segment an active one, with room for `bytes`.
    fn open(&mut self, fill: Fill, bytes: usize) -> Result<u16, Full> {
        if let Some(old) = self.active.get_mut(fill as usize).and_then(Option::take)
            && self.segment(old).is_some_and(|segment| segment.live == 0)
        {
            self.close(usize::from(old));
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < NUMBERS_MAX => {
                self.slots.push(None);
                (self.slots.len() - 1) as u16
            }
            None => return Err(Full),
        };
        let pooled = if bytes <= self.segment_bytes { self.pool.pop() } else { None };
        let segment = pooled.unwrap_or_else(|| Segment::with_capacity(bytes.max(self.segment_bytes)));
        self.in_use += segment.footprint();
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = Some(segment);
        }
        if let Some(active) = self.active.get_mut(fill as usize) {
            *active = Some(slot);
        }
        Ok(slot)
    }

    /// Takes a segment out of use.
    fn close(&mut self, slot: usize) {
        let Some(mut segment) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.in_use -= segment.footprint();
        self.free.push(slot as u16);
        // Those that were made for one huge span are not kept.
        if self.pool.len() < POOL_MAX && segment.capacity() == self.segment_bytes {
            segment.clear();
            self.pool.push(segment);
        }
    }

    fn segment(&self, slot: u16) -> Option<&Segment> {
        self.slots.get(usize::from(slot)).and_then(Option::as_ref)
    }

    fn run(&self, at: RunRef) -> Option<(&Segment, &Run)> {
        let segment = self.slots.get(at.slot()).and_then(Option::as_ref)?;
        Some((segment, segment.runs.get(at.number())?))
    }

    fn run_mut(&mut self, at: RunRef) -> Option<&mut Run> {
        self.slots.get_mut(at.slot()).and_then(Option::as_mut)?.runs.get_mut(at.number())
    }
}

#[cfg(test)]
mod tests;
