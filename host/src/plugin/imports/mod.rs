//! What the host gives to plugins beside the log: metrics, regular expressions and hashes, as `wit/host.wit` promises them.
//!
//! A guest chooses what is counted, matched and hashed, so everything here has a bound: series by `metric_series`, compiled
//! expressions by `memory_mib`, what goes back by `output_mib`, and time by the clock of the call, which is looked at
//! every few hundred microseconds, and then others have their turn; only an expression that is compiled may take longer (see
//! `patterns`).

mod hashes;
mod metrics;
mod patterns;
#[cfg(test)]
mod tests;

pub(super) use hashes::hash;
pub(super) use metrics::{Opened, PluginSeries};
pub(super) use patterns::Patterns;

use super::bindings::host::Texts;

/// A call into the host would hand back more than a call may.
#[derive(Debug, thiserror::Error)]
#[error("the {0} that it asked the host for are more than output_mib allows")]
pub(super) struct TooMuch(&'static str);

/// Each text; `None` for one that is not there.
fn each(texts: &Texts) -> impl Iterator<Item = Option<&str>> {
    let starts = std::iter::once(0).chain(texts.ends.iter().copied());
    starts.zip(&texts.ends).map(|(start, end)| texts.data.get(start as usize..*end as usize))
}
