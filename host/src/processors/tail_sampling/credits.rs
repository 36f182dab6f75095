//! Which policy kept a trace: remembered for its late spans, where that is written on them.
//!
//! Two generations of a map. When the newer is full, the older is forgotten and takes its place: at least the last `n` traces
//! are remembered and at most twice as many, with about 40 bytes each.

use std::collections::HashMap;
use std::sync::Arc;

/// Policies by the keyed hash of the trace id.
#[derive(Debug, Default)]
pub struct Credits {
    newer: HashMap<u64, Arc<str>>,
    older: HashMap<u64, Arc<str>>,
    traces_max: usize,
}

impl Credits {
    /// Remembers at least so many from now on; 0 forgets all.
    pub fn remember(&mut self, traces_max: usize) {
        self.traces_max = traces_max;
        if traces_max == 0 {
            (self.newer, self.older) = (HashMap::new(), HashMap::new());
        }
    }

    /// `policy` kept the trace.
    pub fn put(&mut self, hash: u64, policy: Option<&Arc<str>>) {
        let Some(policy) = policy.filter(|_| self.traces_max > 0) else { return };
        if self.newer.len() >= self.traces_max {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(hash, Arc::clone(policy));
    }

    /// The policy that kept the trace.
    pub fn of(&self, hash: u64) -> Option<&Arc<str>> {
        self.newer.get(&hash).or_else(|| self.older.get(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let (mut credits, names) = (Credits::default(), ["a", "b"].map(Arc::from));
        let put = |credits: &mut Credits, hash: u64| credits.put(hash, Some(&names[hash as usize % 2]));
        put(&mut credits, 1);
        assert_eq!(credits.of(1), None, "nothing is remembered unless it is wanted");
        credits.remember(10);
        (0..35).for_each(|hash| put(&mut credits, hash));
        credits.put(40, None);
        let known: Vec<u64> = (0..50).filter(|hash| credits.of(*hash).is_some()).collect();
        assert_eq!(known, (20..35).collect::<Vec<_>>());
        assert_eq!(credits.of(33), Some(&names[1]));
        credits.remember(0);
        assert_eq!(credits.of(33), None);
    }
}
