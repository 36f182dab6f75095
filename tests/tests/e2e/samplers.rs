//! Samplers in a running collector: the bundled plugins as policies of tail sampling, with real traffic, swapped while
//! traces wait. What comes out is what the rules say, whichever version decided, and what was counted goes along.
//!
//! No test waits for a time: traces with a root are decided at once, those without wait for an hour or the shutdown,
//! which decides them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tailrace_tests::backend::Backend;
use tailrace_tests::guests::{guest, retouched};
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::PluginDirectory;
use tailrace_tests::spans::attribute;

const SPANS: usize = 10;

/// Makes traces from a printed seed. The name of every span says of which kind its trace is.
struct Traces(fastrand::Rng);

impl Traces {
    fn new(seed: u64) -> Self {
        println!("seed of the traces: {seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A request of so many traces of one service. Without a root they wait.
    fn request(
        &mut self,
        count: usize,
        root: bool,
        kind: &str,
        service: &str,
        attributes: &[KeyValue],
    ) -> ExportTraceServiceRequest {
        let mut trace = || {
            let id = self.0.u128(1..).to_be_bytes().to_vec();
            let spans = (0..SPANS).map(|at| Span {
                trace_id: id.clone(),
                span_id: self.0.u64(1..).to_be_bytes().to_vec(),
                parent_span_id: if root && at == 0 { Vec::new() } else { vec![1; 8] },
                name: kind.to_owned(),
                start_time_unix_nano: 1_700_000_000_000_000_000,
                end_time_unix_nano: 1_700_000_000_050_000_000,
                // Not on the first one, so that a plugin must look at the others.
                attributes: if at == 3 { attributes.to_vec() } else { Vec::new() },
                ..Span::default()
            });
            let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
            let resource = Resource { attributes: vec![attribute("service.name", service)], ..Resource::default() };
            ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }
        };
        ExportTraceServiceRequest { resource_spans: (0..count).map(|_| trace()).collect() }
    }
}

fn amount(cents: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(cents)) });
    KeyValue { key: "order.amount".to_owned(), value, ..KeyValue::default() }
}

/// A collector whose tail sampling has these policies: name, module, configuration.
struct Scene {
    plugins: PluginDirectory,
    backend: Backend,
    host: Host,
}

impl Scene {
    async fn start(policies: &[(&str, &str, &str)]) -> Self {
        let plugins = PluginDirectory::default();
        let mut shown = Vec::new();
        for (name, module, config) in policies {
            plugins.replace(module, &guest(module));
            let directory = plugins.path().display();
            shown.push(format!(
                "{{name: {name}, type: wasm, wasm: {{directory: '{directory}', module: {module}, config: {config}, \
                 limits: {{timeout: 10s}}}}}}"
            ));
        }
        let settings = format!(
            "{{decision_wait: 1h, decision_wait_after_root_received: 10ms, use_tracestate: true, policies: [{}]}}",
            shown.join(", ")
        );
        let backend = Backend::start().await;
        let host = Host::start(&yaml(
            &["traces"],
            &[("tail_sampling", &settings)],
            &[("otlp_grpc", &backend.exporter("compression: none"))],
        ))
        .await;
        Self { plugins, backend, host }
    }

    async fn send(&self, request: ExportTraceServiceRequest) {
        self.host.client().await.send(request).await.unwrap();
    }

    fn waiting(&self) -> f64 {
        self.host.metric("otelcol_processor_tail_sampling_sampling_traces_on_memory", &[])
    }

    /// Puts another version in the place of a plugin: the same behaviour, another file.
    async fn swap(&self, policy: &str, module: &str) {
        self.plugins.replace(module, &retouched(&guest(module), 1));
        let label = format!("policy=\"{policy}\"");
        let metric = |host: &Host, name: &str, more: &str| host.metric(name, &[&label, more]);
        self.host.until("the new version", |host| metric(host, "tailrace_plugin_generation", "") == 2.0).await;
        let restored = |host: &Host| metric(host, "tailrace_plugin_states_total", "result=\"restored\"") == 1.0;
        self.host.until("its state to go along", restored).await;
    }

    /// Stops the collector, which decides what waits, and gives the traces that came out, by their kind: id and tracestate. All
    /// of them are whole.
    async fn end(self) -> BTreeMap<String, BTreeMap<Vec<u8>, String>> {
        assert_balanced(&self.host.stop().await);
        let mut kept: BTreeMap<String, BTreeMap<Vec<u8>, String>> = BTreeMap::new();
        let mut spans: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for span in self.backend.spans() {
            *spans.entry(span.trace_id.clone()).or_default() += 1;
            let before = kept.entry(span.name).or_default().insert(span.trace_id, span.trace_state.clone());
            assert!(before.is_none_or(|before| before == span.trace_state), "one trace, one probability");
        }
        assert!(spans.values().all(|spans| *spans == SPANS), "a trace came in parts");
        kept
    }
}

/// Fifty traces of a route are decided; then fifty more wait, with others, while the plugin is swapped. Large orders and
/// important customers come out, and ten of each route: those that the first version counted are not forgotten.
#[tokio::test]
async fn business_rules_are_swapped_while_traces_wait() {
    let config = "{amounts: [{key: order.amount, at_least: 500}], \
                   values: [{key: customer.tier, one_of: [gold]}], some_of_each: {per_minute: 10}}";
    let scene = Scene::start(&[("business", "business-rules", config)]).await;
    let (mut traces, began) = (Traces::new(71), Instant::now());
    let route = |route: &str| attribute("http.route", route);
    scene.send(traces.request(50, true, "cart", "shop", &[route("/cart")])).await;
    scene.host.until("the first decisions", |host| host.totals().held == 0 && host.totals().sent == 100).await;

    scene.send(traces.request(50, false, "cart", "shop", &[route("/cart")])).await;
    scene.send(traces.request(50, false, "pay", "shop", &[route("/pay")])).await;
    scene.send(traces.request(5, false, "large", "shop", &[route("/cart"), amount(900)])).await;
    scene.send(traces.request(5, false, "small", "shop", &[amount(100)])).await;
    scene.send(traces.request(5, false, "gold", "shop", &[route("/pay"), attribute("customer.tier", "gold")])).await;
    assert_eq!(scene.waiting(), 115.0);
    scene.swap("business", "business-rules").await;
    assert_eq!(scene.waiting(), 115.0, "they still wait");

    let kept = scene.end().await;
    let count = |kind: &str| kept.get(kind).map_or(0, BTreeMap::len);
    assert_eq!((count("pay"), count("large"), count("small"), count("gold")), (10, 5, 0, 5));
    // On a machine that needed more than a minute for all this there is more than one minute.
    let minutes = 1 + began.elapsed().as_secs() as usize / 60;
    assert!((10..=10 * minutes).contains(&count("cart")), "{} in {minutes} minutes", count("cart"));
}

/// A busy and a quiet service. The busy one is thinned out once it had a burst, also by the next version; who is kept says the
/// id alone; the quiet one is kept whole; and what another plugin keeps is kept.
#[tokio::test]
async fn the_adaptive_sampler_is_swapped_while_traces_wait() {
    let scene = Scene::start(&[
        ("business", "business-rules", "{values: [{key: customer.tier, one_of: [gold]}]}"),
        ("adaptive", "adaptive-sampler", "{spans_per_second: 1, window_seconds: 300}"),
    ])
    .await;
    let mut traces = Traces::new(72);
    scene.send(traces.request(300, true, "busy before", "busy", &[])).await;
    scene.host.until("the first decisions", |host| host.totals().held == 0 && host.totals().sent > 0).await;

    let waiting = traces.request(300, false, "busy after", "busy", &[]);
    let ids: BTreeSet<Vec<u8>> =
        waiting.resource_spans.iter().map(|resource| resource.scope_spans[0].spans[0].trace_id.clone()).collect();
    scene.send(waiting).await;
    scene.send(traces.request(20, false, "quiet", "quiet", &[])).await;
    scene.send(traces.request(5, false, "gold", "busy", &[attribute("customer.tier", "gold")])).await;
    assert_eq!(scene.waiting(), 325.0);
    scene.swap("adaptive", "adaptive-sampler").await;

    let kept = scene.end().await;
    let of = |kind: &str| kept.get(kind).cloned().unwrap_or_default();
    let before = of("busy before").len();
    assert!((60..150).contains(&before), "a burst of twice what a window may have, then hardly any: {before}");
    let after = of("busy after");
    assert!(after.len() < 30, "a fresh instance would have kept another burst: {}", after.len());
    let randomness = |id: &Vec<u8>| id[9..].to_vec();
    let rejected = ids.iter().filter(|id| !after.contains_key(*id)).map(randomness).max().unwrap();
    assert!(after.keys().all(|id| randomness(id) > rejected), "the id decides");
    // The threshold is written on the spans: above all that were rejected would do, and none that was kept is below.
    for (id, tracestate) in &after {
        let threshold = tracestate.strip_prefix("ot=th:").unwrap_or_else(|| panic!("{tracestate:?}"));
        let threshold = format!("{threshold:0<14}");
        let shown = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(shown(&rejected) < threshold && threshold <= shown(&randomness(id)), "{tracestate} {}", shown(id));
    }
    assert_eq!((of("quiet").len(), of("gold").len()), (20, 5));
    assert!(
        of("quiet").values().chain(of("gold").values()).all(|state| state == "ot=th:0"),
        "they stand for themselves"
    );
}
