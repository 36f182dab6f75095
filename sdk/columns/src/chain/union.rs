//! What a plugin wants to see, owned, and what several of them want together.

use crate::{Intrinsic, Level, Wanted};
use alloc::sync::Arc;
use alloc::vec::Vec;
use tailrace_otlp::KeySet;

/// What a plugin wants to see; [`Wanted`] borrows it.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// Attributes by key.
    pub keys: KeySet,
    /// Where to look for them; empty means everywhere.
    pub levels: Vec<Level>,
    /// Fields.
    pub intrinsics: Vec<Intrinsic>,
}

impl Wants {
    /// The same, borrowed.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { keys: &self.keys, levels: &self.levels, intrinsics: &self.intrinsics }
    }

    /// Whether attributes of this level are looked for.
    pub(super) fn at(&self, level: Level) -> bool {
        self.levels.is_empty() || self.levels.contains(&level)
    }
}

/// What several plugins want together: what one scan looks for.
#[derive(Clone, Debug, Default)]
pub struct Union {
    parts: Vec<Arc<Wants>>,
    all: Wants,
}

impl Union {
    /// Of all of these.
    pub fn of(parts: &[Arc<Wants>]) -> Self {
        let mut all = Wants::default();
        let mut everywhere = false;
        for wants in parts {
            all.keys.extend(&wants.keys);
            // Who looks for no attribute looks for it nowhere.
            if !wants.keys.is_empty() {
                everywhere |= wants.levels.is_empty();
                all.levels.extend(&wants.levels);
            }
            all.intrinsics.extend(&wants.intrinsics);
        }
        if everywhere {
            all.levels.clear();
        }
        let mut seen = Vec::new();
        all.intrinsics.retain(|intrinsic| {
            let new = !seen.contains(intrinsic);
            seen.push(*intrinsic);
            new
        });
        Self { parts: parts.to_vec(), all }
    }

    /// Whether this is the union of exactly these, in this order.
    pub fn is_of(&self, parts: &[Arc<Wants>]) -> bool {
        self.parts.len() == parts.len() && self.parts.iter().zip(parts).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Everything that any of them wants, and perhaps more.
    pub fn all(&self) -> &Wants {
        &self.all
    }

    pub(super) fn covers(&self, wants: &Arc<Wants>) -> bool {
        self.parts.iter().any(|part| Arc::ptr_eq(part, wants))
    }

    /// Whether any of them would see an attribute with this key there.
    pub(super) fn wants(&self, level: Level, key: &str) -> bool {
        self.parts.iter().any(|part| part.at(level) && part.keys.find(key.as_bytes()).is_some())
    }
}
