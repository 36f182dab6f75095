//! Values as text, as the Collector writes them.

use crate::functions::rfc3339;
use crate::prelude::*;
use crate::{EvalError, List, Map, Value};
use core::fmt::Write as _;

/// The text of a value; `None` for nil. What is neither text, bytes nor a value of the span is written as JSON, a time in quotes.
///
/// # Errors
/// JSON has no numbers that are infinite, or none, and no years of more than four digits.
pub(crate) fn like_text<'a>(value: &Value<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Text(text) => text.clone(),
        Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
        Value::Int(number) => number.to_string().into(),
        Value::Bytes(bytes) => hex(bytes).into(),
        value => {
            let mut text = String::new();
            json(&mut text, value, false)?;
            text.into()
        }
    }))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As JSON has it: with an exponent of at least two digits where it is very small or very large.
fn float(number: f64) -> Result<String, EvalError> {
    if !number.is_finite() {
        return Err(EvalError::new("a number that is infinite, or none, has no text"));
    }
    if number == 0.0 || (1e-6..1e21).contains(&number.abs()) {
        return Ok(number.to_string());
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    Ok(format!("{digits}e{sign}{exponent:0>2}"))
}

/// `stored` is what an attribute holds, or could hold. A list that a condition makes holds anything; in the Collector's JSON its maps
/// and stored lists are empty objects.
fn json(text: &mut String, value: &Value<'_>, stored: bool) -> Result<(), EvalError> {
    match value {
        Value::List(List::Items(_)) => text.push_str("{}"),
        Value::List(list) => json_list(text, list, stored)?,
        Value::Map(map) => json_map(text, map)?,
        Value::Text(inner) => quoted(text, inner),
        Value::Bytes(bytes) if bytes.is_empty() => text.push_str("null"),
        Value::Bytes(bytes) => quoted(text, &base64(bytes)),
        Value::TraceId(id) => json_bytes(text, id),
        Value::SpanId(id) => json_bytes(text, id),
        Value::Nil => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Float(number) => text.push_str(&float(*number)?),
        Value::Int(number) | Value::Duration(number) => text.push_str(&number.to_string()),
        Value::Time(nanos) => quoted(text, &rfc3339(*nanos)),
    }
    Ok(())
}

fn json_list(text: &mut String, list: &List<'_>, stored: bool) -> Result<(), EvalError> {
    let stored = stored || list.is_stored();
    text.push('[');
    for (number, element) in list.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        match &element {
            Value::Map(_) if !stored => text.push_str("{}"),
            Value::List(inner) if !stored && inner.is_stored() => text.push_str("{}"),
            element => json(text, element, stored)?,
        }
    }
    text.push(']');
    Ok(())
}

/// An id as the list of its bytes.
fn json_bytes(text: &mut String, bytes: &[u8]) {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let _ = write!(text, "[{}]", numbers.join(","));
}

/// Keys in alphabetical order, as Go's encoder writes a map; of several values of one key it has the last.
fn json_map(text: &mut String, map: &Map<'_>) -> Result<(), EvalError> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.reverse();
    entries.dedup_by(|(later, _), (kept, _)| later == kept);
    entries.reverse();
    text.push('{');
    for (number, (key, value)) in entries.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        quoted(text, key);
        text.push(':');
        json(text, value, true)?;
    }
    text.push('}');
    Ok(())
}

fn quoted(text: &mut String, inner: &str) {
    text.push('"');
    for c in inner.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            // Escaped so that JSON can stand in HTML and JavaScript.
            c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for sign in 0..4 {
            let code = (bits >> (18 - 6 * sign) & 63) as usize;
            let known = SIGNS.get(code).map_or('=', |sign| char::from(*sign));
            text.push(if sign <= group.len() { known } else { '=' });
        }
    }
    text
}
