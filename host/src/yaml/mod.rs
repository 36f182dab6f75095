//! YAML that knows where it came from: parsing with positions, typed reading, faults with file, line, column and key.
//!
//! Purely in memory and bounded (bytes, depth, nodes); files, `${...}` and merging are `config`'s business.
//!
//! What a component author needs: derive `Deserialize` with `#[serde(default, deny_unknown_fields)]`, write
//! `impl Default`, implement [`Settings`], and every fault of a section is reported at once. Beside the usual types there
//! are [`GoDuration`] for times, [`Node`] and `serde_json::Value` for parts that somebody else will read, and
//! [`endpoint`] for addresses. Avoid `#[serde(flatten)]` and internally tagged enums: serde reads those through a copy
//! that has lost its places, so that a fault can only name the map around it.

mod check;
mod de;
mod duration;
pub mod endpoint;
mod fault;
mod node;
mod parse;
mod path;
mod problem;
mod raw;
mod read;
mod scalar;

pub use check::Check;
pub use duration::GoDuration;
pub use node::{Key, Node, Origin, Value};
pub use parse::{BYTES_MAX, parse};
pub use problem::{Problem, Problems, Severity, nearest};
pub use read::{Section, Settings, from_str, present};

#[cfg(test)]
mod tests;
