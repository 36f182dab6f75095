//! What a component says about its own settings, placed at the keys it is about.

use super::read::inside;
use super::{Problems, Section, path};

/// Collects the faults of [`Settings::check`](super::Settings::check), placed at the keys they are about.
#[derive(Debug)]
pub struct Check<'a> {
    section: Section<'a>,
    problems: &'a mut Problems,
    /// Paths that have faults already: what a check finds there may only follow from them.
    tainted: &'a [String],
    failed: bool,
}

impl<'a> Check<'a> {
    pub(super) fn new(section: Section<'a>, problems: &'a mut Problems, tainted: &'a [String]) -> Self {
        Self { section, problems, tainted, failed: false }
    }

    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// A fault at `key`, a path inside the section as in `policies[0].latency.threshold_ms`; "" is the section itself.
    /// It is shown at the deepest part of the path that is written down.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        self.failed = true;
        let found = path::find(self.section.path, self.section.node, key);
        if !self.tainted.iter().any(|path| inside(path, &found.path) || inside(&found.path, path)) {
            self.problems.error(Some(found.origin), found.path, message);
        }
    }

    /// Faults at those of these keys that are set although they mean nothing here: the key, whether it is set, and why not.
    pub fn unsupported<'k>(&mut self, keys: impl IntoIterator<Item = (&'k str, bool, &'k str)>) {
        for (key, _, why) in keys.into_iter().filter(|(_, set, _)| *set) {
            self.error(key, format!("{why}; remove the key"));
        }
    }

    /// Something that works but should be changed.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        let found = path::find(self.section.path, self.section.node, key);
        self.problems.warning(Some(found.origin), found.path, message);
    }

    /// Whether `key` is written in the section with something behind it (not merely a default).
    pub fn is_set(&self, key: &str) -> bool {
        path::find(self.section.path, self.section.node, key).node.is_some_and(|node| !node.is_null())
    }
}
