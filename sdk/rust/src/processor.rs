//! Plugins that take whole batches.

use crate::{Failure, Plugin, Signal};
use std::borrow::Cow;

/// A plugin that takes whole batches: it filters, transforms or enriches.
pub trait Processor: Plugin {
    /// Looks at a batch and says what becomes of it.
    ///
    /// # Errors
    /// The plugin's own "no" to this batch.
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, Failure>;
}

/// A batch: an encoded OTLP request. It is valid, and every string in it is UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    signal: Signal,
    bytes: &'a [u8],
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed. Costs nothing.
    Unchanged,
    /// Use this instead: a request of the same signal with at most as many items.
    Replaced(Vec<u8>),
    /// Drop it all and count it under this reason: a few words in lower case.
    Drop(Cow<'static, str>),
}

impl<'a> Batch<'a> {
    /// A batch of `signal`, encoded.
    pub fn new(signal: Signal, bytes: &'a [u8]) -> Self {
        Self { signal, bytes }
    }

    /// Traces, metrics or logs.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The encoded request.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
