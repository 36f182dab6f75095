//! What the operator writes, with the Collector's keys.

use actions::settings::{Faults, texts};
use serde::Deserialize;

/// Settings of the processor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether `allowed_keys` is of no concern.
    pub(crate) allow_all_keys: bool,
    /// The only attributes that stay; none if the list is empty.
    #[serde(deserialize_with = "texts")]
    pub(crate) allowed_keys: Vec<String>,
    /// Attributes that pass without a look.
    #[serde(deserialize_with = "texts")]
    pub(crate) ignored_keys: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) ignored_key_patterns: Vec<String>,
    /// Attributes whose value is masked.
    #[serde(deserialize_with = "texts")]
    pub(crate) blocked_key_patterns: Vec<String>,
    /// What is masked in a value.
    #[serde(deserialize_with = "texts")]
    pub(crate) blocked_values: Vec<String>,
    /// A value in which one of these is found stays.
    #[serde(deserialize_with = "texts")]
    pub(crate) allowed_values: Vec<String>,
    /// What stands in place of a value: `****` if empty, or a hash of it.
    pub(crate) hash_function: String,
    /// The secret of the `hmac` functions.
    pub(crate) hmac_key: String,
    /// Whether numbers, truth values, bytes, arrays and maps in attributes are looked at too.
    pub(crate) redact_all_types: bool,
    /// What is told about the work: `debug`, `info` or `silent`.
    pub(crate) summary: String,
    url_sanitizer: UrlSanitizer,
    db_sanitizer: DbSanitizer,
}

/// Understood as far as it is off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UrlSanitizer {
    enabled: bool,
    #[serde(rename = "attributes", deserialize_with = "texts")]
    _attributes: Vec<String>,
    #[serde(rename = "sanitize_span_name")]
    _sanitize_span_name: Option<bool>,
}

/// Understood as far as it is off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DbSanitizer {
    sql: Database,
    redis: Database,
    valkey: Database,
    memcached: Database,
    mongo: Database,
    opensearch: Database,
    es: Database,
    #[serde(rename = "sanitize_span_name")]
    _sanitize_span_name: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Database {
    enabled: bool,
    #[serde(rename = "attributes", deserialize_with = "texts")]
    _attributes: Vec<String>,
}

impl Settings {
    /// Finds what this version cannot do.
    pub(crate) fn check(&self, faults: &mut Faults) {
        if self.url_sanitizer.enabled {
            let reason = "is not supported: which part of a path is an id is guessed by a trained model, which this build \
                          does not have; mask ids with `blocked_values`";
            faults.add("url_sanitizer.enabled", reason);
        }
        let db = &self.db_sanitizer;
        let databases = [
            ("sql", &db.sql),
            ("redis", &db.redis),
            ("valkey", &db.valkey),
            ("memcached", &db.memcached),
            ("mongo", &db.mongo),
            ("opensearch", &db.opensearch),
            ("es", &db.es),
        ];
        for (name, database) in databases {
            if database.enabled {
                let reason = "is not supported: this build has no parser for query languages; mask literals with \
                              `blocked_values`, or the whole query with `blocked_key_patterns`";
                faults.add(&format!("db_sanitizer.{name}.enabled"), reason);
            }
        }
    }
}
