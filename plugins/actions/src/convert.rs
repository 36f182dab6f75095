//! Values into other types, and hashes of values, as the Collector's actions make them.

use crate::text;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tailrace_sdk::otlp::{self, view, wire};
use tailrace_sdk::{NewValue, Value, hash};

/// What `convert` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Int,
    Double,
}

impl Type {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "int" => Self::Int,
            "double" => Self::Double,
            _ => return None,
        })
    }
}

/// The value as another type; `None` leaves it as it is: it has that type, or cannot be one.
pub(crate) fn convert(value: &Value<'_>, to: Type) -> Option<NewValue> {
    match (to, value) {
        (Type::String, Value::String(_))
        | (Type::Int, Value::Int(_))
        | (Type::Double, Value::Double(_))
        | (Type::Int | Type::Double, Value::Empty | Value::Bytes(_) | Value::Nested(_)) => None,
        (Type::String, value) => Some(text::of(&as_otlp(value)).into_owned().into()),
        #[expect(clippy::cast_possible_truncation, reason = "what is behind the point goes")]
        (Type::Int, Value::Double(number)) => Some((*number as i64).into()),
        (Type::Int, Value::Bool(truth)) => Some(i64::from(*truth).into()),
        (Type::Int, Value::String(text)) => text.parse::<i64>().ok().map(NewValue::from),
        #[expect(clippy::cast_precision_loss, reason = "a double is what is wanted")]
        (Type::Double, Value::Int(number)) => Some((*number as f64).into()),
        (Type::Double, Value::Bool(truth)) => Some(f64::from(u8::from(*truth)).into()),
        (Type::Double, Value::String(text)) => double(text).map(NewValue::from),
    }
}

/// A number out of a text. One that is too large for a double is none.
fn double(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok()?;
    let written = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (number.is_finite() || number.is_nan() || written).then_some(number)
}

/// SHA-256 in hex: of a text, or of the bytes of a number or truth value. Other values become an empty text.
pub(crate) fn hashed(value: &Value<'_>) -> NewValue {
    let digest = match value {
        Value::String(text) => Sha256::digest(text),
        Value::Bool(truth) => Sha256::digest([u8::from(*truth)]),
        Value::Int(number) => Sha256::digest(number.to_le_bytes()),
        Value::Double(number) => Sha256::digest(number.to_le_bytes()),
        Value::Empty | Value::Bytes(_) | Value::Nested(_) => return "".into(),
    };
    hash::hex(&digest).into()
}

/// A value of the settings as the value of an attribute.
///
/// # Errors
/// What it cannot be.
pub(crate) fn from_settings(json: &Json) -> Result<NewValue, String> {
    Ok(match json {
        Json::String(text) => text.clone().into(),
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => number.into(),
            (None, Some(_), _) | (None, None, None) => return Err(format!("{number} is too large for an attribute")),
            (None, None, Some(number)) => number.into(),
        },
        Json::Null => return Err("must be a value".to_owned()),
        Json::Array(_) | Json::Object(_) => NewValue::Nested(message(json)?),
    })
}

/// A value of the settings as an encoded `AnyValue`.
fn message(json: &Json) -> Result<Vec<u8>, String> {
    let (mut inner, mut out) = (Vec::new(), Vec::new());
    match json {
        Json::Null => {}
        Json::Array(items) => {
            for item in items {
                wire::put_len_field(&mut inner, 1, &message(item)?);
            }
            view::put_value(&mut out, &otlp::Value::Array(view::ArrayView::new(&inner)));
        }
        Json::Object(entries) => {
            for (key, item) in entries {
                let item = message(item)?;
                view::put_attribute(&mut inner, 1, key.as_str().into(), &otlp::Value::new(&item));
            }
            view::put_value(&mut out, &otlp::Value::KvList(view::KvListView::new(&inner)));
        }
        scalar => match from_settings(scalar)? {
            NewValue::String(text) => view::put_value(&mut out, &(&*text).into()),
            NewValue::Bool(truth) => view::put_value(&mut out, &truth.into()),
            NewValue::Int(number) => view::put_value(&mut out, &number.into()),
            NewValue::Double(number) => view::put_value(&mut out, &number.into()),
            NewValue::Bytes(_) | NewValue::Nested(_) => {}
        },
    }
    Ok(out)
}

/// A value of the columns as OTLP has it.
pub fn as_otlp<'a>(value: &Value<'a>) -> otlp::Value<'a> {
    match *value {
        Value::Empty => otlp::Value::Empty,
        Value::String(text) => text.into(),
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Double(number) => number.into(),
        Value::Bytes(bytes) => otlp::Value::Bytes(bytes),
        Value::Nested(message) => otlp::Value::new(message),
    }
}
