//! `type/name`: how a configuration names a component.

use std::fmt;
use std::str::FromStr;

/// The id of a component or pipeline: a type and an optional name, as in `otlp/tempo`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    kind: String,
    name: Option<String>,
}

/// Why a text is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// The part before the slash is empty.
    #[error("the type of a component id must not be empty")]
    EmptyType,
    /// There is a slash and nothing behind it.
    #[error("the name after the slash must not be empty")]
    EmptyName,
    /// The type has a character outside `[0-9a-zA-Z_]` or does not begin with a letter.
    #[error("invalid component type {0:?}: a letter, then letters, digits and '_'")]
    BadType(String),
}

impl ComponentId {
    /// An id without a name.
    pub fn of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), name: None }
    }

    /// The type: which factory makes it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl FromStr for ComponentId {
    type Err = IdError;

    /// Grammar of the Collector's `component.ID`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (kind.trim(), Some(name.trim())),
            None => (text.trim(), None),
        };
        if kind.is_empty() {
            return Err(IdError::EmptyType);
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !kind.starts_with(|c: char| c.is_ascii_alphabetic()) || !kind.chars().all(word) {
            return Err(IdError::BadType(kind.to_owned()));
        }
        if name == Some("") {
            return Err(IdError::EmptyName);
        }
        Ok(Self { kind: kind.to_owned(), name: name.map(str::to_owned) })
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_as_in_the_collector() {
        for good in ["otlp", "otlp/tempo", "otlp_http/a-b.c", "wasm/a/b"] {
            assert_eq!(good.parse::<ComponentId>().unwrap().to_string(), good);
        }
        assert_eq!("".parse::<ComponentId>(), Err(IdError::EmptyType));
        assert_eq!("/x".parse::<ComponentId>(), Err(IdError::EmptyType));
        assert_eq!("otlp/".parse::<ComponentId>(), Err(IdError::EmptyName));
        assert_eq!("ot-lp".parse::<ComponentId>(), Err(IdError::BadType("ot-lp".into())));
    }
}
