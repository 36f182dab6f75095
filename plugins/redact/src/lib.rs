//! Deletes, masks or hashes attributes by key: of resources, scopes, metrics, spans, log records, data points, events,
//! links and exemplars. See `README.md`.

use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Level, Plugin, Value};

/// Fewest bytes of a key for which a hash cannot be turned back by trying keys.
const HASH_KEY_BYTES_MIN: usize = 16;

/// What the operator writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Keys of attributes; `*` at the end stands for the rest of the key.
    pub keys: Vec<String>,
    /// What is done with them.
    #[serde(default)]
    pub action: Action,
    /// Where; everywhere if not given.
    #[serde(default)]
    pub levels: Vec<LevelName>,
    /// What `mask` puts in place of the value.
    #[serde(default = "mask")]
    pub mask: String,
    /// The secret of `hash`. Same secret, same value: same hash, on every machine.
    pub hash_key: Option<String>,
}

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is removed.
    #[default]
    Delete,
    /// Its value is replaced by a fixed text.
    Mask,
    /// Its value is replaced by a keyed hash of it.
    Hash,
}

/// Where attributes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelName {
    /// On resources.
    Resource,
    /// On instrumentation scopes.
    Scope,
    /// On spans, log records and data points.
    Item,
    /// On events of spans.
    Event,
    /// On links of spans.
    Link,
    /// On exemplars of data points.
    Exemplar,
    /// On metrics.
    Metric,
}

fn mask() -> String {
    "****".to_owned()
}

/// The plugin.
#[derive(Debug)]
pub struct Redact {
    config: Config,
    hmac: Option<Hmac<Sha256>>,
}

impl Plugin for Redact {
    type Config = Config;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Config) -> Result<Self, String> {
        if config.keys.is_empty() {
            return Err("keys: name at least one attribute".to_owned());
        }
        if config.keys.iter().any(String::is_empty) {
            return Err("keys: an attribute cannot have an empty key".to_owned());
        }
        let hmac = match (config.action, &config.hash_key) {
            (Action::Hash, Some(key)) if key.len() >= HASH_KEY_BYTES_MIN => {
                Some(Hmac::new_from_slice(key.as_bytes()).map_err(|error| format!("hash_key: {error}"))?)
            }
            (Action::Hash, _) => {
                return Err(format!(
                    "hash_key: `action: hash` needs a secret of at least {HASH_KEY_BYTES_MIN} bytes, as in \
                     ${{env:REDACT_HASH_KEY}}; without one, short values could be guessed"
                ));
            }
            (_, Some(_)) => return Err("hash_key: is only used with `action: hash`".to_owned()),
            (_, None) => None,
        };
        Ok(Self { config, hmac })
    }

    fn interest(&self) -> Interest {
        let levels = self.config.levels.iter().map(|level| match level {
            LevelName::Resource => Level::Resource,
            LevelName::Scope => Level::Scope,
            LevelName::Item => Level::Item,
            LevelName::Event => Level::Event,
            LevelName::Link => Level::Link,
            LevelName::Exemplar => Level::Exemplar,
            LevelName::Metric => Level::Metric,
        });
        Interest::in_attributes(&self.config.keys).at(levels)
    }
}

impl Attributes for Redact {
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Edit {
        match (self.config.action, &self.hmac) {
            (Action::Mask, _) => Edit::set(self.config.mask.clone()),
            (Action::Hash, Some(hmac)) => Edit::set(hash(hmac.clone(), &attribute.value)),
            _ => Edit::Remove,
        }
    }
}

/// HMAC-SHA-256 of the value in hex. A number, or a truth value, hashes as its text, so that 42 and "42" still join.
fn hash(mut hmac: Hmac<Sha256>, value: &Value<'_>) -> String {
    match value {
        Value::Empty => {}
        Value::String(text) => hmac.update(text.as_bytes()),
        Value::Bool(truth) => hmac.update(truth.to_string().as_bytes()),
        Value::Int(number) => hmac.update(number.to_string().as_bytes()),
        Value::Double(number) => hmac.update(number.to_string().as_bytes()),
        Value::Bytes(bytes) | Value::Nested(bytes) => hmac.update(bytes),
    }
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    hmac.finalize().into_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

tailrace_sdk::export!(Redact: attributes);

#[cfg(test)]
mod tests;
