//! Compiled plugins on disk, so that the second start does not compile again: an interpreter takes many seconds to compile,
//! and milliseconds to load.
//!
//! An entry is one file, `<SHA-256 of the .wasm>-<engine key>.aot`. The key stands for everything that decides about the
//! machine code: wasmtime's version and settings and the processor ([`wasmtime::Engine::precompile_compatibility_hash`]),
//! the version of the contract and the form of the file. So another host, processor or release finds nothing and
//! compiles; a stale entry is never loaded, and is evicted in time.
//!
//! **What is trusted.** Machine code runs with the rights of this process; nothing in it can be checked. It is loaded only
//! from a [`PrivateDir`], from files that belong to this user and that nobody else may write, never from a plugin directory,
//! never from a link. The SHA-256 in front of each entry finds damage (a torn write, a bad disk), not malice: who can
//! write files as this user could write a matching one, and could as well attach a debugger to the process. A key
//! would not help, since it would have to lie where the same user can read it. Root can do anything. So: give the
//! directory to nobody else, and do not put it on a volume that containers of other users share.
//!
//! The bytes that are hashed are the bytes that are loaded: they are read once, into memory. Mapping the file would save the
//! copy, but a file that changes or a disk that fails under a mapping kills the process.

use super::engine::Engine;
use super::private_dir::PrivateDir;
use super::program::Hash;
use sha2::{Digest, Sha256};
use std::hash::{Hash as _, Hasher};
use std::path::Path;
use std::time::Duration;
use wasmtime::component::Component;

/// How the names of entries end.
const ENDING: &str = ".aot";
/// The form of an entry: a new number for each change.
const MAGIC: [u8; 8] = *b"TRAILAO1";
/// Magic, key, hash of the .wasm, milliseconds of compiling, tag.
const HEADER: usize = 8 + 32 + 32 + 8 + 32;
const TAG: std::ops::Range<usize> = HEADER - 32..HEADER;

/// Entries in a private directory.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: PrivateDir,
    bytes_max: u64,
}

/// A component as it was found.
pub(super) struct Found {
    pub(super) component: Component,
    /// How long it had taken to compile it.
    pub(super) compiling: Duration,
}

impl Cache {
    /// Entries in `directory`, together with whatever else is in it at most `bytes_max`.
    pub(super) fn new(directory: PrivateDir, bytes_max: u64) -> Self {
        Self { directory, bytes_max }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether `hash` is there, compiled for this engine.
    pub(super) fn has(&self, engine: &Engine, hash: Hash) -> bool {
        self.path().join(name(hash, &key(&engine.wasm))).is_file()
    }

    /// The component of the file with this hash. What is damaged is removed, with a warning.
    pub(super) fn load(&self, engine: &Engine, hash: Hash) -> Option<Found> {
        let key = key(&engine.wasm);
        let name = name(hash, &key);
        let bytes = match self.directory.read(&name, self.bytes_max) {
            Ok(bytes) => bytes?,
            Err(error) => {
                self.damaged(&name, &error);
                return None;
            }
        };
        let found = open(&bytes, hash, &key).and_then(|(code, compiling)| {
            let component = deserialize(engine, code).map_err(|error| format!("{error:#}"))?;
            Ok(Found { component, compiling })
        });
        found.map_err(|reason| self.damaged(&name, &reason)).ok()
    }

    /// Keeps machine code, and evicts what was used least recently where there is no room. Failing is no harm but time
    /// at the next start: a warning.
    pub(super) fn keep(&self, engine: &Engine, hash: Hash, code: &[u8], compiling: Duration) {
        let key = key(&engine.wasm);
        let size = (HEADER + code.len()) as u64;
        if size > self.bytes_max {
            let (mib, limit) = (size >> 20, self.bytes_max >> 20);
            tracing::warn!(hash = hash.short(), mib, limit, "a compiled plugin is larger than the cache (size_mib)");
            return;
        }
        let name = name(hash, &key);
        let millis = u64::try_from(compiling.as_millis()).unwrap_or(u64::MAX).to_le_bytes();
        let head = [&MAGIC[..], &key, &hash.bytes(), &millis].concat();
        let tag = tag(&head, code);
        match self.directory.write(&name, &[&head, &tag, code]) {
            Ok(()) => self.make_room(&name),
            Err(error) => tracing::warn!(directory = %self.path().display(), %error, "cannot keep a compiled plugin"),
        }
    }

    /// Evicts what is too much, compiled plugins first.
    pub(super) fn make_room(&self, keep: &str) {
        let evicted = self.directory.evict(self.bytes_max, |name| name.ends_with(ENDING), keep);
        if evicted > 0 {
            tracing::info!(
                evicted,
                limit_mib = self.bytes_max >> 20,
                "compiled plugins left the cache for lack of room"
            );
        }
    }

    /// The directory, for what else is kept there.
    pub(super) fn directory(&self) -> &PrivateDir {
        &self.directory
    }

    fn damaged(&self, name: &str, reason: &dyn std::fmt::Display) {
        let directory = self.path().display();
        tracing::warn!(%directory, file = name, "a compiled plugin in the cache cannot be used and is removed: {reason}");
        self.directory.remove(name);
    }
}

/// The machine code of an entry, and how long compiling took.
fn open<'a>(bytes: &'a [u8], hash: Hash, key: &[u8; 32]) -> Result<(&'a [u8], Duration), String> {
    let (header, code) = bytes.split_at_checked(HEADER).ok_or("it is too short")?;
    let head = header.get(..TAG.start).ok_or("it is too short")?;
    let expected = [&MAGIC[..], key, &hash.bytes()].concat();
    let millis = head.strip_prefix(&expected[..]).ok_or("it is of another form or for another host")?;
    if header.get(TAG) != Some(&tag(head, code)[..]) {
        return Err("it is damaged (its SHA-256 does not fit)".to_owned());
    }
    let millis = millis.try_into().map(u64::from_le_bytes).unwrap_or_default();
    Ok((code, Duration::from_millis(millis)))
}

fn tag(head: &[u8], code: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(head).chain_update(code).finalize().into()
}

fn name(hash: Hash, key: &[u8; 32]) -> String {
    let key: String = key.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}-{key}{ENDING}")
}

/// What machine code depends on besides the .wasm.
fn key(engine: &wasmtime::Engine) -> [u8; 32] {
    /// Feeds what is hashed to SHA-256, which is the same in every build.
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(Sha256::new_with_prefix(MAGIC));
    super::contract::VERSION.hash(&mut feed);
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize().into()
}

/// Turns machine code into a component. It comes from a file that only this user can have written (see the module), or
/// from a process of our own that has just compiled it.
#[expect(unsafe_code, reason = "the one place where machine code enters; the module says what it is trusted for")]
pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Engine::precompile_component` of this very build and settings: the cache checks the
    // key of the engine and the owner of the file, the compiler starts our own executable. wasmtime itself refuses code
    // for other versions, settings and processors.
    unsafe { Component::deserialize(&engine.wasm, code) }
}

#[cfg(test)]
mod tests;
