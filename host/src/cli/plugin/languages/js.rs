//! JavaScript, and TypeScript that the project's own `build` script transpiles: QuickJS with the plugin in it, made by the npm
//! package componentize-qjs.
//!
//! What has to be done in JavaScript does `build.js` of the SDK, which every project has in `.tailrace/`.

use super::super::project::Project;
use super::super::tool;
use super::{Failure, Language, interpreted};
use std::process::Command;

/// The npm package that makes components, and the version that our tests know.
const TOOL: &str = "componentize-qjs";
const TOOL_VERSION: &str = "0.4.5";
/// What the SDK needs.
const NODE_VERSION: (u32, u32) = (20, 16);
/// What does it, in the SDK.
const SCRIPT: &str = "build.js";
/// What it says if the package is not there.
const MISSING: interpreted::Missing = ("missing: componentize-qjs", missing_tool);

/// JavaScript.
pub(in crate::cli::plugin) struct Js;

impl Language for Js {
    fn name(&self) -> &'static str {
        "js"
    }

    fn sources(&self) -> &'static [&'static str] {
        &[".js", ".mjs", ".ts", "package.json", ".schema.json"]
    }

    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure> {
        check_node(project)?;
        let sdk = interpreted::sdk(project, "sdk/js", SCRIPT)?;
        note("QuickJS takes the plugin in");
        let mut node = node(project);
        node.arg(sdk.join(SCRIPT));
        interpreted::component(project, node, TOOL, MISSING)
    }

    fn warning(&self) -> Option<&'static str> {
        Some(
            "a JavaScript plugin brings its interpreter along (1.9 MB): a collector compiles it for 2 to 4 s when it sees it \
             first, then keeps the result. One value costs 2 to 8 us, tens of times as much as in Rust",
        )
    }

    fn setup(&self, name: &str) -> Option<String> {
        Some(format!("npm install --prefix {name}"))
    }
}

fn node(project: &Project) -> Command {
    let mut command = Command::new("node");
    command.current_dir(&project.dir);
    command
}

fn check_node(project: &Project) -> Result<(), Failure> {
    let (major, minor) = NODE_VERSION;
    let missing = |what: String| Failure::Missing { what, install: install_node().to_owned() };
    let Some(version) = tool::output(node(project).arg("--version")) else {
        return Err(missing(format!("node ({major}.{minor} or newer)")));
    };
    let version = version.trim();
    if numbers(version).is_some_and(|found| found < NODE_VERSION) {
        return Err(missing(format!("node {major}.{minor} or newer (this is {version})")));
    }
    Ok(())
}

/// Major and minor version of `v20.20.2`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn install_node() -> &'static str {
    match std::env::consts::OS {
        "macos" => "brew install node",
        "windows" => "winget install OpenJS.NodeJS.LTS",
        _ => "curl -fsSL https://deb.nodesource.com/setup_22.x | sudo bash - && sudo apt-get install -y nodejs",
    }
}

/// A new project's `package.json` names the package already, and this installs what else it names.
fn missing_tool(project: &Project) -> Failure {
    Failure::Missing {
        what: format!("the npm package {TOOL}, which makes components of JavaScript,"),
        install: format!(
            "npm install --prefix {} --save-dev --save-exact {TOOL}@{TOOL_VERSION}",
            project.dir.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        assert_eq!(numbers("v20.20.2"), Some((20, 20)));
        assert!(numbers("v18.19.1").unwrap() < NODE_VERSION && numbers("v22.0.0").unwrap() >= NODE_VERSION);
        assert_eq!(numbers("nightly"), None);
    }

    /// One version, wherever it is written.
    #[test]
    fn the_version_of_the_tool() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pinned = format!("\"{TOOL}\": \"{TOOL_VERSION}\"");
        for file in [
            "host/templates/js/common/package.json",
            "examples/plugin-js/tidy/package.json",
            "examples/plugin-js/keep-orders/package.json",
            "tests/js/package.json",
        ] {
            assert!(std::fs::read_to_string(root.join(file)).unwrap().contains(&pinned), "{file}");
        }
    }
}
