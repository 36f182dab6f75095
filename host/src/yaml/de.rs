//! serde's view of a node: types strictly as written, faults located.
//!
//! As in the Collector nothing is converted between text, numbers and booleans. Two things it does allow are kept: a whole
//! number may be written as a float (`1e6`), and a list of texts as one text with commas. A key with nothing behind it is
//! the same as no key; where a struct is optional it means "yes, with defaults".

use super::fault::{Fault, address, unknown_key};
use super::path::Trail;
use super::{Key, Node, Origin, Value, duration, raw};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

/// What is shared by all readers of a section, over all rounds.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Nodes to pass over, by address: they are faulty or null.
    pub(super) excluded: HashSet<usize>,
    /// Keys that no struct knows, by address.
    pub(super) unknown: RefCell<BTreeMap<usize, UnknownKey>>,
}

/// A key that no struct knows.
#[derive(Debug)]
pub(super) struct UnknownKey {
    pub(super) origin: Origin,
    pub(super) path: String,
    pub(super) message: String,
    /// Path of the key that was probably meant.
    pub(super) meant: Option<String>,
}

/// Where a node stands, which decides what a null means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Value of a struct's key: null is the same as absent.
    Field,
    /// Inside an option: a null struct is one with defaults.
    Optional,
    /// Anywhere else: a null struct is one with defaults, a null scalar a fault.
    Other,
}

/// Reads one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'de, 't> {
    node: &'de Node,
    trail: &'t Trail<'t>,
    notes: &'t Notes,
    place: Place,
}

impl<'de, 't> Reader<'de, 't> {
    /// Reads a section.
    pub(super) fn new(node: &'de Node, trail: &'t Trail<'t>, notes: &'t Notes) -> Self {
        Self { node, trail, notes, place: Place::Other }
    }

    /// An unset environment variable where a number or boolean belongs: zero, as in the Collector.
    fn is_empty_expansion(self) -> bool {
        self.node.is_null() && self.node.original.is_some()
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match self.node.value {
            Value::Int(value) => value,
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e18 => value as i128,
            Value::Null if self.is_empty_expansion() => 0,
            _ => return Err(Fault::mismatch(self.node, &visitor)),
        };
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => visitor.visit_u64(value),
            (_, Ok(value)) => visitor.visit_i64(value),
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn float<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            #[expect(clippy::cast_precision_loss, reason = "the setting is a float")]
            Value::Int(value) => visitor.visit_f64(value as f64),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Null if self.is_empty_expansion() => visitor.visit_f64(0.0),
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn free_map(self, entries: &'de [(Key, Node)]) -> Entries<'de, 't> {
        Entries { reader: self, entries: entries.iter(), fields: None, value: None }
    }
}

macro_rules! forward {
    ($target:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$target(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(_) => self.integer(visitor),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Seq(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Broken => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    forward!(integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    forward!(float: deserialize_f32 deserialize_f64);
    forward!(deserialize_str: deserialize_string deserialize_char deserialize_bytes deserialize_byte_buf
        deserialize_identifier);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Null if self.is_empty_expansion() => visitor.visit_bool(false),
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.as_str() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match (self.place, self.node.is_null()) {
            (Place::Field, true) => visitor.visit_some(Self { place: Place::Optional, ..self }),
            (_, true) => visitor.visit_none(),
            (_, false) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_unit() } else { Err(Fault::mismatch(self.node, &visitor)) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            raw::MARKER => raw::hand(self.node, visitor),
            duration::MARKER if self.is_empty_expansion() => visitor.visit_u64(0),
            duration::MARKER if self.node.is_null() => Err(Fault::mismatch(self.node, &visitor)),
            duration::MARKER => self.deserialize_any(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Seq(items) => visitor.visit_seq(Items { reader: self, items: items.iter().enumerate() }),
            Value::String(text) => {
                let words = text.split(',').filter(|_| !text.is_empty());
                let wrong = Fault::mismatch(self.node, &"a list");
                visitor.visit_seq(Words(words)).map_err(|_| wrong)
            }
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(self.free_map(entries)),
            // A struct with a flattened part is read as a map.
            Value::Null if self.place == Place::Other => visitor.visit_map(self.free_map(&[])),
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries: &[_] = match &self.node.value {
            Value::Map(entries) => entries,
            Value::Null if self.place != Place::Field => &[],
            _ => return Err(Fault::mismatch(self.node, &visitor)),
        };
        visitor.visit_map(Entries { reader: self, entries: entries.iter(), fields: Some(fields), value: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some(text) = self.node.as_str() {
            return visitor.visit_enum(text.into_deserializer());
        }
        match self.node.entries() {
            [(key, node)] => visitor.visit_enum(Variant { reader: self, key, node }),
            _ => Err(Fault::mismatch(self.node, &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// The entries of a map, or those keys of it that a struct knows.
struct Entries<'de, 't> {
    reader: Reader<'de, 't>,
    entries: std::slice::Iter<'de, (Key, Node)>,
    fields: Option<&'static [&'static str]>,
    value: Option<&'de (Key, Node)>,
}

impl Entries<'_, '_> {
    fn note_unknown(&self, key: &Key, fields: &[&str]) {
        let reader = &self.reader;
        let mut unknown = reader.notes.unknown.borrow_mut();
        unknown.entry(std::ptr::from_ref(key).addr()).or_insert_with(|| UnknownKey {
            origin: key.origin.clone(),
            path: reader.trail.key(&key.name).to_string(),
            message: unknown_key(&key.name, fields),
            meant: super::nearest(&key.name, fields.iter().copied()).map(|near| reader.trail.key(near).to_string()),
        });
    }
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(entry) = self.entries.next() {
            let (key, node) = entry;
            match self.fields {
                Some(fields) if !fields.contains(&key.name.as_str()) => self.note_unknown(key, fields),
                _ if self.reader.notes.excluded.contains(&address(node)) => {}
                _ => {
                    self.value = Some(entry);
                    let trail = self.reader.trail.key(&key.name);
                    let read = seed.deserialize(BorrowedStrDeserializer::new(&key.name));
                    return read.map(Some).map_err(|fault: Fault| fault.locate(node, &trail).pass_over(node));
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((key, node)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let trail = self.reader.trail.key(&key.name);
        let place = if self.fields.is_some() { Place::Field } else { Place::Other };
        let read = seed.deserialize(Reader { node, trail: &trail, notes: self.reader.notes, place });
        read.map_err(|fault| if place == Place::Field { fault } else { fault.null_is_wrong() })
            .map_err(|fault| fault.locate(node, &trail).pass_over(node))
    }
}

/// The items of a list.
struct Items<'de, 't> {
    reader: Reader<'de, 't>,
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let notes = self.reader.notes;
        let Some((index, node)) = self.items.find(|(_, node)| !notes.excluded.contains(&address(node))) else {
            return Ok(None);
        };
        let trail = self.reader.trail.index(index);
        let read = seed.deserialize(Reader { node, trail: &trail, notes, place: Place::Other });
        read.map(Some).map_err(|fault| fault.null_is_wrong().locate(node, &trail).pass_over(node))
    }
}

/// A list of texts written as one text with commas.
struct Words<I>(I);

impl<'de, I: Iterator<Item = &'de str>> SeqAccess<'de> for Words<I> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|word| seed.deserialize(BorrowedStrDeserializer::new(word))).transpose()
    }
}

/// `name: value` as a variant of an enum that has content.
struct Variant<'de, 't> {
    reader: Reader<'de, 't>,
    key: &'de Key,
    node: &'de Node,
}

impl<'de> Variant<'de, '_> {
    fn read<T>(&self, read: impl FnOnce(Reader<'de, '_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let trail = self.reader.trail.key(&self.key.name);
        read(Reader { node: self.node, trail: &trail, notes: self.reader.notes, place: Place::Other })
            .map_err(|fault| fault.null_is_wrong().locate(self.node, &trail))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de, '_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = self.read(|_| seed.deserialize(BorrowedStrDeserializer::new(&self.key.name)))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.read(|reader| de::Deserialize::deserialize(reader))
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read(|reader| reader.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.read(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
