//! A project of a plugin: a folder with a `tailrace-plugin.yaml`.
//!
//! ```yaml
//! name: tidy            # the component is dist/<name>.wasm
//! lang: rust
//! kind: attributes
//! limits: {timeout: 100ms, memory_mib: 64}   # optional; what the plugin will be given in production, keys as in `wasm`
//! ```

use super::languages::{self, Language};
use crate::plugin::Limits;
use crate::processors::wasm;
use crate::yaml::{self, Check, Key, Node, Problems, Section, Settings, Value};
use clap::ValueEnum;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The file that makes a folder a project.
pub(in crate::cli::plugin) const MANIFEST: &str = "tailrace-plugin.yaml";
/// Folder of the vendored SDK and the WIT files, in every project.
pub(in crate::cli::plugin) const VENDORED: &str = ".tailrace";
/// Longest name: it becomes the name of files, crates and packages.
const NAME_BYTES_MAX: usize = 50;

/// A folder in which a language builds a component.
#[derive(Clone, Debug)]
pub(in crate::cli::plugin) struct Project {
    /// The folder, absolute.
    pub dir: PathBuf,
    /// Kebab case.
    pub name: String,
    /// Which interface of the contract it implements.
    pub kind: Kind,
}

/// Which interface of the contract a plugin implements.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli::plugin) enum Kind {
    /// Reads, changes or removes single attributes, drops items; the host does the parsing
    #[default]
    Attributes,
    /// Takes whole batches as OTLP bytes
    Processor,
    /// Decides which traces are kept
    Sampler,
}

impl Kind {
    /// As in `--kind`, in the manifest and in the contract.
    pub(in crate::cli::plugin) fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Processor => "processor",
            Self::Sampler => "sampler",
        }
    }
}

/// What `tailrace-plugin.yaml` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Manifest {
    name: String,
    lang: String,
    kind: Kind,
    limits: Option<Node>,
}

impl Settings for Manifest {
    fn check(&self, check: &mut Check<'_>) {
        if let Err(fault) = check_name(&self.name) {
            check.error("name", fault);
        }
        if languages::by_name(&self.lang).is_none() {
            check.error("lang", format!("must be one of {}", languages::names().join(", ")));
        }
    }
}

/// A project that was found on disk.
pub(in crate::cli::plugin) struct Found {
    /// For the language.
    pub project: Project,
    /// What builds it.
    pub language: &'static dyn Language,
    /// What the plugin will be given in production.
    pub limits: Limits,
}

impl Found {
    /// The project in this folder.
    ///
    /// # Errors
    /// What to do if there is none, and every fault of its manifest.
    pub(in crate::cli::plugin) fn at(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let dir = path.canonicalize().map_err(|error| format!("{shown}: {error}"))?;
        let file = dir.join(MANIFEST);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            format!(
                "{shown} is no plugin project: {MANIFEST}: {error} (make one with `tailrace plugin new NAME --lang rust`, \
                 or name the folder of one)"
            )
        })?;
        let manifest: Manifest =
            yaml::from_str(MANIFEST, &text).map_err(|problems| problems.to_string().trim_end().to_owned())?;
        let language = languages::by_name(&manifest.lang).ok_or_else(|| format!("unknown lang {:?}", manifest.lang))?;
        let limits = limits(manifest.limits.as_ref()).map_err(|problems| problems.to_string().trim_end().to_owned())?;
        let project = Project { dir, name: manifest.name, kind: manifest.kind };
        Ok(Self { project, language, limits })
    }

    /// Where the component goes.
    pub(in crate::cli::plugin) fn component(&self) -> PathBuf {
        self.project.dir.join("dist").join(format!("{}.wasm", self.project.name))
    }

    /// Where the cases are.
    pub(in crate::cli::plugin) fn cases(&self) -> PathBuf {
        self.project.dir.join("cases")
    }
}

/// The limits as a `wasm` processor with this section would have them.
///
/// # Errors
/// What that processor would have against the section.
pub(in crate::cli::plugin) fn limits(section: Option<&Node>) -> Result<Limits, Problems> {
    let Some(node) = section else { return Ok(crate::plugin::LimitsConfig::default().limits(1)) };
    let entry = |name: &str, node: Node| (Key { origin: node.origin.clone(), name: name.to_owned() }, node);
    let module = Node::new(node.origin.clone(), Value::String("plugin".to_owned()));
    let entries = vec![entry("module", module), entry("limits", node.clone())];
    let processor = Node::new(node.origin.clone(), Value::Map(entries));
    let mut problems = Problems::default();
    let settings = Section { path: "", node: &processor }.settings::<wasm::Config>(&mut problems);
    settings.map(|settings| settings.limits.limits(1)).ok_or(problems)
}

/// Whether a plugin can be called so: it must do as the name of a file, a crate and a package in every language.
///
/// # Errors
/// What a name must be.
pub(in crate::cli::plugin) fn check_name(name: &str) -> Result<(), String> {
    let words = |name: &str| {
        name.split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
    };
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !starts || !words(name) || name.len() > NAME_BYTES_MAX {
        let mut fault = format!(
            "must be words of lower-case letters and digits with hyphens between them, beginning with a letter, at most \
             {NAME_BYTES_MAX} characters"
        );
        let better = suggestion(name);
        if better != name && starts_well(&better) {
            fault.push_str(&format!(" (as in {better:?})"));
        }
        return Err(fault);
    }
    if RESERVED.contains(&name) {
        return Err(format!(
            "{name:?} means something in one of the languages; take another word, as in \"{name}-plugin\""
        ));
    }
    Ok(())
}

/// Words that cannot name a crate or package: keywords, and what a project of ours contains already.
const RESERVED: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "cases",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "dist",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "package",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "src",
    "static",
    "std",
    "struct",
    "super",
    "tailrace",
    "target",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The nearest thing to `name` that could be one.
fn suggestion(name: &str) -> String {
    let mut better = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase()
            && at > 0
            && !better.ends_with('-')
            && !better.ends_with(|c: char| c.is_ascii_digit())
        {
            better.push('-');
        }
        if letter.is_ascii_alphanumeric() {
            better.push(letter.to_ascii_lowercase());
        } else if !better.ends_with('-') {
            better.push('-');
        }
    }
    better.trim_matches('-').chars().take(NAME_BYTES_MAX).collect()
}

fn starts_well(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["tidy", "a1", "keep-orders", "drop-2xx"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "a_b", "Tidy", "1a", "a b", "../a", "é", "self", "test"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("MyPlugin").unwrap_err().contains("\"my-plugin\""));
        assert!(check_name("drop_it").unwrap_err().contains("\"drop-it\""));
        assert!(!check_name("123").unwrap_err().contains("as in"));
    }

    /// A folder without a manifest, and one whose manifest is wrong, are told apart, and the fix is named.
    #[test]
    fn what_is_no_project_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let none = Found::at(dir.path()).map(drop).unwrap_err();
        assert!(none.contains("tailrace plugin new"), "{none}");
        let write = |text: &str| std::fs::write(dir.path().join(MANIFEST), text).unwrap();
        write("name: tidy\nlang: cobol\nkind: attributes\n");
        let lang = Found::at(dir.path()).map(drop).unwrap_err();
        assert!(lang.contains("must be one of rust"), "{lang}");
        write("name: tidy\nlang: rust\nkind: sampler\nlimits: {timeout: 1s}\n");
        let found = Found::at(dir.path()).unwrap();
        assert_eq!((found.project.name.as_str(), found.project.kind), ("tidy", Kind::Sampler));
        assert!(found.component().ends_with("dist/tidy.wasm"));
        assert_eq!(found.limits.timeout, std::time::Duration::from_secs(1));
        write("name: tidy\nlang: rust\nlimits: {timeout: 0s, memory_mb: 3}\n");
        let limits = Found::at(dir.path()).map(drop).unwrap_err();
        assert!(limits.contains("tailrace-plugin.yaml:3") && limits.contains("memory_mib"), "{limits}");
    }
}
