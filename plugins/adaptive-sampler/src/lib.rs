//! A sampler that holds a number of spans per second for each service, by adjusting the share of its traces that is kept.
//! See `README.md`.
//!
//! It decides by the id of the trace, so that several collectors, and one that sees the rest of a trace later, agree where
//! their rates agree; and it says with which probability it kept a trace, so that counts can be extrapolated. It runs in
//! one instance, since a rate needs to see everything, and the rates go along when the plugin is swapped.

pub mod service;
pub mod services;
pub mod settings;
pub mod threshold;

use services::{Services, Verdict};
use settings::Config;
use std::collections::HashMap;
use tailrace_sdk::metrics::{Counter, Gauge};
use tailrace_sdk::{Decision, Failure, Interest, Level, Plugin, Sampler, Signal, Stateful, Trace, clock};
use threshold::randomness;

/// The service of a resource that does not say which it is, in OpenTelemetry's words.
const UNKNOWN: &str = "unknown_service";
/// Services whose rate is shown as a metric: series are few.
const RATES_SHOWN: usize = 50;

/// The plugin.
#[derive(Debug)]
pub struct AdaptiveSampler {
    config: Config,
    services: Services,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    spans: Counter,
    kept: Counter,
    services: Gauge,
    rates: HashMap<String, Gauge>,
}

impl Plugin for AdaptiveSampler {
    type Config = Config;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let metrics = Metrics {
            spans: Counter::open("adaptive_spans_total"),
            kept: Counter::open("adaptive_kept_spans_total"),
            services: Gauge::open("adaptive_services"),
            rates: HashMap::new(),
        };
        Ok(Self { services: Services::new(config.clone()), config, metrics })
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes([&self.config.service_key]).at([Level::Resource]).of([Signal::Traces]).in_one_instance()
    }
}

impl Sampler for AdaptiveSampler {
    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure> {
        let decisions = self.decide_all(std::slice::from_ref(trace))?;
        Ok(decisions.into_iter().next().unwrap_or(Decision::NotSampled))
    }

    /// One look at the clock, and one count, for all traces of a call.
    fn decide_all(&mut self, traces: &[Trace<'_>]) -> Result<Vec<Decision>, Failure> {
        let now = clock::now();
        let (mut spans, mut kept) = (0, 0);
        let decide = |trace: &Trace<'_>| {
            let verdict = self.decide_at(trace, now);
            spans += u64::from(trace.span_count);
            if !verdict.kept {
                return Decision::NotSampled;
            }
            kept += u64::from(trace.span_count);
            Decision::Sample(Some(verdict.threshold.bits()))
        };
        let decisions = traces.iter().map(decide).collect();
        self.metrics.spans.add(spans);
        self.metrics.kept.add(kept);
        self.metrics.services.set(self.services.len());
        Ok(decisions)
    }
}

impl AdaptiveSampler {
    fn decide_at(&mut self, trace: &Trace<'_>, now: u64) -> Verdict {
        let key = &self.config.service_key;
        let shown: u32 = trace.resources().map(|resource| resource.span_count).sum();
        // Of a very large trace only the first spans are shown; the others are taken to be like them.
        let scale = f64::from(trace.span_count) / f64::from(shown.max(1));
        let parts = trace.resources().map(|resource| {
            let name = resource.find(key).and_then(|found| found.value.as_str());
            (name.unwrap_or(UNKNOWN), f64::from(resource.span_count) * scale)
        });
        let nothing_shown = (shown == 0).then_some((UNKNOWN, f64::from(trace.span_count)));
        let keep = self.config.keep_errors && trace.error_count > 0;
        let rates = &mut self.metrics.rates;
        self.services.decide(randomness(&trace.id), parts.chain(nothing_shown), keep, now, |service, rate| {
            show(rates, service, rate);
        })
    }
}

/// Shows the rate of a service, if it is among the first.
fn show(rates: &mut HashMap<String, Gauge>, service: &str, rate: f64) {
    if !rates.contains_key(service) && rates.len() < RATES_SHOWN {
        let gauge = Gauge::with_labels("adaptive_rate", &[("service", service)]);
        rates.insert(service.to_owned(), gauge);
    }
    if let Some(gauge) = rates.get(service) {
        gauge.set(rate);
    }
}

impl Stateful for AdaptiveSampler {
    fn save(&mut self) -> Vec<u8> {
        self.services.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.services.restore(state)
    }
}

tailrace_sdk::export!(AdaptiveSampler: sampler, state);

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
