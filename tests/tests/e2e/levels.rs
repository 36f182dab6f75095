//! The table of levels in `host/src/lib.rs` is true: a file imports only from levels above its own, and siblings of
//! level 4 never import each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules of `host/src` and their level, as in `ARCHITECTURE.md`.
const LEVELS: &[(u8, &[&str])] = &[
    (0, &["telemetry", "shutdown", "workers", "web", "yaml"]),
    (1, &["pdata"]),
    (2, &["component"]),
    (3, &["config", "otlp", "plugin", "export"]),
    (4, &["receivers", "processors", "exporters", "extensions"]),
    (5, &["pipeline"]),
    (6, &["components", "collector"]),
    (7, &["main", "cli"]),
];

/// Modules whose children are components that must not know each other.
const SIBLINGS: &[&str] = &["receivers", "processors", "exporters", "extensions"];

#[test]
fn imports_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let levels: BTreeMap<&str, u8> =
        LEVELS.iter().flat_map(|(level, modules)| modules.iter().map(move |module| (*module, *level))).collect();
    let mut faults = Vec::new();
    let mut files = 0;
    for file in rust_files(&source) {
        let path = file.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
        let module = path.split('/').next().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        files += 1;
        let Some(own) = levels.get(module) else {
            faults.push(format!("{path}: module `{module}` is in no level"));
            continue;
        };
        let child = path.split('/').nth(1).map(|child| child.trim_end_matches(".rs"));
        let text = std::fs::read_to_string(&file).unwrap();
        for (used, used_child) in crate_paths(&text) {
            let Some(level) = levels.get(used.as_str()) else { continue };
            if used == module {
                let differs = used_child.as_deref().is_some_and(|used_child| Some(used_child) != child);
                if SIBLINGS.contains(&module) && child != Some("mod") && differs {
                    faults
                        .push(format!("{path}: imports its sibling crate::{used}::{}", used_child.unwrap_or_default()));
                }
            } else if level >= own {
                faults.push(format!("{path} (level {own}) imports crate::{used} (level {level})"));
            }
        }
    }
    assert!(files > 20, "the walk found only {files} files");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Every `crate::a::b` of a file, braces of `use crate::{a::..., b}` included; comments and doc comments are left out.
fn crate_paths(text: &str) -> Vec<(String, Option<String>)> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(first_two(rest)),
            Some(group) => found.extend(top_level_parts(group).iter().map(|part| first_two(part.trim()))),
        }
    }
    found
}

fn first_two(path: &str) -> (String, Option<String>) {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let first = word(path);
    let second = path[first.len()..].strip_prefix("::").map(word).filter(|second| !second.is_empty());
    (first, second)
}

/// Splits `a::{b, c}, d}...` at the commas of its own depth, up to the closing brace.
fn top_level_parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn the_scanner_sees_every_form() {
    let text = "use crate::{a::{b, c}, d};\n// crate::no\nfn f() { crate::e::g(); }";
    let paths: Vec<String> = crate_paths(text).into_iter().map(|(module, _)| module).collect();
    assert_eq!(paths, ["a", "d", "e"]);
}
