//! A version of a plugin before it is configured: read once, hashed, compiled and linked from those very bytes.
//!
//! Compiling blocks for milliseconds to minutes; nothing here is called on the data path. Programs are shared: a plugin
//! that three pipelines use is compiled once. Where there is a cache it is asked first.

use super::bindings::{attributes, lifecycle, processor, sampler, state};
use super::cache;
use super::compile::{Urgency, Where};
use super::contract::{self, Interfaces};
use super::engine::{Engine, engine};
use super::error::LoadError;
use super::guest::Guest;
use super::log::cut;
use super::platform::Platform;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, InstancePre};

/// SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
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

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
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

/// Where the machine code of a program came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the cache, where it had been put after `compiling`.
    Cache { compiling: Duration },
    /// Compiled for this start or reload.
    Compiled(Where),
}

/// What loading a program takes besides the file.
#[derive(Clone, Copy)]
pub(super) struct Loader<'a> {
    pub(super) platform: &'a Platform,
    pub(super) urgency: Urgency,
    /// Whether the machine code is kept in the cache, if there is one.
    pub(super) keep: bool,
    /// Set when nobody needs the program any more.
    pub(super) cancelled: &'a AtomicBool,
}

/// A compiled and linked component.
pub(super) struct Program {
    pub(super) origin: Origin,
    /// How long it took to get hold of the machine code.
    pub(super) took: Duration,
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
    /// Compiles a candidate, or finds it compiled already: by this process, or in the cache.
    pub(super) fn compile(candidate: &Candidate, loader: Loader<'_>) -> Result<Arc<Self>, LoadError> {
        static COMPILED: Mutex<Option<HashMap<Hash, Weak<Program>>>> = Mutex::new(None);
        static TURNS: Mutex<Option<HashMap<Hash, Weak<Mutex<()>>>>> = Mutex::new(None);
        // Whoever wants the same meanwhile waits for it instead of doing it again.
        let turn = shared(&TURNS, candidate.hash, || Ok(Arc::default()))?;
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&COMPILED, candidate.hash, || Self::compile_anew(candidate, loader).map(Arc::new))
            .map_err(LoadError::tidy)
    }

    fn compile_anew(candidate: &Candidate, loader: Loader<'_>) -> Result<Self, LoadError> {
        contract::check_header(&candidate.bytes)?;
        let engine = engine().map_err(|error| LoadError(format!("WebAssembly does not work here: {error}")))?;
        let start = Instant::now();
        let (component, origin) = component(candidate, engine, loader)?;
        let took = start.elapsed();
        tracing::debug!(hash = candidate.hash.short(), ?origin, ?took, "machine code of a plugin");
        let interfaces = contract::inspect(&engine.wasm, &component)?;
        let pre = engine.linker.instantiate_pre(&component).map_err(|error| {
            let error = format!("{error:#}");
            let what = cut(&error, contract::NAMES_BYTES);
            LoadError(format!(
                "it asks for something that plugins are not given: {what} (plugins get \
                 tailrace:plugin/host@0.1.0 and WASI 0.2 without files and network)"
            ))
        })?;
        let shape = |error| LoadError(format!("its exports do not have the form of contract 0.1.0: {error:#}"));
        Ok(Self {
            origin,
            took,
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

/// What is known under this hash, for as long as somebody has it; else what `make` makes, which is not done under the lock.
fn shared<T>(
    known: &Mutex<Option<HashMap<Hash, Weak<T>>>>,
    hash: Hash,
    make: impl FnOnce() -> Result<Arc<T>, LoadError>,
) -> Result<Arc<T>, LoadError> {
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    let find = |known: &Option<HashMap<Hash, Weak<T>>>| known.as_ref().and_then(|known| known.get(&hash)?.upgrade());
    if let Some(found) = find(&lock()) {
        return Ok(found);
    }
    let made = make()?;
    let mut known = lock();
    // Somebody may have been quicker.
    if let Some(found) = find(&known) {
        return Ok(found);
    }
    let known = known.get_or_insert_default();
    known.retain(|_, value| value.strong_count() > 0);
    known.insert(hash, Arc::downgrade(&made));
    Ok(made)
}

/// The component from the cache, or compiled.
fn component(candidate: &Candidate, engine: &Engine, loader: Loader<'_>) -> Result<(Component, Origin), LoadError> {
    let cache = loader.platform.cache().filter(|_| loader.keep);
    if let Some(found) = cache.and_then(|cache| cache.load(engine, candidate.hash)) {
        return Ok((found.component, Origin::Cache { compiling: found.compiling }));
    }
    let start = Instant::now();
    let compiler = loader.platform.compiler();
    let (code, compiled_where) = compiler.compile(&candidate.bytes, loader.urgency, loader.cancelled)?;
    let compiling = start.elapsed();
    let component = cache::deserialize(engine, &code)
        .map_err(|error| LoadError(format!("its machine code cannot be used: {error:#}")))?;
    if let Some(cache) = cache {
        cache.keep(engine, candidate.hash, &code, compiling);
    }
    Ok((component, Origin::Compiled(compiled_where)))
}

/// Looks an interface up, if it is there.
fn found<T>(there: bool, look: impl FnOnce() -> wasmtime::Result<T>) -> wasmtime::Result<Option<T>> {
    there.then(look).transpose()
}
