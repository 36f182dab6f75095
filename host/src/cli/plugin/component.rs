//! A component that the user names: a `.wasm` file, or the folder of the project that builds it.

use super::project::Found;
use super::{Fault, cases, fault};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A component on disk.
pub(super) struct Component {
    /// Where it is.
    pub file: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The project in whose `dist/` it lies, if it lies in one.
    pub project: Option<Found>,
}

impl Component {
    /// The component that `path` names.
    ///
    /// # Errors
    /// If there is none, and what to do.
    pub(super) fn at(path: &Path) -> Result<Self, Fault> {
        let file = if path.is_dir() { Found::at(path).map_err(fault)?.component() } else { path.to_owned() };
        if path.is_dir() && !file.exists() {
            return Err(fault(format!("{} is not there yet: `tailrace plugin build` makes it", file.display())));
        }
        let bytes = read(&file)?;
        let project = file.canonicalize().ok().and_then(|file| Found::at(file.parent()?.parent()?).ok());
        Ok(Self { file, bytes, project })
    }

    /// What to configure it with: what a flag says, or the first case of its project, or nothing.
    ///
    /// # Errors
    /// If the flag makes no sense.
    pub(super) fn config(&self, flag: Option<&str>) -> Result<String, Fault> {
        if let Some(flag) = flag {
            return config(flag);
        }
        let cases = self.project.as_ref().and_then(|project| cases::load(&project.cases(), None).ok());
        let first = cases.and_then(|cases| cases.into_iter().next());
        Ok(first.map_or_else(|| "{}".to_owned(), |case| case.config))
    }
}

/// The bytes of a file that the user named.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| fault(format!("{}: {error}", path.display())))
}

/// A configuration from the command line: JSON, or the name of a file after an `@`.
pub(super) fn config(flag: &str) -> Result<String, Fault> {
    let text = match flag.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| fault(format!("--config: {file}: {error}")))?,
        None => flag.to_owned(),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| fault(format!("--config: no JSON: {error}")))?;
    if !value.is_object() {
        return Err(fault("--config: must be an object, as in '{\"keys\": [\"user.email\"]}'"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project stands for what it has built, and lends it the configuration of its first case.
    #[test]
    fn a_project_stands_for_its_component() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let fails = || Component::at(dir.path()).err().unwrap().to_string();
        assert!(fails().contains("is no plugin project"));
        write("tailrace-plugin.yaml", "{name: tidy, lang: c, kind: attributes}");
        assert!(fails().contains("`tailrace plugin build` makes it"));
        write("dist/tidy.wasm", "bytes");
        write("cases/one/config.json", r#"{"mask": ["a"]}"#);
        write("cases/one/input.json", r#"{"traces": {}}"#);
        for path in [dir.path().to_owned(), dir.path().join("dist/tidy.wasm")] {
            let component = Component::at(&path).unwrap();
            assert_eq!(component.bytes, b"bytes");
            assert_eq!(component.config(None).unwrap(), r#"{"mask":["a"]}"#);
            assert_eq!(component.config(Some("{}")).unwrap(), "{}");
        }
        write("alone.wasm", "");
        assert_eq!(Component::at(&dir.path().join("alone.wasm")).unwrap().config(None).unwrap(), "{}");
        assert!(config("[]").is_err() && config("@/nowhere").is_err());
    }
}
