//! Building a request from pieces: contexts of resources and scopes, and items as they lie in other requests.

mod open;

use crate::index::{Context, Index, Item, Metric, MetricKind, NONE, Resource, Scope};
use crate::wire::{self, WireType};
use crate::{Error, Signal};
use alloc::vec::Vec;
use core::ops::Range;
use open::{Level, Open};

/// Puts a request together from encoded pieces of valid requests, and its index with it; nothing is validated again.
///
/// A *context* is what a `ResourceSpans` (`ScopeSpans`, `Metric`) message holds besides its children, as
/// [`resource_context`], [`scope_context`] and [`metric_context`] copy it. Opening a resource closes the one before it, and
/// likewise the others.
///
/// ```
/// use tailrace_otlp::{RequestWriter, Signal, Limits, SpanView, validate, wire};
///
/// let mut span = Vec::new();
/// wire::put_len_field(&mut span, 5, b"GET /");
/// let mut writer = RequestWriter::new(Signal::Traces);
/// writer.open_resource(&[]);
/// writer.open_scope(&[]);
/// writer.item(&span, tailrace_otlp::NONE);
/// let (data, index) = writer.finish()?;
/// assert_eq!(index, validate(Signal::Traces, &data, &Limits::default())?);
/// assert_eq!(SpanView::new(&data[index.items[0].range()]).name(), "GET /");
/// # Ok::<_, tailrace_otlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestWriter {
    out: Vec<u8>,
    index: Index,
    is_metrics: bool,
    /// Field of the trace id in items, 0 if there is none.
    trace_id: u32,
    /// The open messages from the outermost in, by [`Level`].
    open: [Option<Open>; 4],
    /// How many bytes the length of the last message of each level took: the guess for the next one.
    widths: [usize; 4],
}

impl RequestWriter {
    /// An empty request of `signal`.
    #[must_use]
    pub fn new(signal: Signal) -> Self {
        Self::with_capacity(signal, 0, 0)
    }

    /// An empty request with room for so many bytes and items.
    #[must_use]
    pub fn with_capacity(signal: Signal, bytes: usize, items: usize) -> Self {
        let mut index = Index::default();
        index.items.reserve(items);
        Self {
            out: Vec::with_capacity(bytes),
            index,
            is_metrics: signal == Signal::Metrics,
            trace_id: trace_id_field(signal),
            open: [None; 4],
            widths: [3, 3, 2, 2],
        }
    }

    /// How many bytes it has so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// How many items it has so far.
    #[must_use]
    pub fn items(&self) -> usize {
        self.index.items.len()
    }

    /// Starts a resource with this context.
    pub fn open_resource(&mut self, context: &[u8]) {
        self.resource_with(None, |out| out.extend_from_slice(context));
    }

    /// Starts a scope in the open resource, with this context. Without a resource it starts one with an empty context.
    pub fn open_scope(&mut self, context: &[u8]) {
        self.scope_with(None, |out| out.extend_from_slice(context));
    }

    /// Starts a metric in the open scope: `context` is what the metric holds besides its data, `data_context` what its data holds
    /// besides the points. Without a scope it starts one with an empty context. For other signals than metrics it
    /// does nothing.
    pub fn open_metric(&mut self, context: &[u8], kind: MetricKind, data_context: &[u8]) {
        self.metric_with(kind, None, |out| out.extend_from_slice(context), |out| out.extend_from_slice(data_context));
    }

    /// Appends an item: the payload of its message, and where the trace id lies in it
    /// ([`Item::trace_in_item`]; [`NONE`] if it has none).
    ///
    /// It goes into the open scope, or for metrics into the open metric. What is not open is opened with an empty
    /// context; a metric without data becomes a gauge.
    pub fn item(&mut self, payload: &[u8], trace_in_item: u32) {
        let number = self.ready();
        wire::put_tag(&mut self.out, number, WireType::Len);
        wire::put_varint(&mut self.out, payload.len() as u64);
        let offset = self.out.len() as u32;
        self.out.extend_from_slice(payload);
        self.index.items.push(Item {
            offset,
            len: payload.len() as u32,
            parent: self.parent(),
            trace: crate::index::shift(trace_in_item, offset),
        });
    }

    /// Appends a run of items that are encoded already, one after the other, each with tag and length as in
    /// a scope (or the data of a metric). Finds their trace ids. Bytes that are no such run end it early.
    pub fn run(&mut self, records: &[u8]) {
        let number = self.ready();
        let parent = self.parent();
        let base = self.out.len();
        let mut end = 0;
        for field in wire::Fields::new(records) {
            let (true, Some(payload)) = (field.number == number, field.bytes()) else { break };
            end = field.end;
            let offset = (base + field.end - payload.len()) as u32;
            let trace = crate::index::shift(trace_in(payload, self.trace_id), offset);
            self.index.items.push(Item { offset, len: payload.len() as u32, parent, trace });
        }
        self.out.extend_from_slice(records.get(..end).unwrap_or_default());
    }

    /// Closes everything and hands out the request with its index.
    ///
    /// # Errors
    /// If it is longer than `u32::MAX` bytes.
    pub fn finish(mut self) -> Result<(Vec<u8>, Index), Error> {
        self.close(Level::Resource);
        let bytes = u32::try_from(self.out.len()).map_err(|_| Error::too_large())?;
        if bytes == u32::MAX {
            return Err(Error::too_large());
        }
        self.index.bytes = bytes;
        if self.index.resources.is_empty() {
            self.index.root = Context { head: bytes, tail: bytes, scattered: false };
        } else {
            self.index.root.tail = bytes;
        }
        Ok((self.out, self.index))
    }

    /// Fields of the request beside its resources; only before the first resource.
    pub(crate) fn root(&mut self, piece: &[u8]) {
        self.out.extend_from_slice(piece);
    }

    /// Starts a resource; `len_hint` is the likely length of its message.
    pub(crate) fn resource_with(&mut self, len_hint: Option<usize>, context: impl FnOnce(&mut Vec<u8>)) {
        self.close(Level::Resource);
        if self.index.resources.is_empty() {
            self.index.root.head = self.out.len() as u32;
        }
        let offset = self.start(Level::Resource, 1, len_hint);
        context(&mut self.out);
        let first = self.index.scopes.len() as u32;
        self.index.resources.push(Resource { offset, len: 0, first, count: 0, context: self.head() });
    }

    pub(crate) fn scope_with(&mut self, len_hint: Option<usize>, context: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_open(Level::Resource) {
            self.open_resource(&[]);
        }
        self.close(Level::Scope);
        let offset = self.start(Level::Scope, 2, len_hint);
        context(&mut self.out);
        let first = if self.is_metrics { self.index.metrics.len() } else { self.index.items.len() } as u32;
        let resource = (self.index.resources.len() - 1) as u32;
        self.index.scopes.push(Scope { offset, len: 0, resource, first, count: 0, context: self.head() });
    }

    pub(crate) fn metric_with(
        &mut self,
        kind: MetricKind,
        len_hint: Option<(usize, usize)>,
        context: impl FnOnce(&mut Vec<u8>),
        data_context: impl FnOnce(&mut Vec<u8>),
    ) {
        if !self.is_metrics {
            return;
        }
        if !self.is_open(Level::Scope) {
            self.open_scope(&[]);
        }
        self.close(Level::Metric);
        let offset = self.start(Level::Metric, 2, len_hint.map(|hint| hint.0));
        context(&mut self.out);
        let mut metric = Metric {
            offset,
            len: 0,
            scope: (self.index.scopes.len() - 1) as u32,
            first: self.index.items.len() as u32,
            count: 0,
            context: self.head(),
            kind,
            data_offset: NONE,
            data_len: 0,
            data_context: Context::default(),
        };
        if kind != MetricKind::Empty {
            metric.data_offset = self.start(Level::Data, kind.field(), len_hint.map(|hint| hint.1));
            data_context(&mut self.out);
            metric.data_context = self.head();
        }
        self.index.metrics.push(metric);
    }

    /// Appends records that lie one after the other in `data` for the items `items` of `index`, which all have one parent.
    pub(crate) fn copy_run(&mut self, data: &[u8], records: Range<usize>, items: &[Item]) {
        self.ready();
        let parent = self.parent();
        let shift = (self.out.len() as u32).wrapping_sub(records.start as u32);
        self.out.extend_from_slice(data.get(records).unwrap_or_default());
        self.index.items.extend(items.iter().map(|item| Item {
            offset: item.offset.wrapping_add(shift),
            len: item.len,
            parent,
            trace: if item.trace == NONE { NONE } else { item.trace.wrapping_add(shift) },
        }));
    }

    /// Sees to it that an item can be appended; returns its field number.
    fn ready(&mut self) -> u32 {
        if self.is_metrics {
            if !self.is_open(Level::Data) {
                self.open_metric(&[], MetricKind::Gauge, &[]);
            }
            1
        } else {
            if !self.is_open(Level::Scope) {
                self.open_scope(&[]);
            }
            2
        }
    }

    fn parent(&self) -> u32 {
        let parents = if self.is_metrics { self.index.metrics.len() } else { self.index.scopes.len() };
        parents.saturating_sub(1) as u32
    }

    /// The context of the message that has just got its own fields, as if no child followed.
    fn head(&self) -> Context {
        let head = self.out.len() as u32;
        Context { head, tail: head, scattered: false }
    }
}

/// Appends to `out` what resource `resource` holds besides its scopes.
pub fn resource_context(data: &[u8], index: &Index, resource: usize, out: &mut Vec<u8>) {
    if let Some(resource) = index.resources.get(resource) {
        resource.context.pieces(data, resource.range(), 2, |piece| out.extend_from_slice(piece));
    }
}

/// Appends to `out` what scope `scope` holds besides its items or metrics.
pub fn scope_context(data: &[u8], index: &Index, scope: usize, out: &mut Vec<u8>) {
    if let Some(scope) = index.scopes.get(scope) {
        scope.context.pieces(data, scope.range(), 2, |piece| out.extend_from_slice(piece));
    }
}

/// Appends to `out` what metric `metric` holds besides its data, and to `data_out` what its data holds besides the points.
/// Returns the kind of data.
pub fn metric_context(
    data: &[u8],
    index: &Index,
    metric: usize,
    out: &mut Vec<u8>,
    data_out: &mut Vec<u8>,
) -> MetricKind {
    let Some(metric) = index.metrics.get(metric) else { return MetricKind::Empty };
    metric.context.pieces(data, metric.range(), metric.kind.field(), |piece| out.extend_from_slice(piece));
    if let Some(range) = metric.data_range() {
        metric.data_context.pieces(data, range, 1, |piece| data_out.extend_from_slice(piece));
    }
    metric.kind
}

/// Field number of the trace id in the items of `signal`, 0 if they have none.
pub(crate) const fn trace_id_field(signal: Signal) -> u32 {
    match signal {
        Signal::Traces => 1,
        Signal::Metrics => 0,
        Signal::Logs => 9,
    }
}

/// Where the trace id lies in an item, as [`Item::trace_in_item`] says it.
pub(crate) fn trace_in(payload: &[u8], number: u32) -> u32 {
    if number == 0 {
        return NONE;
    }
    let last = wire::Fields::new(payload).filter(|field| field.number == number).last();
    match last.and_then(|field| Some((field.end, field.bytes()?))) {
        Some((end, id)) if id.len() == 16 && id != [0; 16] => (end - 16) as u32,
        _ => NONE,
    }
}
