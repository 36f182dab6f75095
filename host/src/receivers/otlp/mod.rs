//! The `otlp` receiver: OTLP over gRPC and HTTP.
//!
//! ```yaml
//! receivers:
//!   otlp:
//!     protocols:
//!       grpc:                      # a key without a value means its defaults
//!         endpoint: localhost:4317
//!       http:
//!         endpoint: localhost:4318
//! ```
//!
//! **Promise.** The answer to a client is the answer of the pipeline: success when it has taken every item, else a status
//! that says whether to try again. A request is taken whole or not at all. Nothing is held beyond that: if the process
//! dies, the client has no answer and sends again. If the client goes away, the pipeline still gets to its end.
//!
//! **Bounds.** Sizes before and after decompression, nesting, number of messages, requests per connection, connections,
//! bytes in flight of all requests together, time without progress: see `config`. A request beyond a bound of its own is
//! refused for good, one that finds no room is refused for now.
//!
//! **Path of a request** (`door`): the body in one piece, decompressed, JSON turned into protobuf, validated in one pass,
//! then handed on as it is. Transports (`server`) carry requests and know no OTLP; protocols (`grpc`, `http`) know no sockets.

mod complaints;
mod config;
mod cors;
mod door;
mod grpc;
mod http;
mod meters;
mod reply;
mod server;

use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, Context, Outputs, Receiver, ReceiverConfig, ReceiverFactory,
    Stability, parse,
};
use crate::otlp::frame::Budget;
use crate::pdata::Signal;
use crate::shutdown::Deadline;
use config::Config;
use door::Door;
use server::{Listener, Server};
use std::sync::{Arc, Mutex, PoisonError};

/// The component.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    info: ComponentInfo { kind: "otlp", deprecated: &[], signals: &Signal::ALL, stability: Stability::Beta },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

impl ReceiverConfig for Config {
    fn build(&self, context: Context, outputs: Outputs) -> Result<Arc<dyn Receiver>, BuildError> {
        Ok(Arc::new(OtlpReceiver { config: self.clone(), context, outputs, server: Mutex::default() }))
    }
}

struct OtlpReceiver {
    config: Config,
    context: Context,
    outputs: Outputs,
    /// There from start to shutdown.
    server: Mutex<Option<Arc<Server>>>,
}

impl Receiver for OtlpReceiver {}

impl Component for OtlpReceiver {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        Box::pin(async move {
            let Config { protocols, limits } = &self.config;
            let budget = Budget::new(limits.in_flight_bytes());
            let server = Arc::new(Server::new(self.context.workers.clone(), limits.connections));
            let door = |transport| {
                let limits = limits.of_request();
                Arc::new(Door::new(
                    &self.context,
                    transport,
                    self.outputs.clone(),
                    limits,
                    budget.clone(),
                    server.life(),
                ))
            };
            // Every port is open before the first connection is taken: a busy one leaves nothing behind.
            let mut grpc = None;
            if let Some(settings) = &protocols.grpc {
                let listener = self.listen("grpc", &settings.endpoint, &settings.transport).await?;
                grpc = Some((listener, server::grpc(settings), grpc::Service::new(settings, door("grpc"))));
            }
            if let Some(settings) = &protocols.http {
                let listener = self.listen("http", &settings.endpoint, &settings.transport).await?;
                server.accept(listener, server::http(settings), http::Service::new(settings, door("http")));
            }
            if let Some((listener, transport, service)) = grpc {
                server.accept(listener, transport, service);
            }
            *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
            Ok(())
        })
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(server) = server {
                server.shutdown(deadline).await;
            }
        })
    }
}

impl OtlpReceiver {
    async fn listen(
        &self,
        protocol: &'static str,
        endpoint: &crate::yaml::endpoint::HostPort,
        family: &str,
    ) -> Result<Listener, BuildError> {
        let name = format!("{}/{protocol}", self.context.id);
        let fail = |error| self.context.error(format!("cannot listen on {endpoint} for {protocol}: {error}"));
        let listener = Listener::bind(name.clone(), endpoint, family).await.map_err(fail)?;
        let address = listener.address().map_err(fail)?;
        self.context.telemetry.status().listening(&name, address);
        tracing::info!(receiver = %self.context.id, protocol, %address, "listening");
        Ok(listener)
    }
}

#[cfg(test)]
mod tests;
