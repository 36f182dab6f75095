//! Protobuf's wire format: reading fields out of a slice and appending them to a vector.
//!
//! [`Fields`] walks one message without knowing its type. It never panics; on malformed bytes it ends early, and
//! [`Fields::finished`] tells that from the true end. Bytes that passed [`validate`](crate::validate()) never do that.

use alloc::vec::Vec;
use core::ops::Range;

/// Nesting of unknown groups at which [`Fields`] gives up. Above every limit that validation accepts.
const GROUP_DEPTH_MAX: u32 = 512;

/// The largest length of one encoded varint, in bytes.
pub const VARINT_LEN_MAX: usize = 10;

/// Wire types, as the low three bits of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WireType {
    /// A varint.
    Varint = 0,
    /// Eight bytes.
    Fixed64 = 1,
    /// A length and as many bytes.
    Len = 2,
    /// Start of a group (deprecated by protobuf, never used by OTLP).
    StartGroup = 3,
    /// End of a group.
    EndGroup = 4,
    /// Four bytes.
    Fixed32 = 5,
}

impl WireType {
    /// From the low three bits of a tag.
    #[must_use]
    #[inline]
    pub const fn from_tag(tag: u32) -> Option<Self> {
        match tag & 7 {
            0 => Some(Self::Varint),
            1 => Some(Self::Fixed64),
            2 => Some(Self::Len),
            3 => Some(Self::StartGroup),
            4 => Some(Self::EndGroup),
            5 => Some(Self::Fixed32),
            _ => None,
        }
    }
}

/// Reads the varint at `pos`; returns its value and the position behind it. `None` if it is cut off or too long.
#[must_use]
#[inline]
pub fn read_varint(data: &[u8], pos: usize) -> Option<(u64, usize)> {
    let &first = data.get(pos)?;
    if first < 0x80 {
        return Some((u64::from(first), pos + 1));
    }
    read_long_varint(data, pos)
}

fn read_long_varint(data: &[u8], pos: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in data.get(pos..)?.iter().take(VARINT_LEN_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return (i < 9 || byte < 2).then_some((value, pos + i + 1));
        }
    }
    None
}

/// Reads the tag at `pos`: the field's number, its wire type and the position behind the tag.
#[must_use]
#[inline]
pub fn read_tag(data: &[u8], pos: usize) -> Option<(u32, WireType, usize)> {
    let (tag, next) = read_varint(data, pos)?;
    let tag = u32::try_from(tag).ok()?;
    let wire_type = WireType::from_tag(tag)?;
    if tag < 8 {
        return None;
    }
    Some((tag >> 3, wire_type, next))
}

/// Reads the length at `pos`; returns the range of the bytes that it announces.
#[must_use]
#[inline]
pub fn read_len(data: &[u8], pos: usize) -> Option<Range<usize>> {
    let (len, start) = read_varint(data, pos)?;
    let len = usize::try_from(len).ok()?;
    if len > data.len() - start {
        return None;
    }
    Some(start..start + len)
}

/// Where the field whose tag ends at `pos` ends. `number` is needed for groups.
fn skip(data: &[u8], number: u32, wire_type: WireType, pos: usize, depth: u32) -> Option<usize> {
    let end = match wire_type {
        WireType::Varint => read_varint(data, pos)?.1,
        WireType::Fixed64 => pos.checked_add(8)?,
        WireType::Fixed32 => pos.checked_add(4)?,
        WireType::Len => read_len(data, pos)?.end,
        WireType::StartGroup => {
            let depth = depth.checked_sub(1)?;
            let mut pos = pos;
            loop {
                let (inner, wire_type, next) = read_tag(data, pos)?;
                if wire_type == WireType::EndGroup {
                    if inner != number {
                        return None;
                    }
                    break next;
                }
                pos = skip(data, inner, wire_type, next, depth)?;
            }
        }
        WireType::EndGroup => return None,
    };
    (end <= data.len()).then_some(end)
}

/// The value of a field as the wire shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: the bytes between the two tags, and the tag at the end.
    Group(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Field number.
    pub number: u32,
    /// Its value.
    pub wire: Wire<'a>,
    /// Offset of the tag in the message.
    pub start: usize,
    /// Offset behind the tag: of the length if there is one, else of the value.
    pub value: usize,
    /// Offset behind the field.
    pub end: usize,
}

impl<'a> Field<'a> {
    /// The bytes if this is a field of wire type 2.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.wire {
            Wire::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value if this is a varint.
    #[must_use]
    #[inline]
    pub fn varint(&self) -> Option<u64> {
        match self.wire {
            Wire::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// The value if this is eight bytes.
    #[must_use]
    #[inline]
    pub fn fixed64(&self) -> Option<u64> {
        match self.wire {
            Wire::Fixed64(value) => Some(value),
            _ => None,
        }
    }

    /// The value if this is four bytes.
    #[must_use]
    #[inline]
    pub fn fixed32(&self) -> Option<u32> {
        match self.wire {
            Wire::Fixed32(value) => Some(value),
            _ => None,
        }
    }
}

/// Iterator over the fields of one message.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    data: &'a [u8],
    pos: usize,
    broken: bool,
}

impl<'a> Fields<'a> {
    /// Over the payload of a message (without its own tag and length).
    #[must_use]
    #[inline]
    pub const fn new(message: &'a [u8]) -> Self {
        Self { data: message, pos: 0, broken: false }
    }

    /// Goes on at `pos`, where a field starts.
    #[inline]
    pub(crate) fn seek(&mut self, pos: usize) {
        self.pos = pos;
    }

    /// Whether all fields have been read. After the iterator's end, `false` means that the bytes are malformed.
    #[must_use]
    pub const fn finished(&self) -> bool {
        !self.broken && self.pos == self.data.len()
    }

    #[inline]
    fn read(&self) -> Option<Field<'a>> {
        let data = self.data;
        let start = self.pos;
        let (number, wire_type, value) = read_tag(data, start)?;
        let (wire, end) = match wire_type {
            WireType::Len => {
                let range = read_len(data, value)?;
                let end = range.end;
                (Wire::Bytes(data.get(range)?), end)
            }
            WireType::Varint => {
                let (varint, end) = read_varint(data, value)?;
                (Wire::Varint(varint), end)
            }
            WireType::Fixed64 => {
                let bytes = data.get(value..)?.first_chunk::<8>()?;
                (Wire::Fixed64(u64::from_le_bytes(*bytes)), value + 8)
            }
            WireType::Fixed32 => {
                let bytes = data.get(value..)?.first_chunk::<4>()?;
                (Wire::Fixed32(u32::from_le_bytes(*bytes)), value + 4)
            }
            WireType::StartGroup => {
                let end = skip(data, number, wire_type, value, GROUP_DEPTH_MAX)?;
                (Wire::Group(data.get(value..end)?), end)
            }
            WireType::EndGroup => return None,
        };
        Some(Field { number, wire, start, value, end })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        if self.broken || self.pos >= self.data.len() {
            return None;
        }
        match self.read() {
            Some(field) => {
                self.pos = field.end;
                Some(field)
            }
            None => {
                self.broken = true;
                None
            }
        }
    }
}

impl core::iter::FusedIterator for Fields<'_> {}

/// Length of `value` as a varint, 1 to 10 bytes.
#[must_use]
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // Seven bits a byte: (bits + 6) / 7 without the division.
    let log2 = 63 - (value | 1).leading_zeros();
    ((log2 * 9 + 73) / 64) as usize
}

/// Length of a field of wire type 2 with a one-byte tag and `len` bytes of payload.
#[must_use]
#[inline]
pub const fn len_field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag.
#[inline]
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    put_varint(out, u64::from(number) << 3 | wire_type as u64);
}

/// Appends a field of wire type 2: a string, bytes or a message.
pub fn put_len_field(out: &mut Vec<u8>, number: u32, payload: &[u8]) {
    put_tag(out, number, WireType::Len);
    put_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends a field of wire type 0.
pub fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, WireType::Varint);
    put_varint(out, value);
}

/// Appends a field of wire type 1.
pub fn put_fixed64_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, WireType::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field of wire type 5.
pub fn put_fixed32_field(out: &mut Vec<u8>, number: u32, value: u32) {
    put_tag(out, number, WireType::Fixed32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Where the varint that ends before `end` starts, if the byte in front of it ends another varint (as the tag in front of
/// a length does).
pub(crate) fn varint_start_before(data: &[u8], end: usize) -> usize {
    let mut start = end.saturating_sub(1);
    while let Some(before) = start.checked_sub(1)
        && data.get(before).is_some_and(|byte| *byte >= 0x80)
    {
        start = before;
    }
    start
}

#[cfg(test)]
mod tests;
