//! The tree of a configuration, each node with its place.

use std::fmt;
use std::sync::Arc;

/// A place in a source: `file:line:column`, both counted from 1. Line 0 is a source without lines, as a flag is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// File name or URI of the source.
    pub source: Arc<str>,
    /// Line, from 1, or 0 for all of the source.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.source),
            line => write!(f, "{}:{line}:{}", self.source, self.column),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where.
    pub origin: Origin,
    /// What.
    pub value: Value,
    /// For a value that came whole from an expansion: the text it was before YAML gave it a type. A setting that is
    /// text takes this, so that `${env:PIN}` with `PIN=0042` stays `0042` there and is a number elsewhere.
    pub original: Option<Arc<str>>,
}

/// A YAML value, typed as the Collector's YAML library types it.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits, signed or unsigned.
    Int(i128),
    /// Any other number, infinity and NaN included.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map in the order written.
    Map(Vec<(Key, Node)>),
    /// Could not be found out (a failed expansion), which has been reported: nothing more is said about it.
    Broken,
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where.
    pub origin: Origin,
    /// Its text.
    pub name: String,
}

impl Node {
    /// A value at a place.
    pub fn new(origin: Origin, value: Value) -> Self {
        Self { origin, value, original: None }
    }

    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match (&self.value, &self.original) {
            (_, Some(text)) => Some(text),
            (Value::String(text), None) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// The value at `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Key and value at `key` of a map.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.entries().iter().find(|(at, _)| at.name == key)
    }

    /// The same as JSON, for those who are handed JSON. What JSON cannot say (infinity, NaN) becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Number, Value as Json};
        match &self.value {
            Value::Null | Value::Broken => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Number::from_i128(*value).map_or(Json::Null, Json::Number),
            Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Value::String(text) => Json::String(text.clone()),
            Value::Seq(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
        }
    }

    /// In words, for messages: `text "abc"`, `number 5`, `a list`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => format!("number {value}"),
            Value::Float(value) => format!("number {value}"),
            Value::String(text) => describe_text(text),
            Value::Seq(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Broken => "an unknown value".to_owned(),
        }
    }
}

/// Text in a message: quoted, and cut short when long.
pub(super) fn describe_text(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("text {:?}...", text.get(..end).unwrap_or_default()),
        None => format!("text {text:?}"),
    }
}
