//! Consistent probability sampling, as OpenTelemetry defines it: every sampler on the way of a trace compares the same 56 random bits
//! to its own threshold, and says that threshold in the `tracestate` of what it kept (`ot=th:...`), so that counts can be extrapolated.
//!
//! The bits are the last 56 of the trace id, unless the tracestate says others (`ot=rv:...`).

mod threshold;
mod tracestate;
mod upstream;

pub use threshold::Threshold;
pub use tracestate::{TraceState, Unparseable};
pub use upstream::Upstream;
