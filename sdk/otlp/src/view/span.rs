//! Spans, their events and links.

use super::{Attributes, Str, bytes, fixed32, fixed64, id, messages, string, varint};
use crate::wire::{Fields, Wire};

/// Status of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Not set, or a number that OTLP does not define.
    #[default]
    Unset,
    /// Explicitly fine.
    Ok,
    /// An error.
    Error,
}

impl StatusCode {
    const fn from_number(number: u64) -> Self {
        // An enum is 32 bits wide; readers cut longer varints off.
        match number as u32 {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }
}

/// A `Span` message.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a>(&'a [u8]);

impl<'a> SpanView<'a> {
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

    /// Id of its trace. `None` if absent, empty or all zero.
    #[must_use]
    pub fn trace_id(self) -> Option<&'a [u8; 16]> {
        id(self.0, 1)
    }

    /// Its id. `None` if absent, empty or all zero.
    #[must_use]
    pub fn span_id(self) -> Option<&'a [u8; 8]> {
        id(self.0, 2)
    }

    /// W3C trace state.
    #[must_use]
    pub fn trace_state(self) -> Str<'a> {
        string(self.0, 3)
    }

    /// Id of its parent. `None` if absent, empty or all zero: it is a root.
    #[must_use]
    pub fn parent_span_id(self) -> Option<&'a [u8; 8]> {
        id(self.0, 4)
    }

    /// Name.
    #[must_use]
    pub fn name(self) -> Str<'a> {
        string(self.0, 5)
    }

    /// Kind as a number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    #[must_use]
    pub fn kind(self) -> i32 {
        varint(self.0, 6) as i32
    }

    /// Start, in nanoseconds since 1970.
    #[must_use]
    pub fn start_time_unix_nano(self) -> u64 {
        fixed64(self.0, 7)
    }

    /// End, in nanoseconds since 1970.
    #[must_use]
    pub fn end_time_unix_nano(self) -> u64 {
        fixed64(self.0, 8)
    }

    /// Attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 9)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        varint(self.0, 10) as u32
    }

    /// Events.
    pub fn events(self) -> impl Iterator<Item = EventView<'a>> + Clone {
        messages(self.0, 11).map(EventView)
    }

    /// How many events the sender dropped.
    #[must_use]
    pub fn dropped_events_count(self) -> u32 {
        varint(self.0, 12) as u32
    }

    /// Links to other spans.
    pub fn links(self) -> impl Iterator<Item = LinkView<'a>> + Clone {
        messages(self.0, 13).map(LinkView)
    }

    /// How many links the sender dropped.
    #[must_use]
    pub fn dropped_links_count(self) -> u32 {
        varint(self.0, 14) as u32
    }

    /// Code of the status.
    #[must_use]
    pub fn status_code(self) -> StatusCode {
        let code = messages(self.0, 15).filter_map(|status| super::last(status, 3)?.varint()).last();
        StatusCode::from_number(code.unwrap_or_default())
    }

    /// Code of the status as it is written, whether there is such a code or not.
    #[must_use]
    pub fn status_code_number(self) -> i32 {
        let code = messages(self.0, 15).filter_map(|status| super::last(status, 3)?.varint()).last();
        code.unwrap_or_default() as i32
    }

    /// Message of the status.
    #[must_use]
    pub fn status_message(self) -> Str<'a> {
        let message = messages(self.0, 15).filter_map(|status| super::last(status, 2)?.bytes()).last();
        Str::new(message.unwrap_or_default())
    }

    /// W3C trace flags in the low eight bits, and whether the parent is remote.
    #[must_use]
    pub fn flags(self) -> u32 {
        fixed32(self.0, 16)
    }

    /// What a tail sampler asks of every span, in one pass.
    #[must_use]
    pub fn summary(self) -> SpanSummary<'a> {
        SpanSummary::new(self.0)
    }
}

/// What a tail sampler asks of every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanSummary<'a> {
    /// Id of its trace. `None` if absent, empty or all zero.
    pub trace_id: Option<&'a [u8; 16]>,
    /// Whether it has no parent: a parent id that is absent, empty or all zero.
    pub is_root: bool,
    /// Start, in nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// End, in nanoseconds since 1970.
    pub end_time_unix_nano: u64,
    /// Code of the status.
    pub status_code: StatusCode,
}

impl<'a> SpanSummary<'a> {
    /// From the payload of a `Span` message.
    #[must_use]
    pub fn new(span: &'a [u8]) -> Self {
        let mut trace_id: &[u8] = &[];
        let mut parent: &[u8] = &[];
        let mut code = 0;
        let (mut start, mut end) = (0, 0);
        // What the usual encoders write comes in this order; whatever else there is, the loop over the rest finds.
        let mut rest = span;
        if let [0x0a, 0x10, after @ ..] = rest
            && let Some((id, after)) = after.split_at_checked(16)
        {
            (trace_id, rest) = (id, after);
        }
        rest = skip(rest, 0x12);
        rest = skip(rest, 0x1a);
        if let [0x22, 0x08, after @ ..] = rest
            && let Some((id, after)) = after.split_at_checked(8)
        {
            (parent, rest) = (id, after);
        }
        rest = skip(rest, 0x2a);
        if let [0x30, kind, after @ ..] = rest
            && *kind < 0x80
        {
            rest = after;
        }
        if let [0x39, after @ ..] = rest
            && let Some((time, after)) = after.split_first_chunk()
        {
            (start, rest) = (u64::from_le_bytes(*time), after);
        }
        if let [0x41, after @ ..] = rest
            && let Some((time, after)) = after.split_first_chunk()
        {
            (end, rest) = (u64::from_le_bytes(*time), after);
        }
        loop {
            let after = skip(rest, 0x4a);
            if after.len() == rest.len() {
                break;
            }
            rest = after;
        }
        for field in Fields::new(rest) {
            match (field.number, field.wire) {
                (1, Wire::Bytes(id)) => trace_id = id,
                (4, Wire::Bytes(id)) => parent = id,
                (7, Wire::Fixed64(time)) => start = time,
                (8, Wire::Fixed64(time)) => end = time,
                (15, Wire::Bytes(status)) => {
                    for field in Fields::new(status) {
                        if let (3, Wire::Varint(number)) = (field.number, field.wire) {
                            code = number;
                        }
                    }
                }
                _ => {}
            }
        }
        let trace_id: Option<&[u8; 16]> = trace_id.try_into().ok();
        Self {
            trace_id: trace_id.filter(|id| **id != [0; 16]),
            is_root: parent.iter().all(|byte| *byte == 0),
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            status_code: StatusCode::from_number(code),
        }
    }
}

/// Behind a field with this tag and a length below 128, if it comes first.
#[inline]
fn skip(rest: &[u8], tag: u8) -> &[u8] {
    match rest {
        [first, len, after @ ..] if *first == tag && *len < 0x80 => after.get(usize::from(*len)..).unwrap_or(rest),
        _ => rest,
    }
}

/// A `Span.Event` message.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a>(&'a [u8]);

impl<'a> EventView<'a> {
    /// From the payload of the message.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// When it happened, in nanoseconds since 1970.
    #[must_use]
    pub fn time_unix_nano(self) -> u64 {
        fixed64(self.0, 1)
    }

    /// Name.
    #[must_use]
    pub fn name(self) -> Str<'a> {
        string(self.0, 2)
    }

    /// Attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 3)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        varint(self.0, 4) as u32
    }
}

/// A `Span.Link` message.
#[derive(Clone, Copy, Debug)]
pub struct LinkView<'a>(&'a [u8]);

impl<'a> LinkView<'a> {
    /// From the payload of the message.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Trace id of the linked span. `None` if absent, empty or all zero.
    #[must_use]
    pub fn trace_id(self) -> Option<&'a [u8; 16]> {
        id(self.0, 1)
    }

    /// Id of the linked span. `None` if absent, empty or all zero.
    #[must_use]
    pub fn span_id(self) -> Option<&'a [u8; 8]> {
        id(self.0, 2)
    }

    /// W3C trace state.
    #[must_use]
    pub fn trace_state(self) -> Str<'a> {
        Str::new(bytes(self.0, 3))
    }

    /// Attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 4)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        varint(self.0, 5) as u32
    }

    /// W3C trace flags in the low eight bits.
    #[must_use]
    pub fn flags(self) -> u32 {
        fixed32(self.0, 6)
    }
}
