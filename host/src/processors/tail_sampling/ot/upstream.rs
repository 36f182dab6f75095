//! What samplers before this one said about a trace.

use super::TraceState;
use super::threshold::randomness_of;

/// What the tracestates of a trace's spans say about its sampling: a few bits that can be folded.
///
/// All spans of a trace should say the same randomness. If they do not, the first that says one counts, as in the Collector: the
/// one thing about a trace that depends on the order of its spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upstream(u64);

/// A randomness, or a threshold, is said somewhere.
const SAYS_SOMETHING: u64 = 1 << 63;
/// A randomness is said; it is in the lower bits.
const SAYS_RANDOMNESS: u64 = 1 << 62;
const RANDOMNESS: u64 = (1 << 56) - 1;

impl Upstream {
    /// From the tracestate of a span. One that cannot be read says nothing.
    pub fn of(tracestate: &[u8]) -> Self {
        match TraceState::parse(tracestate) {
            Ok(state) => match (state.randomness(), state.threshold()) {
                (Some(randomness), _) => Self(SAYS_SOMETHING | SAYS_RANDOMNESS | randomness),
                (None, Some(_)) => Self(SAYS_SOMETHING),
                (None, None) => Self::default(),
            },
            Err(_) => Self::default(),
        }
    }

    /// As a number, for those who keep it.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// From [`Self::bits`].
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Adds what later spans say.
    pub fn fold(&mut self, more: Self) {
        *self = if self.0 & SAYS_RANDOMNESS == 0 { Self(self.0 | more.0) } else { *self };
    }

    /// Whether any span says anything.
    pub fn says_something(self) -> bool {
        self.0 & SAYS_SOMETHING != 0
    }

    /// The randomness of the trace with this id.
    pub fn randomness(self, id: &[u8; 16]) -> u64 {
        if self.0 & SAYS_RANDOMNESS == 0 { randomness_of(id) } else { self.0 & RANDOMNESS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        let check = |states: &[&str], says_something, randomness| {
            let mut all = Upstream::default();
            states.iter().for_each(|state| all.fold(Upstream::of(state.as_bytes())));
            assert_eq!((all.says_something(), all.randomness(&[3; 16])), (says_something, randomness), "{states:?}");
        };
        let of_id = 0x03_0303_0303_0303;
        check(&[], false, of_id);
        check(&["", "a=b", "ot=x:y", "ot=rv:1"], false, of_id);
        check(&["a=b", "ot=th:8"], true, of_id);
        check(&["ot=th:8", "ot=rv:00000000000005", "ot=rv:00000000000006"], true, 5);
        check(&["ot=rv:00000000000000"], true, 0);
    }
}
