//! The messages of OTLP as static tables: what the validator walks by, and what a JSON transcoder needs.

mod messages;

use crate::Signal;
use crate::wire::WireType;
pub use messages::*;

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// Its name without the package, such as `Span`; nested types as `Span.Event`.
    pub name: &'static str,
    /// Its fields in the order of their numbers.
    pub fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Field number.
    pub number: u32,
    /// Name in JSON.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Whether it is repeated. Repeated numbers are packed by writers; readers take both forms.
    pub repeated: bool,
    /// Whether it can be present with its default value: a member of a oneof, or declared `optional`. Such a field is
    /// written to JSON even if it is zero.
    pub explicit: bool,
    /// Whether [`validate`](crate::validate()) refuses a second occurrence in one message, because readers would have
    /// to merge two values.
    pub once: bool,
}

/// Type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A message.
    Message(&'static Message),
    /// UTF-8.
    String,
    /// Bytes: base64 in JSON.
    Bytes,
    /// A trace or span id: bytes of a fixed length or none, hexadecimal in JSON.
    Id(Id),
    /// `bool`.
    Bool,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `sint32` (zigzag).
    Sint32,
    /// `fixed32`.
    Fixed32,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `double`.
    Double,
    /// `float`.
    Float,
    /// An enumeration: a number in JSON.
    Enum,
}

/// The two kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// 16 bytes.
    TraceId,
    /// 8 bytes.
    SpanId,
}

impl Id {
    /// Its length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::TraceId => 16,
            Self::SpanId => 8,
        }
    }

    /// Never.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

impl Kind {
    /// How a single value of this kind lies on the wire.
    #[must_use]
    #[inline]
    pub const fn wire_type(self) -> WireType {
        match self {
            Self::Message(_) | Self::String | Self::Bytes | Self::Id(_) => WireType::Len,
            Self::Bool | Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Sint32 | Self::Enum => {
                WireType::Varint
            }
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::Fixed64,
            Self::Fixed32 | Self::Float => WireType::Fixed32,
        }
    }
}

impl Message {
    /// The field with this number.
    #[must_use]
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        // Most messages number their fields from 1 without gaps, so the first look is usually right.
        let fields = self.fields;
        let guess = fields.get((number as usize).wrapping_sub(1));
        match guess {
            Some(field) if field.number == number => Some(field),
            _ => fields.iter().find(|field| field.number == number),
        }
    }

    /// The field with this name in JSON.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The request message of a signal.
#[must_use]
pub const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &EXPORT_TRACE_REQUEST,
        Signal::Metrics => &EXPORT_METRICS_REQUEST,
        Signal::Logs => &EXPORT_LOGS_REQUEST,
    }
}

/// The response message of a signal.
#[must_use]
pub const fn response(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &EXPORT_TRACE_RESPONSE,
        Signal::Metrics => &EXPORT_METRICS_RESPONSE,
        Signal::Logs => &EXPORT_LOGS_RESPONSE,
    }
}
