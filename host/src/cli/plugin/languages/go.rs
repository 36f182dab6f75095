//! Go: the stock compiler makes a core module for WASI preview 1, of which [`componentize`] makes a component.

use super::super::componentize::{Wasi, componentize};
use super::super::project::Project;
use super::super::tool::{self, Ran};
use super::scratch::Scratch;
use super::{Failure, Language};
use std::process::Command;

/// The first version that can export functions from WebAssembly.
const GO_VERSION: (u32, u32) = (1, 24);

/// Go.
pub(in crate::cli::plugin) struct Go;

impl Language for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn sources(&self) -> &'static [&'static str] {
        &[".go", "go.mod", "go.sum", ".schema.json"]
    }

    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure> {
        let version = check_toolchain(project)?;
        note(&format!("Compiling with {version}"));
        let failed = |error: std::io::Error| Failure::Compile(format!("a temporary folder: {error}"));
        let scratch = Scratch::new(&project.name).map_err(failed)?;
        let module = scratch.file("module.wasm");
        let mut go = go(project);
        go.args(["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o"]);
        go.arg(&module).arg(".").envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("CGO_ENABLED", "0")]);
        let said = |line: &str| {
            if line.starts_with("go: downloading ") {
                note(line);
            }
        };
        let Ran { ok, stderr, .. } = tool::run(go, &said).map_err(Failure::Compile)?;
        if !ok {
            return Err(Failure::Compile(explain(&stderr)));
        }
        let module = std::fs::read(&module)
            .map_err(|error| Failure::Compile(format!("go build wrote no module: {error} (is it `package main`?)")))?;
        componentize(&module, project.kind.as_str(), Wasi::ClosedForGo).map_err(|error| {
            let kind = project.kind.as_str();
            Failure::Compile(format!(
                "the module is no plugin of kind {kind}: {error}\n(call {kind}.Export in an init function; the kind is \
                 that of tailrace-plugin.yaml)"
            ))
        })
    }
}

fn go(project: &Project) -> Command {
    let mut command = Command::new("go");
    command.current_dir(&project.dir).env_remove("GOFLAGS").env("GOWORK", "off");
    command
}

/// The compiler's version, if it is new enough.
fn check_toolchain(project: &Project) -> Result<String, Failure> {
    let (major, minor) = GO_VERSION;
    let missing = |what: String| Failure::Missing { what, install: install().to_owned() };
    let Some(version) = tool::output(go(project).args(["env", "GOVERSION"])) else {
        return Err(missing(format!("go, the Go compiler ({major}.{minor} or newer)")));
    };
    let version = version.trim().to_owned();
    if numbers(&version).is_some_and(|found| found < GO_VERSION) {
        return Err(missing(format!("Go {major}.{minor} or newer (this is {version})")));
    }
    Ok(version)
}

/// Major and minor version of `go1.26.8`; nothing for `devel ...`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Distributions have old versions of Go.
fn install() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", _) => "brew install go",
        ("windows", _) => "winget install GoLang.Go",
        (_, "aarch64") => {
            "curl -sSfL https://go.dev/dl/go1.26.8.linux-arm64.tar.gz | sudo tar -C /usr/local -xz && export \
             PATH=$PATH:/usr/local/go/bin"
        }
        _ => {
            "curl -sSfL https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | sudo tar -C /usr/local -xz && export \
             PATH=$PATH:/usr/local/go/bin"
        }
    }
}

/// What the compiler said, with a hint where its own words do not help.
fn explain(stderr: &str) -> String {
    let mut said = stderr.trim().to_owned();
    if said.contains("function main is undeclared") {
        said.push_str("\n(a plugin needs an empty `func main() {}`)");
    }
    said
}
