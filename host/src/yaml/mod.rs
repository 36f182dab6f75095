//! YAML that knows where it came from: parsing with positions, typed reading, faults with file, line, column and key.
//!
//! Purely in memory; files, `${...}` and merging are `config`'s business.

mod duration;
mod node;
mod problem;
mod read;

pub use duration::GoDuration;
pub use node::{Key, Node, Origin, Value};
pub use problem::{Problem, Problems, Severity, nearest};
pub use read::{Check, Section, Settings};
