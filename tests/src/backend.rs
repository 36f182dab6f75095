//! An OTLP backend that remembers what it took, by span id, and answers as a test tells it to.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
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
    /// Takes nothing, with this status.
    Refuse(Status),
}

/// A backend on a free port; it ends when this is dropped.
pub struct Backend {
    address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

struct Inner {
    mood: Mutex<Mood>,
    spans: Mutex<HashMap<Vec<u8>, u32>>,
    traces: Mutex<Vec<ExportTraceServiceRequest>>,
    metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
    logs: Mutex<Vec<ExportLogsServiceRequest>>,
    arrivals: watch::Sender<u64>,
}

impl Backend {
    /// Starts one that accepts.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::serve(listener)
    }

    /// Starts one on an address that must be free: to come back where an earlier one was.
    pub async fn start_at(address: SocketAddr) -> Self {
        Self::serve(tokio::net::TcpListener::bind(address).await.expect("the port of the earlier backend"))
    }

    fn serve(listener: tokio::net::TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound socket has an address");
        let inner = Arc::new(Inner {
            mood: Mutex::new(Mood::Accept),
            spans: Mutex::default(),
            traces: Mutex::default(),
            metrics: Mutex::default(),
            logs: Mutex::default(),
            arrivals: watch::Sender::new(0),
        });
        let max = 64 << 20;
        let traces = TraceServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let metrics = MetricsServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let logs = LogsServiceServer::from_arc(Arc::clone(&inner)).max_decoding_message_size(max);
        let router = tonic::transport::Server::builder()
            .add_service(traces.accept_compressed(Gzip).accept_compressed(Zstd))
            .add_service(metrics.accept_compressed(Gzip).accept_compressed(Zstd))
            .add_service(logs.accept_compressed(Gzip).accept_compressed(Zstd));
        let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = tokio::spawn(async move {
            let _ = router.serve_with_incoming(incoming).await;
        });
        Self { address, inner, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers like this from now on.
    pub fn set_mood(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// How often each span id arrived in an accepted request.
    pub fn span_ids(&self) -> HashMap<Vec<u8>, u32> {
        self.inner.spans.lock().unwrap().clone()
    }

    /// Every span it accepted, in order of arrival.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.inner.traces.lock().unwrap();
        let scopes = requests.iter().flat_map(|request| &request.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|scope| scope.spans.iter().cloned()).collect()
    }

    /// Every trace request it accepted.
    pub fn trace_requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.inner.traces.lock().unwrap().clone()
    }

    /// Every metrics request it accepted.
    pub fn metric_requests(&self) -> Vec<ExportMetricsServiceRequest> {
        self.inner.metrics.lock().unwrap().clone()
    }

    /// Every logs request it accepted.
    pub fn log_requests(&self) -> Vec<ExportLogsServiceRequest> {
        self.inner.logs.lock().unwrap().clone()
    }

    /// Waits until `enough` holds, looking again after each request that arrives.
    ///
    /// # Panics
    /// After 30 s: the test has failed.
    pub async fn until(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        let mut arrivals = self.inner.arrivals.subscribe();
        let wait = async {
            while !enough(self) {
                arrivals.changed().await.expect("the backend lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("waited 30 s for {what}"));
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    async fn answer(&self) -> Result<(), Status> {
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Accept => Ok(()),
            Mood::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Mood::Refuse(status) => Err(status),
        }
    }

    fn arrived(&self) {
        self.arrivals.send_modify(|count| *count += 1);
    }
}

#[tonic::async_trait]
impl TraceService for Inner {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.answer().await?;
        let request = request.into_inner();
        let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|s| &s.spans);
        for span in spans {
            *self.spans.lock().unwrap().entry(span.span_id.clone()).or_default() += 1;
        }
        self.traces.lock().unwrap().push(request);
        self.arrived();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Inner {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.answer().await?;
        self.metrics.lock().unwrap().push(request.into_inner());
        self.arrived();
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
        self.logs.lock().unwrap().push(request.into_inner());
        self.arrived();
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
