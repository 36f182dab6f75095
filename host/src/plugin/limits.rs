//! What a plugin may use, and how much of it.

use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Limits of one plugin. Everything it can make grow has a bound here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time that one call may compute. Beyond it the call is cut off and its instance thrown away.
    pub timeout: Duration,
    /// Time that each call may compute that is made once for an instance: its start, `describe` and `configure`. Interpreted
    /// languages need far longer for them than for a batch.
    pub start_timeout: Duration,
    /// Memory of one instance, over all its memories. Growth beyond it is refused, which most guests answer with a trap.
    pub memory_bytes: usize,
    /// What one call may hand back.
    pub output_bytes: usize,
    /// How many instances run at once; further batches wait.
    pub instances: usize,
    /// Lines of log; further ones are dropped and counted.
    pub log_lines_per_second: u32,
    /// Calls after which an instance is replaced by a fresh one.
    pub recycle_calls: u64,
    /// Age at which an instance is replaced.
    pub recycle_age: Duration,
    /// Memory beyond which an instance is replaced, since its memory never shrinks.
    pub recycle_memory_bytes: usize,
    /// Size of the file.
    pub module_bytes: usize,
    /// Series of metrics that a plugin may open, all its instances together.
    pub metric_series: usize,
    /// What a plugin may keep when its instance is replaced.
    pub state_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(100),
            start_timeout: Duration::from_secs(10),
            memory_bytes: 64 << 20,
            output_bytes: 32 << 20,
            instances: 4,
            log_lines_per_second: 10,
            recycle_calls: 1_000_000,
            recycle_age: Duration::from_secs(3600),
            recycle_memory_bytes: 48 << 20,
            module_bytes: 64 << 20,
            metric_series: 100,
            state_bytes: 16 << 20,
        }
    }
}

/// Entries of all tables of an instance.
const TABLE_ELEMENTS_MAX: usize = 1_000_000;
/// Core instances, tables and memories of one instance of a plugin, which is made of several modules.
pub(super) const INSTANCES_MAX: usize = 100;
pub(super) const TABLES_MAX: usize = 100;
pub(super) const MEMORIES_MAX: usize = 16;
/// What an entry of a table takes at most.
const TABLE_ELEMENT_BYTES: usize = 16;

/// Counts the memory of a store over all its memories and tables, and what the host holds for it, and refuses what exceeds
/// the limit.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    used: usize,
    /// What the host holds for the instance.
    held: usize,
    elements: usize,
    /// What was asked for when growth was refused.
    refused: Option<usize>,
}

impl Memory {
    /// At most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0, held: 0, elements: 0, refused: None }
    }

    /// Bytes of all memories and tables; they never shrink.
    pub(super) fn used(&self) -> usize {
        self.used.saturating_add(self.elements.saturating_mul(TABLE_ELEMENT_BYTES))
    }

    /// Takes memory for what the host holds for the instance, for as long as it lives; false if there is no room.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let fits = self.used().saturating_add(held) <= self.limit;
        if fits {
            self.held = held;
        }
        fits
    }

    /// Whether all of it is within the limit; if not, that is remembered.
    fn fits(&mut self) -> bool {
        let all = self.used().saturating_add(self.held);
        let fits = all <= self.limit;
        if !fits {
            self.refused = Some(all);
        }
        fits
    }

    /// The size that was refused since the last call of this.
    pub(super) fn take_refused(&mut self) -> Option<usize> {
        self.refused.take()
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_sub(current).saturating_add(desired);
        let before = std::mem::replace(&mut self.used, used);
        let fits = self.fits();
        if !fits {
            self.used = before;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_sub(current).saturating_add(desired);
        if elements > TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.elements, elements);
        let fits = self.fits();
        if !fits {
            self.elements = before;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with several memories has one budget for all of them.
    #[test]
    fn memories_are_summed() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(!memory.memory_growing(0, 60, None).unwrap());
        assert_eq!(memory.take_refused(), Some(120));
        assert!(memory.memory_growing(0, 30, None).unwrap());
        assert!(memory.memory_growing(30, 40, None).unwrap());
        assert_eq!(memory.used(), 100);
        assert!(!memory.memory_growing(60, 61, None).unwrap());
    }

    /// Tables are memory too.
    #[test]
    fn tables_count() {
        let mut memory = Memory::new(10 * TABLE_ELEMENT_BYTES);
        assert!(memory.table_growing(0, 6, None).unwrap());
        assert!(memory.memory_growing(0, 3 * TABLE_ELEMENT_BYTES, None).unwrap());
        assert!(!memory.table_growing(6, 8, None).unwrap());
        assert_eq!(memory.take_refused(), Some(11 * TABLE_ELEMENT_BYTES));
        assert!(memory.table_growing(6, 7, None).unwrap() && !memory.hold(1));
        assert_eq!(memory.used(), 10 * TABLE_ELEMENT_BYTES);
        let mut roomy = Memory::new(usize::MAX);
        assert!(!roomy.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
    }

    /// What the host holds for an instance is a part of its memory.
    #[test]
    fn what_is_held_counts() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.hold(30) && !memory.hold(11));
        assert!(!memory.memory_growing(60, 71, None).unwrap());
        assert!(memory.memory_growing(60, 70, None).unwrap() && !memory.hold(1));
        assert_eq!(memory.used(), 70);
    }
}
