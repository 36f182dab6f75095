//! `trace_flags`: keeps traces with a span that carries the W3C flag "sampled".
//!
//! ```yaml
//! - {name: asked-for, type: trace_flags}
//! ```

use super::{Layout, Matched, Policy, PolicyConfig, Span, SpanFilter};
use serde::Deserialize;

/// The bit of the flag, in the lowest byte of the span's flags.
const SAMPLED: u32 = 1;

/// It has no settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl PolicyConfig for Config {
    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Matched::any(layout.filter(Flag))
    }
}

struct Flag;

impl SpanFilter for Flag {
    fn matches(&self, span: &Span<'_>) -> bool {
        span.view.flags() & SAMPLED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn one_bit_counts() {
        for (flags, expected) in [(0, false), (1, true), (0x301, true), (0x300, false), (2, false)] {
            assert_eq!(vote(&Config {}, &Sample::of(1).flags(flags)), expected, "{flags:x}");
        }
    }
}
