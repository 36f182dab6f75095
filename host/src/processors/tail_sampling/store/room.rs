//! Where there is room for a run: segments are taken into use, and out of it.

use super::super::segment::{NUMBERS_MAX, REFERENCE, Segment};
use super::{Full, IN_USE_MIN, Store};

/// Segments kept for reuse, and how many more for each so many in use: as many as a tick frees, a twentieth of the wait. A new
/// one costs more time than filling it: the system maps its pages one by one.
pub(super) const POOL: (usize, usize) = (4, 16);

impl Store {
    /// Later than that nothing is due; what is due already is as good as due now.
    pub(super) fn clamp(&self, due_ms: u64, now_ms: u64) -> u64 {
        due_ms.clamp(now_ms, now_ms + self.division.lanes * self.lane_ms)
    }

    /// A segment with room for a run that takes `len` bytes, which are wanted until `due_ms`.
    pub(super) fn slot_for(&mut self, len: usize, due_ms: u64) -> Result<u16, Full> {
        let (smallest, largest) = self.division.segment_bytes;
        let usual = 1 << (self.in_use / IN_USE_MIN).max(1).ilog2();
        let usual = usual.clamp(smallest, largest);
        let lane = due_ms / self.lane_ms;
        // One that would leave much of a segment unused gets one of its own.
        if len > usual / 4 {
            return self.open(Segment::with_capacity(len + REFERENCE), lane);
        }
        let turn = (lane % self.active.len() as u64) as usize;
        let active = self.active.get(turn).copied().flatten();
        if let Some(slot) = active
            && self.segment(slot.into()).is_some_and(|segment| segment.lane == lane && segment.has_room(len))
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
        self.in_use += segment.capacity();
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = Some(segment);
        }
        Ok(slot)
    }

    /// Takes a segment out of use.
    pub(super) fn close(&mut self, slot: usize) {
        let Some(mut segment) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.in_use -= segment.capacity();
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
}
