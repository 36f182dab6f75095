//! One message that is edited: the container of a [`Place`] itself, or some of its sub-messages.

use super::by_key::ByKey;
use super::slot::{Now, Slot, Text, at_record};
use super::{Part, Place};
use crate::edit::{Container, Edits, Intrinsic, Op, Patch, Patches, What};
use crate::wire::{self, Fields};
use alloc::vec::Vec;
use core::ops::Range;

/// With more operations than this that name a key, slots are found by an index.
const BY_KEY_FROM: usize = 32;

/// What is edited together.
pub(super) struct Message<'a> {
    /// The request.
    pub(super) data: &'a [u8],
    /// Where the container lies.
    pub(super) range: Range<usize>,
    /// Field number of the attributes.
    pub(super) attributes: u32,
    /// Which container, and what of it.
    pub(super) place: Place,
}

/// Bytes that are edited as one, and where what stands before them begins: their length, unless they are the container
/// itself.
type Payload = (Range<usize>, usize);

/// Where the search for the sub-messages of a container stands: the parts are asked for in order, and a span may have
/// very many events.
#[derive(Default)]
pub(super) struct Cursor {
    /// Container and field.
    of: Option<(Container, u32)>,
    /// The number of the next message of the field, ...
    next: u32,
    /// ... and from where in the container to look for it.
    at: usize,
}

impl Message<'_> {
    /// Adds the patches that the operations, all of this message, come to.
    pub(super) fn resolve<'e>(
        &self,
        edits: &'e Edits<'_>,
        ops: impl Iterator<Item = &'e Op<'e>> + Clone,
        slots: &mut Vec<Slot<'e>>,
        cursor: &mut Cursor,
        patches: &mut Patches<'e>,
    ) {
        let Some(payloads) = self.payloads(cursor) else { return };
        self.find_slots(&payloads, ops.clone(), slots);
        let end = payloads.last().map_or(self.range.start, |(payload, _)| payload.end);
        let known = slots.len();
        if ops.clone().filter(|op| op.key().is_some()).count() > BY_KEY_FROM {
            let mut by_key = ByKey::of(slots, self.data, edits);
            for op in ops {
                by_key.operate(self, edits, op, slots, known, end);
            }
        } else {
            for op in ops {
                self.operate(edits, op, slots, known, end);
            }
        }
        if !slots.iter().any(Slot::is_changed) {
            return;
        }
        match self.place.part {
            Part::Own => self.patch_fields(edits, slots, patches),
            Part::Single(field) if payloads.is_empty() => self.patch_in_new(edits, field, slots, patches),
            Part::Single(_) | Part::Nth(..) => {
                let (known, added) = slots.split_at(known.min(slots.len()));
                self.patch_payloads(edits, &payloads, known, added, patches);
            }
        }
    }

    /// What is edited; `None` if it does not exist and is not made.
    fn payloads(&self, cursor: &mut Cursor) -> Option<Vec<Payload>> {
        let range = &self.range;
        let whole = self.data.get(range.clone()).unwrap_or_default();
        Some(match self.place.part {
            Part::Own => [(range.clone(), range.start)].into(),
            Part::Single(field) => {
                let of_field = Fields::new(whole).filter(|inner| inner.number == field);
                let payload = |inner: wire::Field<'_>| {
                    let len = inner.bytes()?.len();
                    Some((range.start + inner.end - len..range.start + inner.end, range.start + inner.value))
                };
                of_field.filter_map(payload).collect()
            }
            Part::Nth(field, n) => [self.nth(whole, field, n, cursor)?].into(),
        })
    }

    /// The slots of the fields that the operations may change.
    fn find_slots<'o>(&self, payloads: &[Payload], ops: impl Iterator<Item = &'o Op<'o>>, slots: &mut Vec<Slot<'_>>) {
        let Self { data, attributes, place, .. } = *self;
        slots.clear();
        // The numbers of the fields that are set; none is above 31.
        let intrinsics = ops.fold(0_u32, |fields, op| match op.what {
            What::Intrinsic(which, _) => fields | 1 << intrinsic_field(which, place.part),
            _ => fields,
        });
        let intrinsic = |number: u32| number < 32 && intrinsics >> number & 1 == 1;
        for (payload, _) in payloads {
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
    }

    /// Each field of the container that changed is a patch of its own.
    fn patch_fields<'e>(&self, edits: &'e Edits<'_>, slots: &[Slot<'e>], patches: &mut Patches<'e>) {
        for slot in slots.iter().filter(|slot| slot.is_changed()) {
            let start = patches.text.len();
            let value = slot.put_but_last(self.data, edits, &mut patches.text);
            let (old, new) = (slot.old.clone(), start..patches.text.len());
            if !(new.is_empty() && old.is_empty()) {
                patches.list.push(Patch { container: self.place.container, old, new, value });
            }
        }
    }

    /// The message does not exist yet: it comes to the front of its container.
    fn patch_in_new(&self, edits: &Edits<'_>, field: u32, slots: &[Slot<'_>], patches: &mut Patches<'_>) {
        let mut message = Vec::new();
        for slot in slots {
            slot.put(self.data, edits, &mut message);
        }
        if message.is_empty() {
            return;
        }
        let (container, front) = (self.place.container, self.range.start);
        let start = patches.text.len();
        wire::put_len_field(&mut patches.text, field, &message);
        let patch = Patch { container, old: front..front, new: start..patches.text.len(), value: &[] };
        // Before what is appended to a container without any bytes, too.
        let at = patches.list.partition_point(|patch| patch.container < container);
        patches.list.insert(at, patch);
    }

    /// Each payload with a change is written anew, with its length; what was added goes to the last.
    fn patch_payloads(
        &self,
        edits: &Edits<'_>,
        payloads: &[Payload],
        known: &[Slot<'_>],
        added: &[Slot<'_>],
        patches: &mut Patches<'_>,
    ) {
        let data = self.data;
        for (i, (payload, value)) in payloads.iter().enumerate() {
            // In the order of the bytes.
            let first = known.partition_point(|slot| slot.old.start < payload.start);
            let inside = known.get(first..).unwrap_or_default();
            let inside = inside.get(..inside.partition_point(|slot| slot.old.end <= payload.end)).unwrap_or_default();
            let added = if i + 1 == payloads.len() { added } else { &[] };
            if !inside.iter().any(Slot::is_changed) && added.is_empty() {
                continue;
            }
            let mut message = Vec::with_capacity(payload.len() + 64);
            let mut copied = payload.start;
            for slot in inside.iter().filter(|slot| slot.is_changed()) {
                message.extend_from_slice(data.get(copied..slot.old.start).unwrap_or_default());
                slot.put(data, edits, &mut message);
                copied = slot.old.end;
            }
            message.extend_from_slice(data.get(copied..payload.end).unwrap_or_default());
            for slot in added {
                slot.put(data, edits, &mut message);
            }
            let start = patches.text.len();
            wire::put_varint(&mut patches.text, message.len() as u64);
            patches.text.extend_from_slice(&message);
            let (old, new) = (*value..payload.end, start..patches.text.len());
            patches.list.push(Patch { container: self.place.container, old, new, value: &[] });
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
    pub(super) fn operate<'e>(
        &self,
        edits: &Edits<'_>,
        op: &Op<'e>,
        slots: &mut Vec<Slot<'e>>,
        untouched: usize,
        end: usize,
    ) {
        let data = self.data;
        let text = |range: &Range<usize>| edits.text.get(range.clone()).unwrap_or_default();
        let has_key = |slot: &Slot<'_>, key: &[u8]| {
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
                let same = |slot: &&mut Slot<'_>| slot.key.is_none() && slot.number == number;
                for slot in slots.iter_mut().filter(same) {
                    slot.now = value.take().unwrap_or(Now::Gone);
                }
                if let Some(now) = value {
                    slots.push(Slot { number, old: end..end, key: None, now });
                }
            }
        }
    }
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
