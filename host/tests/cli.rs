//! The `tailrace` command as its users meet it: flags, exit codes, signals, what it writes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tailrace_tests::backend::{Backend, Mood};
use tailrace_tests::client::{Books, Client};
use tailrace_tests::guests::{CORE_MODULE, guest};
use tailrace_tests::heard::Heard;
use tailrace_tests::host::yaml;
use tailrace_tests::http;
use tailrace_tests::plugins::{PluginDirectory, repository, stamp};
use tailrace_tests::spans::Generator;
use tonic::Status;

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn tailrace() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    // No cache: what a test does is not to be seen by another, nor in the home of whoever runs it.
    command.stdin(Stdio::null()).env_remove("RUST_LOG").env("TAILRACE_CACHE_DIR", "");
    command
}

/// Runs to the end.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tailrace().args(arguments).output().expect("it runs");
    (status.code(), String::from_utf8(stdout).expect("text"), String::from_utf8(stderr).expect("text"))
}

/// A file in a directory that goes away with the test.
struct File {
    directory: tempfile::TempDir,
    path: String,
}

impl File {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("tailrace.yaml");
        std::fs::write(&path, text).expect("writable");
        Self { path: path.display().to_string(), directory }
    }

    fn and(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.display().to_string()
    }
}

/// A collector that runs in a process of its own.
struct Running(Heard);

/// What a test adds to a configuration so that it can find the listeners in the log.
const IN_A_TEST: &str = "yaml:service::telemetry: {logs: {encoding: json}, metrics: {readers: \
    [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]}}";

impl Running {
    /// Starts it with `--config` for each of `configs` and waits until everything is ready.
    fn start(configs: &[&str], arguments: &[&str]) -> Self {
        Self::until("everything is ready", configs, arguments)
    }

    /// The same until it has said `words`.
    fn until(words: &str, configs: &[&str], arguments: &[&str]) -> Self {
        let mut command = tailrace();
        for config in configs.iter().chain(&[IN_A_TEST]) {
            command.args(["--config", config]);
        }
        if !arguments.contains(&"--admin-endpoint") {
            command.args(["--admin-endpoint", "127.0.0.1:0"]);
        }
        let mut running = Self(Heard::stderr(command.args(arguments), PATIENCE));
        running.hears(words);
        running
    }

    /// Waits until a line of the log has this text, and gives the line.
    fn hears(&mut self, text: &str) -> String {
        self.0.wait_for(text).last().expect("that line").clone()
    }

    /// Where a listener is, by the log.
    fn address(&self, listener: &str) -> SocketAddr {
        let lines = self.0.said().iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut listening = lines.filter(|line| line["message"] == "listening");
        let named = listening.find(|line| line["protocol"] == listener || line["listener"] == listener);
        let named = named.unwrap_or_else(|| panic!("no {listener} in\n{}", self.0.said().join("\n")));
        named["address"].as_str().expect("an address").parse().expect("an address")
    }

    fn signal(&self, name: &str) {
        self.0.signal(name);
    }

    /// Waits for the end; the exit code and all that was logged.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let status = self.0.end();
        (status.code(), self.0.said().to_vec())
    }
}

/// A line of the ledger in the last words.
#[derive(Debug)]
struct Entry {
    component: String,
    accepted: i64,
    handed_on: i64,
    dropped: serde_json::Map<String, serde_json::Value>,
    held: i64,
}

fn last_ledger(log: &[String]) -> Vec<Entry> {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let lines = lines.filter(|line| line["message"] == "ledger").map(|line| {
        let number = |name: &str| line[name].as_i64().unwrap_or_else(|| panic!("{name} in {line}"));
        Entry {
            component: line["component"].as_str().expect("a name").to_owned(),
            accepted: number("accepted"),
            handed_on: number("handed_on"),
            dropped: serde_json::from_str(line["dropped"].as_str().expect("text")).expect("a map"),
            held: number("held"),
        }
    });
    lines.collect()
}

fn held_in_sampling(backend: &Backend, exporter: &str) -> File {
    let sampling = "{decision_wait: 60s, policies: [{name: all, type: always_sample}]}";
    File::with(yaml(&["traces"], &[("tail_sampling", sampling)], &[("otlp_grpc", &backend.exporter(exporter))]))
}

/// SIGTERM with traces that still wait for their decision: they are decided and sent, the ledger of the last words adds
/// up, and the exit code is 0. While it drains nobody is let in any more.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains() {
    let backend = Backend::start().await;
    let file = held_in_sampling(&backend, "");
    let running = Running::start(&[&file.path], &[]);
    let client = Client::connect(running.address("grpc")).await;
    let (mut generator, mut books) = (Generator::new(71), Books::default());
    for _ in 0..4 {
        let request = generator.request(5);
        let answer = client.send(request.clone()).await;
        books.enter(&request, &answer);
        answer.unwrap();
    }
    assert_eq!(backend.span_count(), 0);
    running.signal("TERM");
    let (code, log) = tokio::task::block_in_place(|| running.end());
    assert_eq!(code, Some(0), "{}", log.join("\n"));
    books.assert_exactly_once(&backend.span_ids());
    assert_eq!(backend.span_count(), 200);
    let ledger = last_ledger(&log);
    for component in ["receiver:otlp", "processor:tail_sampling@traces", "exporter:otlp_grpc"] {
        let entry = ledger.iter().find(|entry| entry.component == component);
        let entry = entry.unwrap_or_else(|| panic!("no {component}: {ledger:?}"));
        assert_eq!((entry.accepted, entry.handed_on, entry.held), (200, 200, 0), "{component}");
        assert!(entry.dropped.is_empty(), "{entry:?}");
    }
}

/// SIGTERM while the backend is dead: the timeout is kept, what is left is dropped with reason `shutdown` and said so.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_with_a_dead_backend() {
    let backend = Backend::start().await;
    let file = held_in_sampling(&backend, "retry_on_failure: {initial_interval: 50ms}");
    backend.set_mood(Mood::Refuse(Status::unavailable("dead")));
    let running = Running::start(&[&file.path], &["--shutdown-timeout", "1s"]);
    let client = Client::connect(running.address("grpc")).await;
    client.send(Generator::new(72).request(10)).await.unwrap();
    let started = Instant::now();
    running.signal("TERM");
    let (code, log) = tokio::task::block_in_place(|| running.end());
    assert!(started.elapsed() < Duration::from_secs(6), "it took {:?}", started.elapsed());
    assert_eq!(code, Some(0), "{}", log.join("\n"));
    assert_eq!(backend.span_count(), 0);
    let ledger = last_ledger(&log);
    let dropped: i64 =
        ledger.iter().flat_map(|entry| entry.dropped.values()).filter_map(serde_json::Value::as_i64).sum();
    assert_eq!(dropped, 100, "{ledger:?}");
    assert!(ledger.iter().any(|entry| entry.dropped.contains_key("shutdown")), "{ledger:?}");
    assert!(ledger.iter().all(|entry| entry.held == 0), "{ledger:?}");
}

/// SIGHUP changes nothing and is no end; a second SIGTERM ends the drain at once.
#[tokio::test(flavor = "multi_thread")]
async fn signals() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Hold);
    let file = held_in_sampling(&backend, "timeout: 60s");
    let mut running = Running::start(&[&file.path], &["--shutdown-timeout", "60s"]);
    running.signal("HUP");
    running.hears("SIGHUP");
    let client = Client::connect(running.address("grpc")).await;
    client.send(Generator::new(73).request(1)).await.unwrap();
    running.signal("INT");
    running.hears("draining");
    backend.until("a request that hangs", |backend| backend.calls() > 0).await;
    running.signal("TERM");
    let (code, log) = tokio::task::block_in_place(|| running.end());
    assert!(log.iter().any(|line| line.contains("second signal")), "{}", log.join("\n"));
    assert!(code.is_some(), "it ended by itself, not by the signal");
}

/// A plugin that does not load leaves the old one running, and the log says why; so do a metric and `GET /status`.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_why_a_plugin_is_not_reloaded() {
    let plugins = PluginDirectory::with("stamp", &stamp("v1"));
    let backend = Backend::start().await;
    let settings = format!("{{directory: '{}', module: stamp}}", plugins.path().display());
    let config = yaml(&["traces"], &[("wasm/stamp", &settings)], &[("otlp_grpc", &backend.exporter(""))]);
    let file = File::with(config);
    let mut running = Running::start(&[&file.path], &[]);
    let (admin, metrics) = (running.address("admin"), running.address("metrics"));
    for (wasm, reason) in [
        (CORE_MODULE.to_vec(), "core WebAssembly module"),
        (b"no plugin".to_vec(), "not WebAssembly"),
        (stamp("trap-in-configure"), "a trap in configure"),
        (stamp("refuse-configure"), "this configuration is not for me"),
    ] {
        plugins.replace("stamp", &wasm);
        let line = tokio::task::block_in_place(|| running.hears("the running version of the plugin goes on"));
        assert!(line.contains("wasm/stamp") && line.contains("WARN") && line.contains(reason), "{line}");
        let status = http::get(admin, "/status").await;
        assert!(status.text().contains(reason), "{}", status.text());
    }
    let text = http::get(metrics, "/metrics").await;
    let failed =
        text.text().lines().find(|line| line.starts_with("tailrace_plugin_reloads_total") && line.contains("failed"));
    assert!(failed.is_some_and(|line| line.ends_with(" 4")), "{failed:?}");
    plugins.replace("stamp", &stamp("v2"));
    tokio::task::block_in_place(|| running.hears("plugin reloaded"));
    Client::connect(running.address("grpc")).await.send(Generator::new(74).request(1)).await.unwrap();
    backend.until("the batch", |backend| backend.span_count() == 10).await;
    running.signal("TERM");
    assert_eq!(tokio::task::block_in_place(|| running.end()).0, Some(0));
}

fn article() -> String {
    repository().join("examples/article/tailrace.yaml").display().to_string()
}

/// `validate` takes the path of start-up and does not listen: with its ports busy it says OK, where a start fails and
/// names the port. Warnings do not make it fail.
#[test]
fn validate_does_not_listen() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let sets: Vec<String> = ["grpc", "http"]
        .iter()
        .flat_map(|protocol| ["--set".to_owned(), format!("receivers.otlp.protocols.{protocol}.endpoint={address}")])
        .collect();
    let arguments = |first: &[&'static str]| -> Vec<String> {
        first
            .iter()
            .map(|text| (*text).to_owned())
            .chain(["--config".to_owned(), article()])
            .chain(sets.clone())
            .collect()
    };
    let output = tailrace().args(arguments(&["validate"])).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("OK"));
    for exporter in ["otlp/tempo", "otlp/jaeger"] {
        let warned = stderr.lines().any(|line| line.contains(exporter) && line.contains("otlp_grpc"));
        assert!(warned, "{stderr}");
    }
    let output = tailrace().args(arguments(&[])).args(["--admin-endpoint", "none"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address), "{}", String::from_utf8_lossy(&output.stderr));
}

/// All faults at once, each with file, line, column, key and the nearest name that would have been right.
#[test]
fn validate_reports_every_fault() {
    let file = File::with(
        "receivers:\n\
         \x20 otlp:\n\
         \x20   protocols:\n\
         \x20     grpc: {endpont: 'localhost:4317'}\n\
         processors:\n\
         \x20 batch: {timout: 5s}\n\
         \x20 tail_samplin: {}\n\
         \x20 tail_sampling:\n\
         \x20   policies:\n\
         \x20   - {name: slow, type: latency, latency: {treshold_ms: 1}}\n\
         exporters:\n\
         \x20 otlp_grpc:\n\
         \x20   endpoint: tempo:4317\n\
         \x20   sending_queue: {queue_size: many}\n\
         service:\n\
         \x20 pipelines:\n\
         \x20   traces: {receivers: [otlp], processors: [batch, memory_limiter], exporters: [otlp_grpc/tempo]}\n",
    );
    let (code, _, stderr) = run(&["validate", "--config", &file.path]);
    assert_eq!(code, Some(1), "{stderr}");
    for (place, parts) in [
        ("4:14", &["receivers::otlp::protocols::grpc::endpont", "\"endpoint\""][..]),
        ("6:11", &["processors::batch::timout", "\"timeout\""]),
        ("7:3", &["tail_samplin", "\"tail_sampling\""]),
        ("10:", &["treshold_ms", "\"threshold_ms\""]),
        ("14:", &["exporters::otlp_grpc::sending_queue::queue_size", "many"]),
        ("17:", &["memory_limiter"]),
        ("17:", &["\"otlp_grpc/tempo\"", "\"otlp_grpc\""]),
    ] {
        let start = format!("{}:{place}", file.path);
        let found = stderr.lines().any(|line| line.starts_with(&start) && parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line at {place} with {parts:?} in\n{stderr}");
    }
    let (code, _, other) = run(&["--config", &file.path]);
    assert_eq!((code, other), (Some(1), stderr), "a start says the same");
}

/// What the Collector has and this version has not is refused by name, never ignored.
#[test]
fn unsupported_keys_are_refused_by_name() {
    let file = File::with(yaml(
        &["traces"],
        &[("batch", ""), ("tail_sampling", "{policies: [{name: all, type: always_sample}]}")],
        &[("otlp_grpc", "{endpoint: 'localhost:1'}")],
    ));
    for (set, named) in [
        ("receivers.otlp.protocols.grpc.tls={cert_file: a, key_file: b}", "receivers::otlp::protocols::grpc::tls"),
        ("receivers.otlp.protocols.grpc.auth={authenticator: x}", "receivers::otlp::protocols::grpc::auth"),
        ("receivers.otlp.protocols.grpc.transport=unix", "receivers::otlp::protocols::grpc::transport"),
        ("processors.batch.metadata_keys=[tenant]", "processors::batch::metadata_keys"),
        ("processors.tail_sampling.policies=[{name: x, type: ottl_condition}]", "ottl_condition"),
        ("processors.tail_sampling.tail_storage=pebble", "processors::tail_sampling::tail_storage"),
        ("exporters.otlp_grpc.sending_queue.storage=file_storage", "exporters::otlp_grpc::sending_queue::storage"),
        ("exporters.otlp_grpc.auth={authenticator: x}", "exporters::otlp_grpc::auth"),
        ("connectors.forward=", "connectors"),
        ("service.telemetry.traces.processors=[{batch: {}}]", "service::telemetry::traces::processors"),
    ] {
        let (code, _, stderr) = run(&["validate", "--config", &file.path, "--set", set]);
        assert_eq!(code, Some(1), "{set}: {stderr}");
        assert!(stderr.contains(named), "{set}: {stderr}");
    }
    let (code, _, stderr) = run(&["validate", "--config", &file.path]);
    assert_eq!(code, Some(0), "{stderr}");
}

/// A plugin that is not there, and one that is none, are faults that `validate` finds, all in one go.
#[test]
fn validate_loads_the_plugins() {
    let plugins = PluginDirectory::with("fine", &guest("redact"));
    plugins.replace("core", CORE_MODULE);
    let directory = plugins.path().display();
    let settings =
        |module: &str| format!("{{directory: '{directory}', module: {module}, config: {{keys: [a], action: delete}}}}");
    let of = |modules: &[&str]| {
        let all: Vec<_> = modules.iter().map(|module| (format!("wasm/{module}"), settings(module))).collect();
        let all: Vec<_> = all.iter().map(|(id, settings)| (id.as_str(), settings.as_str())).collect();
        File::with(yaml(&["traces"], &all, &[("nop", "")]))
    };
    let (code, _, stderr) = run(&["validate", "--config", &of(&["fine"]).path]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = run(&["validate", "--config", &of(&["fine", "missing", "core"]).path]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.lines().any(|line| line.contains("wasm/missing") && line.contains("missing.wasm")), "{stderr}");
    assert!(stderr.lines().any(|line| line.contains("wasm/core") && line.contains("core WebAssembly")), "{stderr}");
    let refused = settings("fine").replace("action: delete", "action: explode");
    let file = File::with(yaml(&["traces"], &[("wasm/redact", &refused)], &[("nop", "")]));
    let (code, _, stderr) = run(&["validate", "--config", &file.path]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("wasm/redact") && stderr.contains("explode"), "{stderr}");
}

/// `--config FILE`, `--config=FILE`, `file:`, `env:`, `yaml:`, several of them and `--set`, merged in order: maps merge,
/// lists are replaced, `--set` comes last.
#[test]
fn sources_are_merged_in_order() {
    let file = File::with(yaml(&["traces"], &[("batch", "{timeout: 1s}")], &[("nop", "")]));
    let second = file.and("second.yaml", "processors: {memory_limiter: {check_interval: 1s, limit_mib: 100}}\n");
    for arguments in [
        vec!["--config".to_owned(), file.path.clone()],
        vec![format!("--config={}", file.path)],
        vec![format!("--config=file:{}", file.path)],
        vec!["--config=env:TAILRACE_TEST_CONFIG".to_owned()],
        vec![
            format!("--config={}", file.path),
            format!("--config={second}"),
            "--config=yaml:service::pipelines::traces::processors: [memory_limiter, batch]".to_owned(),
            "--set=processors.batch.timeout=${env:TAILRACE_TEST_TIMEOUT:-2s}".to_owned(),
        ],
    ] {
        let mut command = tailrace();
        command.env("TAILRACE_TEST_CONFIG", std::fs::read_to_string(&file.path).unwrap());
        let output = command.arg("validate").args(&arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Each later source really counts: a fault in it is a fault of the whole, and names it.
    for (argument, named) in [
        ("--config=yaml:processors::batch::timeout: soon", "processors::batch::timeout"),
        ("--config=yaml:service::pipelines::traces::processors: [nobody]", "nobody"),
        ("--set=processors.batch.timeout=soon", "processors::batch::timeout"),
        ("--set=processors.batch.timout=1s", "timout"),
    ] {
        let (code, _, stderr) = run(&["validate", "--config", &file.path, argument]);
        assert_eq!(code, Some(1), "{argument}: {stderr}");
        assert!(stderr.contains(named), "{argument}: {stderr}");
    }
    // A variable that is not set is an empty source, as in the Collector, but not a silent one.
    let (code, _, stderr) = run(&["validate", "--config", &file.path, "--config=env:TAILRACE_TEST_UNSET"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("TAILRACE_TEST_UNSET") && stderr.contains("not set"), "{stderr}");
}

/// Bad input of every kind ends with a message and exit code 1 (2 where the command line itself is wrong), never with a
/// panic, and at once.
#[test]
fn bad_input_is_told_and_nothing_panics() {
    let deep = "a: ".repeat(20_000);
    let flow = format!("receivers: {}", "[".repeat(50_000));
    let aliases = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, i| {
        format!("{text}a{i}: &a{i} [*a{p}, *a{p}, *a{p}, *a{p}]\n", p = i - 1)
    });
    let texts: [&[u8]; 10] = [
        b"",
        b"\n# nothing\n",
        b"just text",
        b"- a\n- list\n",
        b"receivers: [\n",
        b"receivers: {otlp: {protocols: {grpc: {endpoint: [1]}}}}\n",
        b"\xff\xfe\x00binary",
        deep.as_bytes(),
        flow.as_bytes(),
        aliases.as_bytes(),
    ];
    for text in texts {
        let file = File::with(text);
        for arguments in [&["--config", &file.path][..], &["validate", "--config", &file.path]] {
            let (code, _, stderr) = run(arguments);
            let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
            assert_eq!(code, Some(1), "{shown:?}: {stderr}");
            assert!(!stderr.is_empty() && !stderr.contains("panicked"), "{shown:?}: {stderr}");
            assert!(stderr.len() < 100_000, "{shown:?}: {} bytes of complaints", stderr.len());
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let good = File::with(yaml(&["traces"], &[], &[("nop", "")]));
    for (arguments, expected) in [
        (vec!["--config", "/does/not/exist.yaml"], 1),
        (vec!["--config", directory.path().to_str().unwrap()], 1),
        (vec!["--config", "http://localhost/config.yaml"], 1),
        (vec!["--config", "nonsense:x"], 1),
        (vec!["--config", &good.path, "--set", "without-a-value"], 1),
        (vec!["--config", &good.path, "--set", "service.pipelines.traces.exporters=[nobody]"], 1),
        (vec!["--config", &good.path, "--set", "=x"], 1),
        (vec!["validate"], 2),
        (vec!["--no-such-flag"], 2),
        (vec!["no-such-command"], 2),
        (vec!["--config", &good.path, "--workers", "0"], 2),
        (vec!["--config", &good.path, "--shutdown-timeout", "soon"], 2),
        (vec![], 2),
    ] {
        let (code, _, stderr) = run(&arguments);
        assert_eq!(code, Some(expected), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

/// `components` lists what is built in, with signals and stability, as YAML.
#[test]
fn components_are_listed() {
    let (code, stdout, _) = run(&["components"]);
    assert_eq!(code, Some(0));
    let mut problems = tailrace::yaml::Problems::default();
    let list = tailrace::yaml::parse("components", &stdout, &mut problems).unwrap();
    assert!(!problems.has_errors(), "{problems}\n{stdout}");
    for (section, kinds) in [
        ("receivers", &["otlp"][..]),
        ("processors", &["memory_limiter", "batch", "tail_sampling", "wasm"]),
        ("exporters", &["otlp_grpc", "otlp_http", "debug", "file", "nop"]),
        ("extensions", &["health_check"]),
    ] {
        let listed = list.get(section).unwrap().items();
        for kind in kinds {
            let entry = listed.iter().find(|entry| entry.get("name").and_then(|name| name.as_str()) == Some(kind));
            let entry = entry.unwrap_or_else(|| panic!("{section} do not list {kind}:\n{stdout}"));
            let stability = entry.get("stability").unwrap().entries();
            assert!(!stability.is_empty(), "{kind}");
            if *kind == "otlp_grpc" {
                assert_eq!(entry.get("deprecated_names").unwrap().items()[0].as_str(), Some("otlp"));
                let signals: Vec<_> = stability.iter().map(|(signal, _)| signal.name.as_str()).collect();
                assert_eq!(signals, ["traces", "metrics", "logs"]);
            }
        }
    }
}

/// `--version` and `--help` answer on stdout.
#[test]
fn version_and_help() {
    let (code, stdout, _) = run(&["--version"]);
    assert_eq!((code, stdout.trim()), (Some(0), concat!("tailrace ", env!("CARGO_PKG_VERSION"))));
    let (code, stdout, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for word in ["validate", "components", "demo", "--config", "--set", "--admin-endpoint"] {
        assert!(stdout.contains(word), "{word} is not in\n{stdout}");
    }
}

/// A busy admin port is a warning, and `none` is silence; the collector runs in both cases.
#[test]
fn the_admin_listener_is_optional() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let file = File::with(yaml(&["traces"], &[], &[("nop", "")]));
    for (endpoint, warned) in [(address.as_str(), true), ("none", false)] {
        let running = Running::start(&[&file.path], &["--admin-endpoint", endpoint]);
        assert!(std::net::TcpStream::connect(running.address("grpc")).is_ok());
        running.signal("TERM");
        let (code, log) = running.end();
        assert_eq!(code, Some(0));
        let warning = log.iter().any(|line| line.contains("WARN") && line.contains("admin"));
        assert_eq!(warning, warned, "{}", log.join("\n"));
    }
}

/// From the first listener on, a signal is not missed, however early it comes: the collector drains and ends in good order.
#[test]
fn a_signal_while_it_starts_is_not_missed() {
    let file = File::with(yaml(&["traces"], &[], &[("nop", "")]));
    let running = Running::until("listening", &[&file.path], &[]);
    running.signal("TERM");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{}", log.join("\n"));
    assert!(log.iter().any(|line| line.contains("draining")), "{}", log.join("\n"));
}

/// Lines of the log are text by default and JSON when asked for; `level` and `RUST_LOG` decide how many there are.
#[test]
fn logs_are_text_or_json() {
    let file = File::with(yaml(&["traces"], &[], &[("nop", "")]));
    let running = Running::start(&[&file.path], &[]);
    running.signal("TERM");
    let (_, log) = running.end();
    for line in &log {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    let running = Running::start(&[&file.path, "yaml:service::telemetry::logs::encoding: json"], &[]);
    assert!(running.0.said().iter().all(|line| line.starts_with('{')));
    drop(running);
    let quiet = "yaml:service::telemetry::logs::level: error";
    let text = "yaml:service::telemetry: {logs: {encoding: console}, metrics: {level: none}}";
    let mut command = tailrace();
    command.args(["--config", &file.path, "--config", quiet, "--config", text, "--admin-endpoint", "none"]);
    // RUST_LOG wins over the level.
    let mut running = Running(Heard::stderr(command.env("RUST_LOG", "info"), PATIENCE));
    let line = running.hears("everything is ready");
    assert!(!line.starts_with('{') && line.contains("INFO"), "{line}");
}

/// `tailrace demo` needs nothing, ends by itself and says 0 when the ledger adds up.
#[test]
fn the_demo_ends_by_itself_and_adds_up() {
    let (code, stdout, stderr) = run(&["demo", "--for", "8s"]);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("redact"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "plain lines without a terminal: {stdout:?}");
}

/// What the configuration asks of the file system is said when it cannot be had.
#[test]
fn a_file_that_cannot_be_written_is_a_fault() {
    let path = Path::new("/does/not/exist/out.json");
    let file = File::with(yaml(&["traces"], &[], &[("file", &format!("{{path: {}}}", path.display()))]));
    let (code, _, stderr) = run(&["--config", &file.path, "--admin-endpoint", "none", "--config", IN_A_TEST]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("file") && stderr.contains("/does/not/exist"), "{stderr}");
}
