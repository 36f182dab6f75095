//! What a value is, and what is in it.

use super::{Call, expected};
use crate::compare::{Op, compare};
use crate::expr::Expr;
use crate::prelude::*;
use crate::{EvalError, List, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

macro_rules! is {
    ($($name:ident: $pattern:pat,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            Ok(Value::Bool(matches!(call.value(0)?, $pattern)))
        })*
    };
}
is! {
    is_bool: Value::Bool(_),
    is_double: Value::Float(_),
    is_int: Value::Int(_),
    is_list: Value::List(_),
    is_map: Value::Map(_),
    is_string: Value::Text(_),
}

/// Whether a value is nil or the empty value of its type: "", 0, false, an id of zeros, a list or map without elements.
pub(super) fn is_empty<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(match call.value(0)? {
        Value::Nil => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) | Value::Duration(number) => number == 0,
        Value::Float(number) => number.to_bits() == 0,
        Value::Text(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::TraceId(id) => id == [0; 16],
        Value::SpanId(id) => id == [0; 8],
        // The zero time of the Collector is not in reach.
        Value::Time(_) => false,
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
    }))
}

/// The first value of a list that is not nil; what follows it is not looked at.
pub(super) fn coalesce<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    if let Some(Some(Expr::List(elements))) = call.function.arguments.first() {
        for element in elements {
            match element.eval(call.scene)? {
                Value::Nil => {}
                value => return Ok(value),
            }
        }
        return Ok(Value::Nil);
    }
    match call.value(0)? {
        Value::List(list) => Ok(list.iter().find(|value| !matches!(value, Value::Nil)).unwrap_or_default()),
        other => Err(expected("a list", &other)),
    }
}

/// Whether the span has no parent.
pub(super) fn is_root_span<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(call.scene.span.parent_span_id().is_none()))
}

/// Bytes of a text, or elements of a list or map.
pub(super) fn len<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let length = match call.value(0)? {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(expected("a string, list or map", &other)),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Whether a list has an element that equals a value.
pub(super) fn contains_value<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let list = match call.value(0)? {
        Value::List(list) => list,
        other => return Err(expected("a list", &other)),
    };
    list.storable()?;
    let item = call.value(1)?;
    Ok(Value::Bool(list.iter().any(|element| compare(&element, Op::Equal, &item))))
}

/// The keys of a map.
pub(super) fn keys<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match call.value(0)? {
        Value::Map(map) => Ok(Value::List(List::Stored(map.iter().map(|(key, _)| Value::Text(key)).collect()))),
        other => Err(expected("a map", &other)),
    }
}

/// The values of a map.
pub(super) fn values<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match call.value(0)? {
        Value::Map(map) => Ok(Value::List(List::Stored(map.iter().map(|(_, value)| value).collect()))),
        other => Err(expected("a map", &other)),
    }
}

/// A trace id from its bytes or its hexadecimal digits.
pub(super) fn trace_id<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    id(call).map(Value::TraceId)
}

/// A span id from its bytes or its hexadecimal digits.
pub(super) fn span_id<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    id(call).map(Value::SpanId)
}

fn id<const LENGTH: usize>(call: &Call<'_, '_>) -> Result<[u8; LENGTH], EvalError> {
    let wrong =
        || EvalError::new(format!("an id of {LENGTH} bytes, or as many pairs of hexadecimal digits, is expected"));
    match call.value(0)? {
        Value::Bytes(bytes) => bytes.as_ref().try_into().map_err(|_| wrong()),
        Value::Text(text) if text.len() == 2 * LENGTH && text.is_ascii() => {
            let mut id = [0; LENGTH];
            for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
                let digits = text.get(at..at + 2).ok_or_else(wrong)?;
                *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
            }
            Ok(id)
        }
        Value::Text(_) => Err(wrong()),
        other => Err(expected("an id", &other)),
    }
}
