//! A light load with exact times: one encoded request again and again at a steady pace, on a thread of its own, which
//! goes first on a busy machine where that is allowed. What is timed is the collector, not the sender.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Bytes of answers that may be on their way.
const WINDOW: u32 = 4 << 20;
/// Requests on their way at most.
const IN_FLIGHT: usize = 256;
/// Niceness of the sender's thread.
const FIRST: i32 = -10;

/// A sender.
pub struct Pulse {
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    thread: Option<JoinHandle<()>>,
}

/// What came back since the last look.
#[derive(Debug, Default)]
pub struct Heard {
    /// Of each answer when its request was sent, and how long it took.
    pub answers: Vec<(Instant, Duration)>,
    /// Answers that were not "ok".
    pub refused: u64,
}

impl Pulse {
    /// Sends to `address` from now on, one request every `period`.
    pub fn start(address: SocketAddr, period: Duration, request: &ExportTraceServiceRequest) -> Self {
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Heard::default())));
        let (stopped, shared, body) = (Arc::clone(&stop), Arc::clone(&heard), framed(request));
        let run = move || {
            let _ = rustix::process::setpriority_process(None, FIRST);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(send(address, period, &body, &stopped, &shared)).expect("the collector takes connections");
        };
        let thread = std::thread::Builder::new().name("pulse".to_owned()).spawn(run).expect("a thread");
        Self { stop, heard, thread: Some(thread) }
    }

    /// What came back since the last call of this.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut self.heard.lock().expect("no panic"))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn send(
    address: SocketAddr,
    period: Duration,
    body: &Bytes,
    stopped: &AtomicBool,
    heard: &Arc<Mutex<Heard>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Several connections, so that each of the collector's threads serves some.
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(connect(address).await?);
    }
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let begin = Instant::now();
    for turn in 0_u32.. {
        if stopped.load(Relaxed) {
            break;
        }
        tokio::time::sleep_until((begin + period * turn).into()).await;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (mut sender, body, heard) = (senders[turn as usize % 4].clone(), body.clone(), Arc::clone(heard));
        tokio::spawn(async move {
            let start = Instant::now();
            let accepted = export(&mut sender, body).await.unwrap_or(false);
            let mut heard = heard.lock().expect("no panic");
            heard.answers.push((start, start.elapsed()));
            heard.refused += u64::from(!accepted);
            drop(place);
        });
    }
    Ok(())
}

/// A connection for [`export`].
///
/// # Errors
/// When nobody listens.
pub async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(WINDOW).initial_connection_window_size(4 * WINDOW);
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one framed message; whether the answer was "ok".
///
/// # Errors
/// When there is no answer.
pub async fn export(sender: &mut SendRequest<Full<Bytes>>, body: Bytes) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let request = Request::post(format!("http://collector{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body))?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let early = response.headers().get("grpc-status").cloned();
    let trailers = response.into_body().collect().await?.trailers().and_then(|t| t.get("grpc-status").cloned());
    Ok(early.or(trailers).is_some_and(|status| status == "0"))
}

/// A message with gRPC's prefix.
pub fn framed(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(encoded.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(encoded.len()).expect("a message of a sensible length"));
    frame.put_slice(&encoded);
    frame.freeze()
}
