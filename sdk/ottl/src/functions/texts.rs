//! Texts.

use super::{Call, expected};
use crate::compare::{Op, compare};
use crate::prelude::*;
use crate::text::{hex as digits, like_text};
use crate::{EvalError, List, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

/// The texts of a list with a delimiter between them.
pub(super) fn concat<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let values = match call.value(0)? {
        Value::List(values) => values,
        other => return Err(expected("a list", &other)),
    };
    let delimiter = call.text(1)?;
    let mut joined = String::new();
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            joined.push_str(&delimiter);
        }
        // What the Collector writes for nil.
        joined.push_str(&like_text(&value)?.unwrap_or("<nil>".into()));
    }
    Ok(Value::Text(joined.into()))
}

/// The parts of a text between delimiters.
pub(super) fn split<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, delimiter) = (call.text(0)?, call.text(1)?);
    let owned = |part: &str| Value::Text(part.to_owned().into());
    // Without a delimiter, into characters.
    let parts = if delimiter.is_empty() {
        text.chars().map(|c| owned(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        text.split(&*delimiter).map(owned).collect()
    };
    Ok(Value::List(List::Made(parts)))
}

/// Whether a text begins so.
pub(super) fn has_prefix<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(call.text(0)?.starts_with(&*call.text(1)?)))
}

/// Whether a text ends so.
pub(super) fn has_suffix<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(call.text(0)?.ends_with(&*call.text(1)?)))
}

/// Where a value first occurs in a list, or a text in a text, in bytes; -1 if nowhere.
pub(super) fn index<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let found = match (call.value(0)?, call.value(1)?) {
        (Value::Text(text), Value::Text(part)) => text.find(&*part),
        (Value::List(list), value) => {
            list.storable()?;
            list.iter().position(|element| compare(&element, Op::Equal, &value))
        }
        (Value::Text(_), other) => return Err(expected("a string", &other)),
        (other, _) => return Err(expected("a string or list", &other)),
    };
    Ok(Value::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

/// The text of a value; nil for nil.
pub(super) fn string<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(like_text(&call.value(0)?)?.map(Value::Text).unwrap_or_default())
}

/// A part of a text, by bytes.
pub(super) fn substring<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, start, length) = (call.text(0)?, call.int(1)?, call.int(2)?);
    let bounds = || EvalError::new(format!("a text of {} bytes has no part of {length} from {start}", text.len()));
    let start = usize::try_from(start).map_err(|_| bounds())?;
    let length = usize::try_from(length).ok().filter(|length| *length > 0).ok_or_else(bounds)?;
    let end = start.checked_add(length).ok_or_else(bounds)?;
    let part = text.as_bytes().get(start..end).ok_or_else(bounds)?;
    Ok(Value::Text(String::from_utf8_lossy(part).into_owned().into()))
}

/// A text in small letters.
pub(super) fn to_lower_case<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Text(call.text(0)?.to_lowercase().into()))
}

/// A text in capitals.
pub(super) fn to_upper_case<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Text(call.text(0)?.to_uppercase().into()))
}

/// A text without these characters (spaces, if none are given) at its ends.
pub(super) fn trim<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let text = call.text(0)?;
    let unwanted = if call.given(1) { call.text(1)? } else { " ".into() };
    Ok(Value::Text(text.trim_matches(|c| unwanted.contains(c)).to_owned().into()))
}

/// A text without what it begins with, if it begins so.
pub(super) fn trim_prefix<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, prefix) = (call.text(0)?, call.text(1)?);
    Ok(Value::Text(text.strip_prefix(&*prefix).unwrap_or(&text).to_owned().into()))
}

/// A text without what it ends with, if it ends so.
pub(super) fn trim_suffix<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, suffix) = (call.text(0)?, call.text(1)?);
    Ok(Value::Text(text.strip_suffix(&*suffix).unwrap_or(&text).to_owned().into()))
}

/// The bytes of a value in hexadecimal digits: big endian for numbers.
pub(super) fn hex<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let text = match call.value(0)? {
        Value::Nil => String::new(),
        Value::Bytes(bytes) => digits(&bytes),
        Value::Text(text) => digits(text.as_bytes()),
        Value::Int(number) => digits(&number.to_be_bytes()),
        Value::Float(number) => digits(&number.to_be_bytes()),
        Value::Bool(truth) => digits(&[truth.into()]),
        other => return Err(expected("a string, number, bool or bytes", &other)),
    };
    Ok(Value::Text(text.into()))
}
