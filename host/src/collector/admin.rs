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

/// The plugins of this collector, by place.
fn plugins(telemetry: &Telemetry) -> Value {
    Platform::views(telemetry.metrics()).into()
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
