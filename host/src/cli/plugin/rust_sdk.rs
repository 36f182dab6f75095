//! Makes the Rust SDK stand on its own feet: in this repository its crates take versions and lints from the workspace, so a
//! vendored copy gets a workspace with just those.

use super::embedded::File;
use super::project::VENDORED;
use std::fmt::Write as _;

/// Sections of a manifest that only this repository needs.
const DROPPED: [&str; 3] = ["[dev-dependencies]", "[[bench]]", "[lints]"];

/// Cuts the manifests among `files` down and adds the one of their workspace, made from `root`, which is ours.
pub(in crate::cli::plugin) fn stand_alone(files: &mut Vec<File>, root: &str) {
    let mut inherited = Vec::new();
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        let text = without(&String::from_utf8_lossy(bytes), &DROPPED);
        inherited.extend(text.lines().filter_map(inherits).map(str::to_owned));
        *bytes = text.into_bytes();
    }
    let mut manifest = String::from(
        "# The workspace of the vendored SDK.\n[workspace]\nresolver = \"3\"\nmembers = [\"sdk/*\"]\n\n[workspace.package]\n",
    );
    for line in section(root, "[workspace.package]") {
        let _ = writeln!(manifest, "{line}");
    }
    manifest.push_str("\n[workspace.dependencies]\n");
    for line in section(root, "[workspace.dependencies]") {
        let name = line.split([' ', '=']).next().unwrap_or_default();
        if inherited.iter().any(|wanted| wanted == name) {
            let _ = writeln!(manifest, "{line}");
        }
    }
    files.push((format!("{VENDORED}/Cargo.toml"), manifest.into_bytes()));
}

/// A manifest without these sections.
fn without(manifest: &str, sections: &[&str]) -> String {
    let mut kept = String::new();
    let mut keeps = true;
    for line in manifest.lines() {
        if line.starts_with('[') {
            keeps = !sections.contains(&line.trim());
        }
        if keeps {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The lines with something in them of a section.
fn section<'a>(manifest: &'a str, header: &str) -> Vec<&'a str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != header).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim().is_empty()).collect()
}

/// The dependency that a line takes from the workspace: `serde.workspace = true` or `serde = { workspace = true, ... }`.
fn inherits(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once([' ', '.', '='])?;
    rest.contains("workspace = true").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_get_a_workspace_of_their_own() {
        let sdk = "[package]\nname = \"a\"\nversion.workspace = true\n\n[dependencies]\nserde.workspace = true\n\
                   memchr = { workspace = true, features = [\"std\"] }\n\n[dev-dependencies]\nprost.workspace = true\n\n[lints]\n\
                   workspace = true\n";
        let root = "[workspace]\nmembers = [\"host\"]\n\n[workspace.package]\nversion = \"1.2.3\"\n\n[workspace.dependencies]\n\
                    serde = \"1\"\nmemchr = { version = \"2\" }\nprost = \"0.14\"\nwasmtime = \"48\"\n\n[profile.dev]\ndebug = 1\n";
        let mut files = vec![(".tailrace/sdk/a/Cargo.toml".to_owned(), sdk.as_bytes().to_vec())];
        stand_alone(&mut files, root);
        let text = |at: usize| String::from_utf8(files[at].1.clone()).unwrap();
        assert!(text(0).contains("serde.workspace") && !text(0).contains("prost") && !text(0).contains("[lints]"));
        assert_eq!(files[1].0, ".tailrace/Cargo.toml");
        assert!(
            text(1).contains("version = \"1.2.3\"")
                && text(1).ends_with("serde = \"1\"\nmemchr = { version = \"2\" }\n")
        );
    }
}
