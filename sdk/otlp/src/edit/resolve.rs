//! Turns edits into patches: finds what they aim at and encodes what comes there.

use super::{Container, Edits, Intrinsic, Op, Patch, Patches, What};
use crate::Signal;
use crate::find::Target;
use crate::index::{Index, MetricKind};
use crate::view::DataPointKind;
use crate::wire::{self, Fields, WireType};
use alloc::vec::Vec;
use by_key::ByKey;
use core::ops::Range;

mod by_key;

/// With more operations than this that name a key, slots are found by an index.
const BY_KEY_FROM: usize = 32;

/// Bytes of an attribute that are not of its key and value, about.
const HEADERS: usize = 8;

/// The messages inside a container that are edited: itself, or some of its sub-messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The container itself.
    Own,
    /// The one message in field `.0`; all of them together, should there be several.
    Single(u32),
    /// The message number `.1` of those in field `.0`.
    Nth(u32, u32),
}

/// Where an operation happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    container: Container,
    part: Part,
}

/// All patches for `edits`.
pub(super) fn resolve(edits: &Edits, signal: Signal, data: &[u8], index: &Index) -> Patches {
    let mut ops: Vec<(Place, &Op)> = edits.ops.iter().filter_map(|op| Some((place(op, signal, index)?, op))).collect();
    // Stable: operations at one place keep their order.
    ops.sort_by_key(|(place, _)| *place);
    let mut patches = Patches::default();
    // Values may be long, and each is written at most once.
    patches.text.reserve(edits.text.len().saturating_add(ops.len().saturating_mul(HEADERS)));
    let (mut slots, mut cursor) = (Vec::new(), Cursor::default());
    for same in ops.chunk_by(|a, b| a.0.container == b.0.container) {
        let before = patches.list.len();
        for group in same.chunk_by(|a, b| a.0 == b.0) {
            let Some((place, first)) = group.first() else { continue };
            let Some(range) = container(place.container, index) else { continue };
            let attributes = attributes_field(first.target, signal, index);
            let target = Message { data, range, attributes, place: *place };
            target.resolve(edits, group.iter().map(|(_, op)| *op), &mut slots, &mut cursor, &mut patches);
        }
        // Parts of one container are resolved one after the other but lie in any order.
        if let Some(same) = patches.list.get_mut(before..) {
            same.sort_by_key(|patch| (patch.old.start, patch.old.end));
        }
    }
    patches
}

/// Where the search for the sub-messages of a container stands: the parts are asked for in order, and a span may have
/// very many events.
#[derive(Default)]
struct Cursor {
    /// Container and field.
    of: Option<(Container, u32)>,
    /// The number of the next message of the field, ...
    next: u32,
    /// ... and from where in the container to look for it.
    at: usize,
}

fn place(op: &Op, signal: Signal, index: &Index) -> Option<Place> {
    let own = |container| Place { container, part: Part::Own };
    let single = |container, field| Place { container, part: Part::Single(field) };
    let nth = |item, field, n| Place { container: Container::Item(item), part: Part::Nth(field, n) };
    let intrinsic = match op.what {
        What::Intrinsic(intrinsic, _) => Some(intrinsic),
        _ => None,
    };
    let of_signal = match intrinsic {
        None | Some(Intrinsic::ScopeName) => true,
        Some(Intrinsic::SpanName | Intrinsic::SpanKind | Intrinsic::SpanStatusCode | Intrinsic::SpanStatusMessage) => {
            signal == Signal::Traces
        }
        Some(Intrinsic::LogBody | Intrinsic::LogSeverityNumber | Intrinsic::LogSeverityText) => signal == Signal::Logs,
        Some(Intrinsic::MetricName) => signal == Signal::Metrics,
    };
    if !of_signal {
        return None;
    }
    Some(match op.target {
        Target::Resource(number) => single(Container::Resource(number), 1),
        Target::Scope(number) => single(Container::Scope(number), 1),
        Target::Metric(number) if signal == Signal::Metrics => own(Container::Metric(number)),
        Target::Item(number) => match intrinsic {
            Some(Intrinsic::SpanStatusCode | Intrinsic::SpanStatusMessage) => single(Container::Item(number), 15),
            _ => own(Container::Item(number)),
        },
        Target::Event { item, event } if signal == Signal::Traces => nth(item, 11, event),
        Target::Link { item, link } if signal == Signal::Traces => nth(item, 13, link),
        Target::Exemplar { item, exemplar } if signal == Signal::Metrics => {
            nth(item, point_kind(item, index).exemplars(), exemplar)
        }
        _ => return None,
    })
}

fn container(container: Container, index: &Index) -> Option<Range<usize>> {
    match container {
        Container::Resource(number) => index.resources.get(number as usize).map(|resource| resource.range()),
        Container::Scope(number) => index.scopes.get(number as usize).map(|scope| scope.range()),
        Container::Metric(number) => index.metrics.get(number as usize).map(|metric| metric.range()),
        Container::Item(number) => index.items.get(number as usize).map(|item| item.range()),
    }
}

fn point_kind(item: u32, index: &Index) -> DataPointKind {
    let metric = index.items.get(item as usize).and_then(|item| index.metrics.get(item.parent as usize));
    DataPointKind::of(metric.map_or(MetricKind::Empty, |metric| metric.kind))
}

/// Field number of the attributes in the message of a target.
fn attributes_field(target: Target, signal: Signal, index: &Index) -> u32 {
    match (target, signal) {
        (Target::Resource(_), _) => 1,
        (Target::Scope(_) | Target::Event { .. }, _) => 3,
        (Target::Metric(_), _) => 12,
        (Target::Link { .. }, _) => 4,
        (Target::Exemplar { .. }, _) => 7,
        (Target::Item(_), Signal::Traces) => 9,
        (Target::Item(_), Signal::Logs) => 6,
        (Target::Item(item), Signal::Metrics) => point_kind(item, index).attributes(),
    }
}

/// A field of the edited message that may change: an attribute, or a field that an intrinsic replaces.
#[derive(Clone, Debug)]
struct Slot {
    number: u32,
    /// Where it lies in the request; empty, at the end of its message, if it is new.
    old: Range<usize>,
    /// Where its key lies, if it is an attribute.
    key: Option<Text>,
    now: Now,
}

#[derive(Clone, Debug)]
enum Now {
    /// As it was.
    Kept,
    /// Gone.
    Gone,
    /// An attribute with the slot's key and this `AnyValue`; `None`: with the value that it had.
    Attribute(Option<Range<usize>>),
    /// Another field with this payload: bytes if `true`, else a varint.
    Field(bool, Range<usize>),
}

/// A piece of text: in the request or in [`Edits::text`].
#[derive(Clone, Debug)]
enum Text {
    Request(Range<usize>),
    Edits(Range<usize>),
}

impl Text {
    fn get<'t>(&self, data: &'t [u8], edits: &'t Edits) -> &'t [u8] {
        match self {
            Self::Request(range) => data.get(range.clone()),
            Self::Edits(range) => edits.text.get(range.clone()),
        }
        .unwrap_or_default()
    }
}

/// What is edited together.
struct Message<'a> {
    data: &'a [u8],
    /// Where the container lies.
    range: Range<usize>,
    /// Field number of the attributes.
    attributes: u32,
    place: Place,
}

impl Message<'_> {
    fn resolve<'o>(
        &self,
        edits: &Edits,
        ops: impl Iterator<Item = &'o Op> + Clone,
        slots: &mut Vec<Slot>,
        cursor: &mut Cursor,
        patches: &mut Patches,
    ) {
        let Self { data, ref range, attributes, place } = *self;
        let whole = data.get(range.clone()).unwrap_or_default();
        // The payloads that are edited as one, and, unless that is the container itself, the tag before them.
        let mut payloads: Vec<(Range<usize>, usize)> = Vec::new();
        match place.part {
            Part::Own => payloads.push((range.clone(), range.start)),
            Part::Single(field) => {
                let of_field = Fields::new(whole).filter(|inner| inner.number == field);
                payloads.extend(of_field.filter_map(|inner| {
                    let len = inner.bytes()?.len();
                    Some((range.start + inner.end - len..range.start + inner.end, range.start + inner.value))
                }));
            }
            Part::Nth(field, n) => match self.nth(whole, field, n, cursor) {
                Some(payload) => payloads.push(payload),
                None => return,
            },
        }
        slots.clear();
        // The numbers of the fields that are set; none is above 31.
        let intrinsics = ops.clone().fold(0_u32, |fields, op| match op.what {
            What::Intrinsic(which, _) => fields | 1 << intrinsic_field(which, place.part),
            _ => fields,
        });
        let intrinsic = |number: u32| number < 32 && intrinsics >> number & 1 == 1;
        for (payload, _) in &payloads {
            for field in Fields::new(data.get(payload.clone()).unwrap_or_default()) {
                let is_attribute = field.number == attributes && !matches!(place.part, Part::Single(15));
                if !(is_attribute || intrinsic(field.number)) {
                    continue;
                }
                let key = field.bytes().filter(|_| is_attribute).map(|message| {
                    let base = payload.start + field.end - message.len();
                    let key = Fields::new(message).filter(|field| field.number == 1).last();
                    Text::Request(
                        key.and_then(|key| Some((key.end, key.bytes()?.len())))
                            .map_or(base..base, |(end, len)| base + end - len..base + end),
                    )
                });
                let old = payload.start + field.start..payload.start + field.end;
                slots.push(Slot { number: field.number, old, key, now: Now::Kept });
            }
        }
        let end = payloads.last().map_or(range.start, |(payload, _)| payload.end);
        let untouched = slots.len();
        if ops.clone().filter(|op| op.key().is_some()).count() > BY_KEY_FROM {
            let mut by_key = ByKey::of(slots, data, edits);
            for op in ops {
                by_key.operate(self, edits, op, slots, untouched, end);
            }
        } else {
            for op in ops {
                self.operate(edits, op, slots, untouched, end);
            }
        }
        let changed = |slot: &Slot| !matches!(slot.now, Now::Kept);
        if !slots.iter().any(changed) {
            return;
        }
        match place.part {
            Part::Own => {
                for slot in slots.iter().filter(|slot| changed(slot)) {
                    let start = patches.text.len();
                    self.put(edits, slot, &mut patches.text);
                    let new = start..patches.text.len();
                    if !(new.is_empty() && slot.old.is_empty()) {
                        patches.list.push(Patch { container: place.container, old: slot.old.clone(), new });
                    }
                }
            }
            Part::Single(field) if payloads.is_empty() => {
                // The message does not exist yet: it comes to the front of its container.
                let mut message = Vec::new();
                for slot in slots.iter() {
                    self.put(edits, slot, &mut message);
                }
                if message.is_empty() {
                    return;
                }
                let start = patches.text.len();
                wire::put_len_field(&mut patches.text, field, &message);
                let old = range.start..range.start;
                let patch = Patch { container: place.container, old, new: start..patches.text.len() };
                // Before what is appended to a container without any bytes, too.
                let front = patches.list.partition_point(|patch| patch.container < place.container);
                patches.list.insert(front, patch);
            }
            Part::Single(_) | Part::Nth(..) => {
                let last = payloads.len() - 1;
                let (known, added) = slots.split_at(untouched.min(slots.len()));
                for (i, (payload, value)) in payloads.iter().enumerate() {
                    // In the order of the bytes.
                    let first = known.partition_point(|slot| slot.old.start < payload.start);
                    let inside = known.get(first..).unwrap_or_default();
                    let inside = inside.get(..inside.partition_point(|slot| slot.old.end <= payload.end));
                    let inside = inside.unwrap_or_default();
                    let added = if i == last { added } else { &[] };
                    if !inside.iter().any(changed) && added.is_empty() {
                        continue;
                    }
                    let mut message = Vec::with_capacity(payload.len() + 64);
                    let mut copied = payload.start;
                    for slot in inside.iter().filter(|slot| changed(slot)) {
                        message.extend_from_slice(data.get(copied..slot.old.start).unwrap_or_default());
                        self.put(edits, slot, &mut message);
                        copied = slot.old.end;
                    }
                    message.extend_from_slice(data.get(copied..payload.end).unwrap_or_default());
                    for slot in added {
                        self.put(edits, slot, &mut message);
                    }
                    let start = patches.text.len();
                    wire::put_varint(&mut patches.text, message.len() as u64);
                    patches.text.extend_from_slice(&message);
                    let old = *value..payload.end;
                    patches.list.push(Patch { container: place.container, old, new: start..patches.text.len() });
                }
            }
        }
    }

    /// Message number `n` in `field` of the container, whose bytes are `whole`: its payload, and where its length begins.
    fn nth(&self, whole: &[u8], field: u32, n: u32, cursor: &mut Cursor) -> Option<(Range<usize>, usize)> {
        let of = Some((self.place.container, field));
        if cursor.of != of || cursor.next > n {
            *cursor = Cursor { of, next: 0, at: 0 };
        }
        let start = cursor.at;
        for inner in Fields::new(whole.get(start..)?) {
            cursor.at = start + inner.end;
            if inner.number != field {
                continue;
            }
            let Some(message) = inner.bytes() else { continue };
            cursor.next += 1;
            if cursor.next > n {
                let end = self.range.start + cursor.at;
                return Some((end - message.len()..end, self.range.start + start + inner.value));
            }
        }
        None
    }

    /// Lets one operation act on the slots, of which the first `untouched` are those of the request; new ones come to
    /// `end`.
    fn operate(&self, edits: &Edits, op: &Op, slots: &mut Vec<Slot>, untouched: usize, end: usize) {
        let data = self.data;
        let text = |range: &Range<usize>| edits.text.get(range.clone()).unwrap_or_default();
        let has_key = |slot: &Slot, key: &[u8]| {
            !matches!(slot.now, Now::Gone) && slot.key.as_ref().is_some_and(|own| own.get(data, edits) == key)
        };
        match &op.what {
            What::Set(key, value) => {
                let mut value = Some(value.clone());
                for slot in slots.iter_mut().filter(|slot| has_key(slot, text(key))) {
                    slot.now = match value.take() {
                        Some(value) => Now::Attribute(Some(value)),
                        None => Now::Gone,
                    };
                }
                if value.is_some() {
                    let key = Some(Text::Edits(key.clone()));
                    slots.push(Slot { number: self.attributes, old: end..end, key, now: Now::Attribute(value) });
                }
            }
            What::Insert(key, value) => {
                if !slots.iter().any(|slot| has_key(slot, text(key))) {
                    let key = Some(Text::Edits(key.clone()));
                    let now = Now::Attribute(Some(value.clone()));
                    slots.push(Slot { number: self.attributes, old: end..end, key, now });
                }
            }
            What::Remove(key) => {
                for slot in slots.iter_mut().filter(|slot| has_key(slot, text(key))) {
                    slot.now = Now::Gone;
                }
            }
            What::Rename(from, to) => {
                if text(from) == text(to) || !slots.iter().any(|slot| has_key(slot, text(from))) {
                    return;
                }
                for slot in slots.iter_mut() {
                    if has_key(slot, text(to)) {
                        slot.now = Now::Gone;
                    } else if has_key(slot, text(from)) {
                        slot.key = Some(Text::Edits(to.clone()));
                        if let Now::Kept = slot.now {
                            slot.now = Now::Attribute(None);
                        }
                    }
                }
            }
            What::SetRecord(record, key, value) => {
                if let Some(slot) = at_record(slots, untouched, record) {
                    slot.key = Some(Text::Edits(key.clone()));
                    slot.now = Now::Attribute(Some(value.clone()));
                }
            }
            What::RemoveRecord(record) => {
                if let Some(slot) = at_record(slots, untouched, record) {
                    slot.now = Now::Gone;
                }
            }
            What::Intrinsic(intrinsic, value) => {
                let number = intrinsic_field(*intrinsic, self.place.part);
                let is_bytes = !matches!(
                    intrinsic,
                    Intrinsic::SpanKind | Intrinsic::SpanStatusCode | Intrinsic::LogSeverityNumber
                );
                let mut value = Some(Now::Field(is_bytes, value.clone()));
                let same = |slot: &&mut Slot| slot.key.is_none() && slot.number == number;
                for slot in slots.iter_mut().filter(same) {
                    slot.now = value.take().unwrap_or(Now::Gone);
                }
                if let Some(now) = value {
                    slots.push(Slot { number, old: end..end, key: None, now });
                }
            }
        }
    }

    /// Appends the field that a slot has become.
    fn put(&self, edits: &Edits, slot: &Slot, out: &mut Vec<u8>) {
        let text = |range: &Range<usize>| edits.text.get(range.clone()).unwrap_or_default();
        match &slot.now {
            Now::Kept => out.extend_from_slice(self.data.get(slot.old.clone()).unwrap_or_default()),
            Now::Gone => {}
            Now::Field(true, value) => wire::put_len_field(out, slot.number, text(value)),
            Now::Field(false, value) => {
                wire::put_tag(out, slot.number, WireType::Varint);
                out.extend_from_slice(text(value));
            }
            Now::Attribute(value) => {
                let key = slot.key.as_ref().map_or(&[][..], |key| key.get(self.data, edits));
                match value {
                    Some(value) => {
                        let value = text(value);
                        wire::put_tag(out, slot.number, WireType::Len);
                        let len = wire::len_field_len(key.len()) + wire::len_field_len(value.len());
                        wire::put_varint(out, len as u64);
                        wire::put_len_field(out, 1, key);
                        wire::put_len_field(out, 2, value);
                    }
                    None => self.put_renamed(key, slot, out),
                }
            }
        }
    }

    /// Appends the attribute of `slot` with another key but everything else that it had.
    fn put_renamed(&self, key: &[u8], slot: &Slot, out: &mut Vec<u8>) {
        let record = self.data.get(slot.old.clone()).unwrap_or_default();
        let message = Fields::new(record).next().and_then(|field| field.bytes()).unwrap_or_default();
        let mut renamed = Vec::with_capacity(key.len() + message.len() + 2);
        wire::put_len_field(&mut renamed, 1, key);
        for field in Fields::new(message).filter(|field| field.number != 1) {
            renamed.extend_from_slice(message.get(field.start..field.end).unwrap_or_default());
        }
        wire::put_len_field(out, slot.number, &renamed);
    }
}

/// The attribute whose field lies here in the request. Its slots are in the order of the bytes.
fn at_record<'s>(slots: &'s mut [Slot], untouched: usize, record: &Range<usize>) -> Option<&'s mut Slot> {
    let known = slots.get_mut(..untouched)?;
    let at = known.binary_search_by_key(&record.start, |slot| slot.old.start).ok()?;
    known.get_mut(at).filter(|slot| slot.key.is_some() && slot.old == *record)
}

/// Field number of an intrinsic in the message that is edited.
const fn intrinsic_field(intrinsic: Intrinsic, part: Part) -> u32 {
    match intrinsic {
        Intrinsic::SpanName => match part {
            // An event.
            Part::Nth(..) => 2,
            _ => 5,
        },
        Intrinsic::SpanKind => 6,
        Intrinsic::SpanStatusCode => 3,
        Intrinsic::SpanStatusMessage => 2,
        Intrinsic::LogBody => 5,
        Intrinsic::LogSeverityNumber => 2,
        Intrinsic::LogSeverityText => 3,
        Intrinsic::MetricName | Intrinsic::ScopeName => 1,
    }
}
