//! Hot reload under load: whatever happens to the file of a plugin, not one accepted span is lost or doubled, and each
//! batch is processed by exactly one version.
//!
//! The plugin is the guest `stamp`: each version writes its own text into every span.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tailrace_tests::backend::Backend;
use tailrace_tests::client::Load;
use tailrace_tests::guests::CORE_MODULE;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::ledger::{Watch, assert_balanced};
use tailrace_tests::plugins::{ConfigMap, PluginDirectory, stamp};
use tailrace_tests::spans::{spans_of, text};

const SENDERS: usize = 3;
const TRACES: usize = 2;
/// Spans whose answers can be on their way at one time.
const IN_MOTION: usize = SENDERS * TRACES * 10 + 10 * TRACES * 10;

/// The version by which all spans of a request were processed.
///
/// # Panics
/// When there are several, or one was not processed.
pub(crate) fn version_of(request: &ExportTraceServiceRequest) -> String {
    let mut versions: Vec<_> =
        spans_of(request).map(|span| text(&span.attributes, "url.path").unwrap_or("nothing")).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 1, "a batch was processed by several versions: {versions:?}");
    assert!(!versions[0].starts_with('/'), "a batch was not processed at all: {versions:?}");
    versions[0].to_owned()
}

/// Settings of a `wasm` processor that runs `stamp` from `directory`.
pub(crate) fn settings(directory: &Path) -> String {
    format!("{{directory: '{}', module: stamp}}", directory.display())
}

/// A collector with `stamp` under load.
struct Scene {
    backend: Backend,
    host: Host,
    load: Load,
    watch: Watch,
}

impl Scene {
    async fn start(directory: &Path, seed: u64) -> Self {
        let backend = Backend::start().await;
        let processors = [("wasm/stamp", settings(directory))];
        let processors: Vec<_> = processors.iter().map(|(id, settings)| (*id, settings.as_str())).collect();
        let exporters = [("otlp_grpc", &*backend.patient_exporter())];
        let host = Host::start(&yaml(&["traces"], &processors, &exporters)).await;
        let watch = host.watch(IN_MOTION);
        let load = Load::start(host.grpc(), SENDERS, TRACES, Duration::from_millis(4), seed).await;
        let scene = Self { backend, host, load, watch };
        scene.sees("v1").await;
        scene
    }

    /// Waits until a request that was processed by `version` arrives after now.
    async fn sees(&self, version: &str) {
        let mut looked_at = self.backend.look_at_traces(usize::MAX, |_| ());
        let mut seen = false;
        let what = format!("a batch that {version} has processed");
        self.backend
            .until(&what, |backend| {
                looked_at = backend.look_at_traces(looked_at, |request| seen |= version_of(request) == version);
                seen
            })
            .await;
    }

    /// Waits until the status names this reason for not running the file, and gives it.
    async fn refused(&self, reason: &str) {
        let status = self.host.telemetry().status();
        let views = || status.views()["processor:wasm/stamp@traces"].clone();
        let named = |_: &Host| views()["load_error"]["reason"].as_str().is_some_and(|text| text.contains(reason));
        self.host.until(&format!("a status that says {reason:?}; it is {:#}", views()), named).await;
        let shown = self.host.status().await;
        assert_eq!(
            shown["components"]["processor:wasm/stamp@traces"]["load_error"]["reason"],
            views()["load_error"]["reason"],
            "GET /status says the same"
        );
    }

    fn generation(&self) -> f64 {
        self.host.metric("tailrace_plugin_generation", &["processor=\"wasm/stamp\""])
    }

    fn failed_reloads(&self) -> f64 {
        self.host.metric("tailrace_plugin_reloads_total", &["processor=\"wasm/stamp\"", "result=\"failed\""])
    }

    /// Ends the load and checks the books; gives how many batches each version processed.
    async fn end(self) -> BTreeMap<String, usize> {
        let books = self.load.stop().await;
        books.assert_none_refused();
        self.watch.stop();
        assert_balanced(&self.host.stop().await);
        books.assert_exactly_once(&self.backend.span_ids());
        let mut versions = BTreeMap::new();
        self.backend.look_at_traces(0, |request| *versions.entry(version_of(request)).or_default() += 1);
        println!("{} spans; batches by version: {versions:?}", books.accepted.len());
        versions
    }
}

/// A rename over the file.
#[tokio::test]
async fn replaced_by_rename() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 21).await;
    assert_eq!(scene.generation(), 1.0);
    plugins.replace("stamp", &stamp("v2"));
    scene.sees("v2").await;
    assert_eq!(scene.generation(), 2.0);
    assert_eq!(scene.failed_reloads(), 0.0);
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2"]);
}

/// A copy over the file in place, in slow pieces: no half of it is ever run.
#[tokio::test]
async fn copied_in_place_in_slow_pieces() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 22).await;
    let wasm = stamp("v2");
    let mut file = plugins.truncate("stamp");
    for piece in wasm.chunks(wasm.len().div_ceil(20)) {
        file.write_all(piece).unwrap();
        // How slow the copy is, not a wait for something: longer than a file may rest before it counts as complete would
        // be a different scene (`half_a_file_that_stays`).
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    drop(file);
    scene.sees("v2").await;
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2"]);
}

/// Half a file that stays half: the old version goes on, and says why, until the other half comes.
#[tokio::test]
async fn half_a_file_that_stays() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 23).await;
    let wasm = stamp("v2");
    let (half, rest) = wasm.split_at(wasm.len() / 2);
    let mut file = plugins.truncate("stamp");
    file.write_all(half).unwrap();
    scene.host.until("a failed reload", |_| scene.failed_reloads() >= 1.0).await;
    scene.refused("").await;
    scene.sees("v1").await;
    file.write_all(rest).unwrap();
    drop(file);
    scene.sees("v2").await;
    scene
        .host
        .until("no reason any more", |host| {
            host.telemetry().status().views()["processor:wasm/stamp@traces"]["load_error"].is_null()
        })
        .await;
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2"]);
}

/// Deleted: the old version goes on, and the status says that the file is missing. Created again: the new one runs.
#[tokio::test]
async fn deleted_and_created_again() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 24).await;
    plugins.remove("stamp");
    scene.refused("missing").await;
    scene.sees("v1").await;
    plugins.overwrite("stamp", &stamp("v2"));
    scene.sees("v2").await;
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2"]);
}

/// A Kubernetes ConfigMap changes twice: its `..data` link is moved, and the old files vanish.
#[tokio::test]
async fn config_map_swap() {
    let mut map = ConfigMap::with("stamp", &stamp("v1"));
    let scene = Scene::start(map.path(), 25).await;
    for version in ["v2", "v3"] {
        map.swap("stamp", &stamp(version));
        scene.sees(version).await;
    }
    assert_eq!(scene.generation(), 3.0);
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2", "v3"]);
}

/// 200 swaps in a row, faster than a version can be compiled: versions in between may be skipped, the last one is not.
/// Every twentieth is waited for.
#[tokio::test]
async fn two_hundred_swaps_in_a_row() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 26).await;
    // The pace of the swaps.
    let mut ticks = tokio::time::interval(Duration::from_millis(40));
    for swap in 2..=201 {
        let version = format!("v{swap}");
        plugins.replace("stamp", &stamp(&version));
        ticks.tick().await;
        if swap % 20 == 1 {
            scene.sees(&version).await;
        }
    }
    assert!((11.0..=201.0).contains(&scene.generation()), "{}", scene.generation());
    assert_eq!(scene.failed_reloads(), 0.0);
    let versions = scene.end().await;
    assert!(versions.contains_key("v201") && versions.len() >= 11, "{versions:?}");
}

/// The same, each of the 200 seen at the backend before the next: minutes, since each has to be compiled.
#[tokio::test]
#[ignore = "takes minutes; run by hand"]
async fn two_hundred_swaps_each_seen() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 26).await;
    for swap in 2..=201 {
        let version = format!("v{swap}");
        plugins.replace("stamp", &stamp(&version));
        scene.sees(&version).await;
    }
    assert_eq!(scene.generation(), 201.0);
    assert_eq!(scene.failed_reloads(), 0.0);
    assert_eq!(scene.end().await.len(), 201);
}

/// Everything that is no plugin, and plugins that do not want to run: the old version goes on each time; the reason is
/// in the status and counted in a metric (that it is logged, `host/tests/cli.rs` sees). Afterwards a good one runs.
#[tokio::test]
async fn what_does_not_load_leaves_the_old_version_running() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let scene = Scene::start(plugins.path(), 27).await;
    let mut damaged = stamp("v2");
    let middle = damaged.len() / 2;
    damaged[middle..middle + 2000].fill(0xff);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("no WebAssembly", b"this is no plugin".to_vec(), "not WebAssembly"),
        ("an empty file", Vec::new(), "empty"),
        ("a core module", CORE_MODULE.to_vec(), "core WebAssembly module"),
        ("a damaged component", damaged, ""),
        ("a trap in configure", stamp("trap-in-configure"), "a trap in configure"),
        ("a refusal in configure", stamp("refuse-configure"), "this configuration is not for me"),
    ];
    for (i, (case, wasm, reason)) in cases.into_iter().enumerate() {
        println!("{case}");
        plugins.replace("stamp", &wasm);
        let failures = i as f64 + 1.0;
        scene.host.until(&format!("failed reload of {case}"), |_| scene.failed_reloads() == failures).await;
        scene.refused(reason).await;
        scene.sees("v1").await;
        assert_eq!(scene.generation(), 1.0, "{case}");
    }
    plugins.replace("stamp", &stamp("v2"));
    scene.sees("v2").await;
    let versions: Vec<_> = scene.end().await.into_keys().collect();
    assert_eq!(versions, ["v1", "v2"]);
}

/// Traces that wait in tail sampling are not touched by a reload in front of it.
#[tokio::test]
async fn pending_traces_survive_a_reload() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let backend = Backend::start().await;
    let stamp_settings = settings(plugins.path());
    let sampling = "{decision_wait: 60s, policies: [{name: all, type: always_sample}]}";
    let host = Host::start(&yaml(
        &["traces"],
        &[("wasm/stamp", &stamp_settings), ("tail_sampling", sampling)],
        &[("otlp_grpc", &backend.patient_exporter())],
    ))
    .await;
    let load = Load::start(host.grpc(), SENDERS, TRACES, Duration::from_millis(4), 28).await;
    let generation = |host: &Host| host.metric("tailrace_plugin_generation", &[]);
    for version in 2..=4 {
        let held = host.totals().held;
        host.until("more traces", |host| host.totals().held > held).await;
        plugins.replace("stamp", &stamp(&format!("v{version}")));
        host.until("the reload", |host| generation(host) == f64::from(version)).await;
    }
    let books = load.stop().await;
    assert_eq!(host.totals().held as usize, books.accepted.len());
    assert_balanced(&host.stop().await);
    books.assert_exactly_once(&backend.span_ids());
}
