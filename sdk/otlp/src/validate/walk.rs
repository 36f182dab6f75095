//! The general walker: any legal encoding, by the schema. Here is the tree of resources, scopes and items, of which the index is
//! made; in `fields` are the fields of each message, and what is said of one that is wrong.

mod fields;

use super::{Limits, fast};
use crate::index::{Context, Index, Item, Metric, MetricKind, NONE, Resource, Scope};
use crate::schema::{self, Message};
use crate::view::DataPointKind;
use crate::write::trace_id_field;
use crate::{Error, ErrorKind, Signal};

/// Deeper nesting is refused whatever the limits say: the walker calls itself.
const DEPTH_MAX: u32 = 400;

/// Field number of the children in requests, resources and scopes of every signal, and of the points in a metric's data.
const RESOURCES: u32 = 1;
const SCOPES: u32 = 2;
const ITEMS: u32 = 2;
const POINTS: u32 = 1;

/// Checks a whole request and fills `index`, which is empty.
pub(super) fn request(
    signal: Signal,
    data: &[u8],
    limits: &Limits,
    index: &mut Index,
    fast: bool,
) -> Result<(), Error> {
    let Ok(bytes) = u32::try_from(data.len()) else { return Err(Error::too_large()) };
    if bytes == u32::MAX {
        return Err(Error::too_large());
    }
    index.bytes = bytes;
    let types = match signal {
        Signal::Traces => [&schema::EXPORT_TRACE_REQUEST, &schema::RESOURCE_SPANS, &schema::SCOPE_SPANS, &schema::SPAN],
        Signal::Metrics => {
            [&schema::EXPORT_METRICS_REQUEST, &schema::RESOURCE_METRICS, &schema::SCOPE_METRICS, &schema::METRIC]
        }
        Signal::Logs => {
            [&schema::EXPORT_LOGS_REQUEST, &schema::RESOURCE_LOGS, &schema::SCOPE_LOGS, &schema::LOG_RECORD]
        }
    };
    let mut walker = Walker {
        error: None,
        signal,
        types,
        trace_id: trace_id_field(signal),
        whole: data,
        attributes: match signal {
            Signal::Traces => 9 << 3 | 2,
            // Depends on the kind of data point.
            Signal::Metrics => 0,
            Signal::Logs => 6 << 3 | 2,
        },
        // The fast path does not count levels: it needs the three below the deepest item.
        fast: fast && limits.depth >= 8,
        depth: limits.depth.min(DEPTH_MAX),
        elements: limits.elements,
        entries: limits.entries,
        index,
    };
    let result = walker.root(data);
    // `fail` alone makes a `Fail`, and has kept the error.
    let unknown = Error { kind: ErrorKind::Tag, offset: 0, message: "", field: "" };
    result.map_err(|Fail| walker.error.unwrap_or(unknown))
}

/// The walk has ended with [`Walker::error`]. Of no size, so that results fit into registers.
struct Fail;

struct Walker<'i> {
    error: Option<Error>,
    /// The request.
    whole: &'i [u8],
    /// Whether the fast path is tried first.
    fast: bool,
    /// Tag of the attributes in items.
    attributes: u8,
    signal: Signal,
    types: [&'static Message; 4],
    /// Field number of the trace id in an item, 0 if it has none.
    trace_id: u32,
    depth: u32,
    /// How many sub-messages may still come.
    elements: usize,
    /// How many of those may be such that the index has an entry for them.
    entries: usize,
    index: &'i mut Index,
}

/// Follows the children of a message to tell where its own fields are.
struct Gaps {
    context: Context,
    any: bool,
}

impl Gaps {
    fn new() -> Self {
        Self { context: Context::default(), any: false }
    }

    #[inline]
    fn child(&mut self, start: usize, end: usize) {
        if !self.any {
            self.any = true;
            self.context.head = start as u32;
        } else if self.context.tail != start as u32 {
            self.context.scattered = true;
        }
        self.context.tail = end as u32;
    }

    fn finish(self, end: usize) -> Context {
        if self.any { self.context } else { Context { head: end as u32, tail: end as u32, scattered: false } }
    }
}

// In what follows `data` is the request up to the end of the message at hand, so that positions count from the start of
// the request and nothing can reach beyond its message.

/// The request up to `end`, the end of an inner message.
fn up_to(data: &[u8], end: usize) -> &[u8] {
    data.get(..end).unwrap_or(data)
}

impl Walker<'_> {
    /// Goes on behind what the fast path has checked, if the budget allows it. If not, the walk from here makes the error.
    #[inline]
    fn checked(&mut self, checked: &fast::Checked, pos: &mut usize) {
        if let Some(left) = self.elements.checked_sub(checked.elements) {
            self.elements = left;
            *pos = checked.pos;
        }
    }

    fn root(&mut self, data: &[u8]) -> Result<(), Fail> {
        let [message, ..] = self.types;
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut pos = 0;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = if tag.number == RESOURCES {
                let (start, end) = self.child(data, &tag, 1, message)?;
                self.entry(message, &tag)?;
                self.resource(up_to(data, end), start)?;
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 0, message, &mut seen)?
            };
        }
        self.index.root = gaps.finish(data.len());
        Ok(())
    }

    fn resource(&mut self, data: &[u8], start: usize) -> Result<(), Fail> {
        let [_, message, ..] = self.types;
        let number = self.index.resources.len();
        let first = self.index.scopes.len() as u32;
        let mut resource = Resource {
            offset: start as u32,
            len: (data.len() - start) as u32,
            first,
            count: 0,
            context: Context::default(),
        };
        self.index.resources.push(resource);
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut pos = start;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = if tag.number == SCOPES {
                let (start, end) = self.child(data, &tag, 2, message)?;
                self.entry(message, &tag)?;
                self.scope(up_to(data, end), start, number as u32)?;
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 1, message, &mut seen)?
            };
        }
        resource.context = gaps.finish(data.len());
        resource.count = self.index.scopes.len() as u32 - first;
        if let Some(slot) = self.index.resources.get_mut(number) {
            *slot = resource;
        }
        Ok(())
    }

    fn scope(&mut self, data: &[u8], start: usize, resource: u32) -> Result<(), Fail> {
        let [_, _, message, item] = self.types;
        let is_metrics = self.signal == Signal::Metrics;
        let children = |index: &Index| if is_metrics { index.metrics.len() } else { index.items.len() } as u32;
        let number = self.index.scopes.len();
        let first = children(self.index);
        let mut scope = Scope {
            offset: start as u32,
            len: (data.len() - start) as u32,
            resource,
            first,
            count: 0,
            context: Context::default(),
        };
        self.index.scopes.push(scope);
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut pos = start;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = if tag.number == ITEMS {
                let (start, end) = self.child(data, &tag, 3, message)?;
                self.entry(message, &tag)?;
                let inner = up_to(data, end);
                if is_metrics {
                    self.metric(inner, start, number as u32)?;
                } else {
                    self.item(inner, start, 3, item, number as u32)?;
                }
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 2, message, &mut seen)?
            };
        }
        scope.context = gaps.finish(data.len());
        scope.count = children(self.index) - first;
        if let Some(slot) = self.index.scopes.get_mut(number) {
            *slot = scope;
        }
        Ok(())
    }

    /// A span, log record or data point.
    fn item(
        &mut self,
        data: &[u8],
        start: usize,
        level: u32,
        message: &'static Message,
        parent: u32,
    ) -> Result<(), Fail> {
        let mut trace = NONE;
        let mut seen = 0;
        let mut pos = start;
        let is_span = self.fast && self.signal == Signal::Traces;
        if is_span {
            (pos, trace) = fast::span_start(data, start);
        }
        while pos < data.len() {
            if self.fast && data.get(pos) == Some(&self.attributes) {
                let checked = fast::attributes(self.whole, pos, data.len(), self.attributes);
                self.checked(&checked, &mut pos);
                if is_span {
                    let checked = fast::span_end(data, pos);
                    self.checked(&checked, &mut pos);
                }
                if pos == data.len() {
                    break;
                }
            }
            let tag = self.tag(data, pos, message)?;
            pos = self.other(data, &tag, level, message, &mut seen)?;
            if tag.number == self.trace_id {
                // Checked: 16 bytes or none. The last one counts.
                trace = match pos.checked_sub(16) {
                    Some(id) if id > tag.value && data.get(id..pos).is_some_and(|id| id != [0; 16]) => id as u32,
                    _ => NONE,
                };
            }
        }
        let len = (data.len() - start) as u32;
        self.index.items.push(Item { offset: start as u32, len, parent, trace });
        Ok(())
    }

    fn metric(&mut self, data: &[u8], start: usize, scope: u32) -> Result<(), Fail> {
        let [.., message] = self.types;
        let number = self.index.metrics.len();
        let first = self.index.items.len() as u32;
        let mut metric = Metric {
            offset: start as u32,
            len: (data.len() - start) as u32,
            scope,
            first,
            count: 0,
            context: Context::default(),
            kind: MetricKind::Empty,
            data_offset: NONE,
            data_len: 0,
            data_context: Context::default(),
        };
        self.index.metrics.push(metric);
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut pos = start;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = if let Some(kind) = MetricKind::from_field(tag.number) {
                let (start, end) = self.child(data, &tag, 4, message)?;
                if metric.kind != MetricKind::Empty {
                    return Err(self.fail(ErrorKind::Repeated, tag.start, message, tag.number));
                }
                metric.kind = kind;
                metric.data_offset = start as u32;
                metric.data_len = (end - start) as u32;
                metric.data_context = self.points(up_to(data, end), start, kind, number as u32)?;
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 3, message, &mut seen)?
            };
        }
        metric.context = gaps.finish(data.len());
        metric.count = self.index.items.len() as u32 - first;
        if let Some(slot) = self.index.metrics.get_mut(number) {
            *slot = metric;
        }
        Ok(())
    }

    /// The `Gauge`, `Sum` ... of a metric.
    fn points(&mut self, data: &[u8], start: usize, kind: MetricKind, metric: u32) -> Result<Context, Fail> {
        let (message, point) = match kind {
            MetricKind::Gauge | MetricKind::Empty => (&schema::GAUGE, &schema::NUMBER_DATA_POINT),
            MetricKind::Sum => (&schema::SUM, &schema::NUMBER_DATA_POINT),
            MetricKind::Histogram => (&schema::HISTOGRAM, &schema::HISTOGRAM_DATA_POINT),
            MetricKind::ExponentialHistogram => {
                (&schema::EXPONENTIAL_HISTOGRAM, &schema::EXPONENTIAL_HISTOGRAM_DATA_POINT)
            }
            MetricKind::Summary => (&schema::SUMMARY, &schema::SUMMARY_DATA_POINT),
        };
        self.attributes = (DataPointKind::of(kind).attributes() << 3 | 2) as u8;
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut pos = start;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = if tag.number == POINTS {
                let (start, end) = self.child(data, &tag, 5, message)?;
                self.entry(message, &tag)?;
                self.item(up_to(data, end), start, 5, point, metric)?;
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 4, message, &mut seen)?
            };
        }
        Ok(gaps.finish(data.len()))
    }
}
