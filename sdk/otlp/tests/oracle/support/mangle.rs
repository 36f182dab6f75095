//! The same or another message in another encoding: overlong varints, other order of fields, packed numbers unpacked, unknown
//! fields and groups, singular fields more than once. And damage: changed, missing and additional bytes.

use super::source::Source;
use tailrace_otlp::schema::{Kind, Message};
use tailrace_otlp::wire::{self, Fields, Wire, WireType};

/// Writes a varint, sometimes longer than needed.
fn put_varint(s: &mut Source<'_>, out: &mut Vec<u8>, value: u64) {
    wire::put_varint(out, value);
    if s.one_in(12) {
        let room = wire::VARINT_LEN_MAX - wire::varint_len(value);
        let more = s.below(room + 1);
        if more > 0 {
            *out.last_mut().unwrap() |= 0x80;
            out.extend(std::iter::repeat_n(0x80, more - 1));
            out.push(0);
        }
    }
}

fn put_tag(s: &mut Source<'_>, out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    put_varint(s, out, u64::from(number) << 3 | wire_type as u64);
}

fn put_bytes(s: &mut Source<'_>, out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(s, out, number, WireType::Len);
    put_varint(s, out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A field that no message has.
fn unknown(s: &mut Source<'_>, depth: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let number = [20, 100, 1_000, 4_000, (1 << 29) - 1][s.below(5)];
    match s.below(if depth > 3 { 4 } else { 5 }) {
        0 => {
            put_tag(s, &mut out, number, WireType::Varint);
            let value = s.number();
            put_varint(s, &mut out, value);
        }
        1 => {
            let bytes = s.bytes();
            put_bytes(s, &mut out, number, &bytes);
        }
        2 => {
            put_tag(s, &mut out, number, WireType::Fixed64);
            out.extend(s.u64().to_le_bytes());
        }
        3 => {
            put_tag(s, &mut out, number, WireType::Fixed32);
            out.extend((s.u64() as u32).to_le_bytes());
        }
        _ => {
            put_tag(s, &mut out, number, WireType::StartGroup);
            for inner in s.many(3, |s| unknown(s, depth + 1)) {
                out.extend(inner);
            }
            put_tag(s, &mut out, number, WireType::EndGroup);
        }
    }
    out
}

/// `payload` of a `message` in another encoding, perhaps with other content.
pub fn mangle(s: &mut Source<'_>, message: &Message, payload: &[u8]) -> Vec<u8> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for field in Fields::new(payload) {
        let schema = message.field(field.number);
        let mut out = Vec::new();
        match (field.wire, schema.map(|schema| schema.kind)) {
            (Wire::Bytes(inner), Some(Kind::Message(kind))) => {
                let mangled = mangle(s, kind, inner);
                let is_repeated = schema.is_some_and(|schema| schema.repeated);
                let is_once = schema.is_some_and(|schema| schema.once);
                // A single message in two pieces; where that is refused, seldom.
                if !is_repeated && s.one_in(if is_once { 150 } else { 6 }) {
                    let cuts: Vec<usize> = Fields::new(&mangled).map(|field| field.end).collect();
                    let cut = if cuts.is_empty() { 0 } else { cuts[s.below(cuts.len())] };
                    let mut first = Vec::new();
                    put_bytes(s, &mut first, field.number, &mangled[..cut]);
                    records.push(first);
                    put_bytes(s, &mut out, field.number, &mangled[cut..]);
                } else {
                    put_bytes(s, &mut out, field.number, &mangled);
                }
            }
            (Wire::Bytes(inner), Some(kind)) if schema.is_some_and(|schema| schema.repeated) => {
                unpack(s, &mut records, field.number, kind, inner);
                continue;
            }
            (Wire::Bytes(inner), kind) => {
                // Last wins: another value before; an id perhaps of another length.
                if s.one_in(10) {
                    let mut first = Vec::new();
                    let other = match kind {
                        Some(Kind::String) => s.string().into_bytes(),
                        Some(Kind::Id(id)) if !s.one_in(20) => s.id(id.len()),
                        _ => s.bytes(),
                    };
                    put_bytes(s, &mut first, field.number, &other);
                    records.push(first);
                }
                put_bytes(s, &mut out, field.number, inner);
            }
            (Wire::Varint(value), _) => {
                if s.one_in(10) {
                    let mut first = Vec::new();
                    put_tag(s, &mut first, field.number, WireType::Varint);
                    let other = s.number();
                    put_varint(s, &mut first, other);
                    records.push(first);
                }
                put_tag(s, &mut out, field.number, WireType::Varint);
                put_varint(s, &mut out, value);
            }
            (Wire::Fixed64(value), _) => {
                put_tag(s, &mut out, field.number, WireType::Fixed64);
                out.extend(value.to_le_bytes());
            }
            _ => out.extend_from_slice(&payload[field.start..field.end]),
        }
        records.push(out);
        if s.one_in(12) {
            records.push(unknown(s, 0));
        }
    }
    if s.one_in(6) {
        records.push(unknown(s, 0));
    }
    if s.one_in(4) {
        for i in (1..records.len()).rev() {
            let j = s.below(i + 1);
            records.swap(i, j);
        }
    }
    records.concat()
}

/// Repeated strings, or packed numbers in other packs or alone.
fn unpack(s: &mut Source<'_>, records: &mut Vec<Vec<u8>>, number: u32, kind: Kind, packed: &[u8]) {
    let mut out = Vec::new();
    match kind {
        Kind::Uint64 => {
            let mut pos = 0;
            let mut values = Vec::new();
            while let Some((value, end)) = wire::read_varint(packed, pos) {
                values.push(value);
                pos = end;
            }
            if s.bool() {
                for value in values {
                    put_tag(s, &mut out, number, WireType::Varint);
                    put_varint(s, &mut out, value);
                }
            } else {
                let mut again = Vec::new();
                for value in values {
                    put_varint(s, &mut again, value);
                }
                put_bytes(s, &mut out, number, &again);
            }
        }
        Kind::Fixed64 | Kind::Double => {
            let cut = s.below(packed.len() / 8 + 1) * 8;
            if s.bool() {
                for value in packed[..cut].chunks(8) {
                    put_tag(s, &mut out, number, WireType::Fixed64);
                    out.extend_from_slice(value);
                }
            } else {
                put_bytes(s, &mut out, number, &packed[..cut]);
            }
            put_bytes(s, &mut out, number, &packed[cut..]);
        }
        _ => put_bytes(s, &mut out, number, packed),
    }
    records.push(out);
}

/// Damages some bytes.
pub fn damage(s: &mut Source<'_>, data: &mut Vec<u8>) {
    for _ in 0..1 + s.below(4) {
        if data.is_empty() {
            return;
        }
        // Far or near the start, wherever the bytes say.
        let at = s.u64() as usize % data.len();
        match s.below(9) {
            0 => data.truncate(at),
            1 => data[at] ^= 1 << s.below(8),
            2 => data[at] = [0, 1, 0x7f, 0x80, 0xff][s.below(5)],
            3 => data[at] = s.byte(),
            4 => data.insert(at, s.byte()),
            5 => {
                data.remove(at);
            }
            6 => data[at] = data[at].wrapping_add(1),
            7 => data[at] = data[at].wrapping_sub(1),
            _ => {
                let len = s.below(40).min(data.len() - at);
                let piece = data[at..at + len].to_vec();
                let to = s.u64() as usize % (data.len() + 1);
                data.splice(to..to, piece);
            }
        }
    }
}
