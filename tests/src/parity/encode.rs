//! Unusual encodings of the same message: fields in another order, long varints, fields nobody knows.

use super::values::rarely;
use fastrand::Rng;

/// Which fields of a message are messages that may be written unusually too.
type Inside = fn(level: u32, field: u64) -> bool;

/// Request, resource, scope and span.
const TRACES: Inside = |level, field| matches!((level, field), (0, 1) | (1, 2) | (2, 2));

/// The same trace request, written unusually.
pub fn mangle(message: &[u8], random: &mut Rng) -> Vec<u8> {
    level(message, 0, random)
}

fn level(message: &[u8], depth: u32, random: &mut Rng) -> Vec<u8> {
    let mut fields: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let tag = varint(message, &mut at);
        let (number, kind) = (tag >> 3, tag & 7);
        let mut out = Vec::new();
        put(&mut out, tag, random);
        match kind {
            0 => {
                let value = varint(message, &mut at);
                put(&mut out, value, random);
            }
            2 => {
                let len = varint(message, &mut at) as usize;
                let body = &message[at..at + len];
                at += len;
                let body = if TRACES(depth, number) { level(body, depth + 1, random) } else { body.to_vec() };
                put(&mut out, body.len() as u64, random);
                out.extend(body);
            }
            kind => {
                let len = if kind == 1 { 8 } else { 4 };
                out.extend(&message[at..at + len]);
                at += len;
            }
        }
        fields.push((number, out));
    }
    if rarely(random, 4) {
        // Fields of one number keep their order, or the message would be another one.
        let mut order: Vec<u64> = fields.iter().map(|(number, _)| *number).collect();
        order.dedup();
        random.shuffle(&mut order);
        fields.sort_by_key(|(number, _)| order.iter().position(|own| own == number));
    }
    let mut out = Vec::new();
    for (_, field) in fields {
        if rarely(random, 20) {
            // Field 2000, as a number, eight bytes or text.
            let unknown: &[u8] = match random.u32(..3) {
                0 => &[0x80, 0x7d, 7],
                1 => &[0x81, 0x7d, 1, 2, 3, 4, 5, 6, 7, 8],
                _ => &[0x82, 0x7d, 2, b'h', b'i'],
            };
            out.extend(unknown);
        }
        out.extend(field);
    }
    out
}

fn varint(message: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}

/// Sometimes with a byte more than it needs.
fn put(out: &mut Vec<u8>, mut value: u64, random: &mut Rng) {
    // A number has at most ten bytes.
    let most = value > u64::MAX >> 1;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    if !most && value < 0x7f && rarely(random, 50) {
        out.extend([value as u8 | 0x80, 0]);
    } else {
        out.push(value as u8);
    }
}
