//! This crate against prost and opentelemetry-proto: random objects, other encodings of them, and damage.
//!
//! `PROPTEST_CASES` sets how many cases each property gets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test may panic and print; its support modules are shared with the fuzz targets"
)]

mod fuzz;
mod support;

use proptest::prelude::*;
use support::check::{agree, all_known, check};
use support::mangle::{damage, mangle};
use support::objects::{encoded, usual};
use support::source::Source;
use tailrace_otlp::wire::{WireType, put_len_field, put_tag, put_varint_field};
use tailrace_otlp::{ErrorKind, Limits, Signal, schema, validate};

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    ProptestConfig { cases, failure_persistence: None, max_shrink_time: 20_000, ..ProptestConfig::default() }
}

fn signal(s: &mut Source<'_>) -> Signal {
    Signal::ALL[s.below(3)]
}

/// Every byte of a usual request, changed in many ways one at a time.
fn every_byte(entropy: &[u8]) {
    let mut s = Source::new(entropy);
    let signal = signal(&mut s);
    let mut data = usual(signal, &mut s);
    check(signal, &data, &mut s);
    for at in 0..data.len() {
        let byte = data[at];
        for other in
            [byte ^ 0x80, byte ^ 1, byte ^ 8, byte.wrapping_add(1), byte.wrapping_sub(1), byte.wrapping_sub(2), 0, 0xc3]
        {
            data[at] = other;
            agree(signal, &data);
        }
        data[at] = byte;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 16 + 1, ..config() })]

    /// The fast path never accepts more, or less, than the general walker and prost.
    #[test]
    fn every_byte_of_a_usual_request(entropy in prop::collection::vec(any::<u8>(), 200..600)) {
        every_byte(&entropy);
    }
}

proptest! {
    #![proptest_config(config())]

    /// What prost encodes is accepted, all its fields are known, and all results from it are right.
    #[test]
    fn random_objects(entropy in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let mut s = Source::new(&entropy);
        let signal = signal(&mut s);
        let data = encoded(signal, &mut s);
        all_known(schema::request(signal), &data);
        prop_assert!(check(signal, &data, &mut s));
    }

    /// The same in encodings that no encoder would choose but protobuf allows.
    #[test]
    fn other_encodings(entropy in prop::collection::vec(any::<u8>(), 0..5_000)) {
        let mut s = Source::new(&entropy);
        let signal = signal(&mut s);
        let data = encoded(signal, &mut s);
        let data = mangle(&mut s, schema::request(signal), &data);
        check(signal, &data, &mut s);
    }

    /// The same with damage.
    #[test]
    fn damaged(
        entropy in prop::collection::vec(any::<u8>(), 0..5_000),
        more in prop::collection::vec(any::<u8>(), 100..300),
    ) {
        let mut s = Source::new(&entropy);
        let signal = signal(&mut s);
        let mut data = encoded(signal, &mut s);
        if s.bool() {
            data = mangle(&mut s, schema::request(signal), &data);
        }
        // Other bytes decide about the damage: those of the objects may be used up.
        let mut s = Source::new(&more);
        damage(&mut s, &mut data);
        check(signal, &data, &mut s);
    }

    /// A request of one signal read as one of another: what is unknown there is skipped, the rest must fit.
    #[test]
    fn another_signal(entropy in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut s = Source::new(&entropy);
        let data = encoded(signal(&mut s), &mut s);
        check(signal(&mut s), &data, &mut s);
    }

    /// Cut off anywhere.
    #[test]
    fn truncated(entropy in prop::collection::vec(any::<u8>(), 0..400), cut in any::<u16>()) {
        let mut s = Source::new(&entropy);
        let signal = signal(&mut s);
        let mut data = encoded(signal, &mut s);
        data.truncate(usize::from(cut) % (data.len() + 1));
        check(signal, &data, &mut s);
    }

    /// Bytes without any meaning.
    #[test]
    fn noise(data in prop::collection::vec(any::<u8>(), 0..60)) {
        for signal in Signal::ALL {
            check(signal, &data, &mut Source::new(&data));
        }
    }
}

/// A traces request whose only attribute is a value nested in `depth` arrays (two messages each), with `leaf` at the bottom.
fn nested(depth: usize, leaf: &[u8]) -> Vec<u8> {
    let mut data = leaf.to_vec();
    let wrap = |data: &mut Vec<u8>, number| {
        let inner = std::mem::take(data);
        put_len_field(data, number, &inner);
    };
    for _ in 0..depth {
        wrap(&mut data, 1);
        wrap(&mut data, 5);
    }
    for number in [2, 9, 2, 2, 1] {
        wrap(&mut data, number);
    }
    data
}

/// Nesting is refused at the level at which prost refuses it, with a known or an unknown field or groups at the bottom.
#[test]
fn depth_as_prost() {
    let mut known = Vec::new();
    put_varint_field(&mut known, 3, 1);
    let mut unknown = Vec::new();
    put_varint_field(&mut unknown, 30, 1);
    let mut empty_message = Vec::new();
    put_len_field(&mut empty_message, 5, &[]);
    let mut groups = Vec::new();
    for _ in 0..3 {
        put_tag(&mut groups, 30, WireType::StartGroup);
    }
    for _ in 0..3 {
        put_tag(&mut groups, 30, WireType::EndGroup);
    }
    let mut refused = 0;
    for depth in 40..56 {
        for leaf in [&[][..], &known, &unknown, &empty_message, &groups] {
            if !check(Signal::Traces, &nested(depth, leaf), &mut Source::new(&[])) {
                refused += 1;
            }
        }
    }
    assert!(refused > 5 && refused < 75, "{refused}");
}

/// A limit of depth is a limit, also one that would not fit the stack.
#[test]
fn depth_limit() {
    let at = |depth, limit| {
        let limits = Limits { depth: limit, ..Limits::default() };
        validate(Signal::Traces, &nested(depth, &[]), &limits).map_err(|error| error.kind())
    };
    assert!(at(0, 5).is_ok());
    assert_eq!(at(0, 4), Err(ErrorKind::Depth));
    assert!(at(190, u32::MAX).is_ok());
    assert_eq!(at(50_000, u32::MAX), Err(ErrorKind::Depth));
    assert_eq!(at(1, 0), Err(ErrorKind::Depth));
}

/// Two-byte sub-messages are refused before they cost memory, wherever they lie.
#[test]
fn element_budget() {
    let limits = Limits { elements: 1_000, ..Limits::default() };
    let bomb = |number: u8, outer: &[u32]| {
        let mut data = [number << 3 | 2, 0].repeat(100_000);
        for number in outer {
            let inner = std::mem::take(&mut data);
            put_len_field(&mut data, *number, &inner);
        }
        data
    };
    for (signal, number, outer) in [
        (Signal::Traces, 1, &[][..]),
        (Signal::Traces, 2, &[1]),
        (Signal::Traces, 2, &[2, 1]),
        (Signal::Traces, 9, &[2, 2, 1]),
        (Signal::Traces, 11, &[2, 2, 1]),
        (Signal::Traces, 13, &[2, 2, 1]),
        (Signal::Traces, 1, &[5, 2, 9, 2, 2, 1]),
        (Signal::Traces, 3, &[3, 1, 1]),
        (Signal::Metrics, 2, &[2, 1]),
        (Signal::Metrics, 1, &[5, 2, 2, 1]),
        (Signal::Metrics, 6, &[1, 11, 2, 2, 1]),
        (Signal::Logs, 2, &[2, 1]),
    ] {
        let data = bomb(number, outer);
        let error = validate(signal, &data, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Elements, "{signal} {number} in {outer:?}");
        let limits = Limits { elements: 100_000 + outer.len(), ..limits };
        assert!(validate(signal, &data, &limits).is_ok(), "{signal} {number} in {outer:?}");
    }
}

/// Errors say what, in which field and where.
#[test]
fn errors_name_the_place() {
    let wrapped = |span: &[u8]| {
        let mut data = span.to_vec();
        for number in [2, 2, 1] {
            let inner = std::mem::take(&mut data);
            put_len_field(&mut data, number, &inner);
        }
        validate(Signal::Traces, &data, &Limits::default()).unwrap_err().to_string()
    };
    assert_eq!(wrapped(b"\x2a\x03a\xffb"), "string is not UTF-8 in Span.name at byte 9");
    assert_eq!(wrapped(b"\x0a\x03abc"), "trace id is neither 16 bytes long nor empty in Span.traceId at byte 8");
    assert_eq!(wrapped(b"\x2a\x09a"), "value reaches beyond its message in Span.name at byte 7");
    assert_eq!(wrapped(b"\x2d\0\0\0\0"), "wrong wire type in Span.name at byte 6");
    assert_eq!(wrapped(b"\xa4\x06"), "unbalanced group in Span at byte 6");
    assert_eq!(wrapped(b"\x4a\x04\x12\0\x12\0"), "single value given twice in KeyValue.value at byte 10");
}

/// Long requests: lengths of three and four bytes, and edits that make a length need another byte.
#[test]
fn long_requests() {
    use tailrace_otlp::{Bound, Edits, RequestWriter, Target, select, split};
    let limits = Limits::default();
    let mut writer = RequestWriter::new(Signal::Traces);
    for resource in 0..3 {
        let mut context = Vec::new();
        put_len_field(&mut context, 3, b"https://schema");
        writer.open_resource(&context);
        for scope in 0..3 {
            writer.open_scope(&context);
            for item in 0..[0, 1, 900][(resource + scope) % 3] {
                let mut span = b"\x0a\x100123456789abcdef\x2a".to_vec();
                span.push(90 + item as u8 % 30);
                span.extend(std::iter::repeat_n(b'n', usize::from(span[19])));
                writer.item(&span, 2);
            }
        }
    }
    let (data, index) = writer.finish().unwrap();
    assert_eq!(Ok(&index), validate(Signal::Traces, &data, &limits).as_ref());
    assert!(data.len() > 1 << 18);
    for bound in [Bound::Items(901), Bound::Bytes(100_000), Bound::Bytes(17_000)] {
        let mut items = 0;
        for (part, part_index) in split(Signal::Traces, &data, &index, bound) {
            assert_eq!(Ok(&part_index), validate(Signal::Traces, &part, &limits).as_ref());
            items += part_index.items.len();
        }
        assert_eq!(items, index.items.len());
    }
    let (half, half_index) = select(Signal::Traces, &data, &index, |item| item % 2 == 0).unwrap();
    assert_eq!(Ok(&half_index), validate(Signal::Traces, &half, &limits).as_ref());
    // Every span grows across the border of a one-byte length, and back.
    let mut edits = Edits::new();
    for item in 0..index.items.len() as u32 {
        edits.set(Target::Item(item), "key", "0123456789");
    }
    let (longer, longer_index) = edits.apply(Signal::Traces, &data, &index).unwrap();
    assert_eq!(Ok(&longer_index), validate(Signal::Traces, &longer, &limits).as_ref());
    edits.clear();
    for item in 0..index.items.len() as u32 {
        edits.remove(Target::Item(item), "key");
    }
    assert_eq!(edits.apply(Signal::Traces, &longer, &longer_index).unwrap(), (data, index));
}
