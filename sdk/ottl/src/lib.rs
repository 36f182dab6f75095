//! Conditions of the OpenTelemetry Transformation Language (OTTL), such as
//!
//! ```text
//! attributes["http.status_code"] >= 500 and not IsMatch(name, "^/health")
//! ```
//!
//! A [`Condition`] is parsed once, with every path, enum and function resolved and every literal regular expression compiled;
//! what is wrong is said with its place. Evaluating it reads the encoded span through the views of `tailrace-otlp`: no
//! object is built, and nothing is allocated unless a function makes a new text. There is no I/O here and no clock: the
//! caller says what time it is.
//!
//! The language is that of the Collector (`pkg/ottl`): grammar, comparison rules and functions. What is missing is what a
//! condition cannot use: editors, and the scratch map `cache`.
//!
//! ```
//! use tailrace_otlp::{ResourceView, ScopeView, SpanView};
//! use tailrace_ottl::{Condition, Context, Scene};
//!
//! let condition = Condition::parse(r#"name == "GET /" and attributes["retries"] == nil"#, Context::Span)?;
//! let span = SpanView::new(b"\x2a\x05GET /");
//! let (resource, scope) = (ResourceView::new(b""), ScopeView::new(b""));
//! assert_eq!(condition.eval(&Scene { resource, scope, span, event: None, now: 0 }), Ok(true));
//! # Ok::<_, tailrace_ottl::ParseError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod compare;
mod error;
mod expr;
mod functions;
mod lex;
mod math;
mod near;
mod parse;
mod path;
mod prelude;
#[cfg(test)]
mod tests;
mod text;
mod trace_state;
mod value;

pub use error::{EvalError, ParseError};
pub use path::{Context, Scene};
pub use trace_state::entry as trace_state_entry;
pub use value::{Items, List, Map, Value};

/// A condition, parsed and resolved.
#[derive(Clone, Debug)]
pub struct Condition {
    root: expr::Condition,
}

impl Condition {
    /// Longest text of a condition, in bytes.
    pub const TEXT_BYTES_MAX: usize = 64 << 10;

    /// Parses a condition on what `context` has.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str, context: Context) -> Result<Self, ParseError> {
        Ok(Self { root: parse::parse(text, context)? })
    }

    /// Whether the condition holds. `and` and `or` stop as soon as the answer is known.
    ///
    /// # Errors
    /// If a value is not of the type that a function or an operator needs, an index is out of bounds, or a number is
    /// divided by zero.
    pub fn eval(&self, scene: &Scene<'_>) -> Result<bool, EvalError> {
        self.root.eval(scene)
    }
}
