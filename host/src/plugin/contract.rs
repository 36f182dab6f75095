//! What a file is, found by looking at it, with errors that name the fix.

use super::error::LoadError;
use super::log::cut;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The version of the contract that this host speaks.
pub(super) const VERSION: &str = "0.1.0";
/// Versions on this track link with each other in both directions.
const TRACK: &str = "0.1.";
const PACKAGE: &str = "tailrace:plugin/";
/// Longest name of a file's inside, and longest list of them, in a message.
const NAME_BYTES: usize = 100;
pub(super) const NAMES_BYTES: usize = 500;
/// Said of a sampler where batches are to be processed.
pub(super) const SAMPLER_ONLY: &str =
    "it exports only `sampler`: that belongs into a policy of tail_sampling, not into a wasm processor";

/// Which interface the host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Columns in, edits out.
    Attributes,
    /// A batch in, a batch out.
    Processor,
    /// Traces in, decisions out.
    Sampler,
}

impl Kind {
    /// The interface's name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Processor => "processor",
            Self::Sampler => "sampler",
        }
    }
}

/// What a plugin is used for: it decides which of its interfaces are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In a pipeline, for batches.
    Batches,
    /// As a policy of tail sampling, for traces.
    Traces,
}

/// Which interfaces of the contract a component exports, besides `lifecycle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interfaces {
    pub(super) attributes: bool,
    pub(super) processor: bool,
    pub(super) sampler: bool,
    pub(super) state: bool,
}

impl Interfaces {
    /// The names of those that are there.
    pub(super) fn names(self) -> Vec<&'static str> {
        let Self { attributes, processor, sampler, state } = self;
        let all = [("attributes", attributes), ("processor", processor), ("sampler", sampler), ("state", state)];
        all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }

    /// Which interface is called in this role.
    pub(super) fn kind(self, role: Role) -> Result<Kind, LoadError> {
        let Self { attributes, processor, sampler, .. } = self;
        match role {
            Role::Traces if sampler => Ok(Kind::Sampler),
            Role::Traces => Err(LoadError::new(
                "it does not export `sampler`, so it cannot decide about traces: a policy of tail_sampling needs a \
                 sampler plugin (this one belongs into a wasm processor)",
            )),
            Role::Batches => match (attributes, processor) {
                (true, false) => Ok(Kind::Attributes),
                (false, true) => Ok(Kind::Processor),
                (true, true) => Err(LoadError::new(
                    "it exports both `attributes` and `processor`, and a wasm processor cannot know which one is \
                     meant: make two plugins of it",
                )),
                (false, false) if sampler => Err(LoadError::new(SAMPLER_ONLY)),
                (false, false) => Err(LoadError::new(
                    "it exports neither `attributes` nor `processor` nor `sampler`, so there is nothing to call",
                )),
            },
        }
    }
}

/// Refuses what cannot be a component before anything costly looks at it.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    let fault = match bytes {
        [] => "it is empty".to_owned(),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            "it is a core WebAssembly module, not a component: build it with `cargo build --target wasm32-wasip2`, \
             or make a component of it with `wasm-tools component new`"
                .to_owned()
        }
        [0, b'a', b's', b'm', ..] => {
            "it is WebAssembly of a version that this host does not know: build it with current tools".to_owned()
        }
        [0x7f, b'E', b'L', b'F', ..] => {
            "it is native code (perhaps a precompiled component), which is never loaded from a plugin directory: \
             put the .wasm file there"
                .to_owned()
        }
        _ => "it is not WebAssembly".to_owned(),
    };
    Err(LoadError(fault))
}

/// Finds out which interfaces of the contract `component` offers.
pub(super) fn inspect(engine: &Engine, component: &Component) -> Result<Interfaces, LoadError> {
    let types = component.component_type();
    let exports: Vec<String> = types.exports(engine).map(|(name, _)| name.to_owned()).collect();
    interfaces(&exports)
}

/// The interface and the version of an export of the contract.
pub(super) fn ours(export: &str) -> Option<(&str, &str)> {
    export.strip_prefix(PACKAGE)?.split_once('@')
}

/// The same, from the names of what a component exports.
pub(super) fn interfaces(exports: &[String]) -> Result<Interfaces, LoadError> {
    let ours: Vec<(&str, &str)> = exports.iter().filter_map(|name| ours(name)).collect();
    if let Some((name, version)) = ours.iter().find(|(_, version)| !version.starts_with(TRACK)) {
        let (name, version) = (cut(name, NAME_BYTES), cut(version, NAME_BYTES));
        return Err(LoadError(format!(
            "it exports {PACKAGE}{name}@{version}, but this host speaks contract {VERSION}: \
             {}",
            if newer(version) {
                "use a newer Tailrace, or build the plugin with the SDK of this one"
            } else {
                "build it again with the SDK of this Tailrace"
            }
        )));
    }
    let has = |name: &str| ours.iter().any(|(export, _)| *export == name);
    if !has("lifecycle") {
        let what = match exports.first() {
            None => "nothing".to_owned(),
            Some(_) => cut(&exports.join(", "), NAMES_BYTES).to_owned(),
        };
        return Err(LoadError(format!(
            "it is a component but no Tailrace plugin: it does not export {PACKAGE}lifecycle@{VERSION} (it exports \
             {what}); a plugin ends with `tailrace_sdk::export!(...)`"
        )));
    }
    Ok(Interfaces {
        attributes: has("attributes"),
        processor: has("processor"),
        sampler: has("sampler"),
        state: has("state"),
    })
}

/// Whether a version of the contract lies beyond ours.
fn newer(version: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    numbers(version) > numbers(VERSION)
}
