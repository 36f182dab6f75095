//! Spans as they are held: without what every span of a trace repeats.
//!
//! A span comes as a record: the tag of a span in its scope, a length, and the message. Nearly all senders write the id of the
//! trace first in the message. Of such *led* spans tag and id are left out, for whoever holds a trace knows its id: 19 bytes of
//! each, a seventh of those of a generator. Of one that is held by itself the length is left out too. What comes out is what
//! went in, byte for byte.

use tailrace_otlp::wire;

/// Tag of a span in its scope.
pub const SPAN_TAG: u8 = 0x12;
/// Tag and length of an id at the start of a message.
const ID_HEAD: [u8; 2] = [0x0a, 16];
/// The id with tag and length.
const ID_FIELD: usize = ID_HEAD.len() + 16;
/// So many bytes of a led span are left out, beside its length if it is alone.
pub const LEFT_OUT: usize = 1 + ID_FIELD;

/// Whether a message begins with this id, and does not end with it: something is kept of every span.
pub fn is_led(message: &[u8], id: &[u8; 16]) -> bool {
    let begins = |(head, rest): (&[u8; 2], &[u8])| *head == ID_HEAD && rest.starts_with(id);
    message.len() > ID_FIELD && message.split_first_chunk().is_some_and(begins)
}

/// How long the records of so many led spans are when they are packed.
pub fn packed_len(records: &[u8], spans: u16) -> usize {
    match alone(records, spans) {
        Some(rest) => rest.len(),
        None => records.len().saturating_sub(usize::from(spans) * LEFT_OUT),
    }
}

/// Packs the records of so many led spans into `out`, which has their [`packed_len`].
pub fn pack(records: &[u8], spans: u16, out: &mut [u8]) {
    if let Some(rest) = alone(records, spans) {
        if let Some((room, _)) = out.split_at_mut_checked(rest.len()) {
            room.copy_from_slice(rest);
        }
        return;
    }
    let (mut from, mut out) = (0, out);
    while let Some((len, start)) = wire::read_varint(records, from + 1) {
        let end = start + len as usize;
        let (Some(head), Some(rest)) = (records.get(from + 1..start), records.get(start + ID_FIELD..end)) else {
            return;
        };
        let Some((room, more)) = out.split_at_mut_checked(head.len() + rest.len()) else { return };
        let (room_for_head, room) = room.split_at_mut(head.len());
        // One to three bytes.
        room_for_head.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        room.copy_from_slice(rest);
        (from, out) = (end, more);
    }
}

/// What is kept of the record of a span that is alone.
fn alone(records: &[u8], spans: u16) -> Option<&[u8]> {
    let (_, start) = if spans == 1 { wire::read_varint(records, 1)? } else { return None };
    records.get(start + ID_FIELD..)
}

/// Appends the records to `out` from which `packed` was made; they are of so many spans of the trace `id`.
pub fn unpack(packed: &[u8], spans: u16, id: &[u8; 16], out: &mut Vec<u8>) {
    if spans == 1 {
        unpack_head(packed, id, out);
        return out.extend_from_slice(packed);
    }
    let mut from = 0;
    while let Some((len, start)) = wire::read_varint(packed, from) {
        let end = start + (len as usize).saturating_sub(ID_FIELD);
        put_head(len, id, out);
        out.extend_from_slice(packed.get(start..end).unwrap_or_default());
        from = end;
    }
}

/// Appends what was left out of a span that is alone: what is kept of it follows.
pub fn unpack_head(packed: &[u8], id: &[u8; 16], out: &mut Vec<u8>) {
    put_head((packed.len() + ID_FIELD) as u64, id, out);
}

/// Appends the record of a span of this length up to the end of the id.
fn put_head(len: u64, id: &[u8; 16], out: &mut Vec<u8>) {
    out.push(SPAN_TAG);
    wire::put_varint(out, len);
    out.extend_from_slice(&ID_HEAD);
    out.extend_from_slice(id);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random records that begin with the id come out as they went in; others are known as such.
    #[test]
    fn there_and_back() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..2_000 {
            let id = random.u128(..).to_le_bytes();
            let (mut records, spans) = (Vec::new(), random.u16(1..5));
            for _ in 0..spans {
                let most = [10, 120, 20_000][random.usize(..3)];
                let rest: Vec<u8> = (0..random.usize(1..most)).map(|_| random.u8(..)).collect();
                let message = [&ID_HEAD[..], &id, &rest].concat();
                assert!(is_led(&message, &id));
                wire::put_len_field(&mut records, 2, &message);
            }
            let len = wire::varint_len(wire::read_varint(&records, 1).unwrap().0);
            let left_out = usize::from(spans) * LEFT_OUT + if spans == 1 { len } else { 0 };
            let mut packed = vec![0; packed_len(&records, spans)];
            assert_eq!(packed.len(), records.len() - left_out);
            pack(&records, spans, &mut packed);
            let mut unpacked = vec![9];
            unpack(&packed, spans, &id, &mut unpacked);
            assert_eq!(&unpacked[1..], records);
        }
        let id = [7; 16];
        let led = [&ID_HEAD[..], &id, &[0x12]].concat();
        assert!(is_led(&led, &id) && !is_led(&led, &[8; 16]) && !is_led(&led[..18], &id) && !is_led(&[], &id));
        assert!(!is_led(&[&[0x12, 16], &id[..], &[0x12]].concat(), &id));
    }
}
