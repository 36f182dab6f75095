//! Memory of a fixed size for many small things: the bytes of a segment, the entries of a chunk.
//!
//! It is mapped from the system page by page as it is written, and goes back to the system at once: what the allocator keeps
//! after a peak, and loses between smaller pieces, is not to be had from it otherwise.

use memmap2::MmapMut;

/// Smaller ones come from the allocator, if they are not whole pages.
const MAPPED_MIN: usize = 16 << 10;
/// As small as any system has them.
const PAGE: usize = 4096;

/// Bytes that are zero at first.
#[derive(Debug)]
pub(super) enum Memory {
    Mapped(MmapMut),
    Allocated(Box<[u8]>),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Allocated(Box::default())
    }
}

impl Memory {
    /// So many bytes. Where the system maps no more, the allocator is asked.
    pub(super) fn new(len: usize) -> Self {
        let is_mapped = len >= MAPPED_MIN || (len > 0 && len.is_multiple_of(PAGE));
        let mapped = if is_mapped { MmapMut::map_anon(len).ok() } else { None };
        mapped.map_or_else(|| Self::Allocated(vec![0; len].into_boxed_slice()), Self::Mapped)
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Allocated(bytes) => bytes,
        }
    }

    /// All of them.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Allocated(bytes) => bytes,
        }
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }
}
