//! Hashes, made by the host at native speed.
//!
//! ```
//! use tailrace_sdk::hash::{Algorithm, digest, digest_all, hex};
//!
//! let pseudonym = hex(&digest(Algorithm::HmacSha256, b"secret", "ann@example.com")?);
//! assert!(pseudonym.starts_with("beac5748"));
//! // One call for all values of a batch:
//! let pseudonyms = digest_all(Algorithm::HmacSha256, b"secret", &["ann@example.com", "bob@example.com"])?;
//! assert_eq!(pseudonyms.len(), 2);
//! # Ok::<(), String>(())
//! ```
//!
//! Whoever can guess a value can hash it and compare: numbers of cards and telephones, names, addresses. Such values are
//! safe only with a secret key and one of the `Hmac` algorithms.

use crate::{host, texts};
use std::fmt;
use std::str::FromStr;

/// How to hash. In a configuration it is the [name](Algorithm::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// 16 bytes. Broken: only to match what others computed.
    Md5,
    /// 20 bytes. Broken: only to match what others computed.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
    /// 32 bytes.
    #[serde(rename = "sha3-256")]
    Sha3_256,
    /// 32 bytes; needs a key.
    HmacSha256,
    /// 64 bytes; needs a key.
    HmacSha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512, Self::Sha3_256, Self::HmacSha256, Self::HmacSha512];

    /// Its name in the contract; what [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Sha3_256 => "sha3-256",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// Bytes of a digest.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha3_256 | Self::HmacSha256 => 32,
            Self::Sha512 | Self::HmacSha512 => 64,
        }
    }

    /// Whether it is nothing without a key.
    pub fn needs_key(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|known| known.name()).collect();
            format!("{name:?} is no hash algorithm; there are {}", known.join(", "))
        })
    }
}

/// The digest of one text. The key is put before the text, but for the `Hmac` algorithms, which do better.
///
/// # Errors
/// A key is missing, or the host does not know the algorithm.
pub fn digest(algorithm: Algorithm, key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    host::hash_texts(algorithm.name(), key, &texts::columns(&[text]))
}

/// The digests of many texts, in their order, in one call: a call costs as much as some ten short hashes.
///
/// # Errors
/// As for [`digest`].
pub fn digest_all<T: AsRef<str>>(algorithm: Algorithm, key: &[u8], texts: &[T]) -> Result<Vec<Vec<u8>>, String> {
    let digests = host::hash_texts(algorithm.name(), key, &texts::columns(texts))?;
    Ok(digests.chunks_exact(algorithm.digest_bytes()).map(<[u8]>::to_vec).collect())
}

/// Bytes as hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
