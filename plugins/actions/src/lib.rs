//! What the plugins `attributes`, `resource` and `redaction` share: how they read the settings that the Collector's
//! processors of these names have, the list of actions with its rules, and the Collector's text for a value.
//!
//! No plugin by itself. A fault of the settings is a line that begins with the path of a key (`actions[1].pattern: ...`), so
//! that the host can point at the place in the operator's file.

mod action;
mod apply;
mod convert;
mod names;
mod overlay;
pub mod pattern;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;

pub use action::{ActionSettings, Actions};
pub use convert::as_otlp;
pub use names::Names;

#[cfg(test)]
mod tests;
