//! Span ids that look random and can be turned back into a number.
//!
//! An id is the number of the span, moved by a secret start and then mixed by a permutation of 64 bits. So the backend
//! knows at once which generated span it has before it, or that it is somebody else's, and a bit per span is all that
//! has to be remembered.

/// Gives out and recognises the span ids of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanIds {
    start: u64,
}

impl SpanIds {
    /// Ids of a run; another `start` gives others.
    pub(super) fn new(start: u64) -> Self {
        Self { start }
    }

    /// The id of span `number`. All zeros, which OTLP forbids, is replaced by the id of a number that is never reached.
    pub(super) fn id(self, number: u64) -> u64 {
        match mix(self.start.wrapping_add(number)) {
            0 => mix(self.start.wrapping_sub(1)),
            id => id,
        }
    }

    /// The number of the span with this id. For an id of somebody else it is a random number, which is far above every
    /// number given out.
    pub(super) fn number(self, id: u64) -> u64 {
        match unmix(id).wrapping_sub(self.start) {
            u64::MAX => unmix(0).wrapping_sub(self.start),
            number => number,
        }
    }
}

/// The finaliser of SplitMix64: every output bit depends on every input bit, and it can be undone.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Undoes [`mix`]: its steps backwards, with the inverses of its factors modulo 2^64.
fn unmix(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_number_and_is_never_zero() {
        // The last start makes number 5 the one that would get the id 0.
        for start in [0, 1, u64::MAX, 0x1234_5678_9abc_def0, 0u64.wrapping_sub(5)] {
            let ids = SpanIds::new(start);
            for number in (0..1_000).chain([1 << 20, 1 << 40]) {
                assert_ne!(ids.id(number), 0);
                assert_eq!(ids.number(ids.id(number)), number, "start {start}");
            }
        }
    }

    #[test]
    fn a_foreign_id_is_out_of_range() {
        let ids = SpanIds::new(42);
        let below_a_billion = (1..100_000u64).filter(|id| ids.number(id << 24 | 0xabcdef) < 1_000_000_000).count();
        assert_eq!(below_a_billion, 0);
    }
}
