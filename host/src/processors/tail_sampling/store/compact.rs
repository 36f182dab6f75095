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

    /// Copies one run to an active segment and lets go of the old one. Only the ends of a chain concern its owner.
    fn move_run(&mut self, at: RunRef, chains: &mut impl Chains, now_ms: u64) -> Result<(), Full> {
        let Some(old) = self.run(at).filter(|run| !run.is_dead()) else { return Ok(()) };
        let Some(next) = self.run(old.next) else { return Ok(()) };
        // Behind the last comes the first, which knows the owner.
        let (is_first, is_last) = (old.is_first(), next.is_first());
        let end = match (old.before, next.before) {
            (Before::Owner(owner), _) | (_, Before::Owner(owner)) => {
                let Some(chain) = chains.chain(owner) else { return Ok(()) };
                let last = if is_last { at } else { chain.tail };
                // A trace that was decided is no longer its owner's.
                if chain.tail != last || (is_first && self.first(chain) != at) {
                    return Ok(());
                }
                Some((owner, last))
            }
            _ => None,
        };
        let Some(new) = self.copy(at, now_ms)? else { return Ok(()) };
        let behind = if old.next == at { new } else { old.next };
        self.edit(new, |run| (run.next, run.before) = (behind, old.before));
        let before = match (old.before, end) {
            (Before::Run(before), _) => before,
            (Before::Owner(_), Some((_, last))) => last,
            (Before::Owner(_), None) => RunRef::NONE,
        };
        if before != at {
            self.set_next(before, new);
        }
        if !is_last {
            self.edit(behind, |run| run.before = Before::Run(new));
        } else if let Some((owner, _)) = end {
            chains.set_chain(owner, Chain { tail: new });
        }
        self.kill(at, &old, false);
        Ok(())
    }

    /// Copies a run, with its context, to the active segment of its lane. It is in no chain there.
    fn copy(&mut self, at: RunRef, now_ms: u64) -> Result<Option<RunRef>, Full> {
        let Some(segment) = self.segment(at.slot()) else { return Ok(None) };
        let (due_ms, len) = (self.clamp(segment.due_ms, now_ms), segment.run_bytes(at.number()).len());
        let slot = self.slot_for(len, due_ms)?;
        // Out of its slot while it is read: the active segment is another one.
        let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::take) else { return Ok(None) };
        let copied = segment
            .run(at.number())
            .map(|run| self.write(slot, run, len, due_ms, |room| room.copy_from_slice(segment.run_bytes(at.number()))));
        if let Some(place) = self.slots.get_mut(at.slot()) {
            *place = Some(segment);
        }
        Ok(copied)
    }
}
