//! Drops spans of health checks: requests to paths such as `/healthz`, and calls of gRPC's health service. See `README.md`.

use serde::Deserialize;
use tailrace_sdk::otlp::{SpanView, Value};
use tailrace_sdk::{Batch, Failure, Interest, Outcome, Plugin, Processor, Signal};

/// Attributes that hold the path of a request, in the names of several versions of the semantic conventions.
const PATH_KEYS: [&str; 4] = ["url.path", "http.target", "http.route", "url.full"];
const RPC_SERVICE: &str = "rpc.service";
const RPC_METHOD: &str = "rpc.method";

/// What the operator writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Paths of health checks. A span whose path, without its query, is one of them goes.
    pub paths: Vec<String>,
    /// Names of spans of health checks. A method before the path (`GET /healthz`) may be left out.
    pub span_names: Vec<String>,
    /// Services of RPCs whose calls are health checks.
    pub rpc_services: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            paths: all(&["/health", "/healthz", "/livez", "/ready", "/readyz", "/ping"]),
            span_names: Vec::new(),
            rpc_services: all(&["grpc.health.v1.Health"]),
        }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct DropHealth(Config);

impl Plugin for DropHealth {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if let Some(path) = config.paths.iter().find(|path| !path.starts_with('/')) {
            return Err(format!("paths: {path:?} must begin with a slash"));
        }
        if config.paths.is_empty() && config.span_names.is_empty() && config.rpc_services.is_empty() {
            return Err("paths, span_names and rpc_services are all empty: nothing would ever be dropped".to_owned());
        }
        Ok(Self(config))
    }

    fn interest(&self) -> Interest {
        Interest::in_every_batch().of([Signal::Traces])
    }
}

impl Processor for DropHealth {
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, Failure> {
        batch.retain(|item| !item.span().is_some_and(|span| self.is_health_check(span)))
    }
}

impl DropHealth {
    fn is_health_check(&self, span: SpanView<'_>) -> bool {
        self.is_name(span.name().to_str())
            || span.attributes().any(|attribute| {
                let key = attribute.key;
                let Value::String(value) = attribute.value else { return false };
                if PATH_KEYS.iter().any(|known| key == *known) {
                    self.is_path(path_of(value.to_str()))
                } else if key == RPC_SERVICE {
                    self.is_service(value.to_str())
                } else if key == RPC_METHOD {
                    // Newer conventions put both into one attribute: grpc.health.v1.Health/Check.
                    value.to_str().rsplit_once('/').is_some_and(|(service, _)| self.is_service(service))
                } else {
                    false
                }
            })
    }

    /// `GET /healthz`, `/healthz`, `grpc.health.v1.Health/Check`, or one of the configured names.
    fn is_name(&self, name: &str) -> bool {
        if self.0.span_names.iter().any(|known| known == name) {
            return true;
        }
        let last = name.rsplit(' ').next().unwrap_or(name);
        if last.starts_with('/') {
            return self.is_path(path_of(last)) || self.0.span_names.iter().any(|known| known == last);
        }
        last.rsplit_once('/').is_some_and(|(service, _)| self.is_service(service))
    }

    fn is_path(&self, path: &str) -> bool {
        self.0.paths.iter().any(|known| known == path)
    }

    fn is_service(&self, service: &str) -> bool {
        self.0.rpc_services.iter().any(|known| known == service)
    }
}

/// The path of a target or URL: without scheme and host, query and fragment, and a slash at the end.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path,
    }
}

tailrace_sdk::export!(DropHealth: processor);

#[cfg(test)]
mod tests;
