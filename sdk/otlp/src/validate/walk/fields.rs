//! The fields of messages: how each kind is read and checked, what is unknown skipped, and what errors say.

use super::{Fail, Walker, up_to};
use crate::schema::{Field, Id, Kind, Message};
use crate::wire::{self, WireType};
use crate::{Error, ErrorKind};

/// A field's tag and the positions around it.
pub(super) struct Tag {
    pub(super) number: u32,
    pub(super) wire_type: WireType,
    /// Offset of the tag.
    pub(super) start: usize,
    /// Offset behind the tag.
    pub(super) value: usize,
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

impl Walker<'_> {
    /// Keeps the error about a field of `message`.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self, kind: ErrorKind, offset: usize, message: &'static Message, number: u32) -> Fail {
        let field = message.field(number).map_or("", |field| field.name);
        self.error = Some(Error { kind, offset, message: message.name, field });
        Fail
    }

    #[inline]
    pub(super) fn tag(&mut self, data: &[u8], start: usize, message: &'static Message) -> Result<Tag, Fail> {
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
    #[inline]
    fn enter(&mut self, level: u32, message: &'static Message, tag: &Tag) -> Result<(), Fail> {
        if level > self.depth {
            return Err(self.fail(ErrorKind::Depth, tag.start, message, tag.number));
        }
        self.element(message, tag)
    }

    #[inline]
    fn element(&mut self, message: &'static Message, tag: &Tag) -> Result<(), Fail> {
        self.elements = self.one_less(self.elements, message, tag)?;
        Ok(())
    }

    /// Counts a sub-message of which there will be an entry in the index.
    #[inline]
    pub(super) fn entry(&mut self, message: &'static Message, tag: &Tag) -> Result<(), Fail> {
        self.entries = self.one_less(self.entries, message, tag)?;
        Ok(())
    }

    #[inline]
    fn one_less(&mut self, left: usize, message: &'static Message, tag: &Tag) -> Result<usize, Fail> {
        left.checked_sub(1).ok_or_else(|| self.fail(ErrorKind::Elements, tag.start, message, tag.number))
    }

    /// Start and end of the sub-message in field `tag` of `message`, which is entered.
    #[inline]
    pub(super) fn child(
        &mut self,
        data: &[u8],
        tag: &Tag,
        level: u32,
        message: &'static Message,
    ) -> Result<(usize, usize), Fail> {
        if tag.wire_type != WireType::Len {
            return Err(self.fail(ErrorKind::WireType, tag.start, message, tag.number));
        }
        self.enter(level, message, tag)?;
        self.length(data, tag.value, message, tag.number)
    }

    /// A message below the items, or beside them.
    #[inline]
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
    #[inline]
    pub(super) fn other(
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

    #[inline]
    fn known(
        &mut self,
        data: &[u8],
        tag: &Tag,
        level: u32,
        message: &'static Message,
        field: &'static Field,
    ) -> Result<usize, Fail> {
        let expected = field.kind.wire_type();
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
