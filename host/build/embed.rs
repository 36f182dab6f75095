//! Collects the templates and SDKs that `tailrace plugin new` writes into lists of `include_bytes!`.
//!
//! Of an SDK comes along what a plugin is built from: no tests, benches, fuzzers or build products.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Folders of the repository whose files go into the binary, and the list they go to.
const SDKS: [&str; 2] = ["sdk", "wit"];
const TEMPLATES: &str = "host/templates";

/// Writes `embedded.rs` into `out`; the paths in it are relative to the repository, those of templates to their folder.
///
/// # Errors
/// What cannot be read or written.
pub(crate) fn embed(root: &Path, out: &Path) -> std::io::Result<()> {
    let mut sdks = Vec::new();
    for folder in SDKS {
        collect(root, &root.join(folder), &is_sdk, &mut sdks)?;
    }
    sdks.push("Cargo.toml".to_owned());
    let mut templates = Vec::new();
    let templates_root = root.join(TEMPLATES);
    collect(&templates_root, &templates_root, &is_template, &mut templates)?;
    let mut text = String::new();
    list(&mut text, "The templates, by path below `host/templates`.", "TEMPLATES", &templates_root, &mut templates);
    list(&mut text, "SDKs and WIT files, by path in the repository.", "SDKS", root, &mut sdks);
    fs::write(out.join("embedded.rs"), text)
}

fn list(text: &mut String, doc: &str, name: &str, root: &Path, paths: &mut [String]) {
    paths.sort();
    let _ = writeln!(text, "/// {doc}\npub(super) const {name}: &[(&str, &[u8])] = &[");
    for path in paths {
        let _ = writeln!(text, "    ({path:?}, include_bytes!({:?})),", root.join(&*path).display().to_string());
    }
    text.push_str("];\n");
}

/// The files below `folder` that are wanted, as paths below `root` with slashes.
fn collect(
    root: &Path,
    folder: &Path,
    wanted: &dyn Fn(&str, bool) -> bool,
    found: &mut Vec<String>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !wanted(&name, path.is_dir()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, wanted, found)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            found.push(parts.join("/"));
        }
    }
    Ok(())
}

/// Products of builds, which may lie anywhere.
const PRODUCTS: [&str; 7] = ["target", "node_modules", "__pycache__", "dist", "build", ".venv", "Cargo.lock"];

fn is_template(name: &str, _: bool) -> bool {
    !PRODUCTS.contains(&name)
}

fn is_sdk(name: &str, folder: bool) -> bool {
    let test = if folder {
        ["tests", "test", "benches", "fuzz"].contains(&name)
    } else {
        name == "tests.rs" || name.ends_with("_test.go") || name.contains(".test.") || name.starts_with("test_")
    };
    !test && !name.starts_with('.') && is_template(name, folder)
}
