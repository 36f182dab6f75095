//! An allocator for the process: the system's own, but for large blocks, which are mapped on huge pages.
//!
//! New memory comes from the kernel in pages of 4 KiB, each with a fault. For 400 MB/s of batches of 8 MB those were 70,000 a
//! second and two thirds of what the slow lane computed, and all threads of the process wait for one lock when such a block is
//! mapped and given back. With huge pages it is a fault for each 2 MiB. A block takes whole huge pages: up to 2 MiB more than it
//! needs. Where the system does not know them ("never" in `/sys/kernel/mm/transparent_hugepage/enabled`), pages are small as ever.

#![expect(unsafe_code, reason = "an allocator is unsafe")]

use super::large::LARGE_BYTES;
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, munmap};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{copy_nonoverlapping, null_mut};

/// A mapping of a multiple of this is placed at a multiple of it.
const HUGE: usize = 2 << 20;
/// The least alignment of a mapping.
const PAGE: usize = 4096;

/// For the process; the `tailrace` command has it.
#[derive(Debug)]
pub struct Allocator;

/// The size of the mapping of a large block. It depends on nothing else: who gives the block back asks again.
#[inline]
fn mapped(size: usize, align: usize) -> Option<usize> {
    // No layout is larger than `isize::MAX`.
    (size > LARGE_BYTES && align <= PAGE).then(|| size.next_multiple_of(HUGE))
}

// SAFETY: each block is the system allocator's or a mapping of its own, which of the two follows from its layout alone. Nothing
// here panics or allocates.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match mapped(layout.size(), layout.align()) {
            Some(bytes) => map(bytes),
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc(layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match mapped(layout.size(), layout.align()) {
            // New pages are zero.
            Some(bytes) => map(bytes),
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from here, with this layout.
        unsafe {
            match mapped(layout.size(), layout.align()) {
                Some(bytes) => unmap(block, bytes),
                None => System.dealloc(block, layout),
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block came from here, with this layout, and the new size makes a layout with its alignment.
        unsafe {
            match (mapped(layout.size(), layout.align()), mapped(size, layout.align())) {
                (None, None) => System.realloc(block, layout, size),
                (Some(before), Some(after)) => remap(block, before, after),
                _ => self.move_to(Layout::from_size_align_unchecked(size, layout.align()), block, layout),
            }
        }
    }
}

impl Allocator {
    /// # Safety
    /// As of [`GlobalAlloc::realloc`].
    #[cold]
    unsafe fn move_to(&self, to: Layout, block: *mut u8, from: Layout) -> *mut u8 {
        // SAFETY: both blocks are as long as the shorter of the two, and the old one is given back once.
        unsafe {
            let new = self.alloc(to);
            if !new.is_null() {
                copy_nonoverlapping(block, new, from.size().min(to.size()));
                self.dealloc(block, from);
            }
            new
        }
    }
}

#[cold]
fn map(bytes: usize) -> *mut u8 {
    // SAFETY: at an address of the system's choice nothing is mapped yet.
    let new = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
    new.map_or(null_mut(), |new| advised(new.cast(), bytes))
}

/// # Safety
/// `block` is a mapping of so many bytes that nobody uses any more.
#[cold]
unsafe fn unmap(block: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises. Where the system cannot split a mapping any more the block stays, unused.
    let _ = unsafe { munmap(block.cast(), bytes) };
}

/// # Safety
/// `block` is a mapping of `before` bytes. If the result is null it still is; otherwise the result stands in its place.
#[cold]
unsafe fn remap(block: *mut u8, before: usize, after: usize) -> *mut u8 {
    if before == after {
        return block;
    }
    // SAFETY: as the caller promises.
    let moved = unsafe { mremap(block.cast(), before, after, MremapFlags::MAYMOVE) };
    moved.map_or(null_mut(), |moved| advised(moved.cast(), after))
}

/// The whole mapping: with advice for a part of it, it would be two for the kernel, which moves no more than one at a time.
fn advised(block: *mut u8, bytes: usize) -> *mut u8 {
    // SAFETY: nothing that a program sees changes. An error means small pages.
    let _ = unsafe { madvise(block.cast(), bytes, Advice::LinuxHugepage) };
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block of [`Allocator`], which is not the allocator of the tests.
    struct Block(*mut u8, Layout);

    impl Block {
        fn zeroed(size: usize, align: usize) -> Self {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the size is not 0.
            let block = unsafe { Allocator.alloc_zeroed(layout) };
            assert!(!block.is_null());
            assert_eq!(block.addr() % align, 0);
            Self(block, layout)
        }

        fn resize(&mut self, size: usize) -> bool {
            let layout = Layout::from_size_align(size, self.1.align()).unwrap();
            // SAFETY: the block and its layout belong together.
            let block = unsafe { Allocator.realloc(self.0, self.1, size) };
            if block.is_null() {
                return false;
            }
            assert_eq!(block.addr() % layout.align(), 0);
            (self.0, self.1) = (block, layout);
            true
        }

        fn byte(&mut self, at: usize) -> &mut u8 {
            assert!(at < self.1.size());
            // SAFETY: within the block; of grown memory the tests look only at what they have written.
            unsafe { &mut *self.0.add(at) }
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: as in `resize`.
            unsafe { Allocator.dealloc(self.0, self.1) }
        }
    }

    fn sizes() -> impl Strategy<Value = usize> {
        let near =
            vec![1, 100, LARGE_BYTES, LARGE_BYTES + 1, 3 * HUGE + 1, 4 * HUGE - 1, 4 * HUGE, 4 * HUGE + 1, 9 * HUGE];
        prop_oneof![proptest::sample::select(near), 1..10 * HUGE]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn a_block_keeps_what_it_holds_whatever_size_it_gets(
            first in sizes(),
            align in proptest::sample::select(&[1, 8, PAGE, 2 * PAGE][..]),
            steps in proptest::collection::vec((sizes(), any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        ) {
            let mut block = Block::zeroed(first, align);
            for at in (0..first).step_by(PAGE / 2).chain([first - 1]) {
                prop_assert_eq!(*block.byte(at), 0);
            }
            let mut marks: Vec<(usize, u8)> = Vec::new();
            for (size, at, mark) in steps {
                prop_assert!(block.resize(size));
                marks.retain(|(at, _)| *at < size);
                for at in [at.index(size), size - 1] {
                    marks.retain(|(other, _)| *other != at);
                    marks.push((at, mark));
                    *block.byte(at) = mark;
                }
                for (at, mark) in &marks {
                    prop_assert_eq!(*block.byte(*at), *mark, "byte {} of {}", at, size);
                }
            }
        }
    }

    #[test]
    fn what_nobody_can_give_is_null_and_loses_nothing() {
        let mut block = Block::zeroed(LARGE_BYTES + 1, 1);
        *block.byte(LARGE_BYTES) = 7;
        assert!(!block.resize(1 << 60));
        assert_eq!(*block.byte(LARGE_BYTES), 7);
        assert!(map(1 << 60).is_null());
    }
}
