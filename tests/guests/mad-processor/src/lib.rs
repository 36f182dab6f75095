//! A `processor` plugin that does what its configuration says: `{"do": "hand back rubbish"}`.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, clippy::panic, clippy::indexing_slicing)]

use tailrace_sdk::{Batch, Failure, Interest, Outcome, Plugin, Processor};

/// What it does without a configuration. Tests write another text here (`tailrace_tests::guests::behaving`).
static BEHAVIOUR: [u8; 64] = *b"MAD-BEHAVIOUR->                                                 ";

fn behaviour() -> String {
    let text = std::hint::black_box(BEHAVIOUR);
    String::from_utf8_lossy(&text[15..]).trim_end().to_owned()
}

struct Mad(String);

impl Plugin for Mad {
    type Config = serde_json::Value;

    fn new(config: serde_json::Value) -> Result<Self, String> {
        Ok(Self(config["do"].as_str().map_or_else(behaviour, str::to_owned)))
    }

    fn interest(&self) -> Interest {
        if self.0 == "trap unless victim" { Interest::in_attributes(["victim"]) } else { Interest::in_every_batch() }
    }
}

impl Processor for Mad {
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, Failure> {
        if batch.bytes().is_empty() {
            return Ok(Outcome::Unchanged);
        }
        Ok(match self.0.as_str() {
            "hand back the same" => Outcome::Replaced(batch.bytes().to_vec()),
            "hand back rubbish" => Outcome::Replaced(vec![0xff; 100]),
            "hand back twice as much" => Outcome::Replaced([batch.bytes(), batch.bytes()].concat()),
            "hand back nothing" => Outcome::Replaced(Vec::new()),
            "hand back a giant" => Outcome::Replaced(vec![0; 8 << 20]),
            // A request for metrics: one gauge without points, of a name that is no trace id.
            "hand back metrics" => Outcome::Replaced(b"\x0a\x0f\x12\x0d\x12\x0b\x0a\x07latency\x2a\x00".to_vec()),
            "hand back half" => Outcome::Replaced(batch.bytes()[..batch.bytes().len() / 2].to_vec()),
            "hand back ten times what it may" => Outcome::Replaced(vec![0; 40 << 20]),
            // Nested deeper than any reader goes.
            "hand back a deep value" => Outcome::Replaced(deep(50_000)),
            // 2,000,000 empty scopes: small for us, large for the host.
            "hand back crumbs" => Outcome::Replaced(crumbs(1_500_000)),
            "drop at length" => Outcome::Drop("why not? ".repeat(200_000).into()),
            "drop" => Outcome::Drop("not interesting".into()),
            "trap unless victim" => panic!("called"),
            "never" => return Err(Failure::Permanent("not ever".into())),
            _ => Outcome::Unchanged,
        })
    }
}

/// A span with an attribute that is an array in an array in an array ...
fn deep(levels: usize) -> Vec<u8> {
    // Written from the end, so that every length is known.
    let mut reversed: Vec<u8> = Vec::new();
    let mut around = |tag: u8| {
        let mut len = reversed.len();
        let mut bytes = vec![tag];
        loop {
            bytes.push(len as u8 & 0x7f | if len > 0x7f { 0x80 } else { 0 });
            len >>= 7;
            if len == 0 {
                break;
            }
        }
        reversed.extend(bytes.iter().rev());
    };
    for _ in 0..levels {
        around(0x0a); // ArrayValue.values
        around(0x2a); // AnyValue.array_value
    }
    // KeyValue.value, Span.attributes, ScopeSpans.spans, ResourceSpans.scope_spans, the request.
    for tag in [0x12, 0x4a, 0x12, 0x12, 0x0a] {
        around(tag);
    }
    reversed.reverse();
    reversed
}

fn crumbs(scopes: usize) -> Vec<u8> {
    let content = [0x12, 0].repeat(scopes);
    let mut request = vec![0x0a];
    let mut len = content.len();
    while len > 0x7f {
        request.push(len as u8 | 0x80);
        len >>= 7;
    }
    request.push(len as u8);
    request.extend(content);
    request
}

tailrace_sdk::export!(Mad: processor);
