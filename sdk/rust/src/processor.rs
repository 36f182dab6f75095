//! Plugins that take whole batches.

use crate::otlp::{
    DataPointView, Index, Limits, LogRecordView, MetricView, ResourceView, ScopeView, SpanView, select, validate,
};
use crate::{Failure, Plugin, Signal};
use std::borrow::Cow;

/// A plugin that takes whole batches: it filters, transforms or enriches.
pub trait Processor: Plugin {
    /// Looks at a batch and says what becomes of it. A batch may be empty.
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

    /// Where its resources, scopes and items lie: what `tailrace_otlp`'s own functions want. Made in one pass over the bytes.
    ///
    /// # Errors
    /// If the bytes are no request, which the host does not hand over.
    pub fn index(&self) -> Result<Index, Failure> {
        validate(self.signal, self.bytes, &Limits::default()).map_err(|error| Failure::Permanent(error.to_string()))
    }

    /// Keeps the items for which `keep` is true: spans, log records or data points. If it keeps all of them, nothing is
    /// copied and the batch is unchanged.
    ///
    /// # Errors
    /// If the bytes are no request, which the host does not hand over.
    pub fn retain(&self, mut keep: impl FnMut(Item<'_>) -> bool) -> Result<Outcome, Failure> {
        let index = self.index()?;
        let kept: Vec<bool> =
            (0..index.len()).map(|number| keep(Item { batch: self, index: &index, number })).collect();
        if kept.iter().all(|kept| *kept) {
            return Ok(Outcome::Unchanged);
        }
        let keep = |number: usize| kept.get(number).copied().unwrap_or(true);
        let selected = select(self.signal, self.bytes, &index, keep);
        let (bytes, _) = selected.map_err(|error| Failure::Permanent(error.to_string()))?;
        Ok(Outcome::Replaced(bytes))
    }
}

/// A span, a log record or a metric data point of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    batch: &'a Batch<'a>,
    index: &'a Index,
    number: usize,
}

impl<'a> Item<'a> {
    /// The span, if the batch has traces.
    pub fn span(&self) -> Option<SpanView<'a>> {
        (self.batch.signal == Signal::Traces).then(|| SpanView::new(self.bytes()))
    }

    /// The log record, if the batch has logs.
    pub fn log_record(&self) -> Option<LogRecordView<'a>> {
        (self.batch.signal == Signal::Logs).then(|| LogRecordView::new(self.bytes()))
    }

    /// The data point, if the batch has metrics, and the metric that it belongs to.
    pub fn data_point(&self) -> Option<(MetricView<'a>, DataPointView<'a>)> {
        if self.batch.signal != Signal::Metrics {
            return None;
        }
        let metric = self.index.metrics.get(self.index.items.get(self.number)?.parent as usize)?;
        let view = MetricView::new(self.batch.bytes.get(metric.range())?);
        Some((view, DataPointView::new(metric.kind, self.bytes())))
    }

    /// The scope that it came from.
    pub fn scope(&self) -> ScopeView<'a> {
        let scope = self.index.scope_of(self.number).and_then(|number| self.index.scopes.get(number));
        ScopeView::new(scope.and_then(|scope| self.batch.bytes.get(scope.range())).unwrap_or_default())
    }

    /// The resource that it came from.
    pub fn resource(&self) -> ResourceView<'a> {
        let resource = self.index.resource_of(self.number).and_then(|number| self.index.resources.get(number));
        ResourceView::new(resource.and_then(|resource| self.batch.bytes.get(resource.range())).unwrap_or_default())
    }

    fn bytes(&self) -> &'a [u8] {
        self.index.item(self.batch.bytes, self.number).unwrap_or_default()
    }
}
