//! Against a tonic server: an implementation of gRPC and OTLP that is not ours.

use super::config::Config;
use crate::component::ExporterConfig;
use crate::export::testing::{Rig, batch, context, span_names};
use crate::pdata::Signal;
use crate::yaml;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};

type Answer = Result<ExportTraceServiceResponse, Status>;
/// Number of items, and the connection's other end.
type Attempt = (usize, Option<SocketAddr>);

/// Answers by script, then with success; remembers what it took.
#[derive(Clone, Default)]
struct Backend {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    taken: Arc<Mutex<Vec<Vec<String>>>>,
    metadata: Arc<Mutex<Vec<MetadataMap>>>,
    connections: Arc<Mutex<Vec<Attempt>>>,
}

#[tonic::async_trait]
impl TraceService for Backend {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.metadata.lock().unwrap().push(request.metadata().clone());
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Default::default()));
        let peer = request.remote_addr();
        let names = span_names(request.into_inner().resource_spans);
        self.connections.lock().unwrap().push((names.len(), peer));
        if answer.is_ok() {
            self.taken.lock().unwrap().push(names);
        }
        answer.map(Response::new)
    }
}

/// A running server, on a thread of its own so that it ends like a process: when this is dropped, with all connections.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Backend {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    async fn serve(&self) -> Running {
        self.serve_on("127.0.0.1:0".parse().unwrap(), None).await
    }

    async fn serve_on(&self, address: SocketAddr, tls: Option<ServerTlsConfig>) -> Running {
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).unwrap();
        }
        self.serve_with(address, server)
    }

    fn serve_with(&self, address: SocketAddr, mut server: Server) -> Running {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(self.clone())
            .max_decoding_message_size(64 << 20)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Gzip);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::from(TcpListener::from_std(listener).unwrap());
                tokio::select! {
                    served = server.add_service(service).serve_with_incoming(incoming) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    fn taken(&self) -> Vec<Vec<String>> {
        self.taken.lock().unwrap().clone()
    }

    fn attempts(&self) -> usize {
        self.metadata.lock().unwrap().len()
    }

    fn header(&self, attempt: usize, name: &str) -> Option<String> {
        let metadata = self.metadata.lock().unwrap();
        metadata[attempt].get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

/// An exporter to `endpoint`, whose retries are quick; `more` are further lines of its section.
async fn exporter(endpoint: impl std::fmt::Display, more: &str) -> Rig {
    let text = format!(
        "endpoint: {endpoint}\nretry_on_failure: {{initial_interval: 20ms, max_interval: 50ms, max_elapsed_time: 10s}}\n{more}"
    );
    let config: Config = yaml::from_str("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let context = context(Signal::Traces);
    Rig::start(context.clone(), config.build(context).unwrap()).await
}

const INSECURE: &str = "tls: {insecure: true}";

fn status_with_retry_info(delay: Duration) -> Status {
    use tonic::metadata::MetadataValue;
    let mut status = Status::new(Code::ResourceExhausted, "slow down");
    let details = crate::otlp::status::Status::new(crate::otlp::status::Code::RESOURCE_EXHAUSTED, "slow down")
        .retry_after(delay)
        .to_proto();
    status.metadata_mut().insert_bin("grpc-status-details-bin", MetadataValue::from_bytes(&details));
    status
}

/// Each compression arrives as what was sent; headers, user agent and deadline too.
#[tokio::test]
async fn sends_what_it_was_given() {
    for compression in ["gzip", "zstd", "none"] {
        let backend = Backend::default();
        let server = backend.serve().await;
        let more = format!("{INSECURE}\ncompression: {compression}\nheaders: {{x-tenant: blue}}");
        let rig = exporter(server.address, &more).await;
        rig.consume(batch("a", 3)).await.unwrap();
        rig.shutdown_when_empty().await;
        assert_eq!(backend.taken(), [["a"; 3]]);
        assert_eq!(rig.settled().handed_on, 3);
        let encoding = Some(compression.to_owned()).filter(|compression| compression != "none");
        assert_eq!(backend.header(0, "grpc-encoding"), encoding);
        assert_eq!(backend.header(0, "x-tenant").as_deref(), Some("blue"));
        assert_eq!(backend.header(0, "grpc-timeout").as_deref(), Some("5000m"));
        assert!(backend.header(0, "user-agent").unwrap().starts_with("Tailrace/"));
    }
}

/// Half a megabyte and more than a megabyte (which is compressed off the runtime) arrive whole.
#[tokio::test]
async fn large_batches() {
    let backend = Backend::default();
    let server = backend.serve().await;
    let rig = exporter(server.address, INSECURE).await;
    let name = "n".repeat(200);
    for items in [2_500, 12_000] {
        rig.consume(batch(&name, items)).await.unwrap();
    }
    rig.shutdown_when_empty().await;
    let mut sizes: Vec<usize> = backend.taken().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2_500, 12_000]);
    rig.settled();
}

/// What takes long to write keeps nobody waiting who sends a little: it goes on another connection, again and again.
#[tokio::test]
async fn long_messages_have_a_connection() {
    let backend = Backend::answering([Err(Status::unavailable("not yet")), Err(Status::unavailable("not yet"))]);
    let server = backend.serve().await;
    let rig = exporter(server.address, &format!("{INSECURE}\ncompression: none")).await;
    let name = "n".repeat(200);
    for items in [10, 40_000, 20, 40_000, 30] {
        rig.consume(batch(&name, items)).await.unwrap();
    }
    rig.shutdown_when_empty().await;
    assert_eq!(backend.attempts(), 7);
    assert_eq!(rig.settled().handed_on, 80_060);
    let connections = backend.connections.lock().unwrap();
    let of = |long: bool| {
        let peers = connections.iter().filter(|(items, _)| (*items == 40_000) == long).map(|(_, peer)| peer.unwrap());
        peers.collect::<std::collections::HashSet<_>>()
    };
    let (long, usual) = (of(true), of(false));
    assert_eq!((long.len(), usual.len()), (1, 1), "{connections:?}");
    assert!(long.is_disjoint(&usual), "{connections:?}");
}

#[tokio::test]
async fn partial_success_is_counted_and_not_retried() {
    let rejected_spans = 2;
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: "too old".into() };
    let backend = Backend::answering([Ok(ExportTraceServiceResponse { partial_success: Some(partial) })]);
    let server = backend.serve().await;
    let rig = exporter(server.address, INSECURE).await;
    rig.consume(batch("a", 5)).await.unwrap();
    rig.shutdown_when_empty().await;
    let line = rig.settled();
    assert_eq!((line.handed_on, line.dropped["rejected"], backend.attempts()), (3, 2, 1));
}

/// OTLP's table: these codes are tried again, all others are not.
#[tokio::test]
async fn codes_decide_about_retries() {
    for code in (1..=16).map(Code::from_i32) {
        let retried = matches!(
            code,
            Code::Cancelled
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unavailable
                | Code::DataLoss
        );
        let backend = Backend::answering([Err(Status::new(code, "no"))]);
        let server = backend.serve().await;
        let rig = exporter(server.address, INSECURE).await;
        rig.consume(batch("a", 1)).await.unwrap();
        rig.shutdown_when_empty().await;
        let line = rig.settled();
        assert_eq!((backend.attempts() == 2, line.handed_on == 1), (retried, retried), "{code:?}: {line:?}");
        assert_eq!(line.dropped.get("send_failed").copied().unwrap_or_default(), u64::from(!retried), "{code:?}");
    }
}

/// RESOURCE_EXHAUSTED is worth another attempt only with RetryInfo, and then not before its delay.
#[tokio::test]
async fn retry_info_is_obeyed() {
    let backend = Backend::answering([Err(status_with_retry_info(Duration::from_millis(300)))]);
    let server = backend.serve().await;
    let rig = exporter(server.address, INSECURE).await;
    let before = std::time::Instant::now();
    rig.consume(batch("a", 1)).await.unwrap();
    rig.shutdown_when_empty().await;
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert_eq!((rig.settled().handed_on, backend.attempts()), (1, 2));
}

/// The backend is not there yet, comes, goes with a batch in its hands, and comes back: everything arrives.
#[tokio::test]
async fn the_backend_comes_and_goes() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let rig = exporter(address, INSECURE).await;
    let backend = Backend::default();
    rig.consume(batch("a", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(rig.line().held, 1);
    for name in ["b", "c"] {
        let server = backend.serve_on(address, None).await;
        while rig.line().held > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(server);
        rig.consume(batch(name, 1)).await.unwrap();
    }
    let _server = backend.serve_on(address, None).await;
    rig.shutdown_when_empty().await;
    let mut taken = backend.taken().concat();
    taken.dedup();
    assert_eq!(taken, ["a", "b", "c"]);
    assert_eq!(rig.settled().handed_on, 3);
}

/// Without a connection an attempt fails at once; with `wait_for_ready` it waits for one, as long as the timeout allows.
#[tokio::test]
async fn wait_for_ready_waits() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let off = "retry_on_failure: {enabled: false}\nsending_queue: {enabled: false}";
    let start = async |more: &str| {
        let text = format!("endpoint: {address}\n{INSECURE}\n{off}\n{more}");
        let config: Config = yaml::from_str("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
        let context = context(Signal::Traces);
        Rig::start(context.clone(), config.build(context).unwrap()).await
    };
    let hasty = start("").await;
    let error = hasty.consume(batch("a", 1)).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("cannot connect"), "{error}");
    hasty.shutdown(Duration::from_secs(1)).await;
    hasty.settled();

    let patient = start("wait_for_ready: true").await;
    let backend = Backend::default();
    let consumed = patient.consume(batch("b", 1));
    tokio::pin!(consumed);
    assert!(tokio::time::timeout(Duration::from_millis(150), &mut consumed).await.is_err());
    let _server = backend.serve_on(address, None).await;
    consumed.await.unwrap();
    patient.shutdown(Duration::from_secs(1)).await;
    assert_eq!(patient.settled().handed_on, 1);
}

/// An authority, a certificate for `names`, and its key.
struct Pki {
    ca: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self { ca: rcgen::CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn pem(&self) -> String {
        self.ca.pem()
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.ca).unwrap().pem(), key.serialize_pem())
    }

    fn server(&self, name: &str) -> ServerTlsConfig {
        let (cert, key) = self.issue(name);
        ServerTlsConfig::new().identity(Identity::from_pem(cert, key))
    }
}

/// Encryption is on by default, and the server must be who it should be.
#[tokio::test]
async fn tls() {
    let pki = Pki::new();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, other) = (file("ca.pem", &pki.pem()), file("other.pem", &Pki::new().pem()));
    let (cert, key) = pki.issue("me");
    let (cert, key) = (file("me.pem", &cert), file("me.key", &key));
    let mutual = pki.server("localhost").client_ca_root(Certificate::from_pem(pki.pem()));
    let tests = [
        (pki.server("localhost"), format!("{{ca_file: {ca}}}"), true),
        (pki.server("localhost"), format!("{{ca_file: {other}}}"), false),
        (pki.server("tempo"), format!("{{ca_file: {ca}}}"), false),
        (pki.server("tempo"), format!("{{ca_file: {ca}, server_name_override: tempo, min_version: \"1.3\"}}"), true),
        (pki.server("tempo"), "{insecure_skip_verify: true, max_version: \"1.2\"}".to_owned(), true),
        (mutual.clone(), format!("{{ca_file: {ca}}}"), false),
        (mutual, format!("{{ca_file: {ca}, cert_file: {cert}, key_file: {key}}}"), true),
    ];
    for (server, settings, works) in tests {
        let backend = Backend::default();
        let server = backend.serve_on("127.0.0.1:0".parse().unwrap(), Some(server)).await;
        let endpoint = format!("localhost:{}", server.address.port());
        let more = format!("tls: {settings}\nbalancer_name: pick_first");
        let rig = exporter(endpoint, &more).await;
        rig.consume(batch("a", 1)).await.unwrap();
        if works {
            rig.shutdown_when_empty().await;
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            rig.shutdown(Duration::from_secs(2)).await;
        }
        let line = rig.settled();
        assert_eq!(line.handed_on, u64::from(works), "{settings}: {line:?}");
    }
}

/// A plaintext client at a TLS server and the reverse fail as lost connections, which may be retried, and end.
#[tokio::test]
async fn tls_on_one_side_only() {
    let backend = Backend::default();
    let server = backend.serve().await;
    let rig = exporter(format!("localhost:{}", server.address.port()), "tls: {insecure_skip_verify: true}").await;
    rig.consume(batch("a", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.shutdown(Duration::from_secs(2)).await;
    assert_eq!(rig.settled().dropped["shutdown"], 1);
}

/// A server that ends each connection after a while (GOAWAY): no request fails for it.
#[tokio::test]
async fn connections_that_age() {
    let backend = Backend::default();
    let server = Server::builder().max_connection_age(Duration::from_millis(250));
    let server = backend.serve_with("127.0.0.1:0".parse().unwrap(), server);
    let text = format!("endpoint: {}\n{INSECURE}\nretry_on_failure: {{enabled: false}}", server.address);
    let config: Config = yaml::from_str("test", &text).unwrap();
    let context = context(Signal::Traces);
    let rig = Rig::start(context.clone(), config.build(context).unwrap()).await;
    for _ in 0..300 {
        rig.consume(batch("a", 1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    rig.shutdown_when_empty().await;
    assert_eq!(rig.settled().handed_on, 300);
}

/// What a user may write, and what is refused by name.
#[tokio::test]
async fn rules_of_the_section() {
    let faults = |text: &str| yaml::from_str::<Config>("test", text).map(|_| ()).unwrap_err().to_string();
    for (text, fault) in [
        ("{}", "non-empty endpoint"),
        ("endpoint: tempo", "no port"),
        ("endpoint: unix:///run/otlp.sock", "not supported"),
        ("endpoint: a:1\ncompression: snappy", "snappy"),
        ("endpoint: a:1\nauth: {authenticator: x}", "authenticators are not supported yet"),
        ("endpoint: a:1\nwrite_buffer_size: 0", "write_buffer_size"),
        ("endpoint: a:1\nmiddlewares: [{id: x}]", "middlewares"),
        ("endpoint: a:1\nbalancer_name: ring", "ring"),
        ("endpoint: a:1\nsending_queue: {storage: file_storage}", "storage"),
        ("endpoint: a:1\nsending_queue: {num_consumers: 0}", "num_consumers"),
        ("endpoint: a:1\nsending_queue: {batch: {min_size: 9, max_size: 3}}", "max_size"),
        ("endpoint: a:1\nsending_queue: {batch: {partition: {metadata_keys: [a]}}}", "partition"),
        ("endpoint: a:1\nretry_on_failure: {max_elapsed_time: 1s}", "max_elapsed_time"),
        ("endpoint: a:1\nretry_on_failure: {randomization_factor: 2}", "randomization_factor"),
        ("endpoint: a:1\ntls: {cert_file: x}", "key_file"),
        ("endpoint: a:1\ntls: {min_version: \"1.0\"}", "1.2"),
        ("endpoint: a:1\ntls: {cipher_suites: [x]}", "cipher_suites"),
        ("endpoint: a:1\nheaders: {\"bad name\": x}", "bad name"),
        ("endpoint: a:1\nendpiont: b:1", "endpoint"),
    ] {
        let found = faults(text);
        assert!(found.contains(fault), "{text:?} should complain about {fault:?}: {found}");
    }
    for good in [
        "endpoint: a:1\nsending_queue: {batch: }",
        "endpoint: a:1\nkeepalive: {time: 30s}",
        "endpoint: https://a:1\nsending_queue: {sizer: bytes, queue_size: 1000000}\nheaders: [{name: a, value: b}]",
        "endpoint: a:1\nretry_on_failure: {enabled: false, multiplier: -1}",
    ] {
        yaml::from_str::<Config>("test", good).unwrap_or_else(|problems| panic!("{good}: {problems}"));
    }
}
