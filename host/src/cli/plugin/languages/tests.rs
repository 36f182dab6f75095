//! A plugin of each language that uses all of the contract (`sdk/<lang>/test/everything`), built and run in the real host. A
//! language whose tools are not there is skipped, and says so. The examples and templates run in `host/tests/languages_*.rs`.

use super::super::project::{Kind, Project};
use super::{Failure, by_name};
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::plugin::{Candidate, Limits, Offer, Options, Outcome, Plugin, Role, RunError};
use crate::telemetry::Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Builds the project in a folder of this repository; nothing if the tools are not there.
fn build(language: &str, dir: &Path) -> Option<Vec<u8>> {
    let project = Project { dir: dir.to_owned(), name: "everything".to_owned(), kind: Kind::Attributes };
    match by_name(language).unwrap().build(&project, &|_| ()) {
        Ok(component) => Some(component),
        Err(Failure::Missing { what, install }) => {
            eprintln!("SKIP {}: {what} is missing; `{install}` installs it", dir.display());
            None
        }
        Err(Failure::Compile(said)) => panic!("{} does not build:\n{said}", dir.display()),
    }
}

fn load(component: &Candidate) -> Plugin {
    let options = Options {
        role: Role::Batches,
        name: "everything".into(),
        config: "{}".into(),
        error_mode: None,
        limits: Limits { timeout: Duration::from_secs(2), ..Limits::default() },
    };
    Plugin::load(component, options, &Metrics::default(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
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
    let traces: Traces =
        serde_json::from_value(json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})).unwrap();
    Batch::validate(Signal::Traces, traces.encode_to_vec().into(), &Validation::default()).unwrap()
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
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dir = repository.join(format!("sdk/{language}/test/everything"));
    let Some(component) = build(language, &dir) else { return };
    let plugin = load(&Candidate::new(component.clone()));
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
    // Runtimes do things behind the back of their plugins now and then: collect garbage, look at the clock. The component
    // model forbids calls of the host in the middle of some of them.
    for _ in 0..2000 {
        run(json!({"text": {"stringValue": "x".repeat(100)}})).unwrap();
    }
    let memory = plugin.status()["idle_memory_bytes"].as_u64().unwrap();
    assert!((1..32 << 20).contains(&memory), "{memory} bytes");
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
