//! A directory of plugins under load: whatever is put there, taken away, renamed or broken, not one accepted span is lost or
//! doubled, the ledger adds up at every moment, and no batch passes a plugin by that is there to stop something.
//!
//! `stamp` writes its own text into `url.path` of every span, so that the last one in the order of the names is seen;
//! `redact` masks `user.email`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tailrace_tests::backend::Backend;
use tailrace_tests::client::Load;
use tailrace_tests::guests::guest;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::ledger::{Watch, assert_balanced};
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tailrace_tests::spans::{spans_of, text};

const SENDERS: usize = 3;
const TRACES: usize = 2;
/// Spans whose answers can be on their way at one time; a batch counts in each processor that it passes.
const IN_MOTION: usize = 2 * (SENDERS * TRACES * 10 + 10 * TRACES * 10);
const MASK: &str = "config: {keys: [user.email], action: mask, mask: first}";

/// What the plugins made of a batch: the stamp, and what became of the addresses.
fn seen(request: &ExportTraceServiceRequest) -> (String, Vec<String>) {
    let of = |key| {
        let mut texts: Vec<_> =
            spans_of(request).filter_map(|span| text(&span.attributes, key)).map(str::to_owned).collect();
        texts.sort();
        texts.dedup();
        texts
    };
    let stamps = of("url.path");
    let one = stamps.iter().all(|stamp| stamp.starts_with('/'));
    (if one { "/".to_owned() } else { stamps.join(" and ") }, of("user.email"))
}

/// A collector that runs a directory, under load.
struct Scene {
    backend: Backend,
    host: Host,
    load: Load,
    watch: Watch,
}

impl Scene {
    async fn start(directory: &Path, more: &str, seed: u64) -> Self {
        let backend = Backend::start().await;
        let settings = format!("{{directory: '{}', rescan_interval: 1s, {more}}}", directory.display());
        let host =
            Host::start(&yaml(&["traces"], &[("wasm", &settings)], &[("otlp_grpc", &backend.patient_exporter())]))
                .await;
        let watch = host.watch(IN_MOTION);
        let load = Load::start(host.grpc(), SENDERS, TRACES, Duration::from_millis(4), seed).await;
        Self { backend, host, load, watch }
    }

    /// Waits for a batch that arrives after now and looks like this.
    async fn sees(&self, what: &str, so: impl Fn(&str, &[String]) -> bool) {
        let mut looked_at = self.backend.look_at_traces(usize::MAX, |_| ());
        self.backend
            .until(what, |backend| {
                let mut any = false;
                looked_at = backend.look_at_traces(looked_at, |request| {
                    let (stamp, emails) = seen(request);
                    any |= so(&stamp, &emails);
                });
                any
            })
            .await;
    }

    async fn stamped(&self, stamp: &str) {
        self.sees(&format!("a batch stamped {stamp}"), |found, _| found == stamp).await;
    }

    fn view(&self) -> Value {
        self.host.telemetry().status().views()["processor:wasm@traces"].clone()
    }

    fn plugin(&self, name: &str) -> Value {
        let view = self.view();
        let found = view["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == name);
        found.cloned().unwrap_or_default()
    }

    async fn until_plugin(&self, name: &str, what: &str, so: impl Fn(&Value) -> bool) {
        self.host.until(&format!("{name} {what}: {:#}", self.view()), |_| so(&self.plugin(name))).await;
    }

    /// Ends the load and checks the books.
    async fn end(self) -> Vec<(String, Vec<String>)> {
        let books = self.load.stop().await;
        books.assert_none_refused();
        self.watch.stop();
        assert_balanced(&self.host.stop().await);
        books.assert_exactly_once(&self.backend.span_ids());
        let mut all = Vec::new();
        self.backend.look_at_traces(0, |request| all.push(seen(request)));
        all
    }
}

/// From a directory that does not exist yet to two plugins, one of them swapped, one removed: each is seen, in the order of
/// the names.
#[tokio::test]
async fn appears_grows_and_shrinks() {
    let parent = PluginDirectory::default();
    let directory = parent.path().join("plugins");
    let scene = Scene::start(&directory, "removal_grace: 300ms", 41).await;
    scene.stamped("/").await;
    assert!(scene.view()["problem"].as_str().unwrap().contains("there is no"), "{:#}", scene.view());
    std::fs::create_dir(&directory).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let aside = directory.join(format!(".{name}.tmp"));
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, directory.join(name)).unwrap();
    };
    put("20-b.wasm", &stamp("b1"));
    scene.stamped("b1").await;
    assert_eq!(scene.view()["problem"], Value::Null);
    // Before it in order, so that nothing of it is seen; it runs all the same.
    put("10-a.wasm", &stamp("a1"));
    scene.until_plugin("10-a", "runs", |plugin| plugin["state"] == "running" && plugin["calls"] != 0).await;
    scene.stamped("b1").await;
    put("30-c.wasm", &stamp("c1"));
    scene.stamped("c1").await;
    put("30-c.wasm", &stamp("c2"));
    scene.stamped("c2").await;
    std::fs::remove_file(directory.join("30-c.wasm")).unwrap();
    scene.stamped("b1").await;
    std::fs::remove_file(directory.join("20-b.wasm")).unwrap();
    scene.stamped("a1").await;
    // A new name, and so another place, at once: no moment with both, none without.
    put("20-b.wasm", &stamp("b2"));
    scene.stamped("b2").await;
    std::fs::rename(directory.join("10-a.wasm"), directory.join("30-a.wasm")).unwrap();
    scene.stamped("a1").await;
    scene.until_plugin("10-a", "is gone", Value::is_null).await;
    // What editors and ConfigMaps leave about is nobody's plugin.
    for junk in [".40-x.wasm", "#40-x.wasm", "40-x.wasm~", "40-x.wasm.tmp"] {
        std::fs::write(directory.join(junk), b"no plugin").unwrap();
    }
    std::fs::create_dir(directory.join("..data")).unwrap();
    std::fs::write(directory.join("90-typo.yaml"), b"config: {}").unwrap();
    scene.host.until("a word about the stray sidecar", |_| scene.view()["unused"][0].is_string()).await;
    assert_eq!(scene.view()["plugins"].as_array().unwrap().len(), 2, "{:#}", scene.view());
    scene.end().await;
}

/// A sidecar that changes is a new generation of the same program; one that is wrong, or that the plugin refuses, changes
/// nothing and says where. Not one batch passes unmasked, whatever is done to the files.
#[tokio::test]
async fn sidecars() {
    let plugins = PluginDirectory::with("10-redact", &guest("redact"));
    let sidecar = plugins.path().join("10-redact.yaml");
    std::fs::write(&sidecar, MASK).unwrap();
    let scene = Scene::start(plugins.path(), "removal_grace: 60s", 42).await;
    let masked = |with: &'static str| move |_: &str, emails: &[String]| emails == [with];
    scene.sees("masked", masked("first")).await;
    let hash = scene.plugin("10-redact")["hash"].clone();
    std::fs::write(&sidecar, MASK.replace("first", "second")).unwrap();
    scene.sees("masked otherwise", masked("second")).await;
    let plugin = scene.plugin("10-redact");
    assert_eq!((&plugin["generation"], &plugin["hash"]), (&2.into(), &hash), "{plugin:#}");

    let mut failed = 0.0;
    for (text, reasons) in [
        ("config: {keys: [user.email]}\nerror_mod: drop\n", &["10-redact.yaml:2:1", "error_mod", "error_mode"][..]),
        ("limits:\n  timeout: 0s\n", &["10-redact.yaml:2:", "limits::timeout", "more than 0"]),
        ("config: {keys: [}", &["10-redact.yaml:1:"]),
        ("config: {keys: []}", &["refuses its configuration", "name at least one attribute"]),
    ] {
        std::fs::write(&sidecar, text).unwrap();
        let told = |plugin: &Value| {
            let problem = plugin["problem"].as_str().unwrap_or_default();
            reasons.iter().all(|reason| problem.contains(reason))
        };
        scene.until_plugin("10-redact", &format!("says {reasons:?}"), told).await;
        scene.sees("still masked", masked("second")).await;
        assert_eq!(scene.plugin("10-redact")["generation"], 2);
        failed += 1.0;
        let counted =
            scene.host.metric("tailrace_plugin_reloads_total", &["plugin=\"10-redact\"", "result=\"failed\""]);
        assert_eq!(counted, failed, "{text}: counted once, and said once");
    }
    // Gone: what it said goes on for the grace period, and so does the plugin itself.
    std::fs::remove_file(&sidecar).unwrap();
    scene.until_plugin("10-redact", "misses its sidecar", |p| p["problem"].to_string().contains("is gone")).await;
    plugins.remove("10-redact");
    scene.until_plugin("10-redact", "leaves", |plugin| plugin["state"] == "leaving").await;
    scene.sees("still masked", masked("second")).await;
    std::fs::write(&sidecar, MASK.replace("first", "third")).unwrap();
    plugins.replace("10-redact", &guest("redact"));
    scene.sees("masked again", masked("third")).await;
    assert_eq!(scene.plugin("10-redact")["problem"], Value::Null);
    // The whole directory, away and back: it says nothing about what should run while it is away.
    let aside = plugins.path().with_extension("aside");
    std::fs::rename(plugins.path(), &aside).unwrap();
    scene.host.until("a problem", |_| scene.view()["problem"].is_string()).await;
    scene.sees("still masked", masked("third")).await;
    std::fs::rename(&aside, plugins.path()).unwrap();
    scene.host.until("no problem", |_| scene.view()["problem"].is_null()).await;
    for (_, emails) in scene.end().await {
        assert!(emails.iter().all(|email| !email.contains('@')), "a batch passed unmasked: {emails:?}");
    }
}

/// A plugin that is broken, or one too many, leaves the others running; the status says why. A good one in its place runs.
#[tokio::test]
async fn broken_and_too_many() {
    let plugins = PluginDirectory::with("10-a", &stamp("a1"));
    let scene = Scene::start(plugins.path(), "max_plugins: 2", 43).await;
    scene.stamped("a1").await;
    plugins.replace("20-b", b"this is no plugin");
    scene.until_plugin("20-b", "does not load", |p| p["problem"].to_string().contains("not WebAssembly")).await;
    assert_eq!(scene.plugin("20-b")["state"], "not loaded");
    let shown: Value = serde_json::from_str(&scene.host.get("admin", "/plugins").await.1).unwrap();
    let shown = shown.as_array().into_iter().flatten().find(|plugin| plugin["place"] == "wasm@traces:20-b");
    assert!(shown.is_some_and(|plugin| plugin["load_error"]["reason"].to_string().contains("not WebAssembly")));
    scene.stamped("a1").await;
    plugins.replace("20-b", &stamp("b1"));
    scene.stamped("b1").await;
    // First in order, but the others were there before.
    plugins.replace("00-c", &stamp("c1"));
    scene.until_plugin("00-c", "is one too many", |p| p["problem"].to_string().contains("max_plugins")).await;
    plugins.replace("20-b", &stamp("refuse-configure"));
    scene.until_plugin("20-b", "is refused", |p| p["load_error"]["reason"].to_string().contains("not for me")).await;
    scene.stamped("b1").await;
    let failed = scene.host.metric("tailrace_plugin_reloads_total", &["plugin=\"20-b\"", "result=\"failed\""]);
    assert!(failed >= 2.0, "{failed}");
    scene.end().await;
}

/// A plugin that sleeps while it is configured holds up no other, neither a new one nor a new version, and not the end of the
/// collector either: all of that happens long before its time is over.
#[tokio::test]
async fn a_sleeper_holds_up_nobody() {
    let plugins = PluginDirectory::with("10-a", &stamp("a1"));
    let scene = Scene::start(plugins.path(), "limits: {start_timeout: 1h}", 45).await;
    scene.stamped("a1").await;
    plugins.replace("05-sleeper", &stamp("sleep-in-configure"));
    scene.until_plugin("05-sleeper", "is there", Value::is_object).await;
    plugins.replace("20-b", &stamp("b1"));
    scene.stamped("b1").await;
    plugins.replace("20-b", &stamp("b2"));
    scene.stamped("b2").await;
    let sleeper = scene.plugin("05-sleeper");
    assert_eq!((&sleeper["state"], &sleeper["problem"]), (&"loading".into(), &Value::Null), "{sleeper:#}");
    scene.end().await;
}

/// At the start a broken plugin is an error, as with `module`: there is no older version that could go on.
#[tokio::test]
async fn broken_from_the_start() {
    let plugins = PluginDirectory::with("10-a", &stamp("a1"));
    plugins.replace("20-b", b"this is no plugin");
    std::fs::write(plugins.path().join("10-a.yaml"), "confg: {}\n").unwrap();
    let settings = format!("{{directory: '{}'}}", plugins.path().display());
    let config = yaml(&["traces"], &[("wasm", &settings)], &[("nop", "")]);
    let faults = Host::try_start(&[format!("yaml:{config}")], &[]).await.map(|_| ()).unwrap_err();
    for part in ["10-a.yaml:1:1", "confg", "20-b.wasm", "not WebAssembly"] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
}

/// Plugins of several processors in a row share a scan; every processor counts for itself, and a
/// reload in between changes nothing about that.
#[tokio::test]
async fn neighbours_in_a_pipeline_count_for_themselves() {
    let plugins = PluginDirectory::with("redact", &guest("redact"));
    plugins.replace("stamp", &stamp("s1"));
    let at = plugins.path().display();
    let settings = [
        ("wasm/redact", format!("{{directory: '{at}', module: redact, {MASK}}}")),
        ("wasm/stamp", format!("{{directory: '{at}', module: stamp}}")),
        ("wasm/hash", format!("{{directory: '{at}', module: redact, config: {{keys: [url.path], action: mask}}}}")),
    ];
    let processors: Vec<_> = settings.iter().map(|(id, settings)| (*id, settings.as_str())).collect();
    let backend = Backend::start().await;
    let host = Host::start(&yaml(&["traces"], &processors, &[("otlp_grpc", &backend.patient_exporter())])).await;
    let watch = host.watch(IN_MOTION);
    let load = Load::start(host.grpc(), SENDERS, TRACES, Duration::from_millis(4), 44).await;
    backend.until("many batches", |backend| backend.span_count() > 2_000).await;
    plugins.replace("stamp", &stamp("s2"));
    host.until("the reload", |host| host.metric("tailrace_plugin_reloads_total", &["processor=\"wasm/stamp\""]) == 1.0)
        .await;
    let so_far = backend.span_count();
    backend.until("many more", |backend| backend.span_count() > so_far + 1_000).await;
    let books = load.stop().await;
    books.assert_none_refused();
    watch.stop();
    let total = books.accepted.len() as f64;
    for processor in ["wasm/redact", "wasm/stamp", "wasm/hash"] {
        let label = format!("processor=\"{processor}\"");
        for metric in ["otelcol_processor_incoming_items_total", "otelcol_processor_outgoing_items_total"] {
            assert_eq!(host.metric(metric, &[&label]), total, "{metric} of {processor}");
        }
        assert_eq!(host.metric("tailrace_plugin_items_total", &[&label]), total, "{processor}");
    }
    let ledger = host.stop().await;
    assert_balanced(&ledger);
    books.assert_exactly_once(&backend.span_ids());
    backend.look_at_traces(0, |request| {
        assert_eq!(seen(request), ("****".to_owned(), vec!["first".to_owned()]), "each did its part, in order");
    });
}

/// A processor in the pipelines of three signals, and a sidecar that its plugin refuses: one fault, said once, with its place.
#[tokio::test]
async fn a_fault_is_said_once() {
    let plugins = PluginDirectory::with("10-redact", &guest("redact"));
    std::fs::write(plugins.path().join("10-redact.yaml"), "config: {keys: []}").unwrap();
    let settings = format!("{{directory: '{}'}}", plugins.path().display());
    let text = yaml(&["traces", "metrics", "logs"], &[("wasm", &settings)], &[("nop", "{}")]);
    let said = Host::try_start(&[format!("yaml:{text}")], &[]).await.err().expect("it is refused");
    assert_eq!(said.matches("10-redact.yaml:1:").count(), 1, "{said}");
    assert!(said.contains("it refuses its configuration: "), "{said}");
}
