//! The admin listener: `GET /status` shows health, listeners, the ledger and what each component says of itself,
//! `GET /plugins` an array with everything about each plugin, `GET /tailsampling/why` what was decided about traces.
//!
//! Read-only and local by default. It shows no telemetry of the user's, only counts, names, versions, reasons and the ids of
//! traces.

use super::why;
use crate::plugin::Platform;
use crate::telemetry::{Line, State, Telemetry};
use crate::web::{self, Reply};
use http::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};

pub(super) fn answer<B>(request: &Request<B>, telemetry: &Telemetry) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => web::json(StatusCode::OK, &status(telemetry)),
        (&Method::GET, "/plugins") => web::json(StatusCode::OK, &plugins(telemetry)),
        (&Method::GET, "/tailsampling/why") => why::answer(request.uri().query(), telemetry.decisions()),
        (_, "/status" | "/plugins" | "/tailsampling/why") => {
            web::reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "GET only\n")
        }
        _ => web::not_found(),
    }
}

/// The plugins of this collector, by place, and behind them those that lie in a directory and do not run.
fn plugins(telemetry: &Telemetry) -> Value {
    let mut plugins = Platform::views(telemetry.metrics());
    plugins.extend(telemetry.status().views().iter().flat_map(|(component, view)| not_loaded(component, view)));
    plugins.into()
}

/// What a processor says of the plugins of its directory that do not run.
fn not_loaded(component: &str, view: &Value) -> Vec<Value> {
    let place = component.split_once(':').map_or(component, |(_, place)| place);
    let plugins = view.get("plugins").and_then(Value::as_array).into_iter().flatten();
    let waits = plugins.filter(|plugin| plugin.get("state").is_some_and(|state| state == "not loaded"));
    let text = |plugin: &Value, key: &str| plugin.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    waits
        .map(|plugin| {
            json!({
                "place": format!("{place}:{}", text(plugin, "name")),
                "file": text(plugin, "file"),
                "state": "not loaded",
                "load_error": {"reason": text(plugin, "problem")},
            })
        })
        .collect()
}

fn status(telemetry: &Telemetry) -> Value {
    let state = match telemetry.health().state() {
        State::Starting => "starting",
        State::Ready => "ready",
        State::Stopping => "stopping",
    };
    let listening: Map<String, Value> =
        telemetry.status().addresses().into_iter().map(|(name, address)| (name, json!(address.to_string()))).collect();
    let ledger: Vec<Value> = telemetry.ledger().lines().iter().map(ledger_line).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": state,
        "listening": listening,
        "ledger": ledger,
        "components": telemetry.status().views(),
    })
}

fn ledger_line(line: &Line) -> Value {
    json!({
        "component": line.component,
        "accepted": line.taken,
        "handed_on": line.handed_on,
        "added": line.added,
        "dropped": line.dropped,
        "held": line.held,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin that never ran is shown with its reason; those that run, and samplers, which belong elsewhere, are not.
    #[test]
    fn plugins_that_do_not_run_are_shown() {
        let plugin = |name: &str, state: &str| json!({"name": name, "state": state, "file": "f", "problem": "no"});
        let view = json!({"plugins": [plugin("a", "running"), plugin("b", "not loaded"), plugin("c", "sampler")]});
        let expected =
            json!({"place": "wasm@logs:b", "file": "f", "state": "not loaded", "load_error": {"reason": "no"}});
        assert_eq!(not_loaded("processor:wasm@logs", &view), [expected]);
        assert!(not_loaded("receiver:otlp", &json!({})).is_empty());
    }
}
