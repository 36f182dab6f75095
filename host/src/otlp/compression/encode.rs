//! Compression on the way out.

use super::Compression;
use flate2::{Compress, FlushCompress, Status};
use std::cell::RefCell;
use zstd::zstd_safe::{CCtx, CParameter, ResetDirective, compress_bound, get_error_name};

/// Why a body could not be compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{compression} at level {level}: {message}")]
pub struct EncodeError {
    compression: Compression,
    level: i32,
    message: String,
}

/// Level of gzip and zlib if none is asked for: a quarter of the time of level 6 for a fifth more bytes.
const DEFLATE_LEVEL: i32 = 1;
/// Level of zstd if none is asked for.
const ZSTD_LEVEL: i32 = 1;
/// Contexts of deflate kept per thread: a process uses one or two levels.
const DEFLATE_CONTEXTS_MAX: usize = 4;

type DeflateKey = (u32, bool);

thread_local! {
    static DEFLATE: RefCell<Vec<(DeflateKey, Compress)>> = const { RefCell::new(Vec::new()) };
    static ZSTD: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
}

/// Compresses `data`. Levels are 0 to 9 for gzip and zlib, -7 to 22 for zstd; `None` is a quick one.
///
/// # Errors
/// When there is no such level, or no memory.
pub fn encode(compression: Compression, level: Option<i32>, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    match compression {
        Compression::None => Ok(data.to_vec()),
        Compression::Gzip => gzip(level.unwrap_or(DEFLATE_LEVEL), data),
        Compression::Zlib => {
            let mut out = Vec::new();
            deflate(compression, level.unwrap_or(DEFLATE_LEVEL), data, &mut out)?;
            Ok(out)
        }
        Compression::Zstd => zstd(level.unwrap_or(ZSTD_LEVEL), data),
    }
}

fn gzip(level: i32, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    // Method deflate, no flags, no time, no hint, unknown system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    deflate(Compression::Gzip, level, data, &mut out)?;
    out.extend_from_slice(&libdeflater::crc32(data).to_le_bytes());
    out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    Ok(out)
}

fn deflate(compression: Compression, level: i32, data: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let fail = |message: &str| EncodeError { compression, level, message: message.to_owned() };
    let number = u32::try_from(level).ok().filter(|level| *level <= 9).ok_or_else(|| fail("no such level"))?;
    let key = (number, compression == Compression::Zlib);
    DEFLATE.with_borrow_mut(|contexts| {
        let mut context = match contexts.iter().position(|(of, _)| *of == key) {
            Some(at) => contexts.swap_remove(at).1,
            None => Compress::new(flate2::Compression::new(number), key.1),
        };
        context.reset();
        // Stored blocks are the worst case: five bytes for each 16 KiB, and the frame around.
        out.reserve(data.len() + data.len() / 1_000 + 64);
        loop {
            let rest = data.get(context.total_in() as usize..).unwrap_or_default();
            let before = (context.total_in(), context.total_out());
            let status = context.compress_vec(rest, out, FlushCompress::Finish);
            match status.map_err(|error| fail(&error.to_string()))? {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError if out.len() == out.capacity() => out.reserve(out.len().max(64)),
                _ if before == (context.total_in(), context.total_out()) => return Err(fail("no progress")),
                _ => {}
            }
        }
        contexts.truncate(DEFLATE_CONTEXTS_MAX - 1);
        contexts.push((key, context));
        Ok(())
    })
}

fn zstd(level: i32, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let fail = |message: &str| EncodeError { compression: Compression::Zstd, level, message: message.to_owned() };
    if !(-7..=22).contains(&level) {
        return Err(fail("no such level"));
    }
    ZSTD.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(CCtx::try_create().ok_or_else(|| fail("out of memory"))?),
        };
        let mut out = Vec::with_capacity(compress_bound(data.len()));
        context
            .reset(ResetDirective::SessionOnly)
            .and_then(|_| context.set_parameter(CParameter::CompressionLevel(level)))
            .and_then(|_| context.compress2(&mut out, data))
            .map_err(|code| fail(get_error_name(code)))?;
        // The bound is for the worst case; keep no more than was needed.
        out.shrink_to_fit();
        Ok(out)
    })
}
