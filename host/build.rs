//! Builds the bundled plugins from `plugins/` with a nested cargo and hands their paths to `plugin::bundled`.
//!
//! The nested cargo has a target directory of its own, `guests` beside our profile's, so that the two never wait for
//! each other's lock; it shares our job server. Plugins are the same whatever profile the host is built with.

#[path = "build/embed.rs"]
mod embed;

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is built in; the same list as in `plugin::bundled`, and `nothing` for `plugin::bench`.
const BUNDLED: [&str; 6] = ["redact", "mask-email", "attributes", "resource", "redaction", "nothing"];

fn main() {
    let manifest_dir = PathBuf::from(var("CARGO_MANIFEST_DIR"));
    let Some(root) = manifest_dir.parent() else { fail("the host has no workspace around it") };
    for path in ["plugins", "sdk", "wit", "Cargo.toml", "Cargo.lock", "host/build.rs", "host/build", "host/templates"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    if let Err(error) = embed::embed(root, &PathBuf::from(var("OUT_DIR"))) {
        fail(&format!("templates and SDKs cannot be embedded: {error}"));
    }
    let target = guests_dir();
    let mut cargo = Command::new(var("CARGO"));
    cargo.current_dir(root).arg("build").args(["--profile", "plugin", "--target", "wasm32-wasip2", "--target-dir"]);
    cargo.arg(&target);
    for plugin in BUNDLED {
        cargo.args(["-p", plugin]);
    }
    // What is meant for the host's build would break, or needlessly repeat, that of the guests.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_CFG_")
            || name.starts_with("CARGO_FEATURE_")
            || name.contains("RUSTFLAGS")
            || name.starts_with("RUSTC")
            || ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_TARGET", "CLIPPY_ARGS"].contains(&&*name);
        if ours && name != "RUSTC" {
            cargo.env_remove(name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => fail("the bundled plugins do not build (is the target there? `rustup target add wasm32-wasip2`)"),
        Err(error) => fail(&format!("cargo does not run: {error}")),
    }
    for plugin in BUNDLED {
        let file = target.join("wasm32-wasip2/plugin").join(format!("{}.wasm", plugin.replace('-', "_")));
        println!("cargo::rustc-env=TAILRACE_PLUGIN_{}={}", plugin.replace('-', "_").to_uppercase(), file.display());
    }
}

/// `guests` in the target directory: the nearest one above our output that cargo marked as such.
fn guests_dir() -> PathBuf {
    let out = PathBuf::from(var("OUT_DIR"));
    let target = out.ancestors().find(|path| path.join("CACHEDIR.TAG").exists()).map(Path::to_owned);
    target.unwrap_or(out).join("guests")
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set; this runs under cargo only")))
}

#[expect(clippy::exit, clippy::print_stderr, reason = "the only way in which a build script can fail with a message")]
fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(1)
}
