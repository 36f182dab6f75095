//! What lies in a plugin directory: plugins, their sidecars, and what is of no use.

use crate::plugin::directory::look::{self, Look};
use crate::plugin::log::is_one_line;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Entries of the directory that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// The file of a plugin.
pub(super) fn file(path: &Path, name: &str) -> PathBuf {
    path.join(format!("{name}.wasm"))
}

/// Its sidecar.
pub(super) fn sidecar(path: &Path, name: &str) -> PathBuf {
    path.join(format!("{name}.yaml"))
}

/// The names of the plugins that lie there, each with what its files look like.
pub(super) fn plugins(path: &Path) -> Result<BTreeMap<String, (Look, Look)>, String> {
    let entries = std::fs::read_dir(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no {}", path.display()),
        _ => format!("cannot read {}: {error}", path.display()),
    })?;
    let mut names = BTreeMap::new();
    for (number, entry) in entries.enumerate() {
        let entry = entry.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        if number >= ENTRIES_MAX {
            return Err(format!("{} has more than {ENTRIES_MAX} entries", path.display()));
        }
        let entry = entry.file_name();
        let Some(name) = entry.to_str().and_then(|entry| entry.strip_suffix(".wasm")) else { continue };
        if !name.is_empty() && !name.starts_with(['.', '#']) && is_one_line(name) {
            names.insert(name.to_owned(), (Look::Missing, Look::Missing));
        }
    }
    for (name, pair) in &mut names {
        *pair = (look::of(&file(path, name)), look::of(&sidecar(path, name)));
    }
    // Gone in between.
    names.retain(|_, (module, _)| *module != Look::Missing);
    Ok(names)
}

/// Sidecars without a plugin, most likely because a name is misspelt, and plugins whose name cannot be written into a log.
pub(super) fn strays(path: &Path, names: &BTreeMap<String, (Look, Look)>) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let stray = |file: OsString| {
        let text = file.to_string_lossy();
        let (name, ending) = text.rsplit_once('.')?;
        let hidden = name.is_empty() || name.starts_with(['.', '#']);
        match ending {
            "wasm" if !hidden && (file.to_str().is_none() || !is_one_line(name)) => {
                Some(format!("{file:?} is not used: its name must be UTF-8 text without control characters"))
            }
            "yaml" if !hidden && !names.contains_key(name) => {
                Some(format!("{text} belongs to no plugin: there is no {name}.wasm"))
            }
            "yml" if !hidden && names.contains_key(name) => Some(format!("{text} is not used: call it {name}.yaml")),
            _ => None,
        }
    };
    let mut strays: Vec<_> = entries.filter_map(|entry| stray(entry.file_name())).collect();
    strays.sort();
    strays
}
