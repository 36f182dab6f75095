//! Regular expressions, in the syntax of RE2 as the Collector has it.

use super::Call;
use crate::prelude::*;
use crate::text::like_text;
use crate::{EvalError, Value};
use regex::{Regex, RegexBuilder};

/// Memory that one compiled expression may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiles an expression; the error names it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(&tailrace_pattern::translate(pattern)).size_limit(COMPILED_BYTES_MAX).build();
    built.map_err(|error| {
        format!("{pattern:?} is no regular expression: {}", tailrace_pattern::reason(&error.to_string()))
    })
}

/// Whether the text of a value matches; nil does not.
pub(super) fn is_match<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let target = call.value(0)?;
    let Some(text) = like_text(&target)? else { return Ok(Value::Bool(false)) };
    if let Some(pattern) = &call.function.pattern {
        return Ok(Value::Bool(pattern.is_match(&text)));
    }
    let pattern = compile(&call.text(1)?).map_err(EvalError::new)?;
    Ok(Value::Bool(pattern.is_match(&text)))
}
