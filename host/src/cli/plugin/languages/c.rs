//! C: clang with wasi-libc, or zig, which brings both; [`componentize`] makes a component of what they make.
//!
//! Sources are the `.c` files in `src` of the project, those of libraries in folders in it included, and of the SDK in
//! `.tailrace/sdk/c`; headers are looked for in both. A plugin that does not print needs nothing of WASI.

use super::super::componentize::{Wasi, componentize};
use super::super::project::{Project, VENDORED};
use super::super::tool::{self, Ran};
use super::scratch::Scratch;
use super::{Failure, Language};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a compiler must be able to do: it has the headers, the library and a linker for WebAssembly.
const PROBE: &str = "#include <stdlib.h>\n#include <string.h>\n\
    __attribute__((export_name(\"f\"))) char *f(unsigned n) { return memset(malloc(n), 0, n); }\n";

/// C.
pub(in crate::cli::plugin) struct C;

impl Language for C {
    fn name(&self) -> &'static str {
        "c"
    }

    fn sources(&self) -> &'static [&'static str] {
        &[".c", ".h"]
    }

    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure> {
        let failed = |error: std::io::Error| Failure::Compile(format!("a temporary folder: {error}"));
        let scratch = Scratch::new(&project.name).map_err(failed)?;
        let compiler = Compiler::find(&scratch).map_err(failed)?.ok_or_else(missing)?;
        let sdk = project.dir.join(VENDORED).join("sdk/c");
        let mut sources = c_files(&project.dir.join("src"), true)?;
        sources.extend(c_files(&sdk, false)?);
        note(&format!("Compiling with {}", compiler.name));
        let module = scratch.file("module.wasm");
        let mut command = compiler.command();
        command.current_dir(&project.dir).args(["-Wall", "-Wextra", "-I"]).arg(&sdk).args(["-I", "src"]);
        command.args(sources.iter().map(|source| relative(source, &project.dir)));
        command.arg("-lm").arg("-o").arg(&module);
        let said = |line: &str| {
            if line.contains("warning: ") {
                note(line);
            }
        };
        let Ran { ok, stderr, .. } = tool::run(command, &said).map_err(Failure::Compile)?;
        if !ok {
            return Err(Failure::Compile(stderr.trim().to_owned()));
        }
        let module = std::fs::read(&module).map_err(|error| Failure::Compile(format!("no module: {error}")))?;
        let kind = project.kind.as_str();
        componentize(&module, kind, Wasi::Closed).map_err(|error| {
            let line = format!("TAILRACE_{}(...)", kind.to_uppercase());
            Failure::Compile(format!(
                "the module is no plugin of kind {kind}: {error}\n(one of the files must end with {line}; the kind is \
                 that of tailrace-plugin.yaml)"
            ))
        })
    }
}

/// The `.c` files of a folder, if `deep` also of those in it, in the order of their paths.
fn c_files(folder: &Path, deep: bool) -> Result<Vec<PathBuf>, Failure> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| Failure::Compile(format!("{}: {error}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Not through links, which may lead back.
            match entry.file_type().map_err(failed)?.is_dir() {
                true if deep => folders.push(entry.path()),
                true => {}
                false => files.push(entry.path()),
            }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    if files.is_empty() {
        return Err(Failure::Compile(format!("{}: there is no .c file", folder.display())));
    }
    files.sort();
    Ok(files)
}

/// As the compiler shall name it in its errors.
fn relative<'a>(path: &'a Path, dir: &Path) -> &'a Path {
    path.strip_prefix(dir).unwrap_or(path)
}

/// A compiler, and how it is called.
struct Compiler {
    /// For people.
    name: String,
    /// The program and its first arguments.
    call: Vec<String>,
}

impl Compiler {
    /// The first that works: that of the WASI SDK if `WASI_SDK_PATH` names one, clang, zig, zig of Python's package.
    fn find(scratch: &Scratch) -> std::io::Result<Option<Self>> {
        let source = scratch.file("probe.c");
        std::fs::write(&source, PROBE)?;
        Ok(Self::candidates().into_iter().find(|compiler| {
            let mut command = compiler.command();
            command.arg(&source).arg("-o").arg(scratch.file("probe.wasm"));
            tool::output(&mut command).is_some()
        }))
    }

    fn candidates() -> Vec<Self> {
        let new = |name: &str, call: &[&str]| Self {
            name: name.to_owned(),
            call: call.iter().map(|&part| part.to_owned()).collect(),
        };
        let mut all = vec![
            new("clang", &["clang", "--target=wasm32-wasi"]),
            new("zig", &["zig", "cc", "--target=wasm32-wasi"]),
            new("zig (python3 -m ziglang)", &["python3", "-m", "ziglang", "cc", "--target=wasm32-wasi"]),
            new("zig (python -m ziglang)", &["python", "-m", "ziglang", "cc", "--target=wasm32-wasi"]),
        ];
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
            let clang = Path::new(&sdk).join("bin/clang").display().to_string();
            all.insert(0, new("the WASI SDK", &[&clang, "--target=wasm32-wasip1"]));
        }
        all
    }

    /// With the options that decide which library is linked: zig builds one for each set of them, which takes a while.
    fn command(&self) -> Command {
        let mut words = self.call.iter();
        let mut command = Command::new(words.next().map_or("clang", String::as_str));
        command.args(words).args(["-mexec-model=reactor", "-std=c11", "-O2", "-g0", "-s"]);
        command
    }
}

/// What installs a compiler on this machine.
fn missing() -> Failure {
    let has = |program: &str| tool::output(Command::new(program).arg("--version")).is_some();
    let install = if has("apt-get") {
        "sudo apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"
    } else if has("brew") {
        "brew install zig"
    } else {
        "python3 -m pip install ziglang"
    };
    let what = "a C compiler for WebAssembly (clang with wasi-libc and lld, or zig)".to_owned();
    Failure::Missing { what, install: install.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library may keep the folders that it comes in; the SDK's own folders hold its tests.
    #[test]
    fn sources_in_folders() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b.c", "a.h", "lib/c.c", "lib/deep/a.c"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |deep| -> Vec<String> {
            let files = c_files(dir.path(), deep).unwrap();
            files.iter().map(|path| relative(path, dir.path()).display().to_string()).collect()
        };
        assert_eq!(found(false), ["b.c"]);
        assert_eq!(found(true), ["b.c", "lib/c.c", "lib/deep/a.c"]);
    }
}
