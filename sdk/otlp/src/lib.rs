#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod edit;
mod error;
mod find;
mod index;
mod merge;
pub mod schema;
mod signal;
mod split;
#[cfg(test)]
mod testing;
mod validate;
pub mod view;
pub mod wire;
mod write;

pub use edit::{Edits, Intrinsic, New, Open, close_within};
pub use error::{Error, ErrorKind};
pub use find::{Found, KeySet, Target, contains_any, find};
pub use index::{Context, Index, Item, Metric, MetricKind, NONE, Resource, Scope};
pub use merge::merge;
pub use signal::Signal;
pub use split::{Bound, Split, select, split};
#[doc(hidden)]
pub use validate::validate_by_walk;
pub use validate::{Limits, validate, validate_into};
pub use view::{
    ArrayView, Attributes, DataPointKind, DataPointView, EventView, ExemplarView, KeyValue, KvListView, LinkView,
    LogRecordView, MetricView, Number, ResourceView, ScopeView, SpanSummary, SpanView, StatusCode, Str, Value,
};
pub use write::{RequestWriter, metric_context, resource_context, scope_context};
