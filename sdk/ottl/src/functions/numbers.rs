//! Conversions to numbers and booleans: nil stays nil, and what cannot be converted is an error.

use super::{Call, expected};
use crate::prelude::*;
use crate::{EvalError, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

const NUMERIC: &str = "a string, number or bool";

/// A whole number: of a text in decimal digits, of a number, 1 for true.
pub(super) fn int<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match call.value(0)? {
        Value::Nil => Ok(Value::Nil),
        Value::Int(number) => Ok(Value::Int(number)),
        Value::Float(number) => Ok(Value::Int(whole(number))),
        Value::Bool(truth) => Ok(Value::Int(truth.into())),
        Value::Text(text) => digits(&text, 10).map(Value::Int),
        other => Err(expected(NUMERIC, &other)),
    }
}

/// A number without its fraction. One that is too large, or none, is the lowest there is, as in a Collector on x86.
fn whole(number: f64) -> i64 {
    let lowest = i64::MIN as f64;
    if (lowest..-lowest).contains(&number) { number as i64 } else { i64::MIN }
}

/// A number: of a text, of a whole number, 1 for true.
pub(super) fn double<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match call.value(0)? {
        Value::Nil => Ok(Value::Nil),
        Value::Float(number) => Ok(Value::Float(number)),
        Value::Int(number) => Ok(Value::Float(number as f64)),
        Value::Bool(truth) => Ok(Value::Float(f64::from(u8::from(truth)))),
        Value::Text(text) => {
            let no_number = || EvalError::new(format!("{text:?} is no number"));
            let number: f64 = text.parse().map_err(|_| no_number())?;
            // A number that is too large; infinity itself can be written.
            let too_large = number.is_infinite() && !text.contains(['i', 'I']);
            if too_large { Err(no_number()) } else { Ok(Value::Float(number)) }
        }
        other => Err(expected(NUMERIC, &other)),
    }
}

/// True or false: of a text, of a number that is not 0.
pub(super) fn bool<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(match call.value(0)? {
        Value::Nil => Value::Nil,
        Value::Bool(truth) => Value::Bool(truth),
        Value::Int(number) => Value::Bool(number != 0),
        Value::Float(number) => Value::Bool(number != 0.0),
        Value::Text(text) => match &*text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Value::Bool(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Value::Bool(false),
            _ => return Err(EvalError::new(format!("{text:?} is neither true nor false"))),
        },
        other => return Err(expected(NUMERIC, &other)),
    })
}

/// A whole number of a text in digits of a base.
pub(super) fn parse_int<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, base) = (call.text(0)?, call.int(1)?);
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    digits(&text, base.ok_or_else(|| EvalError::new("a base is between 2 and 36"))?).map(Value::Int)
}

fn digits(text: &str, base: u32) -> Result<i64, EvalError> {
    i64::from_str_radix(text, base).map_err(|_| EvalError::new(format!("{text:?} is no whole number")))
}
