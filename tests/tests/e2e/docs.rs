//! Every configuration in the docs and in `examples/` is parsed and run.
//!
//! A block of YAML that is a whole configuration is started as it stands, with ports, files and plugin directories of
//! the test. A fragment is put into the smallest whole one in which it means something. A block that is neither makes
//! the test fail: docs show nothing that nobody checks.

use std::path::{Path, PathBuf};
use tailrace::components::FACTORIES;
use tailrace::config::load;
use tailrace::yaml::{Node, Problems, parse};
use tailrace_tests::guests::guest;
use tailrace_tests::host::Host;
use tailrace_tests::plugins::{PluginDirectory, repository};

/// A piece of YAML and where it stands.
struct Block {
    place: String,
    text: String,
}

/// Runs every block of `blocks` and panics with all that fail.
async fn check(blocks: Vec<Block>) {
    let mut faults = Vec::new();
    for block in &blocks {
        if let Err(fault) = run(block).await {
            faults.push(format!("{}: {fault}\n{}", block.place, block.text));
        }
    }
    assert!(faults.is_empty(), "{} of {} are wrong\n\n{}", faults.len(), blocks.len(), faults.join("\n\n"));
}

/// Plugins of this repository.
const BUNDLED: [&str; 5] = ["redact", "drop-health", "mask-email", "business-rules", "adaptive-sampler"];
/// Plugins of this repository that are there compiled: name, and file in `tests/fixtures`.
const COMPILED: [(&str, &str); 1] = [("keep-orders", "contract-0.1.0/c-keep-orders.wasm")];
/// Plugins that need a toolchain of their own, and one of ours that takes the same configuration.
const STAND_INS: [(&str, &str); 1] = [("adaptive-lite", "adaptive-sampler")];

const SECTIONS: [&str; 6] = ["receivers", "processors", "exporters", "extensions", "connectors", "service"];

/// What a fragment is put into: the components that docs refer to, and a pipeline.
const BASE: &str = "
receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 4000}
  batch:
  tail_sampling: {policies: [{name: all, type: always_sample}]}
exporters:
  otlp_grpc: {endpoint: 'localhost:4317'}
  otlp_http: {endpoint: 'http://localhost:4318'}
  nop:
extensions: {health_check: {endpoint: '127.0.0.1:0'}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}
";

async fn run(block: &Block) -> Result<(), String> {
    let node = parsed(&block.place, &block.text)?;
    if node.items().iter().any(|item| item.get("type").is_some()) {
        return start(
            vec![BASE.to_owned(), indented(&["processors", "tail_sampling", "policies"], &block.text)],
            false,
        )
        .await;
    }
    let keys: Vec<&str> = node.entries().iter().map(|(key, _)| key.name.as_str()).collect();
    if keys.is_empty() {
        return Err("an empty block".to_owned());
    }
    if keys.contains(&"apiVersion") {
        return run_manifest(&node).await;
    }
    if keys.iter().all(|key| SECTIONS.contains(key)) {
        let is_whole = ["receivers", "exporters", "service"].iter().all(|key| keys.contains(key));
        let sources = if is_whole { vec![block.text.clone()] } else { vec![BASE.to_owned(), block.text.clone()] };
        return start(sources, is_whole).await;
    }
    // The sidecar of a plugin in a directory, and the manifest of a plugin's project: tests of their own read them.
    let is_sidecar = keys.iter().all(|key| ["config", "error_mode", "limits"].contains(key));
    if is_sidecar || keys == ["name", "lang", "kind", "limits"] {
        return Ok(());
    }
    let section = section_of(&keys).ok_or_else(|| format!("nobody knows how to check {keys:?}"))?;
    start(vec![BASE.to_owned(), indented(section, &block.text)], false).await
}

fn parsed(place: &str, text: &str) -> Result<Node, String> {
    let mut problems = Problems::default();
    let node = parse(place, text, &mut problems);
    node.filter(|_| !problems.has_errors()).ok_or_else(|| problems.to_string())
}

/// The path under which a fragment with these keys belongs: components of one section, or settings of one component.
fn section_of(keys: &[&str]) -> Option<&'static [&'static str]> {
    let kind = |key: &str| key.split('/').next().unwrap_or(key).to_owned();
    let all = |known: Vec<&str>| keys.iter().all(|key| known.contains(&kind(key).as_str()));
    let names = |kind: &'static str, deprecated: &'static [&'static str]| [&[kind], deprecated].concat();
    if all(FACTORIES.processors.iter().flat_map(|f| names(f.info.kind, f.info.deprecated)).collect()) {
        return Some(&["processors"]);
    }
    // `otlp` is a receiver and the old name of an exporter; docs use the new one for exporters.
    if all(FACTORIES.receivers.iter().flat_map(|f| names(f.info.kind, f.info.deprecated)).collect()) {
        return Some(&["receivers"]);
    }
    if all(FACTORIES.exporters.iter().flat_map(|f| names(f.info.kind, f.info.deprecated)).collect()) {
        return Some(&["exporters"]);
    }
    if all(FACTORIES.extensions.iter().flat_map(|f| names(f.info.kind, f.info.deprecated)).collect()) {
        return Some(&["extensions"]);
    }
    if all(vec!["pipelines", "telemetry", "extensions"]) {
        return Some(&["service"]);
    }
    if all(vec!["protocols"]) {
        return Some(&["receivers", "otlp"]);
    }
    if all(vec!["sending_queue", "retry_on_failure", "timeout", "tls", "endpoint", "compression", "headers"]) {
        return Some(&["exporters", "otlp_grpc"]);
    }
    None
}

fn indented(path: &[&str], text: &str) -> String {
    let mut out = String::new();
    for (depth, key) in path.iter().enumerate() {
        out.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
    }
    for line in text.lines() {
        out.push_str(&format!("{}{line}\n", "  ".repeat(path.len())));
    }
    out
}

/// A Kubernetes manifest: what its ConfigMaps hold is a configuration.
async fn run_manifest(node: &Node) -> Result<(), String> {
    if node.get("kind").and_then(Node::as_str) != Some("ConfigMap") {
        return Ok(());
    }
    for (name, text) in node.get("data").map(Node::entries).unwrap_or_default() {
        let text = text.as_str().ok_or("a value of a ConfigMap that is no text")?;
        start(vec![text.to_owned()], true).await.map_err(|fault| format!("{}: {fault}", name.name))?;
    }
    Ok(())
}

/// Starts and stops it, with free ports and the test's own files. What a fragment defines and does not use is put into
/// the pipeline.
async fn start(texts: Vec<String>, is_whole: bool) -> Result<(), String> {
    let plugins = PluginDirectory::default();
    for name in BUNDLED {
        plugins.replace(name, &guest(name));
    }
    for (name, file) in COMPILED {
        let file = repository().join("tests/fixtures").join(file);
        plugins.replace(name, &std::fs::read(file).expect("a fixture"));
    }
    for (name, instead) in STAND_INS {
        plugins.replace(name, &guest(instead));
    }
    let texts: Vec<_> = texts.iter().map(|text| with_samplers(text, plugins.path())).collect();
    let files = tempfile::tempdir().expect("a temporary directory");
    let mut sets = Vec::new();
    for text in &texts {
        sets.extend(overrides(&parsed("block", text)?, plugins.path(), files.path()));
    }
    if !is_whole && let Some(last) = texts.last() {
        sets.extend(wiring(&parsed("block", last)?));
    }
    let mut sources = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let path = files.path().join(format!("{number}.yaml"));
        std::fs::write(&path, text).expect("writable");
        sources.push(path.display().to_string());
    }
    // Certificates are the reader's own: such a block is checked, and not built.
    if texts.iter().any(|text| text.contains("_file:")) {
        return load(&sources, &sets, &FACTORIES).map(drop).map_err(|problems| problems.to_string());
    }
    let host = Host::try_start(&sources, &sets).await?;
    for line in host.stop().await {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
    }
    Ok(())
}

/// The text with the plugins of its sampling policies where this test has them. A policy is an entry of a list, which no
/// `--set` can reach into.
fn with_samplers(text: &str, plugins: &Path) -> String {
    let named = BUNDLED.into_iter().chain(COMPILED.map(|(name, _)| name)).chain(STAND_INS.map(|(name, _)| name));
    named.fold(text.to_owned(), |text, name| {
        let (short, path) = (format!("module: {name}"), plugins.join(format!("{name}.wasm")));
        let with_path = |line: &str| match line.split_once(&short) {
            Some((before, after)) if !after.starts_with(|c: char| c.is_alphanumeric() || c == '-') => {
                format!("{before}module: '{}'{after}\n", path.display())
            }
            _ => format!("{line}\n"),
        };
        if text.contains("type: wasm") { text.lines().map(with_path).collect() } else { text }
    })
}

/// `--set`s that keep a configuration off the ports and files of this machine.
fn overrides(node: &Node, plugins: &Path, files: &Path) -> Vec<String> {
    let mut sets = Vec::new();
    let section = |name: &str| node.get(name).map(Node::entries).unwrap_or_default();
    let kind = |id: &str| id.split('/').next().unwrap_or(id).to_owned();
    for (id, settings) in section("receivers") {
        for (protocol, _) in settings.get("protocols").map(Node::entries).unwrap_or_default() {
            sets.push(format!("receivers.{}.protocols.{}.endpoint=127.0.0.1:0", id.name, protocol.name));
        }
    }
    for (id, settings) in section("processors").iter().filter(|(id, _)| kind(&id.name) == "wasm") {
        // Without a module every plugin of the directory runs, the reader's own ones: here there are none.
        let Some(module) = settings.get("module").and_then(Node::as_str) else {
            sets.push(format!("processors.{}.directory={}", id.name, files.join("no-plugins").display()));
            continue;
        };
        sets.push(format!("processors.{}.directory={}", id.name, plugins.display()));
        // The reader's own plugin is one of ours here.
        if !BUNDLED.contains(&module) {
            sets.push(format!("processors.{}.module=redact", id.name));
        }
    }
    for (id, _) in section("exporters").iter().filter(|(id, _)| kind(&id.name) == "file") {
        sets.push(format!("exporters.{}.path={}", id.name, files.join(id.name.replace('/', "-")).display()));
    }
    for (id, _) in section("extensions").iter().filter(|(id, _)| kind(&id.name) == "health_check") {
        sets.push(format!("extensions.{}.endpoint=127.0.0.1:0", id.name));
    }
    sets
}

/// `--set`s that put every component of a fragment to use, unless it says itself how.
fn wiring(node: &Node) -> Vec<String> {
    if node.get("service").and_then(|service| service.get("pipelines")).is_some() {
        return Vec::new();
    }
    let ids = |section: &str| -> Option<String> {
        let ids: Vec<_> = node.get(section)?.entries().iter().map(|(id, _)| id.name.as_str()).collect();
        Some(ids.join(", "))
    };
    let mut sets = Vec::new();
    for section in ["receivers", "processors", "exporters"] {
        sets.extend(ids(section).map(|ids| format!("service.pipelines.traces.{section}=[{ids}]")));
    }
    sets.extend(ids("extensions").map(|ids| format!("service.extensions=[{ids}]")));
    sets
}

/// Every file of `folder` and below that ends in `extension`, build output and hidden folders left out.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// The ```` ```yaml ```` blocks of a document.
fn blocks_of(place: &str, document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let fence = line.trim_start();
        if !(fence.starts_with("```yaml") || fence.starts_with("```yml")) {
            continue;
        }
        let indent = line.len() - fence.len();
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim_start().starts_with("```"));
        let text: String = body.map(|line| format!("{}\n", line.get(indent..).unwrap_or(""))).collect();
        blocks.push(Block { place: format!("{place}:{}", number + 1), text });
    }
    blocks
}

/// Every block of YAML in every document of the repository.
#[tokio::test]
async fn every_configuration_in_the_docs_runs() {
    let root = repository();
    let mut blocks = Vec::new();
    for file in files(&root, "md") {
        let place = file.strip_prefix(&root).unwrap().display().to_string();
        blocks.extend(blocks_of(&place, &std::fs::read_to_string(&file).unwrap()));
    }
    println!("{} blocks", blocks.len());
    assert!(blocks.iter().any(|block| block.place.starts_with("README.md")), "README.md shows the article's file");
    check(blocks).await;
}

/// Every configuration in the modules' own headers, as operators read them in the API docs.
#[tokio::test]
async fn every_configuration_in_module_headers_runs() {
    let root = repository();
    let mut blocks = Vec::new();
    for file in files(&root.join("host/src"), "rs") {
        let place = file.strip_prefix(&root).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let docs: String = text
            .lines()
            .map(|line| line.strip_prefix("//!").map_or("", |doc| doc.strip_prefix(' ').unwrap_or(doc)))
            .flat_map(|line| [line, "\n"])
            .collect();
        blocks.extend(blocks_of(&place, &docs));
    }
    println!("{} blocks", blocks.len());
    assert!(blocks.iter().any(|block| block.place.contains("health_check")));
    check(blocks).await;
}

/// Every configuration in `examples/`, and each example has a README with its one command. The manifest of a plugin's project is none.
#[tokio::test]
async fn every_example_runs() {
    let examples = repository().join("examples");
    let mut blocks = Vec::new();
    for file in files(&examples, "yaml").into_iter().filter(|file| !file.ends_with("tailrace-plugin.yaml")) {
        let folder = file.parent().unwrap();
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let shown = format!("--config examples/{}", file.strip_prefix(&examples).unwrap().display());
        assert!(readme.contains(&shown), "{}/README.md does not show {shown:?}", folder.display());
        blocks.push(Block { place: file.display().to_string(), text: std::fs::read_to_string(&file).unwrap() });
    }
    assert!(blocks.len() >= 4, "{} examples", blocks.len());
    check(blocks).await;
}

/// The scanner finds what a reader sees.
#[test]
fn blocks_are_found() {
    let document = "a\n```yaml\nx: 1\n```\n- b\n  ```yaml\n  y:\n    z: 2\n  ```\n```sh\nls\n```\n";
    let blocks: Vec<_> = blocks_of("f", document).into_iter().map(|block| (block.place, block.text)).collect();
    let block = |place: &str, text: &str| (place.to_owned(), text.to_owned());
    assert_eq!(blocks, [block("f:2", "x: 1\n"), block("f:6", "y:\n  z: 2\n")]);
}
