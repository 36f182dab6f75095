//! The built-in backend: an OTLP receiver on a free port that remembers which spans arrived.
//!
//! It is the collector's own `otlp` receiver in front of a consumer that keeps the books, on a real socket, with
//! telemetry of its own. It takes everything.

use super::generator::shop::{EMAIL, USERS};
use super::ledger::{Arrival, SpanLedger};
use super::specimens::Specimens;
use crate::component::{BoxFuture, BuildError, ComponentId, ConsumeError, Consumer, Context, Outputs, Receiver};
use crate::pdata::Batch;
use crate::receivers::otlp;
use crate::shutdown::Deadline;
use crate::telemetry::{Counter, Telemetry};
use crate::workers::Workers;
use crate::yaml::{Problems, Section};
use std::net::SocketAddr;
use std::sync::Arc;
use tailrace_otlp::SpanView;

/// What arrived. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// Requests.
    pub requests: Counter,
    /// Spans, repeated and foreign ones included.
    pub spans: Counter,
    /// Spans that still named one of the shop's users by address.
    pub unredacted: Counter,
}

/// A running backend.
pub(super) struct Backend {
    receiver: Arc<dyn Receiver>,
    address: SocketAddr,
    arrivals: Arrivals,
}

impl Backend {
    /// Listens on a free port of this machine, on the runtime that calls.
    ///
    /// # Errors
    /// When there is no such port.
    pub(super) async fn start(ledger: SpanLedger, specimens: Specimens) -> Result<Self, BuildError> {
        let telemetry = Telemetry::new();
        let id = ComponentId::of_kind(otlp::FACTORY.info.kind);
        let context = Context {
            account: telemetry.ledger().open("demo:backend", None),
            id,
            pipeline: None,
            signal: None,
            telemetry: telemetry.clone(),
            workers: Workers::current(),
        };
        let arrivals = Arrivals::default();
        let recorder = Arc::new(Recorder { ledger, specimens, arrivals: arrivals.clone() });
        let outputs = Outputs { traces: Some(recorder), ..Outputs::default() };
        let receiver = build(context.clone(), outputs)?;
        receiver.start().await?;
        let address = telemetry.status().address("otlp/grpc").ok_or_else(|| context.error("does not listen"))?;
        Ok(Self { receiver, address, arrivals })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived so far.
    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Closes its port.
    pub(super) async fn stop(self, deadline: Deadline) -> Arrivals {
        self.receiver.shutdown(deadline).await;
        self.arrivals
    }
}

fn build(context: Context, outputs: Outputs) -> Result<Arc<dyn Receiver>, BuildError> {
    let settings = "protocols: {grpc: {endpoint: '127.0.0.1:0'}}";
    let mut problems = Problems::default();
    let node = crate::yaml::parse("the demo's backend", settings, &mut problems);
    let section = node.as_ref().map(|node| Section { path: "receivers::otlp", node });
    match section.and_then(|section| (otlp::FACTORY.parse)(&section, &mut problems)) {
        Some(settings) => settings.build(context, outputs),
        None => Err(context.error(problems)),
    }
}

/// Enters every span that arrives.
struct Recorder {
    ledger: SpanLedger,
    specimens: Specimens,
    arrivals: Arrivals,
}

impl Consumer for Recorder {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.record(&batch);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Recorder {
    fn record(&self, batch: &Batch) {
        self.arrivals.requests.add(1);
        self.arrivals.spans.add(batch.items() as u64);
        let items = (0..batch.items()).filter_map(|item| batch.index().item(batch.data(), item));
        let mut unredacted = 0;
        let mut generated = Vec::new();
        for span in items.map(SpanView::new) {
            unredacted += u64::from(names_a_user(span));
            // A span without an id is nobody's.
            let id = span.span_id().map_or(0, |id| u64::from_be_bytes(*id));
            generated.push((id, span));
        }
        let mut views = generated.iter();
        self.ledger.arrive(generated.iter().map(|(id, _)| *id), |id, arrival| {
            if let (Some((_, span)), Arrival::First) = (views.next(), arrival) {
                self.specimens.arrived(id, *span);
            }
        });
        self.arrivals.unredacted.add(unredacted);
    }
}

fn names_a_user(span: SpanView<'_>) -> bool {
    let email = span.attributes().get(EMAIL);
    email.and_then(|email| email.as_str()).is_some_and(|email| USERS.iter().any(|(_, known)| *known == email))
}

#[cfg(test)]
mod tests;
