//! What is remembered of a trace: a few bytes, folded span by span.

use crate::processors::tail_sampling::ot::Upstream;

/// One bit per [`SpanFilter`](super::SpanFilter): whether any span of the trace met it.
pub type Matches = u128;

/// What every policy may know about a trace without looking at its spans again.
///
/// Folding is order-free (but see [`Upstream`]): the same spans in any order and split over any requests give the same facts; of
/// the size, if it is asked for, only the same requests in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Earliest start, in nanoseconds since 1970; `u64::MAX` while no span has any times. A span with an end and no start
    /// has lasted since 1970, as in the Collector.
    pub start_ns: u64,
    /// Latest end, in nanoseconds since 1970.
    pub end_ns: u64,
    /// Encoded size of the spans in bytes, each with its tag and length. If somebody asks for sizes
    /// ([`Layout::want_sizes`](super::Layout::want_sizes)) as the Collector would write them, with the resources and scopes around
    /// them, once for each request.
    pub bytes: u64,
    /// How many spans.
    pub spans: u32,
    /// How many of them have status error.
    pub errors: u32,
    /// Whether a span without a parent is among them.
    pub root: bool,
    /// Which filters were met.
    pub matches: Matches,
    /// What samplers before this one said; only if a policy wants to know.
    pub upstream: Upstream,
}

impl Facts {
    /// Adds what is known of more spans.
    pub fn fold(&mut self, more: &Self) {
        self.start_ns = self.start_ns.min(more.start_ns);
        self.end_ns = self.end_ns.max(more.end_ns);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.spans = self.spans.saturating_add(more.spans);
        self.errors = self.errors.saturating_add(more.errors);
        self.root |= more.root;
        self.matches |= more.matches;
        self.upstream.fold(more.upstream);
    }

    /// Earliest start, in nanoseconds since 1970; 0 if it is not known.
    pub fn start(&self) -> u64 {
        if self.start_ns == u64::MAX { 0 } else { self.start_ns }
    }

    /// From the earliest start to the latest end, in whole milliseconds; negative if the clocks say so.
    pub fn duration_ms(&self) -> i64 {
        // Times are signed, and lengths of time end at 292 years, as in the Collector.
        let start_ns = if self.start_ns == u64::MAX { self.end_ns } else { self.start_ns };
        let took_ns = i128::from(self.end_ns.cast_signed()) - i128::from(start_ns.cast_signed());
        i64::try_from(took_ns).unwrap_or(if took_ns < 0 { i64::MIN } else { i64::MAX }) / 1_000_000
    }
}

/// Those of no spans.
impl Default for Facts {
    fn default() -> Self {
        Self {
            start_ns: u64::MAX,
            end_ns: 0,
            bytes: 0,
            spans: 0,
            errors: 0,
            root: false,
            matches: 0,
            upstream: Upstream::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the order, the facts are the same.
    #[test]
    fn folding_does_not_depend_on_order() {
        let spans = [(5, 9, 1), (0, 12, 2), (3, 4, 4)].map(|(start_ns, end_ns, matches)| Facts {
            start_ns,
            end_ns,
            bytes: 10,
            spans: 1,
            errors: u32::from(start_ns == 0),
            root: start_ns == 3,
            matches,
            upstream: Upstream::default(),
        });
        let upstream = Upstream::default();
        let expected =
            Facts { start_ns: 0, end_ns: 12, bytes: 30, spans: 3, errors: 1, root: true, matches: 7, upstream };
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut facts = Facts::default();
            order.iter().for_each(|i| facts.fold(&spans[*i]));
            assert_eq!(facts, expected);
        }
    }

    /// In whole milliseconds and with a sign; nothing if no span has times.
    #[test]
    fn durations() {
        let took = |start_ns, end_ns| Facts { start_ns, end_ns, ..Facts::default() }.duration_ms();
        assert_eq!((took(5_000_000, 7_999_999), took(9_000_000, 1_000_001)), (2, -7));
        assert_eq!((took(0, 1_700_000_000_000_000_000), Facts::default().duration_ms()), (1_700_000_000_000, 0));
        // Beyond 2262 the sign turns, and the length is the longest there is.
        assert_eq!(
            (took(1_700_000_000_000_000_000, u64::MAX), took(1 << 63, 1)),
            (-1_700_000_000_000, i64::MAX / 1_000_000)
        );
    }
}
