//! The cases of a plugin: a folder each, with `config.json`, `input.json` and `expected.json`, the latter two OTLP JSON of
//! `{"traces": ...}`, `{"metrics": ...}` or `{"logs": ...}`. With `BLESS=1` in the environment, what comes out is written
//! down as expected.

#![expect(clippy::panic, clippy::unwrap_used, reason = "only tests call this, and a panic is how a test fails")]

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest as Logs, metrics::v1::ExportMetricsServiceRequest as Metrics,
    trace::v1::ExportTraceServiceRequest as Traces,
};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::fmt::Debug;
use std::path::Path;
use tailrace_sdk::{Decision, Signal};

/// Runs every case in `folder`; `run` configures a plugin and sends it one request. Returns how many there were.
///
/// # Panics
/// If a case does not come out as expected, or cannot be read.
pub fn cases(folder: &Path, mut run: impl FnMut(&str, Signal, &[u8]) -> Result<Vec<u8>, String>) -> usize {
    let bless = std::env::var_os("BLESS").is_some();
    let mut count = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let config = read(&case, "config.json").to_string();
        let input = read(&case, "input.json");
        let mut expected = if bless { Json::Object(serde_json::Map::new()) } else { read(&case, "expected.json") };
        for (signal, key) in [(Signal::Traces, "traces"), (Signal::Metrics, "metrics"), (Signal::Logs, "logs")] {
            let Some(input) = input.get(key) else { continue };
            count += 1;
            let run = |request: &[u8]| run(&config, signal, request);
            let output = match signal {
                Signal::Traces => check::<Traces>(run, input, expected.get(key)),
                Signal::Metrics => check::<Metrics>(run, input, expected.get(key)),
                Signal::Logs => check::<Logs>(run, input, expected.get(key)),
            };
            let output = output.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
            if let (true, Json::Object(expected)) = (bless, &mut expected) {
                expected.insert(key.to_owned(), output);
            }
        }
        if bless {
            let text = serde_json::to_string_pretty(&expected).unwrap();
            std::fs::write(case.join("expected.json"), text + "\n").unwrap();
        }
    }
    count
}

/// Runs every case of a sampler in `folder`, whose `expected.json` has `{"decisions": {"TRACE ID": "sample"}}`; `run` configures a
/// sampler and asks it about the traces of one request. Returns how many there were.
///
/// # Panics
/// If a case does not come out as expected, or cannot be read.
pub fn sampler_cases(folder: &Path, mut run: impl FnMut(&str, &[u8]) -> Vec<([u8; 16], Decision)>) -> usize {
    let mut count = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let input: Traces = serde_json::from_value(key(read(&case, "input.json"), "traces")).unwrap();
        let decisions = run(&read(&case, "config.json").to_string(), &input.encode_to_vec());
        let decided = decisions.into_iter().map(|(id, decision)| {
            let decision = match decision {
                Decision::Sample(_) => "sample",
                Decision::NotSampled => "not-sampled",
                Decision::Drop => "drop",
                Decision::Undecided => "undecided",
            };
            (format!("{:032x}", u128::from_be_bytes(id)), Json::from(decision))
        });
        let decided = Json::Object(decided.collect());
        assert_eq!(decided, key(read(&case, "expected.json"), "decisions"), "{}", case.display());
        count += 1;
    }
    count
}

fn key(mut json: Json, key: &str) -> Json {
    json.get_mut(key).map_or(Json::Null, Json::take)
}

fn read(case: &Path, file: &str) -> Json {
    let text = std::fs::read_to_string(case.join(file)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}/{file}: {error}", case.display()))
}

/// What comes out, as JSON, if it is as expected.
fn check<M: Message + Default + DeserializeOwned + Serialize + PartialEq + Debug>(
    run: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    input: &Json,
    expected: Option<&Json>,
) -> Result<Json, String> {
    let message = |json: &Json| serde_json::from_value::<M>(json.clone()).map_err(|error| error.to_string());
    let output = run(&message(input)?.encode_to_vec())?;
    let output = M::decode(&*output).map_err(|error| error.to_string())?;
    match expected {
        Some(expected) if output != message(expected)? => Err(format!("not as expected, but {output:#?}")),
        _ => serde_json::to_value(&output).map_err(|error| error.to_string()),
    }
}
