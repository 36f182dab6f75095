//! What is known of the plugins of a directory: a slot for each name.

use crate::plugin::Hash;
use crate::plugin::directory::look::{Fingerprint, Look};
use crate::plugin::stage::Member;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// What is known of the directory.
#[derive(Default)]
pub(super) struct State {
    pub(super) slots: BTreeMap<String, Slot>,
    /// What is wrong with the directory itself.
    pub(super) problem: Option<String>,
    /// What lies there and is of no use.
    pub(super) strays: Vec<String>,
}

/// A name.
#[derive(Default)]
pub(super) struct Slot {
    /// What its files looked like when they were last read.
    pub(super) read: Option<Pair>,
    /// What they looked like a moment ago, if that is not what was read.
    pub(super) pending: Option<(Look, Look)>,
    /// The hash of the file and the sidecar that run.
    pub(super) runs: Option<(Hash, Option<String>)>,
    pub(super) member: Option<Arc<Member>>,
    /// It is being loaded, and this is what is shown meanwhile.
    pub(super) busy: bool,
    /// Since when the file, or only the sidecar, is not there.
    pub(super) gone: Option<Instant>,
    pub(super) sidecar_gone: Option<Instant>,
    pub(super) note: Note,
}

/// Fingerprints of a file and its sidecar.
pub(super) type Pair = (Fingerprint, Option<Fingerprint>);

/// Why what lies there does not run.
#[derive(Clone, Default, PartialEq)]
pub(super) enum Note {
    #[default]
    None,
    /// It belongs into tail sampling.
    Sampler,
    Problem(String),
}

impl State {
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.slots.values().filter_map(|slot| slot.member.clone()).collect()
    }

    pub(super) fn running(&self) -> usize {
        self.slots.values().filter(|slot| slot.member.is_some()).count()
    }

    /// Takes a slot to work on it, and leaves what is shown meanwhile; `None` if somebody works on it already.
    pub(super) fn take(&mut self, name: &str) -> Option<Slot> {
        let slot = self.slots.entry(name.to_owned()).or_default();
        if slot.busy {
            return None;
        }
        let shown = Slot { busy: true, ..slot.shown() };
        Some(std::mem::replace(slot, shown))
    }

    /// Whether it is certain if one more may run: not while others are being loaded that may take the last place.
    pub(super) fn has_room(&self, max: usize) -> bool {
        let running = self.running();
        // The one that asks is busy itself.
        let coming = self.slots.values().filter(|slot| slot.busy && slot.member.is_none()).count().saturating_sub(1);
        running >= max || running + coming < max
    }
}

impl Slot {
    /// What is shown while it is being worked on.
    pub(super) fn shown(&self) -> Self {
        let (runs, member, note) = (self.runs.clone(), self.member.clone(), self.note.clone());
        Self { runs, member, note, gone: self.gone, ..Self::default() }
    }

    /// What it runs, and since when.
    pub(super) fn heir(&self) -> Option<((Hash, Option<String>), Instant)> {
        Some((self.runs.clone()?, self.member.as_ref()?.born()))
    }
}
