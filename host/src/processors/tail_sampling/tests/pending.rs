//! The undecided traces of a model, in the order in which they are decided.

use super::TestSpan;
use std::collections::BTreeMap;

/// How long they wait.
#[derive(Clone, Copy)]
pub(super) struct Waits {
    pub(super) full_ms: u64,
    pub(super) after_root_ms: Option<u64>,
}

/// An undecided trace.
struct Trace {
    due_ms: u64,
    /// Since when it waits as it does.
    since_ms: u64,
    /// Order among those that are due at the same time.
    turn: u64,
    hastened: bool,
    spans: Vec<TestSpan>,
}

/// All of them, by id.
pub(super) struct Pending {
    waits: Waits,
    turns: u64,
    traces: BTreeMap<Vec<u8>, Trace>,
}

impl Pending {
    pub(super) fn new(waits: Waits) -> Self {
        Self { waits, turns: 0, traces: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    pub(super) fn contains(&self, id: &[u8]) -> bool {
        self.traces.contains_key(id)
    }

    /// How many spans a trace has.
    pub(super) fn count(&self, id: &[u8]) -> usize {
        self.traces.get(id).map_or(0, |trace| trace.spans.len())
    }

    /// How many spans all of them have.
    pub(super) fn spans(&self) -> usize {
        self.traces.values().map(|trace| trace.spans.len()).sum()
    }

    /// Spans of one trace arrive together.
    pub(super) fn add(&mut self, id: &[u8], spans: Vec<TestSpan>, now_ms: u64) {
        let Self { waits, turns, traces } = self;
        *turns += 1;
        let due_ms = now_ms + waits.full_ms;
        let fresh = Trace { due_ms, since_ms: now_ms, turn: *turns, hastened: false, spans: Vec::new() };
        let trace = traces.entry(id.to_vec()).or_insert(fresh);
        if let Some(wait) = waits.after_root_ms
            && !trace.hastened
            && spans.iter().any(|span| span.root)
            && now_ms + wait < trace.due_ms
        {
            (trace.due_ms, trace.since_ms) = (now_ms + wait, now_ms);
            (trace.turn, trace.hastened) = (*turns, true);
        }
        trace.spans.extend(spans);
    }

    /// A trace is decided.
    pub(super) fn remove(&mut self, id: &[u8]) -> Vec<TestSpan> {
        self.traces.remove(id).map(|trace| trace.spans).unwrap_or_default()
    }

    /// The trace that has waited longest.
    pub(super) fn oldest(&self) -> Option<Vec<u8>> {
        let oldest = self.traces.iter().min_by_key(|(_, trace)| (trace.since_ms, trace.hastened, trace.turn));
        oldest.map(|(id, _)| id.clone())
    }

    /// The trace that is due first.
    pub(super) fn first(&self) -> Option<Vec<u8>> {
        self.first_due().map(|(_, id)| id)
    }

    /// The trace that is due first, if it is due now.
    pub(super) fn due(&self, now_ms: u64) -> Option<Vec<u8>> {
        self.first_due().filter(|(due_ms, _)| *due_ms <= now_ms).map(|(_, id)| id)
    }

    fn first_due(&self) -> Option<(u64, Vec<u8>)> {
        let first = self.traces.iter().min_by_key(|(_, trace)| (trace.due_ms, trace.hastened, trace.turn));
        first.map(|(id, trace)| (trace.due_ms, id.clone()))
    }
}
