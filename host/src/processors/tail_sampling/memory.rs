//! The memory of a segment.
//!
//! It is mapped from the system page by page as it is written, and goes back to the system at once: what the allocator keeps
//! after a peak, and loses between smaller pieces, is not to be had from it otherwise.

use memmap2::MmapMut;
use std::ops::Range;

/// Smaller ones come from the allocator.
const MAPPED_MIN: usize = 64 << 10;

#[derive(Debug)]
enum Place {
    Mapped(MmapMut),
    Allocated(Box<[u8]>),
}

/// Bytes to append to, up to a fixed number.
#[derive(Debug)]
pub(super) struct Memory {
    place: Place,
    len: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { place: Place::Allocated(Box::default()), len: 0 }
    }
}

impl Memory {
    /// For so many bytes. Where the system maps no more, the allocator is asked.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mapped = if bytes < MAPPED_MIN { None } else { MmapMut::map_anon(bytes).ok() };
        let place = mapped.map_or_else(|| Place::Allocated(vec![0; bytes].into_boxed_slice()), Place::Mapped);
        Self { place, len: 0 }
    }

    /// How many bytes it was made for.
    pub(super) fn capacity(&self) -> usize {
        match &self.place {
            Place::Mapped(bytes) => bytes.len(),
            Place::Allocated(bytes) => bytes.len(),
        }
    }

    /// How many bytes were appended.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Makes it empty; the memory stays.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends bytes, if there is room for them.
    pub(super) fn extend(&mut self, piece: &[u8]) {
        let bytes = match &mut self.place {
            Place::Mapped(bytes) => &mut **bytes,
            Place::Allocated(bytes) => &mut **bytes,
        };
        if let Some(room) = bytes.get_mut(self.len..self.len + piece.len()) {
            room.copy_from_slice(piece);
            self.len += piece.len();
        }
    }

    /// Some of the bytes; none beyond the end.
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        let bytes = match &self.place {
            Place::Mapped(bytes) => &**bytes,
            Place::Allocated(bytes) => &**bytes,
        };
        bytes.get(range).unwrap_or_default()
    }
}
