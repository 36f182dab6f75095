//! Hashes with the crates that the host uses.

use super::Texts;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sha3::Sha3_256;

pub(crate) fn hash_texts(algorithm: &str, key: &[u8], texts: &Texts) -> Result<Vec<u8>, String> {
    match algorithm {
        "md5" => Ok(plain::<Md5>(key, texts)),
        "sha1" => Ok(plain::<Sha1>(key, texts)),
        "sha256" => Ok(plain::<Sha256>(key, texts)),
        "sha512" => Ok(plain::<Sha512>(key, texts)),
        "sha3-256" => Ok(plain::<Sha3_256>(key, texts)),
        "hmac-sha256" | "hmac-sha512" if key.is_empty() => Err(format!("{algorithm} needs a key")),
        "hmac-sha256" => keyed(Hmac::<Sha256>::new_from_slice(key), texts),
        "hmac-sha512" => keyed(Hmac::<Sha512>::new_from_slice(key), texts),
        _ => Err(format!("{algorithm:?} is no algorithm that this host knows")),
    }
}

fn plain<D: Digest>(key: &[u8], texts: &Texts) -> Vec<u8> {
    texts.iter().flat_map(|text| D::new().chain_update(key).chain_update(text).finalize()).collect()
}

fn keyed<M: Mac + Clone, E: ToString>(keyed: Result<M, E>, texts: &Texts) -> Result<Vec<u8>, String> {
    let keyed = keyed.map_err(|error| error.to_string())?;
    Ok(texts.iter().flat_map(|text| keyed.clone().chain_update(text).finalize().into_bytes()).collect())
}
