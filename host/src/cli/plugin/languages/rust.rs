//! Rust: `cargo build --release --target wasm32-wasip2` makes a component by itself.
//!
//! Cargo's own messages say which file it wrote, so that any target directory will do.

use super::super::project::Project;
use super::super::tool::{self, Ran};
use super::{Failure, Language};
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

/// What the SDK needs, as in its `rust-version`.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");
const TARGET: &str = "wasm32-wasip2";
const INSTALL_RUST: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";

/// Rust.
pub(in crate::cli::plugin) struct Rust;

impl Language for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn sources(&self) -> &'static [&'static str] {
        &[".rs", "Cargo.toml", ".schema.json"]
    }

    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure> {
        check_toolchain(project)?;
        let mut cargo = command("cargo", project);
        cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
        let said = |line: &str| {
            let line = line.trim_start();
            if ["Compiling ", "Downloading ", "Updating "].iter().any(|verb| line.starts_with(verb)) {
                note(line);
            }
        };
        let Ran { ok, stdout, stderr } = tool::run(cargo, &said).map_err(Failure::Compile)?;
        if !ok {
            return Err(Failure::Compile(without_progress(&stderr)));
        }
        let file = artifact(&stdout).ok_or_else(|| {
            Failure::Compile(
                "cargo built no component: Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`".to_owned(),
            )
        })?;
        std::fs::read(&file).map_err(|error| Failure::Compile(format!("{}: {error}", file.display())))
    }
}

fn command(program: &str, project: &Project) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&project.dir);
    command
}

/// Cargo, a compiler that is new enough, and the standard library for Wasm.
fn check_toolchain(project: &Project) -> Result<(), Failure> {
    let missing = |what: &str, install: &str| Failure::Missing { what: what.to_owned(), install: install.to_owned() };
    let Some(version) = tool::output(command("rustc", project).arg("--version")) else {
        return Err(missing("rustc, the Rust compiler", INSTALL_RUST));
    };
    if tool::output(command("cargo", project).arg("--version")).is_none() {
        return Err(missing("cargo, the Rust package manager", INSTALL_RUST));
    }
    let has_rustup = tool::output(command("rustup", project).arg("--version")).is_some();
    if let Some(found) = version.split_whitespace().nth(1)
        && older(found, RUST_VERSION)
    {
        let install = if has_rustup { "rustup update stable && rustup default stable" } else { INSTALL_RUST };
        return Err(missing(&format!("Rust {RUST_VERSION} or newer (rustc is {found})"), install));
    }
    let library = tool::output(command("rustc", project).args(["--print", "target-libdir", "--target", TARGET]));
    if !library.is_some_and(|path| PathBuf::from(path.trim()).is_dir()) {
        let install = if has_rustup { format!("rustup target add {TARGET}") } else { INSTALL_RUST.to_owned() };
        return Err(missing(&format!("the Rust target {TARGET}"), &install));
    }
    Ok(())
}

/// Whether version `found` (`1.94.0-nightly`) comes before `wanted` (`1.95`).
fn older(found: &str, wanted: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        let version = version.split('-').next().unwrap_or(version);
        version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
    };
    numbers(found) < numbers(wanted)
}

/// Cargo's lines about its progress are noise beside an error.
fn without_progress(stderr: &str) -> String {
    let noise = |line: &&str| {
        let line = line.trim_start();
        ["Compiling ", "Downloading ", "Downloaded ", "Updating ", "Locking ", "Adding ", "Blocking "]
            .iter()
            .any(|verb| line.starts_with(verb))
    };
    stderr.lines().filter(|line| !noise(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What cargo says on standard output, of which one kind of line matters.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The component among the files that cargo made: the last one, since the project comes after what it depends on.
fn artifact(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let mut files =
        messages.filter(|message| message.reason == "compiler-artifact").flat_map(|message| message.filenames);
    files.rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(older("1.94.1", "1.95") && older("1.9.0", "1.95"));
        assert!(!older("1.95.0", "1.95") && !older("1.100.0-nightly", "1.95") && !older("2.0.0", "1.95"));
    }

    #[test]
    fn the_component_is_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}
{"reason":"compiler-artifact","filenames":["/t/libtidy.rlib","/t/tidy.wasm"]}
{"reason":"build-finished","success":true}
no json"#;
        assert_eq!(artifact(messages), Some("/t/tidy.wasm".into()));
        assert_eq!(artifact("{}"), None);
    }

    #[test]
    fn an_error_is_shown_without_progress() {
        let said = "   Compiling tidy v0.1.0\nerror[E0308]: mismatched types\n --> src/lib.rs:1:1\n";
        assert_eq!(without_progress(said), "error[E0308]: mismatched types\n --> src/lib.rs:1:1");
    }
}
