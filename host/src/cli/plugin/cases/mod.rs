//! Cases: what goes into a plugin, and what must come out of it.
//!
//! ```text
//! cases/<name>/config.json     what the plugin is configured with; {} if there is none
//! cases/<name>/input.json      {"traces": ...} and/or {"metrics": ...}, {"logs": ...}: OTLP JSON; a bare request will do, too
//! cases/<name>/expected.json   one of
//!     {"traces": ...}            what comes out; {"traces": {}} if all of it is dropped
//!     {"changes": ["...", ...]}  only what is different, in the words of the diff
//!     {"decisions": {"<trace id>": "sample" | "not-sampled" | "drop" | "undecided"}}    of a sampler
//!     {"error": "..."}           it refuses its configuration, or the batch, with these words
//! ```
//! A case runs in an instance of its own, under the limits of production, through the code that a pipeline uses.

mod diff;
mod load;
pub(in crate::cli::plugin) mod otlp;
mod run;

pub(in crate::cli::plugin) use diff::{Line, Sign, changes};
pub(in crate::cli::plugin) use load::{Case, EXPECTED, load};
pub(in crate::cli::plugin) use run::{Report, Verdict, hold, run, word};
