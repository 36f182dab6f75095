//! Patterns of keys and names: there are few different ones, so each is asked about once.

use crate::pattern;
use std::collections::HashMap;
use tailrace_sdk::patterns::Patterns;

/// How many texts are remembered. Whoever sends more different ones makes it slower, not larger.
const TEXTS_MAX: usize = 4096;
/// Longer texts are not names, and are asked about each time.
const TEXT_BYTES_MAX: usize = 256;

/// A set of expressions, and the texts that it has been asked about.
#[derive(Debug)]
pub struct Names {
    patterns: Patterns,
    known: HashMap<String, bool>,
}

impl Names {
    /// Compiles expressions written for the Collector.
    ///
    /// # Errors
    /// The number of the first expression that is none, and what is wrong with it.
    pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, (usize, String)> {
        Ok(Self { patterns: pattern::compile(patterns)?, known: HashMap::new() })
    }

    /// Whether any of the expressions matches anywhere in the text.
    pub fn matches(&mut self, text: &str) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let matches = self.patterns.is_match(text);
        if text.len() <= TEXT_BYTES_MAX {
            if self.known.len() >= TEXTS_MAX {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), matches);
        }
        matches
    }
}
