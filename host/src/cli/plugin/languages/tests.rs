//! The examples of the languages, built and run in the real host; a language whose tools are not there is skipped, and
//! says so.

use super::super::project::{Kind, Project};
use super::{Failure, by_name};
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::plugin::{Candidate, Limits, Offer, Options, Outcome, Plugin, Role, RunError};
use crate::telemetry::Metrics;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest as Logs, metrics::v1::ExportMetricsServiceRequest as Points,
    trace::v1::ExportTraceServiceRequest as Traces,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;
use tailrace_columns::Decision;

/// Builds the project in a folder of this repository; nothing if the tools are not there.
fn build(language: &str, dir: &Path, kind: Kind) -> Option<Vec<u8>> {
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    let project = Project { dir: dir.to_owned(), name, kind };
    let started = std::time::Instant::now();
    match by_name(language).unwrap().build(&project, &|_| ()) {
        Ok(component) => {
            eprintln!("{}: {} bytes in {:?}", dir.display(), component.len(), started.elapsed());
            Some(component)
        }
        Err(Failure::Missing { what, install }) => {
            eprintln!("SKIP {}: {what} is missing; `{install}` installs it", dir.display());
            None
        }
        Err(Failure::Compile(said)) => panic!("{} does not build:\n{said}", dir.display()),
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Builds an example, and runs its cases.
fn check(language: &str, example: &str, kind: Kind) {
    let dir = repository().join(format!("examples/plugin-{language}")).join(example);
    let Some(component) = build(language, &dir, kind) else { return };
    let component = Candidate::new(component);
    // Kept, so that the component is compiled once.
    let mut plugins = Vec::new();
    for case in std::fs::read_dir(dir.join("cases")).unwrap() {
        let case = case.unwrap().path();
        let read =
            |file: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(case.join(file)).unwrap()).unwrap() };
        plugins.push(load(&component, kind, &read("config.json"), &case));
        let plugin = &plugins[plugins.len() - 1];
        run(plugin, kind, &read("input.json"), &read("expected.json"), &case);
    }
    assert!(plugins.len() >= 4, "{} cases are too few to be all of them", plugins.len());
}

fn load(component: &Candidate, kind: Kind, config: &Value, case: &Path) -> Plugin {
    let options = Options {
        role: if kind == Kind::Sampler { Role::Traces } else { Role::Batches },
        name: "example".into(),
        config: config.to_string().into(),
        error_mode: None,
        limits: Limits { timeout: Duration::from_secs(2), ..Limits::default() },
    };
    Plugin::load(component, options, &Metrics::default(), &[])
        .unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

fn run(plugin: &Plugin, kind: Kind, input: &Value, expected: &Value, case: &Path) {
    match input.as_object().unwrap().keys().next().map(String::as_str) {
        Some("traces") if kind == Kind::Sampler => decide(plugin, input, expected, case),
        Some("traces") => change::<Traces>(plugin, Signal::Traces, &input["traces"], &expected["traces"], case),
        Some("metrics") => change::<Points>(plugin, Signal::Metrics, &input["metrics"], &expected["metrics"], case),
        Some("logs") => change::<Logs>(plugin, Signal::Logs, &input["logs"], &expected["logs"], case),
        other => panic!("{}: {other:?} is no signal", case.display()),
    }
}

fn batch<M: Message + DeserializeOwned>(signal: Signal, json: &Value) -> Batch {
    let message: M = serde_json::from_value(json.clone()).unwrap();
    Batch::validate(signal, message.encode_to_vec().into(), &Validation::default()).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn change<M: Message + Default + DeserializeOwned + PartialEq + std::fmt::Debug>(
    plugin: &Plugin,
    signal: Signal,
    input: &Value,
    expected: &Value,
    case: &Path,
) {
    let input = batch::<M>(signal, input);
    let after = match wait(plugin.run(&input)) {
        Ok(Outcome::Unchanged) => input,
        Ok(Outcome::Replaced(batch)) => batch,
        other => panic!("{}: {other:?}", case.display()),
    };
    let expected: M = serde_json::from_value(expected.clone()).unwrap();
    let after = M::decode(&**after.data()).unwrap();
    assert!(after == expected, "{}: {after:#?}", case.display());
}

fn decide(plugin: &Plugin, input: &Value, expected: &Value, case: &Path) {
    let decisions = wait(plugin.decide_batch(&batch::<Traces>(Signal::Traces, &input["traces"]))).unwrap();
    let decisions: Map<String, Value> = decisions
        .iter()
        .map(|(id, decision)| {
            let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
            let decision = match decision {
                Decision::Sample(None) => "sample",
                Decision::NotSampled => "not-sampled",
                Decision::Drop => "drop",
                Decision::Undecided => "undecided",
                Decision::Sample(Some(_)) => "sample with a threshold",
            };
            (id, json!(decision))
        })
        .collect();
    assert_eq!(json!({ "decisions": decisions }), *expected, "{}", case.display());
}

/// A trace with one span, `GET /`, which took half a second.
fn span(attributes: &Value) -> Batch {
    let attributes: Vec<Value> =
        attributes.as_object().unwrap().iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let span = json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "GET /",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000500000000",
        "attributes": attributes,
    });
    batch::<Traces>(Signal::Traces, &json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
}

/// The name and the attributes of the one span that is left, and those of its scope and its resource, as texts.
fn after(ran: Outcome) -> Vec<String> {
    let Outcome::Replaced(batch) = ran else { panic!("{ran:?}") };
    let traces = Traces::decode(&**batch.data()).unwrap();
    let resource = &traces.resource_spans[0];
    let scope = &resource.scope_spans[0];
    let text = |attribute: &KeyValue| {
        let value = match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
            any_value::Value::StringValue(text) => format!("{text:?}"),
            any_value::Value::BytesValue(bytes) => format!("{bytes:?}"),
            any_value::Value::BoolValue(truth) => truth.to_string(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::DoubleValue(number) => format!("{number:?}"),
            nested => format!("{nested:?}"),
        };
        format!("{}={value}", attribute.key)
    };
    let of_scope = scope.scope.iter().flat_map(|scope| &scope.attributes);
    let of_resource = resource.resource.iter().flat_map(|resource| &resource.attributes);
    let attributes = scope.spans[0].attributes.iter().chain(of_scope).chain(of_resource);
    std::iter::once(scope.spans[0].name.clone()).chain(attributes.map(text)).collect()
}

/// A plugin that uses everything that the contract has: what crosses arrives as it was sent, in both directions.
fn everything(language: &str) {
    let dir = repository().join(format!("sdk/{language}/test/everything"));
    let Some(component) = build(language, &dir, Kind::Attributes) else { return };
    let plugin = load(&Candidate::new(component.clone()), Kind::Attributes, &json!({}), &dir);
    let run = |attributes: Value| wait(plugin.run(&span(&attributes)));
    let text = json!({"stringValue": "ann@x 42 zoë@y"});
    let got = after(run(json!({"text": text, "number": {"intValue": "7"}})).unwrap());
    assert_eq!(
        got,
        [
            "GET / 500000000",
            "text=\"ann@x 42 zoë@y\"",
            "number=-7",
            "nested=\"cannot be set\"",
            "hash=\"78828802 32\"",
            "match=\"[{0 0 0 0} {0 1 0 0} {1 0 0 0}]\"",
            "find=\"[{0 0 6 8} {0 1 0 5}]\"",
            "groups=\"[[0 5] [0 3] [4 5]] [ user ]\"",
            "half=3.5",
            "even=false",
            "bytes=[0, 7]",
            "batches=2",
            "scope=1",
            "sane=true",
        ]
    );

    let refused = |what: &str| match run(json!({"do": {"stringValue": what}})).unwrap_err().error {
        RunError::Permanent(why) => format!("permanent: {why}"),
        RunError::Retryable(why) => format!("retryable: {why}"),
        RunError::Accident(failure) => format!("{:?}: {}", failure.incident, failure.message),
    };
    assert_eq!(refused("refuse"), "permanent: refused for good");
    assert_eq!(refused("retry"), "retryable: try again");
    // Memory of one call serves the next: this is many times the limit.
    for _ in 0..10 {
        assert!(after(run(json!({"do": {"stringValue": "grow"}})).unwrap()).contains(&"grown=\"xxx\"".to_owned()));
    }
    run(json!({"do": {"stringValue": "print"}})).unwrap();
    // Another version takes over what this one has counted.
    let count = || {
        let count = after(run(json!({})).unwrap())
            .into_iter()
            .find_map(|text| Some(text.strip_prefix("batches=")?.parse::<u32>().unwrap()));
        count.unwrap()
    };
    let before = count();
    let note = [0, 7, 4, b'n', b'o', b't', b'e', 0, 0];
    let offer = plugin.offer(&Candidate::new([&component[..], &note].concat()));
    assert_eq!(offer, Offer::Swapped(2));
    assert_eq!(count(), before + 1);

    let panic = refused("panic");
    assert!(panic.starts_with("Trap: ") && panic.contains("panic"), "{panic}");
    assert_eq!(plugin.status()["version"], "1.2.3");
}

#[test]
fn go_everything() {
    everything("go");
}

#[test]
fn c_everything() {
    everything("c");
}

#[test]
fn go_tidy() {
    check("go", "tidy", Kind::Attributes);
}

#[test]
fn go_keep_orders() {
    check("go", "keep-orders", Kind::Sampler);
}

#[test]
fn c_tidy() {
    check("c", "tidy", Kind::Attributes);
}

#[test]
fn c_keep_orders() {
    check("c", "keep-orders", Kind::Sampler);
}
