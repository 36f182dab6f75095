//! What stands in place of a secret: stars, or a hash of it.

use crate::settings::Settings;
use actions::settings::Faults;
use tailrace_sdk::hash::{Algorithm, digest_all, hex};

/// The stars that say nothing, not even how long the value was.
const STARS: &str = "****";

/// How values are masked.
#[derive(Debug)]
pub(crate) enum Mask {
    Stars,
    Hash { algorithm: Algorithm, key: Vec<u8> },
}

impl Mask {
    /// Checks `hash_function` and `hmac_key`.
    pub(crate) fn new(settings: &Settings, faults: &mut Faults) -> Self {
        let algorithm = match settings.hash_function.to_lowercase().as_str() {
            "" => {
                refuse_key(settings, faults);
                return Self::Stars;
            }
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha3" => Algorithm::Sha3_256,
            "hmac-sha256" => Algorithm::HmacSha256,
            "hmac-sha512" => Algorithm::HmacSha512,
            _ => {
                let message = format!(
                    "{:?} is no hash function; there are md5, sha1, sha3, hmac-sha256 and hmac-sha512",
                    settings.hash_function
                );
                faults.add("hash_function", message);
                return Self::Stars;
            }
        };
        let least = match algorithm {
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha512 => 64,
            _ => {
                refuse_key(settings, faults);
                return Self::Hash { algorithm, key: Vec::new() };
            }
        };
        let key = settings.hmac_key.as_bytes();
        if key.len() < least {
            let length = if key.is_empty() { "none".to_owned() } else { format!("one of {} bytes", key.len()) };
            let message = format!("{algorithm} needs a key of at least {least} bytes, and this is {length}");
            faults.add("hmac_key", message);
        }
        Self::Hash { algorithm, key: key.to_vec() }
    }

    /// What stands in place of each text.
    ///
    /// # Errors
    /// If the host cannot hash so.
    pub(crate) fn all(&self, texts: &[&str]) -> Result<Vec<String>, String> {
        match self {
            Self::Stars => Ok(vec![STARS.to_owned(); texts.len()]),
            Self::Hash { .. } if texts.is_empty() => Ok(Vec::new()),
            Self::Hash { algorithm, key } => {
                let digests = digest_all(*algorithm, key, texts)?;
                Ok(digests.iter().map(|digest| hex(digest)).collect())
            }
        }
    }

    /// What stands in place of whole texts. Each line is masked by itself, as the Collector's expression for "all of it" does
    /// not reach over the end of a line.
    ///
    /// # Errors
    /// If the host cannot hash so.
    pub(crate) fn whole(&self, texts: &[&str]) -> Result<Vec<String>, String> {
        let lines: Vec<_> = texts.iter().flat_map(|text| text.split('\n')).collect();
        let mut masked = self.all(&lines)?.into_iter();
        let join = |text: &&str| {
            let lines: Vec<_> = masked.by_ref().take(text.split('\n').count()).collect();
            lines.join("\n")
        };
        Ok(texts.iter().map(join).collect())
    }
}

/// A key that makes nothing safer is not taken.
fn refuse_key(settings: &Settings, faults: &mut Faults) {
    if !settings.hmac_key.is_empty() {
        faults.add("hmac_key", "is used by hmac-sha256 and hmac-sha512 only: set `hash_function` to one of them");
    }
}
