use super::*;
use alloc::vec;

/// Every length of varint comes back as it was written, and `varint_len` says how long it is.
#[test]
fn varints_round_trip() {
    for shift in 0..64 {
        for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            assert_eq!(read_varint(&out, 0), Some((value, out.len())));
            out.pop();
            assert_eq!(read_varint(&out, 0), None, "cut off: {value}");
        }
    }
}

/// Overlong forms are legal up to ten bytes; an eleventh byte or a 65th bit is not.
#[test]
fn overlong_varints() {
    assert_eq!(read_varint(&[0x8a, 0x80, 0x00], 0), Some((10, 3)));
    let mut ten = vec![0x80; 9];
    ten.push(1);
    assert_eq!(read_varint(&ten, 0), Some((1 << 63, 10)));
    ten[9] = 2;
    assert_eq!(read_varint(&ten, 0), None);
    ten[9] = 0x80;
    ten.push(0);
    assert_eq!(read_varint(&ten, 0), None);
}

/// Fields of all wire types are found with their ranges, and an unbalanced group ends the walk as malformed.
#[test]
fn fields_of_every_wire_type() {
    let mut out = Vec::new();
    put_varint_field(&mut out, 1, 300);
    put_fixed64_field(&mut out, 2, 7);
    put_len_field(&mut out, 3, b"abc");
    put_fixed32_field(&mut out, 16, 9);
    let group = out.len();
    put_tag(&mut out, 5, WireType::StartGroup);
    put_varint_field(&mut out, 1, 1);
    put_tag(&mut out, 5, WireType::EndGroup);
    let mut fields = Fields::new(&out);
    let seen: Vec<_> = fields.by_ref().map(|field| (field.number, field.start, field.end)).collect();
    assert!(fields.finished());
    assert_eq!(seen, [(1, 0, 3), (2, 3, 12), (3, 12, 17), (16, 17, 23), (5, group, out.len())]);
    out.pop();
    let mut fields = Fields::new(&out);
    assert_eq!(fields.by_ref().count(), 4);
    assert!(!fields.finished());
}

/// The start of a length is found from its end, also when it is overlong.
#[test]
fn length_found_backwards() {
    assert_eq!(varint_start_before(&[0xff, 0x12, 0x05], 3), 2);
    assert_eq!(varint_start_before(&[0xff, 0x12, 0x85, 0x80, 0x00], 5), 2);
}
