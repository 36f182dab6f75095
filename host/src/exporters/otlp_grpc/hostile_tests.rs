//! Against backends that speak HTTP/2 but no proper gRPC: each answer ends the attempt, in bounded memory.

use super::config::Config;
use crate::component::ExporterConfig;
use crate::export::testing::{Rig, batch, context};
use crate::pdata::Signal;
use crate::yaml;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An answer: HTTP status, headers, body, trailers.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>, Vec<(&'static str, String)>);

fn map(pairs: &[(&'static str, String)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

/// Gives every request the same answer. What becomes of a batch that meets it: (attempts, sent, send_failed), all within
/// one attempt's time and perhaps a retry.
async fn meet(answer: Answer) -> (usize, u64, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let mut server = JoinSet::new();
    let seen = Arc::clone(&requests);
    server.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                async move {
                    seen.fetch_add(1, Relaxed);
                    let _ = request.into_body().collect().await;
                    let (status, headers, body, trailers) = &*answer;
                    let trailers = map(trailers);
                    let body = Full::new(Bytes::from(body.clone()))
                        .with_trailers(async move { (!trailers.is_empty()).then_some(Ok::<_, Infallible>(trailers)) });
                    let mut response = Response::new(body);
                    *response.status_mut() = http::StatusCode::from_u16(*status).unwrap();
                    *response.headers_mut() = map(headers);
                    Ok::<_, Infallible>(response)
                }
            });
            connections.spawn(async move {
                let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service);
                // An error is a client that had enough.
                let _ = serving.await;
            });
        }
    });
    let text = format!(
        "endpoint: {address}\ntls: {{insecure: true}}\n\
         retry_on_failure: {{initial_interval: 50ms, max_interval: 50ms, max_elapsed_time: 130ms, randomization_factor: 0}}"
    );
    let config: Config = yaml::from_str("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let context = context(Signal::Traces);
    let rig = Rig::start(context.clone(), config.build(context).unwrap()).await;
    rig.consume(batch("a", 1)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), rig.shutdown_when_empty()).await.unwrap();
    let line = rig.settled();
    (requests.load(Relaxed), line.handed_on, line.dropped.get("send_failed").copied().unwrap_or_default())
}

#[tokio::test]
async fn answers_that_are_no_grpc() {
    let ok = || vec![("grpc-status", "0".to_owned())];
    let grpc = || vec![("content-type", "application/grpc".to_owned())];
    let huge = "x".repeat(32 << 10);
    // One attempt and done.
    for (what, answer, expected) in [
        ("a proper answer", (200, grpc(), vec![0; 5], ok()), (1, 1, 0)),
        ("status in the headers only", (200, ok(), vec![], vec![]), (1, 1, 0)),
        ("no status", (200, grpc(), vec![0; 5], vec![]), (1, 0, 1)),
        ("a status that is none", (200, grpc(), vec![], vec![("grpc-status", "soon".to_owned())]), (1, 0, 1)),
        ("garbage as message", (200, grpc(), b"\0\0\0\0\x01\xff".to_vec(), ok()), (1, 0, 1)),
        ("a length that lies", (200, grpc(), b"\0\xff\xff\xff\xff".to_vec(), ok()), (1, 0, 1)),
        ("an unknown flag", (200, grpc(), vec![7; 5], ok()), (1, 0, 1)),
        ("compressed by nothing known", (200, grpc(), b"\x01\0\0\0\x01x".to_vec(), ok()), (1, 0, 1)),
        ("more than 4 MiB", (200, grpc(), vec![0; 5 << 20], ok()), (1, 0, 1)),
        (
            "huge trailers",
            (200, grpc(), vec![0; 5], vec![("x-huge", huge.clone()), ("grpc-status", "0".to_owned())]),
            (1, 0, 1),
        ),
        ("a page", (404, vec![], b"<html>".to_vec(), vec![]), (1, 0, 1)),
    ] {
        assert_eq!(meet(answer).await, expected, "{what}");
    }
    // Worth more attempts, which end with max_elapsed_time.
    for (what, answer) in [
        ("a proxy without a backend", (503, vec![], b"<html>".to_vec(), vec![])),
        ("huge headers", (200, vec![("x-huge", huge.clone())], vec![], vec![])),
    ] {
        let (attempts, sent, failed) = meet(answer).await;
        assert_eq!((attempts > 1, sent, failed), (true, 0, 1), "{what}: {attempts} attempts");
    }
}
