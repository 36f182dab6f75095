//! Settings of the `otlp_grpc` exporter: the Collector's keys and defaults.

use super::call::GrpcSender;
use super::channel::{Balancer, Channel, Dial};
use super::target::Target;
use crate::component::{BuildError, Context, Exporter, ExporterConfig};
use crate::export::client::{Headers, Tls, TlsSettings};
use crate::export::{QueueSettings, RetrySettings, SendSettings, exporter};
use crate::otlp::compression::Compression;
use crate::pdata::Signal;
use crate::yaml::{self, Check, GoDuration, Settings};
use http::uri::Authority;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;

/// The section of an `otlp_grpc` exporter.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// `host:port` of the backend; `https://` encrypts and `http://` does not, whatever `tls` says.
    endpoint: String,
    /// How connections are encrypted.
    tls: TlsSettings,
    /// `gzip`, `zstd` or `none`.
    compression: Codec,
    /// Sent with every request.
    headers: Headers,
    /// Time for one attempt; 0 is no limit.
    timeout: GoDuration,
    /// HTTP/2 pings; off unless written.
    #[serde(deserialize_with = "yaml::present")]
    keepalive: Option<Keepalive>,
    /// `round_robin` over all addresses of the endpoint, or `pick_first`.
    balancer_name: Balancer,
    /// While there is no connection, wait (within `timeout`) instead of failing at once.
    wait_for_ready: bool,
    /// `:authority` of the requests, instead of the endpoint.
    authority: String,
    /// `user-agent` of the requests.
    user_agent: String,
    retry_on_failure: RetrySettings,
    sending_queue: QueueSettings,
    write_buffer_size: Option<IgnoredAny>,
    read_buffer_size: Option<IgnoredAny>,
    auth: Option<IgnoredAny>,
    middlewares: Option<IgnoredAny>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: TlsSettings::default(),
            compression: Codec(Compression::Gzip),
            headers: Headers::default(),
            timeout: GoDuration(Duration::from_secs(5)),
            keepalive: None,
            balancer_name: Balancer::RoundRobin,
            wait_for_ready: false,
            authority: String::new(),
            user_agent: user_agent(),
            retry_on_failure: RetrySettings::default(),
            sending_queue: QueueSettings::default(),
            write_buffer_size: None,
            read_buffer_size: None,
            auth: None,
            middlewares: None,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        check.unsupported([
            ("auth", self.auth.is_some(), "authenticators are not supported yet"),
            ("middlewares", self.middlewares.is_some(), "middlewares are not supported yet"),
            ("write_buffer_size", self.write_buffer_size.is_some(), "has no counterpart: writes are not buffered"),
            ("read_buffer_size", self.read_buffer_size.is_some(), "has no counterpart"),
        ]);
        if let Err(message) = self.endpoint.parse::<Target>() {
            check.error("endpoint", message);
        }
        if !self.authority.is_empty() && self.authority.parse::<Authority>().is_err() {
            check.error("authority", "is no authority, as in \"tempo:4317\"");
        }
        if http::HeaderValue::from_str(&self.user_agent).is_err() {
            check.error("user_agent", "has characters that no header may have");
        }
        if self.keepalive.as_ref().is_some_and(|keepalive| keepalive.time.is_zero() || keepalive.timeout.is_zero()) {
            check.error("keepalive", "`time` and `timeout` must be positive");
        }
        self.tls.check(check, "tls");
        self.retry_on_failure.check(check, "retry_on_failure");
        self.sending_queue.check(check, "sending_queue");
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError> {
        let target: Target = self.endpoint.parse().map_err(|message: String| context.error(message))?;
        let encrypted = target.encrypted.unwrap_or(self.tls.enabled());
        let tls = encrypted.then(|| Tls::new(&self.tls, &[b"h2"])).transpose();
        let tls = tls.map_err(|message| context.error(message))?;
        let authority = match &*self.authority {
            "" => target.address.to_string(),
            authority => authority.to_owned(),
        };
        let scheme = if encrypted { "https" } else { "http" };
        let dial = Dial {
            exporter: context.id.to_string(),
            address: target.address,
            tls,
            keepalive: self.keepalive.clone(),
            balancer: self.balancer_name,
            wait_for_ready: self.wait_for_ready,
        };
        let signal = context.signal.unwrap_or(Signal::Traces);
        let channel = Channel::new(dial, context.workers.count());
        let mut headers = self.headers.map().clone();
        let user_agent = http::HeaderValue::from_str(&self.user_agent).map_err(|error| context.error(error))?;
        headers.insert(http::header::USER_AGENT, user_agent);
        let base = format!("{scheme}://{authority}");
        let sender = GrpcSender::new(channel, signal, &base, headers, self.compression.0, self.timeout.0);
        let sender = sender.map_err(|message| context.error(message))?;
        let settings = SendSettings {
            queue: Some(self.sending_queue.clone()),
            retry: Some(self.retry_on_failure.clone()),
            timeout: self.timeout.0,
        };
        Ok(exporter(context, &settings, sender))
    }
}

/// `keepalive`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keepalive {
    /// Ping after this time without a frame from the server.
    pub(super) time: GoDuration,
    /// Give the connection up when the ping stays unanswered for this time.
    pub(super) timeout: GoDuration,
    /// Ping also while no request is under way.
    pub(super) permit_without_stream: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        let ten = GoDuration(Duration::from_secs(10));
        Self { time: ten, timeout: ten, permit_without_stream: false }
    }
}

/// `compression`, as gRPC has it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Codec(Compression);

impl TryFrom<String> for Codec {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match &*name {
            "gzip" => Ok(Self(Compression::Gzip)),
            "zstd" => Ok(Self(Compression::Zstd)),
            "none" | "" => Ok(Self(Compression::None)),
            _ => Err(format!("compression {name:?} is not supported; use gzip, zstd or none")),
        }
    }
}

fn user_agent() -> String {
    format!("Tailrace/{} ({}/{})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}
