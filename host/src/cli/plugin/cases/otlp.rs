//! OTLP JSON as cases have it, to batches and back.

use crate::otlp::json;
use crate::pdata::{Batch, Limits, Signal};
use serde_json::{Map, Value};
use tailrace_otlp::schema;

/// The key of a request of this signal, in a bare request.
fn bare_key(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "resourceSpans",
        Signal::Metrics => "resourceMetrics",
        Signal::Logs => "resourceLogs",
    }
}

/// The requests in an object: `{"traces": {...}, "logs": {...}}`, or one request as it is.
///
/// # Errors
/// What is wrong with it.
pub(in crate::cli::plugin) fn batches(value: &Value) -> Result<Vec<Batch>, String> {
    let mut batches = Vec::new();
    for signal in Signal::ALL {
        let request = match (value.get(signal.as_str()), value.get(bare_key(signal))) {
            (Some(Value::Null) | None, None) => continue,
            (Some(request), _) => request,
            (None, Some(_)) => value,
        };
        batches.push(batch(signal, request).map_err(|error| format!("{signal}: {error}"))?);
    }
    if batches.is_empty() {
        return Err("it has neither \"traces\" nor \"metrics\" nor \"logs\"".to_owned());
    }
    Ok(batches)
}

/// A request as a batch, checked as at the door of a collector.
fn batch(signal: Signal, request: &Value) -> Result<Batch, String> {
    let text = request.to_string();
    let bytes = json::read(schema::request(signal), text.as_bytes(), &json::Limits::default())
        .map_err(|error| error.to_string())?;
    Batch::validate(signal, bytes.into(), &Limits::default()).map_err(|error| error.to_string())
}

/// A request as OTLP JSON; `{}` if there is nothing in it.
///
/// # Errors
/// Never for a batch that exists; said rather than hidden.
pub(in crate::cli::plugin) fn request(signal: Signal, bytes: &[u8]) -> Result<Value, String> {
    let mut text = Vec::new();
    json::write(schema::request(signal), bytes, &mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// Requests as one object, in the form that [`batches`] reads.
pub(in crate::cli::plugin) fn object(requests: impl IntoIterator<Item = (Signal, Value)>) -> Value {
    let fields: Map<String, Value> =
        requests.into_iter().map(|(signal, request)| (signal.as_str().to_owned(), request)).collect();
    Value::Object(fields)
}

/// What is written in an object in the form that [`object`] gives, so that two can be compared: fields in their order,
/// defaults left out.
///
/// # Errors
/// What is wrong with it.
pub(in crate::cli::plugin) fn normal(value: &Value) -> Result<Value, String> {
    let requests =
        batches(value)?.into_iter().map(|batch| Ok((batch.signal(), request(batch.signal(), batch.data())?)));
    Ok(object(requests.collect::<Result<Vec<_>, String>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// However a request is written, its normal form is the same; faults name the signal.
    #[test]
    fn requests_have_a_normal_form() {
        let bare = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 2, "name": "a", "traceId":
            "0AF7651916CD43DD8448EB211C80319C", "spanId": "b7ad6b7169203331", "links": []}]}]}]});
        let normal_bare = normal(&bare).unwrap();
        assert_eq!(normal(&json!({ "traces": bare })).unwrap(), normal_bare);
        let span = &normal_bare["traces"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span.get("links"), None);
        assert_eq!(normal(&json!({"traces": {}})).unwrap(), json!({"traces": {}}));
        assert!(normal(&json!({"logs": {"resourceLogs": 3}})).unwrap_err().starts_with("logs: "));
        assert!(normal(&json!({"spans": []})).unwrap_err().contains("neither"));
    }
}
