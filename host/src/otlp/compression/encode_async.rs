//! Compression that does not hold up the runtime for a large body.

use super::{Compression, EncodeError, encode};
use bytes::Bytes;
use tokio::sync::Semaphore;

/// Bodies larger than this are compressed off the runtime, in bytes: about a millisecond of work.
const INLINE_INPUT_MAX: usize = 1 << 20;
/// How many bodies may be compressed off the runtimes at once; others wait.
static OFF_RUNTIME: Semaphore = Semaphore::const_new(4);

/// [`encode`] that does not hold up the runtime for a large body. Without compression the bytes are passed on, not copied.
///
/// # Errors
/// As [`encode`].
pub async fn encode_async(compression: Compression, level: Option<i32>, body: Bytes) -> Result<Bytes, EncodeError> {
    if compression == Compression::None {
        return Ok(body);
    }
    if body.len() <= INLINE_INPUT_MAX {
        return encode(compression, level, &body).map(Bytes::from);
    }
    // The semaphore is never closed, so there is always a permit in the end.
    let _turn = OFF_RUNTIME.acquire().await.ok();
    let copy = body.clone();
    match tokio::task::spawn_blocking(move || encode(compression, level, &copy).map(Bytes::from)).await {
        Ok(encoded) => encoded,
        // The thread pool is gone (we are being shut down) or the work panicked: here, then.
        Err(_) => encode(compression, level, &body).map(Bytes::from),
    }
}
