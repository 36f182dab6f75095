//! Log records.

use super::{Attributes, Str, Value, fixed32, fixed64, id, string, varint};

/// A `LogRecord` message.
#[derive(Clone, Copy, Debug)]
pub struct LogRecordView<'a>(&'a [u8]);

impl<'a> LogRecordView<'a> {
    /// From the payload of the message ([`Index::item`](crate::Index::item)).
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// When it happened, in nanoseconds since 1970; 0 if unknown.
    #[must_use]
    pub fn time_unix_nano(self) -> u64 {
        fixed64(self.0, 1)
    }

    /// When it was collected, in nanoseconds since 1970.
    #[must_use]
    pub fn observed_time_unix_nano(self) -> u64 {
        fixed64(self.0, 11)
    }

    /// Severity as a number: 1 to 24 from trace to fatal, 0 if not given.
    #[must_use]
    pub fn severity_number(self) -> i32 {
        varint(self.0, 2) as i32
    }

    /// Severity as the source called it.
    #[must_use]
    pub fn severity_text(self) -> Str<'a> {
        string(self.0, 3)
    }

    /// Body.
    #[must_use]
    pub fn body(self) -> Value<'a> {
        Value::new(super::bytes(self.0, 5))
    }

    /// Attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 6)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        varint(self.0, 7) as u32
    }

    /// W3C trace flags in the low eight bits.
    #[must_use]
    pub fn flags(self) -> u32 {
        fixed32(self.0, 8)
    }

    /// Id of the trace it belongs to. `None` if absent, empty or all zero.
    #[must_use]
    pub fn trace_id(self) -> Option<&'a [u8; 16]> {
        id(self.0, 9)
    }

    /// Id of the span it belongs to. `None` if absent, empty or all zero.
    #[must_use]
    pub fn span_id(self) -> Option<&'a [u8; 8]> {
        id(self.0, 10)
    }

    /// Name of the event, if it is one.
    #[must_use]
    pub fn event_name(self) -> Str<'a> {
        string(self.0, 12)
    }
}
