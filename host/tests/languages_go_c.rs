//! Go and C as an author meets them: `tailrace plugin new`, the unit test of the project, `build`, `test`; and the examples.
//!
//! A language whose tools are not on this machine is skipped with a line that says so. `make python` installs zig into
//! `target/python-plugins`, for machines without clang for WebAssembly.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a failure here is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Exit code of a command that could not be carried out, as for want of a compiler.
const TROUBLE: i32 = 2;

/// Runs a command in a folder; what it said.
fn run(dir: &Path, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = repository().join("target/python-plugins/bin");
    let mut command = Command::new(program);
    command.env("TAILRACE_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/plugin-cache"));
    let output = command.args(arguments).current_dir(dir).env("PATH", format!("{}:{path}", tools.display())).output();
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn tailrace(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    run(dir, env!("CARGO_BIN_EXE_tailrace"), arguments)
}

/// Builds a project and runs its cases; false if the tools are not there.
fn cases_pass(dir: &Path) -> bool {
    let (code, said) = tailrace(dir, &["plugin", "test", "."]);
    if code == Some(TROUBLE) && said.contains("is missing. Install it with") {
        eprintln!("SKIP {}: {said}", dir.display());
        return false;
    }
    assert_eq!(code, Some(0), "{}: {said}", dir.display());
    true
}

/// Every kind of project passes its own tests right after it was made.
fn new_projects(lang: &str, unit_test: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for kind in ["attributes", "processor", "sampler"] {
        let name = format!("my-{kind}");
        let (code, said) = tailrace(folder.path(), &["plugin", "new", &name, "--lang", lang, "--kind", kind]);
        assert_eq!(code, Some(0), "{said}");
        let dir = folder.path().join(name);
        if !cases_pass(&dir) {
            return;
        }
        if let [program, arguments @ ..] = unit_test {
            let (code, said) = run(&dir, program, arguments);
            assert_eq!(code, Some(0), "{lang} {kind}: {said}");
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn examples(lang: &str) {
    for example in ["tidy", "keep-orders"] {
        cases_pass(&repository().join(format!("examples/plugin-{lang}")).join(example));
    }
}

/// Whether a program is there.
fn there_is(program: &str, question: &str) -> bool {
    let there = Command::new(program).arg(question).output().is_ok();
    if !there {
        eprintln!("SKIP: {program} is missing");
    }
    there
}

/// The SDK's own tests, natively, and its code for WebAssembly at least compiled.
#[test]
fn go_sdk() {
    let sdk = repository().join("sdk/go");
    if !there_is("go", "version") {
        return;
    }
    for arguments in [&["vet", "./..."][..], &["test", "./..."]] {
        let (code, said) = run(&sdk, "go", arguments);
        assert_eq!(code, Some(0), "{said}");
    }
    for example in ["tidy", "keep-orders"] {
        let (code, said) = run(&repository().join("examples/plugin-go").join(example), "go", &["test", "."]);
        assert_eq!(code, Some(0), "{example}: {said}");
    }
    let (code, unformatted) = run(&repository(), "gofmt", &["-l", "sdk/go", "examples/plugin-go"]);
    assert_eq!((code, unformatted.as_str()), (Some(0), ""), "gofmt -w these");
}

/// The SDK's own tests, with the C compiler of this machine, and every warning an error.
#[test]
fn c_sdk() {
    if !there_is("cc", "--version") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let program = folder.path().join("test").display().to_string();
    let sdk = repository().join("sdk/c");
    let tests =
        ["sdk/c/test/test.c", "examples/plugin-c/tidy/test/test.c", "examples/plugin-c/keep-orders/test/test.c"];
    for test in tests {
        let test = repository().join(test).display().to_string();
        let sources: Vec<String> = std::fs::read_dir(&sdk)
            .expect("readable")
            .map(|entry| entry.expect("readable").path().display().to_string())
            .filter(|path| path.ends_with(".c"))
            .collect();
        let mut arguments = vec!["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", ".", "-o", &program, &test];
        arguments.extend(sources.iter().map(String::as_str));
        arguments.push("-lm");
        let (code, said) = run(&sdk, "cc", &arguments);
        assert_eq!(code, Some(0), "{test}: {said}");
        let (code, said) = run(&sdk, &program, &[]);
        assert_eq!(code, Some(0), "{test}: {said}");
    }
}

#[test]
fn go_projects() {
    new_projects("go", &["go", "test", "./..."]);
}

#[test]
fn c_projects() {
    new_projects("c", &["make", "--silent", "test"]);
}

#[test]
fn go_examples() {
    examples("go");
}

#[test]
fn c_examples() {
    examples("c");
}
