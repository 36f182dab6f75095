//! What stands around the spans of a trace: its resource and scopes, in bytes.
//!
//! The size of a trace is that of the messages it would be alone: for each request and each `ResourceSpans` in it one of its own, with
//! the resource, the scopes that have spans of it, and those spans. That is what the Collector counts, and what a trace costs that
//! is split over many requests. Schema URLs, which the Collector forgets, do not count.

use super::Runs;
use tailrace_otlp::wire::{Fields, len_field_len};

/// A run of a trace in a `ResourceSpans`.
struct Part {
    id: [u8; 16],
    place: usize,
    bytes: u64,
    run: usize,
}

impl Runs<'_> {
    /// Counts for the runs from `first` on, which share one `ResourceSpans`. The first run of each trace gets all of it.
    pub(super) fn count_around(&mut self, first: usize) {
        let numbered = self.runs.iter().enumerate().skip(first);
        let part = |(number, run): (usize, &super::Run)| {
            Some(Part { id: run.id?, place: run.context, bytes: run.facts.bytes, run: number })
        };
        let mut parts: Vec<Part> = numbered.filter_map(part).collect();
        parts.sort_by_key(|part| (part.id, part.run));
        for trace in parts.chunk_by(|a, b| a.id == b.id) {
            let Some(run) = trace.first() else { continue };
            let mut size = self.places.get(run.place).map_or(0, |place| message_field_len(&place.resource));
            for scope in trace.chunk_by(|a, b| a.place == b.place) {
                let place = scope.first().and_then(|part| self.places.get(part.place));
                let inside = place.map_or(0, |place| message_field_len(&place.scope)) + bytes(scope);
                size += len_field_len(usize::try_from(inside).unwrap_or(usize::MAX)) as u64;
            }
            let around = size - bytes(trace);
            if let Some(run) = self.runs.get_mut(run.run) {
                run.facts.bytes += around;
            }
        }
    }
}

fn bytes(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.bytes).sum()
}

/// Length of field 1, a message, with tag and length; a field that is not there is written as an empty one.
fn message_field_len(context: &[u8]) -> u64 {
    let message = Fields::new(context).filter(|field| field.number == 1).filter_map(|field| field.bytes());
    len_field_len(message.map(<[u8]>::len).sum()) as u64
}
