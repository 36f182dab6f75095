//! All services, a bounded number of them, and the decision on a trace of several.
//!
//! A trace is kept if **any** of its services would keep it: the highest rate decides. So a service with little traffic is
//! seen even if all its traces come by way of a busy one, and the spans that the busy one gets to keep that way are
//! taken from its own rate ([`super::service`]).

use crate::service::{Decided, Service};
use crate::settings::Config;
use crate::threshold::Threshold;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Longer names are told apart by this many bytes.
const NAME_BYTES_MAX: usize = 200;
/// Different services of one trace that are looked at.
const SERVICES_PER_TRACE_MAX: usize = 64;
/// A service that was not seen for so long may make room for another, in nanoseconds.
const FORGOTTEN_AFTER: u64 = 600_000_000_000;
/// The shortest time between two searches for such services.
const SWEEP: u64 = 1_000_000_000;
/// What [`Services::save`] writes; another number is another shape.
const VERSION: u32 = 1;
/// The place of services that have none of their own.
const REST: usize = 0;
/// What they are called together.
const OTHERS: &str = "other services";

/// The services that are told apart.
#[derive(Debug)]
pub struct Services {
    config: Config,
    /// Where each service is in `entries`.
    places: HashMap<Box<str>, usize>,
    /// The first is for all that have no place.
    entries: Vec<Entry>,
    swept: u64,
    /// Of the trace that is being decided: the places of its services, and how many spans each has.
    parts: Vec<(usize, f64)>,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    target: f64,
    service: Service,
}

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is kept.
    pub kept: bool,
    /// The threshold that decided.
    pub threshold: Threshold,
}

/// What goes to the next instance.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    rest: Service,
    services: Vec<(Box<str>, Service)>,
}

impl Services {
    /// None yet.
    pub fn new(config: Config) -> Self {
        let rest = Entry { name: OTHERS.into(), target: config.spans_per_second, service: Service::new(0) };
        Self { config, places: HashMap::new(), entries: vec![rest], swept: 0, parts: Vec::new() }
    }

    /// Decides about a trace with this randomness, of which each of `parts` has sent so many spans. `keep` says that it is
    /// kept anyway. `changed` hears of each service whose rate was set anew.
    pub fn decide<'a>(
        &mut self,
        randomness: u64,
        parts: impl Iterator<Item = (&'a str, f64)>,
        keep: bool,
        now: u64,
        mut changed: impl FnMut(&str, f64),
    ) -> Verdict {
        self.gather(parts, now);
        let mut rate: f64 = 0.0;
        for (place, _) in &self.parts {
            let Some(Entry { name, target, service }) = self.entries.get_mut(*place) else { continue };
            if service.tick(now, *target, self.config.window_seconds) {
                changed(name, service.rate(*target));
            }
            rate = rate.max(service.rate(*target));
        }
        let threshold = if keep { Threshold::NONE } else { Threshold::keeping(rate) };
        let kept = threshold.keeps(randomness);
        let probability = (!keep).then(|| threshold.probability());
        for (place, spans) in &self.parts {
            if let Some(entry) = self.entries.get_mut(*place) {
                entry.service.note(Decided { spans: *spans, probability, kept });
            }
        }
        Verdict { kept, threshold }
    }

    /// Fills `parts`: each service once, with all its spans.
    fn gather<'a>(&mut self, parts: impl Iterator<Item = (&'a str, f64)>, now: u64) {
        self.parts.clear();
        for (name, spans) in parts {
            let place = self.place(name, now);
            if let Some((_, sum)) = self.parts.iter_mut().find(|(known, _)| *known == place) {
                *sum += spans;
            } else if self.parts.len() < SERVICES_PER_TRACE_MAX {
                self.parts.push((place, spans));
            }
        }
    }

    /// The place of a service; a new one if there is room. Those that the configuration names always have one.
    fn place(&mut self, name: &str, now: u64) -> usize {
        let name = name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(name);
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let full = |places: &HashMap<_, _>, config: &Config| {
            places.len() >= config.max_services && !config.services.contains_key(name)
        };
        if full(&self.places, &self.config) && self.parts.is_empty() {
            self.sweep(now);
        }
        if full(&self.places, &self.config) {
            return REST;
        }
        self.insert(name.into(), Service::new(now))
    }

    fn insert(&mut self, name: Box<str>, service: Service) -> usize {
        let (place, target) = (self.entries.len(), self.config.target(&name));
        self.places.insert(name.clone(), place);
        self.entries.push(Entry { name, target, service });
        place
    }

    /// Forgets services that were not seen for long. Places change, so that it may not happen in the middle of a trace.
    fn sweep(&mut self, now: u64) {
        if now.abs_diff(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        let mut place = 0;
        self.entries.retain(|entry| {
            let keeps = place == REST || now.abs_diff(entry.service.seen()) < FORGOTTEN_AFTER;
            place += 1;
            keeps
        });
        let names = self.entries.iter().enumerate().skip(REST + 1);
        self.places = names.map(|(place, entry)| (entry.name.clone(), place)).collect();
    }

    /// The share of the traces of a service that is to be kept; `None` if it has no place of its own.
    pub fn rate(&self, service: &str) -> Option<f64> {
        let entry = self.entries.get(*self.places.get(service)?)?;
        Some(entry.service.rate(entry.target))
    }

    /// How many are told apart.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// For the next instance.
    pub fn save(&self) -> Vec<u8> {
        let mut entries = self.entries.iter();
        let rest = entries.next().map_or_else(|| Service::new(0), |entry| entry.service.clone());
        let services = entries.map(|entry| (entry.name.clone(), entry.service.clone())).collect();
        serde_json::to_vec(&Saved { version: VERSION, rest, services }).unwrap_or_default()
    }

    /// From an older instance, which may have had other targets: what is kept is loads, rates follow from them.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let saved: Saved =
            serde_json::from_slice(state).map_err(|error| format!("the rates cannot be read: {error}"))?;
        if saved.version != VERSION {
            return Err(format!("the rates are of version {}, this plugin reads {VERSION}", saved.version));
        }
        let mut fresh = Self::new(self.config.clone());
        if let Some(rest) = fresh.entries.first_mut() {
            rest.service = saved.rest;
        }
        for (name, service) in saved.services.into_iter().take(self.config.max_services) {
            if !fresh.places.contains_key(&name) {
                fresh.insert(name, service);
            }
        }
        *self = fresh;
        Ok(())
    }
}
