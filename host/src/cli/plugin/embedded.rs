//! What `new` writes, from inside the binary: templates, and the SDK that a project vendors.
//!
//! Everything comes from this repository (`build/embed.rs` collects it), so that `new` works offline and a plugin is built with the
//! SDK that fits this Tailrace. In a project the SDK lies in `.tailrace/`, with the paths it has here: `.tailrace/sdk/<language>` and
//! `.tailrace/wit`.

use super::project::{Kind, Project, VENDORED};
use super::rust_sdk;
use std::io;
use std::path::Path;

mod files {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// A file to write: its path in the project, and its bytes.
pub(in crate::cli::plugin) type File = (String, Vec<u8>);

/// The files of a new project of this language, names filled in, without the vendored ones.
pub(in crate::cli::plugin) fn template(lang: &str, project: &Project) -> Vec<File> {
    let folders = [format!("{lang}/common/"), format!("{lang}/{}/", project.kind.as_str())];
    let mut written: Vec<File> = Vec::new();
    for (path, bytes) in folders.iter().flat_map(|folder| below(files::TEMPLATES, folder)) {
        let path = fill(path, &project.name);
        let bytes = match std::str::from_utf8(bytes) {
            Ok(text) => fill(&text.replace("{{use}}", usage(project.kind)), &project.name).into_bytes(),
            Err(_) => bytes.to_vec(),
        };
        // What a kind says goes before what is common.
        written.retain(|(known, _)| *known != path);
        written.push((path, bytes));
    }
    written
}

/// Whether there is a template of this language and kind.
pub(in crate::cli::plugin) fn has_template(lang: &str, kind: &str) -> bool {
    below(files::TEMPLATES, &format!("{lang}/{kind}/")).next().is_some()
}

/// What lies in `.tailrace/` of a project of this language.
pub(in crate::cli::plugin) fn vendored(lang: &str) -> Vec<File> {
    let own = format!("sdk/{lang}/");
    let folders: &[&str] = match lang {
        "rust" => &["sdk/otlp/", "sdk/columns/", "sdk/rust/", "wit/"],
        _ => &[&own, "wit/"],
    };
    let all =
        folders.iter().flat_map(|folder| below(files::SDKS, folder).map(move |(path, bytes)| (folder, path, bytes)));
    let mut files: Vec<File> =
        all.map(|(folder, path, bytes)| (format!("{VENDORED}/{folder}{path}"), bytes.to_vec())).collect();
    if lang == "rust" {
        let root = below(files::SDKS, "Cargo.toml").next().map_or(&[][..], |(_, bytes)| bytes);
        rust_sdk::stand_alone(&mut files, &String::from_utf8_lossy(root));
    }
    let readme = format!(
        "The SDK of Tailrace {}, copied here by `tailrace plugin new`: commit it. To move to the SDK of another Tailrace, delete\n\
         this folder and run that one's `tailrace plugin build`, which puts its own here.\n",
        env!("CARGO_PKG_VERSION")
    );
    files.push((format!("{VENDORED}/README"), readme.into_bytes()));
    files
}

/// Puts `.tailrace/` back if it is not there; whether it was missing.
///
/// # Errors
/// What cannot be written.
pub(in crate::cli::plugin) fn restore(project: &Project, lang: &str) -> io::Result<bool> {
    if project.dir.join(VENDORED).exists() {
        return Ok(false);
    }
    write(&project.dir, &vendored(lang))?;
    Ok(true)
}

/// Writes files below `dir`, with the folders they lie in.
///
/// # Errors
/// The first that cannot be written.
pub(in crate::cli::plugin) fn write(dir: &Path, files: &[File]) -> io::Result<()> {
    for (path, bytes) in files {
        let path = dir.join(path);
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, bytes).map_err(failed)?;
    }
    Ok(())
}

/// The files whose path begins with `prefix`, by the rest of it; a file of exactly that path with an empty one.
fn below<'a>(
    files: &'static [(&'static str, &'static [u8])],
    prefix: &'a str,
) -> impl Iterator<Item = (&'static str, &'static [u8])> + use<'a> {
    files.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(prefix)?, *bytes)))
}

/// Where a plugin of this kind goes in the configuration of a collector.
fn usage(kind: Kind) -> &'static str {
    match kind {
        Kind::Attributes | Kind::Processor => "`processors: {wasm/{{name}}: {module: {{name}}, config: {...}}}`",
        Kind::Sampler => {
            "`tail_sampling: {policies: [{name: {{name}}, type: wasm, wasm: {module: {{name}}, config: {...}}}]}`"
        }
    }
}

/// Puts the name of the plugin in its places.
fn fill(text: &str, name: &str) -> String {
    text.replace("{{name_snake}}", &name.replace('-', "_")).replace("{{name}}", name)
}

#[cfg(test)]
mod tests {
    use super::super::languages;
    use super::*;

    fn project(kind: Kind) -> Project {
        Project { dir: "/nowhere".into(), name: "keep-orders".to_owned(), kind }
    }

    /// Every language has every kind, with an author's part that fits on a screen, a case and a README; and no place is
    /// left unfilled.
    #[test]
    fn templates_are_complete() {
        for lang in languages::names() {
            for kind in [Kind::Attributes, Kind::Processor, Kind::Sampler] {
                let files = template(lang, &project(kind));
                let has = |wanted: &str| files.iter().any(|(path, _)| path.ends_with(wanted));
                let what = format!("{lang} {}", kind.as_str());
                for wanted in ["README.md", "/config.json", "/input.json", "/expected.json"] {
                    assert!(has(wanted), "{what}: {wanted}");
                }
                for (path, bytes) in &files {
                    let text = String::from_utf8_lossy(bytes);
                    assert!(
                        !path.contains("{{") && !text.contains("{{name") && !text.contains("{{use"),
                        "{what}: {path}"
                    );
                    let goes = if kind == Kind::Sampler { "type: wasm" } else { "processors: {wasm/keep-orders:" };
                    assert!(path != "README.md" || text.contains(goes), "{what}: {text}");
                }
                assert!(has_template(lang, kind.as_str()));
            }
        }
    }

    #[test]
    fn names_are_filled_in() {
        assert_eq!(fill("{{name}}/{{name_snake}}", "a-b"), "a-b/a_b");
    }

    /// What is vendored is what a build needs: sources and WIT, no tests and no products.
    #[test]
    fn the_rust_sdk_comes_along() {
        let files = vendored("rust");
        let has = |wanted: &str| files.iter().any(|(path, _)| path == wanted);
        for wanted in
            ["Cargo.toml", "sdk/rust/src/lib.rs", "sdk/rust/README.md", "sdk/otlp/Cargo.toml", "wit/types.wit"]
        {
            assert!(has(&format!(".tailrace/{wanted}")), "{wanted}");
        }
        assert!(
            !files.iter().any(|(path, _)| path.contains("/tests") || path.contains("/fuzz") || path.contains("bench"))
        );
    }
}
