//! A project of a plugin: a folder with a `tailrace-plugin.yaml`.

use std::path::PathBuf;

/// Folder of the vendored SDK and the WIT files, in every project.
pub(in crate::cli::plugin) const VENDORED: &str = ".tailrace";

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Kind {
    /// Reads, changes or removes single attributes, drops items; the host does the parsing
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
