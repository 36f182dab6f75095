//! Puts a version into the plugin directory of a collector that runs, which takes it over by itself.

use crate::cli::plugin::{Fault, admin, fault};
use crate::plugin::Candidate;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a collector may take to say that it runs the new version.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where versions are put.
pub(super) struct Target {
    file: PathBuf,
    /// The admin listener, if that is how the file was found.
    admin: Option<String>,
}

impl Target {
    /// A directory, or the address of an admin listener: then the file is that of its plugin called `name`.
    ///
    /// # Errors
    /// What is not there.
    pub(super) fn of(attach: &str, name: &str) -> Result<Self, Fault> {
        let directory = Path::new(attach);
        if directory.is_dir() {
            return Ok(Self { file: directory.join(format!("{name}.wasm")), admin: None });
        }
        if !attach.starts_with("http://") && !attach.contains(':') {
            return Err(fault(format!("--attach: {attach}: no such directory (and no address of an admin listener)")));
        }
        let files = admin::plugin_files(attach).map_err(|error| fault(format!("--attach: {error}")))?;
        let wanted = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == name);
        match files.iter().find(wanted) {
            Some(file) => Ok(Self { file: file.clone(), admin: Some(attach.to_owned()) }),
            None => {
                let known: BTreeSet<String> = files.iter().map(|file| file.display().to_string()).collect();
                let known: Vec<String> = known.into_iter().collect();
                Err(fault(format!(
                    "--attach: the collector at {attach} runs no plugin from a file called {name}.wasm (it runs: {}): name its \
                     plugin directory instead, or add the plugin to its configuration",
                    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                )))
            }
        }
    }

    /// A hint for a collector that runs the whole directory: there the configuration is beside the plugin.
    fn without_sidecar(&self) -> String {
        let sidecar = self.file.with_extension("yaml");
        if sidecar.exists() {
            return String::new();
        }
        let name = sidecar.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "; there is no {name} beside it: a collector that runs the whole directory takes `config` from there, one that \
             names the plugin from its own configuration"
        )
    }

    /// Puts a version there, whole, and says what became of it.
    ///
    /// # Errors
    /// If it cannot be written, or the collector refuses it.
    pub(super) fn deploy(&self, candidate: &Candidate, component: &Path, since: Instant) -> Result<String, String> {
        let shown = self.file.display();
        let failed = |error: std::io::Error| format!("{shown}: {error}");
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.file.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        std::fs::copy(component, &beside).and_then(|_| std::fs::rename(&beside, &self.file)).map_err(failed)?;
        let Some(admin) = &self.admin else { return Ok(format!("put into {shown}{}", self.without_sidecar())) };
        let hash = candidate.hash().to_string();
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            for place in admin::places_of(admin, &self.file)? {
                if place.hash == hash {
                    let seconds = since.elapsed().as_secs_f64();
                    return Ok(format!(
                        "live at {admin} after {seconds:.1} s: {}, generation {}",
                        place.name, place.generation
                    ));
                }
                if let Some(reason) = place.refusal {
                    return Err(format!("{admin} goes on with generation {}: {reason}", place.generation));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{admin} has not taken {shown} over within {PATIENCE:?}: look at its log"))
    }
}
