//! The Collector's text for a value (`AsString`): what its patterns are matched against, and what `convert` makes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;
use std::fmt::Write as _;
use tailrace_sdk::otlp::Value;

/// The text of a value: a text as it is, numbers in decimal, bytes in base64, arrays and maps as JSON with sorted keys.
pub fn of<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Empty => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text.to_str()),
        Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Double(number) => Cow::Owned(double(*number)),
        Value::Bytes(bytes) => Cow::Owned(BASE64.encode(bytes)),
        // The Collector cannot write numbers that are none (NaN, infinity) as JSON, and then has no text at all.
        Value::Array(_) | Value::KvList(_) => {
            let mut out = String::new();
            Cow::Owned(if json(&mut out, value) { out } else { String::new() })
        }
    }
}

/// A number as JavaScript writes it: without an exponent between 1e-6 and 1e21.
fn double(number: f64) -> String {
    let abs = number.abs();
    if number.is_nan() {
        "NaN".to_owned()
    } else if abs.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if abs != 0.0 && abs < 1e-6 {
        format!("{number:e}")
    } else if abs >= 1e21 {
        format!("{number:e}").replace('e', "e+")
    } else {
        number.to_string()
    }
}

/// Writes a value as JSON; `false` if it cannot be.
fn json(out: &mut String, value: &Value<'_>) -> bool {
    match value {
        // No bytes at all are nothing to Go.
        Value::Empty | Value::Bytes([]) => out.push_str("null"),
        Value::String(text) => quoted(out, text.to_str()),
        Value::Double(number) if !number.is_finite() => return false,
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => out.push_str(&of(value)),
        Value::Bytes(_) => quoted(out, &of(value)),
        Value::Array(array) => {
            out.push('[');
            for (at, item) in array.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                if !json(out, &item) {
                    return false;
                }
            }
            out.push(']');
        }
        Value::KvList(list) => {
            let mut entries: Vec<_> = list.iter().map(|entry| (entry.key.to_str(), entry.value)).collect();
            // The Collector puts them into a map: of a key that is there twice the last one counts.
            entries.reverse();
            entries.sort_by_key(|(key, _)| *key);
            entries.dedup_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quoted(out, key);
                out.push(':');
                if !json(out, item) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    true
}

/// A JSON string, with the escapes that Go writes.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
