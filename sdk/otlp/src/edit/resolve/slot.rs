//! A field of the edited message, before and after the operations.

use crate::edit::Edits;
use crate::wire::{self, Fields, WireType};
use alloc::vec::Vec;
use core::ops::Range;

/// No value.
pub(super) const NOTHING: Range<usize> = 0..0;

/// A field of the edited message that may change: an attribute, or a field that an intrinsic replaces.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) number: u32,
    /// Where it lies in the request; empty, at the end of its message, if it is new.
    pub(super) old: Range<usize>,
    /// Where its key lies, if it is an attribute.
    pub(super) key: Option<Text>,
    pub(super) now: Now,
}

#[derive(Clone, Debug)]
pub(super) enum Now {
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
pub(super) enum Text {
    Request(Range<usize>),
    Edits(Range<usize>),
}

impl Text {
    pub(super) fn get<'t>(&self, data: &'t [u8], edits: &'t Edits) -> &'t [u8] {
        match self {
            Self::Request(range) => data.get(range.clone()),
            Self::Edits(range) => edits.text.get(range.clone()),
        }
        .unwrap_or_default()
    }
}

impl Slot {
    /// Whether anything was done to it.
    pub(super) fn is_changed(&self) -> bool {
        !matches!(self.now, Now::Kept)
    }

    /// Appends the field that it has become.
    pub(super) fn put(&self, data: &[u8], edits: &Edits, out: &mut Vec<u8>) {
        let value = self.put_head(data, edits, out);
        out.extend_from_slice(edits.text.get(value).unwrap_or_default());
    }

    /// Appends it but for its new value, at the end of it: returns where that lies in [`Edits::text`].
    pub(super) fn put_head(&self, data: &[u8], edits: &Edits, out: &mut Vec<u8>) -> Range<usize> {
        match &self.now {
            Now::Kept => out.extend_from_slice(data.get(self.old.clone()).unwrap_or_default()),
            Now::Gone => {}
            Now::Field(true, value) => {
                wire::put_tag(out, self.number, WireType::Len);
                wire::put_varint(out, value.len() as u64);
                return value.clone();
            }
            Now::Field(false, value) => {
                wire::put_tag(out, self.number, WireType::Varint);
                return value.clone();
            }
            Now::Attribute(value) => {
                let key = self.key.as_ref().map_or(&[][..], |key| key.get(data, edits));
                let Some(value) = value else {
                    self.put_renamed(data, key, out);
                    return NOTHING;
                };
                wire::put_tag(out, self.number, WireType::Len);
                let len = wire::len_field_len(key.len()) + wire::len_field_len(value.len());
                wire::put_varint(out, len as u64);
                wire::put_len_field(out, 1, key);
                wire::put_tag(out, 2, WireType::Len);
                wire::put_varint(out, value.len() as u64);
                return value.clone();
            }
        }
        NOTHING
    }

    /// Appends the attribute with another key but everything else that it had.
    fn put_renamed(&self, data: &[u8], key: &[u8], out: &mut Vec<u8>) {
        let record = data.get(self.old.clone()).unwrap_or_default();
        let message = Fields::new(record).next().and_then(|field| field.bytes()).unwrap_or_default();
        let mut renamed = Vec::with_capacity(key.len() + message.len() + 2);
        wire::put_len_field(&mut renamed, 1, key);
        for field in Fields::new(message).filter(|field| field.number != 1) {
            renamed.extend_from_slice(message.get(field.start..field.end).unwrap_or_default());
        }
        wire::put_len_field(out, self.number, &renamed);
    }
}

/// The attribute whose field lies here in the request. Its slots are in the order of the bytes.
pub(super) fn at_record<'s>(slots: &'s mut [Slot], untouched: usize, record: &Range<usize>) -> Option<&'s mut Slot> {
    let known = slots.get_mut(..untouched)?;
    let at = known.binary_search_by_key(&record.start, |slot| slot.old.start).ok()?;
    known.get_mut(at).filter(|slot| slot.key.is_some() && slot.old == *record)
}
