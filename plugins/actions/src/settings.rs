//! Settings as the Collector's YAML has them, handed over as JSON: reading them, and faults that name their key.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value as Json;
use tailrace_sdk::config_fault;

/// Faults of settings, each with the path of its key.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// A fault at `path`, as in `include.services[0]`; "" is the whole.
    pub fn add(&mut self, path: &str, message: impl AsRef<str>) {
        let message = message.as_ref().trim().replace('\n', " ");
        self.0.push(if path.is_empty() { message } else { format!("{path}: {message}") });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults as one text, a line each; nothing if there is none.
    ///
    /// # Errors
    /// If there is one.
    pub fn into_result(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.join("\n")) }
    }
}

/// Reads settings. A key with nothing behind it is the same as no key, as in the Collector.
///
/// # Errors
/// The first fault, behind the path of its key.
pub fn read<C: DeserializeOwned>(mut settings: Json) -> Result<C, String> {
    without_nulls(&mut settings);
    serde_path_to_error::deserialize(settings)
        .map_err(|error| config_fault(&error.path().to_string(), &error.inner().to_string()))
}

fn without_nulls(json: &mut Json) {
    match json {
        Json::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(without_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// A list of texts, which may be written as one text with commas.
///
/// # Errors
/// If it is neither.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged, expecting = "expected a list of texts")]
    enum Texts {
        List(Vec<String>),
        Commas(String),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::List(list) => list,
        Texts::Commas(text) if text.is_empty() => Vec::new(),
        Texts::Commas(text) => text.split(',').map(str::to_owned).collect(),
    })
}
