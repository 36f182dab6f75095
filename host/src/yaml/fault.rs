//! Why a value could not be read, in words for the operator.

use super::node::describe_text;
use super::path::Trail;
use super::{Node, Origin, Value, nearest};
use serde::de::{self, Expected, Unexpected};
use std::fmt;

/// One fault, located at the innermost node that it is about.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    at: Option<At>,
    /// Address of the innermost node around it that can be passed over: a value in a map or list.
    pass_over: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A sentence.
    Message(String),
    /// A map without this key.
    Missing(&'static str),
    /// A key that serde itself found unknown (a flattened struct).
    Unknown(String, &'static [&'static str]),
    /// Nothing is written where this is expected: as a key of a struct, the same as not being there.
    Null(String),
    /// The value is unknown, and why has been reported.
    Broken,
}

/// Where a fault is.
#[derive(Clone, Debug)]
pub(super) struct At {
    /// Address of the node, its identity while it is read.
    pub(super) node: usize,
    /// Path of the node.
    pub(super) path: String,
    /// Place of the node.
    pub(super) origin: Origin,
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, at: None, pass_over: None }))
    }

    /// The node is of another type than expected.
    pub(super) fn mismatch(node: &Node, expected: &dyn Expected) -> Self {
        let wanted = in_words(&expected.to_string());
        match node.value {
            Value::Null => return Self::new(Kind::Null(wanted)),
            Value::Broken => return Self::new(Kind::Broken),
            _ => {}
        }
        Self::new(Kind::Message(format!("expected {wanted}, found {}", node.describe())))
    }

    /// Says where, unless that is known more precisely already.
    pub(super) fn locate(mut self, node: &Node, trail: &Trail<'_>) -> Self {
        self.0.at.get_or_insert_with(|| At {
            node: address(node),
            path: trail.to_string(),
            origin: node.origin.clone(),
        });
        self
    }

    /// Says which node to pass over, unless that is known more precisely already.
    pub(super) fn pass_over(mut self, node: &Node) -> Self {
        self.0.pass_over.get_or_insert(address(node));
        self
    }

    /// Nothing where there must be something: in lists and free maps a null cannot be left out.
    pub(super) fn null_is_wrong(mut self) -> Self {
        if self.0.at.is_none()
            && let Kind::Null(wanted) = &self.0.kind
        {
            self.0.kind = Kind::Message(format!("expected {wanted}, found nothing"));
        }
        self
    }

    /// What, where, and which node to pass over.
    pub(super) fn into_parts(self) -> (Kind, Option<At>, Option<usize>) {
        (self.0.kind, self.0.at, self.0.pass_over)
    }
}

/// The identity of a node while the tree is borrowed.
pub(super) fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// What to say about a key that nobody knows.
pub(super) fn unknown_key(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("unknown key (did you mean {near:?}?)");
    }
    match known {
        [] => "unknown key: nothing can be set here".to_owned(),
        _ => format!("unknown key; known keys are {}", known.join(", ")),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            Kind::Message(message) => f.write_str(message),
            Kind::Missing(name) => write!(f, "missing key {name:?}"),
            Kind::Unknown(name, known) => f.write_str(&unknown_key(name, known)),
            Kind::Null(wanted) => write!(f, "expected {wanted}, found nothing"),
            Kind::Broken => f.write_str("unknown value"),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Message(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_value(found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = in_words(&expected.to_string());
        Self::new(Kind::Message(format!("expected {wanted}, found {}", describe(found))))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let near = nearest(variant, expected.iter().copied());
        let near = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
        let all: Vec<String> = expected.iter().map(|name| format!("{name:?}")).collect();
        Self::new(Kind::Message(format!("{variant:?} is none of {}{near}", all.join(", "))))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown(field.to_owned(), expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }
}

fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => format!("number {value}"),
        Unexpected::Signed(value) => format!("number {value}"),
        Unexpected::Float(value) => format!("number {value}"),
        Unexpected::Char(value) => describe_text(&value.to_string()),
        Unexpected::Str(text) => describe_text(text),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// serde's names of types, as an operator would say them.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number from 0",
        "a nonzero u8" | "a nonzero u16" | "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => {
            "a whole number from 1"
        }
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "isize" | "i128" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "a character" => "text",
        "a sequence" => "a list",
        "a map" => "a map",
        other => {
            let named = ["struct ", "variant of enum ", "struct variant "];
            if named.iter().any(|prefix| other.starts_with(prefix)) {
                "a map"
            } else if other.starts_with("enum ") {
                "one of the known names"
            } else {
                other
            }
        }
    };
    words.to_owned()
}
