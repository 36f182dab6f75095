//! What a plugin wants to see, checked when it is loaded.

use super::bindings::lifecycle::{AttributeSelector, Instances, Interest as Stated, Level as StatedLevel};
use super::bindings::types;
use super::contract::Kind;
use super::error::LoadError;
use super::log::cut;
use crate::pdata::{Batch, Signal};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
use tailrace_columns::{Intrinsic, Level, Wants};
use tailrace_otlp::{KeySet, contains_any};

/// Selectors of attributes that one plugin may state.
const SELECTORS_MAX: usize = 1000;
/// Bytes of one selector.
const SELECTOR_BYTES_MAX: usize = 1024;

/// A checked interest.
#[derive(Clone, Debug)]
pub(super) struct Interest {
    kind: Kind,
    signals: Vec<Signal>,
    /// The attributes as it stated them; a prefix ends in `*`.
    pub(super) stated: Vec<String>,
    /// What is projected, or what a batch must have to be of interest.
    pub(super) wants: Arc<Wants>,
    /// Called also for batches without any of it.
    pub(super) always: bool,
    pub(super) single: bool,
}

impl Deref for Interest {
    type Target = Wants;

    fn deref(&self) -> &Wants {
        &self.wants
    }
}

impl Interest {
    /// Checks what a plugin of `kind` stated.
    pub(super) fn check(stated: Stated, kind: Kind) -> Result<Self, LoadError> {
        let mut signals = once(stated.signals.into_iter().map(from_contract));
        if signals.is_empty() {
            signals.extend(Signal::ALL);
        }
        if stated.attributes.len() > SELECTORS_MAX {
            let count = stated.attributes.len();
            return Err(LoadError(format!(
                "its interest names {count} attributes; at most {SELECTORS_MAX} are possible"
            )));
        }
        let mut keys = KeySet::new();
        let shown = |selector: &AttributeSelector| match selector {
            AttributeSelector::Exact(key) => key.clone(),
            AttributeSelector::Prefix(prefix) => format!("{prefix}*"),
            AttributeSelector::All => "*".to_owned(),
        };
        let attributes = stated.attributes.iter().map(shown).collect();
        for selector in stated.attributes {
            match selector {
                AttributeSelector::Exact(key) | AttributeSelector::Prefix(key) if key.len() > SELECTOR_BYTES_MAX => {
                    return Err(LoadError(format!(
                        "its interest names an attribute of {} bytes; at most {SELECTOR_BYTES_MAX} are possible",
                        key.len()
                    )));
                }
                AttributeSelector::Exact(key) => keys.add(&key),
                AttributeSelector::Prefix(prefix) => keys.add_prefix(&prefix),
                AttributeSelector::All => keys.add_all(),
            };
        }
        let intrinsics = stated.intrinsics.iter().map(|name| {
            Intrinsic::from_name(name).ok_or_else(|| {
                let known: Vec<_> = Intrinsic::ALL.iter().map(|known| known.name()).collect();
                LoadError(format!(
                    "its interest names the intrinsic {:?}, which this Tailrace does not know (it knows {}): use a \
                     newer Tailrace",
                    cut(name, 100),
                    known.join(", ")
                ))
            })
        });
        let intrinsics = intrinsics.collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) =
            intrinsics.iter().enumerate().find(|(at, it)| intrinsics.iter().take(*at).any(|one| one == *it))
        {
            return Err(LoadError(format!(
                "its interest names the intrinsic {:?} twice: once is enough",
                twice.1.name()
            )));
        }
        if kind == Kind::Processor && (stated.always || !(stated.levels.is_empty() && intrinsics.is_empty())) {
            return Err(LoadError::new(
                "its interest names levels or intrinsics, or says `always`, which only `attributes` plugins can ask \
                 for; this one exports `processor`",
            ));
        }
        if kind == Kind::Attributes && keys.is_empty() && intrinsics.is_empty() && !stated.always {
            return Err(LoadError::new(
                "its interest names neither attributes nor intrinsics, so it would never be called: check its `config`",
            ));
        }
        let level = |level| match level {
            StatedLevel::Resource => Level::Resource,
            StatedLevel::Scope => Level::Scope,
            StatedLevel::Item => Level::Item,
            StatedLevel::Event => Level::Event,
            StatedLevel::Link => Level::Link,
            StatedLevel::Exemplar => Level::Exemplar,
            StatedLevel::Metric => Level::Metric,
        };
        let levels = once(stated.levels.into_iter().map(level));
        let single = matches!(stated.instances, Instances::Single);
        let wants = Arc::new(Wants { keys, levels, intrinsics });
        Ok(Self { kind, signals, stated: attributes, wants, always: stated.always, single })
    }

    /// Whether a further instance that states this can take the place of the first one. It is shown what the first one asked
    /// for, and counts its fields as it stated them; the order of all else does not matter.
    pub(super) fn agrees_with(&self, stated: Stated) -> bool {
        let Ok(other) = Self::check(stated, self.kind) else { return false };
        let same_set = |one: &[String], other: &[String]| {
            one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
        };
        let within = |one: &Self, other: &Self| {
            one.signals.iter().all(|signal| other.signals.contains(signal))
                && one.levels.iter().all(|level| other.levels.contains(level))
        };
        (self.always, self.single, &self.intrinsics) == (other.always, other.single, &other.intrinsics)
            && same_set(&self.stated, &other.stated)
            && within(self, &other)
            && within(&other, self)
    }

    /// Whether anything that it asks for can be in the batch. No copy and no call are spent if not.
    pub(super) fn may_matter(&self, batch: &Batch) -> bool {
        if self.always || !self.intrinsics.is_empty() || self.keys.is_empty() {
            return true;
        }
        contains_any(batch.signal(), batch.data(), batch.index(), &self.keys)
    }

    /// Whether batches of this signal are of interest.
    pub(super) fn wants(&self, signal: Signal) -> bool {
        self.signals.contains(&signal)
    }
}

/// Each of them once: what says the same a million times is looked through for every batch otherwise.
fn once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

fn from_contract(signal: types::Signal) -> Signal {
    match signal {
        types::Signal::Traces => Signal::Traces,
        types::Signal::Metrics => Signal::Metrics,
        types::Signal::Logs => Signal::Logs,
    }
}

/// A signal as the contract has it.
pub(super) fn to_contract(signal: Signal) -> types::Signal {
    match signal {
        Signal::Traces => types::Signal::Traces,
        Signal::Metrics => types::Signal::Metrics,
        Signal::Logs => types::Signal::Logs,
    }
}
