//! A body in one piece, charged and allocated as it grows.

use super::{Charge, Message, ReadError};

/// Charged at once, on the word of the sender: more only as it arrives.
const FIRST_CHARGE: usize = 64 << 10;
/// Allocated at once, on the word of the sender. Memory that nobody writes to costs nothing, so this may be more.
const FIRST_ALLOCATION: usize = 1 << 20;

pub(super) struct Growing {
    data: Vec<u8>,
    announced: usize,
    limit: usize,
    charge: Charge,
}

impl Growing {
    /// `announced` is a hint (0 if there is none).
    pub(super) fn new(announced: usize, limit: usize, charge: Charge) -> Self {
        Self { data: Vec::new(), announced: announced.min(limit), limit, charge }
    }

    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// Appends `chunk`, after charging for it.
    pub(super) async fn push(&mut self, chunk: &[u8]) -> Result<(), ReadError> {
        let len = self.data.len() + chunk.len();
        if len > self.limit {
            return Err(ReadError::TooLarge { limit: self.limit });
        }
        if len > self.charge.bytes() {
            // As much again as is there, so that a body takes few steps; never beyond what was announced, if it was.
            let step = (2 * self.data.len()).max(FIRST_CHARGE);
            let cap = if self.announced > 0 { self.announced } else { self.limit };
            self.charge.grow_to(step.min(cap).max(len)).await?;
        }
        if len > self.data.capacity() {
            let target = if len <= self.announced {
                self.announced.min(FIRST_ALLOCATION.max(4 * self.data.len()))
            } else {
                2 * self.data.len()
            };
            self.data.reserve_exact(target.max(len).min(self.limit) - self.data.len());
        }
        self.data.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn finish(mut self, compressed: bool) -> Message {
        self.charge.shrink_to(self.data.len());
        Message { data: self.data.into(), compressed, charge: self.charge }
    }
}
