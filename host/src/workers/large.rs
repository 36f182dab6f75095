//! Large blocks of memory, as of a batch of many megabytes: the system gives and takes each of them by itself
//! (`super::allocator`).
//!
//! In an arena of the allocator such a block would be given back page by page under the arena's lock, and who shares the
//! arena waits for that; a worker even for a thread of low priority that gets no processor meanwhile (20 ms were
//! seen). Smaller blocks come from the arenas: to get new pages for each batch would cost a tenth more processor time.

use super::lane::drop_in_bulk;
use bytes::Bytes;

/// What is larger is a large block. A full batch of the `batch` processor is smaller.
pub(crate) const LARGE_BYTES: usize = 6 << 20;

/// Tells the allocator, for the whole process. Elsewhere than with glibc nothing changes.
pub(crate) fn keep_out_of_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let threshold = i32::try_from(LARGE_BYTES).unwrap_or(i32::MAX);
        // As glibc itself would have it with this threshold.
        let trim = threshold.saturating_mul(2);
        // An arena grows by so much, since it may have to wait for whoever gives a large block back.
        let growth = 4 << 20;
        #[expect(unsafe_code, reason = "no safe wrapper of mallopt")]
        // SAFETY: glibc allows these calls at any time; they set numbers under its own lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, threshold);
            libc::mallopt(libc::M_TRIM_THRESHOLD, trim);
            libc::mallopt(libc::M_TOP_PAD, growth);
        }
    }
}

/// The same bytes; if they are many, the worker that drops the last of them does not give them back itself.
pub(crate) fn given_back_aside(data: Bytes) -> Bytes {
    if data.len() > LARGE_BYTES { Bytes::from_owner(Large(data)) } else { data }
}

struct Large(Bytes);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        drop_in_bulk(std::mem::take(&mut self.0));
    }
}
