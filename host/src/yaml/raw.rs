//! Reading a [`Node`] as itself, inside a struct that serde reads.
//!
//! serde has no way to hand a foreign value through a visitor, so the node waits in a slot of this thread between the
//! reader's and the visitor's half of the same call.

use super::Node;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::cell::Cell;
use std::fmt;

/// Name by which the reader knows that a node is wanted.
pub(super) const MARKER: &str = "$tailrace::yaml::Node";

thread_local! {
    static SLOT: Cell<Option<Node>> = const { Cell::new(None) };
}

/// The reader's half.
pub(super) fn hand<'de, V: Visitor<'de>, E: de::Error>(node: &Node, visitor: V) -> Result<V::Value, E> {
    SLOT.set(Some(node.clone()));
    visitor.visit_unit()
}

impl<'de> Deserialize<'de> for Node {
    /// Works where the source is a [`Node`], not behind `#[serde(flatten)]` and not from other formats.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taker;

        impl<'de> Visitor<'de> for Taker {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a configuration")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                SLOT.take().ok_or_else(|| E::custom("this value can only be read from a configuration"))
            }
        }

        deserializer.deserialize_newtype_struct(MARKER, Taker)
    }
}
