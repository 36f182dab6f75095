//! Connections: accepted on the runtime that starts the receiver, dealt to the workers in turn, ended in order.
//!
//! A [`Transport`] speaks HTTP on a connection and hands each request to a [`Handler`]; it is hyper today, and the two
//! traits are all that anything else would have to fit between. Every wait has an end: a connection that says nothing, headers that
//! drip, peers that are gone. At shutdown ports close first, then connections finish their requests, and at the deadline
//! they are cut.

mod carry;
mod life;
mod listener;
mod transport;

pub(super) use life::Life;
pub(super) use listener::Listener;
pub(super) use transport::{grpc, http};

use super::complaints::Complaints;
use super::reply::Reply;
use crate::shutdown::Deadline;
use crate::workers::Workers;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use life::{Ending, Phase};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Answers requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// Answers one request. Its body is read only as far as the handler wants.
    fn handle<B>(&self, request: Request<B>) -> impl Future<Output = Result<Response<Reply>, Hangup>> + Send
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static;
}

/// There is no answer: close the connection, or with HTTP/2 the stream.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
pub(super) struct Hangup;

/// Speaks HTTP on a connection.
pub(super) trait Transport: Send + Sync + 'static {
    /// Serves `stream` to its end, which `life` may hasten.
    fn carry<H: Handler>(&self, stream: TcpStream, handler: Arc<H>, life: Life) -> impl Future<Output = ()> + Send;
}

/// Listeners and connections of one receiver.
pub(super) struct Server {
    workers: Workers,
    connections_max: usize,
    ending: Ending,
}

/// Pause after the system refused a connection for want of something, usually file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long tasks that were told to stop at once may take.
const FORCE: Duration = Duration::from_secs(1);

impl Server {
    pub(super) fn new(workers: Workers, connections_max: usize) -> Self {
        Self { workers, connections_max, ending: Ending::default() }
    }

    /// The life of whatever runs on behalf of this server.
    pub(super) fn life(&self) -> Life {
        self.ending.life()
    }

    /// Takes connections from now on.
    pub(super) fn accept<T: Transport, H: Handler>(&self, listener: Listener, transport: T, handler: Arc<H>) {
        let room = Arc::new(Semaphore::new(self.connections_max));
        let (workers, life, transport) = (self.workers.clone(), self.life(), Arc::new(transport));
        tokio::spawn(async move {
            let _alive = life.enter();
            let (failures, refusals) = (Complaints::default(), Complaints::default());
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = life.draining() => break,
                    accepted = listener.accept() => accepted,
                };
                let (listener, stream) = (
                    listener.name(),
                    match accepted {
                        Ok(stream) => stream,
                        Err(error) => {
                            if let Some(untold) = failures.turn() {
                                tracing::warn!(listener = listener.name(), %error, untold, "cannot accept connections");
                            }
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                            continue;
                        }
                    },
                );
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    if let Some(untold) = refusals.turn() {
                        tracing::warn!(listener, untold, "closed a connection: there are limits.connections already");
                    }
                    continue;
                };
                let (transport, handler, life) = (Arc::clone(&transport), Arc::clone(&handler), life.clone());
                workers.spawn(async move {
                    let _alive = life.enter();
                    let _permit = permit;
                    // An error means that the peer is gone already.
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        transport.carry(stream, handler, life).await;
                    }
                });
            }
        });
    }

    /// Closes the ports, lets requests finish until `deadline`, then cuts what is left.
    pub(super) async fn shutdown(&self, deadline: Deadline) {
        self.ending.enter(Phase::Draining);
        if deadline.bound(self.ending.all_gone()).await.is_none() {
            tracing::warn!("requests did not finish in time and are cut off");
            self.ending.enter(Phase::Forced);
            let _ = tokio::time::timeout(FORCE, self.ending.all_gone()).await;
        }
    }
}
