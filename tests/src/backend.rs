//! An OTLP backend that remembers what it took, by span id, and answers as a test tells it to.

use crate::PATIENCE;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::{Request, Response, Status};

/// How the backend answers.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Takes everything.
    Accept,
    /// Takes everything after a while.
    Slow(Duration),
    /// Answers nobody until the mood changes.
    Hold,
    /// Takes nothing, with this status.
    Refuse(Status),
    /// Takes trace requests but says that it rejected this many spans of each.
    Partial(i64),
}

/// A backend on a free port; when this is dropped it ends, and all its connections with it.
pub struct Backend {
    address: SocketAddr,
    inner: Arc<Inner>,
    /// Its own, so that its end is the end of everything it does. Always there until the drop.
    runtime: Option<tokio::runtime::Runtime>,
}

struct Inner {
    mood: watch::Sender<Mood>,
    seen: Mutex<Seen>,
    /// Requests answered or held, whatever the answer.
    calls: watch::Sender<u64>,
}

#[derive(Default)]
struct Seen {
    span_ids: HashMap<Vec<u8>, u32>,
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
    refusals: u64,
}

impl Backend {
    /// Starts one that accepts.
    pub async fn start() -> Self {
        Self::serve(std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    /// Starts one on an address that must be free: to come back where an earlier one was.
    pub async fn start_at(address: SocketAddr) -> Self {
        // Tokio's listener sets SO_REUSEADDR: connections of the earlier backend may still linger.
        let listener = tokio::net::TcpListener::bind(address).await.expect("the port of the earlier backend");
        Self::serve(listener.into_std().expect("a socket"))
    }

    fn serve(listener: std::net::TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a socket");
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let mood = watch::Sender::new(Mood::Accept);
        let inner = Arc::new(Inner { mood, seen: Mutex::default(), calls: watch::Sender::new(0) });
        let max = 64 << 20;
        let traces = TraceServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let metrics = MetricsServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let logs = LogsServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let router = tonic::transport::Server::builder()
            .add_service(traces.accept_compressed(Gzip).accept_compressed(Zstd))
            .add_service(metrics.accept_compressed(Gzip).accept_compressed(Zstd))
            .add_service(logs.accept_compressed(Gzip).accept_compressed(Zstd));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
            let _ = router.serve_with_incoming(incoming).await;
        });
        Self { address, inner, runtime: Some(runtime) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Settings of an `otlp_grpc` exporter that sends here, open for more: `{endpoint: ..., tls: ..., more}`.
    pub fn exporter(&self, more: &str) -> String {
        format!("{{endpoint: '{}', tls: {{insecure: true}}, {more}}}", self.address)
    }

    /// The same for a load none of which may be refused: where the machine has no time for this backend, senders wait.
    pub fn patient_exporter(&self) -> String {
        self.exporter("compression: none, sending_queue: {block_on_overflow: true}")
    }

    /// Answers like this from now on; requests that are held hear it too.
    pub fn set_mood(&self, mood: Mood) {
        self.inner.mood.send_replace(mood);
    }

    /// How often each span id arrived in an accepted request.
    pub fn span_ids(&self) -> HashMap<Vec<u8>, u32> {
        self.inner.seen.lock().unwrap().span_ids.clone()
    }

    /// How many different spans arrived.
    pub fn span_count(&self) -> usize {
        self.inner.seen.lock().unwrap().span_ids.len()
    }

    /// Every span it accepted, in order of arrival.
    pub fn spans(&self) -> Vec<Span> {
        self.trace_requests().iter().flat_map(crate::spans::spans_of).cloned().collect()
    }

    /// Every trace request it accepted.
    pub fn trace_requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.inner.seen.lock().unwrap().traces.clone()
    }

    /// Runs `look` over the trace requests it accepted from number `from` on, and gives their number: cheaper than a copy.
    pub fn look_at_traces(&self, from: usize, look: impl FnMut(&ExportTraceServiceRequest)) -> usize {
        let seen = self.inner.seen.lock().unwrap();
        seen.traces.iter().skip(from).for_each(look);
        seen.traces.len()
    }

    /// Every metrics request it accepted.
    pub fn metric_requests(&self) -> Vec<ExportMetricsServiceRequest> {
        self.inner.seen.lock().unwrap().metrics.clone()
    }

    /// Every logs request it accepted.
    pub fn log_requests(&self) -> Vec<ExportLogsServiceRequest> {
        self.inner.seen.lock().unwrap().logs.clone()
    }

    /// How many requests it refused.
    pub fn refusals(&self) -> u64 {
        self.inner.seen.lock().unwrap().refusals
    }

    /// How many requests came in, answered or not.
    pub fn calls(&self) -> u64 {
        *self.inner.calls.borrow()
    }

    /// Waits until `enough` holds, looking again after each request that arrives or is answered.
    ///
    /// # Panics
    /// After five minutes: the test has failed.
    pub async fn until(&self, what: &str, mut enough: impl FnMut(&Self) -> bool) {
        let mut calls = self.inner.calls.subscribe();
        let wait = async {
            while !enough(self) {
                calls.changed().await.expect("the backend lives");
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let seen = self.inner.seen.lock().unwrap();
            let counts = (seen.traces.len(), seen.metrics.len(), seen.logs.len());
            panic!(
                "waited five minutes for {what}; (traces, metrics, logs) requests: {counts:?}, refused: {}",
                seen.refusals
            );
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    /// The answer to a request, once there is one, and how many of its spans to say were rejected.
    async fn answer(&self) -> Result<i64, Status> {
        self.calls.send_modify(|count| *count += 1);
        let mut moods = self.mood.subscribe();
        loop {
            let mood = moods.borrow_and_update().clone();
            match mood {
                Mood::Accept => return Ok(0),
                Mood::Partial(rejected) => return Ok(rejected),
                Mood::Slow(time) => {
                    tokio::time::sleep(time).await;
                    return Ok(0);
                }
                Mood::Hold => moods.changed().await.expect("the backend lives"),
                Mood::Refuse(status) => {
                    self.seen.lock().unwrap().refusals += 1;
                    self.calls.send_modify(|_| ());
                    return Err(status);
                }
            }
        }
    }

    fn remember(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap());
        self.calls.send_modify(|_| ());
    }
}

#[tonic::async_trait]
impl TraceService for Inner {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let rejected_spans = self.answer().await?;
        self.remember(|seen| {
            let request = request.into_inner();
            for span in crate::spans::spans_of(&request) {
                *seen.span_ids.entry(span.span_id.clone()).or_default() += 1;
            }
            seen.traces.push(request);
        });
        let error_message = "some are not welcome".to_owned();
        let partial_success = ExportTracePartialSuccess { rejected_spans, error_message };
        let partial_success = (rejected_spans > 0).then_some(partial_success);
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl MetricsService for Inner {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.answer().await?;
        self.remember(|seen| seen.metrics.push(request.into_inner()));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Inner {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.answer().await?;
        self.remember(|seen| seen.logs.push(request.into_inner()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
