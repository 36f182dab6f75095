//! Whether a batch may pass: one atomic subtraction, and a reading of the memory now and then.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, TryLockError};

/// Bounds of the memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// From here on everything is refused.
    pub(super) soft: u64,
    /// Never to be passed.
    pub(super) hard: u64,
}

/// Open while there is memory.
pub(super) struct Gate {
    limits: Limits,
    read: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    refuses: AtomicBool,
    last: AtomicU64,
    /// How many bytes may still pass before the memory must be read again.
    allowance: AtomicI64,
    reading: Mutex<()>,
}

impl Gate {
    /// `read` gives the memory in use, in bytes.
    pub(super) fn new(limits: Limits, read: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        let gate = Self {
            limits,
            read: Box::new(read),
            refuses: AtomicBool::new(false),
            last: AtomicU64::new(0),
            allowance: AtomicI64::new(0),
            reading: Mutex::default(),
        };
        gate.check();
        gate
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Memory in use when it was last read, in bytes.
    pub(super) fn last_reading(&self) -> u64 {
        self.last.load(Relaxed)
    }

    pub(super) fn refuses(&self) -> bool {
        self.refuses.load(Relaxed)
    }

    /// Whether a batch of `bytes` may pass.
    pub(super) fn admit(&self, bytes: usize) -> bool {
        if self.refuses() {
            return false;
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let left = self.allowance.fetch_sub(bytes, Relaxed).saturating_sub(bytes);
        if left < 0 {
            self.check();
        }
        !self.refuses()
    }

    /// Reads the memory and decides until the next reading. If somebody else is at it, theirs will do.
    pub(super) fn check(&self) {
        let _reading = match self.reading.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // A reading that fails changes nothing but that the next batch asks again.
        let Some(used) = (self.read)() else { return };
        self.last.store(used, Relaxed);
        // Bytes that pass can take more than their own size before they are counted here: allow half of what is free.
        let allowance = self.limits.hard.saturating_sub(used) / 2;
        self.allowance.store(i64::try_from(allowance).unwrap_or(i64::MAX), Relaxed);
        self.refuses.store(used >= self.limits.soft, Relaxed);
    }
}
