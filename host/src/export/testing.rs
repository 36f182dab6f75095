//! For tests of exporters: batches, a context, and the books that the edge in front of an exporter would keep.

use crate::component::{ComponentId, ConsumeError, Context, Exporter};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::{Line, Telemetry};
use crate::workers::Workers;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

/// A request with `items` spans, each named `name`.
pub(crate) fn batch(name: &str, items: usize) -> Batch {
    let span =
        |i| Span { name: name.to_owned(), trace_id: vec![1; 16], span_id: vec![i as u8 | 1; 8], ..Span::default() };
    let spans = (0..items).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    Batch::validate(Signal::Traces, data.encode_to_vec().into(), &Default::default()).unwrap()
}

/// Names of the spans of a request, in order.
pub(crate) fn span_names(resource_spans: Vec<ResourceSpans>) -> Vec<String> {
    let spans = resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
    spans.map(|span| span.name).collect()
}

/// Names of the spans in `batch`, in order.
pub(crate) fn names(batch: &Batch) -> Vec<String> {
    span_names(TracesData::decode(&**batch.data()).unwrap().resource_spans)
}

/// What an exporter `test/rig` of `signal` is given.
pub(crate) fn context(signal: Signal) -> Context {
    let telemetry = Telemetry::new();
    Context {
        id: "test/rig".parse::<ComponentId>().unwrap(),
        pipeline: None,
        signal: Some(signal),
        account: telemetry.ledger().open("exporter:test/rig", Some(signal)),
        workers: Workers::current(),
        telemetry,
    }
}

/// A started exporter and its books.
pub(crate) struct Rig {
    pub(crate) exporter: Arc<dyn Exporter>,
    pub(crate) context: Context,
}

impl Rig {
    pub(crate) async fn start(context: Context, exporter: Arc<dyn Exporter>) -> Self {
        exporter.start().await.unwrap();
        Self { exporter, context }
    }

    pub(crate) async fn consume(&self, batch: Batch) -> Result<(), ConsumeError> {
        let items = batch.items();
        self.exporter.consume(batch).await.inspect(|()| self.context.account.taken(items))
    }

    pub(crate) async fn shutdown(&self, grace: Duration) {
        self.exporter.shutdown(Deadline::after(grace)).await;
    }

    /// Shuts down once nothing is held any more.
    pub(crate) async fn shutdown_when_empty(&self) {
        while self.line().held > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.shutdown(Duration::from_secs(1)).await;
    }

    pub(crate) fn line(&self) -> Line {
        self.context.account.line()
    }

    /// A metric of this exporter.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.context.telemetry.metrics().total(name, &["exporter=\"test/rig\""]) as u64
    }

    /// Nothing is held, nothing is missing, and metrics and ledger agree.
    #[track_caller]
    pub(crate) fn settled(&self) -> Line {
        let line = self.line();
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
        let items = self.context.signal.unwrap().items_str();
        assert_eq!(line.handed_on, self.metric(&format!("otelcol_exporter_sent_{items}_total")), "{line:?}");
        let rejected = line.dropped.get("rejected").copied().unwrap_or_default();
        assert_eq!(rejected, self.metric(&format!("tailrace_exporter_rejected_{items}_total")), "{line:?}");
        line
    }
}
