//! Protobuf to OTLP/JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;
use tailrace_otlp::schema::{self, Field, Kind, Message};
use tailrace_otlp::wire::{Fields, Wire, WireType, read_varint};

/// The bytes are no message of that type. Bytes of a batch always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message")]
pub struct Malformed;

/// Deeper messages are not written; validation accepts none by default that are half as deep.
const DEPTH_MAX: u32 = 256;

/// Appends `data`, an encoded message of type `message`, to `out`, on one line. After an error there may be a part of it.
///
/// # Errors
/// When the bytes are malformed.
pub fn write(message: &'static Message, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    Writer { out, entries: Vec::new() }.message(message, data, 0)
}

/// A known field as found on the wire.
#[derive(Clone, Copy)]
struct Entry<'a> {
    field: &'static Field,
    wire: Wire<'a>,
}

struct Writer<'a, 'o> {
    out: &'o mut Vec<u8>,
    /// Fields of the message that is being written, behind those of the messages around it.
    entries: Vec<Entry<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, message: &'static Message, data: &'a [u8], depth: u32) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        let base = self.entries.len();
        self.collect(message, data)?;
        self.out.push(b'{');
        let mut at = base;
        let mut first = true;
        while let Some(entry) = self.entries.get(at).copied() {
            let rest = self.entries.get(at..).unwrap_or_default();
            let count = rest.iter().take_while(|other| other.field.number == entry.field.number).count();
            let before = self.out.len();
            if !first {
                self.out.push(b',');
            }
            let wrote = self.field(at, count, depth)?;
            if wrote {
                first = false;
            } else {
                self.out.truncate(before);
            }
            at += count;
        }
        self.out.push(b'}');
        self.entries.truncate(base);
        Ok(())
    }

    /// Pushes the known fields of a message, those with the same number together, and of a oneof only the last member.
    fn collect(&mut self, message: &'static Message, data: &'a [u8]) -> Result<(), Malformed> {
        let base = self.entries.len();
        let mut fields = Fields::new(data);
        for found in &mut fields {
            if let Some(field) = message.field(found.number) {
                self.entries.push(Entry { field, wire: found.wire });
            }
        }
        if !fields.finished() {
            return Err(Malformed);
        }
        let entries = self.entries.get_mut(base..).unwrap_or_default();
        let last = entries.iter().rfind(|entry| entry.field.explicit).map(|entry| entry.field.number);
        if !entries.is_sorted_by_key(|entry| entry.field.number) {
            entries.sort_by_key(|entry| entry.field.number);
        }
        if let Some(last) = last.filter(|_| is_oneof(message)) {
            let mut index = 0;
            self.entries.retain(|entry| {
                index += 1;
                index <= base || !entry.field.explicit || entry.field.number == last
            });
        }
        Ok(())
    }

    /// Writes one field, which is there `count` times from `at` on. `false` if there is nothing to write.
    fn field(&mut self, at: usize, count: usize, depth: u32) -> Result<bool, Malformed> {
        let last = at + count - 1;
        let Some(Entry { field, wire }) = self.entries.get(last).copied() else { return Ok(false) };
        if field.repeated {
            self.key(field);
            self.out.push(b'[');
            let start = self.out.len();
            for index in at..=last {
                let Some(entry) = self.entries.get(index).copied() else { break };
                match (field.kind.wire_type(), entry.wire) {
                    (wire_type, Wire::Bytes(packed)) if wire_type != WireType::Len => {
                        self.packed(field, wire_type, packed, start)?;
                    }
                    (_, wire) => {
                        self.comma(start);
                        self.value(field, wire, depth)?;
                    }
                }
            }
            let any = self.out.len() > start;
            self.out.push(b']');
            return Ok(any);
        }
        if count > 1 && matches!(field.kind, Kind::Message(_)) {
            return self.merged(field, at, count, depth);
        }
        if !field.explicit && is_default(wire) && !matches!(field.kind, Kind::Message(_)) {
            return Ok(false);
        }
        self.key(field);
        self.value(field, wire, depth)?;
        Ok(true)
    }

    /// A single message in several pieces: their concatenation.
    fn merged(&mut self, field: &'static Field, at: usize, count: usize, depth: u32) -> Result<bool, Malformed> {
        let Kind::Message(message) = field.kind else { return Ok(false) };
        let pieces = self.entries.get(at..at + count).unwrap_or_default();
        let mut whole = Vec::new();
        for piece in pieces {
            let Wire::Bytes(bytes) = piece.wire else { return Err(Malformed) };
            whole.extend_from_slice(bytes);
        }
        self.key(field);
        Writer { out: self.out, entries: Vec::new() }.message(message, &whole, depth + 1)?;
        Ok(true)
    }

    fn packed(
        &mut self,
        field: &'static Field,
        wire: WireType,
        packed: &'a [u8],
        start: usize,
    ) -> Result<(), Malformed> {
        let mut rest = packed;
        while !rest.is_empty() {
            let (value, len) = match wire {
                WireType::Fixed64 => {
                    let bytes = rest.first_chunk::<8>().ok_or(Malformed)?;
                    (Wire::Fixed64(u64::from_le_bytes(*bytes)), 8)
                }
                WireType::Fixed32 => {
                    let bytes = rest.first_chunk::<4>().ok_or(Malformed)?;
                    (Wire::Fixed32(u32::from_le_bytes(*bytes)), 4)
                }
                _ => {
                    let (value, len) = read_varint(rest, 0).ok_or(Malformed)?;
                    (Wire::Varint(value), len)
                }
            };
            self.comma(start);
            self.value(field, value, 0)?;
            rest = rest.get(len..).unwrap_or_default();
        }
        Ok(())
    }

    fn comma(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push(b',');
        }
    }

    fn key(&mut self, field: &Field) {
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn value(&mut self, field: &'static Field, wire: Wire<'a>, depth: u32) -> Result<(), Malformed> {
        match (field.kind, wire) {
            (Kind::Message(message), Wire::Bytes(data)) => return self.message(message, data, depth + 1),
            (Kind::String, Wire::Bytes(text)) => self.text(&String::from_utf8_lossy(text)),
            (Kind::Bytes, Wire::Bytes(bytes)) => self.text(&STANDARD.encode(bytes)),
            (Kind::Id(_), Wire::Bytes(id)) => {
                self.out.push(b'"');
                for byte in id {
                    self.show(format_args!("{byte:02x}"));
                }
                self.out.push(b'"');
            }
            (Kind::Bool, Wire::Varint(value)) => self.show(format_args!("{}", value != 0)),
            (Kind::Int32 | Kind::Enum, Wire::Varint(value)) => self.show(format_args!("{}", value as i32)),
            (Kind::Uint32, Wire::Varint(value)) => self.show(format_args!("{}", value as u32)),
            (Kind::Sint32, Wire::Varint(value)) => {
                let value = value as u32;
                self.show(format_args!("{}", (value >> 1) as i32 ^ -((value & 1) as i32)));
            }
            (Kind::Int64, Wire::Varint(value)) => self.show(format_args!("\"{}\"", value as i64)),
            (Kind::Uint64, Wire::Varint(value)) => self.show(format_args!("\"{value}\"")),
            (Kind::Fixed32, Wire::Fixed32(value)) => self.show(format_args!("{value}")),
            (Kind::Float, Wire::Fixed32(bits)) => self.float(f64::from(f32::from_bits(bits))),
            (Kind::Fixed64, Wire::Fixed64(value)) => self.show(format_args!("\"{value}\"")),
            (Kind::Sfixed64, Wire::Fixed64(value)) => self.show(format_args!("\"{}\"", value as i64)),
            (Kind::Double, Wire::Fixed64(bits)) => self.float(f64::from_bits(bits)),
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(&mut *self.out, text);
    }

    fn float(&mut self, value: f64) {
        match value {
            value if value.is_nan() => self.text("NaN"),
            f64::INFINITY => self.text("Infinity"),
            f64::NEG_INFINITY => self.text("-Infinity"),
            // The shortest digits that give the same double again, with an exponent where that is shorter.
            value => self.show(format_args!("{value:?}")),
        }
    }

    fn show(&mut self, value: std::fmt::Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = self.out.write_fmt(value);
    }
}

/// Messages whose fields with presence are the members of one oneof.
fn is_oneof(message: &'static Message) -> bool {
    [&schema::ANY_VALUE, &schema::NUMBER_DATA_POINT, &schema::EXEMPLAR]
        .iter()
        .any(|oneof| std::ptr::eq(*oneof, message))
}

fn is_default(wire: Wire<'_>) -> bool {
    match wire {
        Wire::Varint(value) | Wire::Fixed64(value) => value == 0,
        Wire::Fixed32(value) => value == 0,
        Wire::Bytes(bytes) => bytes.is_empty(),
        Wire::Group(_) => false,
    }
}
