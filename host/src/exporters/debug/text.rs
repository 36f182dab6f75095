//! Values, ids and times as text, as the Collector's debug exporter shows them.

use crate::export::calendar::Utc;
use std::fmt;
use std::time::Duration;
use tailrace_otlp::{Attributes, KeyValue, Str, Value};

/// Text from outside: on one line, without control characters.
pub(super) struct Plain<'a>(pub(super) Str<'a>);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_str().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Bytes in hexadecimal; nothing if there are none.
pub(super) struct Hex<'a>(pub(super) Option<&'a [u8]>);

impl<'a> Hex<'a> {
    pub(super) fn of<const N: usize>(id: Option<&'a [u8; N]>) -> Self {
        Self(id.map(|id| &id[..]))
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.unwrap_or_default().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A time in nanoseconds since 1970.
pub(super) struct Time(pub(super) u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Utc::from_unix(Duration::from_nanos(self.0)).fmt(f)
    }
}

/// A value alone, lists and maps as in JSON.
pub(super) struct Bare<'a>(pub(super) Value<'a>);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => Plain(text).fmt(f),
            value => element(f, value),
        }
    }
}

fn element(f: &mut fmt::Formatter<'_>, value: Value<'_>) -> fmt::Result {
    match value {
        Value::Empty => f.write_str("null"),
        Value::String(text) => write!(f, "\"{}\"", Plain(text)),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Int(value) => write!(f, "{value}"),
        Value::Double(value) => write!(f, "{value}"),
        Value::Bytes(bytes) => write!(f, "\"{}\"", Hex(Some(bytes))),
        Value::Array(array) => {
            f.write_str("[")?;
            for (i, value) in array.iter().enumerate() {
                f.write_str(if i > 0 { "," } else { "" })?;
                element(f, value)?;
            }
            f.write_str("]")
        }
        Value::KvList(list) => {
            f.write_str("{")?;
            for (i, KeyValue { key, value }) in list.iter().enumerate() {
                write!(f, "{}\"{}\":", if i > 0 { "," } else { "" }, Plain(key))?;
                element(f, value)?;
            }
            f.write_str("}")
        }
    }
}

/// A value with its type: `Str(x)`, `Int(1)`.
pub(super) struct Typed<'a>(pub(super) Value<'a>);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Value::Empty => return f.write_str("Empty()"),
            Value::String(_) => "Str",
            Value::Bool(_) => "Bool",
            Value::Int(_) => "Int",
            Value::Double(_) => "Double",
            Value::Bytes(bytes) => return write!(f, "Bytes({})", Hex(Some(bytes))),
            Value::Array(_) => "Slice",
            Value::KvList(_) => "Map",
        };
        write!(f, "{kind}({})", Bare(self.0))
    }
}

/// Attributes on one line: ` k=v k=v`, with a space before each.
pub(super) struct Inline<I>(pub(super) I);

impl<'a, I: Iterator<Item = KeyValue<'a>> + Clone> fmt::Display for Inline<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.clone().try_for_each(|KeyValue { key, value }| write!(f, " {}={}", Plain(key), Bare(value)))
    }
}

/// Attributes of a data point: `{k=v,k=v}`.
pub(super) struct Braces<'a>(pub(super) Attributes<'a>);

impl fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, KeyValue { key, value }) in self.0.clone().enumerate() {
            write!(f, "{}{}={}", if i > 0 { "," } else { "" }, Plain(key), Bare(value))?;
        }
        f.write_str("}")
    }
}
