//! What runs in `dev`: the plugin as a collector runs it, with the shop's spans and the inputs of the cases flowing through it
//! all the time. Versions are swapped while it does; what the running version makes of the flow can be watched.

use crate::cli::demo::generator::traffic::Traffic;
use crate::cli::plugin::cases::{self, Line, otlp};
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::plugin::{Candidate, LoadError, Offer, Options, Outcome, Plugin, Role};
use crate::telemetry::Metrics;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tailrace_columns::Decision;
use tailrace_otlp::{SpanView, StatusCode};

/// Time between two rounds of the flow.
const ROUND: Duration = Duration::from_millis(100);
/// Traces in a round: about 300 spans a second.
const TRACES: usize = 6;
/// Rounds between two times that the inputs of the cases are among the flow.
const CASES_EVERY: u32 = 5;

/// What the running version made of a part of the flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Spans, data points and log records.
    pub items: usize,
    /// Items that were dropped.
    pub dropped: usize,
    /// Things of which something is different: each with its lines.
    pub changed: Vec<(String, Vec<Line>)>,
    /// Traces and what was decided about them.
    pub decided: Vec<(String, Decision)>,
    /// The first failure of a call.
    pub failed: Option<String>,
}

/// A running plugin. Ends when it is dropped.
pub(super) struct Stage {
    plugin: Arc<Plugin>,
    flow: Arc<Flow>,
    thread: Option<JoinHandle<()>>,
    seen: Receiver<Seen>,
    generation: u64,
}

struct Flow {
    plugin: Arc<Plugin>,
    role: Role,
    inputs: Mutex<Vec<Batch>>,
    stop: AtomicBool,
    /// Rounds that are still to be watched.
    watched: AtomicU32,
    /// What went wrong last, to be said once.
    trouble: Mutex<Option<String>>,
}

impl Stage {
    /// Starts with a first version. Blocks until it is loaded.
    ///
    /// # Errors
    /// Why it cannot run.
    pub(super) fn start(candidate: &Candidate, options: Options, inputs: Vec<Batch>) -> Result<Self, LoadError> {
        let role = options.role;
        let plugin = Arc::new(Plugin::load(candidate, options, &Metrics::default(), &[])?);
        let flow = Arc::new(Flow {
            plugin: Arc::clone(&plugin),
            role,
            inputs: Mutex::new(inputs),
            stop: AtomicBool::new(false),
            watched: AtomicU32::new(0),
            trouble: Mutex::default(),
        });
        let (tell, seen) = channel();
        let running = Arc::clone(&flow);
        let thread = std::thread::Builder::new().name("plugin-dev-flow".to_owned()).spawn(move || running.run(&tell));
        let thread = thread.map_err(|error| LoadError(format!("no thread for it: {error}")))?;
        let generation = plugin.generation();
        Ok(Self { plugin, flow, thread: Some(thread), seen, generation })
    }

    /// Puts another version in its place while spans flow.
    pub(super) fn offer(&mut self, candidate: &Candidate, inputs: Vec<Batch>) -> Offer {
        *self.flow.inputs.lock().unwrap_or_else(PoisonError::into_inner) = inputs;
        let offer = self.plugin.offer(candidate);
        if let Offer::Swapped(number) = offer {
            self.generation = number;
        }
        offer
    }

    /// The version that runs.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// What the running version makes of the next `rounds` rounds of the flow; of as many as come within `patience`.
    pub(super) fn watch(&self, rounds: u32, patience: Duration) -> Seen {
        while self.seen.try_recv().is_ok() {}
        self.flow.watched.store(rounds, Relaxed);
        let (start, mut all) = (Instant::now(), Seen::default());
        for _ in 0..rounds {
            let Ok(seen) = self.seen.recv_timeout(patience.saturating_sub(start.elapsed())) else { break };
            all.items += seen.items;
            all.dropped += seen.dropped;
            all.changed.extend(seen.changed);
            all.decided.extend(seen.decided);
            all.failed = all.failed.or(seen.failed);
        }
        self.flow.watched.store(0, Relaxed);
        all
    }

    /// What went wrong since it was last asked, outside of what was watched.
    pub(super) fn trouble(&self) -> Option<String> {
        self.flow.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.flow.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Flow {
    /// The thread of the flow: a runtime as a worker has it.
    fn run(&self, tell: &Sender<Seen>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime.map_err(|error| self.note(error.to_string())) else { return };
        runtime.block_on(async {
            let mut traffic = Traffic::new(fastrand::u64(..));
            let mut ticks = tokio::time::interval(ROUND);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut failing = false;
            for round in 0_u32.. {
                ticks.tick().await;
                if self.stop.load(Relaxed) {
                    return;
                }
                let watched = self.watched.load(Relaxed) > 0;
                let mut batches: Vec<Batch> = Vec::new();
                if watched || round.is_multiple_of(CASES_EVERY) {
                    batches.extend(self.inputs.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
                }
                let traces = (0..TRACES).map(|_| traffic.trace().into());
                batches.extend(
                    traces.filter_map(|data| Batch::validate(Signal::Traces, data, &Validation::default()).ok()),
                );
                let seen = self.round(&batches, watched).await;
                if let Some(error) = seen.failed.as_ref().filter(|_| !watched && !failing) {
                    self.note(error.clone());
                }
                failing = seen.failed.is_some();
                if watched {
                    self.watched.fetch_sub(1, Relaxed);
                    // Nobody listens any more: the stage is about to end.
                    let _ = tell.send(seen);
                }
            }
        });
    }

    fn note(&self, error: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Sends batches through the plugin, and looks at what it made of them if they are watched.
    async fn round(&self, batches: &[Batch], watched: bool) -> Seen {
        let mut seen = Seen::default();
        for batch in batches {
            seen.items += batch.items();
            if self.role == Role::Traces {
                match self.plugin.decide_batch(batch).await {
                    Ok(decisions) => {
                        seen.decided.extend(decisions.into_iter().map(|(id, decision)| (title(batch, &id), decision)))
                    }
                    Err(failed) => seen.failed = seen.failed.or(Some(failed.error.to_string())),
                }
                continue;
            }
            let after = match self.plugin.run(batch).await {
                Ok(Outcome::Unchanged) => continue,
                Ok(Outcome::Replaced(new)) => new.data().to_vec(),
                Ok(Outcome::Dropped { .. }) => Vec::new(),
                Err(failed) => {
                    seen.failed = seen.failed.or(Some(failed.error.to_string()));
                    continue;
                }
            };
            if watched {
                look(batch, &after, &mut seen);
            }
        }
        seen
    }
}

/// What is different in one batch.
fn look(before: &Batch, after: &[u8], seen: &mut Seen) {
    let object = |bytes: &[u8]| -> Option<Value> {
        let request = otlp::request(before.signal(), bytes).ok()?;
        Some(otlp::object([(before.signal(), request)]))
    };
    let (Some(old), Some(new)) = (object(before.data()), object(after)) else { return };
    let mut by_thing: Vec<(String, Vec<Line>)> = Vec::new();
    for line in cases::changes(&old, &new) {
        if line.sign == cases::Sign::Dropped {
            seen.dropped += 1;
        }
        match by_thing.last_mut().filter(|(thing, _)| *thing == line.thing) {
            Some((_, lines)) => lines.push(line),
            None => by_thing.push((line.thing.clone(), vec![line])),
        }
    }
    seen.changed.extend(by_thing);
}

/// A trace in a few words: its root, how many spans, how long, whether it failed.
fn title(batch: &Batch, id: &[u8; 16]) -> String {
    let items = (0..batch.items()).filter_map(|item| batch.index().item(batch.data(), item));
    let spans: Vec<_> = items.map(SpanView::new).filter(|span| span.trace_id() == Some(id)).collect();
    let root = spans.iter().find(|span| span.parent_span_id().is_none()).or(spans.first());
    let name = root.map_or("", |span| span.name().to_str());
    let start = spans.iter().map(|span| span.start_time_unix_nano()).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end_time_unix_nano()).max().unwrap_or(0);
    let failed = spans.iter().any(|span| span.status_code() == StatusCode::Error);
    let ms = end.saturating_sub(start) / 1_000_000;
    format!("{name:?}, {} spans, {ms} ms{}", spans.len(), if failed { ", failed" } else { "" })
}

impl Seen {
    /// How many traces got each decision.
    pub(super) fn decisions(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, decision) in &self.decided {
            *counts.entry(cases::word(*decision)).or_default() += 1;
        }
        counts
    }
}
