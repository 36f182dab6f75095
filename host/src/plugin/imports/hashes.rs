//! Hashes: `hash-texts`.

use super::{TooMuch, each};
use crate::plugin::bindings::host::Texts;
use crate::plugin::guest::Pace;
use hmac::Hmac;
use hmac::digest::KeyInit;
use md5::Md5;
use sha1::Sha1;
use sha2::digest::{FixedOutput, Update};
use sha2::{Sha256, Sha512};
use sha3::Sha3_256;

/// Bytes of a text or key between two looks at the clock.
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
    let work = Work { texts, room, pace };
    match algorithm {
        "md5" => work.plain::<Md5>(key).await,
        "sha1" => work.plain::<Sha1>(key).await,
        "sha256" => work.plain::<Sha256>(key).await,
        "sha512" => work.plain::<Sha512>(key).await,
        "sha3-256" => work.plain::<Sha3_256>(key).await,
        "hmac-sha256" | "hmac-sha512" if key.is_empty() => Ok(Err(format!("{algorithm} needs a key"))),
        "hmac-sha256" => work.keyed::<Hmac<Sha256>, Sha256>(key).await,
        "hmac-sha512" => work.keyed::<Hmac<Sha512>, Sha512>(key).await,
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

type Digests = Result<Vec<u8>, String>;

impl Work<'_, '_> {
    /// Hashes the key in front of each text.
    async fn plain<D: Update + FixedOutput + Clone + Default>(mut self, key: &[u8]) -> wasmtime::Result<Digests> {
        let begun = self.update(D::default(), key).await?;
        self.hash(begun).await
    }

    /// Hashes each text with a secret key. That of a long key is the same as that of its hash.
    async fn keyed<M, D>(mut self, key: &[u8]) -> wasmtime::Result<Digests>
    where
        M: Update + FixedOutput + Clone + KeyInit,
        D: Update + FixedOutput + Default,
    {
        let begun = if key.len() > SLICE_BYTES {
            let short = self.update(D::default(), key).await?.finalize_fixed();
            M::new_from_slice(&short)
        } else {
            M::new_from_slice(key)
        };
        match begun {
            Ok(begun) => self.hash(begun).await,
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Hashes each text with what is begun here.
    async fn hash<D: Update + FixedOutput + Clone>(mut self, begun: D) -> wasmtime::Result<Digests> {
        let length = self.texts.ends.len().saturating_mul(D::output_size());
        if length > self.room {
            return Err(TooMuch("digests").into());
        }
        let mut digests = Vec::with_capacity(length);
        for (at, text) in each(self.texts).enumerate() {
            let Some(text) = text else {
                return Ok(Err(format!("text {at} does not end in the data, behind the one before it")));
            };
            let hash = self.update(begun.clone(), text.as_bytes()).await?;
            digests.extend_from_slice(&hash.finalize_fixed());
            self.pace.spent(HASH_STEPS).await?;
        }
        Ok(Ok(digests))
    }

    async fn update<D: Update>(&mut self, mut hash: D, bytes: &[u8]) -> wasmtime::Result<D> {
        for slice in bytes.chunks(SLICE_BYTES) {
            hash.update(slice);
            self.pace.spent(slice.len()).await?;
        }
        Ok(hash)
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

    /// The clock is looked at in the midst of a text and of a key, however large they are.
    #[tokio::test]
    async fn what_is_large_ends_with_the_call() {
        let large = "x".repeat(1 << 20);
        for (key, text) in [("key", large.as_str()), (&large, "text")] {
            let ended = hash_within(Duration::ZERO, key.as_bytes(), text).await.unwrap_err();
            assert!(ended.to_string().contains("computed for longer"), "{ended}");
        }
    }

    /// However it is hashed.
    #[tokio::test]
    async fn a_long_key_is_a_key() {
        for bytes in [1, 64, 65, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES] {
            let key = vec![7; bytes];
            let expected = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap().chain("text").finalize_fixed();
            let hashed = hash_within(Duration::from_secs(60), &key, "text").await.unwrap().unwrap();
            assert_eq!(hashed, expected.as_slice(), "{bytes}");
        }
    }
}
