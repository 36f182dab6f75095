//! Attribute keys and values.

use crate::wire::{self, Fields, Wire, WireType};
use alloc::vec::Vec;
use core::fmt;

/// A string of a validated request: its bytes are UTF-8, and checked again only when a `&str` is asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Str<'a>(&'a [u8]);

impl<'a> Str<'a> {
    /// From bytes that are said to be UTF-8.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The string. If the bytes are not UTF-8 (which validation excludes): the part of them that is, from the start.
    #[must_use]
    pub fn to_str(self) -> &'a str {
        match core::str::from_utf8(self.0) {
            Ok(string) => string,
            Err(invalid) => self
                .0
                .get(..invalid.valid_up_to())
                .and_then(|valid| core::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        }
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(string: &'a str) -> Self {
        Self(string.as_bytes())
    }
}

impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Str<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.to_str(), f)
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.to_str(), f)
    }
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyValue<'a> {
    /// Its key.
    pub key: Str<'a>,
    /// Its value.
    pub value: Value<'a>,
}

impl<'a> KeyValue<'a> {
    /// From the payload of a `KeyValue` message.
    #[must_use]
    #[inline]
    pub fn new(message: &'a [u8]) -> Self {
        let mut this = Self { key: Str::default(), value: Value::Empty };
        for field in Fields::new(message) {
            match (field.number, field.wire) {
                (1, Wire::Bytes(key)) => this.key = Str(key),
                (2, Wire::Bytes(value)) => this.value = Value::new(value),
                _ => {}
            }
        }
        this
    }
}

/// A value: of an attribute, an element of an array, or the body of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// None is given. Also an index into the string table of profiles, which other signals must treat as none.
    #[default]
    Empty,
    /// A string.
    String(Str<'a>),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array.
    Array(ArrayView<'a>),
    /// A list of keys and values.
    KvList(KvListView<'a>),
}

impl<'a> Value<'a> {
    /// From the payload of an `AnyValue` message.
    #[must_use]
    #[inline]
    pub fn new(message: &'a [u8]) -> Self {
        let mut value = Self::Empty;
        for field in Fields::new(message) {
            value = match (field.number, field.wire) {
                (1, Wire::Bytes(string)) => Self::String(Str(string)),
                (2, Wire::Varint(bool)) => Self::Bool(bool != 0),
                (3, Wire::Varint(int)) => Self::Int(int.cast_signed()),
                (4, Wire::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Wire::Bytes(array)) => Self::Array(ArrayView(array)),
                (6, Wire::Bytes(list)) => Self::KvList(KvListView(list)),
                (7, Wire::Bytes(bytes)) => Self::Bytes(bytes),
                (8, Wire::Varint(_)) => Self::Empty,
                _ => value,
            };
        }
        value
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::String(string) => Some(string.to_str()),
            _ => None,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(string: &'a str) -> Self {
        Self::String(string.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<i64> for Value<'_> {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<f64> for Value<'_> {
    fn from(double: f64) -> Self {
        Self::Double(double)
    }
}

/// An `ArrayValue` message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArrayView<'a>(&'a [u8]);

impl<'a> ArrayView<'a> {
    /// From the payload of an `ArrayValue` message.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The elements.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> + Clone {
        super::messages(self.0, 1).map(Value::new)
    }
}

/// A `KeyValueList` message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvListView<'a>(&'a [u8]);

impl<'a> KvListView<'a> {
    /// From the payload of a `KeyValueList` message.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The keys with their values.
    pub fn iter(self) -> Attributes<'a> {
        Attributes::new(self.0, 1)
    }
}

/// Iterator over the attributes of a message.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    /// Over those in field `number` of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number }
    }

    /// The value of the first attribute with this key.
    #[must_use]
    pub fn get(mut self, key: &str) -> Option<Value<'a>> {
        self.find(|attribute| attribute.key == key).map(|attribute| attribute.value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = KeyValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<KeyValue<'a>> {
        loop {
            let field = self.fields.next()?;
            if field.number == self.number
                && let Wire::Bytes(message) = field.wire
            {
                return Some(KeyValue::new(message));
            }
        }
    }
}

/// Appends the payload of an `AnyValue` message that says `value`.
pub fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Empty => {}
        Value::String(string) => wire::put_len_field(out, 1, string.as_bytes()),
        Value::Bool(bool) => wire::put_varint_field(out, 2, u64::from(bool)),
        Value::Int(int) => wire::put_varint_field(out, 3, int.cast_unsigned()),
        Value::Double(double) => wire::put_fixed64_field(out, 4, double.to_bits()),
        Value::Array(array) => wire::put_len_field(out, 5, array.as_bytes()),
        Value::KvList(list) => wire::put_len_field(out, 6, list.as_bytes()),
        Value::Bytes(bytes) => wire::put_len_field(out, 7, bytes),
    }
}

/// Like [`put_value`], but without the bytes at the end that are as long as somebody likes: returns those.
pub(crate) fn put_value_but_bytes<'v>(out: &mut Vec<u8>, value: &Value<'v>) -> &'v [u8] {
    let (number, bytes) = match *value {
        Value::String(string) => (1, string.as_bytes()),
        Value::Array(array) => (5, array.as_bytes()),
        Value::KvList(list) => (6, list.as_bytes()),
        Value::Bytes(bytes) => (7, bytes),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => {
            put_value(out, value);
            return &[];
        }
    };
    wire::put_tag(out, number, WireType::Len);
    wire::put_varint(out, bytes.len() as u64);
    bytes
}

/// Appends an attribute as field `number`, with tag and length.
pub fn put_attribute(out: &mut Vec<u8>, number: u32, key: Str<'_>, value: &Value<'_>) {
    let value_len = match *value {
        Value::Empty => 0,
        Value::String(string) => wire::len_field_len(string.len()),
        Value::Bool(_) => 2,
        Value::Int(int) => 1 + wire::varint_len(int.cast_unsigned()),
        Value::Double(_) => 9,
        Value::Array(array) => wire::len_field_len(array.as_bytes().len()),
        Value::KvList(list) => wire::len_field_len(list.as_bytes().len()),
        Value::Bytes(bytes) => wire::len_field_len(bytes.len()),
    };
    wire::put_tag(out, number, WireType::Len);
    wire::put_varint(out, (wire::len_field_len(key.len()) + wire::len_field_len(value_len)) as u64);
    wire::put_len_field(out, 1, key.as_bytes());
    wire::put_tag(out, 2, WireType::Len);
    wire::put_varint(out, value_len as u64);
    put_value(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// What `put_attribute` writes reads back as the same attribute, for every kind of value.
    #[test]
    fn attributes_round_trip() {
        let mut elements = Vec::new();
        let mut element = Vec::new();
        put_value(&mut element, &Value::Int(-1));
        wire::put_len_field(&mut elements, 1, &element);
        let long = "x".repeat(300);
        for value in [
            Value::Empty,
            "".into(),
            long.as_str().into(),
            true.into(),
            Value::Int(i64::MIN),
            Value::Double(-0.5),
            Value::Bytes(&[0xff, 0]),
            Value::Array(ArrayView::new(&elements)),
            Value::KvList(KvListView::new(&[])),
        ] {
            let mut out = Vec::new();
            put_attribute(&mut out, 9, "key".into(), &value);
            let mut attributes = Attributes::new(&out, 9);
            assert_eq!(attributes.next(), Some(KeyValue { key: "key".into(), value }));
            assert!(attributes.next().is_none() && attributes.fields.finished());
        }
    }
}
