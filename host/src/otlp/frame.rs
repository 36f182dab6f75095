//! Bodies as they arrive: gRPC's five-byte frames, and reading any body under a limit and a budget.
//!
//! What a peer announces about a body is only a hint: at most 1 MiB is allocated on its word, more only as it arrives, never
//! more than the limit. Before memory is taken it is charged against a [`Budget`] of bytes that all requests of a
//! receiver share; who finds no room waits a second and is then refused with a retryable status. A body that stops
//! arriving is given up after ten seconds.

mod budget;
mod grow;

pub use budget::{Budget, Charge, NoRoom};

use super::status::{Code, Status};
use bytes::{Buf, Bytes};
use grow::Growing;
use http_body::Body;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Length of the prefix of a gRPC message: a flag and a length.
pub const PREFIX_LEN: usize = 5;

/// How long a body may not grow before it is given up.
const STALL: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is, or says it is, longer than the limit.
    #[error("request body is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It ended before its announced length, or went on behind it, or is no frame.
    #[error("{0}")]
    Malformed(&'static str),
    /// No room in the budget.
    #[error("too many bytes of requests in flight")]
    NoRoom,
    /// It stopped arriving, or took too long.
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// The connection or the stream ended.
    #[error("the request body was cut off")]
    Gone,
}

impl From<NoRoom> for ReadError {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

impl From<&ReadError> for Status {
    /// Never `OUT_OF_RANGE` for what is too large (tonic's answer): OTLP would call that retryable.
    fn from(error: &ReadError) -> Self {
        let code = match error {
            ReadError::TooLarge { .. } => Code::RESOURCE_EXHAUSTED,
            ReadError::Malformed(_) => Code::INVALID_ARGUMENT,
            ReadError::NoRoom => Code::UNAVAILABLE,
            ReadError::TimedOut => Code::DEADLINE_EXCEEDED,
            ReadError::Gone => Code::CANCELLED,
        };
        let status = Self::new(code, error.to_string());
        match error {
            ReadError::NoRoom => status.retry_after(Duration::from_secs(1)),
            _ => status,
        }
    }
}

/// A message and what it holds of the budget.
#[derive(Debug)]
pub struct Message {
    /// Its bytes, still compressed.
    pub data: Bytes,
    /// gRPC's flag: whether it is compressed. Not set for HTTP, whose header says so.
    pub compressed: bool,
    /// Its share of the budget; given back when this is dropped.
    pub charge: Charge,
}

/// The prefix of a message that goes out.
pub fn prefix(compressed: bool, len: usize) -> Option<[u8; PREFIX_LEN]> {
    let [a, b, c, d] = u32::try_from(len).ok()?.to_be_bytes();
    Some([u8::from(compressed), a, b, c, d])
}

/// Takes one message out of a whole body that is in memory already: a server's answer.
///
/// # Errors
/// When it is not exactly one frame.
pub fn split_message(mut body: Bytes) -> Result<(bool, Bytes), ReadError> {
    let (compressed, len) = read_prefix(&mut body)?;
    if body.len() != len {
        return Err(ReadError::Malformed("not exactly one gRPC message"));
    }
    Ok((compressed, body))
}

fn read_prefix(buf: &mut impl Buf) -> Result<(bool, usize), ReadError> {
    if buf.remaining() < PREFIX_LEN {
        return Err(ReadError::Malformed("gRPC message without its five-byte prefix"));
    }
    let flag = buf.get_u8();
    let len = buf.get_u32() as usize;
    match flag {
        0 | 1 => Ok((flag == 1, len)),
        _ => Err(ReadError::Malformed("unknown flag in the prefix of a gRPC message")),
    }
}

/// Reads the one message of a unary gRPC call.
///
/// # Errors
/// [`ReadError`] says why not; what was read is dropped and its charge given back.
pub async fn read_grpc<B>(body: B, limit: usize, budget: &Budget, until: Option<Instant>) -> Result<Message, ReadError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut body = Chunks { body, until };
    // The prefix may come in pieces.
    let mut start = match body.next().await? {
        Some(chunk) => chunk,
        None => return Err(ReadError::Malformed("no gRPC message")),
    };
    while start.len() < PREFIX_LEN {
        match body.next().await? {
            Some(chunk) => start = [&start[..], &chunk].concat().into(),
            None => break,
        }
    }
    let (compressed, len) = read_prefix(&mut start)?;
    if len > limit {
        return Err(ReadError::TooLarge { limit });
    }
    let mut message = Growing::new(len, limit, budget.charge());
    message.push(&start).await?;
    while message.len() <= len {
        match body.next().await? {
            Some(chunk) => message.push(&chunk).await?,
            None => break,
        }
    }
    match message.len().cmp(&len) {
        std::cmp::Ordering::Less => Err(ReadError::Malformed("gRPC message is shorter than announced")),
        std::cmp::Ordering::Equal => Ok(message.finish(compressed)),
        std::cmp::Ordering::Greater => Err(ReadError::Malformed("bytes behind the gRPC message")),
    }
}

/// Most that [`discard`] reads, and for how long.
const DISCARD_BYTES_MAX: u64 = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Reads the rest of a body and keeps nothing of it, within bounds. A connection that is closed on bytes that nobody read
/// is reset, and the reset can overtake the answer: a client that is still writing would not hear why, and try again.
pub async fn discard<B>(body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut body = Chunks { body, until: Some(Instant::now() + DISCARD_TIME) };
    let mut read = 0;
    while let Ok(Some(chunk)) = body.next().await {
        read += chunk.len() as u64;
        if read > DISCARD_BYTES_MAX {
            return;
        }
    }
}

/// Reads a whole HTTP body. `announced` is its `Content-Length`, if there is one.
///
/// # Errors
/// [`ReadError`] says why not; what was read is dropped and its charge given back.
pub async fn read_all<B>(
    body: B,
    announced: Option<u64>,
    limit: usize,
    budget: &Budget,
    until: Option<Instant>,
) -> Result<Message, ReadError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if announced.is_some_and(|len| len > limit as u64) {
        return Err(ReadError::TooLarge { limit });
    }
    let mut body = Chunks { body, until };
    let mut message = Growing::new(announced.unwrap_or_default() as usize, limit, budget.charge());
    while let Some(chunk) = body.next().await? {
        message.push(&chunk).await?;
    }
    Ok(message.finish(false))
}

/// The data of a body, piece by piece, with a limit on the wait for each.
struct Chunks<B> {
    body: B,
    until: Option<Instant>,
}

impl<B: Body<Data = Bytes> + Unpin> Chunks<B> {
    /// `None` at the end of the body.
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let stalled = Instant::now() + STALL;
        let deadline = self.until.map_or(stalled, |until| until.min(stalled));
        loop {
            let frame = timeout_at(deadline, self.body.frame()).await.map_err(|_| ReadError::TimedOut)?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(ReadError::Gone),
                // Trailers and empty pieces do not count as progress.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
