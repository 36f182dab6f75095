//! The built-in generator: the services of a small shop, each with a gRPC connection of its own.
//!
//! Traces end at an even rate; their spans leave in one request per service every [`TICK`], as from the SDKs of real
//! services, so that the collector sees the pieces of a trace on several connections. A refusal is obeyed: the same
//! request goes out again after the delay that the collector asked for, else after a growing one, and meanwhile that
//! service makes the others wait ([`QUEUE_REQUESTS`] requests each). Spans are numbered in the ledger before they are
//! sent, and entered as accepted when the collector has said `OK`.

mod call;
mod client;
mod encode;
pub(super) mod model;
mod send;
pub(super) mod shop;
pub(in crate::cli) mod traffic;

use super::ledger::SpanLedger;
use super::span_ids::SpanIds;
use super::specimens::Specimens;
use crate::telemetry::Counter;
use model::{End, Service, Span};
use send::{Request, Sender};
use shop::{EMAIL, Shop};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// Time between two requests of a service.
const TICK: Duration = Duration::from_millis(200);
/// Requests of a service that wait for an answer; more make the generator wait.
const QUEUE_REQUESTS: usize = 4;
/// Traces of at least this length and failed ones are kept for certain: good for showing what became of a span.
const SURELY_KEPT_NS: u64 = 1_000_000_000;

/// What a generator needs to know.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The collector's gRPC listener.
    pub target: SocketAddr,
    /// Spans per second.
    pub rate: u32,
    /// The same seed makes the same traces.
    pub seed: u64,
    /// How span numbers become ids.
    pub ids: SpanIds,
}

/// What the generator has seen so far. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Spans that the collector said `OK` to.
    pub accepted: Counter,
    /// Requests that were refused and sent again.
    pub retries: Counter,
    /// Spans that were refused for good.
    pub refused: Counter,
    /// Spans whose last answer was "not now" when the time was over.
    pub given_up: Counter,
    /// The last refusal.
    reason: Arc<Mutex<Option<String>>>,
}

impl Tally {
    /// The last refusal.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, reason: String) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

/// A running generator.
pub(super) struct Generator {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    tally: Tally,
}

impl Generator {
    /// Starts sending.
    pub(super) fn start(settings: Settings, ledger: SpanLedger, specimens: Specimens) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tally = Tally::default();
        let task = tokio::spawn(run(settings, ledger, specimens, tally.clone(), stopped));
        Self { stop, task, tally }
    }

    /// What it has seen so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Makes no more traces, and waits until the requests under way are answered or given up.
    pub(super) async fn stop(self) -> Tally {
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            self.tally.note(format!("the generator broke: {error}"));
        }
        self.tally
    }
}

async fn run(
    settings: Settings,
    ledger: SpanLedger,
    specimens: Specimens,
    tally: Tally,
    mut stopped: watch::Receiver<bool>,
) {
    let mut queues = BTreeMap::new();
    // Owns the senders: they end with this task.
    let mut senders = tokio::task::JoinSet::new();
    for service in Service::ALL {
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        let sender = Sender::new(settings.target, ledger.clone(), tally.clone(), stopped.clone());
        senders.spawn(sender.run(requests));
        queues.insert(service, queue);
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shop = Shop::new(settings.seed);
    let mut budget = Budget::new(settings.rate);
    'ticks: loop {
        tokio::select! {
            _ = stopped.changed() => break,
            _ = ticks.tick() => {}
        }
        for (service, spans) in make(&mut shop, &mut budget, &ledger, &specimens, settings.ids) {
            let Some(queue) = queues.get(&service) else { continue };
            let request = Request {
                bytes: encode::request(service, &spans, settings.ids),
                numbers: spans.iter().map(|span| span.number).collect(),
            };
            // A service whose queue is full holds up the others: the shop never runs ahead of the collector.
            tokio::select! {
                sent = queue.send(request) => if sent.is_err() { break 'ticks },
                _ = stopped.changed() => break 'ticks,
            }
        }
    }
    drop(queues);
    senders.join_all().await;
}

/// The traces that are due, their spans sorted by service.
fn make(
    shop: &mut Shop,
    budget: &mut Budget,
    ledger: &SpanLedger,
    specimens: &Specimens,
    ids: SpanIds,
) -> BTreeMap<Service, Vec<Span>> {
    let mut by_service: BTreeMap<Service, Vec<Span>> = BTreeMap::new();
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    budget.refill();
    while budget.is_left() {
        let trace = shop.trace(now_ns);
        budget.spend(trace.len());
        if let Some(span) = specimen(&trace) {
            specimens.offer(ids.id(span.number), span);
        }
        for span in trace {
            by_service.entry(span.service).or_default().push(span);
        }
    }
    ledger.issue(shop.spans());
    by_service
}

/// A span of the trace that names a user, if the trace is kept for certain.
fn specimen(trace: &[Span]) -> Option<&Span> {
    let root = trace.first()?;
    let kept = root.end != End::Fine || root.end_ns - root.start_ns > SURELY_KEPT_NS;
    let names_a_user = |span: &&Span| span.attributes.iter().any(|(key, _)| *key == EMAIL);
    if kept { trace.iter().find(names_a_user) } else { None }
}

/// Spans that may be made now: as many as the time since the last refill allows, at most those of a second.
struct Budget {
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Budget {
    fn new(rate: u32) -> Self {
        Self { per_second: f64::from(rate), left: 0.0, since: Instant::now() }
    }

    fn refill(&mut self) {
        let now = Instant::now();
        self.left += self.per_second * (now - self.since).as_secs_f64();
        self.left = self.left.min(self.per_second);
        self.since = now;
    }

    fn is_left(&self) -> bool {
        self.left > 0.0
    }

    fn spend(&mut self, spans: usize) {
        self.left -= spans as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate is met over time although traces have several spans, and a pause is not made up for.
    #[tokio::test(start_paused = true)]
    async fn the_budget_keeps_the_rate() {
        let mut budget = Budget::new(1_000);
        let mut spent = 0;
        for _ in 0..50 {
            tokio::time::advance(TICK).await;
            budget.refill();
            while budget.is_left() {
                budget.spend(7);
                spent += 7;
            }
        }
        assert!((9_990..=10_010).contains(&spent), "{spent}");
        tokio::time::advance(Duration::from_secs(60)).await;
        budget.refill();
        assert!(budget.left <= 1_000.0);
    }
}
