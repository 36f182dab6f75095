//! The examples of the languages, built and run in the real host; a language whose tools are not there is skipped, and
//! says so.

use super::super::project::{Kind, Project};
use super::{Failure, by_name};
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::plugin::{Candidate, Limits, Options, Outcome, Plugin, Role};
use crate::telemetry::Metrics;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest as Logs, metrics::v1::ExportMetricsServiceRequest as Points,
    trace::v1::ExportTraceServiceRequest as Traces,
};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;
use tailrace_columns::Decision;

/// Builds an example, and runs its cases.
fn check(language: &str, example: &str, kind: Kind) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dir = root.join(format!("examples/plugin-{language}")).join(example);
    let project = Project { dir: dir.clone(), name: example.to_owned(), kind };
    let started = std::time::Instant::now();
    let component = match by_name(language).unwrap().build(&project, &|_| ()) {
        Ok(component) => component,
        Err(Failure::Missing { what, install }) => {
            eprintln!("SKIP {language}/{example}: {what} is missing; `{install}` installs it");
            return;
        }
        Err(Failure::Compile(said)) => panic!("{language}/{example} does not build:\n{said}"),
    };
    eprintln!("{language}/{example}: {} bytes in {:?}", component.len(), started.elapsed());
    let component = Candidate::new(component);
    // Kept, so that the component is compiled once.
    let mut plugins = Vec::new();
    for case in std::fs::read_dir(dir.join("cases")).unwrap() {
        let case = case.unwrap().path();
        let read = |file: &str| -> Value {
            serde_json::from_str(&std::fs::read_to_string(case.join(file)).unwrap()).unwrap()
        };
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
