//! Queue, retry and timeout around scripted senders, on a paused clock. After every story the ledger must add up.

use super::*;
use crate::component::{ComponentId, ConsumeError, Context, Exporter};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::{Line, Telemetry};
use crate::workers::Workers;
use crate::yaml::GoDuration;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

mod model;
mod stories;

/// A request with `items` spans, each named `name`.
fn batch(name: &str, items: usize) -> Batch {
    let span =
        |i| Span { name: name.to_owned(), trace_id: vec![1; 16], span_id: vec![i as u8 + 1; 8], ..Span::default() };
    let spans = (0..items).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    Batch::validate(Signal::Traces, data.encode_to_vec().into(), &Default::default()).unwrap()
}

/// Names of the spans in `batch`, in order.
fn names(batch: &Batch) -> Vec<String> {
    let data = TracesData::decode(&**batch.data()).unwrap();
    let spans = data.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
    spans.map(|span| span.name).collect()
}

/// What a backend does with one attempt.
#[derive(Clone, Debug)]
enum Act {
    Take,
    Reject(u64),
    Fail(ConsumeError),
    /// Take it after this time.
    Slow(Duration),
    Hang,
    Panic,
}

fn unavailable() -> Act {
    Act::Fail(ConsumeError::retryable("unavailable"))
}

type Script = Box<dyn FnMut(&Batch) -> Act + Send>;

/// A backend that follows a script and keeps a diary.
struct Backend {
    script: Mutex<Script>,
    diary: Arc<Mutex<Diary>>,
}

#[derive(Default)]
struct Diary {
    /// When attempts began, since the start.
    attempts: Vec<(Duration, Batch)>,
    taken: Vec<Batch>,
}

impl Sender for Backend {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        let act = (self.script.lock().unwrap())(&batch);
        self.diary.lock().unwrap().attempts.push((since_start(), batch.clone()));
        match act {
            Act::Take => {}
            Act::Reject(rejected) => {
                self.diary.lock().unwrap().taken.push(batch);
                return Ok(Sent { rejected, message: "too old".into() });
            }
            Act::Fail(error) => return Err(error),
            Act::Slow(time) => tokio::time::sleep(time).await,
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("the script says so"),
        }
        self.diary.lock().unwrap().taken.push(batch);
        Ok(Sent::all())
    }
}

tokio::task_local! {
    static START: Instant;
}
thread_local! {
    static BEGAN: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

fn since_start() -> Duration {
    BEGAN.get().map(|began| began.elapsed()).unwrap_or_default()
}

/// An exporter around a scripted backend, with the books that the edge in front of it would keep.
struct Rig {
    exporter: Arc<dyn Exporter>,
    diary: Arc<Mutex<Diary>>,
    telemetry: Telemetry,
    context: Context,
}

impl Rig {
    async fn start(settings: &SendSettings, script: impl FnMut(&Batch) -> Act + Send + 'static) -> Self {
        BEGAN.set(Some(Instant::now()));
        let telemetry = Telemetry::new();
        let context = Context {
            id: "test/rig".parse::<ComponentId>().unwrap(),
            pipeline: None,
            signal: Some(Signal::Traces),
            account: telemetry.ledger().open("exporter:test/rig", Some(Signal::Traces)),
            workers: Workers::current(),
            telemetry: telemetry.clone(),
        };
        let diary = Arc::new(Mutex::default());
        let backend = Backend { script: Mutex::new(Box::new(script)), diary: Arc::clone(&diary) };
        let exporter = exporter(context.clone(), settings, backend);
        exporter.start().await.unwrap();
        Self { exporter, diary, telemetry, context }
    }

    async fn consume(&self, batch: Batch) -> Result<(), ConsumeError> {
        let items = batch.items();
        self.exporter.consume(batch).await.inspect(|()| self.context.account.taken(items))
    }

    async fn shutdown(&self, grace: Duration) {
        self.exporter.shutdown(Deadline::after(grace)).await;
    }

    fn line(&self) -> Line {
        self.context.account.line()
    }

    /// A metric of this exporter.
    fn metric(&self, name: &str) -> u64 {
        self.telemetry.metrics().total(name, &["exporter=\"test/rig\""]) as u64
    }

    fn taken(&self) -> Vec<Vec<String>> {
        self.diary.lock().unwrap().taken.iter().map(names).collect()
    }

    fn attempts(&self) -> Vec<Duration> {
        self.diary.lock().unwrap().attempts.iter().map(|(at, _)| *at).collect()
    }

    /// Nothing is held, nothing is missing, and metrics and ledger agree.
    #[track_caller]
    fn settled(&self) -> Line {
        let line = self.line();
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
        assert_eq!(line.handed_on, self.metric("otelcol_exporter_sent_spans_total"), "{line:?}");
        let rejected = line.dropped.get("rejected").copied().unwrap_or_default();
        assert_eq!(rejected, self.metric("tailrace_exporter_rejected_spans_total"), "{line:?}");
        line
    }
}

fn queued(change: impl FnOnce(&mut QueueSettings)) -> SendSettings {
    let mut queue = QueueSettings { num_consumers: 1, ..QueueSettings::default() };
    change(&mut queue);
    SendSettings { queue: Some(queue), retry: Some(steady()), timeout: Duration::from_secs(5) }
}

/// Retries every second without jitter, for a minute.
fn steady() -> RetrySettings {
    RetrySettings {
        initial_interval: GoDuration(Duration::from_secs(1)),
        randomization_factor: 0.0,
        multiplier: 1.0,
        max_interval: GoDuration(Duration::from_secs(1)),
        max_elapsed_time: GoDuration(Duration::from_secs(60)),
        ..RetrySettings::default()
    }
}

/// Lets everything run until only time can move things on.
async fn quiet() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}
