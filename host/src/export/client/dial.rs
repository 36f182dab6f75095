//! Names to addresses, addresses to connections.

use super::tls::Tls;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Time to connect, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Time to resolve a name.
const RESOLVE_MAX: Duration = Duration::from_secs(5);
/// How long sent data may stay unacknowledged before the connection counts as dead. Without it the system keeps trying
/// for a quarter of an hour, and with ever longer pauses.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);
/// Idle connections are probed this often.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// A host (a name, or an IP address without brackets) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The socket addresses of `address`, in the resolver's order; at least one.
///
/// # Errors
/// When the name cannot be resolved (in time).
pub async fn resolve(address: &Address) -> io::Result<Vec<SocketAddr>> {
    let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found = tokio::time::timeout(RESOLVE_MAX, lookup).await.map_err(|_| timed_out("resolving", address))?;
    let found: Vec<SocketAddr> =
        found.map_err(|error| io::Error::new(error.kind(), format!("cannot resolve {address}: {error}")))?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{address} has no addresses")));
    }
    Ok(found)
}

/// Connects to `to`, with TLS for the host `name` if `tls` is there.
///
/// # Errors
/// When it is refused, or not done in time.
pub async fn connect(to: SocketAddr, tls: Option<&Tls>, name: &str) -> io::Result<Stream> {
    let connecting = async {
        let tcp = TcpStream::connect(to).await?;
        tcp.set_nodelay(true)?;
        let socket = SockRef::from(&tcp);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_EVERY).with_interval(PROBE_EVERY))?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
        match tls {
            None => Ok(Stream::Plain(tcp)),
            Some(tls) => Ok(Stream::Tls(Box::new(tls.handshake(name, tcp).await?))),
        }
    };
    let connected = tokio::time::timeout(CONNECT_MAX, connecting).await.map_err(|_| timed_out("connecting to", to))?;
    connected.map_err(|error: io::Error| io::Error::new(error.kind(), format!("cannot connect to {to}: {error}")))
}

fn timed_out(doing: &str, what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{doing} {what} took too long"))
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub enum Stream {
    /// Not.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether both sides agreed on HTTP/2.
    pub fn speaks_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
