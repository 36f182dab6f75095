//! The packed columns in which attribute values cross between the host and a plugin: the records `projection`, `edits`
//! and `traces` of the contract (`wit/`), both sides of each.
//!
//! The host writes [`Columns`] and reads [`Edits`]; the SDK reads [`Columns`] through [`Rows`] and writes [`Edits`].
//! Both live here so that each can be tested against the other, and so that a plugin runs natively under `cargo test`
//! with exactly the code that the host uses. Nothing here panics, whatever the numbers in the columns are.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod additions;
mod chain;
mod columns;
mod edits;
mod project;
mod shape;
mod splice;
#[cfg(test)]
mod tests;
mod traces;
mod value;

pub use additions::{Addition, Additions, Put};
pub use chain::{Applied, Table, Union, View, Wants};
pub use columns::{Columns, INTRINSIC, Key, Row, Rows};
pub use edits::{Action, BadEdit, Edit, Edits, Limits};
pub use project::{Projection, Wanted, project};
pub use shape::Shape;
pub use splice::{Spliced, splice};
pub use traces::{Decision, Traces};
pub use value::{Intrinsic, Level, Value};
