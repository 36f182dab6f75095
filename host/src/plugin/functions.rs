//! Machine code of single functions, kept in memory while the same plugin is compiled again and again.
//!
//! `tailrace plugin dev` compiles at every save, and from one save to the next little of the code differs: an interpreter brings
//! the same megabytes of functions each time, and only its data is new. Cranelift asks here for each function by the SHA-256 of
//! what it has been translated to (and of the settings and the processor), and compiles those that are not there. A few in a hundred are
//! not found although they have not changed, since they are translated in one of several ways that come to the same.
//!
//! What is in here has been compiled by this process and leaves it with it: nothing on disk has to be trusted for it. The component
//! that comes out is the same, byte for byte, as without it (a test compares them). Collectors do without: they compile a version
//! once, in a process of its own that ends.
//!
//! **The limit**: at most [`Functions::new`]'s bytes. What was asked for least recently goes: there are two halves, a function that is
//! used moves to the newer one, and when that is full it becomes the older one, whose content is forgotten.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::CacheStore;

/// What an entry takes besides its code: the key, the pointers, its part of the table.
const ENTRY_BYTES: usize = 96;

type Half = HashMap<Box<[u8]>, Arc<[u8]>>;

/// Functions that are compiled already.
#[derive(Debug)]
pub(super) struct Functions {
    halves: Mutex<Halves>,
    half_bytes_max: usize,
    found: AtomicU64,
    compiled: AtomicU64,
}

#[derive(Debug, Default)]
struct Halves {
    newer: Half,
    newer_bytes: usize,
    older: Half,
}

/// How often a function was there, and how often it had to be compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reuse {
    /// It was there.
    pub(super) found: u64,
    /// It was not.
    pub(super) compiled: u64,
}

impl Functions {
    /// None yet, and never more than `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            halves: Mutex::default(),
            half_bytes_max: bytes_max / 2,
            found: AtomicU64::new(0),
            compiled: AtomicU64::new(0),
        })
    }

    /// Counted since the beginning.
    pub(super) fn reuse(&self) -> Reuse {
        Reuse { found: self.found.load(Relaxed), compiled: self.compiled.load(Relaxed) }
    }
}

impl Halves {
    /// False if it is larger than a half.
    fn put(&mut self, key: Box<[u8]>, code: Arc<[u8]>, half_bytes_max: usize) -> bool {
        let bytes = code.len() + ENTRY_BYTES;
        if bytes > half_bytes_max {
            return false;
        }
        if let Some(before) = self.newer.remove(&key) {
            self.newer_bytes -= before.len() + ENTRY_BYTES;
        }
        if self.newer_bytes + bytes > half_bytes_max {
            self.older = std::mem::take(&mut self.newer);
            self.newer_bytes = 0;
        }
        self.newer_bytes += bytes;
        self.newer.insert(key, code);
        true
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let found = halves.newer.get(key).cloned().or_else(|| {
            let (key, code) = halves.older.remove_entry(key)?;
            halves.put(key, Arc::clone(&code), self.half_bytes_max);
            Some(code)
        });
        drop(halves);
        let counter = if found.is_some() { &self.found } else { &self.compiled };
        counter.fetch_add(1, Relaxed);
        found.map(|code| Cow::Owned(code.to_vec()))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.put(key.into(), code.into(), self.half_bytes_max)
    }
}

#[cfg(test)]
mod tests;
