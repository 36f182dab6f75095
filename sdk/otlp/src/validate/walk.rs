//! The general walker: any legal encoding, by the schema. The only place that makes errors.

use super::{Limits, fast};
use crate::index::{Context, Index, Item, Metric, MetricKind, NONE, Resource, Scope};
use crate::schema::{self, Field, Id, Kind, Message};
use crate::view::DataPointKind;
use crate::wire::{self, WireType};
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
        trace_id: match signal {
            Signal::Traces => 1,
            Signal::Metrics => 0,
            Signal::Logs => 9,
        },
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

/// A field's tag and the positions around it.
struct Tag {
    number: u32,
    wire_type: WireType,
    /// Offset of the tag.
    start: usize,
    /// Offset behind the tag.
    value: usize,
}

/// A varint that could not be read at `pos`: cut off, or too long.
#[cold]
fn bad_varint(data: &[u8], pos: usize) -> ErrorKind {
    let rest = data.get(pos..).unwrap_or_default();
    if rest.len() < wire::VARINT_LEN_MAX && rest.iter().all(|byte| *byte >= 0x80) {
        ErrorKind::Truncated
    } else {
        ErrorKind::Varint
    }
}

// In what follows `data` is the request up to the end of the message at hand, so that positions count from the start of
// the request and nothing can reach beyond its message.

/// The request up to `end`, the end of an inner message.
fn up_to(data: &[u8], end: usize) -> &[u8] {
    data.get(..end).unwrap_or(data)
}

impl Walker<'_> {
    /// Keeps the error about a field of `message`.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, kind: ErrorKind, offset: usize, message: &'static Message, number: u32) -> Fail {
        let field = message.field(number).map_or("", |field| field.name);
        self.error = Some(Error { kind, offset, message: message.name, field });
        Fail
    }

    #[inline]
    fn tag(&mut self, data: &[u8], start: usize, message: &'static Message) -> Result<Tag, Fail> {
        match wire::read_tag(data, start) {
            Some((number, wire_type, value)) => Ok(Tag { number, wire_type, start, value }),
            None => {
                let kind = match wire::read_varint(data, start) {
                    Some(_) => ErrorKind::Tag,
                    None => bad_varint(data, start),
                };
                Err(self.fail(kind, start, message, 0))
            }
        }
    }

    /// Start and end of what the length at `pos` announces.
    #[inline]
    fn length(
        &mut self,
        data: &[u8],
        pos: usize,
        message: &'static Message,
        number: u32,
    ) -> Result<(usize, usize), Fail> {
        match wire::read_len(data, pos) {
            Some(range) => Ok((range.start, range.end)),
            None => {
                let kind = match wire::read_varint(data, pos) {
                    Some(_) => ErrorKind::Truncated,
                    None => bad_varint(data, pos),
                };
                Err(self.fail(kind, pos, message, number))
            }
        }
    }

    #[inline]
    fn varint(&mut self, data: &[u8], pos: usize, message: &'static Message, number: u32) -> Result<usize, Fail> {
        match wire::read_varint(data, pos) {
            Some((_, end)) => Ok(end),
            None => Err(self.fail(bad_varint(data, pos), pos, message, number)),
        }
    }

    #[inline]
    fn fixed(
        &mut self,
        data: &[u8],
        pos: usize,
        len: usize,
        message: &'static Message,
        number: u32,
    ) -> Result<usize, Fail> {
        if data.len() - pos < len {
            return Err(self.fail(ErrorKind::Truncated, pos, message, number));
        }
        Ok(pos + len)
    }

    /// Packed numbers of wire type `expected`.
    fn packed(&mut self, data: &[u8], tag: &Tag, message: &'static Message, expected: WireType) -> Result<usize, Fail> {
        let number = tag.number;
        let (start, end) = self.length(data, tag.value, message, number)?;
        let width = match expected {
            WireType::Fixed64 => 8,
            WireType::Fixed32 => 4,
            WireType::Varint => {
                let inner = up_to(data, end);
                let mut pos = start;
                while pos < end {
                    pos = self.varint(inner, pos, message, number)?;
                }
                return Ok(end);
            }
            // Strings and messages are never packed; their wire type is the expected one.
            _ => return Err(self.fail(ErrorKind::WireType, tag.start, message, number)),
        };
        if (end - start) % width != 0 {
            return Err(self.fail(ErrorKind::Truncated, start, message, number));
        }
        Ok(end)
    }

    /// Counts a sub-message that lies `level` deep.
    fn enter(&mut self, level: u32, message: &'static Message, tag: &Tag) -> Result<(), Fail> {
        if level > self.depth {
            return Err(self.fail(ErrorKind::Depth, tag.start, message, tag.number));
        }
        self.element(message, tag)
    }

    fn element(&mut self, message: &'static Message, tag: &Tag) -> Result<(), Fail> {
        match self.elements.checked_sub(1) {
            Some(left) => {
                self.elements = left;
                Ok(())
            }
            None => Err(self.fail(ErrorKind::Elements, tag.start, message, tag.number)),
        }
    }

    /// Goes on behind what the fast path has checked, if the budget allows it. If not, the walk from here makes the error.
    #[inline]
    fn checked(&mut self, checked: &fast::Checked, pos: &mut usize) {
        if let Some(left) = self.elements.checked_sub(checked.elements) {
            self.elements = left;
            *pos = checked.pos;
        }
    }

    /// Start and end of the sub-message in field `tag` of `message`, which is entered.
    fn child(&mut self, data: &[u8], tag: &Tag, level: u32, message: &'static Message) -> Result<(usize, usize), Fail> {
        if tag.wire_type != WireType::Len {
            return Err(self.fail(ErrorKind::WireType, tag.start, message, tag.number));
        }
        self.enter(level, message, tag)?;
        self.length(data, tag.value, message, tag.number)
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
                self.item(up_to(data, end), start, 5, point, metric)?;
                gaps.child(tag.start, end);
                end
            } else {
                self.other(data, &tag, 4, message, &mut seen)?
            };
        }
        Ok(gaps.finish(data.len()))
    }

    /// A message below the items, or beside them.
    fn message(&mut self, data: &[u8], start: usize, level: u32, message: &'static Message) -> Result<(), Fail> {
        let mut seen = 0;
        let mut pos = start;
        while pos < data.len() {
            let tag = self.tag(data, pos, message)?;
            pos = self.other(data, &tag, level, message, &mut seen)?;
        }
        Ok(())
    }

    /// Any field of `message`, which lies `level` deep; returns its end. `seen` has a bit for every field that may occur once.
    fn other(
        &mut self,
        data: &[u8],
        tag: &Tag,
        level: u32,
        message: &'static Message,
        seen: &mut u32,
    ) -> Result<usize, Fail> {
        let Some(field) = message.field(tag.number) else { return self.unknown(data, tag, level, message) };
        if field.once {
            let bit = 1 << (tag.number & 31);
            if *seen & bit != 0 {
                return Err(self.fail(ErrorKind::Repeated, tag.start, message, tag.number));
            }
            *seen |= bit;
        }
        self.known(data, tag, level, message, field)
    }

    fn known(
        &mut self,
        data: &[u8],
        tag: &Tag,
        level: u32,
        message: &'static Message,
        field: &'static Field,
    ) -> Result<usize, Fail> {
        let expected = wire_type(field.kind);
        if tag.wire_type != expected {
            // Repeated numbers may be packed.
            if field.repeated && tag.wire_type == WireType::Len {
                return self.packed(data, tag, message, expected);
            }
            return Err(self.fail(ErrorKind::WireType, tag.start, message, tag.number));
        }
        let number = tag.number;
        match field.kind {
            Kind::Message(inner) => {
                let (start, end) = self.child(data, tag, level + 1, message)?;
                self.message(up_to(data, end), start, level + 1, inner)?;
                Ok(end)
            }
            Kind::String => {
                if field.repeated {
                    self.element(message, tag)?;
                }
                let (start, end) = self.length(data, tag.value, message, number)?;
                let string = data.get(start..end).unwrap_or_default();
                if !string.is_ascii()
                    && let Err(invalid) = core::str::from_utf8(string)
                {
                    return Err(self.fail(ErrorKind::Utf8, start + invalid.valid_up_to(), message, number));
                }
                Ok(end)
            }
            Kind::Bytes => Ok(self.length(data, tag.value, message, number)?.1),
            Kind::Id(id) => {
                let (start, end) = self.length(data, tag.value, message, number)?;
                if end - start != 0 && end - start != id.len() {
                    let kind = if id == Id::TraceId { ErrorKind::TraceId } else { ErrorKind::SpanId };
                    return Err(self.fail(kind, start, message, number));
                }
                Ok(end)
            }
            Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Enum => {
                self.varint(data, tag.value, message, number)
            }
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => self.fixed(data, tag.value, 8, message, number),
            Kind::Fixed32 | Kind::Float => self.fixed(data, tag.value, 4, message, number),
        }
    }

    /// An unknown field is skipped. Like prost, this takes one level, and one more in every group.
    fn unknown(&mut self, data: &[u8], tag: &Tag, level: u32, message: &'static Message) -> Result<usize, Fail> {
        if level >= self.depth {
            return Err(self.fail(ErrorKind::Depth, tag.start, message, tag.number));
        }
        match tag.wire_type {
            WireType::Varint => self.varint(data, tag.value, message, tag.number),
            WireType::Fixed64 => self.fixed(data, tag.value, 8, message, tag.number),
            WireType::Fixed32 => self.fixed(data, tag.value, 4, message, tag.number),
            WireType::Len => Ok(self.length(data, tag.value, message, tag.number)?.1),
            WireType::StartGroup => {
                let mut pos = tag.value;
                loop {
                    if pos >= data.len() {
                        return Err(self.fail(ErrorKind::Truncated, tag.start, message, tag.number));
                    }
                    let inner = self.tag(data, pos, message)?;
                    if inner.wire_type == WireType::EndGroup {
                        if inner.number != tag.number {
                            return Err(self.fail(ErrorKind::Group, inner.start, message, tag.number));
                        }
                        return Ok(inner.value);
                    }
                    pos = self.unknown(data, &inner, level + 1, message)?;
                }
            }
            WireType::EndGroup => Err(self.fail(ErrorKind::Group, tag.start, message, tag.number)),
        }
    }
}

/// The wire type of a single value of this kind.
const fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Id(_) => WireType::Len,
        Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Enum => {
            WireType::Varint
        }
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => WireType::Fixed64,
        Kind::Fixed32 | Kind::Float => WireType::Fixed32,
    }
}
