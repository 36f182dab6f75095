//! The last good version of each plugin on disk, so that a restart with a bad file in the plugin directory can start it.
//!
//! For each place in the configuration (a component and the file that it follows) there are up to three files in the
//! directory of the cache: `<place>.good`, the version that has proved itself; `<place>.next`, the one that runs and is
//! still watched; `<place>.bad`, which version was taken back and why. The first two hold the `.wasm` itself behind its
//! SHA-256; it is compiled like any other. They say which plugin runs, so they lie in the
//! [`super::private_dir::PrivateDir`], under its rules. Two collectors with the same configuration share them.
//!
//! Everything here blocks, and failing is a warning: what cannot be kept is not there after a restart.

use super::cache::Cache;
use super::program::{Candidate, Hash};
use serde_json::{Value, json};
use std::path::Path;

const MAGIC: [u8; 8] = *b"TRAILGD1";
const HEADER: usize = 8 + 32;
/// Largest file that is read.
const BYTES_MAX: u64 = 4 << 30;

/// The files of one place.
#[derive(Clone, Debug)]
pub(super) struct LastGood {
    cache: Cache,
    place: String,
}

impl LastGood {
    /// Of the component `name` that follows `file`.
    pub(super) fn new(cache: &Cache, name: &str, file: &Path) -> Self {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let place = Hash::of(format!("{name}\n{}", file.display()).as_bytes());
        Self { cache: cache.clone(), place: place.to_string().chars().take(32).collect() }
    }

    /// The last good version.
    pub(super) fn good(&self) -> Option<Candidate> {
        self.read("good")
    }

    /// Keeps a version that loads: as the one that may prove itself, or as the good one if there is none.
    pub(super) fn propose(&self, candidate: &Candidate) {
        let good = self.good().map(|good| good.hash());
        if good == Some(candidate.hash()) {
            return;
        }
        let ending = if good.is_none() { "good" } else { "next" };
        let parts: [&[u8]; 3] = [&MAGIC, &candidate.hash().bytes(), candidate.bytes()];
        match self.cache.directory().write(&self.name(ending), &parts) {
            Ok(()) => self.cache.make_room(&self.name(ending)),
            Err(error) => self.warn("cannot keep a version of a plugin", &error),
        }
    }

    /// The version with this hash has proved itself.
    pub(super) fn confirm(&self, hash: Hash) {
        if self.read("next").is_some_and(|next| next.hash() == hash)
            && let Err(error) = self.cache.directory().rename(&self.name("next"), &self.name("good"))
        {
            self.warn("cannot keep the last good version of a plugin", &error);
        }
    }

    /// The version with this hash was taken back.
    pub(super) fn condemn(&self, hash: Hash, reason: &str) {
        self.cache.directory().remove(&self.name("next"));
        let text = json!({"hash": hash.to_string(), "reason": reason}).to_string();
        if let Err(error) = self.cache.directory().write(&self.name("bad"), &[text.as_bytes()]) {
            self.warn("cannot note that a version of a plugin was taken back", &error);
        }
    }

    /// Why the version with this hash was taken back, if it was.
    pub(super) fn condemned(&self, hash: Hash) -> Option<String> {
        let bytes = self.cache.directory().read(&self.name("bad"), 64 << 10).ok()??;
        let bad: Value = serde_json::from_slice(&bytes).ok()?;
        let reason = bad.get("reason")?.as_str()?.to_owned();
        (bad.get("hash")?.as_str()? == hash.to_string()).then_some(reason)
    }

    /// Another file is there: the old judgement is forgotten.
    pub(super) fn pardon(&self) {
        self.cache.directory().remove(&self.name("bad"));
    }

    fn read(&self, ending: &str) -> Option<Candidate> {
        let name = self.name(ending);
        let bytes = match self.cache.directory().read(&name, BYTES_MAX) {
            Ok(bytes) => bytes?,
            Err(error) => {
                self.warn("cannot read a version of a plugin", &error);
                return None;
            }
        };
        let (header, wasm) = bytes.split_at_checked(HEADER)?;
        let candidate = Candidate::new(wasm);
        if header != [&MAGIC[..], &candidate.hash().bytes()].concat() {
            self.warn("a version of a plugin is damaged and is removed", &name);
            self.cache.directory().remove(&name);
            return None;
        }
        Some(candidate)
    }

    fn name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.place)
    }

    fn warn(&self, what: &str, reason: &dyn std::fmt::Display) {
        tracing::warn!(directory = %self.cache.path().display(), "{what}: {reason}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::private_dir::PrivateDir;
    use super::*;

    /// The first version that loads is the good one until another has proved itself; a version that was taken back is
    /// known until another file is there; damage is noticed.
    #[test]
    fn the_life_of_a_place() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::new(PrivateDir::open(&place.path().join("cache")).unwrap(), 1 << 20);
        let file = Path::new("plugins/redact.wasm");
        let kept = LastGood::new(&cache, "wasm/redact@traces", file);
        let good = || kept.good().map(|good| good.hash());
        let [first, second, third] = [&b"one"[..], b"two", b"three"].map(Candidate::new);
        assert_eq!(good(), None);
        kept.propose(&first);
        assert_eq!(good(), Some(first.hash()));
        kept.propose(&second);
        assert_eq!(good(), Some(first.hash()));
        kept.confirm(third.hash());
        assert_eq!(good(), Some(first.hash()));
        kept.confirm(second.hash());
        assert_eq!(good(), Some(second.hash()));
        kept.propose(&third);
        kept.condemn(third.hash(), "it trapped");
        assert_eq!(kept.condemned(third.hash()).as_deref(), Some("it trapped"));
        assert_eq!((kept.condemned(second.hash()), good()), (None, Some(second.hash())));
        kept.confirm(third.hash());
        assert_eq!(good(), Some(second.hash()));
        kept.pardon();
        assert_eq!(kept.condemned(third.hash()), None);
        assert!(LastGood::new(&cache, "wasm/redact@logs", file).good().is_none(), "places are apart");

        let name = kept.name("good");
        let mut bytes = std::fs::read(cache.path().join(&name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(cache.path().join(&name), bytes).unwrap();
        assert_eq!(good(), None);
        assert!(!cache.path().join(&name).exists());
    }
}
