//! The section `protocols.grpc`.

use super::{Fault, localhost, unsupported};
use crate::yaml::GoDuration;
use crate::yaml::endpoint::HostPort;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;

/// OTLP/gRPC.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Grpc {
    /// Where to listen.
    pub(in super::super) endpoint: HostPort,
    /// `tcp`, `tcp4` or `tcp6`.
    pub(in super::super) transport: String,
    /// Largest request in MiB, before and after decompression.
    max_recv_msg_size_mib: u32,
    /// Requests of one connection at a time; the client holds back the others. 0 means the default.
    max_concurrent_streams: u32,
    /// Bytes read from the socket at once; not set means frame by frame.
    pub(in super::super) read_buffer_size: Option<usize>,
    /// Bytes of answers that one stream may buffer.
    pub(in super::super) write_buffer_size: usize,
    /// Pings, idle and old connections.
    pub(in super::super) keepalive: Keepalive,
    tls: Option<IgnoredAny>,
    auth: Option<IgnoredAny>,
    include_metadata: bool,
    middlewares: Vec<IgnoredAny>,
}

/// The section `keepalive`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Keepalive {
    server_parameters: Option<ServerParameters>,
    enforcement_policy: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerParameters {
    max_connection_idle: GoDuration,
    max_connection_age: GoDuration,
    max_connection_age_grace: GoDuration,
    time: GoDuration,
    timeout: GoDuration,
}

/// grpc-go's default is "no limit". A machine with 1,000 connections of 1,000 streams would hold a million requests.
pub(in super::super) const CONCURRENT_STREAMS: u32 = 128;
/// Largest message by default, in MiB: grpc-go's, hence the Collector's.
const RECV_MSG_SIZE_MIB: u32 = 4;
const READ_BUFFER_MAX: usize = 16 << 20;

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: localhost(4317),
            transport: "tcp".to_owned(),
            max_recv_msg_size_mib: 0,
            max_concurrent_streams: 0,
            read_buffer_size: None,
            write_buffer_size: 512 << 10,
            keepalive: Keepalive::default(),
            tls: None,
            auth: None,
            include_metadata: false,
            middlewares: Vec::new(),
        }
    }
}

impl Default for ServerParameters {
    /// grpc-go's.
    fn default() -> Self {
        Self {
            max_connection_idle: GoDuration::default(),
            max_connection_age: GoDuration::default(),
            max_connection_age_grace: GoDuration::default(),
            time: GoDuration(Duration::from_secs(2 * 60 * 60)),
            timeout: GoDuration(Duration::from_secs(20)),
        }
    }
}

impl Grpc {
    /// Largest request in bytes.
    pub(in super::super) fn request_bytes_max(&self) -> usize {
        let mib = if self.max_recv_msg_size_mib == 0 { RECV_MSG_SIZE_MIB } else { self.max_recv_msg_size_mib };
        (mib as usize) << 20
    }

    /// Requests of one connection at a time.
    pub(in super::super) fn concurrent_streams(&self) -> u32 {
        if self.max_concurrent_streams == 0 { CONCURRENT_STREAMS } else { self.max_concurrent_streams }
    }

    pub(super) fn check(&self, fault: &mut Fault<'_>) {
        if !matches!(self.transport.as_str(), "tcp" | "tcp4" | "tcp6") {
            fault("transport", format!("{:?} is not supported; tcp, tcp4 and tcp6 are", self.transport));
        }
        if self.max_recv_msg_size_mib >= 4_096 {
            fault("max_recv_msg_size_mib", "must be less than 4096".to_owned());
        }
        if self.read_buffer_size.is_some_and(|size| size > READ_BUFFER_MAX) {
            fault("read_buffer_size", format!("must be at most {READ_BUFFER_MAX}"));
        }
        let (tls, auth, middlewares) = (self.tls.is_some(), self.auth.is_some(), !self.middlewares.is_empty());
        unsupported(fault, tls, auth, self.include_metadata, middlewares);
        if self.keepalive.enforcement_policy.is_some() {
            fault(
                "keepalive.enforcement_policy",
                "not supported: pings of clients are answered and never a reason to close a connection; remove this key".to_owned(),
            );
        }
    }
}

impl Keepalive {
    fn parameters(&self) -> ServerParameters {
        self.server_parameters.unwrap_or_default()
    }

    /// A connection without a request is closed after this time.
    pub(in super::super) fn max_idle(&self) -> Option<Duration> {
        positive(self.parameters().max_connection_idle)
    }

    /// A connection is closed after this time, once its requests are answered.
    pub(in super::super) fn max_age(&self) -> Option<Duration> {
        positive(self.parameters().max_connection_age)
    }

    /// How long those requests may take.
    pub(in super::super) fn max_age_grace(&self) -> Option<Duration> {
        positive(self.parameters().max_connection_age_grace)
    }

    /// A silent connection is pinged after this time.
    pub(in super::super) fn ping_interval(&self) -> Duration {
        positive(self.parameters().time).unwrap_or(ServerParameters::default().time.0).max(Duration::from_secs(1))
    }

    /// And closed when it does not answer within this time.
    pub(in super::super) fn ping_timeout(&self) -> Duration {
        positive(self.parameters().timeout).unwrap_or(ServerParameters::default().timeout.0)
    }
}

/// Zero means "no limit" or "the default", as in Go.
pub(super) fn positive(duration: GoDuration) -> Option<Duration> {
    (!duration.0.is_zero()).then_some(duration.0)
}
