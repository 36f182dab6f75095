//! A client that keeps the books: the ids of the spans that were acknowledged, and of those that were not.

use crate::spans::{Generator, spans_of};
use bytes::{Buf, BufMut, Bytes};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::Status;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

/// A gRPC client of a collector.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    compression: Option<CompressionEncoding>,
}

impl Client {
    /// Connects; the collector must be listening.
    pub async fn connect(address: SocketAddr) -> Self {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address makes a URI");
        let channel = channel.tcp_nodelay(true).connect().await.expect("the collector listens");
        Self { channel, compression: None }
    }

    /// Compresses what it sends.
    #[must_use]
    pub fn compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.compression = Some(encoding);
        self
    }

    /// Sends once.
    pub async fn send(&self, request: ExportTraceServiceRequest) -> Result<(), Status> {
        self.send_traces(request).await.map(drop)
    }

    /// Sends once and gives the partial success, if the answer has one.
    pub async fn send_traces(
        &self,
        request: ExportTraceServiceRequest,
    ) -> Result<Option<ExportTracePartialSuccess>, Status> {
        let mut client = TraceServiceClient::new(self.channel.clone()).max_encoding_message_size(64 << 20);
        if let Some(encoding) = self.compression {
            client = client.send_compressed(encoding);
        }
        Ok(client.export(request).await?.into_inner().partial_success)
    }

    /// Sends exactly these bytes as a trace request.
    pub async fn send_bytes(&self, message: Bytes) -> Result<(), Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(TRACE_METHOD);
        client.unary(tonic::Request::new(message), path, RawCodec).await.map(drop)
    }

    /// Sends metrics once.
    pub async fn send_metrics(&self, request: ExportMetricsServiceRequest) -> Result<(), Status> {
        MetricsServiceClient::new(self.channel.clone()).export(request).await.map(drop)
    }

    /// Sends logs once.
    pub async fn send_logs(&self, request: ExportLogsServiceRequest) -> Result<(), Status> {
        LogsServiceClient::new(self.channel.clone()).export(request).await.map(drop)
    }
}

const TRACE_METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Bytes as they are.
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What was acknowledged and what was not.
#[derive(Debug, Default)]
pub struct Books {
    /// Ids in acknowledged requests.
    pub accepted: HashSet<Vec<u8>>,
    /// Ids in refused requests; they are not sent again.
    pub refused: HashSet<Vec<u8>>,
    /// What the refused were told, and how many requests each.
    pub reasons: BTreeMap<String, usize>,
    /// Ids in requests whose answer never came: the connection was lost.
    pub unanswered: HashSet<Vec<u8>>,
}

impl Books {
    /// Notes a request and its answer.
    pub fn enter(&mut self, request: &ExportTraceServiceRequest, answer: &Result<(), Status>) {
        let side = match answer {
            Ok(()) => &mut self.accepted,
            // A status that came over the wire has no cause on this side.
            Err(status) if std::error::Error::source(status).is_none() => {
                *self.reasons.entry(format!("{:?}: {}", status.code(), status.message())).or_default() += 1;
                &mut self.refused
            }
            Err(_) => &mut self.unanswered,
        };
        side.extend(spans_of(request).map(|span| span.span_id.clone()));
    }

    fn merge(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        for (reason, requests) in other.reasons {
            *self.reasons.entry(reason).or_default() += requests;
        }
        self.unanswered.extend(other.unanswered);
    }

    /// # Panics
    /// When a request was refused: says why.
    pub fn assert_none_refused(&self) {
        assert!(self.refused.is_empty(), "{} spans were refused: {:?}", self.refused.len(), self.reasons);
    }

    /// Every accepted span arrived exactly once and none that was refused did.
    ///
    /// # Panics
    /// When that is not so.
    pub fn assert_exactly_once(&self, arrived: &HashMap<Vec<u8>, u32>) {
        self.assert_lost_at_most(0, arrived);
    }

    /// As [`Self::assert_exactly_once`], but `lost` of them did not arrive: exactly so many.
    ///
    /// # Panics
    /// When that is not so.
    pub fn assert_lost(&self, lost: usize, arrived: &HashMap<Vec<u8>, u32>) {
        self.assert_lost_at_most(lost, arrived);
        let missing = self.accepted.iter().filter(|id| !arrived.contains_key(*id)).count();
        assert_eq!(missing, lost, "spans that were accepted and did not arrive");
    }

    fn assert_lost_at_most(&self, allowed: usize, arrived: &HashMap<Vec<u8>, u32>) {
        let lost = self.accepted.iter().filter(|id| !arrived.contains_key(*id)).count();
        let doubled = arrived.values().filter(|count| **count > 1).count();
        let known = |id: &Vec<u8>| self.accepted.contains(id) || self.unanswered.contains(id);
        let unasked = arrived.keys().filter(|id| !known(id)).count();
        assert!(
            lost <= allowed && (doubled, unasked) == (0, 0),
            "of {} accepted spans {lost} were lost, {doubled} arrived twice, {unasked} arrived without being accepted",
            self.accepted.len(),
        );
    }
}

/// Load in the background until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<Books>>,
}

impl Load {
    /// `senders` clients that each send `traces` traces every `pause`, one request at a time.
    pub async fn start(address: SocketAddr, senders: usize, traces: usize, pause: Duration, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for sender in 0..senders {
            let client = Client::connect(address).await;
            let mut generator = Generator::new(seed + sender as u64);
            let stop = Arc::clone(&stop);
            tasks.push(tokio::spawn(async move {
                let mut books = Books::default();
                let mut ticks = tokio::time::interval(pause);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    let request = generator.request(traces);
                    let answer = client.send(request.clone()).await;
                    books.enter(&request, &answer);
                    if matches!(&answer, Err(status) if std::error::Error::source(status).is_some()) {
                        break; // The collector is gone.
                    }
                }
                books
            }));
        }
        Self { stop, senders: tasks }
    }

    /// Lets each sender finish its request and gives the books.
    pub async fn stop(self) -> Books {
        self.stop.store(true, Ordering::Relaxed);
        let mut books = Books::default();
        for sender in self.senders {
            books.merge(sender.await.expect("a sender does not panic"));
        }
        books
    }
}
