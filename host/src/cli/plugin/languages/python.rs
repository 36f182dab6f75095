//! Python: CPython with the plugin in it, made by the PyPI package componentize-py.
//!
//! What has to be done in Python does `tailrace.build` of the SDK, which every project has in `.tailrace/`. The packages that a
//! plugin uses come from the project's `.venv`, or from the virtual environment that is active.

mod again;

use super::super::project::Project;
use super::super::tool;
use super::{Failure, Kept, Language, interpreted};
use std::path::PathBuf;
use std::process::Command;

/// The PyPI package that makes components, and the version that our tests know.
const TOOL: &str = "componentize-py";
const TOOL_VERSION: &str = "0.25.1";
/// What the SDK needs.
const PYTHON_VERSION: (u32, u32) = (3, 10);
/// What `tailrace.build` says if the package is not there.
const MISSING: interpreted::Missing = ("missing: componentize-py", missing_tool);

/// Python.
pub(in crate::cli::plugin) struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn sources(&self) -> &'static [&'static str] {
        &[".py", "requirements.txt", ".schema.json"]
    }

    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure> {
        let script = Script::of(project)?;
        note("CPython takes the plugin in, about 10 s");
        interpreted::component(project, script.command(project), TOOL, MISSING)
    }

    fn build_again(&self, project: &Project, note: &dyn Fn(&str), kept: &mut Kept) -> Result<Vec<u8>, Failure> {
        match again::build(project, note, kept)? {
            Some(component) => Ok(component),
            None => self.build(project, note),
        }
    }

    fn warning(&self) -> Option<&'static str> {
        Some(
            "a Python plugin brings its interpreter along (18 MB): it is built in about 10 s, and a collector compiles it for \
             15 to 20 s when it sees it first, then keeps the result. One value costs about 5 us, tens of times as much as in \
             Rust",
        )
    }

    fn setup(&self, name: &str) -> Option<String> {
        Some(format!("python3 -m venv {name}/.venv && {name}/.venv/bin/pip install -r {name}/requirements.txt"))
    }
}

/// `tailrace.build` of the SDK in the project, and the Python that runs it.
struct Script {
    python: PathBuf,
    sdk: PathBuf,
}

impl Script {
    fn of(project: &Project) -> Result<Self, Failure> {
        let python = find_python(project)?;
        Ok(Self { python, sdk: interpreted::sdk(project, "sdk/python", "tailrace/build.py")? })
    }

    fn command(&self, project: &Project) -> Command {
        let mut command = command(&self.python, project);
        command.env("PYTHONPATH", &self.sdk).env("PYTHONDONTWRITEBYTECODE", "1").args(["-m", "tailrace.build"]);
        command
    }
}

fn command(python: &PathBuf, project: &Project) -> Command {
    let mut command = Command::new(python);
    command.current_dir(&project.dir);
    command
}

/// That of the project's `.venv`, or the first in the PATH, which is that of an active environment.
fn find_python(project: &Project) -> Result<PathBuf, Failure> {
    let (major, minor) = PYTHON_VERSION;
    let missing = |what: String| Failure::Missing { what, install: install_python().to_owned() };
    let own = project.dir.join(".venv/bin/python");
    let mut candidates = vec![PathBuf::from("python3"), PathBuf::from("python")];
    if own.exists() {
        candidates.insert(0, own);
    }
    let says = |python: &PathBuf| {
        let script = "import sys; print('%d.%d' % sys.version_info[:2])";
        tool::output(command(python, project).args(["-c", script]))
    };
    let Some((python, version)) = candidates.iter().find_map(|python| Some((python, says(python)?))) else {
        return Err(missing(format!("python3 ({major}.{minor} or newer)")));
    };
    let version = version.trim();
    if numbers(version).is_some_and(|found| found < PYTHON_VERSION) {
        return Err(missing(format!("Python {major}.{minor} or newer ({} is {version})", python.display())));
    }
    Ok(python.clone())
}

/// Major and minor version of `3.11`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn install_python() -> &'static str {
    match std::env::consts::OS {
        "macos" => "brew install python",
        "windows" => "winget install Python.Python.3.13",
        _ => "sudo apt-get install -y python3 python3-venv",
    }
}

/// Into the active environment, or the project's own: systems keep packages out of their Python.
fn missing_tool(project: &Project) -> Failure {
    let install = format!("-m pip install {TOOL}=={TOOL_VERSION}");
    let venv = project.dir.join(".venv");
    let install = if venv.exists() {
        format!("{}/bin/python {install}", venv.display())
    } else if std::env::var_os("VIRTUAL_ENV").is_some() {
        format!("python3 {install}")
    } else {
        format!("python3 -m venv {venv} && {venv}/bin/python {install}", venv = venv.display())
    };
    Failure::Missing { what: format!("the Python package {TOOL}, which makes components of Python,"), install }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_python() {
        assert!(numbers("3.9").unwrap() < PYTHON_VERSION && numbers("3.14").unwrap() >= PYTHON_VERSION);
        assert_eq!(numbers("three"), None);
    }

    /// One version, wherever it is written.
    #[test]
    fn the_version_of_the_tool() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pinned = format!("{TOOL}=={TOOL_VERSION}");
        for file in ["host/templates/python/common/requirements.txt", "tests/python/plugins.txt"] {
            assert!(std::fs::read_to_string(root.join(file)).unwrap().contains(&pinned), "{file}");
        }
    }
}
