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

/// What a script says if its package is not there, and what is then to be done.
pub(super) type Missing = (&'static str, fn(&Project) -> Failure);

/// Runs the script: `command` is to be told the folder, the kind and where the component goes.
pub(super) fn component(
    project: &Project,
    mut command: Command,
    package: &str,
    missing: Missing,
) -> Result<Vec<u8>, Failure> {
    let scratch = scratch(project)?;
    let output = scratch.file("component.wasm");
    command.arg(&project.dir).arg(project.kind.as_str()).arg(&output);
    run(project, command, missing)?;
    read(&output, package)
}

/// A folder for what scripts write.
pub(super) fn scratch(project: &Project) -> Result<Scratch, Failure> {
    Scratch::new(&project.name).map_err(|error| Failure::Compile(format!("a temporary folder: {error}")))
}

/// Runs a script to its end.
pub(super) fn run(project: &Project, command: Command, missing: Missing) -> Result<(), Failure> {
    let Ran { ok, stdout, stderr } = tool::run(command, &|_| ()).map_err(Failure::Compile)?;
    let (words, install) = missing;
    if stderr.trim() == words {
        return Err(install(project));
    }
    if !ok {
        return Err(Failure::Compile(format!("{stdout}{stderr}").trim().to_owned()));
    }
    Ok(())
}

/// What a script has written.
pub(super) fn read(output: &Path, package: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(output).map_err(|error| Failure::Compile(format!("{package} wrote no component: {error}")))
}
