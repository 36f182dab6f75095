//! The index of a request: where its resources, scopes and items lie. Validation yields it for free.
//!
//! All offsets count from the start of the request. Items are in the order of the bytes, so those of one scope (or
//! metric) are neighbours, as are the scopes of one resource.

use crate::{Error, wire};
use alloc::vec::Vec;
use core::ops::Range;

/// Stands for "there is none" in offsets of the index.
pub const NONE: u32 = u32::MAX;

/// A span, a metric data point or a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Offset of its message, behind tag and length.
    pub offset: u32,
    /// Length of its message in bytes.
    pub len: u32,
    /// Number of its scope; for a data point, of its metric.
    pub parent: u32,
    /// Offset of the 16 bytes of its trace id, or [`NONE`] if that is absent, empty or all zero. Always [`NONE`] for
    /// data points.
    pub trace: u32,
}

/// What a message holds besides its children (the items of a scope, the scopes of a resource): the bytes before the first
/// child and those behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Offset of the first child's tag; the end of the message if it has none.
    pub head: u32,
    /// Offset behind the last child; the end of the message if it has none.
    pub tail: u32,
    /// Whether there are other fields between the children, so that finding them takes a walk.
    pub scattered: bool,
}

/// A `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Offset of the message, behind tag and length.
    pub offset: u32,
    /// Length of the message in bytes.
    pub len: u32,
    /// Number of its first scope.
    pub first: u32,
    /// How many scopes it has.
    pub count: u32,
    /// Everything but the scopes.
    pub context: Context,
}

/// A `ScopeSpans`, `ScopeMetrics` or `ScopeLogs` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Offset of the message, behind tag and length.
    pub offset: u32,
    /// Length of the message in bytes.
    pub len: u32,
    /// Number of its resource.
    pub resource: u32,
    /// Number of its first item; of its first metric if this is a `ScopeMetrics`.
    pub first: u32,
    /// How many items, or metrics, it has.
    pub count: u32,
    /// Everything but the items or metrics.
    pub context: Context,
}

/// A `Metric` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Offset of the message, behind tag and length.
    pub offset: u32,
    /// Length of the message in bytes.
    pub len: u32,
    /// Number of its scope.
    pub scope: u32,
    /// Number of its first data point.
    pub first: u32,
    /// How many data points it has.
    pub count: u32,
    /// Everything but the data (name, unit, metadata ...).
    pub context: Context,
    /// What kind of data it holds.
    pub kind: MetricKind,
    /// Offset of the `Gauge`, `Sum` ... message; [`NONE`] if there is none.
    pub data_offset: u32,
    /// Length of that message.
    pub data_len: u32,
    /// Everything in that message but the data points (temporality ...).
    pub data_context: Context,
}

/// What kind of data a metric holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// The metric has no data.
    #[default]
    Empty,
    /// `Gauge` of number data points.
    Gauge,
    /// `Sum` of number data points.
    Sum,
    /// `Histogram`.
    Histogram,
    /// `ExponentialHistogram`.
    ExponentialHistogram,
    /// `Summary`.
    Summary,
}

impl MetricKind {
    /// From the number of the field in `Metric`.
    #[must_use]
    pub const fn from_field(number: u32) -> Option<Self> {
        match number {
            5 => Some(Self::Gauge),
            7 => Some(Self::Sum),
            9 => Some(Self::Histogram),
            10 => Some(Self::ExponentialHistogram),
            11 => Some(Self::Summary),
            _ => None,
        }
    }

    /// The number of the field in `Metric`; 0 for [`Self::Empty`].
    #[must_use]
    pub const fn field(self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Gauge => 5,
            Self::Sum => 7,
            Self::Histogram => 9,
            Self::ExponentialHistogram => 10,
            Self::Summary => 11,
        }
    }
}

/// Where the resources, scopes and items of one request lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Spans, data points or log records.
    pub items: Vec<Item>,
    /// Scopes.
    pub scopes: Vec<Scope>,
    /// Resources.
    pub resources: Vec<Resource>,
    /// Metrics; empty for the other signals.
    pub metrics: Vec<Metric>,
    /// Everything in the request but the resources: only fields that this crate does not know.
    pub root: Context,
    /// Length of the request in bytes.
    pub bytes: u32,
}

fn range(offset: u32, len: u32) -> Range<usize> {
    offset as usize..offset as usize + len as usize
}

impl Item {
    /// The bytes of its message.
    #[must_use]
    #[inline]
    pub fn range(&self) -> Range<usize> {
        range(self.offset, self.len)
    }

    /// Offset of the trace id from the start of the message, or [`NONE`].
    #[must_use]
    #[inline]
    pub const fn trace_in_item(&self) -> u32 {
        if self.trace == NONE { NONE } else { self.trace - self.offset }
    }
}

impl Resource {
    /// The bytes of its message.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        range(self.offset, self.len)
    }

    /// The numbers of its scopes.
    #[must_use]
    pub fn scopes(&self) -> Range<usize> {
        range(self.first, self.count)
    }
}

impl Scope {
    /// The bytes of its message.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        range(self.offset, self.len)
    }

    /// The numbers of its items, or of its metrics.
    #[must_use]
    pub fn children(&self) -> Range<usize> {
        range(self.first, self.count)
    }
}

impl Metric {
    /// The bytes of its message.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        range(self.offset, self.len)
    }

    /// The bytes of its `Gauge`, `Sum` ... message, if it has one.
    #[must_use]
    pub fn data_range(&self) -> Option<Range<usize>> {
        (self.data_offset != NONE).then(|| range(self.data_offset, self.data_len))
    }

    /// The numbers of its data points.
    #[must_use]
    pub fn items(&self) -> Range<usize> {
        range(self.first, self.count)
    }
}

impl Index {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many resources, scopes, metrics and items it lists.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.resources.len() + self.scopes.len() + self.metrics.len() + self.items.len()
    }

    /// Bytes of memory that its lists take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        fn bytes<T>(list: &Vec<T>) -> usize {
            list.capacity() * size_of::<T>()
        }
        bytes(&self.resources) + bytes(&self.scopes) + bytes(&self.metrics) + bytes(&self.items)
    }

    /// Forgets everything but keeps the vectors' memory.
    pub fn clear(&mut self) {
        let Self { items, scopes, resources, metrics, root, bytes } = self;
        items.clear();
        scopes.clear();
        resources.clear();
        metrics.clear();
        *root = Context::default();
        *bytes = 0;
    }

    /// The message of item `item` in `data`, the request that this index describes.
    #[must_use]
    #[inline]
    pub fn item<'a>(&self, data: &'a [u8], item: usize) -> Option<&'a [u8]> {
        data.get(self.items.get(item)?.range())
    }

    /// The trace id of item `item`. `None` also if it is all zero.
    #[must_use]
    #[inline]
    pub fn trace_id<'a>(&self, data: &'a [u8], item: usize) -> Option<&'a [u8; 16]> {
        let trace = self.items.get(item)?.trace;
        if trace == NONE {
            return None;
        }
        data.get(trace as usize..)?.first_chunk()
    }

    /// Number of the scope that holds item `item`.
    #[must_use]
    pub fn scope_of(&self, item: usize) -> Option<usize> {
        let parent = self.items.get(item)?.parent as usize;
        if self.metrics.is_empty() {
            return Some(parent);
        }
        Some(self.metrics.get(parent)?.scope as usize)
    }

    /// Number of the resource that holds item `item`.
    #[must_use]
    pub fn resource_of(&self, item: usize) -> Option<usize> {
        Some(self.scopes.get(self.scope_of(item)?)?.resource as usize)
    }

    /// The items inside scope `scope`, also those of its metrics.
    #[must_use]
    pub fn items_of_scope(&self, scope: usize) -> Range<usize> {
        let Some(scope) = self.scopes.get(scope) else { return 0..0 };
        if self.metrics.is_empty() {
            return scope.children();
        }
        match self.metrics.get(scope.children()) {
            Some([first, .., last]) => first.items().start..last.items().end,
            Some([only]) => only.items(),
            _ => 0..0,
        }
    }

    /// Appends the index of a request whose bytes are appended to those of this one.
    ///
    /// # Errors
    /// If both together are longer than `u32::MAX` bytes; the index is unchanged then.
    pub fn append(&mut self, other: &Self) -> Result<(), Error> {
        let base = self.bytes;
        let bytes = base.checked_add(other.bytes).ok_or(Error::too_large())?;
        let count = |len: usize| len as u32;
        let items = count(self.items.len());
        let metrics = count(self.metrics.len());
        let scopes = count(self.scopes.len());
        let resources = count(self.resources.len());
        let is_metrics = !self.metrics.is_empty() || !other.metrics.is_empty();

        self.root = match (self.resources.is_empty(), other.resources.is_empty()) {
            (true, true) => Context { head: bytes, tail: bytes, scattered: false },
            (false, true) => self.root,
            (true, false) => other.root.shifted(base),
            (false, false) => Context {
                head: self.root.head,
                tail: base + other.root.tail,
                scattered: self.root.scattered
                    || other.root.scattered
                    || self.root.tail != base
                    || other.root.head != 0,
            },
        };
        self.resources.extend(other.resources.iter().map(|resource| Resource {
            offset: resource.offset + base,
            first: resource.first + scopes,
            context: resource.context.shifted(base),
            ..*resource
        }));
        self.scopes.extend(other.scopes.iter().map(|scope| Scope {
            offset: scope.offset + base,
            resource: scope.resource + resources,
            first: scope.first + if is_metrics { metrics } else { items },
            context: scope.context.shifted(base),
            ..*scope
        }));
        self.metrics.extend(other.metrics.iter().map(|metric| Metric {
            offset: metric.offset + base,
            scope: metric.scope + scopes,
            first: metric.first + items,
            context: metric.context.shifted(base),
            data_offset: shift(metric.data_offset, base),
            data_context: if metric.data_offset == NONE {
                metric.data_context
            } else {
                metric.data_context.shifted(base)
            },
            ..*metric
        }));
        let parents = if is_metrics { metrics } else { scopes };
        self.items.extend(other.items.iter().map(|item| Item {
            offset: item.offset + base,
            len: item.len,
            parent: item.parent + parents,
            trace: shift(item.trace, base),
        }));
        self.bytes = bytes;
        Ok(())
    }
}

/// An offset moved by `base`; [`NONE`] stays.
#[inline]
pub(crate) const fn shift(offset: u32, base: u32) -> u32 {
    if offset == NONE { NONE } else { offset + base }
}

impl Context {
    pub(crate) const fn shifted(self, base: u32) -> Self {
        Self { head: self.head + base, tail: self.tail + base, scattered: self.scattered }
    }

    /// Calls `each` with the pieces of `message` (which starts at `offset` of `data`) that are not fields of number `child`.
    pub(crate) fn pieces<'a>(self, data: &'a [u8], message: Range<usize>, child: u32, mut each: impl FnMut(&'a [u8])) {
        let head = data.get(message.start..self.head as usize).unwrap_or_default();
        let tail = data.get(self.tail as usize..message.end).unwrap_or_default();
        each(head);
        if self.scattered {
            let middle = data.get(self.head as usize..self.tail as usize).unwrap_or_default();
            for field in wire::Fields::new(middle) {
                if field.number != child {
                    each(middle.get(field.start..field.end).unwrap_or_default());
                }
            }
        }
        each(tail);
    }

    /// Length of those pieces in bytes.
    pub(crate) fn len(self, data: &[u8], message: Range<usize>, child: u32) -> usize {
        let mut len = 0;
        self.pieces(data, message, child, |piece| len += piece.len());
        len
    }
}
