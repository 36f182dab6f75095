//! `tailrace plugin` as an author meets it: from nothing to a plugin whose spans change on a save.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tailrace_tests::guests::{CORE_MODULE, guest};
use tailrace_tests::heard::Heard;
use tempfile::TempDir;

/// Longest time that anything here may take: a loaded machine compiles slowly.
const PATIENCE: Duration = Duration::from_secs(300);

fn tailrace(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command.current_dir(directory).stdin(Stdio::null()).env_remove("RUST_LOG");
    // What the projects depend on is compiled once for all tests.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"));
    // The runs of benches are remembered beside the project, not in the home of whoever runs the tests.
    command.env("XDG_CACHE_HOME", directory.join("cache"));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().contains("RUSTFLAGS") {
            command.env_remove(variable);
        }
    }
    command
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let output = tailrace(directory).arg("plugin").args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("an exit code"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs what must be content.
fn good(directory: &Path, arguments: &[&str]) -> String {
    let Ran { code, stdout, stderr } = run(directory, arguments);
    assert_eq!(code, 0, "{arguments:?}:\n{stdout}\n{stderr}");
    stdout
}

fn good_json(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&good(directory, arguments)).expect("JSON")
}

fn new(name: &str, kind: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let said = good(directory.path(), &["new", name, "--lang", "rust", "--kind", kind]);
    assert!(said.contains(&format!("tailrace plugin dev {name}")), "the next command is named: {said}");
    let project = directory.path().join(name);
    (directory, project)
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("readable");
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    std::fs::write(file, text.replace(from, to)).expect("writable");
}

/// new -> build -> test -> inspect -> bench, a build that fails, and a changed mind.
#[test]
fn from_nothing_to_a_component() {
    let (directory, project) = new("tidy", "attributes");
    let said = good(directory.path(), &["build", "tidy"]);
    assert!(said.contains("tidy/dist/tidy.wasm") && said.contains("tailrace:plugin@0.1.0, attributes"), "{said}");

    let tested = good_json(&project, &["test", "--json"]);
    assert_eq!((&tested["ok"], &tested["cases"][0]["case"]), (&json!(true), &json!("mask")));
    for figure in ["nanoseconds_per_item", "peak_memory_bytes", "bytes_in", "bytes_out"] {
        assert!(tested["cases"][0][figure].as_f64().unwrap() > 0.0, "{figure}: {tested}");
    }

    let inspect = |config: &str| good_json(&project, &["inspect", "dist/tidy.wasm", "--json", "--config", config]);
    let about = inspect(r#"{"mask": ["user.*", "url.path"]}"#);
    assert_eq!(
        (&about["name"], &about["contract"], &about["kind"]),
        (&json!("tidy"), &json!("0.1.0"), &json!("attributes"))
    );
    assert_eq!(about["interest"]["attributes"], json!(["user.*", "url.path"]));
    let unconfigured = inspect("{}");
    assert!(unconfigured["interest_error"].as_str().unwrap().contains("mask") && unconfigured["name"] == "tidy");

    let bench = |last: bool| {
        let figures = good_json(&project, &["bench", "dist/tidy.wasm", "--for", "50ms", "--json"]);
        assert!(figures["now"]["total"].as_f64().unwrap() > 0.0 && figures["last"].is_null() != last, "{figures}");
    };
    bench(false);
    bench(true);

    // Another output: the case fails and says how, --bless accepts it, and then it passes.
    replace(&project.join("src/lib.rs"), "\"*\".repeat", "\"#\".repeat");
    let differs = run(&project, &["test"]);
    assert_eq!(differs.code, 1);
    assert!(differs.stdout.contains("~ user.email \"*********\" -> \"#########\""), "{}", differs.stdout);
    good(&project, &["test", "--bless"]);
    let accepted = std::fs::read_to_string(project.join("cases/mask/expected.json")).unwrap();
    assert!(accepted.contains("#########"), "{accepted}");
    good(&project, &["test"]);

    // A build that fails leaves nothing behind that looks fresh, and its error is the compiler's.
    let component = project.join("dist/tidy.wasm");
    assert!(component.exists());
    replace(&project.join("src/lib.rs"), "Ok(config)", "Ok(confg)");
    for command in ["build", "test"] {
        let failed = run(&project, &[command]);
        assert_eq!(failed.code, 1);
        assert!(failed.stderr.contains("cannot find value `confg`"), "{}", failed.stderr);
        assert!(!component.exists(), "stale after {command}");
    }

    // The vendored SDK is put back, and nothing that is there is overwritten.
    replace(&project.join("src/lib.rs"), "Ok(confg)", "Ok(config)");
    std::fs::remove_dir_all(project.join(".tailrace")).unwrap();
    good(&project, &["build"]);
    assert!(component.exists() && project.join(".tailrace/wit/types.wit").exists());
    let again = run(directory.path(), &["new", "tidy", "--lang", "rust"]);
    assert!(again.code == 2 && again.stderr.contains("nothing is overwritten"), "{}", again.stderr);
}

/// Every kind builds, passes its cases in a host and its unit tests natively.
#[test]
fn every_kind_works() {
    for (name, kind) in [("drop-names", "processor"), ("keep-payments", "sampler"), ("mask-it", "attributes")] {
        let (_directory, project) = new(name, kind);
        let said = good(&project, &["test"]);
        assert!(said.contains("1 case passed"), "{kind}: {said}");
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        cargo.current_dir(&project).args(["test", "--quiet"]).stdin(Stdio::null());
        cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"));
        assert!(cargo.status().expect("cargo runs").success(), "{kind}");
    }
}

/// A case whose plugin computes for too long, or writes too much into its log, is red and says which limit that is.
#[test]
fn limits_are_those_of_production() {
    let directory = tempfile::tempdir().unwrap();
    let component = directory.path().join("mad.wasm");
    std::fs::write(&component, guest("mad-attributes")).unwrap();
    let span = json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "a",
        "attributes": [{"key": "victim", "value": {"stringValue": "x"}}]});
    let input = json!({"traces": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}});
    let case = |name: &str, what: &str, expected: Value| {
        let case = directory.path().join("cases").join(name);
        std::fs::create_dir_all(&case).unwrap();
        let write = |file: &str, value: Value| std::fs::write(case.join(file), value.to_string()).unwrap();
        write("config.json", json!({"do": what}));
        write("input.json", input.clone());
        write("expected.json", expected);
    };
    case("1-loop", "loop", input.clone());
    case("2-changes", "stamp", json!({"changes": ["span \"a\" b7ad6b7169203331: ~ victim \"x\" -> \"@@STAMP-00@@\""]}));
    case("3-refuses", "refuse configure", json!({"error": "not to my taste"}));
    case("4-no", "never", json!({"error": ""}));
    let ran = run(directory.path(), &["test", "mad.wasm", "--cases", "cases", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let good: Vec<bool> = cases.iter().map(|case| case["ok"].as_bool().unwrap()).collect();
    assert_eq!(good, [false, true, true, true], "{report:#}");
    assert!(cases[0]["over_limit"][0].as_str().unwrap().starts_with("timeout: "), "{report:#}");
    let shown = run(directory.path(), &["test", "mad.wasm", "--cases", "cases", "--case", "1-loop"]);
    assert!(shown.stdout.contains("over the limit: timeout"), "{}", shown.stdout);
}

/// What is no plugin is told so, with the fix; what is not there is another matter.
#[test]
fn what_is_no_plugin_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("core.wasm"), CORE_MODULE).unwrap();
    let core = run(directory.path(), &["inspect", "core.wasm"]);
    assert!(core.code == 1 && core.stderr.contains("--target wasm32-wasip2"), "{}", core.stderr);
    // The contract of the future: the version stands in the names of the exports.
    let future = replaced(&guest("mad-attributes"), b"lifecycle@0.1.0", b"lifecycle@9.1.0");
    std::fs::write(directory.path().join("future.wasm"), future).unwrap();
    let future = run(directory.path(), &["inspect", "future.wasm"]);
    assert!(future.code == 1 && future.stderr.contains("use a newer Tailrace"), "{}", future.stderr);
    let other = replaced(&guest("mad-attributes"), b"tailrace:plugin/", b"somebody:thing/1");
    std::fs::write(directory.path().join("other.wasm"), other).unwrap();
    let other = run(directory.path(), &["inspect", "other.wasm"]);
    assert!(other.code == 1, "{}", other.stderr);
    assert_eq!(run(directory.path(), &["inspect", "nothing.wasm"]).code, 2);
    assert_eq!(run(directory.path(), &["build", "."]).code, 2);
    let nobody = run(directory.path(), &["list", "--admin", "http://127.0.0.1:1"]);
    assert!(nobody.code == 2 && nobody.stderr.contains("does a collector run there?"), "{}", nobody.stderr);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// Without a toolchain the error names what is missing and the command that installs it.
#[test]
fn a_missing_toolchain_is_named() {
    let (directory, _) = new("tidy", "attributes");
    let output = tailrace(directory.path()).args(["plugin", "build", "tidy"]).env("PATH", "").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("rustc, the Rust compiler is missing") && said.contains("rustup.rs"), "{said}");
}

/// `dev` in a process of its own; killed when this is dropped.
/// `tailrace plugin dev` with these arguments.
fn dev(directory: &Path, arguments: &[&str]) -> Heard {
    Heard::stdout(tailrace(directory).args(["plugin", "dev"]).args(arguments), PATIENCE)
}

/// A save becomes a new version and a difference in real spans; one that does not build, or fails a case, does not.
#[test]
fn a_save_becomes_a_changed_span() {
    let (directory, project) = new("tidy", "attributes");
    let plugins = directory.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let mut dev = dev(directory.path(), &["tidy", "--attach", "plugins"]);
    dev.wait_for("1 case passed; generation 1");
    let shown = dev.wait_for("~ user.email").join("\n");
    assert!(shown.contains("changed, 0 dropped") && shown.contains("-> \"***"), "{shown}");
    dev.wait_for("put into plugins/tidy.wasm");
    let first = std::fs::read(plugins.join("tidy.wasm")).unwrap();

    let source = project.join("src/lib.rs");
    replace(&source, "Ok(config) }", "Ok(confg) }");
    let failed = dev.wait_for("goes on").join("\n");
    assert!(failed.contains("cannot find value `confg`") && failed.contains("generation 1 goes on"), "{failed}");

    replace(&source, "Ok(confg) }", "Ok(config) }");
    replace(&source, "\"*\".repeat", "\"#\".repeat");
    let failed = dev.wait_for("goes on").join("\n");
    assert!(failed.contains("cases fail:") && failed.contains("FAIL  mask"), "{failed}");
    assert_eq!(std::fs::read(plugins.join("tidy.wasm")).unwrap(), first, "nothing bad is handed on");

    replace(&project.join("cases/mask/expected.json"), "*********", "#########");
    dev.wait_for("generation 2");
    let shown = dev.wait_for("~ user.email").join("\n");
    assert!(shown.contains("-> \"###"), "{shown}");
    dev.wait_for("put into plugins/tidy.wasm");
    assert_ne!(std::fs::read(plugins.join("tidy.wasm")).unwrap(), first);
}
