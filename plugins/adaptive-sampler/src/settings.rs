//! What the operator writes.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Most services that may be told apart.
const SERVICES_MAX: usize = 100_000;

/// The configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Spans per second of each service that are to be kept.
    pub spans_per_second: f64,
    /// The same for single services, by name.
    #[serde(default)]
    pub services: BTreeMap<String, f64>,
    /// The attribute of resources that says which service it is.
    #[serde(default = "service_key")]
    pub service_key: String,
    /// Whether traces with an error are kept whatever the rate. They count towards the target.
    #[serde(default)]
    pub keep_errors: bool,
    /// How long a service is watched before its rate is set anew.
    #[serde(default = "window_seconds")]
    pub window_seconds: f64,
    /// Services that are told apart, besides those in `services`; the rest share one rate.
    #[serde(default = "max_services")]
    pub max_services: usize,
}

fn service_key() -> String {
    "service.name".to_owned()
}

fn window_seconds() -> f64 {
    5.0
}

fn max_services() -> usize {
    1000
}

impl Config {
    /// Finds what the types cannot say.
    ///
    /// # Errors
    /// The fault, with the path to it.
    pub fn check(&self) -> Result<(), String> {
        if self.services.len() > SERVICES_MAX {
            return Err(format!("services: names more than {SERVICES_MAX}"));
        }
        target("spans_per_second", self.spans_per_second)?;
        for (name, spans) in &self.services {
            target(&format!("services.{name}"), *spans)?;
        }
        if self.service_key.is_empty() || self.service_key.ends_with('*') {
            return Err("service_key: must be the whole key of an attribute".to_owned());
        }
        if !(1.0..=300.0).contains(&self.window_seconds) {
            return Err("window_seconds: must be between 1 and 300".to_owned());
        }
        if !(1..=SERVICES_MAX).contains(&self.max_services) {
            return Err(format!("max_services: must be between 1 and {SERVICES_MAX}"));
        }
        Ok(())
    }

    /// What is to be kept of a service.
    pub fn target(&self, service: &str) -> f64 {
        self.services.get(service).copied().unwrap_or(self.spans_per_second)
    }
}

fn target(path: &str, spans: f64) -> Result<(), String> {
    if spans.is_finite() && spans > 0.0 {
        return Ok(());
    }
    Err(format!("{path}: must be a number of spans per second above 0"))
}
