//! Random conditions beside a naive evaluator: it walks a tree of its own over prost's objects, and knows no bytes, no folding
//! and no text. Each condition is printed twice, once with no parenthesis too many and once with many: both must parse to
//! the same. Seeds are printed; the count is fixed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

mod property;
mod tree;

use fastrand::Rng;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tailrace_otlp::{ResourceView, ScopeView, SpanView};
use tailrace_ottl::{Condition, Context, Scene};
use tree::{Answer, Test};

/// How many conditions, each on some spans.
const CONDITIONS: usize = 3_000;
const SPANS: usize = 8;
/// What is put into texts to spoil them.
const SIGNS: [char; 25] = [
    '"', '\\', '(', ')', '[', ']', '{', '}', ',', '.', ':', '+', '-', '*', '/', '=', '<', '>', '!', ' ', 'a', 'A', '0',
    'é', 'x',
];
/// How many spoiled texts.
const SPOILED: usize = 20_000;
/// How many spoiled inputs of the fuzz target.
const INPUTS: usize = 20_000;

fn value(random: &mut Rng, depth: u32) -> AnyValue {
    let value = match random.u32(..if depth == 0 { 7 } else { 9 }) {
        0..=1 => Some(Value::StringValue(random.choice(["", "a", "b", "12", "x.y"]).unwrap().to_owned())),
        2..=3 => Some(Value::IntValue(random.choice([-1, 0, 1, 2, 12, i64::MAX]).unwrap())),
        4 => Some(Value::DoubleValue(random.choice([0.0, 0.5, 1.0, -2.5, f64::NAN]).unwrap())),
        5 => Some(Value::BoolValue(random.bool())),
        6 => None,
        7 => {
            let values = (0..random.usize(..3)).map(|_| value(random, depth - 1)).collect();
            Some(Value::ArrayValue(ArrayValue { values }))
        }
        _ => Some(Value::KvlistValue(KeyValueList { values: attributes(random, depth - 1) })),
    };
    AnyValue { value }
}

fn attributes(random: &mut Rng, depth: u32) -> Vec<KeyValue> {
    let keys = ["k", "l", "m"].into_iter().filter(|_| random.bool()).collect::<Vec<_>>();
    let attribute =
        |key: &str| KeyValue { key: key.to_owned(), value: Some(value(random, depth)), ..KeyValue::default() };
    keys.into_iter().map(attribute).collect()
}

fn span(random: &mut Rng) -> Span {
    Span {
        name: random.choice(["", "a", "GET /"]).unwrap().to_owned(),
        kind: random.i32(0..6),
        attributes: attributes(random, 2),
        status: Some(Status { code: random.i32(0..3), message: random.choice(["", "a"]).unwrap().to_owned() }),
        dropped_events_count: random.u32(..3),
        parent_span_id: if random.bool() { vec![1; 8] } else { Vec::new() },
        ..Span::default()
    }
}

fn answer(condition: &Condition, bytes: &[u8]) -> Answer<bool> {
    let (resource, scope, span) = (ResourceView::new(&[]), ScopeView::new(&[]), SpanView::new(bytes));
    condition.eval(&Scene { resource, scope, span, event: None, now: 0 }).map_err(drop)
}

#[test]
fn beside_a_naive_evaluator() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let (mut kept, mut errors) = (0, 0);
    for _ in 0..CONDITIONS {
        let test = Test::random(&mut random, 3);
        let (plain, wrapped) = (test.print(false), test.print(true));
        let parse =
            |text: &str| Condition::parse(text, Context::Span).unwrap_or_else(|error| panic!("{text}: {error}"));
        let condition = parse(&plain);
        assert_eq!(format!("{condition:?}"), format!("{:?}", parse(&wrapped)), "{plain}\n{wrapped}");
        for _ in 0..SPANS {
            let span = span(&mut random);
            let expected = test.answer(&span);
            assert_eq!(answer(&condition, &span.encode_to_vec()), expected, "{plain}\n{span:#?}");
            kept += usize::from(expected == Ok(true));
            errors += usize::from(expected.is_err());
        }
    }
    // Neither always true, nor never, nor always wrong: otherwise nothing was tested.
    let all = CONDITIONS * SPANS;
    assert!(
        kept > all / 10 && kept < all * 9 / 10 && errors > all / 100 && errors < all / 2,
        "{kept} {errors} of {all}"
    );
}

/// Texts that were conditions, with some characters changed, doubled or taken away: an error with a place inside the text, or a
/// condition that can be evaluated.
#[test]
fn spoiled_texts() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let bytes = span(&mut random).encode_to_vec();
    let mut text: Vec<char> = Vec::new();
    for number in 0..SPOILED {
        if number % 5 == 0 {
            text = Test::random(&mut random, 3).print(random.bool()).chars().collect();
        }
        let at = random.usize(..text.len().max(1)).min(text.len());
        match random.u8(..3) {
            0 if at < text.len() => _ = text.remove(at),
            1 if at < text.len() => text[at] = random.choice(SIGNS).unwrap(),
            _ => text.insert(at, random.choice(SIGNS).unwrap()),
        }
        let joined: String = text.iter().collect();
        match Condition::parse(&joined, Context::Span) {
            Ok(condition) => _ = answer(&condition, &bytes),
            Err(error) => assert!(error.at <= joined.len() && joined.is_char_boundary(error.at), "{joined}: {error}"),
        }
    }
}

/// The property of the fuzz target, on conditions and requests with some bytes changed, doubled or taken away.
#[test]
fn spoiled_bytes() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let (mut input, mut answers) = (Vec::new(), 0);
    for number in 0..INPUTS {
        if number % 5 == 0 {
            let text = Test::random(&mut random, 3).print(random.bool());
            let event = Event { name: "a".to_owned(), attributes: attributes(&mut random, 2), ..Event::default() };
            let spans = vec![Span { events: vec![event], ..span(&mut random) }, span(&mut random)];
            let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
            input = [text.as_bytes(), &[0], &ExportTraceServiceRequest { resource_spans }.encode_to_vec()].concat();
        }
        let at = random.usize(..input.len());
        match random.u8(..4) {
            0 => _ = input.remove(at),
            1 => input[at] = random.u8(..),
            2 => input[at] ^= 1 << random.u8(..8),
            _ => input.insert(at, random.u8(..)),
        }
        answers += property::check(&input);
    }
    assert!(answers > INPUTS / 20, "{answers} answers: nearly nothing was evaluated");
}
