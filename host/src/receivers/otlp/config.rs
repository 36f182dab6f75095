//! Settings of the `otlp` receiver: the Collector's keys and defaults, and the limits that it does not have.

mod grpc;
mod http;
mod limits;

pub(super) use grpc::{CONCURRENT_STREAMS, Grpc, Keepalive};
pub(super) use http::{Cors, Http};
pub(super) use limits::Limits;

use crate::yaml::endpoint::HostPort;
use crate::yaml::{self, Check, Settings};
use serde::Deserialize;

/// The section `receivers::otlp`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Which protocols to serve; at least one. A key without a value means its defaults.
    pub(super) protocols: Protocols,
    /// Bounds that all requests of this receiver share.
    pub(super) limits: Limits,
}

/// The section `protocols`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Protocols {
    /// OTLP/gRPC.
    #[serde(deserialize_with = "yaml::present")]
    pub(super) grpc: Option<Grpc>,
    /// OTLP/HTTP, protobuf and JSON.
    #[serde(deserialize_with = "yaml::present")]
    pub(super) http: Option<Http>,
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        let Protocols { grpc, http } = &self.protocols;
        if grpc.is_none() && http.is_none() {
            check.error("protocols", "at least one of grpc and http is needed");
        }
        if let Some(grpc) = grpc {
            grpc.check(&mut |key, message| check.error(&format!("protocols.grpc.{key}"), message));
        }
        if let Some(http) = http {
            http.check(&mut |key, message| check.error(&format!("protocols.http.{key}"), message));
        }
        self.limits.check(&mut |key, message| check.error(&format!("limits.{key}"), message));
    }
}

/// Reports a fault at a key.
type Fault<'a> = dyn FnMut(&str, String) + 'a;

/// The default address: not to be reached from other machines.
fn localhost(port: u16) -> HostPort {
    HostPort { host: "localhost".to_owned(), port }
}

/// Faults at what the Collector's servers can do and these cannot yet; each is whether it is set.
fn unsupported(fault: &mut Fault<'_>, tls: bool, auth: bool, include_metadata: bool, middlewares: bool) {
    let keys = [
        ("tls", tls, "TLS of receivers is"),
        ("auth", auth, "authentication is"),
        ("include_metadata", include_metadata, "client metadata is"),
        ("middlewares", middlewares, "middlewares are"),
    ];
    for (key, _, what) in keys.into_iter().filter(|(_, set, _)| *set) {
        fault(key, format!("{what} not supported yet; remove this key"));
    }
}

#[cfg(test)]
mod tests;
