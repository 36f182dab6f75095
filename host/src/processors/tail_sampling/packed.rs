//! Spans as they are held: without what every span of a trace repeats.
//!
//! A span comes as a record: the tag of a span in its scope, a length, and the message. Nearly all senders write the id of the
//! trace first in the message. Of such *led* spans tag and id are left out, for whoever holds a trace knows its id: 19 bytes of
//! each, a seventh of those of a generator. What comes out is what went in, byte for byte.

use tailrace_otlp::wire;

/// Tag of a span in its scope.
pub const SPAN_TAG: u8 = 0x12;
/// Tag and length of an id at the start of a message.
const ID_HEAD: [u8; 2] = [0x0a, 16];
/// The id with tag and length.
const ID_FIELD: usize = ID_HEAD.len() + 16;
/// So many bytes of a led span are left out.
pub const LEFT_OUT: usize = 1 + ID_FIELD;

/// Whether a message begins with this id.
pub fn is_led(message: &[u8], id: &[u8; 16]) -> bool {
    message.split_first_chunk().is_some_and(|(head, rest)| *head == ID_HEAD && rest.starts_with(id))
}

/// Packs records of led spans into `out`, which has [`LEFT_OUT`] bytes less for each.
pub fn pack(records: &[u8], out: &mut [u8]) {
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

/// Appends the records to `out` from which `packed` was made; they are of the trace `id`.
pub fn unpack(packed: &[u8], id: &[u8; 16], out: &mut Vec<u8>) {
    let mut from = 0;
    while let Some((rest, end)) = unpack_head(packed, from, id, out) {
        out.extend_from_slice(packed.get(rest..end).unwrap_or_default());
        from = end;
    }
}

/// Appends what was left out of the record that is at `from` in `packed`, and its length. Returns where its rest is.
pub fn unpack_head(packed: &[u8], from: usize, id: &[u8; 16], out: &mut Vec<u8>) -> Option<(usize, usize)> {
    let (len, start) = wire::read_varint(packed, from)?;
    out.push(SPAN_TAG);
    out.extend_from_slice(packed.get(from..start)?);
    out.extend_from_slice(&ID_HEAD);
    out.extend_from_slice(id);
    Some((start, start + (len as usize).saturating_sub(ID_FIELD)))
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
            let (mut records, spans) = (Vec::new(), random.usize(1..5));
            for _ in 0..spans {
                let most = [10, 120, 20_000][random.usize(..3)];
                let rest: Vec<u8> = (0..random.usize(..most)).map(|_| random.u8(..)).collect();
                let message = [&ID_HEAD[..], &id, &rest].concat();
                assert!(is_led(&message, &id));
                wire::put_len_field(&mut records, 2, &message);
            }
            let mut packed = vec![0; records.len() - spans * LEFT_OUT];
            pack(&records, &mut packed);
            let mut unpacked = vec![9];
            unpack(&packed, &id, &mut unpacked);
            assert_eq!(&unpacked[1..], records);
        }
        let id = [7; 16];
        let led = [&ID_HEAD[..], &id].concat();
        assert!(is_led(&led, &id) && !is_led(&led, &[8; 16]) && !is_led(&led[..17], &id) && !is_led(&[], &id));
        assert!(!is_led(&[&[0x12, 16], &id[..]].concat(), &id));
    }
}
