//! A port.

use crate::yaml::endpoint::HostPort;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, lookup_host};

/// An open port with the name that logs and status know it by.
pub(in super::super) struct Listener {
    name: String,
    socket: TcpListener,
}

/// A peer that vanished without a word is noticed after this time, as in Go.
const PROBE_AFTER: Duration = Duration::from_secs(15);

impl Listener {
    /// Opens the port. `family` is `tcp`, `tcp4` or `tcp6`.
    pub(in super::super) async fn bind(name: String, endpoint: &HostPort, family: &str) -> io::Result<Self> {
        let mut addresses: Vec<SocketAddr> = match endpoint.host.as_str() {
            // One socket for both families where the machine has IPv6, else IPv4 alone.
            "" => vec![([0u16; 8], endpoint.port).into(), ([0u8; 4], endpoint.port).into()],
            host => {
                let mut found: Vec<_> = lookup_host((host, endpoint.port)).await?.collect();
                // A name with both families means the IPv4 one, as in Go.
                found.sort_by_key(SocketAddr::is_ipv6);
                found.truncate(if family == "tcp6" { usize::MAX } else { 1 });
                found
            }
        };
        addresses.retain(|address| match family {
            "tcp4" => address.is_ipv4(),
            "tcp6" => address.is_ipv6(),
            _ => true,
        });
        Ok(Self { name, socket: TcpListener::bind(&*addresses).await? })
    }

    pub(in super::super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next connection, ready to be given to another runtime.
    pub(super) async fn accept(&self) -> io::Result<std::net::TcpStream> {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    // Without these the connection works too, only worse. Nagle costs 40 ms at the tail.
                    let _ = stream.set_nodelay(true);
                    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
                    let _ = SockRef::from(&stream).set_tcp_keepalive(&probes);
                    return stream.into_std();
                }
                // The peer was gone before it was accepted: no fault of ours.
                Err(error) if is_of_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind(host: &str, port: u16, family: &str) -> io::Result<Listener> {
        Listener::bind("otlp/test".into(), &HostPort { host: host.into(), port }, family).await
    }

    #[tokio::test]
    async fn a_name_means_its_first_family() {
        let listener = bind("localhost", 0, "tcp").await.unwrap();
        assert_eq!(listener.address().unwrap().ip().to_string(), "127.0.0.1");
        let everywhere = bind("", 0, "tcp4").await.unwrap();
        assert_eq!(everywhere.address().unwrap().ip().to_string(), "0.0.0.0");
    }

    #[tokio::test]
    async fn a_busy_port_is_an_error() {
        let first = bind("127.0.0.1", 0, "tcp").await.unwrap();
        let port = first.address().unwrap().port();
        assert_eq!(bind("127.0.0.1", port, "tcp").await.err().unwrap().kind(), io::ErrorKind::AddrInUse);
        assert!(bind("127.0.0.1", 0, "tcp6").await.is_err());
    }
}
