//! The section `protocols.http`.

use super::grpc::positive;
use super::{Fault, localhost, unsupported};
use crate::otlp::compression::Compression;
use crate::otlp::http_path;
use crate::pdata::Signal;
use crate::yaml::GoDuration;
use crate::yaml::endpoint::HostPort;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::time::Duration;

/// OTLP/HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Http {
    /// Where to listen.
    pub(in super::super) endpoint: HostPort,
    /// `tcp`, `tcp4` or `tcp6`.
    pub(in super::super) transport: String,
    /// Largest request in bytes, before and after decompression. 0 means the default.
    max_request_body_size: u64,
    /// Codings that are understood; `""` is none at all.
    compression_algorithms: Option<Vec<String>>,
    /// Path of each signal.
    traces_url_path: String,
    metrics_url_path: String,
    logs_url_path: String,
    /// Headers of every answer.
    response_headers: BTreeMap<String, String>,
    /// Access by scripts of web pages.
    pub(in super::super) cors: Option<Cors>,
    /// Time for a request to arrive, body included; 0 is no limit but ten seconds without progress.
    read_timeout: GoDuration,
    /// Time for its headers; 0 is no limit. Also ends a connection that sends no request.
    read_header_timeout: GoDuration,
    /// Time to answer; then the connection is closed. 0 is no limit.
    write_timeout: GoDuration,
    /// A connection without a request is closed after this time; 0 is no limit but that of its headers.
    idle_timeout: GoDuration,
    /// Whether a connection may carry more than one request. Without it there is no HTTP/2.
    pub(in super::super) keep_alives_enabled: bool,
    tls: Option<IgnoredAny>,
    auth: Option<IgnoredAny>,
    include_metadata: bool,
    middlewares: Vec<IgnoredAny>,
}

/// The section `cors`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Cors {
    /// Origins that are let in; `*` stands for any text, once in each.
    pub(in super::super) allowed_origins: Vec<String>,
    /// Headers that their requests may have beside the harmless ones; `*` for any.
    pub(in super::super) allowed_headers: Vec<String>,
    /// Headers of answers that they may read.
    pub(in super::super) exposed_headers: Vec<String>,
    /// How long a browser may remember it, in seconds; 0 leaves it to the browser.
    pub(in super::super) max_age: u32,
}

const REQUEST_BODY_MAX: u64 = 20 << 20;
const CODINGS: [Compression; 4] = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Zlib];

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: localhost(4318),
            transport: "tcp".to_owned(),
            max_request_body_size: 0,
            compression_algorithms: None,
            traces_url_path: http_path(Signal::Traces).to_owned(),
            metrics_url_path: http_path(Signal::Metrics).to_owned(),
            logs_url_path: http_path(Signal::Logs).to_owned(),
            response_headers: BTreeMap::new(),
            cors: None,
            read_timeout: GoDuration::default(),
            // The Collector's servers have this default, its otlp receiver has none: anyone could hold connections open.
            read_header_timeout: GoDuration(Duration::from_secs(60)),
            write_timeout: GoDuration::default(),
            idle_timeout: GoDuration::default(),
            keep_alives_enabled: true,
            tls: None,
            auth: None,
            include_metadata: false,
            middlewares: Vec::new(),
        }
    }
}

impl Http {
    /// Largest request in bytes.
    pub(in super::super) fn request_bytes_max(&self) -> usize {
        let bytes = if self.max_request_body_size == 0 { REQUEST_BODY_MAX } else { self.max_request_body_size };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The signal that is sent to `path`.
    pub(in super::super) fn signal(&self, path: &str) -> Option<Signal> {
        match path {
            _ if path == self.traces_url_path => Some(Signal::Traces),
            _ if path == self.metrics_url_path => Some(Signal::Metrics),
            _ if path == self.logs_url_path => Some(Signal::Logs),
            _ => None,
        }
    }

    /// The codings that are understood.
    pub(in super::super) fn codings(&self) -> Vec<Compression> {
        match &self.compression_algorithms {
            None => CODINGS.to_vec(),
            Some(names) => names.iter().filter_map(|name| Compression::from_http(name)).collect(),
        }
    }

    /// Headers of every answer.
    pub(in super::super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let parse = |(name, value): (&String, &String)| Some((name.parse().ok()?, value.parse().ok()?));
        self.response_headers.iter().filter_map(parse).collect()
    }

    pub(in super::super) fn read_timeout(&self) -> Option<Duration> {
        positive(self.read_timeout)
    }

    pub(in super::super) fn read_header_timeout(&self) -> Option<Duration> {
        // Without a limit of its own the whole request's applies, as in Go.
        positive(self.read_header_timeout).or(positive(self.read_timeout))
    }

    pub(in super::super) fn write_timeout(&self) -> Option<Duration> {
        positive(self.write_timeout)
    }

    pub(in super::super) fn idle_timeout(&self) -> Option<Duration> {
        positive(self.idle_timeout).or(positive(self.read_timeout))
    }

    pub(super) fn check(&self, fault: &mut Fault<'_>) {
        if !matches!(self.transport.as_str(), "tcp" | "tcp4" | "tcp6") {
            fault("transport", format!("{:?} is not supported; tcp, tcp4 and tcp6 are", self.transport));
        }
        if self.max_request_body_size >= 4 << 30 {
            fault("max_request_body_size", "must be less than 4 GiB".to_owned());
        }
        for (index, name) in self.compression_algorithms.iter().flatten().enumerate() {
            if Compression::from_http(name).is_none() {
                fault(
                    &format!("compression_algorithms[{index}]"),
                    format!("{name:?} is not supported; \"\", gzip, zstd, zlib and deflate are"),
                );
            }
        }
        let paths =
            [("traces", &self.traces_url_path), ("metrics", &self.metrics_url_path), ("logs", &self.logs_url_path)];
        for (at, (signal, path)) in paths.iter().enumerate() {
            let key = format!("{signal}_url_path");
            if !path.starts_with('/') {
                fault(&key, format!("{path:?} must begin with a slash"));
            }
            if let Some((other, _)) = paths.iter().take(at).find(|(_, other)| other == path) {
                fault(&key, format!("{path:?} is the path of {other} too"));
            }
        }
        for (name, value) in &self.response_headers {
            if name.parse::<HeaderName>().is_err() || value.parse::<HeaderValue>().is_err() {
                fault(&format!("response_headers.{name}"), "not a valid HTTP header".to_owned());
            }
        }
        for (index, origin) in self.cors.iter().flat_map(|cors| &cors.allowed_origins).enumerate() {
            if origin.matches('*').count() > 1 {
                fault(&format!("cors.allowed_origins[{index}]"), "only one * is possible".to_owned());
            }
        }
        let (tls, auth, middlewares) = (self.tls.is_some(), self.auth.is_some(), !self.middlewares.is_empty());
        unsupported(fault, tls, auth, self.include_metadata, middlewares);
    }
}
