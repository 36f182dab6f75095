//! Values as text, as the Collector writes them.

use crate::prelude::*;
use crate::{EvalError, List, Map, Value};
use core::fmt::Write as _;

/// The text of a value; `None` for nil.
///
/// # Errors
/// Times, durations and ids have no text.
pub(crate) fn like_text<'a>(value: &Value<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Text(text) => text.clone(),
        Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
        Value::Int(number) => number.to_string().into(),
        Value::Float(number) if number.is_finite() => float(*number).into(),
        Value::Float(_) => return Err(EvalError::new("a number that is infinite, or none, has no text")),
        Value::Bytes(bytes) => hex(bytes).into(),
        Value::List(_) | Value::Map(_) => {
            let mut text = String::new();
            json(&mut text, value);
            text.into()
        }
        Value::TraceId(_) | Value::SpanId(_) | Value::Time(_) | Value::Duration(_) => {
            return Err(EvalError::new(format!("{} is not used as a text", value.type_name())));
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

/// As JSON has it: with an exponent where it is very small or very large.
fn float(number: f64) -> String {
    if number != 0.0 && !(1e-6..1e21).contains(&number.abs()) && number.is_finite() {
        let text = format!("{number:e}");
        return if number.abs() > 1.0 { text.replace('e', "e+") } else { text };
    }
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // NaN is written so too.
        number => number.to_string(),
    }
}

fn json(text: &mut String, value: &Value<'_>) {
    match value {
        Value::List(list) => json_list(text, list),
        Value::Map(map) => json_map(text, map),
        Value::Text(inner) => quoted(text, inner),
        Value::Bytes(bytes) => quoted(text, &base64(bytes)),
        Value::TraceId(id) => quoted(text, &hex(id)),
        Value::SpanId(id) => quoted(text, &hex(id)),
        Value::Nil => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Float(number) => text.push_str(&float(*number)),
        Value::Int(number) | Value::Time(number) | Value::Duration(number) => text.push_str(&number.to_string()),
    }
}

fn json_list(text: &mut String, list: &List<'_>) {
    text.push('[');
    for (number, element) in list.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        json(text, &element);
    }
    text.push(']');
}

/// Keys in alphabetical order, as Go's encoder writes a map.
fn json_map(text: &mut String, map: &Map<'_>) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    text.push('{');
    for (number, (key, value)) in entries.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        quoted(text, key);
        text.push(':');
        json(text, value);
    }
    text.push('}');
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
            c if c < ' ' => {
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
