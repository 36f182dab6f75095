//! Takes everything and does nothing: what a call of it costs is the crossing. See `README.md`.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, missing_docs, reason = "what the component model asks of a guest")]

use tailrace_sdk::guest::{attributes, lifecycle, processor, sampler};

struct Nothing;

impl lifecycle::Guest for Nothing {
    fn describe() -> lifecycle::Info {
        let (name, version) = (env!("CARGO_PKG_NAME").to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        lifecycle::Info { name, version, config_schema: None, error_mode: None }
    }

    fn configure(_: String) -> Result<lifecycle::Interest, String> {
        Err("this plugin is for `tailrace plugin bench` only".to_owned())
    }
}

impl attributes::Guest for Nothing {
    fn apply(_: attributes::Signal, _: attributes::Projection) -> Result<attributes::Edits, attributes::Failure> {
        let additions = attributes::Additions {
            owners: Vec::new(),
            levels: Vec::new(),
            actions: Vec::new(),
            keys: Vec::new(),
            kinds: Vec::new(),
            ends: Vec::new(),
            data: Vec::new(),
            name_ends: Vec::new(),
            names: String::new(),
        };
        let (rows, actions, kinds) = (Vec::new(), Vec::new(), Vec::new());
        Ok(attributes::Edits { rows, actions, kinds, ends: Vec::new(), data: Vec::new(), additions })
    }
}

impl processor::Guest for Nothing {
    fn process(_: processor::Signal, _: Vec<u8>) -> Result<processor::Outcome, processor::Failure> {
        Ok(processor::Outcome::Unchanged)
    }
}

impl sampler::Guest for Nothing {
    fn wants_spans() -> bool {
        false
    }

    fn sample(traces: sampler::Traces) -> Result<Vec<sampler::Decision>, sampler::Failure> {
        Ok(traces.span_counts.iter().map(|_| sampler::Decision::Undecided).collect())
    }
}

lifecycle::bindings::export!(Nothing with_types_in lifecycle::bindings);
attributes::bindings::export!(Nothing with_types_in attributes::bindings);
processor::bindings::export!(Nothing with_types_in processor::bindings);
sampler::bindings::export!(Nothing with_types_in sampler::bindings);
