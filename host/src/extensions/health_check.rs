//! `health_check`: answers probes, and says 200 only while every pipeline takes data.
//!
//! ```yaml
//! extensions:
//!   health_check:
//!     endpoint: localhost:13133   # the default
//!     path: /                     # the default
//!     response_body: {healthy: "yes", unhealthy: "no"}
//! ```
//! Before the pipelines run and while they drain the answer is 503. It listens before the receivers do, so that a
//! probe sees 503 rather than a refused connection. Source: contrib `healthcheckextension` (its v1 behaviour).

use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, Context, Extension, ExtensionConfig, ExtensionFactory, Stability,
    parse,
};
use crate::shutdown::Deadline;
use crate::telemetry::{Health, State};
use crate::web::{self, Reply, Server};
use crate::yaml::{Check, Settings};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The extension.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    info: ComponentInfo { kind: "health_check", deprecated: &[], signals: &[], stability: Stability::Beta },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

/// Settings of `health_check`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen, `host:port`.
    endpoint: String,
    /// The path that answers.
    path: String,
    /// Bodies instead of the JSON ones.
    response_body: Option<ResponseBody>,
}

/// Fixed answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ResponseBody {
    healthy: String,
    unhealthy: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: "localhost:13133".to_owned(), path: "/".to_owned(), response_body: None }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.endpoint.is_empty() {
            check.error("endpoint", "must not be empty");
        }
        if !self.path.starts_with('/') {
            check.error("path", "must start with /");
        }
    }
}

impl ExtensionConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Extension>, BuildError> {
        Ok(Arc::new(HealthCheck { config: self.clone(), context, server: Mutex::default() }))
    }
}

struct HealthCheck {
    config: Config,
    context: Context,
    server: Mutex<Option<Server>>,
}

impl Extension for HealthCheck {}

impl Component for HealthCheck {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        Box::pin(async {
            let health = self.context.telemetry.health().clone();
            let config = self.config.clone();
            let since = Instant::now();
            let answer = move |request: &http::Request<_>| match request.uri().path() == config.path {
                true => answer(&health, config.response_body.as_ref(), since),
                false => web::not_found(),
            };
            let endpoint = &self.config.endpoint;
            let server = Server::start(endpoint, answer).await;
            let server = server.map_err(|e| self.context.error(format!("cannot listen on {endpoint}: {e}")))?;
            self.context.telemetry.status().listening(&self.context.id.to_string(), server.address());
            *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
            Ok(())
        })
    }

    fn shutdown(&self, _: Deadline) -> BoxFuture<'_, ()> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(std::future::ready(()))
    }
}

fn answer(health: &Health, bodies: Option<&ResponseBody>, since: Instant) -> Reply {
    let ready = health.state() == State::Ready;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match bodies {
        Some(bodies) => {
            let body = if ready { &bodies.healthy } else { &bodies.unhealthy };
            web::reply(status, "text/plain; charset=utf-8", body.clone())
        }
        None => {
            let word = if ready { "Server available" } else { "Server not available" };
            let uptime = format!("{:.3}s", since.elapsed().as_secs_f64());
            web::json(status, &json!({"status": word, "uptime": uptime}))
        }
    }
}
