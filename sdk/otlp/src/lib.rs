#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod index;
pub mod schema;
mod signal;
mod validate;
pub mod view;
pub mod wire;

pub use error::{Error, ErrorKind};
pub use index::{Context, Index, Item, Metric, MetricKind, NONE, Resource, Scope};
pub use signal::Signal;
pub use validate::{Limits, validate, validate_into};
pub use view::{
    ArrayView, Attributes, DataPointKind, DataPointView, EventView, ExemplarView, KeyValue, KvListView, LinkView,
    LogRecordView, MetricView, Number, ResourceView, ScopeView, SpanSummary, SpanView, StatusCode, Str, Value,
};
