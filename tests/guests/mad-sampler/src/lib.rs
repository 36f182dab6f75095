//! A `sampler` plugin that does what its configuration says: `{"do": "one too few"}`. It speaks the contract without the
//! SDK's help, which would not let it miscount.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, missing_docs, clippy::panic)]

use std::cell::RefCell;
use tailrace_sdk::guest::lifecycle::bindings::exports::tailrace::plugin::lifecycle::{
    Guest as Lifecycle, Info, Instances, Interest,
};
use tailrace_sdk::guest::sampler::{self, Decision, Failure, Traces};

/// What it does without a configuration. Tests write another text here (`tailrace_tests::guests::behaving`).
static BEHAVIOUR: [u8; 64] = *b"MAD-BEHAVIOUR->by span count                                    ";

fn behaviour() -> String {
    let text = std::hint::black_box(BEHAVIOUR);
    String::from_utf8_lossy(&text[15..]).trim_end().to_owned()
}

thread_local! {
    static DO: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Mad;

impl Lifecycle for Mad {
    fn describe() -> Info {
        Info { name: "mad-sampler".into(), version: "1".into(), config_schema: None, error_mode: None }
    }

    fn configure(config: String) -> Result<Interest, String> {
        let config: serde_json::Value = serde_json::from_str(&config).map_err(|error| error.to_string())?;
        if config["do"] == "refuse configure" {
            return Err("do: not to my taste".to_owned());
        }
        DO.replace(config["do"].as_str().map_or_else(behaviour, str::to_owned));
        Ok(Interest {
            signals: vec![],
            attributes: vec![],
            levels: vec![],
            intrinsics: vec![],
            always: false,
            instances: Instances::Pooled,
        })
    }
}

impl sampler::Guest for Mad {
    fn wants_spans() -> bool {
        let what = DO.with_borrow(Clone::clone);
        match what.as_str() {
            "see whole spans" => true,
            "panic in wants-spans" => panic!("I want nothing"),
            "loop in wants-spans" => spin(),
            _ => false,
        }
    }

    fn sample(traces: Traces) -> Result<Vec<Decision>, Failure> {
        let count = traces.span_counts.len();
        if count == 0 {
            return Ok(vec![]);
        }
        let keep = |count| vec![Decision::Sample(None); count];
        Ok(match DO.with_borrow(Clone::clone).as_str() {
            "one too few" => keep(count - 1),
            "one too many" => keep(count + 1),
            "none" => vec![],
            "a million" => keep(100_000),
            "trap" => panic!("as I was told"),
            "loop" => spin(),
            "never at length" => return Err(Failure::Permanent("no\r\nx-evil: 1\u{0} ".repeat(100_000))),
            "later at length" => return Err(Failure::Retryable("not now ".repeat(100_000))),
            "never" => return Err(Failure::Permanent("not ever".into())),
            // Sane: what becomes of a trace is told by how many spans it has.
            "by span count" => traces.span_counts.iter().map(|spans| by_count(*spans)).collect(),
            "the opposite" => traces.span_counts.iter().map(|spans| by_count(3 - spans.min(&2))).collect(),
            "trap on 13 spans" if traces.span_counts.contains(&13) => panic!("what an unlucky number"),
            "impossible thresholds" => vec![Decision::Sample(Some(u64::MAX)); count],
            _ => keep(count),
        })
    }
}

fn by_count(spans: u32) -> Decision {
    match spans {
        1 => Decision::Sample(None),
        2 => Decision::NotSampled,
        3 => Decision::Drop,
        _ => Decision::Undecided,
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

tailrace_sdk::guest::lifecycle::bindings::export!(Mad with_types_in tailrace_sdk::guest::lifecycle::bindings);
sampler::bindings::export!(Mad with_types_in sampler::bindings);
