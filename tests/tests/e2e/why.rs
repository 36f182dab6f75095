//! Which version of a plugin decided: a sampler that is swapped in its file between two traces.

use serde_json::Value;
use tailrace_tests::backend::Backend;
use tailrace_tests::guests::{behaving, guest};
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::PluginDirectory;
use tailrace_tests::spans::{Generator, spans_of};

/// The only decision about the trace of a request, once it is made.
async fn decision(host: &Host, generator: &mut Generator) -> Value {
    let request = generator.request(1);
    let id = spans_of(&request).next().unwrap().trace_id.clone();
    host.client().await.send(request).await.unwrap();
    host.until("the decision", |host| host.totals().held == 0).await;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (status, body) = host.get("admin", &format!("/tailsampling/why?trace_id={hex}")).await;
    assert_eq!(status, 200, "{body}");
    let mut body: Value = serde_json::from_str(&body).unwrap();
    body["decisions"][0].take()
}

#[tokio::test]
async fn the_version_that_decided() {
    let plugins = PluginDirectory::with("keeper", &guest("mad-sampler"));
    let sampler = format!(
        "{{decision_wait: 100ms, policies: [{{name: a, type: wasm, wasm: {{directory: '{}', module: keeper}}}}, \
         {{name: all, type: always_sample}}]}}",
        plugins.path().display()
    );
    let backend = Backend::start().await;
    let host =
        Host::start(&yaml(&["traces"], &[("tail_sampling", &sampler)], &[("otlp_grpc", &backend.exporter(""))])).await;
    let mut generator = Generator::new(81);
    let before = decision(&host, &mut generator).await;
    assert_eq!((&before["policies_version"], &before["outcome"]), (&1.into(), &"sampled".into()), "{before:#}");
    assert_eq!(before["votes"][0]["version"], "mad-sampler 1, generation 1");
    assert!(before["votes"][1].get("version").is_none());

    plugins.replace("keeper", &behaving("mad-sampler", "the opposite"));
    let swapped = |host: &Host| host.metric("tailrace_plugin_generation", &["policy=\"a\""]) == 2.0;
    host.until("the swap", swapped).await;
    let after = decision(&host, &mut generator).await;
    assert_eq!(after["policies_version"], 2, "{after:#}");
    assert_eq!(after["votes"][0]["version"], "mad-sampler 1, generation 2");
    assert_balanced(&host.stop().await);
}
