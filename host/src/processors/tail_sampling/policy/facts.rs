//! What is remembered of a trace: a few bytes, folded span by span.

use crate::processors::tail_sampling::ot::Upstream;

/// One bit per [`SpanFilter`](super::SpanFilter): whether any span of the trace met it.
pub type Matches = u128;

/// What every policy may know about a trace without looking at its spans again.
///
/// Folding is order-free (but see [`Upstream`]): the same spans in any order and split over any requests give the same facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Earliest start, in nanoseconds since 1970; 0 while no span has said one.
    pub start_ns: u64,
    /// Latest end, in nanoseconds since 1970.
    pub end_ns: u64,
    /// Encoded size of the spans in bytes, each with its tag and length.
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
        self.start_ns = earliest(self.start_ns, more.start_ns);
        self.end_ns = self.end_ns.max(more.end_ns);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.spans = self.spans.saturating_add(more.spans);
        self.errors = self.errors.saturating_add(more.errors);
        self.root |= more.root;
        self.matches |= more.matches;
        self.upstream.fold(more.upstream);
    }
}

/// The earlier of two instants, where 0 means unknown.
fn earliest(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, other) | (other, 0) => other,
        (a, b) => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the order, the facts are the same; a span without a start does not make the trace begin in 1970.
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
            Facts { start_ns: 3, end_ns: 12, bytes: 30, spans: 3, errors: 1, root: true, matches: 7, upstream };
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut facts = Facts::default();
            order.iter().for_each(|i| facts.fold(&spans[*i]));
            assert_eq!(facts, expected);
        }
    }
}
