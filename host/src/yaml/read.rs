//! Typed reading of a section with every fault at once.

use super::{Node, Problems};
use serde::de::DeserializeOwned;

/// Settings of a component: a struct with `#[serde(default, deny_unknown_fields)]` and an `impl Default`.
pub trait Settings: DeserializeOwned + Default + Send + Sync + 'static {
    /// Faults that no type can express: ranges, exclusive keys, keys that this version does not support.
    fn check(&self, check: &mut Check<'_>) {
        let _ = check;
    }
}

/// A part of the configuration that belongs to one component.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Path of the section, as in `exporters::otlp/tempo`.
    pub path: &'a str,
    /// What is written there.
    pub node: &'a Node,
}

impl Section<'_> {
    /// Reads and checks the section; every fault goes to `problems`, and then there is nothing to use.
    pub fn settings<C: Settings>(&self, problems: &mut Problems) -> Option<C> {
        let _ = problems;
        None
    }
}

/// Collects the faults of [`Settings::check`], placed at the keys they are about.
#[derive(Debug)]
pub struct Check<'a> {
    section: Section<'a>,
    problems: &'a mut Problems,
}

impl Check<'_> {
    /// A fault at `key`, a path inside the section as in `policies[0].latency.threshold_ms`; "" is the section itself.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        let origin = &self.section.node.origin;
        self.problems.error(Some(origin), format!("{}::{key}", self.section.path), message);
    }

    /// Something that works but should be changed.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        let origin = &self.section.node.origin;
        self.problems.warning(Some(origin), format!("{}::{key}", self.section.path), message);
    }

    /// Whether `key` is written in the section (not merely a default).
    pub fn is_set(&self, key: &str) -> bool {
        let _ = key;
        false
    }
}
