//! JavaScript and Python plugins, as their authors meet them: the SDKs' own tests, the examples with every case, the
//! templates from `new` to a passed case, and what is said when a tool is missing.
//!
//! `make js python` installs what makes components into `target/js` and `target/python-plugins`. A language whose toolchain is not on this
//! machine is skipped, and says so; where it is, it has to work.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure here is a failed test, and a skipped one says so"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tailrace_tests::heard::Heard;
use tailrace_tests::plugins::repository;

/// What a language needs besides itself, and where `make` puts it.
struct Toolchain {
    lang: &'static str,
    interpreter: &'static str,
    target: &'static str,
    folder: &'static str,
}

const JS: Toolchain =
    Toolchain { lang: "js", interpreter: "node", target: "js", folder: "target/js/node_modules/componentize-qjs" };
const PYTHON: Toolchain = Toolchain {
    lang: "python",
    interpreter: "python3",
    target: "python",
    folder: "target/python-plugins/bin/componentize-py",
};

impl Toolchain {
    /// Whether it is here; if not, that is said.
    fn is_here(&self) -> bool {
        let here = Command::new(self.interpreter).arg("--version").output().is_ok_and(|output| output.status.success());
        if !here {
            eprintln!("SKIP plugins in {}: {} is not installed", self.lang, self.interpreter);
        } else if !repository().join(self.folder).exists() {
            eprintln!("SKIP plugins in {}: `make {}` has not been run", self.lang, self.target);
            return false;
        }
        here
    }
}

/// A command that finds what `make` installed.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = repository().join("target/python-plugins/bin");
    command.stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("VIRTUAL_ENV");
    command.env("PATH", format!("{}:{path}", tools.display()));
    command.env("NODE_PATH", repository().join("target/js/node_modules"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("TAILRACE_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/plugin-cache"));
    command
}

fn tailrace() -> Command {
    command(env!("CARGO_BIN_EXE_tailrace"))
}

/// Runs to the end; its standard output, if it was content.
#[track_caller]
fn content(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{stdout}{}", String::from_utf8_lossy(&stderr));
    stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Builds a project and runs its cases, which must be at least so many.
fn check_cases(project: &Path, cases_min: usize) {
    let said = content(tailrace().args(["plugin", "test", "--json", text(project)]));
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let cases = report["cases"].as_array().expect("cases").len();
    assert!(cases >= cases_min, "{}: {cases} cases are too few to be all of them", project.display());
    eprintln!("{}: {report}", project.display());
}

/// A new project in a folder that goes away with the test.
struct Project {
    _folder: tempfile::TempDir,
    dir: PathBuf,
}

impl Project {
    fn new(lang: &str, kind: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut new = tailrace();
        content(new.args(["plugin", "new", "my-plugin", "--lang", lang, "--kind", kind]).current_dir(&folder));
        Self { dir: folder.path().join("my-plugin"), _folder: folder }
    }
}

/// An author's unit tests, without Wasm.
fn node_tests(dir: &Path, pattern: &str) {
    content(command("node").args(["--test", pattern]).current_dir(dir));
}

fn python_tests(dir: &Path) {
    content(command("python3").args(["-m", "unittest"]).current_dir(dir));
}

#[test]
fn javascript_sdk() {
    if JS.is_here() {
        let sdk = repository().join("sdk/js");
        for file in ["attributes", "host", "sampler"] {
            node_tests(&sdk, &format!("test/{file}.test.js"));
        }
    }
}

/// The types that authors get are those of the functions that are there, and wrong use does not compile.
#[test]
fn typescript_types() {
    if JS.is_here() {
        let files = ["right.ts", "wrong.ts"].map(|file| repository().join("sdk/js/test/types").join(file));
        content(tsc().args(files));
    }
}

/// The compiler of TypeScript, which only checks.
fn tsc() -> Command {
    let mut tsc = command("node");
    tsc.arg(repository().join("target/js/node_modules/typescript/bin/tsc"));
    tsc.args(["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext"]);
    tsc
}

/// From JavaScript to TypeScript: what `sdk/js/README.md` says, to a passed case.
#[test]
fn a_plugin_in_typescript() {
    if JS.is_here() {
        let project = Project::new("js", "attributes");
        let guide = std::fs::read_to_string(project.dir.join(".tailrace/sdk/js/README.md")).expect("it is there");
        let code = guide.split("```ts\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let package = project.dir.join("package.json");
        let manifest = std::fs::read_to_string(&package).expect("it is there");
        assert!(guide.contains(r#"npm pkg set main=dist/plugin.js scripts.build="esbuild src/plugin.ts"#));
        // What esbuild does to this file, without esbuild: the types go.
        let strip = "node -e \"const s = require('fs'); s.mkdirSync('dist', {recursive: true}); s.writeFileSync('dist/plugin.js', \
                     require('typescript').transpile(s.readFileSync('src/plugin.ts', 'utf8'), {module: 'esnext', target: 'es2022'}))\"";
        let mut manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
        manifest["main"] = "dist/plugin.js".into();
        manifest["scripts"]["build"] = strip.into();
        std::fs::write(&package, manifest.to_string()).expect("written");
        std::fs::remove_file(project.dir.join("src/plugin.js")).expect("it is there");
        std::fs::write(project.dir.join("src/plugin.ts"), code).expect("written");
        content(tsc().arg(project.dir.join("src/plugin.ts")));
        check_cases(&project.dir, 1);
    }
}

#[test]
fn python_sdk() {
    if PYTHON.is_here() {
        let mut python = command("python3");
        content(
            python
                .args(["-m", "unittest", "discover", "-s", "tests", "-t", "."])
                .current_dir(repository().join("sdk/python")),
        );
    }
}

#[test]
fn javascript_tidy() {
    if JS.is_here() {
        let project = repository().join("examples/plugin-js/tidy");
        node_tests(&project, "test/plugin.test.js");
        check_cases(&project, 8);
    }
}

#[test]
fn javascript_keep_orders() {
    if JS.is_here() {
        let project = repository().join("examples/plugin-js/keep-orders");
        node_tests(&project, "test/plugin.test.js");
        check_cases(&project, 4);
    }
}

#[test]
fn python_tidy() {
    if PYTHON.is_here() {
        let project = repository().join("examples/plugin-python/tidy");
        python_tests(&project);
        check_cases(&project, 8);
    }
}

#[test]
fn python_keep_orders() {
    if PYTHON.is_here() {
        let project = repository().join("examples/plugin-python/keep-orders");
        python_tests(&project);
        check_cases(&project, 4);
    }
}

#[test]
fn python_adaptive_lite() {
    if PYTHON.is_here() {
        let project = repository().join("examples/plugin-python/adaptive-lite");
        python_tests(&project);
        check_cases(&project, 2);
    }
}

/// From an empty folder to a passed case, for each kind.
#[test]
fn javascript_templates() {
    if JS.is_here() {
        for kind in ["attributes", "processor", "sampler"] {
            let project = Project::new("js", kind);
            content(tsc().args([
                "--allowJs",
                "--checkJs",
                "--noImplicitAny",
                "false",
                text(&project.dir.join("src/plugin.js")),
            ]));
            node_tests(&project.dir, "test/plugin.test.js");
            check_cases(&project.dir, 1);
        }
    }
}

/// The components of two kinds are those of the examples; to make and compile one takes half a minute.
#[test]
fn python_templates() {
    if PYTHON.is_here() {
        for kind in ["attributes", "processor", "sampler"] {
            let project = Project::new("python", kind);
            python_tests(&project.dir);
            if kind == "processor" {
                check_cases(&project.dir, 2);
            }
        }
    }
}

/// In `dev` componentize-py runs for the first version, and then when the plugin imports something else; each save in between goes into what
/// it has made. What cannot be made so is made by it alone, as `build` does.
#[test]
fn python_at_every_save() {
    if !PYTHON.is_here() {
        return;
    }
    let project = Project::new("python", "attributes");
    let (source, calls) = (project.dir.join("plugin.py"), project.dir.with_file_name("calls"));
    let mut dev = dev_with_calls(&project, &calls);
    let made = || {
        let said = std::fs::read_to_string(&calls).expect("it was called");
        let of =
            |what: &str| said.lines().filter(|line| line.starts_with(&format!("-m tailrace.build {what}"))).count();
        // Templates, and whole components.
        (of("template"), of("/"))
    };
    dev.wait_for("1 case passed; generation 1");
    assert_eq!(made(), (1, 0));
    let before = std::fs::read(project.dir.join("dist/my-plugin.wasm")).expect("it is there");

    replace(&source, "attribute.remove()", "attribute.set(len(str(value)) + 1)");
    dev.wait_for("1 case passed; generation 2");
    assert_eq!(made(), (1, 0));
    assert_ne!(std::fs::read(project.dir.join("dist/my-plugin.wasm")).expect("it is there"), before);

    // An error of the author is said as ever, and what the plugin does is what is in the sources now.
    replace(&source, "\"*\" * len(value)", "star * len(value)");
    let failed = dev.wait_for("generation 2 goes on").join("\n");
    assert!(failed.contains("NameError: name 'star' is not defined") && failed.contains("(plugin.py:"), "{failed}");

    // The module is not in the template: it is made anew.
    replace(&source, "star * len(value)", "colorsys.rgb_to_hls.__name__[:1].replace(\"r\", \"*\") * len(value)");
    let failed = dev.wait_for("generation 2 goes on").join("\n");
    assert!(failed.contains("NameError: name 'colorsys' is not defined"), "{failed}");
    assert_eq!(made(), (1, 0));
    replace(&source, "from tailrace", "import colorsys\nfrom tailrace");
    dev.wait_for("1 case passed; generation 3");
    assert_eq!(made(), (2, 0));

    // Files can be read while componentize-py makes a component, and never in one.
    replace(&source, "import colorsys\n", "import colorsys\nTEXT = open(__file__).read()\n");
    dev.wait_for("1 case passed; generation 4");
    assert_eq!(made(), (2, 1));
    // The component is a plugin for everybody.
    let dist = project.dir.join("dist/my-plugin.wasm");
    content(tailrace().args(["plugin", "test", text(&dist), "--cases", text(&project.dir.join("cases"))]));
}

/// `tailrace plugin dev`, with a Python that writes down what it is called with.
fn dev_with_calls(project: &Project, calls: &Path) -> Heard {
    let folder = project.dir.with_file_name("bin");
    std::fs::create_dir(&folder).expect("a folder");
    let (python, real) = (folder.join("python3"), repository().join("target/python-plugins/bin/python3"));
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\nexec {} \"$@\"\n", text(calls), text(&real));
    std::fs::write(&python, script).expect("written");
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut dev = tailrace();
    dev.args(["plugin", "dev", text(&project.dir)]).env("PATH", format!("{}:{path}", folder.display()));
    Heard::stdout(&mut dev, Duration::from_secs(600))
}

fn replace(path: &Path, from: &str, to: &str) {
    let old = std::fs::read_to_string(path).expect("it is there");
    assert!(old.contains(from), "{from} is not in {}", path.display());
    std::fs::write(path, old.replace(from, to)).expect("written");
}

/// A build that fails for want of a tool says which command installs it, and leaves nothing behind.
#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() {
    let tools = [
        (JS, "npm install --prefix", "componentize-qjs@0.4.5"),
        (PYTHON, "-m venv", "-m pip install componentize-py==0.25.1"),
    ];
    for (toolchain, command, package) in tools {
        if !toolchain.is_here() {
            continue;
        }
        let project = Project::new(toolchain.lang, "attributes");
        let mut build = tailrace();
        build.args(["plugin", "build", text(&project.dir)]).env_remove("NODE_PATH").env_remove("PATH");
        let path = std::env::var("PATH").unwrap_or_default();
        let output = build.env("PATH", path).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(command) && said.contains(package), "{said}");
        assert!(!project.dir.join("dist/my-plugin.wasm").exists());
    }
}

/// What an author gets wrong is said in the author's words, with the place.
#[test]
fn mistakes_are_shown_as_the_language_shows_them() {
    if JS.is_here() {
        let project = Project::new("js", "attributes");
        let source = project.dir.join("src/plugin.js");
        for (wrong, expected) in [
            ("export default plugin({", "src/plugin.js"),
            ("export default 1;", "must end with `export default plugin({...})`"),
            (
                "import { plugin } from '../.tailrace/sdk/js/index.js';\nexport default plugin({name: 'a', version: '1', decide() {}});",
                "tailrace-plugin.yaml says attributes",
            ),
        ] {
            fails(&project, &source, wrong, expected);
        }
    }
    if PYTHON.is_here() {
        let project = Project::new("python", "attributes");
        let source = project.dir.join("plugin.py");
        for (wrong, expected) in [
            ("def f(:", "SyntaxError"),
            ("x = 1", "must define one plugin"),
            ("import no_such_package", "no_such_package"),
        ] {
            fails(&project, &source, wrong, expected);
        }
    }
}

fn fails(project: &Project, source: &Path, wrong: &str, expected: &str) {
    std::fs::write(source, wrong).expect("writable");
    let output = tailrace().args(["plugin", "build", text(&project.dir)]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(expected), "{said}");
}
