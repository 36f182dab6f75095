//! The batch: one immutable, validated OTLP request, and the index of its items.
//!
//! A [`Batch`] is the encoded `Export{Trace,Metrics,Logs}ServiceRequest`; nothing in the host decodes it into objects.
//! Cloning is two reference counts. A batch that exists is valid: it was checked at the door or built from checked parts.

use crate::workers::large::given_back_aside;
use bytes::Bytes;
use std::sync::Arc;
pub use tailrace_otlp::{Index, Limits, Signal};

/// An encoded OTLP request with its signal and the index of its items.
#[derive(Clone, Debug)]
pub struct Batch {
    signal: Signal,
    data: Bytes,
    index: Arc<Index>,
}

impl Batch {
    /// Validates `data` as a request of `signal` in one pass (`sdk/otlp` says what that covers).
    ///
    /// # Errors
    /// What is wrong with the bytes and where; the bytes are refused whole.
    pub fn validate(signal: Signal, data: Bytes, limits: &Limits) -> Result<Self, tailrace_otlp::Error> {
        let index = tailrace_otlp::validate(signal, &data, limits)?;
        Ok(Self::from_parts(signal, data, index))
    }

    /// A batch from bytes and the index that validation or an edit of validated bytes gave for exactly these bytes.
    pub fn from_parts(signal: Signal, data: impl Into<Bytes>, index: impl Into<Arc<Index>>) -> Self {
        Self { signal, data: given_back_aside(data.into()), index: index.into() }
    }

    /// Traces, metrics or logs.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The encoded request.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Where resources, scopes and items lie in [`Self::data`].
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Spans, metric data points or log records: the unit of every count.
    pub fn items(&self) -> usize {
        self.index.items.len()
    }

    /// Encoded size in bytes.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items() == 0
    }
}
