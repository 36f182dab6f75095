//! Hashes of texts, and other writings of their bytes.

use super::Call;
use crate::prelude::*;
use crate::text::hex;
use crate::{EvalError, Value};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use sha2::Digest;

type Answer<'a> = Result<Value<'a>, EvalError>;

/// The MD5 hash of a text in hexadecimal digits.
pub(super) fn md5<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    digest::<md5::Md5>(call)
}

/// The SHA-1 hash of a text in hexadecimal digits.
pub(super) fn sha1<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    digest::<sha1::Sha1>(call)
}

/// The SHA-256 hash of a text in hexadecimal digits.
pub(super) fn sha256<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    digest::<sha2::Sha256>(call)
}

/// The SHA-512 hash of a text in hexadecimal digits.
pub(super) fn sha512<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    digest::<sha2::Sha512>(call)
}

fn digest<'a, D: Digest>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Text(hex(&D::digest(call.text(0)?.as_bytes())).into()))
}

/// The FNV-1a hash of a text, 64 bits as a whole number with a sign.
pub(super) fn fnv<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = call.text(0)?.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    Ok(Value::Int(hash.cast_signed()))
}

/// The bytes of a text in base 64.
pub(super) fn base64<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let text = call.text(0)?;
    let variant = if call.given(1) { call.text(1)? } else { "base64".into() };
    let engine = match &*variant {
        "base64" => STANDARD,
        "base64-raw" => STANDARD_NO_PAD,
        "base64-url" => URL_SAFE,
        "base64-raw-url" => URL_SAFE_NO_PAD,
        _ => {
            let known = "base64, base64-raw, base64-url or base64-raw-url";
            return Err(EvalError::new(format!("{variant:?} is no variant: {known}")));
        }
    };
    Ok(Value::Text(engine.encode(text.as_bytes()).into()))
}
