//! Against a scripted hyper server.

use super::config::Config;
use crate::component::ExporterConfig;
use crate::export::testing::{Rig, batch, context, span_names};
use crate::pdata::Signal;
use crate::yaml;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Answer = Response<Full<Bytes>>;

/// A request as it came.
#[derive(Clone)]
struct Seen {
    at: Instant,
    peer: SocketAddr,
    path: String,
    version: http::Version,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body, decompressed by other means than ours.
    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        match self.header("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut plain).unwrap(),
            "deflate" => flate2::read::ZlibDecoder::new(&*self.body).read_to_end(&mut plain).unwrap(),
            "zstd" => zstd::Decoder::new(&*self.body).unwrap().read_to_end(&mut plain).unwrap(),
            _ => (&*self.body).read_to_end(&mut plain).unwrap(),
        };
        plain
    }
}

#[derive(Clone, Default)]
struct Backend {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

struct Running {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Backend {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    async fn serve(&self, tls: Option<Arc<rustls::ServerConfig>>) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backend = self.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (tcp, peer) = listener.accept().await.unwrap();
                let (backend, tls) = (backend.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => backend.talk(tcp, peer).await,
                        Some(tls) => match tokio_rustls::TlsAcceptor::from(tls).accept(tcp).await {
                            Ok(stream) => backend.talk(stream, peer).await,
                            Err(_refused) => {}
                        },
                    }
                });
            }
        });
        Running { address, _task: task }
    }

    async fn talk(
        &self,
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
    ) {
        let backend = self.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let backend = backend.clone();
            async move { Ok::<_, Infallible>(backend.answer(request, peer).await) }
        });
        // An error is a client that went away.
        let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let (head, body) = request.into_parts();
        let seen = Seen {
            at: Instant::now(),
            peer,
            path: head.uri.path().to_owned(),
            version: head.version,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        };
        self.seen.lock().unwrap().push(seen);
        self.answers.lock().unwrap().pop_front().unwrap_or_default()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

async fn start(signal: Signal, text: &str) -> Rig {
    let quick = "retry_on_failure: {initial_interval: 20ms, max_interval: 50ms, max_elapsed_time: 10s}";
    let config: Config =
        yaml::from_str("test", &format!("{text}\n{quick}")).unwrap_or_else(|problems| panic!("{problems}"));
    let context = context(signal);
    Rig::start(context.clone(), config.build(context).unwrap()).await
}

async fn plain(server: &Running, more: &str) -> Rig {
    start(Signal::Traces, &format!("endpoint: http://{}\n{more}", server.address)).await
}

/// What takes long to write keeps nobody waiting who sends a little: it goes on another connection, again and again.
#[tokio::test]
async fn long_messages_have_a_connection() {
    let not_yet = || answer(503, &[], "");
    let backend = Backend::answering([not_yet(), not_yet()]);
    let server = backend.serve(None).await;
    for encoding in ["proto", "json"] {
        let rig =
            plain(&server, &format!("compression: none\nencoding: {encoding}\nsending_queue: {{num_consumers: 1}}"))
                .await;
        let name = "n".repeat(200);
        for items in [10, 40_000, 20, 40_000, 30] {
            rig.consume(batch(&name, items)).await.unwrap();
        }
        rig.shutdown_when_empty().await;
        assert_eq!(rig.settled().handed_on, 80_060);
        let seen = std::mem::take(&mut *backend.seen.lock().unwrap());
        let of = |is_long: bool| {
            let peers = seen.iter().filter(|seen| (seen.body.len() > 6 << 20) == is_long).map(|seen| seen.peer);
            peers.collect::<std::collections::HashSet<_>>()
        };
        let (long, usual) = (of(true), of(false));
        assert_eq!((long.len(), usual.len()), (1, 1), "{long:?} {usual:?}");
        assert!(long.is_disjoint(&usual), "{long:?} {usual:?}");
    }
}

/// Every encoding and compression arrives as what was sent.
#[tokio::test]
async fn sends_what_it_was_given() {
    for compression in ["gzip", "zstd", "zlib", "none"] {
        for encoding in ["proto", "json"] {
            let backend = Backend::default();
            let server = backend.serve(None).await;
            let rig =
                plain(&server, &format!("compression: {compression}\nencoding: {encoding}\nheaders: {{x-a: b}}")).await;
            rig.consume(batch("a", 3)).await.unwrap();
            rig.shutdown_when_empty().await;
            let seen = &backend.seen()[0];
            let names = match encoding {
                "json" => {
                    assert_eq!(seen.header("content-type"), "application/json");
                    let json: serde_json::Value = serde_json::from_slice(&seen.plain()).unwrap();
                    let spans = json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
                    spans.iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
                }
                _ => {
                    assert_eq!(seen.header("content-type"), "application/x-protobuf");
                    span_names(ExportTraceServiceRequest::decode(&*seen.plain()).unwrap().resource_spans)
                }
            };
            assert_eq!(names, ["a"; 3]);
            assert_eq!((seen.header("x-a"), &*seen.path), ("b", "/v1/traces"));
            assert_eq!(rig.settled().handed_on, 3);
        }
    }
}

#[tokio::test]
async fn each_signal_has_its_endpoint() {
    let backend = Backend::default();
    let server = backend.serve(None).await;
    let url = format!("http://{}", server.address);
    for (text, signal, path) in [
        (format!("endpoint: {url}/"), Signal::Metrics, "/v1/metrics"),
        (format!("endpoint: {url}/base"), Signal::Logs, "/base/v1/logs"),
        (format!("endpoint: {url}\nlogs_endpoint: {url}/other"), Signal::Logs, "/other"),
        (format!("traces_endpoint: {url}"), Signal::Traces, "/"),
    ] {
        let config: Config = yaml::from_str("test", &text).unwrap();
        let context = context(signal);
        let rig = Rig::start(context.clone(), config.build(context).unwrap()).await;
        let some = batch("a", 1);
        let some = crate::pdata::Batch::from_parts(signal, some.data().clone(), Arc::clone(some.index()));
        rig.consume(some).await.unwrap();
        rig.shutdown_when_empty().await;
        assert_eq!(backend.seen().last().unwrap().path, path);
        rig.settled();
    }
    let config: Config = yaml::from_str("test", &format!("traces_endpoint: {url}")).unwrap();
    assert!(config.build(context(Signal::Logs)).is_err());
}

/// 429, 502, 503 and 504 are tried again, any other refusal is not.
#[tokio::test]
async fn statuses_decide_about_retries() {
    for status in [301, 400, 401, 403, 404, 408, 413, 429, 500, 501, 502, 503, 504, 505] {
        let backend = Backend::answering([answer(status, &[], "<html>no</html>")]);
        let server = backend.serve(None).await;
        let rig = plain(&server, "").await;
        rig.consume(batch("a", 1)).await.unwrap();
        rig.shutdown_when_empty().await;
        let line = rig.settled();
        let retried = matches!(status, 429 | 502 | 503 | 504);
        assert_eq!((backend.seen().len() == 2, line.handed_on == 1), (retried, retried), "{status}: {line:?}");
    }
}

/// `Retry-After` in seconds and as a date.
#[tokio::test]
async fn retry_after_is_obeyed() {
    for (status, value) in [(429, Some("1")), (503, None)] {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
        let value = value.unwrap_or(&date);
        let backend = Backend::answering([answer(status, &[("retry-after", value)], "")]);
        let server = backend.serve(None).await;
        let rig = plain(&server, "").await;
        rig.consume(batch("a", 1)).await.unwrap();
        rig.shutdown_when_empty().await;
        let seen = backend.seen();
        let waited = seen[1].at - seen[0].at;
        // The date has whole seconds, so it may be up to one less.
        assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&waited), "{value}: {waited:?}");
        assert_eq!(rig.settled().handed_on, 1);
    }
}

/// Partial successes are counted; answers that make no sense change nothing about a success, and a huge one is not read.
#[tokio::test]
async fn answers_of_success() {
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".into() };
    let proto = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let proto_type = ("content-type", "application/x-protobuf");
    let json = br#"{"partialSuccess":{"rejectedSpans":"1"}}"#.to_vec();
    for (body, kind, rejected) in [
        (proto, proto_type, 2),
        (json, ("content-type", "application/json; charset=utf-8"), 1),
        (Vec::new(), ("content-type", "text/plain"), 0),
        (b"\xff\xff\xff".to_vec(), proto_type, 0),
        (b"<html>".to_vec(), ("content-type", "application/json"), 0),
        (vec![0; 6 << 20], proto_type, 0),
    ] {
        let backend = Backend::answering([answer(200, &[kind], body)]);
        let server = backend.serve(None).await;
        let rig = plain(&server, "").await;
        rig.consume(batch("a", 5)).await.unwrap();
        rig.shutdown_when_empty().await;
        let line = rig.settled();
        assert_eq!((line.handed_on, backend.seen().len()), (5 - rejected, 1), "{kind:?} {line:?}");
    }
}

/// Garbage instead of HTTP, and a server that hangs up, are lost connections.
#[tokio::test]
async fn garbage_is_retried_and_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        for i in 0.. {
            let (mut tcp, _) = listener.accept().await.unwrap();
            if i % 2 == 0 {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, b"220 smtp.example.com\r\n\r\n").await;
            }
        }
    });
    let rig = start(Signal::Traces, &format!("endpoint: http://{address}")).await;
    rig.consume(batch("a", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.line().held, 1);
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.settled().dropped["shutdown"], 1);
}

/// Over TLS the best protocol that both know is spoken, unless the user does not want HTTP/2.
#[tokio::test]
async fn tls_negotiates_the_protocol() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let ca = serde_json::to_string(&key.cert.pem()).unwrap();
    for (alpn, force, version) in [
        (&["h2", "http/1.1"][..], true, http::Version::HTTP_2),
        (&["http/1.1"], true, http::Version::HTTP_11),
        (&["h2", "http/1.1"], false, http::Version::HTTP_11),
    ] {
        let chain = vec![key.cert.der().clone()];
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(chain, private).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let backend = Backend::default();
        let server = backend.serve(Some(Arc::new(config))).await;
        let endpoint = format!("https://localhost:{}", server.address.port());
        let text = format!("endpoint: {endpoint}\ntls: {{ca_pem: {ca}}}\nforce_attempt_http2: {force}");
        let rig = start(Signal::Traces, &text).await;
        rig.consume(batch("a", 1)).await.unwrap();
        rig.shutdown_when_empty().await;
        assert_eq!(rig.settled().handed_on, 1);
        assert_eq!(backend.seen()[0].version, version);
    }
}

#[tokio::test]
async fn rules_of_the_section() {
    for (text, fault) in [
        ("{}", "at least one endpoint"),
        ("endpoint: tempo:4318", "http://"),
        ("endpoint: ftp://tempo", "http://"),
        ("endpoint: http://me:secret@tempo", "credentials"),
        ("endpoint: http://a\ncompression: snappy", "snappy"),
        ("endpoint: http://a\ncompression_params: {level: 11}", "level"),
        ("endpoint: http://a\nencoding: yaml", "yaml"),
        ("endpoint: http://a\nproxy_url: http://p", "proxy_url"),
        ("endpoint: http://a\ncookies: {enabled: true}", "cookies"),
        ("endpoint: http://a\nauth: {authenticator: x}", "auth"),
        ("endpoint: http://a\nprofiles_endpoint: http://p", "profiles"),
        ("endpoint: http://a\ntimeuot: 3s", "timeout"),
    ] {
        let found = yaml::from_str::<Config>("test", text).map(|_| ()).unwrap_err().to_string();
        assert!(found.contains(fault), "{text:?} should complain about {fault:?}: {found}");
        assert!(!found.contains("secret"), "{found}");
    }
    for good in
        ["endpoint: http://a\ncompression: zstd\ncompression_params: {level: 11}", "logs_endpoint: https://a:4318/x"]
    {
        yaml::from_str::<Config>("test", good).unwrap_or_else(|problems| panic!("{good}: {problems}"));
    }
}
