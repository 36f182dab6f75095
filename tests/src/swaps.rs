//! Swaps under load: a plugin's file is replaced again and again by good and bad versions while spans flow at a steady
//! rate. Every span that was acknowledged arrives once, none that was refused does, and memory stays where it was.

use crate::client::Client;
use crate::guests::CORE_MODULE;
use crate::plugins::{PluginDirectory, stamp};
use crate::process::Process;
use crate::spans::{Generator, spans_of, text};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Spans in a request.
const SPANS: u64 = 100;

/// What became of a span, from outside.
#[derive(Default)]
struct Span {
    accepted: bool,
    refused: bool,
    arrived: u8,
}

/// The books of both ends: few bytes for each span, since there are millions.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    spans: HashMap<u64, Span>,
    /// Batches that were processed by two versions, or by none.
    torn: u64,
    unanswered: u64,
}

impl Books {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().expect("no panic"))
    }
}

fn id(span: &opentelemetry_proto::tonic::trace::v1::Span) -> u64 {
    span.span_id.as_slice().try_into().map_or(0, u64::from_be_bytes)
}

#[tonic::async_trait]
impl TraceService for Books {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let request = request.into_inner();
        self.with(|books| {
            let mut version = None;
            let mut torn = false;
            for span in spans_of(&request) {
                let stamped = text(&span.attributes, "url.path").unwrap_or("/");
                torn |= stamped.starts_with('/') || *version.get_or_insert(stamped) != stamped;
                let known = books.spans.entry(id(span)).or_default();
                known.arrived = known.arrived.saturating_add(1);
            }
            books.torn += u64::from(torn);
        });
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Runs and prints.
///
/// # Panics
/// When a span was lost, doubled, or arrived although it was refused, a batch was torn, or memory grew.
pub async fn run(binary: &Path, swaps: u64, rate: u64, pause: Duration, versions: u64) {
    // Made before anything runs: the backend is this very thread, and an exporter that gets no answer sends again.
    let good: Vec<_> = (0..versions.max(1)).map(|version| stamp(&format!("v{version}"))).collect();
    let mut damaged = good[0].clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 2000].fill(0xff);
    let half = good[0][..middle].to_vec();
    let bad =
        [stamp("trap"), stamp("trap-in-configure"), CORE_MODULE.to_vec(), damaged, half, Vec::new(), stamp("never")];
    let plugins = PluginDirectory::with("stamp", &good[0]);
    let books = Books::default();
    // Room from the start: to grow tens of millions of entries takes longer than an exporter waits for its answer, and what it
    // then sends again would arrive twice.
    let seconds = pause.as_secs_f64() * swaps as f64 + 30.0;
    books.with(|books| books.spans.reserve((seconds * rate as f64) as usize));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let service = TraceServiceServer::new(books.clone()).max_decoding_message_size(64 << 20);
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let yaml = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{wasm/stamp: {{directory: '{}', module: stamp, limits: {{memory_mib: 16}}}}}}
exporters: {{otlp_grpc: {{endpoint: '{address}', tls: {{insecure: true}}, compression: none}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [wasm/stamp], exporters: [otlp_grpc]}}}}
",
        plugins.path().display()
    );
    let mut process = Process::start(binary, &yaml).await;
    let client = Client::connect(process.address("otlp/grpc").await).await;
    let sender = tokio::spawn(send(client, rate, books.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (start, mut memory, mut next_look) = (Instant::now(), Vec::new(), Instant::now());
    let mut ticks = tokio::time::interval(pause);
    for swap in 0..swaps {
        ticks.tick().await;
        let wasm = match swap % 5 {
            4 => &bad[(swap / 5) as usize % bad.len()],
            _ => &good[swap as usize % good.len()],
        };
        plugins.replace("stamp", wasm);
        if Instant::now() >= next_look {
            next_look += Duration::from_secs(1);
            memory.push(process.memory_mib().0);
            assert!(process.lives(), "the process has ended:\n{}", process.log());
        }
    }
    plugins.replace("stamp", &stamp("the end"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    sender.abort();
    let status = process.status().await;
    // Until what is on its way has arrived.
    let end = Instant::now() + Duration::from_secs(30);
    let missing = |books: &mut Inner| books.spans.values().filter(|span| span.accepted && span.arrived == 0).count();
    while books.with(missing) > 0 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stopped = process.stop(Duration::from_secs(30)).await;
    server.abort();
    // A backend that is too slow to answer, here as anywhere, gets a batch once more.
    let retries: Vec<_> = process.log().lines().filter(|line| line.contains("will retry")).map(str::to_owned).collect();
    let plugin = &status["components"]["processor:wasm/stamp@traces"];
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default()
    };
    let quarter = (memory.len() / 4).max(1);
    let first = median(&memory[..quarter.min(memory.len())]);
    let last = median(&memory[memory.len().saturating_sub(quarter)..]);
    books.with(|books| {
        let count = |so: &dyn Fn(&Span) -> bool| books.spans.values().filter(|span| so(span)).count();
        let accepted = count(&|span| span.accepted);
        let (lost, doubled) = (count(&|span| span.accepted && span.arrived == 0), count(&|span| span.arrived > 1));
        let invented = count(&|span| span.refused && span.arrived > 0);
        println!(
            "{swaps} swaps in {:.0?}: {} loaded, {} refused",
            start.elapsed(),
            plugin["generation"],
            plugin["reload_failures"]
        );
        println!(
            "spans: {accepted} accepted, {} refused, {} without an answer",
            count(&|span| span.refused),
            books.unanswered
        );
        println!("the exporter sent again {} times", retries.len());
        retries.iter().take(20).for_each(|line| println!("  {line}"));
        println!("lost {lost}, doubled {doubled}, refused but arrived {invented}, batches torn {}", books.torn);
        println!("memory, median: first quarter {first} MiB, last quarter {last} MiB");
        assert_eq!((lost, doubled, invented, books.torn, books.unanswered), (0, 0, 0, 0, 0));
    });
    assert!(stopped, "it did not end in good order:\n{}", process.log());
    assert!(last <= first + first / 4 + 20, "memory grew from {first} to {last} MiB");
}

async fn send(client: Client, rate: u64, books: Books) {
    let mut generator = Generator::new(77);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(SPANS as f64 / rate.max(1) as f64));
    let places = Arc::new(tokio::sync::Semaphore::new(64));
    loop {
        ticks.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let request = generator.request(SPANS as usize / 10);
        let (client, books) = (client.clone(), books.clone());
        tokio::spawn(async move {
            let ids: Vec<u64> = spans_of(&request).map(id).collect();
            let answer = client.send(request).await;
            books.with(|books| {
                let over_the_wire =
                    answer.as_ref().err().is_none_or(|error| std::error::Error::source(error).is_none());
                books.unanswered += u64::from(!over_the_wire);
                for id in ids {
                    let span = books.spans.entry(id).or_default();
                    span.accepted |= answer.is_ok();
                    span.refused |= answer.is_err() && over_the_wire;
                }
            });
            drop(place);
        });
    }
}
