//! Decompression under a cap.

use super::Compression;
use bytes::Bytes;
use libdeflater::{DecompressionError, Decompressor};
use std::cell::RefCell;
use std::io::Read as _;
use tokio::sync::Semaphore;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name, get_frame_content_size};

/// Why a body could not be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is longer than the limit once decompressed.
    #[error("decompressed body is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is not what it says it is.
    #[error("invalid {compression} body: {message}")]
    Corrupt {
        /// What it says it is.
        compression: Compression,
        /// What is wrong.
        message: String,
    },
    /// The process has no thread left to do it; trying again may help.
    #[error("decompression was cut off")]
    Aborted,
}

/// No coding here can do better: 1,032 bytes from one is deflate's best, and zstd's frames tell their size.
const DEFLATE_RATIO_MAX: usize = 1_032;
/// Largest window of a zstd stream: 2^23 bytes, what RFC 8878 recommends decoders to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// First allocation for output whose size nobody tells, in bytes.
const UNKNOWN_OUTPUT: usize = 64 << 10;
/// Bodies that are, or say they become, larger than this are decompressed off the runtime, in bytes.
const INLINE_OUTPUT_MAX: usize = 2 << 20;
/// How many bodies may be decompressed off the runtimes at once; others wait.
static OFF_RUNTIME: Semaphore = Semaphore::const_new(4);

thread_local! {
    static DEFLATE: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    static ZSTD: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// How large `body` says it is once decompressed, never more than `limit`. Only a hint.
pub fn output_hint(compression: Compression, body: &[u8], limit: usize) -> usize {
    let size = match compression {
        Compression::None => body.len(),
        Compression::Gzip => {
            let size = body.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
            size.min(body.len().saturating_mul(DEFLATE_RATIO_MAX))
        }
        Compression::Zlib => body.len().saturating_mul(6),
        Compression::Zstd => match zstd_size(body) {
            Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
            None => body.len().saturating_mul(6),
        },
    };
    size.min(limit)
}

/// Decompresses `body` to at most `limit` bytes.
///
/// # Errors
/// When it would become larger, or is not valid to its very end.
pub fn decode(compression: Compression, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    match compression {
        Compression::None if body.len() > limit => Err(DecodeError::TooLarge { limit }),
        Compression::None => Ok(body.to_vec()),
        Compression::Gzip => gzip(body, limit),
        Compression::Zlib => zlib(body, limit),
        Compression::Zstd => zstd(body, limit),
    }
}

/// [`decode`] that does not hold up the runtime for a large body.
///
/// # Errors
/// As [`decode`].
pub async fn decode_async(compression: Compression, body: Bytes, limit: usize) -> Result<Bytes, DecodeError> {
    if compression == Compression::None && body.len() <= limit {
        return Ok(body);
    }
    if body.len().max(output_hint(compression, &body, limit)) <= INLINE_OUTPUT_MAX {
        return decode(compression, &body, limit).map(Bytes::from);
    }
    let _turn = OFF_RUNTIME.acquire().await.map_err(|_| DecodeError::Aborted)?;
    let work = tokio::task::spawn_blocking(move || decode(compression, &body, limit).map(Bytes::from));
    work.await.map_err(|_| DecodeError::Aborted)?
}

fn corrupt(compression: Compression, message: impl ToString) -> DecodeError {
    DecodeError::Corrupt { compression, message: message.to_string() }
}

fn gzip(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    const MAGIC: &[u8] = &[0x1f, 0x8b, 8];
    // libdeflate reads the first member and does not say where it ended. If no other member can begin behind it, the
    // body ends with the size of this one; else the slower decoder, which reads them all, has the word.
    if memchr::memmem::find(body.get(MAGIC.len()..).unwrap_or_default(), MAGIC).is_some() {
        return gzip_members(body, limit);
    }
    let announced = body.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size));
    let mut out = vec![0; output_hint(Compression::Gzip, body, limit)];
    match DEFLATE.with_borrow_mut(|decoder| decoder.gzip_decompress(body, &mut out)) {
        Ok(len) if len as u32 == announced => {
            out.truncate(len);
            Ok(out)
        }
        Ok(_) => Err(corrupt(Compression::Gzip, "garbage behind its end")),
        Err(DecompressionError::InsufficientSpace) if announced as usize > limit => {
            Err(DecodeError::TooLarge { limit })
        }
        // The size at its end is a lie, or is no size because something was appended.
        Err(DecompressionError::InsufficientSpace) => gzip_members(body, limit),
        Err(DecompressionError::BadData) => Err(corrupt(Compression::Gzip, "bad data")),
    }
}

fn gzip_members(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    read_capped(Compression::Gzip, flate2::bufread::MultiGzDecoder::new(body), limit)
}

fn read_capped(compression: Compression, reader: impl std::io::Read, limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let read = reader.take((limit as u64).saturating_add(1)).read_to_end(&mut out);
    if out.len() > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    read.map_err(|error| corrupt(compression, error))?;
    Ok(out)
}

fn zlib(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    // RFC 1950: method 8, and the two bytes are a multiple of 31. A raw deflate stream looks like that once in a
    // thousand; what then fails as zlib is tried as raw.
    let zlib_header = match body {
        [first, second, ..] => first & 15 == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31),
        _ => false,
    };
    if zlib_header {
        let mut decoder = flate2::bufread::ZlibDecoder::new(body);
        let result = read_capped(Compression::Zlib, &mut decoder, limit);
        match result {
            Ok(out) if decoder.get_ref().is_empty() => return Ok(out),
            Ok(_) => return Err(corrupt(Compression::Zlib, "garbage behind its end")),
            Err(DecodeError::TooLarge { .. }) => return result,
            Err(_) => {}
        }
    }
    let mut decoder = flate2::bufread::DeflateDecoder::new(body);
    let out = read_capped(Compression::Zlib, &mut decoder, limit)?;
    if !decoder.get_ref().is_empty() {
        return Err(corrupt(Compression::Zlib, "garbage behind its end"));
    }
    Ok(out)
}

/// The size in the header of the first frame.
fn zstd_size(body: &[u8]) -> Option<u64> {
    get_frame_content_size(body).ok().flatten()
}

fn zstd(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    ZSTD.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => {
                let mut fresh = DCtx::try_create().ok_or_else(|| corrupt(Compression::Zstd, "out of memory"))?;
                fresh.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(zstd_error)?;
                context.insert(fresh)
            }
        };
        let size = zstd_size(body);
        if let Some(size) = size {
            if size > limit as u64 {
                return Err(DecodeError::TooLarge { limit });
            }
            // Into a buffer of the announced size: the output is the window, nothing else is allocated. If this fails there
            // are more frames, or it is broken: the stream decoder finds out.
            let mut out = Vec::with_capacity(size as usize);
            if context.decompress(&mut out, body).is_ok() {
                return Ok(out);
            }
        }
        let result = zstd_stream(context, body, size.map_or(UNKNOWN_OUTPUT, |size| size as usize), limit);
        // Whatever state it was left in must not reach the next body.
        context.reset(ResetDirective::SessionOnly).map_err(zstd_error)?;
        result
    })
}

fn zstd_stream(context: &mut DCtx<'static>, body: &[u8], first: usize, limit: usize) -> Result<Vec<u8>, DecodeError> {
    context.reset(ResetDirective::SessionOnly).map_err(zstd_error)?;
    let mut input = InBuffer::around(body);
    let mut out: Vec<u8> = Vec::with_capacity(first.max(1).min(limit.saturating_add(1)));
    let mut frame_is_open = false;
    while input.pos() < body.len() || frame_is_open {
        if out.len() > limit {
            return Err(DecodeError::TooLarge { limit });
        }
        if out.len() == out.capacity() {
            let room = limit.saturating_add(1).saturating_sub(out.len());
            out.reserve_exact(out.len().max(UNKNOWN_OUTPUT).min(room));
        }
        let (read, written) = (input.pos(), out.len());
        let mut output = OutBuffer::around_pos(&mut out, written);
        let more = context.decompress_stream(&mut output, &mut input).map_err(zstd_error)?;
        let wrote = output.pos() > written;
        frame_is_open = more != 0;
        if input.pos() == read && !wrote {
            return Err(corrupt(Compression::Zstd, "cut off"));
        }
    }
    if out.len() > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    Ok(out)
}

fn zstd_error(code: usize) -> DecodeError {
    corrupt(Compression::Zstd, get_error_name(code))
}
