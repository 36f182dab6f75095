//! What languages with an interpreter have in common: a script of the SDK, which every project has in `.tailrace/`, has a package
//! of the language make the component.

use super::super::project::{Project, VENDORED};
use super::super::tool::{self, Ran};
use super::Failure;
use super::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The part of the SDK in a project that builds; `script` must be in it.
pub(super) fn sdk(project: &Project, part: &str, script: &str) -> Result<PathBuf, Failure> {
    let sdk = project.dir.join(VENDORED).join(part);
    if sdk.join(script).is_file() {
        return Ok(sdk);
    }
    Err(Failure::Compile(format!(
        "{} is missing: delete {VENDORED} and build again, which puts the SDK back",
        sdk.join(script).display()
    )))
}

/// Runs the script: `command` is to be told the folder, the kind and where the component goes. `missing` is what it says if
/// the package is not there, and what is then to be done.
pub(super) fn component(
    project: &Project,
    mut command: Command,
    package: &str,
    missing: (&str, fn(&Project) -> Failure),
) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::Compile(format!("a temporary folder: {error}"));
    let scratch = Scratch::new(&project.name).map_err(failed)?;
    let output = scratch.file(Path::new("component.wasm"));
    command.arg(&project.dir).arg(project.kind.as_str()).arg(&output);
    let Ran { ok, stdout, stderr } = tool::run(command, &|_| ()).map_err(Failure::Compile)?;
    let (words, install) = missing;
    if stderr.trim() == words {
        return Err(install(project));
    }
    if !ok {
        return Err(Failure::Compile(format!("{stdout}{stderr}").trim().to_owned()));
    }
    std::fs::read(&output).map_err(|error| Failure::Compile(format!("{package} wrote no component: {error}")))
}
