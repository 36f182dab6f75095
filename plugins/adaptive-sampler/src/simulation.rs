//! Traffic on a clock of its own, decided as a collector would: in lumps, twice a second.

use super::services::Services;
use super::threshold::randomness;
use std::collections::BTreeMap;

const TICK: u64 = 500_000_000;
const START: u64 = 1_700_000_000_000_000_000;

/// Traces of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// How many per second, on average.
    pub(crate) traces: f64,
    /// The services in them, and how many spans each has on average.
    pub(crate) parts: Vec<(String, u32)>,
    /// The share that has an error.
    pub(crate) errors: f64,
    /// The share that clients have kept, by the same randomness.
    pub(crate) sampled: f64,
}

impl Flow {
    pub(crate) fn new(traces: f64, parts: &[(&str, u32)]) -> Self {
        let parts = parts.iter().map(|(name, spans)| ((*name).to_owned(), *spans)).collect();
        Self { traces, parts, errors: 0.0, sampled: 1.0 }
    }
}

/// A sampler under traffic.
pub(crate) struct Simulation {
    pub(crate) services: Services,
    pub(crate) now: u64,
    random: fastrand::Rng,
    keep_errors: bool,
}

/// Spans of each service in each second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) arrived: BTreeMap<String, Vec<f64>>,
    pub(crate) kept: BTreeMap<String, Vec<f64>>,
    /// The rate at the end of each second.
    pub(crate) rates: BTreeMap<String, Vec<f64>>,
    /// What all kept spans stand for.
    pub(crate) extrapolated: f64,
}

impl Simulation {
    /// With a configuration, and always the same traffic for a seed.
    pub(crate) fn new(config: &str, seed: u64) -> Self {
        let config: super::settings::Config = serde_json::from_str(config).unwrap();
        config.check().unwrap();
        let keep_errors = config.keep_errors;
        Self { services: Services::new(config), now: START, random: fastrand::Rng::with_seed(seed), keep_errors }
    }

    /// Lets traffic flow for so many seconds.
    pub(crate) fn run(&mut self, flows: &[Flow], seconds: usize) -> Report {
        let mut report = Report::default();
        for (name, _) in flows.iter().flat_map(|flow| &flow.parts) {
            report.arrived.entry(name.clone()).or_insert_with(|| vec![0.0; seconds]);
            report.kept.entry(name.clone()).or_insert_with(|| vec![0.0; seconds]);
            report.rates.entry(name.clone()).or_default();
        }
        for second in 0..seconds {
            for _ in 0..1_000_000_000 / TICK {
                self.now += TICK;
                for flow in flows {
                    let count = self.poisson(flow.traces * TICK as f64 / 1e9);
                    (0..count).for_each(|_| self.trace(flow, second, &mut report));
                }
            }
            for (name, rates) in &mut report.rates {
                rates.push(self.services.rate(name).unwrap_or(1.0));
            }
        }
        report
    }

    fn trace(&mut self, flow: &Flow, second: usize, report: &mut Report) {
        let random = &mut self.random;
        let id = randomness(&random.u128(..).to_be_bytes());
        let least = ((1.0 - flow.sampled) * (1_u64 << 56) as f64) as u64;
        let id = least + id % ((1 << 56) - least);
        let error = random.f64() < flow.errors;
        // From 1 to twice the mean, less one.
        let parts: Vec<(&str, f64)> =
            flow.parts.iter().map(|(name, spans)| (name.as_str(), f64::from(random.u32(1..2 * *spans)))).collect();
        let keep = error && self.keep_errors;
        let verdict = self.services.decide(id, parts.iter().copied(), keep, self.now, |_, _| ());
        for (name, spans) in parts {
            report.arrived.get_mut(name).unwrap()[second] += spans;
            if verdict.kept {
                report.kept.get_mut(name).unwrap()[second] += spans;
                report.extrapolated += spans / verdict.threshold.probability();
            }
        }
    }

    /// How many of so many on average come, each for itself.
    fn poisson(&mut self, mean: f64) -> usize {
        if mean > 500.0 {
            // Near enough to a normal distribution.
            let sum: f64 = (0..12).map(|_| self.random.f64()).sum();
            return (mean + (sum - 6.0) * mean.sqrt()).max(0.0) as usize;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.random.f64(), 0);
        while product > limit {
            product *= self.random.f64();
            count += 1;
        }
        count
    }
}

impl Report {
    /// Spans per second of a service that were kept, on average over some seconds.
    pub(crate) fn kept(&self, service: &str, seconds: std::ops::Range<usize>) -> f64 {
        mean(&self.kept[service][seconds])
    }

    /// The same of those that arrived.
    pub(crate) fn arrived(&self, service: &str, seconds: std::ops::Range<usize>) -> f64 {
        mean(&self.arrived[service][seconds])
    }

    /// The most that was kept in ten seconds on end, per second.
    pub(crate) fn highest(&self, service: &str) -> f64 {
        self.kept[service].windows(10).map(mean).fold(0.0, f64::max)
    }

    /// Seconds from the beginning until the rate is within a quarter of where it settles (its mean over the last hundred
    /// seconds), and stays there.
    pub(crate) fn settles(&self, service: &str) -> usize {
        let rates = &self.rates[service];
        let settled = mean(&rates[rates.len().saturating_sub(100)..]);
        rates.iter().rposition(|rate| (rate / settled - 1.0).abs() > 0.25).map_or(0, |last| last + 1)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
