//! Plugins through a real cache: compiled once, loaded afterwards, compiled again when the entry cannot be trusted.

use super::super::live::Counted;
use super::super::platform::{CacheSettings, Platform, PlatformSettings};
use super::super::tests::{guests, options};
use super::super::{Candidate, LoadError, Plugin};
use super::*;
use crate::telemetry::Metrics;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

struct Fixture {
    place: tempfile::TempDir,
    bytes_max: u64,
}

impl Fixture {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap(), bytes_max: 1 << 30 }
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("cache")
    }

    /// As a new process would find it.
    fn platform(&self) -> Arc<Platform> {
        let cache = CacheSettings { directory: Some(self.directory()), bytes_max: self.bytes_max };
        Platform::new(PlatformSettings { cache, ..PlatformSettings::default() })
    }

    /// Where the machine code of this plugin comes from.
    fn from(&self, candidate: &Candidate) -> Result<String, LoadError> {
        let metrics = Metrics::default();
        let counted = Counted { metrics: &metrics, labels: &[] };
        let plugin = Plugin::load_in(&self.platform(), None, candidate, options("{}"), counted)?;
        Ok(plugin.status()["code"]["from"].as_str().unwrap().to_owned())
    }

    fn entries(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.directory()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// Each test has a file of its own: programs that live in the process are shared, whatever the cache says.
fn candidate(stamp: &str) -> Candidate {
    Candidate::new(guests::stamped(stamp))
}

/// The second start does not compile; the entry is private.
#[test]
fn compiled_once() {
    let (fixture, candidate) = (Fixture::new(), candidate("cached-00001"));
    assert_eq!(fixture.from(&candidate).unwrap(), "compiler");
    assert_eq!(fixture.from(&candidate).unwrap(), "cache");
    assert!(fixture.platform().has_compiled(candidate.hash()));
    let [entry] = &fixture.entries()[..] else { panic!("{:?}", fixture.entries()) };
    assert!(entry.file_name().unwrap().to_string_lossy().starts_with(&candidate.hash().to_string()));
    assert_eq!(std::fs::metadata(entry).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Whatever happens to an entry, it is compiled again, and the entry is good again.
#[test]
fn what_is_damaged_is_compiled_again() {
    let (fixture, candidate) = (Fixture::new(), candidate("cached-00002"));
    fixture.from(&candidate).unwrap();
    let entry = fixture.entries().remove(0);
    let whole = std::fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let middle = whole.len() / 2;
    let damages = [flipped(45), flipped(100), flipped(middle), vec![7]];
    for (number, damaged) in damages.into_iter().enumerate() {
        std::fs::write(&entry, damaged).unwrap();
        assert_eq!(fixture.from(&candidate).unwrap(), "compiler", "damage {number}");
        assert_eq!(fixture.from(&candidate).unwrap(), "cache", "after damage {number}");
    }
    // The entry of another plugin under this name: whole, but not what was asked for.
    let other = self::candidate("cached-00003");
    fixture.from(&other).unwrap();
    let entry_of_other = fixture.entries().into_iter().find(|path| *path != entry).unwrap();
    std::fs::copy(entry_of_other, &entry).unwrap();
    assert_eq!(fixture.from(&candidate).unwrap(), "compiler");
}

/// A directory that others may write to is not used, and the plugin runs all the same; nor is a file that others may have
/// written.
#[test]
fn what_others_may_write_is_not_used() {
    let (fixture, candidate) = (Fixture::new(), candidate("cached-00004"));
    fixture.from(&candidate).unwrap();
    set_permissions(&fixture.entries()[0], Permissions::from_mode(0o622)).unwrap();
    assert_eq!(fixture.from(&candidate).unwrap(), "compiler");
    assert_eq!(fixture.from(&candidate).unwrap(), "cache");
    set_permissions(fixture.directory(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(fixture.from(&candidate).unwrap(), "compiler");
    assert_eq!(fixture.from(&candidate).unwrap(), "compiler");
}

/// The cache has a size: what is used stays, what is too large for it is not kept.
#[test]
fn the_size_is_bounded() {
    let mut fixture = Fixture::new();
    let [first, second, third] = ["cached-00005", "cached-00006", "cached-00007"].map(candidate);
    fixture.from(&first).unwrap();
    let one = std::fs::metadata(&fixture.entries()[0]).unwrap().len();
    fixture.bytes_max = one * 5 / 2;
    let since = std::time::SystemTime::now();
    let entry_of = |candidate: &Candidate| {
        let hash = candidate.hash().to_string();
        fixture.entries().into_iter().find(|path| path.to_string_lossy().contains(&hash))
    };
    let last_used = |candidate: &Candidate, seconds: u64| {
        let file = std::fs::File::open(entry_of(candidate).unwrap()).unwrap();
        file.set_modified(since - Duration::from_secs(seconds)).unwrap();
    };
    fixture.from(&second).unwrap();
    last_used(&first, 20);
    last_used(&second, 10);
    assert_eq!(fixture.from(&first).unwrap(), "cache", "now it is the second that was not used for long");
    fixture.from(&third).unwrap();
    assert!(entry_of(&first).is_some() && entry_of(&second).is_none() && entry_of(&third).is_some());
    fixture.bytes_max = one / 2;
    assert_eq!(fixture.from(&second).unwrap(), "compiler");
    assert_eq!(fixture.from(&second).unwrap(), "compiler");
}

/// Several processes at one cache: whoever loads finds nothing or something whole.
#[test]
fn many_at_once() {
    let fixture = Fixture::new();
    let candidates = ["cached-00008", "cached-00009"].map(candidate);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| candidates.iter().for_each(|candidate| drop(fixture.from(candidate).unwrap())));
        }
    });
    assert_eq!(fixture.entries().len(), 2, "{:?}", fixture.entries());
}

/// The key tells engines apart, and does not change from one look to the next.
#[test]
fn keys() {
    let engine = super::super::engine::engine().unwrap();
    let other = wasmtime::Engine::default();
    let compiling = |functions| super::super::engine::for_compiling(true, functions).unwrap();
    assert_eq!(key(&engine.wasm), key(&engine.wasm));
    assert_eq!(key(&engine.wasm), key(&compiling(None)), "compiling on all cores gives the same code");
    let functions = super::super::functions::Functions::new(1 << 20);
    assert_eq!(key(&engine.wasm), key(&compiling(Some(functions))), "and so does taking what is compiled already");
    assert_ne!(key(&engine.wasm), key(&other));
}
