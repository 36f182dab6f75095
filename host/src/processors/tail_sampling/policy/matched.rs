//! The vote of a policy that is nothing but a question about spans.

use super::{Bit, Policy, Trace, Vote};

/// Keeps the traces in which any span met a filter, or, inverted, those in which none did.
pub struct Matched {
    bit: Bit,
    invert: bool,
}

impl Matched {
    /// One span that met it is enough.
    pub fn any(bit: Bit) -> Box<dyn Policy> {
        Self::any_or_none(bit, false)
    }

    /// The same; if `invert`, one span that met it is too many.
    pub fn any_or_none(bit: Bit, invert: bool) -> Box<dyn Policy> {
        Box::new(Self { bit, invert })
    }
}

impl Policy for Matched {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(trace.matched(self.bit) != self.invert)
    }
}
