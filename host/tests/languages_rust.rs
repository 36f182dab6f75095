//! The examples in Rust, which the other languages have too: their unit tests, and their cases in the component. The templates are in
//! `cli_plugin.rs`.
#![allow(clippy::expect_used, clippy::panic, reason = "a failure here is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

/// Runs a command in an example; its dependencies are compiled once, in one place.
fn content(program: &str, arguments: &[&str], example: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root.join("examples/plugin-rust").join(example));
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"));
    command.env("TAILRACE_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/plugin-cache"));
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{example}: {program} {arguments:?}: {said}");
}

fn passes(example: &str) {
    content(env!("CARGO_BIN_EXE_tailrace"), &["plugin", "test"], example);
    content("cargo", &["test"], example);
}

#[test]
fn tidy() {
    passes("tidy");
}

#[test]
fn keep_orders() {
    passes("keep-orders");
}
