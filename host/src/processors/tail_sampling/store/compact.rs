//! Compaction: what is still wanted of a segment that early decisions left mostly dead is moved to another.

use super::super::segment::{Before, RunRef};
use super::{Chain, Full, Store};

/// A segment is worth compacting when less than this share of it is wanted, in percent.
const BELOW_PERCENT: usize = 50;

/// Whoever owns the chains, for moving what they point at.
pub trait Chains {
    /// The chain of the trace of this number; it may be another trace by now.
    fn chain(&self, owner: u32) -> Option<Chain>;
    /// The chain of this owner is another one now.
    fn set_chain(&mut self, owner: u32, chain: Chain);
}

impl Store {
    /// A segment that is mostly dead but will not die by itself before `until_ms`.
    pub fn worth_compacting(&mut self, until_ms: u64) -> Option<u16> {
        for _ in 0..self.slots.len() {
            self.looked_at = (self.looked_at + 1) % self.slots.len();
            let Some(segment) = self.segment(self.looked_at) else { continue };
            let mostly_dead = segment.live * 100 < segment.capacity() * BELOW_PERCENT;
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
        self.compacted += 1;
        let runs = self.segment(slot.into()).map_or(0, |segment| segment.runs());
        for number in 0..runs as u16 {
            self.move_run(RunRef::new(slot, number), chains, now_ms)?;
        }
        // Whatever is left belongs to nobody.
        if let Some(segment) = self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut) {
            segment.stuck = true;
        }
        Ok(())
    }

    /// Copies one run to an active segment and lets go of the old one. Of a trace that was decided, and is no longer its owner's,
    /// the ends stay where they are.
    fn move_run(&mut self, at: RunRef, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let Some(old) = self.run(at).filter(|run| !run.is_dead()) else { return Ok(()) };
        match old.before {
            Before::Owner(owner) => self.move_first(at, owner, chains, now_ms),
            Before::Run(before) => self.move_other(at, before, chains, now_ms),
        }
    }

    /// The first run concerns the second, or the owner if there is no other.
    fn move_first(&mut self, at: RunRef, owner: u32, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let Some(chain) = chains.chain(owner).filter(|chain| self.first(*chain) == at) else { return Ok(()) };
        let Some(new) = self.move_bytes(at, now_ms)? else { return Ok(()) };
        if chain.tail == at {
            chains.set_chain(owner, Chain { tail: new });
        } else {
            self.edit(self.next(chain.tail), |second| second.before = Before::Run(new));
        }
        Ok(())
    }

    /// Another run concerns those around it. The second is behind the last, which its owner knows.
    fn move_other(&mut self, at: RunRef, before: RunRef, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let next = self.next(at);
        // Who comes behind the last knows the first.
        let known = self.run(next).map(|run| run.before).into_iter().chain([Before::Run(before)]);
        let owner = known.filter_map(|before| self.owner(before)).next();
        let (mut is_second, mut is_last, mut last) = (false, false, RunRef::NONE);
        if let Some((first, owner)) = owner {
            let Some(chain) = chains.chain(owner).filter(|chain| self.first(*chain) == first) else { return Ok(()) };
            (is_second, is_last, last) = (before == first, chain.tail == at, chain.tail);
        }
        let Some(new) = self.move_bytes(at, now_ms)? else { return Ok(()) };
        self.set_next(new, if next == at { new } else { next });
        match (is_second, is_last) {
            (true, true) => {}
            (true, false) => self.set_next(last, new),
            _ => self.set_next(before, new),
        }
        match owner {
            Some((_, owner)) if is_last => chains.set_chain(owner, Chain { tail: new }),
            _ => self.edit(next, |run| run.before = Before::Run(new)),
        }
        Ok(())
    }

    /// The run before another, if it is the first, and its owner.
    fn owner(&self, before: Before) -> Option<(RunRef, u32)> {
        let Before::Run(first) = before else { return None };
        match self.run(first)?.before {
            Before::Owner(owner) => Some((first, owner)),
            Before::Run(_) => None,
        }
    }

    /// Copies a run and lets go of the old one, which its neighbours still mean.
    fn move_bytes(&mut self, at: RunRef, now_ms: u64) -> Result<Option<RunRef>, Full> {
        let new = self.copy(at, now_ms)?;
        if let Some(old) = self.run(at).filter(|_| new.is_some()) {
            self.kill(at, &old, false);
        }
        Ok(new)
    }

    /// Copies a run, with its context, to the active segment of its lane. It is in no chain there.
    fn copy(&mut self, at: RunRef, now_ms: u64) -> Result<Option<RunRef>, Full> {
        let Some(segment) = self.segment(at.slot()) else { return Ok(None) };
        let Some(run) = segment.run(at.number()) else { return Ok(None) };
        let (due_ms, len) = (self.clamp(segment.due_ms, now_ms), segment.run_bytes(at.number()).len());
        let slot = self.slot_for(run.taken(len), due_ms)?;
        // Out of its slot while it is read: the active segment is another one.
        let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::take) else { return Ok(None) };
        let bytes = segment.run_bytes(at.number());
        let copied = self.write(slot, run, len, due_ms, |room| room.copy_from_slice(bytes));
        if let Some(place) = self.slots.get_mut(at.slot()) {
            *place = Some(segment);
        }
        Ok(Some(copied))
    }
}
