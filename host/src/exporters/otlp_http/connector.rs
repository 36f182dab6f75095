//! Connections for hyper's pool, and who drives those for long messages.

use crate::export::client::{Address, Stream, Tls, connect, resolve};
use crate::workers::lane::bulk;
use http::Uri;
use hyper::rt::Executor;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// Connects to the host of a URI, encrypted if that begins with `https`.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    /// Needed for `https` only.
    pub(super) tls: Option<Arc<Tls>>,
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone().filter(|_| uri.scheme_str() == Some("https"));
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            let address = Address { host, port };
            let mut failure = None;
            for to in resolve(&address).await? {
                match connect(to, tls.as_deref(), &address.host).await {
                    Ok(stream) => return Ok(Link(TokioIo::new(stream))),
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
        })
    }
}

/// Drives connections beside the worker that opens them: to encrypt a long message and to copy it into a socket takes
/// milliseconds, for which all else on the worker would wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside;

impl<Work: Future<Output: Send> + Send + 'static> Executor<Work> for Beside {
    fn execute(&self, work: Work) {
        bulk().spawn(work);
    }
}

/// A connection as the pool wants it.
#[derive(Debug)]
pub(super) struct Link(TokioIo<Stream>);

impl Connection for Link {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.0.inner().speaks_h2() { connected.negotiated_h2() } else { connected }
    }
}

impl hyper::rt::Read for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }
}
