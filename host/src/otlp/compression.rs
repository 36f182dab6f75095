//! Content codings: bodies of requests decompressed under a cap, and compressed on the way out.
//!
//! The output never exceeds the limit that the caller gives: what a body says about its own size is only a hint, capped before
//! memory is taken. Contexts are kept per thread and reset before each use, so that bodies never mix. Gzip and zlib are
//! decoded by libdeflate in one shot (gzip of several members by zlib-rs), zstd in one shot if the frame tells its size
//! and else as a stream whose window is limited to 8 MiB.
//!
//! [`decode`] and [`encode`] compute and do not yield; [`decode_async`] and [`encode_async`] move large bodies off the
//! runtime.

mod decode;
mod encode;
mod encode_async;

pub use decode::{DecodeError, decode, decode_async, output_hint};
pub use encode::{EncodeError, encode};
pub use encode_async::encode_async;

use std::fmt;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), which HTTP calls `deflate`. Raw deflate (RFC 1951) is understood too.
    Zlib,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
    /// Names in HTTP's `Accept-Encoding`, gRPC's `grpc-accept-encoding` and `compression_algorithms`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "identity",
            Self::Gzip => "gzip",
            Self::Zlib => "deflate",
            Self::Zstd => "zstd",
        }
    }

    /// From a `Content-Encoding` of HTTP.
    pub fn from_http(name: &str) -> Option<Self> {
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        match () {
            () if is("") || is("identity") => Some(Self::None),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            () if is("deflate") || is("zlib") => Some(Self::Zlib),
            () => None,
        }
    }

    /// From a `grpc-encoding`.
    pub fn from_grpc(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Zlib),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
