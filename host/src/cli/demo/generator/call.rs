//! Calls between services, and how a tree of them becomes the spans of a trace.

use super::model::{Attributes, End, Kind, Service, Span, Text, Value};
use std::borrow::Cow;

/// A call that is being planned: what it is, how long its own work takes, and what it calls in turn.
pub(super) struct Call {
    pub service: Service,
    pub kind: Kind,
    pub name: Text,
    pub attributes: Attributes,
    pub own_us: u64,
    pub calls: Vec<Call>,
    pub end: End,
}

/// The server's side of an HTTP call; it fails if something that it called did.
pub(super) fn served(
    service: Service,
    method: &'static str,
    route: &'static str,
    path: String,
    own_us: u64,
    calls: Vec<Call>,
) -> Call {
    let failed = calls.iter().any(|call| call.end != End::Fine);
    let status = match (failed, method) {
        (true, _) => 500,
        (false, "POST") => 201,
        (false, _) => 200,
    };
    let mut attributes: Attributes = vec![
        ("http.request.method", method.into()),
        ("http.route", route.into()),
        ("url.path", path.into()),
        ("url.scheme", "http".into()),
        ("http.response.status_code", status.into()),
        ("network.protocol.version", "1.1".into()),
    ];
    if failed {
        attributes.push(("error.type", "500".into()));
    }
    Call {
        service,
        kind: Kind::Server,
        name: Cow::Owned(format!("{method} {route}")),
        attributes,
        own_us,
        calls,
        end: if failed { End::CalleeFailed } else { End::Fine },
    }
}

/// The caller's side of an HTTP call; the network is its own time.
pub(super) fn called(service: Service, callee: Call, own_us: u64) -> Call {
    let mut attributes: Attributes =
        callee.attributes.iter().filter(|(key, _)| method_or_status(key)).cloned().collect();
    let path = callee.attributes.iter().find_map(|(key, value)| match value {
        Value::Text(path) if *key == "url.path" => Some(path.as_ref()),
        _ => None,
    });
    let host = callee.service.name();
    attributes.push(("url.full", format!("http://{host}:8080{}", path.unwrap_or("/")).into()));
    attributes.push(("server.address", host.into()));
    attributes.push(("server.port", 8080.into()));
    let method = callee.name.split(' ').next().unwrap_or("GET").to_owned();
    Call {
        service,
        kind: Kind::Client,
        name: method.into(),
        attributes,
        own_us,
        end: if callee.end == End::Fine { End::Fine } else { End::CalleeFailed },
        calls: vec![callee],
    }
}

fn method_or_status(key: &str) -> bool {
    matches!(key, "http.request.method" | "http.response.status_code" | "error.type")
}

/// A trace whose calls are being placed in time, from 0.
pub(super) struct Trace {
    id: [u8; 16],
    next: u64,
    spans: Vec<Span>,
}

impl Trace {
    /// The spans of a trace, its root first and ending at `end_ns`; they get the numbers from `next` on.
    pub(super) fn lay_out(root: Call, id: [u8; 16], next: u64, end_ns: u64) -> Vec<Span> {
        let mut trace = Self { id, next, spans: Vec::new() };
        let took_us = trace.place(root, None, 0);
        let start_ns = end_ns.saturating_sub(took_us * 1_000);
        for span in &mut trace.spans {
            span.start_ns += start_ns;
            span.end_ns += start_ns;
        }
        trace.spans
    }

    /// Places a call at `start_us`: half of its own work, what it calls one after the other, the other half. Gives its
    /// end.
    fn place(&mut self, call: Call, parent: Option<u64>, start_us: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        let mut attributes = call.attributes;
        if let End::Failed(failure) = call.end {
            attributes.push(("error.type", failure.exception.into()));
        }
        let at = self.spans.len();
        self.spans.push(Span {
            service: call.service,
            trace_id: self.id,
            number,
            parent,
            name: call.name,
            kind: call.kind,
            start_ns: start_us * 1_000,
            end_ns: 0,
            attributes,
            end: call.end,
        });
        let before_us = call.own_us / 2;
        let called_us =
            call.calls.into_iter().fold(start_us + before_us, |now_us, call| self.place(call, Some(number), now_us));
        let end_us = called_us + call.own_us - before_us;
        if let Some(span) = self.spans.get_mut(at) {
            span.end_ns = end_us * 1_000;
        }
        end_us
    }
}
