//! What exporters that talk over the network share: resolving and connecting, TLS, configured headers.
//!
//! No protocol is spoken here, and nothing here knows the queue.

mod dial;
mod headers;
mod tls;
mod verify;

pub use dial::{Address, Stream, connect, resolve};
pub use headers::Headers;
pub use tls::{Tls, TlsSettings};

/// An error with its causes, as one line.
pub fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Many errors already say what their cause says.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
