//! The demo's own ledger, by span id and independent of the collector's counts: which spans the collector accepted, and
//! which arrived at the backend, how often.
//!
//! Two bits a span. Bounded: [`SEGMENTS_MAX`] segments (67 million spans, 16 MiB) can still be changed; older ones are
//! summed up, and a span of theirs that arrives later is counted as a duplicate, which the audit reports.

use super::span_ids::SpanIds;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Spans in a segment.
const SEGMENT_SPANS: u64 = 1 << 20;
/// Segments that can still change.
const SEGMENTS_MAX: usize = 64;

/// What is known of every span of a run. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct SpanLedger(Arc<Mutex<Book>>);

/// Sums over all spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Spans that the collector said `OK` to.
    pub accepted: u64,
    /// Of the generated spans, how many different ones arrived.
    pub arrived: u64,
    /// Accepted, and not arrived: dropped, held, or lost.
    pub missing: u64,
    /// Arrived although the collector never said `OK` to the generator.
    pub unasked: u64,
    /// Arrivals of a span that had arrived before.
    pub duplicates: u64,
    /// Arrived spans that the generator never made: somebody else sends, too.
    pub foreign: u64,
}

/// What an arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first of a generated span.
    First,
    /// Another one of the same span.
    Again,
    /// A span of somebody else.
    Foreign,
}

#[derive(Debug)]
struct Book {
    ids: SpanIds,
    /// Numbers below have been given out.
    issued: u64,
    /// Number of the first span of the first segment.
    first: u64,
    segments: VecDeque<Segment>,
    /// Of the segments that were let go of.
    settled: Sums,
    duplicates: u64,
    foreign: u64,
}

#[derive(Debug)]
struct Segment {
    accepted: Bits,
    arrived: Bits,
}

#[derive(Debug)]
struct Bits(Box<[u64]>);

impl SpanLedger {
    /// For the spans with these ids.
    pub(super) fn new(ids: SpanIds) -> Self {
        Self(Arc::new(Mutex::new(Book {
            ids,
            issued: 0,
            first: 0,
            segments: VecDeque::new(),
            settled: Sums::default(),
            duplicates: 0,
            foreign: 0,
        })))
    }

    /// Span numbers below `issued` exist from now on. Called before their spans are sent.
    pub(super) fn issue(&self, issued: u64) {
        let mut book = self.book();
        book.issued = book.issued.max(issued);
    }

    /// The collector said `OK` to these spans.
    pub(super) fn accept(&self, numbers: &[u64]) {
        let mut book = self.book();
        for number in numbers {
            // A span is sent at most minutes after it was numbered: its segment is there.
            if let Some((segment, bit)) = book.segment(*number) {
                segment.accepted.set(bit);
            }
        }
    }

    /// Spans with these ids arrived; tells what each was.
    pub(super) fn arrive(&self, ids: impl Iterator<Item = u64>, mut tell: impl FnMut(u64, Arrival)) {
        let mut book = self.book();
        for id in ids {
            tell(id, book.arrive(id));
        }
    }

    /// As it stands.
    pub(super) fn sums(&self) -> Sums {
        let book = self.book();
        let mut sums = Sums { duplicates: book.duplicates, foreign: book.foreign, ..book.settled };
        book.segments.iter().for_each(|segment| segment.add_to(&mut sums));
        sums
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn arrive(&mut self, id: u64) -> Arrival {
        let number = self.ids.number(id);
        if number >= self.issued {
            self.foreign += 1;
            return Arrival::Foreign;
        }
        let first = self.segment(number).is_some_and(|(segment, bit)| segment.arrived.set(bit));
        if first {
            return Arrival::First;
        }
        self.duplicates += 1;
        Arrival::Again
    }

    /// The segment of a span and its place in it; `None` if it was let go of.
    fn segment(&mut self, number: u64) -> Option<(&mut Segment, u64)> {
        let offset = number.checked_sub(self.first)?;
        let mut at = usize::try_from(offset / SEGMENT_SPANS).ok()?;
        while self.segments.len() <= at {
            if self.segments.len() == SEGMENTS_MAX
                && let Some(oldest) = self.segments.pop_front()
            {
                oldest.add_to(&mut self.settled);
                self.first += SEGMENT_SPANS;
                at -= 1;
            }
            self.segments.push_back(Segment { accepted: Bits::new(), arrived: Bits::new() });
        }
        Some((self.segments.get_mut(at)?, offset % SEGMENT_SPANS))
    }
}

impl Segment {
    fn add_to(&self, sums: &mut Sums) {
        for (accepted, arrived) in self.accepted.0.iter().zip(&self.arrived.0) {
            sums.accepted += u64::from(accepted.count_ones());
            sums.arrived += u64::from(arrived.count_ones());
            sums.missing += u64::from((accepted & !arrived).count_ones());
            sums.unasked += u64::from((arrived & !accepted).count_ones());
        }
    }
}

impl Bits {
    fn new() -> Self {
        Self(vec![0; (SEGMENT_SPANS / 64) as usize].into())
    }

    /// Sets a bit; whether it was not set before.
    fn set(&mut self, bit: u64) -> bool {
        let Some(word) = self.0.get_mut((bit / 64) as usize) else { return false };
        let mask = 1 << (bit % 64);
        let new = *word & mask == 0;
        *word |= mask;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(ledger: &SpanLedger, ids: &[u64]) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        ledger.arrive(ids.iter().copied(), |_, arrival| arrivals.push(arrival));
        arrivals
    }

    /// Ten spans accepted; six arrive, one of them twice; one arrives whose acceptance was never heard; and a stranger.
    #[test]
    fn every_fate_of_a_span_has_its_column() {
        let ids = SpanIds::new(7);
        let ledger = SpanLedger::new(ids);
        ledger.issue(11);
        ledger.accept(&(0..10).collect::<Vec<_>>());
        let six: Vec<u64> = (0..6).map(|number| ids.id(number)).collect();
        assert_eq!(arrive(&ledger, &six), [Arrival::First; 6]);
        assert_eq!(
            arrive(&ledger, &[ids.id(3), ids.id(10), ids.id(11)]),
            [Arrival::Again, Arrival::First, Arrival::Foreign]
        );
        let expected = Sums { accepted: 10, arrived: 7, missing: 4, unasked: 1, duplicates: 1, foreign: 1 };
        assert_eq!(ledger.sums(), expected);
    }

    /// A run longer than the window keeps exact sums, does not grow, and does not forget that an old span came again.
    #[test]
    fn old_segments_are_summed_up() {
        let ids = SpanIds::new(7);
        let ledger = SpanLedger::new(ids);
        let spans = SEGMENT_SPANS * (SEGMENTS_MAX as u64 + 3);
        ledger.issue(spans);
        for number in (0..spans).step_by(SEGMENT_SPANS as usize / 2) {
            ledger.accept(&[number, number + 1]);
            arrive(&ledger, &[ids.id(number)]);
        }
        let pairs = 2 * (SEGMENTS_MAX as u64 + 3);
        let sums = Sums { accepted: 2 * pairs, arrived: pairs, missing: pairs, ..Sums::default() };
        assert_eq!(ledger.sums(), sums);
        assert_eq!(ledger.book().segments.len(), SEGMENTS_MAX);
        assert_eq!(arrive(&ledger, &[ids.id(0)]), [Arrival::Again]);
        assert_eq!(ledger.sums().duplicates, 1);
    }
}
