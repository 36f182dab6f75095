//! Plugins in the real process: compiled in another one, kept in the cache, bounded, and replaced by the last good version.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tailrace_tests::bomb::large;
use tailrace_tests::guests::CORE_MODULE;
use tailrace_tests::heard::Heard;
use tailrace_tests::http;
use tailrace_tests::plugins::{PluginDirectory, stamp};

/// Longest time that anything here may take: the machine may be busy, and compiles in a build without optimisation.
const PATIENCE: Duration = Duration::from_secs(90);

/// A configuration with the plugin `stamp`, a directory for it, and a cache.
struct Scene {
    plugins: PluginDirectory,
    place: tempfile::TempDir,
}

impl Scene {
    fn new(wasm: &[u8]) -> Self {
        Self { plugins: PluginDirectory::with("stamp", wasm), place: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.place.path().join("cache")
    }

    /// `tailrace`, with these settings of the extension `plugins`.
    fn tailrace(&self, subcommand: &[&str], extension: &str) -> Command {
        let plugins = self.plugins.path().display();
        let config = format!(
            "yaml:{{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}, \
             processors: {{wasm/stamp: {{directory: '{plugins}', module: stamp}}}}, exporters: {{nop: }}, \
             extensions: {{plugins: {extension}}}, \
             service: {{extensions: [plugins], telemetry: {{logs: {{encoding: json}}, metrics: {{level: none}}}}, \
             pipelines: {{traces: {{receivers: [otlp], processors: [wasm/stamp], exporters: [nop]}}}}}}}}"
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
        command.args(subcommand).args(["--config", &config]).env_remove("RUST_LOG");
        command.env("TAILRACE_CACHE_DIR", self.cache()).stdin(Stdio::null());
        command
    }

    /// `tailrace validate`: whether it is content, and what it says.
    fn validate(&self, extension: &str) -> (bool, String) {
        let output = self.tailrace(&["validate"], extension).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn start(&self) -> Running {
        let mut command = self.tailrace(&[], "{}");
        let mut running = Running(Heard::stderr(command.args(["--admin-endpoint", "127.0.0.1:0"]), PATIENCE));
        running.hears("everything is ready");
        running
    }
}

struct Running(Heard);

impl Running {
    /// Waits for a line with this text, if there was none yet.
    fn hears(&mut self, text: &str) {
        if !self.0.said().iter().any(|line| line.contains(text)) {
            self.0.wait_for(text);
        }
    }

    /// The one plugin of `GET /plugins`.
    async fn plugin(&self) -> Value {
        let lines = self.0.said().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let admin = lines.into_iter().find(|line| line["listener"] == "admin").unwrap();
        let admin: SocketAddr = admin["address"].as_str().unwrap().parse().unwrap();
        let reply = http::get(admin, "/plugins").await;
        assert_eq!(reply.status, 200);
        let plugins: Value = serde_json::from_str(reply.text()).unwrap();
        assert_eq!(plugins.as_array().unwrap().len(), 1, "{plugins:#}");
        plugins[0].clone()
    }

    /// The processes that this one has started and that are there now.
    fn children(&self) -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        children.flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
    }

    /// SIGTERM; how long it took to end.
    fn end(&mut self) -> Duration {
        let start = Instant::now();
        self.0.signal("TERM");
        assert!(self.0.end().success(), "{}", self.0.said().join("\n"));
        start.elapsed()
    }
}

/// `tailrace validate` fills the cache, a start finds it filled, and a new version is compiled in a process of its own.
#[tokio::test]
async fn compiled_elsewhere_and_kept() {
    let scene = Scene::new(&stamp("kept-1"));
    let (valid, words) = scene.validate("{}");
    assert!(valid, "{words}");
    let mut running = scene.start();
    let plugin = running.plugin().await;
    assert_eq!(plugin["code"]["from"], "cache", "{plugin:#}");
    assert_eq!((&plugin["place"], &plugin["interface"]), (&"wasm/stamp@traces".into(), &"attributes".into()));
    assert_eq!(plugin["interest"]["attributes"], serde_json::json!(["url.path"]));
    assert_eq!(plugin["file"], scene.plugins.file("stamp").display().to_string());
    scene.plugins.replace("stamp", &stamp("kept-2"));
    running.hears("plugin reloaded");
    let plugin = running.plugin().await;
    assert_eq!((&plugin["generation"], &plugin["code"]["process"]), (&2.into(), &"its own".into()), "{plugin:#}");
    running.end();
}

/// A restart with a bad file starts the last good version and says so loudly; a check of the configuration fails.
#[tokio::test]
async fn the_last_good_version_survives_a_restart() {
    let scene = Scene::new(&stamp("good-1"));
    let mut running = scene.start();
    let good = running.plugin().await["hash"].clone();
    running.end();
    scene.plugins.replace("stamp", CORE_MODULE);
    let (valid, words) = scene.validate("{}");
    assert!(!valid && words.contains("core WebAssembly module"), "{words}");
    let mut running = scene.start();
    let plugin = running.plugin().await;
    assert_eq!(plugin["hash"], good);
    assert!(plugin["load_error"]["reason"].as_str().unwrap().contains("core WebAssembly module"), "{plugin:#}");
    running.hears("its last good version runs instead");
    running.end();
}

/// Files that are dear to compile are given up at the limit that they reach, by its name.
#[tokio::test]
async fn a_compile_bomb_is_stopped() {
    let scene = Scene::new(&bomb(2000, 300));
    let start = Instant::now();
    let (valid, words) = scene.validate("{compile: {timeout: 1s}}");
    assert!(!valid && words.contains("compile.timeout"), "{words}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    scene.plugins.replace("stamp", &bomb(1, 300_000));
    let (valid, words) = scene.validate("{compile: {memory_mib: 256}}");
    assert!(!valid && words.contains("compile.memory_mib"), "{words}");
    scene.plugins.replace("stamp", &large(1200));
    let (valid, words) = scene.validate("{compile: {code_mib: 1}}");
    assert!(!valid && words.contains("compile.code_mib"), "{words}");
}

/// While a bomb is compiled the collector answers, and a SIGTERM does not wait for it; nothing of it is left.
#[tokio::test]
async fn nobody_waits_for_a_bomb() {
    let scene = Scene::new(&stamp("calm-1"));
    let mut running = scene.start();
    scene.plugins.replace("stamp", &bomb(2000, 300));
    let start = Instant::now();
    // Between fork and exec the child still looks like its parent.
    let compiles = |child: &u32| {
        std::fs::read_to_string(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.contains("__compile"))
    };
    let compiler = loop {
        if let Some(child) = running.children().into_iter().find(compiles) {
            break child;
        }
        assert!(start.elapsed() < PATIENCE, "no compiler");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(running.plugin().await["generation"], 1);
    let took = running.end();
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    let gone = || !std::path::Path::new(&format!("/proc/{compiler}")).exists();
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(10), "the compiler is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A component with one core module of so many functions, each a long row of branches over twenty values.
fn bomb(functions: usize, steps: usize) -> Vec<u8> {
    let mut body = vec![1, 20, 0x7f];
    for step in 0..steps {
        let local = |by: usize| u8::try_from((step * by + by) % 20).unwrap();
        // block; local.get; br_if 0; local.get; local.get; i32.mul; local.set; end
        body.extend([
            0x02,
            0x40,
            0x20,
            local(3),
            0x0d,
            0,
            0x20,
            local(7),
            0x20,
            local(11),
            0x6c,
            0x21,
            local(13),
            0x0b,
        ]);
    }
    // local.get 0; end
    body.extend([0x20, 0, 0x0b]);
    let body = sized(&body);
    let count = leb(functions);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type, () -> i32, which every function has.
    section(&mut module, 1, &[1, 0x60, 0, 1, 0x7f]);
    section(&mut module, 3, &[&count[..], &vec![0; functions]].concat());
    section(&mut module, 10, &[&count[..], &body.repeat(functions)].concat());
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, &module);
    component
}

fn section(to: &mut Vec<u8>, id: u8, content: &[u8]) {
    to.push(id);
    to.extend(sized(content));
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&leb(content.len())[..], content].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}
