//! Hashes: `hash-texts`.

use super::{TooMuch, each};
use crate::plugin::bindings::host::Texts;
use crate::plugin::guest::Pace;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::{Digest, FixedOutput, Update};
use sha2::{Sha256, Sha512};
use sha3::Sha3_256;

/// Bytes of a text between two looks at the clock; and of a key, which is hashed at once.
const SLICE_BYTES: usize = 64 << 10;
/// What a hash costs beside the bytes of its text, in the same unit.
const HASH_STEPS: usize = 200;

/// Hashes of texts, one after the other; or why not.
pub(in crate::plugin) async fn hash(
    algorithm: &str,
    key: &[u8],
    texts: &Texts,
    room: usize,
    pace: &mut Pace<'_>,
) -> wasmtime::Result<Result<Vec<u8>, String>> {
    if key.len() > SLICE_BYTES {
        return Ok(Err(format!("a key of {} bytes; {SLICE_BYTES} are possible", key.len())));
    }
    let work = Work { texts, room, pace };
    match algorithm {
        "md5" => work.hash(Md5::new().chain_update(key)).await,
        "sha1" => work.hash(Sha1::new().chain_update(key)).await,
        "sha256" => work.hash(Sha256::new().chain_update(key)).await,
        "sha512" => work.hash(Sha512::new().chain_update(key)).await,
        "sha3-256" => work.hash(Sha3_256::new().chain_update(key)).await,
        "hmac-sha256" | "hmac-sha512" if key.is_empty() => Ok(Err(format!("{algorithm} needs a key"))),
        "hmac-sha256" => match Hmac::<Sha256>::new_from_slice(key) {
            Ok(keyed) => work.hash(keyed).await,
            Err(error) => Ok(Err(error.to_string())),
        },
        "hmac-sha512" => match Hmac::<Sha512>::new_from_slice(key) {
            Ok(keyed) => work.hash(keyed).await,
            Err(error) => Ok(Err(error.to_string())),
        },
        other => {
            let known = "md5, sha1, sha256, sha512, sha3-256, hmac-sha256 and hmac-sha512";
            let other = crate::plugin::log::cut(other, 100);
            Ok(Err(format!("this host knows no algorithm {other:?}; it knows {known}")))
        }
    }
}

struct Work<'a, 'p> {
    texts: &'a Texts,
    room: usize,
    pace: &'a mut Pace<'p>,
}

impl Work<'_, '_> {
    /// Hashes each text with what is begun here.
    async fn hash<D: Update + FixedOutput + Clone>(self, begun: D) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let length = self.texts.ends.len().saturating_mul(D::output_size());
        if length > self.room {
            return Err(TooMuch("digests").into());
        }
        let mut digests = Vec::with_capacity(length);
        for (at, text) in each(self.texts).enumerate() {
            let Some(text) = text else {
                return Ok(Err(format!("text {at} does not end in the data, behind the one before it")));
            };
            let mut hash = begun.clone();
            for slice in text.as_bytes().chunks(SLICE_BYTES) {
                hash.update(slice);
                self.pace.spent(slice.len()).await?;
            }
            digests.extend_from_slice(&hash.finalize_fixed());
            self.pace.spent(HASH_STEPS).await?;
        }
        Ok(Ok(digests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::guest::CallClock;
    use std::time::Duration;

    async fn hash_within(budget: Duration, key: &[u8], text: &str) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let mut clock = CallClock::new();
        clock.begin(budget);
        let texts = Texts { ends: vec![u32::try_from(text.len()).unwrap()], data: text.to_owned() };
        hash("hmac-sha256", key, &texts, 1 << 20, &mut clock.pace()).await
    }

    /// The clock is looked at in the midst of a text, however few and large they are.
    #[tokio::test]
    async fn a_large_text_ends_with_the_call() {
        let ended = hash_within(Duration::ZERO, b"key", &"x".repeat(1 << 20)).await.unwrap_err();
        assert!(ended.to_string().contains("computed for longer"), "{ended}");
    }

    /// A key is hashed without a look at the clock.
    #[tokio::test]
    async fn a_key_has_a_limit() {
        let minute = Duration::from_secs(60);
        assert_eq!(hash_within(minute, &[7; SLICE_BYTES], "text").await.unwrap().unwrap().len(), 32);
        let refused = hash_within(minute, &[7; SLICE_BYTES + 1], "text").await.unwrap().unwrap_err();
        assert_eq!(refused, "a key of 65537 bytes; 65536 are possible");
    }
}
