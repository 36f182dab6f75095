//! A client that keeps the books: the ids of the spans that were acknowledged, and of those that were not.

use crate::spans::{Generator, spans_of};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::Status;
use tonic::transport::Channel;

/// A gRPC client of a collector.
#[derive(Clone)]
pub struct Client(TraceServiceClient<Channel>);

impl Client {
    /// Connects; the collector must be listening.
    pub async fn connect(address: SocketAddr) -> Self {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address makes a URI");
        let channel = channel.tcp_nodelay(true).connect().await.expect("the collector listens");
        Self(TraceServiceClient::new(channel).max_decoding_message_size(64 << 20))
    }

    /// Sends once.
    pub async fn send(&mut self, request: ExportTraceServiceRequest) -> Result<(), Status> {
        self.0.export(request).await.map(drop)
    }
}

/// What was acknowledged and what refused.
#[derive(Debug, Default)]
pub struct Books {
    /// Ids in acknowledged requests.
    pub accepted: HashSet<Vec<u8>>,
    /// Ids in refused requests; they are not sent again.
    pub refused: HashSet<Vec<u8>>,
}

impl Books {
    fn enter(&mut self, request: &ExportTraceServiceRequest, accepted: bool) {
        let side = if accepted { &mut self.accepted } else { &mut self.refused };
        side.extend(spans_of(request).map(|span| span.span_id.clone()));
    }

    fn merge(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
    }

    /// Every accepted span arrived exactly once and none that was refused did.
    pub fn assert_exactly_once(&self, arrived: &HashMap<Vec<u8>, u32>) {
        let lost = self.accepted.iter().filter(|id| !arrived.contains_key(*id)).count();
        let doubled = arrived.values().filter(|count| **count > 1).count();
        let unasked = arrived.keys().filter(|id| !self.accepted.contains(*id)).count();
        assert!(
            (lost, doubled, unasked) == (0, 0, 0),
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
            let mut client = Client::connect(address).await;
            let mut generator = Generator::new(seed + sender as u64);
            let stop = Arc::clone(&stop);
            tasks.push(tokio::spawn(async move {
                let mut books = Books::default();
                let mut ticks = tokio::time::interval(pause);
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    let request = generator.request(traces);
                    let accepted = client.send(request.clone()).await.is_ok();
                    books.enter(&request, accepted);
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
