//! `host:port`, as Go's `net.Listen` takes it.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::fmt;
use std::net::SocketAddr;
use tokio::net::{TcpListener, lookup_host};

/// Where to listen. No host means every address of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    pub(super) fn localhost(port: u16) -> Self {
        Self { host: "localhost".to_owned(), port }
    }

    /// `None` if it is not `host:port`.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        if host.contains(['/', ' ']) {
            return None;
        }
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    /// Opens the port. `family` is `tcp`, `tcp4` or `tcp6`.
    pub(in super::super) async fn bind(&self, family: &str) -> std::io::Result<TcpListener> {
        let mut addresses: Vec<SocketAddr> = match self.host.as_str() {
            // One socket for both families where the machine has IPv6, else IPv4 alone.
            "" => vec![([0u16; 8], self.port).into(), ([0u8; 4], self.port).into()],
            host => lookup_host((host, self.port)).await?.collect(),
        };
        addresses.retain(|address| match family {
            "tcp4" => address.is_ipv4(),
            "tcp6" => address.is_ipv6(),
            _ => true,
        });
        if !self.host.is_empty() {
            // A name with both families means the IPv4 one, as in Go.
            addresses.sort_by_key(SocketAddr::is_ipv6);
        }
        TcpListener::bind(&*addresses).await
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not an address to listen on: host:port is expected")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_go() {
        for (text, host, port) in [
            ("localhost:4317", "localhost", 4317),
            ("0.0.0.0:4317", "0.0.0.0", 4317),
            (":4317", "", 4317),
            ("[::]:0", "::", 0),
            ("[fe80::1]:1", "fe80::1", 1),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
            assert_eq!(endpoint.to_string(), text);
        }
        for bad in ["", "localhost", "4317", "::1:4317", "localhost:70000", "http://localhost:4317", "[::1:4317", "a b:1"] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_means_its_first_family() {
        let listener = Endpoint::localhost(0).bind("tcp").await.unwrap();
        assert!(listener.local_addr().unwrap().is_ipv4());
        let everywhere = Endpoint::parse(":0").unwrap().bind("tcp4").await.unwrap();
        assert_eq!(everywhere.local_addr().unwrap().ip().to_string(), "0.0.0.0");
    }
}
