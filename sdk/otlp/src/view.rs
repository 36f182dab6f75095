//! Lazy, borrowed views of OTLP messages.
//!
//! A view is a slice; every getter walks it until the end, because the last occurrence of a field counts. Views expect bytes
//! that passed [`validate`](crate::validate()). On others they never panic, but what they say means little.
//! What is absent reads as its default: 0, an empty string, [`Value::Empty`].

mod context;
mod log;
mod metric;
mod span;
mod value;

pub use context::{ResourceView, ScopeView};
pub use log::LogRecordView;
pub use metric::{DataPointKind, DataPointView, ExemplarView, MetricView, Number};
pub use span::{EventView, LinkView, SpanSummary, SpanView, StatusCode};
pub(crate) use value::put_value_but_bytes;
pub use value::{ArrayView, Attributes, KeyValue, KvListView, Str, Value, put_attribute, put_value};

use crate::wire::{Field, Fields};

#[inline]
fn last<'a>(message: &'a [u8], number: u32) -> Option<Field<'a>> {
    Fields::new(message).filter(|field| field.number == number).last()
}

fn bytes(message: &[u8], number: u32) -> &[u8] {
    last(message, number).and_then(|field| field.bytes()).unwrap_or_default()
}

fn string(message: &[u8], number: u32) -> Str<'_> {
    Str::new(bytes(message, number))
}

fn varint(message: &[u8], number: u32) -> u64 {
    last(message, number).and_then(|field| field.varint()).unwrap_or_default()
}

fn fixed64(message: &[u8], number: u32) -> u64 {
    maybe_fixed64(message, number).unwrap_or_default()
}

fn maybe_fixed64(message: &[u8], number: u32) -> Option<u64> {
    last(message, number).and_then(|field| field.fixed64())
}

fn fixed32(message: &[u8], number: u32) -> u32 {
    last(message, number).and_then(|field| field.fixed32()).unwrap_or_default()
}

/// An id of `N` bytes; `None` if absent, empty or all zero, which OTLP calls invalid.
fn id<const N: usize>(message: &[u8], number: u32) -> Option<&[u8; N]> {
    let id: &[u8; N] = bytes(message, number).try_into().ok()?;
    (*id != [0; N]).then_some(id)
}

/// The payloads of the messages in field `number`.
fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> + Clone {
    Fields::new(message).filter(move |field| field.number == number).filter_map(|field| field.bytes())
}
