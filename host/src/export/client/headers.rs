//! `headers`: what a user wants on every request.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Names and values in the order written: a map, or a list of `{name: ..., value: ...}`. Values may be secrets and are
/// never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

impl Headers {
    /// As they go on the wire.
    pub fn map(&self) -> &HeaderMap {
        &self.0
    }

    fn add<E: Error>(&mut self, name: &str, value: &str) -> Result<(), E> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| E::custom(format!("{name:?} is no name of a header")))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| E::custom(format!("the value of {name:?} has characters that no header may have")))?;
        value.set_sensitive(true);
        self.0.append(name, value);
        Ok(())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    value: String,
}

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of headers")
    }

    fn visit_unit<E: Error>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            headers.add(&name, &value)?;
        }
        Ok(headers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(pair) = list.next_element::<Pair>()? {
            headers.add(&pair.name, &pair.value)?;
        }
        Ok(headers)
    }
}
