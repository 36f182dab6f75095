//! OTLP/JSON to protobuf.

mod number;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use number::Number;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;
use tailrace_otlp::schema::{Field, Kind, Message};
use tailrace_otlp::wire::{WireType, put_tag, put_varint};

/// Bounds of what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest result, in bytes.
    pub bytes: usize,
    /// How deep messages may be nested.
    pub depth: u32,
    /// How many messages and repeated strings there may be in all.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let tailrace_otlp::Limits { depth, elements, .. } = tailrace_otlp::Limits::default();
        Self { bytes: 20 << 20, depth, elements }
    }
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It would become too large.
    #[error("request is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is no JSON, or not of this message; with line and column.
    #[error("invalid OTLP/JSON: {0}")]
    Invalid(String),
}

/// Encodes `text`, a message of type `message` in OTLP/JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(message: &'static Message, text: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
    let mut state = State { out: Vec::with_capacity(text.len() / 2), elements: 0, limits: *limits, too_large: false };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let root = InMessage { message, depth: 0, state: &mut state };
    let result = root.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match result {
        Ok(()) => Ok(state.out),
        Err(_) if state.too_large => Err(Error::TooLarge { limit: limits.bytes }),
        Err(error) => Err(Error::Invalid(error.to_string())),
    }
}

struct State {
    out: Vec<u8>,
    elements: usize,
    limits: Limits,
    too_large: bool,
}

impl State {
    /// Counts a message or a repeated string.
    fn element<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(E::custom("too many elements"));
        }
        self.check_size()
    }

    fn check_size<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.out.len() > self.limits.bytes {
            self.too_large = true;
            return Err(E::custom("too large"));
        }
        Ok(())
    }

    fn bytes<E: serde::de::Error>(&mut self, field: &Field, bytes: &[u8]) -> Result<(), E> {
        put_tag(&mut self.out, field.number, WireType::Len);
        put_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        self.check_size()
    }

    /// Starts a field whose length is known at its end. Returns where its length belongs.
    fn open(&mut self, field: &Field) -> usize {
        put_tag(&mut self.out, field.number, WireType::Len);
        self.out.push(0);
        self.out.len() - 1
    }

    /// Ends it: a length of more than one byte moves what was written.
    fn close<E: serde::de::Error>(&mut self, at: usize) -> Result<(), E> {
        let len = self.out.len() - at - 1;
        let mut bytes = Vec::with_capacity(5);
        put_varint(&mut bytes, len as u64);
        self.out.splice(at..=at, bytes);
        self.check_size()
    }
}

/// A JSON object that is a message.
struct InMessage<'s> {
    message: &'static Message,
    depth: u32,
    state: &'s mut State,
}

impl<'de> DeserializeSeed<'de> for InMessage<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InMessage<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth > self.state.limits.depth {
            return Err(A::Error::custom("nested too deep"));
        }
        while let Some(field) = map.next_key_seed(KeyOf(self.message))? {
            match field {
                Some(field) => {
                    map.next_value_seed(InField { field, depth: self.depth, element: false, state: self.state })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key of an object: the field it names, if there is one.
struct KeyOf(&'static Message);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = Option<&'static Field>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Option<&'static Field>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.field_named(key))
    }
}

/// The value of a field, or one element of a repeated one.
struct InField<'s> {
    field: &'static Field,
    depth: u32,
    element: bool,
    state: &'s mut State,
}

impl<'de> DeserializeSeed<'de> for InField<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl InField<'_> {
    fn wants_list(&self) -> bool {
        self.field.repeated && !self.element
    }

    fn mismatch<E: serde::de::Error>(&self, found: Unexpected<'_>) -> E {
        E::invalid_type(found, self)
    }

    /// Writes a number. Elements of repeated numbers are packed: their tag is written already.
    fn number<E: serde::de::Error>(self, number: Number) -> Result<(), E> {
        let wire_type = self.field.kind.wire_type();
        if self.wants_list() || wire_type == WireType::Len {
            return Err(self.mismatch(number.unexpected()));
        }
        let raw = number.to_raw(self.field.kind).ok_or_else(|| E::invalid_value(number.unexpected(), &self))?;
        if !self.element {
            put_tag(&mut self.state.out, self.field.number, wire_type);
        }
        match wire_type {
            WireType::Fixed64 => self.state.out.extend_from_slice(&raw.to_le_bytes()),
            WireType::Fixed32 => self.state.out.extend_from_slice(&(raw as u32).to_le_bytes()),
            _ => put_varint(&mut self.state.out, raw),
        }
        self.state.check_size()
    }
}

impl<'de> Visitor<'de> for InField<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.field.kind {
            _ if self.wants_list() => "a list",
            Kind::Message(_) => "an object",
            Kind::String => "a string",
            Kind::Bytes => "base64 in a string",
            Kind::Id(_) => "hexadecimal digits in a string",
            Kind::Bool => "true or false",
            Kind::Enum => "a 32-bit number (OTLP/JSON does not use the names of enum values)",
            Kind::Int32 | Kind::Sint32 => "a 32-bit integer",
            Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
            Kind::Int64 | Kind::Sfixed64 => "a 64-bit integer, as number or string",
            Kind::Uint64 | Kind::Fixed64 => "an unsigned 64-bit integer, as number or string",
            Kind::Double | Kind::Float => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        };
        write!(f, "{what} in {}", self.field.name)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if self.element { Err(self.mismatch(Unexpected::Unit)) } else { Ok(()) }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.number(Number::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.number(Number::Int(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.number(Number::Int(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.number(Number::Float(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.wants_list() {
            return Err(self.mismatch(Unexpected::Str(text)));
        }
        let invalid = || E::invalid_value(Unexpected::Str(shortened(text)), &self);
        match self.field.kind {
            Kind::String => {
                if self.element {
                    self.state.element()?;
                }
                self.state.bytes(self.field, text.as_bytes())
            }
            Kind::Bytes => {
                let bytes = from_base64(text).ok_or_else(invalid)?;
                self.state.bytes(self.field, &bytes)
            }
            Kind::Id(_) => {
                let bytes = from_hex(text).ok_or_else(invalid)?;
                self.state.bytes(self.field, &bytes)
            }
            Kind::Message(_) | Kind::Bool | Kind::Enum => Err(self.mismatch(Unexpected::Str(shortened(text)))),
            _ => {
                let number = Number::parse(text, self.field.kind).ok_or_else(invalid)?;
                self.number(number)
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { field, depth, state, .. } = self;
        if !field.repeated || self.element {
            return Err(A::Error::invalid_type(Unexpected::Seq, &InField { field, depth, element: true, state }));
        }
        let packed = field.kind.wire_type() != WireType::Len;
        let start = packed.then(|| (state.out.len(), state.open(field)));
        let mut any = false;
        while list.next_element_seed(InField { field, depth, element: true, state })?.is_some() {
            any = true;
        }
        match start {
            Some((_, at)) if any => state.close(at),
            Some((start, _)) => {
                state.out.truncate(start);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(self.mismatch(Unexpected::Map));
        };
        if self.wants_list() {
            return Err(self.mismatch(Unexpected::Map));
        }
        self.state.element()?;
        let at = self.state.open(self.field);
        InMessage { message, depth: self.depth + 1, state: self.state }.visit_map(map)?;
        self.state.close(at)
    }
}

/// The start of a text, for an error message.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(40)).unwrap_or_default()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let url_safe = text.bytes().any(|byte| byte == b'-' || byte == b'_');
    let engine = if url_safe { &URL_SAFE } else { &STANDARD };
    engine.decode(text).ok()
}
