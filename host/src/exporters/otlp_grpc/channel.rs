//! Connections to the backend: made, watched and made again.
//!
//! Every worker has connections of its own, one per address of the endpoint (`round_robin`) or one (`pick_first`): the task
//! of a connection and its callers share a thread, so that no batch wakes another core. Measured with one core, several
//! connections cost no more than one; with several cores one connection would be the bottleneck.
//!
//! Messages of more than 6 MiB have connections of their own, driven beside the workers: to encrypt such a message and to copy it into
//! a socket takes milliseconds, for which all else on the worker would wait. They are made with the first such message.
//!
//! Each worker's connections belong to a keeper, a task that is started by the first batch there. It resolves the
//! endpoint, connects, notices a loss at once, and tries again every second or sooner. Callers never connect.

use super::config::Keepalive;
use crate::component::ConsumeError;
use crate::export::client::{Address, Stream, Tls, connect, describe, resolve};
use crate::workers::lane::bulk;
use crate::workers::large::LARGE_BYTES;
use bytes::Bytes;
use bytes::buf::Chain;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Deserialize;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// What goes out: prefix and message.
pub(super) type Body = Full<Chain<Bytes, Bytes>>;

/// Most addresses of one name that are used.
const ADDRESSES_MAX: usize = 64;
/// First and longest wait between attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A connection that lived this long was a good one: its loss is answered at once.
const STABLE: Duration = Duration::from_millis(100);
/// How often addresses that cannot be reached are tried while others can.
const PARTIAL_EVERY: Duration = Duration::from_secs(10);
/// How often a name is resolved again while all is well.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// Time that connections get to close in good order.
const FAREWELL: Duration = Duration::from_millis(500);

/// `balancer_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Balancer {
    /// Requests in turn to every address.
    RoundRobin,
    /// All requests to the first address that can be reached.
    PickFirst,
}

/// How to connect.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) exporter: String,
    pub(super) address: Address,
    pub(super) tls: Option<Tls>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) balancer: Balancer,
    pub(super) wait_for_ready: bool,
}

/// The connections of one exporter.
#[derive(Debug)]
pub(super) struct Channel {
    dial: Arc<Dial>,
    lanes: Box<[Lanes]>,
}

/// The connections of one worker: for messages as they are, and for long ones.
#[derive(Debug, Default)]
struct Lanes {
    usual: OnceLock<Lane>,
    long: OnceLock<Lane>,
}

/// Connections that one task keeps.
#[derive(Debug)]
struct Lane {
    view: watch::Receiver<View>,
    turn: AtomicUsize,
    nudge: Arc<Notify>,
    stop: Arc<Notify>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What callers see of a lane.
#[derive(Clone, Debug, Default)]
struct View {
    ready: Arc<[SendRequest<Body>]>,
    /// Why there is none; `None` while the first attempt is under way.
    failure: Option<Arc<str>>,
}

thread_local! {
    /// Number of this thread among those that send. Workers are threads that stay.
    static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Relaxed));
}
static THREADS: AtomicUsize = AtomicUsize::new(0);

impl Channel {
    pub(super) fn new(dial: Dial, workers: usize) -> Self {
        Self { dial: Arc::new(dial), lanes: (0..workers.max(1)).map(|_| Lanes::default()).collect() }
    }

    /// A connection to send so many bytes on. While there is none: the reason, or, during the first attempt and with
    /// `wait_for_ready`, the next one there is.
    pub(super) async fn pick(&self, bytes: usize) -> Result<SendRequest<Body>, ConsumeError> {
        let number = THREAD.get() % self.lanes.len().max(1);
        let Some(lanes) = self.lanes.get(number) else { return Err(ConsumeError::retryable("no connection")) };
        // A full batch of the `batch` processor is shorter: beside its worker it would cost a twentieth more processor time, and
        // others would wait longer for both.
        let lane = if bytes > LARGE_BYTES {
            lanes.long.get_or_init(|| Lane::open(Arc::clone(&self.dial), &bulk()))
        } else {
            lanes.usual.get_or_init(|| Lane::open(Arc::clone(&self.dial), &Handle::current()))
        };
        lane.pick(self.dial.wait_for_ready).await
    }

    /// Closes every connection.
    pub(super) async fn stop(&self) {
        for lane in self.lanes.iter().flat_map(|lanes| [&lanes.usual, &lanes.long]).filter_map(OnceLock::get) {
            lane.stop.notify_one();
            let keeper = lane.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(keeper) = keeper {
                // An error is a panic of the keeper; its connections are gone with it.
                let _ = keeper.await;
            }
        }
    }
}

impl Lane {
    /// Its tasks run there.
    fn open(dial: Arc<Dial>, there: &Handle) -> Self {
        let (sender, view) = watch::channel(View::default());
        let (nudge, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let keeper = Keeper { dial, view: sender, nudge: Arc::clone(&nudge), links: Vec::new(), tasks: JoinSet::new() };
        let keeper = there.spawn(keeper.run(Arc::clone(&stop)));
        Self { view, turn: AtomicUsize::new(0), nudge, stop, keeper: Mutex::new(Some(keeper)) }
    }

    async fn pick(&self, wait_for_ready: bool) -> Result<SendRequest<Body>, ConsumeError> {
        if let Some(found) = self.look(&self.view.borrow(), wait_for_ready) {
            return found;
        }
        let mut view = self.view.clone();
        loop {
            let found = self.look(&view.borrow_and_update(), wait_for_ready);
            if let Some(found) = found {
                return found;
            }
            if view.changed().await.is_err() {
                return Err(ConsumeError::retryable("the connections were closed"));
            }
        }
    }

    fn look(&self, view: &View, wait_for_ready: bool) -> Option<Result<SendRequest<Body>, ConsumeError>> {
        let count = view.ready.len();
        if count == 0 {
            let failure = view.failure.as_ref().filter(|_| !wait_for_ready)?;
            return Some(Err(ConsumeError::retryable(&**failure)));
        }
        let turn = self.turn.fetch_add(1, Relaxed);
        let open =
            (0..count).filter_map(|i| view.ready.get((turn.wrapping_add(i)) % count)).find(|link| !link.is_closed());
        if open.is_none() {
            self.nudge.notify_one();
        }
        open.cloned().map(Ok)
    }
}

/// Growing waits between attempts to connect.
struct Waits(Duration);

impl Waits {
    fn new() -> Self {
        Self(RECONNECT.0)
    }

    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(RECONNECT.1);
        wait
    }
}

/// Owns the connections of a lane.
struct Keeper {
    dial: Arc<Dial>,
    view: watch::Sender<View>,
    nudge: Arc<Notify>,
    links: Vec<Link>,
    tasks: JoinSet<()>,
}

struct Link {
    address: SocketAddr,
    sender: SendRequest<Body>,
    since: Instant,
}

impl Keeper {
    async fn run(mut self, stop: Arc<Notify>) {
        tokio::select! {
            biased;
            () = stop.notified() => {}
            () = self.keep() => {}
        }
        self.links.clear();
        self.view.send_replace(View { ready: Arc::default(), failure: Some("the connections were closed".into()) });
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Those that take longer are dropped with the set.
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }

    async fn keep(&mut self) {
        let mut waits = Waits::new();
        loop {
            let failure = self.connect_missing().await.err();
            let pause = match (&failure, self.links.is_empty()) {
                (None, _) => RESOLVE_EVERY,
                (Some(_), false) => PARTIAL_EVERY,
                (Some(_), true) => waits.next(),
            };
            self.show(failure);
            let lost = self.lost_or_after(pause).await;
            match lost.into_iter().max() {
                Some(lived) if lived < STABLE => {
                    self.show(Some("the backend closes connections at once".to_owned()));
                    tokio::time::sleep(waits.next()).await;
                }
                Some(_) => waits = Waits::new(),
                None => {}
            }
        }
    }

    /// Waits until a connection is lost, or for `pause`; gives how long the lost ones lived.
    async fn lost_or_after(&mut self, pause: Duration) -> Vec<Duration> {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                Some(_ended) = self.tasks.join_next() => {}
                () = self.nudge.notified() => {}
                () = tokio::time::sleep_until(until) => return Vec::new(),
            }
            let lost: Vec<Duration> = self.drop_closed();
            if !lost.is_empty() {
                return lost;
            }
        }
    }

    fn drop_closed(&mut self) -> Vec<Duration> {
        let mut lost = Vec::new();
        self.links.retain(|link| {
            if link.sender.is_closed() {
                lost.push(link.since.elapsed());
            }
            !link.sender.is_closed()
        });
        lost
    }

    /// Shows callers what there is; a failure only matters to them when there is nothing.
    fn show(&self, failure: Option<String>) {
        let ready: Arc<[_]> = self.links.iter().map(|link| link.sender.clone()).collect();
        let failure: Option<Arc<str>> = failure.filter(|_| ready.is_empty()).map(Into::into);
        let failed_before = self.view.borrow().failure.is_some();
        match &failure {
            Some(error) if !failed_before => tracing::warn!(exporter = self.dial.exporter, %error, "no connection"),
            None if failed_before => tracing::info!(exporter = self.dial.exporter, "connected again"),
            _ => {}
        }
        self.view.send_replace(View { ready, failure });
    }

    /// Resolves the endpoint and connects to what it wants and has not. Links to addresses that are no longer named are let
    /// go; requests on them finish.
    async fn connect_missing(&mut self) -> Result<(), String> {
        let mut wanted = resolve(&self.dial.address).await.map_err(|error| error.to_string())?;
        wanted.truncate(ADDRESSES_MAX);
        self.drop_closed();
        self.links.retain(|link| wanted.contains(&link.address));
        let mut failure = None;
        for address in wanted {
            if self.links.iter().any(|link| link.address == address) {
                continue;
            }
            if self.dial.balancer == Balancer::PickFirst && !self.links.is_empty() {
                break;
            }
            match self.open(address).await {
                Ok(()) if self.dial.balancer == Balancer::PickFirst => return Ok(()),
                Ok(()) => self.show(None),
                Err(error) => failure = Some(error),
            }
        }
        // With pick_first one connection is enough, whichever it is.
        let enough = self.dial.balancer == Balancer::PickFirst && !self.links.is_empty();
        failure.filter(|_| !enough).map_or(Ok(()), Err)
    }

    async fn open(&mut self, address: SocketAddr) -> Result<(), String> {
        let stream = connect(address, self.dial.tls.as_ref(), &self.dial.address.host).await;
        let stream = stream.map_err(|error| error.to_string())?;
        if matches!(stream, Stream::Tls(_)) && !stream.speaks_h2() {
            return Err(format!("{address} does not speak HTTP/2"));
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        if let Some(keepalive) = &self.dial.keepalive {
            builder
                .keep_alive_interval(keepalive.time.0)
                .keep_alive_timeout(keepalive.timeout.0)
                .keep_alive_while_idle(keepalive.permit_without_stream);
        }
        let (sender, connection) = builder
            .handshake::<_, Body>(TokioIo::new(stream))
            .await
            .map_err(|error| format!("cannot connect to {address}: {}", describe(&error)))?;
        let exporter = self.dial.exporter.clone();
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(exporter, %address, error = describe(&error), "connection lost");
            }
        });
        self.links.push(Link { address, sender, since: Instant::now() });
        Ok(())
    }
}
