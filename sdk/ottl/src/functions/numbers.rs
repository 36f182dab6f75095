//! Conversions to numbers and booleans: nil where a value is none.

use super::Call;
use crate::{EvalError, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

/// A whole number: of a text in decimal digits, of a number without its fraction, 1 for true.
pub(super) fn int<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(match call.value(0)? {
        Value::Int(number) => Value::Int(number),
        Value::Float(number) => Value::Int(number as i64),
        Value::Bool(truth) => Value::Int(truth.into()),
        Value::Text(text) => text.parse().map(Value::Int).unwrap_or_default(),
        _ => Value::Nil,
    })
}

/// A number: of a text, of a whole number, 1 for true.
pub(super) fn double<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(match call.value(0)? {
        Value::Float(number) => Value::Float(number),
        Value::Int(number) => Value::Float(number as f64),
        Value::Bool(truth) => Value::Float(f64::from(u8::from(truth))),
        Value::Text(text) => text.parse().map(Value::Float).unwrap_or_default(),
        _ => Value::Nil,
    })
}

/// True or false: of a text, of a number that is not 0.
pub(super) fn bool<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(match call.value(0)? {
        Value::Bool(truth) => Value::Bool(truth),
        Value::Int(number) => Value::Bool(number != 0),
        Value::Float(number) => Value::Bool(number != 0.0),
        Value::Text(text) => match &*text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Value::Bool(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Value::Bool(false),
            _ => return Err(EvalError::new(format!("{text:?} is neither true nor false"))),
        },
        _ => Value::Nil,
    })
}
