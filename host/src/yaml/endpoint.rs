//! Addresses in settings: `host:port`, as a listener or a gRPC target is written.

use serde::de::{self, Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;

/// A host (a name, an IPv4 or an IPv6 address; empty means every address of this machine) and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Without the brackets of IPv6.
    pub host: String,
    /// 0 asks the system for a free one.
    pub port: u16,
}

/// Why a text is no `host:port`.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    /// No colon, or nothing behind it.
    #[error("{0:?} has no port; write host:port")]
    NoPort(String),
    /// Not a number that fits.
    #[error("{0:?} has the port {1:?}; a port is a number from 0 to 65535")]
    BadPort(String, String),
    /// An IPv6 address that cannot be told from its port.
    #[error("{0:?} has too many colons; write an IPv6 address in brackets, as in \"[::1]:4317\"")]
    Colons(String),
    /// A bracket that is not closed, or text around brackets.
    #[error("{0:?} has misplaced brackets; write \"[::1]:4317\"")]
    Brackets(String),
    /// A scheme or path where only host and port belong.
    #[error("{0:?} is a URL; write only host:port")]
    Url(String),
    /// White space or the like.
    #[error("{0:?} has a host that cannot be one")]
    BadHost(String),
}

impl FromStr for HostPort {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let whole = || text.to_owned();
        if text.contains('/') {
            return Err(EndpointError::Url(whole()));
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, behind) = rest.split_once(']').ok_or_else(|| EndpointError::Brackets(whole()))?;
            if behind.is_empty() {
                return Err(EndpointError::NoPort(whole()));
            }
            (host, behind.strip_prefix(':').ok_or_else(|| EndpointError::Brackets(whole()))?)
        } else {
            let (host, port) = text.rsplit_once(':').ok_or_else(|| EndpointError::NoPort(whole()))?;
            if host.contains(':') {
                return Err(EndpointError::Colons(whole()));
            }
            (host, port)
        };
        if host.contains(['[', ']']) {
            return Err(EndpointError::Brackets(whole()));
        }
        if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(EndpointError::BadHost(whole()));
        }
        if port.is_empty() {
            return Err(EndpointError::NoPort(whole()));
        }
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let number = port.parse().ok().filter(|_| digits);
        let port = number.ok_or_else(|| EndpointError::BadPort(whole(), port.to_owned()))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
