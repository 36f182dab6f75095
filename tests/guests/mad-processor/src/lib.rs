//! A `processor` plugin that does what its configuration says: `{"do": "hand back rubbish"}`.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, clippy::panic)]

use tailrace_sdk::{Batch, Failure, Interest, Outcome, Plugin, Processor};

struct Mad(String);

impl Plugin for Mad {
    type Config = serde_json::Value;

    fn new(config: serde_json::Value) -> Result<Self, String> {
        Ok(Self(config["do"].as_str().unwrap_or_default().to_owned()))
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
            "drop" => Outcome::Drop("not interesting".into()),
            "trap unless victim" => panic!("called"),
            "never" => return Err(Failure::Permanent("not ever".into())),
            _ => Outcome::Unchanged,
        })
    }
}

tailrace_sdk::export!(Mad: processor);
