//! For tests of components by themselves: a context, a next stage that answers as told, and the ledger of what stands between.

use super::{BoxFuture, ComponentId, ConsumeError, Consumer, Context};
use crate::pdata::{Batch, Limits, Signal};
use crate::telemetry::{Account, Line, Telemetry};
use crate::workers::Workers;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData, status::StatusCode};
use prost::Message;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A context for a component of `kind` in a traces pipeline, on the runtime that calls.
pub(crate) fn context(kind: &str) -> Context {
    let telemetry = Telemetry::new();
    Context {
        id: ComponentId::of_kind(kind),
        pipeline: Some(ComponentId::of_kind("traces")),
        signal: Some(Signal::Traces),
        account: telemetry.ledger().open(&format!("processor:{kind}@traces"), Some(Signal::Traces)),
        telemetry,
        workers: Workers::current(),
    }
}

/// What the next stage says to a batch.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Takes it.
    Take,
    /// Takes it after a while.
    TakeAfter(Duration),
    /// Refuses it.
    Refuse(ConsumeError),
}

/// A next stage: answers from a script, then takes everything; remembers what it took.
pub(crate) struct Next {
    account: Account,
    script: Mutex<VecDeque<Answer>>,
    taken: Mutex<Vec<Batch>>,
    open: watch::Sender<bool>,
}

impl Next {
    pub(crate) fn new(context: &Context) -> Arc<Self> {
        Arc::new(Self {
            account: context.account.clone(),
            script: Mutex::default(),
            taken: Mutex::default(),
            open: watch::Sender::new(true),
        })
    }

    /// Answers so to the next batches.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    /// While it is shut, batches wait.
    pub(crate) fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Sizes of the batches that it took.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.taken.lock().unwrap().iter().map(Batch::items).collect()
    }

    /// Resources and scopes of the batches that it took.
    pub(crate) fn contexts(&self) -> Vec<(usize, usize)> {
        let of = |batch: &Batch| (batch.index().resources.len(), batch.index().scopes.len());
        self.taken.lock().unwrap().iter().map(of).collect()
    }

    /// What it took, decoded.
    pub(crate) fn requests(&self) -> Vec<TracesData> {
        let decode = |batch: &Batch| TracesData::decode(batch.data().clone()).unwrap();
        self.taken.lock().unwrap().iter().map(decode).collect()
    }

    /// The spans that it took, each with the names of its resource and scope, in order of their names.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        let mut seen: Vec<Seen> = self.taken.lock().unwrap().iter().flat_map(seen).collect();
        seen.sort();
        seen
    }
}

impl Consumer for Next {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let mut open = self.open.subscribe();
            open.wait_for(|open| *open).await.unwrap();
            let answer = self.script.lock().unwrap().pop_front();
            match answer {
                None | Some(Answer::Take) => {}
                Some(Answer::TakeAfter(delay)) => tokio::time::sleep(delay).await,
                Some(Answer::Refuse(error)) => return Err(error),
            }
            self.account.handed_on(batch.items());
            self.taken.lock().unwrap().push(batch);
            Ok(())
        })
    }
}

/// Puts a batch in and keeps the books, as the edge in front of a component does.
pub(crate) async fn put(stage: &dyn Consumer, context: &Context, batch: Batch) -> Result<(), ConsumeError> {
    let items = batch.items();
    stage.consume(batch).await?;
    context.account.taken(items);
    Ok(())
}

/// The component's line in the ledger, which must add up.
pub(crate) fn line(context: &Context) -> Line {
    let line = context.account.line();
    assert_eq!(line.gap(), 0, "{line:?}");
    line
}

/// Lets every task do what it can without time passing.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A span as it went out: name, trace, resource and scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) trace: Vec<u8>,
    pub(crate) resource: String,
    pub(crate) scope: String,
}

/// A span for a batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestSpan {
    pub(crate) trace: Vec<u8>,
    pub(crate) name: String,
    pub(crate) root: bool,
    pub(crate) error: bool,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    pub(crate) resource: u8,
    pub(crate) scope: u8,
    /// Bytes of ballast.
    pub(crate) ballast: usize,
    /// The attribute `n`, if it is not 0.
    pub(crate) number: i64,
    /// The attribute `b`, if it is true.
    pub(crate) flag: bool,
    /// The W3C flag.
    pub(crate) sampled: bool,
    /// Whether there is an event `exception`.
    pub(crate) exception: bool,
    /// The value of `vendor` in the trace state; "" is ballast instead.
    pub(crate) vendor: &'static str,
}

/// A batch of spans in this order; neighbours with the same resource and scope share them.
pub(crate) fn batch(spans: &[TestSpan]) -> Batch {
    let mut resources: Vec<(u8, ResourceSpans)> = Vec::new();
    for span in spans {
        if resources.last().is_none_or(|(number, _)| *number != span.resource) {
            let value = Some(AnyValue { value: Some(Value::StringValue(format!("service-{}", span.resource))) });
            let attributes = vec![KeyValue { key: "service.name".into(), value, ..KeyValue::default() }];
            let resource = Some(Resource { attributes, ..Resource::default() });
            let schema_url = format!("schema-{}", span.resource % 2);
            resources.push((span.resource, ResourceSpans { resource, schema_url, ..ResourceSpans::default() }));
        }
        let scopes = &mut resources.last_mut().unwrap().1.scope_spans;
        let name = format!("scope-{}", span.scope);
        if scopes.last().is_none_or(|scope| scope.scope.as_ref().unwrap().name != name) {
            let scope = Some(InstrumentationScope { name, ..InstrumentationScope::default() });
            scopes.push(ScopeSpans { scope, ..ScopeSpans::default() });
        }
        let attribute = |key: &str, value| {
            let value = Some(AnyValue { value: Some(value) });
            KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
        };
        let number = (span.number != 0).then(|| attribute("n", Value::IntValue(span.number)));
        let flag = span.flag.then(|| attribute("b", Value::BoolValue(true)));
        let exception = span.exception.then(|| Event { name: "exception".to_owned(), ..Event::default() });
        let code = if span.error { StatusCode::Error } else { StatusCode::Unset };
        scopes.last_mut().unwrap().spans.push(Span {
            trace_id: span.trace.clone(),
            span_id: vec![7; 8],
            parent_span_id: if span.root { Vec::new() } else { vec![1; 8] },
            name: span.name.clone(),
            start_time_unix_nano: span.start_ms * 1_000_000,
            end_time_unix_nano: span.end_ms * 1_000_000,
            trace_state: match span.vendor {
                "" => "x".repeat(span.ballast),
                vendor => format!("vendor={vendor}"),
            },
            attributes: number.into_iter().chain(flag).collect(),
            events: exception.into_iter().collect(),
            flags: span.sampled.into(),
            status: Some(opentelemetry_proto::tonic::trace::v1::Status { code: code as i32, ..Default::default() }),
            ..Span::default()
        });
    }
    let data = TracesData { resource_spans: resources.into_iter().map(|(_, resource)| resource).collect() };
    Batch::validate(Signal::Traces, data.encode_to_vec().into(), &Limits::default()).unwrap()
}

fn seen(batch: &Batch) -> Vec<Seen> {
    // What goes out is valid, and its index is the one that validation gives.
    let again = Batch::validate(batch.signal(), batch.data().clone(), &Limits::default()).unwrap();
    assert_eq!(again.index(), batch.index());
    let data = TracesData::decode(batch.data().clone()).unwrap();
    let mut out = Vec::new();
    for resource in data.resource_spans {
        let name = match resource.resource.unwrap().attributes[0].value.as_ref().unwrap().value.as_ref().unwrap() {
            Value::StringValue(name) => format!("{name} {}", resource.schema_url),
            other => format!("{other:?}"),
        };
        for scope in resource.scope_spans {
            let of = |span: Span| Seen {
                name: span.name,
                trace: span.trace_id,
                resource: name.clone(),
                scope: scope.scope.as_ref().unwrap().name.clone(),
            };
            out.extend(scope.spans.into_iter().map(of));
        }
    }
    out
}
