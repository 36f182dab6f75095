//! A version of a plugin before it is configured: read once, hashed, compiled and linked from those very bytes.
//!
//! Compiling blocks for milliseconds to seconds; nothing here is called on the data path. Programs are shared: a plugin
//! that three pipelines use is compiled once.

use super::bindings::{attributes, lifecycle, processor, sampler, state};
use super::contract::{self, Interfaces};
use super::engine::{Engine, engine};
use super::error::LoadError;
use super::guest::Guest;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmtime::component::{Component, InstancePre};

/// SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first twelve digits: enough to tell versions apart.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bytes of a file that may become a plugin. They are read once; what is hashed is what is compiled.
#[derive(Clone)]
pub struct Candidate {
    bytes: Arc<[u8]>,
    hash: Hash,
}

impl Candidate {
    /// Takes the bytes of a file.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { hash: Hash::of(&bytes), bytes }
    }

    /// What it hashes to.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the file was empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.len(), self.hash.short())
    }
}

/// A compiled and linked component.
pub(super) struct Program {
    pub(super) engine: &'static Engine,
    pub(super) hash: Hash,
    pub(super) pre: InstancePre<Guest>,
    pub(super) lifecycle: lifecycle::GuestIndices,
    pub(super) interfaces: Interfaces,
    pub(super) exports: Exports,
}

/// Where the interfaces are found that the component exports.
pub(super) struct Exports {
    pub(super) attributes: Option<attributes::GuestIndices>,
    pub(super) processor: Option<processor::GuestIndices>,
    pub(super) sampler: Option<sampler::GuestIndices>,
    pub(super) state: Option<state::GuestIndices>,
}

impl Program {
    /// Compiles a candidate, or finds it compiled already.
    pub(super) fn compile(candidate: &Candidate) -> Result<Arc<Self>, LoadError> {
        static COMPILED: Mutex<Option<HashMap<Hash, Weak<Program>>>> = Mutex::new(None);
        let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().as_ref().and_then(|programs| programs.get(&candidate.hash)?.upgrade());
        if let Some(program) = found {
            return Ok(program);
        }
        let program = Arc::new(Self::compile_anew(candidate)?);
        let mut known = known();
        let programs = known.get_or_insert_default();
        programs.retain(|_, program| program.strong_count() > 0);
        programs.insert(candidate.hash, Arc::downgrade(&program));
        Ok(program)
    }

    fn compile_anew(candidate: &Candidate) -> Result<Self, LoadError> {
        contract::check_header(&candidate.bytes)?;
        let engine = engine().map_err(|error| LoadError(format!("WebAssembly does not work here: {error}")))?;
        let component = Component::new(&engine.wasm, &candidate.bytes)
            .map_err(|error| LoadError(format!("it is damaged or not valid WebAssembly: {error:#}")))?;
        let interfaces = contract::inspect(&engine.wasm, &component)?;
        let pre = engine.linker.instantiate_pre(&component).map_err(|error| {
            LoadError(format!(
                "it asks for something that plugins are not given: {error:#} (plugins get \
                 tailrace:plugin/host@0.1.0 and WASI 0.2 without files and network)"
            ))
        })?;
        let shape = |error| LoadError(format!("its exports do not have the form of contract 0.1.0: {error:#}"));
        Ok(Self {
            engine,
            hash: candidate.hash,
            interfaces,
            lifecycle: lifecycle::GuestIndices::new(&pre).map_err(shape)?,
            exports: Exports {
                attributes: found(interfaces.attributes, || attributes::GuestIndices::new(&pre)).map_err(shape)?,
                processor: found(interfaces.processor, || processor::GuestIndices::new(&pre)).map_err(shape)?,
                sampler: found(interfaces.sampler, || sampler::GuestIndices::new(&pre)).map_err(shape)?,
                state: found(interfaces.state, || state::GuestIndices::new(&pre)).map_err(shape)?,
            },
            pre,
        })
    }
}

/// Looks an interface up, if it is there.
fn found<T>(there: bool, look: impl FnOnce() -> wasmtime::Result<T>) -> wasmtime::Result<Option<T>> {
    there.then(look).transpose()
}
