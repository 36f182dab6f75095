//! `tailrace plugin build`: from sources to `dist/<name>.wasm`.
//!
//! **There is never a stale component**: the one of the build before is removed before the compiler starts, and the new one is
//! renamed into its place once it has been looked at. After a build that failed there is none.

use super::embedded;
use super::languages::{Failure, Kept};
use super::paint::{self, Paint};
use super::progress::Progress;
use super::project::Found;
use super::{Fault, fault};
use crate::plugin::Outline;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Flags of `build`.
#[derive(Args, Debug)]
pub(super) struct BuildArgs {
    /// The folder of the project
    #[arg(default_value = ".")]
    path: PathBuf,
}

/// A component that was built.
pub(super) struct Built {
    /// The component.
    pub bytes: Vec<u8>,
    /// What it imports and exports.
    pub outline: Outline,
    /// How long that took.
    pub took: Duration,
}

/// Why there is no component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotBuilt {
    /// The machine lacks something.
    Machine(String),
    /// The sources are wrong: what the compiler said.
    Sources(String),
}

impl From<NotBuilt> for Fault {
    fn from(why: NotBuilt) -> Self {
        match why {
            NotBuilt::Machine(text) => Self::Trouble(text),
            NotBuilt::Sources(text) => Self::Plugin(text),
        }
    }
}

/// Builds, and says what came out.
pub(super) fn run(args: &BuildArgs) -> Result<(), Fault> {
    let found = Found::at(&args.path).map_err(fault)?;
    let file = found.component();
    let built = to_file(&found, &file, &Progress::start("building"), None)?;
    for line in summary(&found, &file, &built, Paint::stdout())? {
        println!("{line}");
    }
    Ok(())
}

/// Builds into `file`; if that fails there is no such file. Who builds again and again has something `kept`.
pub(super) fn to_file(
    found: &Found,
    file: &Path,
    progress: &Progress,
    kept: Option<&mut Kept>,
) -> Result<Built, NotBuilt> {
    let unwritable = |error: std::io::Error| NotBuilt::Machine(format!("{}: {error}", file.display()));
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    let built = component(found, progress, kept)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let beside = folder.join(format!(".{}.{}.tmp", found.project.name, std::process::id()));
    let placed = std::fs::write(&beside, &built.bytes).and_then(|()| std::fs::rename(&beside, file));
    if placed.is_err() {
        // Half a file under a name of ours; what cannot be removed either is not in the way.
        let _ = std::fs::remove_file(&beside);
    }
    placed.map_err(unwritable)?;
    Ok(built)
}

/// Builds, and checks that a plugin of the kind that the manifest names came out.
fn component(found: &Found, progress: &Progress, kept: Option<&mut Kept>) -> Result<Built, NotBuilt> {
    let start = Instant::now();
    let (project, language) = (&found.project, found.language);
    let restored = embedded::restore(project, language.name())
        .map_err(|error| NotBuilt::Machine(format!("cannot put the SDK back: {error}")))?;
    if restored {
        progress.note(".tailrace was missing: the SDK of this Tailrace is back in it");
    }
    let note = |text: &str| progress.note(text);
    let bytes = match kept {
        Some(kept) => language.build_again(project, &note, kept),
        None => language.build(project, &note),
    };
    let bytes = bytes.map_err(|failure| match failure {
        Failure::Missing { what, install } => {
            NotBuilt::Machine(format!("{what} is missing. Install it with:\n\n    {install}\n"))
        }
        Failure::Compile(output) => NotBuilt::Sources(output),
    })?;
    let unfit = |why: String| NotBuilt::Sources(format!("what the build made is no such plugin: {why}"));
    let outline = Outline::read(&bytes).map_err(|error| unfit(error.to_string()))?;
    let (_, kind) = outline.role().map_err(|error| unfit(error.to_string()))?;
    let wanted = project.kind.as_str();
    if kind != wanted {
        return Err(unfit(format!(
            "it exports `{kind}`, but tailrace-plugin.yaml says `kind: {wanted}`: make them agree"
        )));
    }
    Ok(Built { bytes, outline, took: start.elapsed() })
}

fn summary(found: &Found, file: &Path, built: &Built, paint: Paint) -> Result<Vec<String>, Fault> {
    let contract = built.outline.contract().map_err(fault)?;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = file.strip_prefix(&here).unwrap_or(file);
    let size = paint::bytes(built.bytes.len());
    let seconds = built.took.as_secs_f64();
    let mut lines = vec![
        format!("{}  {size}, built in {seconds:.1} s", paint.bold(&shown.display().to_string())),
        format!("  contract  tailrace:plugin@{contract}, {}", found.project.kind.as_str()),
    ];
    let imports = imports(&built.outline.imports);
    lines.push(format!("  imports   {}", if imports.is_empty() { "nothing".to_owned() } else { imports.join(", ") }));
    Ok(lines)
}

/// The packages it imports from, those of WASI as one.
pub(super) fn imports(names: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    let mut wasi = Vec::new();
    for name in names {
        match name.strip_prefix("wasi:").and_then(|rest| rest.split(['/', '@']).next()) {
            Some(package) if wasi.iter().any(|known| known == package) => {}
            Some(package) => wasi.push(package.to_owned()),
            None => shown.push(name.clone()),
        }
    }
    if !wasi.is_empty() {
        shown.push(format!("WASI ({})", wasi.join(", ")));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_wasi_are_one() {
        let names = ["wasi:io/poll@0.2.0", "tailrace:plugin/host@0.1.0", "wasi:io/error@0.2.0", "wasi:cli/exit@0.2.0"];
        let shown = imports(&names.map(str::to_owned));
        assert_eq!(shown, ["tailrace:plugin/host@0.1.0", "WASI (io, cli)"]);
    }
}
