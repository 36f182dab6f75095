use super::*;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span, span, status::StatusCode};
use prost::Message;

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

fn run(spans: &[Span]) -> Vec<u8> {
    ScopeSpans { spans: spans.to_vec(), ..ScopeSpans::default() }.encode_to_vec()
}

fn rewritten(rewriter: &mut Rewriter, pieces: [&[u8]; 2], inscription: &Inscription<'_>) -> (Vec<Span>, usize) {
    let (out, unparseable) = rewriter.rewrite(pieces, inscription);
    (ScopeSpans::decode(out).unwrap().spans, unparseable)
}

/// The same done to a decoded span.
fn expected(mut span: Span, inscription: &Inscription<'_>) -> (Span, usize) {
    let state = span.trace_state.clone();
    let parsed = TraceState::parse(state.as_bytes());
    let mut unparseable = 0;
    let mut leaves_with = inscription.threshold;
    match (inscription.threshold, parsed) {
        (Some(threshold), Ok(parsed)) if parsed.threshold().is_none_or(|own| own <= threshold) => {
            let mut out = Vec::new();
            parsed.write_with(threshold, &mut out);
            span.trace_state = String::from_utf8(out).unwrap();
        }
        (Some(_), Ok(parsed)) => leaves_with = parsed.threshold(),
        (Some(_), Err(_)) => unparseable = 1,
        (None, _) => {}
    }
    let mut added = Vec::new();
    added.extend(inscription.attribute.map(|(key, value)| text(key, value)));
    let share = inscription.share_key.zip(leaves_with);
    added.extend(share.map(|(key, threshold)| attribute(key, any_value::Value::DoubleValue(threshold.share()))));
    span.attributes.retain(|attribute| added.iter().all(|new| new.key != attribute.key));
    span.attributes.extend(added);
    (span, unparseable)
}

/// Random runs of random spans come out as if they had been decoded, changed and encoded.
#[test]
fn beside_decoding() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let states =
        ["", "", "a=b", "ot=th:8", "ot=th:c;x:y,k=v", "a=b , ot=rv:0123456789abcd", "no good", "ot=th:f,t@s=1"];
    let keys = ["a", "policy", "p", "http.route", ""];
    let mut rewriter = Rewriter::default();
    for _ in 0..5_000 {
        let span = |random: &mut fastrand::Rng| Span {
            trace_id: vec![random.u8(..); 16],
            span_id: vec![random.u8(..); 8],
            trace_state: random.choice(states).unwrap().into(),
            name: "n".repeat(random.usize(..300)),
            kind: random.i32(..6),
            start_time_unix_nano: random.u64(..),
            attributes: {
                let mut keys = keys.to_vec();
                random.shuffle(&mut keys);
                keys.truncate(random.usize(..6));
                keys.into_iter().map(|key| text(key, &"v".repeat(random.usize(..150)))).collect()
            },
            events: vec![span::Event { attributes: vec![text("policy", "of the event")], ..Default::default() }],
            status: Some(opentelemetry_proto::tonic::trace::v1::Status {
                code: StatusCode::Error as i32,
                ..Default::default()
            }),
            flags: random.u32(..),
            ..Span::default()
        };
        let spans: Vec<Span> = (0..random.usize(1..5)).map(|_| span(&mut random)).collect();
        let inscription = Inscription {
            attribute: random.bool().then_some(("policy", "errors")),
            threshold: random.bool().then(|| match random.u8(..4) {
                0 => Threshold::ALWAYS,
                1 => Threshold::NEVER,
                _ => Threshold::new(random.u64(..1 << 56)),
            }),
            share_key: random.bool().then_some("p"),
        };
        let bytes = run(&spans);
        let wanted: Vec<(Span, usize)> = spans.into_iter().map(|span| expected(span, &inscription)).collect();
        let unparseable = wanted.iter().map(|(_, unparseable)| unparseable).sum();
        let wanted: Vec<Span> = wanted.into_iter().map(|(span, _)| span).collect();
        // In one piece, or cut anywhere.
        let cut = random.usize(..bytes.len());
        for pieces in [[&bytes[..], &[]], [&[], &bytes[..]], [&bytes[..cut], &bytes[cut..]]] {
            let found = rewritten(&mut rewriter, pieces, &inscription);
            assert_eq!(found, (wanted.clone(), unparseable), "{inscription:?}");
        }
    }
}

/// Fields that nobody knows stay where they are, and nothing is written if there is nothing to write.
#[test]
fn what_nobody_knows_stays() {
    let mut span = Span { name: "n".into(), trace_state: "ot=th:8".into(), ..Span::default() }.encode_to_vec();
    wire::put_len_field(&mut span, 1000, b"nobody knows");
    wire::put_len_field(&mut span, 9, &text("p", "v").encode_to_vec());
    wire::put_varint_field(&mut span, 3, 5);
    let mut run = Vec::new();
    wire::put_len_field(&mut run, 2, &span);
    let mut rewriter = Rewriter::default();
    assert_eq!(rewriter.rewrite([&run, &[]], &Inscription::default()), (&*run, 0));
    let same = Inscription { threshold: Threshold::parse(b"8"), ..Inscription::default() };
    assert_eq!(rewriter.rewrite([&run, &[]], &same), (&*run, 0));
    let inscription = Inscription { attribute: Some(("p", "w")), ..same };
    let (out, _) = rewriter.rewrite([&run, &[]], &inscription);
    let span = wire::Fields::new(out).next().unwrap().bytes().unwrap();
    let numbers: Vec<u32> = wire::Fields::new(span).map(|field| field.number).collect();
    assert_eq!(numbers, [3, 5, 1000, 3, 9], "the field with a wrong type is one that nobody knows");
    assert_eq!(wire::Fields::new(span).last().unwrap().bytes(), Some(&*text("p", "w").encode_to_vec()));
}
