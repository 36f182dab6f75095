//! Settings of the `otlp_http` exporter: the Collector's keys and defaults.

use super::call::{Clients, Encoding, HttpSender};
use super::connector::{Beside, Connector};
use crate::component::{BuildError, Context, Exporter, ExporterConfig};
use crate::export::client::{Headers, Tls, TlsSettings};
use crate::export::{QueueSettings, RetrySettings, SendSettings, exporter};
use crate::otlp::compression::Compression;
use crate::otlp::http_path;
use crate::pdata::Signal;
use crate::yaml::{Check, GoDuration, Settings};
use http::{HeaderValue, Uri, header};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;

/// The section of an `otlp_http` exporter.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// URL to which `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended.
    endpoint: String,
    /// URL for traces, as it is.
    traces_endpoint: String,
    /// URL for metrics, as it is.
    metrics_endpoint: String,
    /// URL for logs, as it is.
    logs_endpoint: String,
    /// `proto` or `json`.
    encoding: Encoding,
    /// `gzip`, `zstd`, `zlib`, `deflate` or `none`.
    compression: Codec,
    /// `level` of the compression.
    compression_params: CompressionParams,
    /// Sent with every request.
    headers: Headers,
    /// Time for one attempt; 0 is no limit.
    timeout: GoDuration,
    /// How `https` connections are encrypted.
    tls: TlsSettings,
    /// Most idle connections that are kept; 0 is no limit.
    max_idle_conns: usize,
    /// The same, since there is one host; the smaller one counts.
    max_idle_conns_per_host: usize,
    /// Idle connections are closed after this time; 0 is never.
    idle_conn_timeout: GoDuration,
    /// A new connection for each request.
    disable_keep_alives: bool,
    /// Offer HTTP/2 over TLS.
    force_attempt_http2: bool,
    /// Ping an HTTP/2 connection after this time without a frame; 0 is never.
    http2_read_idle_timeout: GoDuration,
    /// Close it when the ping stays unanswered for this time; 0 is 15 s.
    http2_ping_timeout: GoDuration,
    retry_on_failure: RetrySettings,
    sending_queue: QueueSettings,
    profiles_endpoint: Option<IgnoredAny>,
    max_conns_per_host: Option<IgnoredAny>,
    proxy_url: Option<IgnoredAny>,
    cookies: Option<IgnoredAny>,
    auth: Option<IgnoredAny>,
    middlewares: Option<IgnoredAny>,
    write_buffer_size: Option<IgnoredAny>,
    read_buffer_size: Option<IgnoredAny>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            logs_endpoint: String::new(),
            encoding: Encoding::Proto,
            compression: Codec(Compression::Gzip),
            compression_params: CompressionParams::default(),
            headers: Headers::default(),
            timeout: GoDuration(Duration::from_secs(30)),
            tls: TlsSettings::default(),
            max_idle_conns: 100,
            max_idle_conns_per_host: 0,
            idle_conn_timeout: GoDuration(Duration::from_secs(90)),
            disable_keep_alives: false,
            force_attempt_http2: true,
            http2_read_idle_timeout: GoDuration::default(),
            http2_ping_timeout: GoDuration::default(),
            retry_on_failure: RetrySettings::default(),
            sending_queue: QueueSettings::default(),
            profiles_endpoint: None,
            max_conns_per_host: None,
            proxy_url: None,
            cookies: None,
            auth: None,
            middlewares: None,
            write_buffer_size: None,
            read_buffer_size: None,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        check.unsupported([
            ("profiles_endpoint", self.profiles_endpoint.is_some(), "profiles are not supported"),
            ("max_conns_per_host", self.max_conns_per_host.is_some(), "use sending_queue.num_consumers"),
            ("proxy_url", self.proxy_url.is_some(), "proxies are not supported yet"),
            ("cookies", self.cookies.is_some(), "cookies are not supported"),
            ("auth", self.auth.is_some(), "authenticators are not supported yet"),
            ("middlewares", self.middlewares.is_some(), "middlewares are not supported yet"),
            ("write_buffer_size", self.write_buffer_size.is_some(), "has no counterpart: writes are not buffered"),
            ("read_buffer_size", self.read_buffer_size.is_some(), "has no counterpart"),
        ]);
        let endpoints = [
            ("endpoint", &self.endpoint),
            ("traces_endpoint", &self.traces_endpoint),
            ("metrics_endpoint", &self.metrics_endpoint),
            ("logs_endpoint", &self.logs_endpoint),
        ];
        if endpoints.iter().all(|(_, url)| url.is_empty()) {
            check.error("endpoint", "at least one endpoint must be specified, as in \"http://tempo:4318\"");
        }
        for (key, url) in endpoints.into_iter().filter(|(_, url)| !url.is_empty()) {
            if let Err(message) = parse_url(url) {
                check.error(key, message);
            }
        }
        if let Some(level) = self.compression_params.level
            && !self.compression.levels().contains(&level)
        {
            check.error(
                "compression_params.level",
                format!("must be in {:?} for this compression", self.compression.levels()),
            );
        }
        self.tls.check(check, "tls");
        self.retry_on_failure.check(check, "retry_on_failure");
        self.sending_queue.check(check, "sending_queue");
    }
}

impl Config {
    fn url(&self, signal: Signal) -> Result<Uri, String> {
        let own = match signal {
            Signal::Traces => &self.traces_endpoint,
            Signal::Metrics => &self.metrics_endpoint,
            Signal::Logs => &self.logs_endpoint,
        };
        match (&**own, &*self.endpoint) {
            ("", "") => Err(format!("either endpoint or {signal}_endpoint must be specified")),
            ("", base) => parse_url(&format!("{}{}", base.strip_suffix('/').unwrap_or(base), http_path(signal))),
            (own, _) => parse_url(own),
        }
    }

    fn clients(&self, connector: Connector) -> Clients {
        Clients {
            usual: self.pool(Client::builder(TokioExecutor::new())).build(connector.clone()),
            long: self.pool(Client::builder(Beside)).build(connector),
        }
    }

    fn pool(&self, mut builder: Builder) -> Builder {
        let limits = [self.max_idle_conns, self.max_idle_conns_per_host].into_iter().filter(|limit| *limit > 0).min();
        let idle = if self.disable_keep_alives { 0 } else { limits.unwrap_or(usize::MAX) };
        builder.pool_max_idle_per_host(idle).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        builder.pool_idle_timeout(Some(self.idle_conn_timeout.0).filter(|time| !time.is_zero()));
        if !self.http2_read_idle_timeout.is_zero() {
            let patience = Some(self.http2_ping_timeout.0).filter(|time| !time.is_zero());
            builder
                .http2_keep_alive_interval(self.http2_read_idle_timeout.0)
                .http2_keep_alive_timeout(patience.unwrap_or(Duration::from_secs(15)))
                .http2_keep_alive_while_idle(true);
        }
        builder
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError> {
        let signal = context.signal.unwrap_or(Signal::Traces);
        let url = self.url(signal).map_err(|message| context.error(message))?;
        let alpn: &'static [&'static [u8]] =
            if self.force_attempt_http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        let encrypted = url.scheme_str() == Some("https");
        let tls = encrypted.then(|| Tls::new(&self.tls, alpn).map(Arc::new)).transpose();
        let tls = tls.map_err(|message| context.error(message))?;
        let clients = self.clients(Connector { tls });
        let mut headers = self.headers.map().clone();
        if !headers.contains_key(header::USER_AGENT) {
            let agent = HeaderValue::from_str(&user_agent()).map_err(|error| context.error(error))?;
            headers.insert(header::USER_AGENT, agent);
        }
        let level = self.compression_params.level;
        let sender = HttpSender::new(clients, signal, url, headers, self.encoding, (self.compression.0, level));
        let settings = SendSettings {
            queue: Some(self.sending_queue.clone()),
            retry: Some(self.retry_on_failure.clone()),
            timeout: self.timeout.0,
        };
        Ok(exporter(context, &settings, sender))
    }
}

/// `compression_params`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CompressionParams {
    /// 0 to 9 (gzip, zlib, deflate) or -7 to 22 (zstd); a quick one if absent.
    level: Option<i32>,
}

/// `compression`, as HTTP has it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Codec(Compression);

impl Codec {
    fn levels(self) -> std::ops::RangeInclusive<i32> {
        match self.0 {
            Compression::Zstd => -7..=22,
            _ => 0..=9,
        }
    }
}

impl TryFrom<String> for Codec {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match &*name {
            "gzip" => Ok(Self(Compression::Gzip)),
            "zstd" => Ok(Self(Compression::Zstd)),
            "zlib" | "deflate" => Ok(Self(Compression::Zlib)),
            "none" | "" => Ok(Self(Compression::None)),
            _ => Err(format!("compression {name:?} is not supported; use gzip, zstd, zlib, deflate or none")),
        }
    }
}

fn parse_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
    match url.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(format!("{text:?} must begin with http:// or https://")),
    }
    let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if authority.contains('@') {
        return Err("credentials in a URL are not supported; use `headers`".to_owned());
    }
    match url.host() {
        None | Some("") => Err(format!("{text:?} has no host")),
        Some(_) => Ok(url),
    }
}

fn user_agent() -> String {
    format!("Tailrace/{} ({}/{})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}
