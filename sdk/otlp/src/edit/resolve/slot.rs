//! A field of the edited message, before and after the operations.

use crate::edit::{Edits, Encoded};
use crate::wire::{self, Fields, WireType};
use alloc::vec::Vec;
use core::ops::Range;

/// A field of the edited message that may change: an attribute, or a field that an intrinsic replaces.
#[derive(Clone, Debug)]
pub(super) struct Slot<'v> {
    pub(super) number: u32,
    /// Where it lies in the request; empty, at the end of its message, if it is new.
    pub(super) old: Range<usize>,
    /// Where its key lies, if it is an attribute.
    pub(super) key: Option<Text>,
    pub(super) now: Now<'v>,
}

#[derive(Clone, Debug)]
pub(super) enum Now<'v> {
    /// As it was.
    Kept,
    /// Gone.
    Gone,
    /// An attribute with the slot's key and this `AnyValue`; `None`: with the value that it had.
    Attribute(Option<Encoded<'v>>),
    /// Another field with this payload: bytes if `true`, else a varint.
    Field(bool, Encoded<'v>),
}

/// A piece of text: in the request or in [`Edits::text`].
#[derive(Clone, Debug)]
pub(super) enum Text {
    Request(Range<usize>),
    Edits(Range<usize>),
}

impl Text {
    pub(super) fn get<'t>(&self, data: &'t [u8], edits: &'t Edits<'_>) -> &'t [u8] {
        match self {
            Self::Request(range) => data.get(range.clone()),
            Self::Edits(range) => edits.text.get(range.clone()),
        }
        .unwrap_or_default()
    }
}

impl<'v> Slot<'v> {
    /// Whether anything was done to it.
    pub(super) fn is_changed(&self) -> bool {
        !matches!(self.now, Now::Kept)
    }

    /// Appends the field that it has become.
    pub(super) fn put(&self, data: &[u8], edits: &Edits<'_>, out: &mut Vec<u8>) {
        let value = self.put_but_last(data, edits, out);
        out.extend_from_slice(value);
    }

    /// Appends it but for the end of its new value, which may be long and is returned.
    pub(super) fn put_but_last<'e>(&self, data: &[u8], edits: &'e Edits<'_>, out: &mut Vec<u8>) -> &'e [u8]
    where
        'v: 'e,
    {
        match &self.now {
            Now::Kept => out.extend_from_slice(data.get(self.old.clone()).unwrap_or_default()),
            Now::Gone => {}
            Now::Field(true, value) => {
                wire::put_tag(out, self.number, WireType::Len);
                wire::put_varint(out, value.len() as u64);
                return value.put_but_last(edits, out);
            }
            Now::Field(false, value) => {
                wire::put_tag(out, self.number, WireType::Varint);
                return value.put_but_last(edits, out);
            }
            Now::Attribute(value) => {
                let key = self.key.as_ref().map_or(&[][..], |key| key.get(data, edits));
                let Some(value) = value else {
                    self.put_renamed(data, key, out);
                    return &[];
                };
                wire::put_tag(out, self.number, WireType::Len);
                let len = wire::len_field_len(key.len()) + wire::len_field_len(value.len());
                wire::put_varint(out, len as u64);
                wire::put_len_field(out, 1, key);
                wire::put_tag(out, 2, WireType::Len);
                wire::put_varint(out, value.len() as u64);
                return value.put_but_last(edits, out);
            }
        }
        &[]
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
pub(super) fn at_record<'s, 'v>(
    slots: &'s mut [Slot<'v>],
    untouched: usize,
    record: &Range<usize>,
) -> Option<&'s mut Slot<'v>> {
    let known = slots.get_mut(..untouched)?;
    let at = known.binary_search_by_key(&record.start, |slot| slot.old.start).ok()?;
    known.get_mut(at).filter(|slot| slot.key.is_some() && slot.old == *record)
}
