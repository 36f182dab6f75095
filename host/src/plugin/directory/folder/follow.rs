//! A look at the directory: what lies there, beside what runs. A pair of files that has changed and is at rest is read, and loaded
//! on another thread; what vanished goes on for `grace`, and is let go.

use super::slots::{Note, Slot, State};
use super::{Folder, SIDECAR_BYTES_MAX, lying};
use crate::plugin::Candidate;
use crate::plugin::directory::STABLE;
use crate::plugin::directory::loads::Loads;
use crate::plugin::directory::look::{self, Look};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What is to be done about a plugin that is there.
enum Next {
    /// Nothing; look again then.
    Rest(Option<Duration>),
    /// Bring it in step with this file and sidecar.
    Load(Candidate, Option<String>),
}

impl Folder {
    /// Brings what runs in step with the directory; gives when to look again.
    pub(in crate::plugin::directory) fn follow(self: &Arc<Self>, loads: &Loads) -> Option<Duration> {
        let mut guard = self.state();
        let state = &mut *guard;
        let names = match lying::plugins(&self.options.path) {
            Ok(names) => names,
            Err(problem) => {
                if state.problem.as_ref() != Some(&problem) {
                    let running = state.running();
                    tracing::warn!(running, "the plugins of the directory go on as they are: {problem}");
                    state.problem = Some(problem);
                }
                return None;
            }
        };
        if state.problem.take().is_some() {
            tracing::info!(directory = %self.options.path.display(), "the plugin directory is there");
        }
        let strays = lying::strays(&self.options.path, &names);
        for stray in strays.iter().filter(|stray| !state.strays.contains(stray)) {
            tracing::warn!("{stray}");
        }
        state.strays = strays;
        drop(guard);
        self.bring(&names, loads)
    }

    /// Only the thread of the directory comes here. The state is not locked while something is loaded: neither the status nor
    /// the other plugins wait for that.
    fn bring(self: &Arc<Self>, names: &BTreeMap<String, (Look, Look)>, loads: &Loads) -> Option<Duration> {
        let mut soon = None;
        for (name, pair) in names {
            let Some(mut slot) = self.state().take(name) else { continue };
            if slot.gone.take().is_some() {
                tracing::info!(plugin = name, "the plugin is there again");
                // It may be another file: look closely.
                slot.read = None;
            }
            match self.follow_pair(name, pair, &mut slot) {
                Next::Rest(again) => {
                    soon = earlier(soon, again);
                    self.state().slots.insert(name.clone(), slot);
                }
                Next::Load(candidate, sidecar) => {
                    let work = Work { folder: Arc::clone(self), name: name.clone(), slot };
                    loads.start(move |ending| work.load(&candidate, sidecar, ending));
                }
            }
        }
        let mut state = self.state();
        soon = earlier(soon, self.let_go(&mut state, names));
        let members = state.members();
        drop(state);
        self.loader.publish(members);
        soon
    }

    /// One plugin that is there.
    fn follow_pair(&self, name: &str, pair: &(Look, Look), slot: &mut Slot) -> Next {
        let now = pair.0.fingerprint().map(|module| (module, pair.1.fingerprint()));
        if now.is_some() && now == slot.read && !matches!(pair.1, Look::Unusable(_)) {
            (slot.pending, slot.sidecar_gone) = (None, None);
            return Next::Rest(None);
        }
        if slot.pending.as_ref() != Some(pair) {
            // Not seen like this before: wait, and look again.
            slot.pending = Some(pair.clone());
            return Next::Rest(Some(STABLE));
        }
        if pair.1 == Look::Missing && matches!(&slot.runs, Some((_, Some(_)))) && slot.member.is_some() {
            // Whatever was wrong with the sidecar before, this is what is wrong now.
            let news = slot.sidecar_gone.is_none();
            let since = *slot.sidecar_gone.get_or_insert_with(Instant::now);
            let rest = self.options.grace.saturating_sub(since.elapsed());
            if !rest.is_zero() {
                if news {
                    let problem = format!("its sidecar {} is gone", self.sidecar(name).display());
                    tracing::warn!(plugin = name, "{problem}; its configuration goes on for another {rest:.0?}");
                    slot.note = Note::Problem(problem);
                }
                return Next::Rest(Some(rest.min(self.options.grace)));
            }
        }
        slot.sidecar_gone = None;
        if slot.member.is_none() && !self.state().has_room(self.options.plugins_max) {
            // Others that may take the last place are being loaded: this one waits for what comes of them.
            return Next::Rest(None);
        }
        let read = match &pair.0 {
            Look::Unusable(problem) => Err(problem.clone()),
            _ => look::read(&self.file(name), self.options.bytes_max),
        };
        let sidecar = match &pair.1 {
            Look::Missing => Ok(None),
            Look::Unusable(problem) => Err(problem.clone()),
            Look::File(_) => look::read_text(&self.sidecar(name), SIDECAR_BYTES_MAX).map(Some),
        };
        if (look::of(&self.file(name)), look::of(&self.sidecar(name))) != *pair {
            slot.pending = None;
            return Next::Rest(Some(STABLE));
        }
        slot.pending = None;
        slot.read = now;
        match (read, sidecar) {
            (Ok(candidate), Ok(sidecar)) => Next::Load(candidate, sidecar),
            (Err(problem), _) | (_, Err(problem)) => {
                self.refuse(name, None, &problem, slot);
                Next::Rest(None)
            }
        }
    }

    /// Lets go of plugins that are not there any more, once their time is over or another name has taken their place.
    fn let_go(&self, state: &mut State, names: &BTreeMap<String, (Look, Look)>) -> Option<Duration> {
        let mut soon = None;
        let there: Vec<_> = state
            .slots
            .iter()
            .filter(|(name, _)| names.contains_key(*name))
            .filter_map(|(_, slot)| slot.heir())
            .collect();
        let mut left = Vec::new();
        let away = |(name, slot): &(&String, &mut Slot)| !slot.busy && !names.contains_key(*name);
        for (name, slot) in state.slots.iter_mut().filter(away) {
            let Some(member) = &slot.member else {
                left.push(name.clone());
                continue;
            };
            let file = self.file(name);
            let newly = slot.gone.is_none();
            let since = *slot.gone.get_or_insert_with(Instant::now);
            let rest = self.options.grace.saturating_sub(since.elapsed());
            let heir = slot
                .runs
                .as_ref()
                .is_some_and(|runs| there.iter().any(|(heir, at)| heir == runs && *at > member.born()));
            if heir {
                tracing::info!(plugin = name, "the plugin has another name now");
            } else if rest.is_zero() {
                tracing::warn!(plugin = name, "the plugin is removed: {} is gone", file.display());
            } else {
                if newly {
                    member.plugin().missing(&file);
                    tracing::warn!(plugin = name, "the plugin goes on for another {rest:.0?}, and is removed then");
                }
                soon = earlier(soon, Some(rest));
                continue;
            }
            member.plugin().retired();
            left.push(name.clone());
        }
        for name in left {
            state.slots.remove(&name);
        }
        soon
    }
}

/// A slot that is being worked on; it goes back when this is dropped, however the work ended.
struct Work {
    folder: Arc<Folder>,
    name: String,
    slot: Slot,
}

impl Work {
    fn load(mut self, candidate: &Candidate, sidecar: Option<String>, ending: &AtomicBool) {
        self.folder.load(&self.name, candidate, sidecar, Some(ending), &mut self.slot);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let (name, slot) = (std::mem::take(&mut self.name), std::mem::take(&mut self.slot));
        self.folder.state().slots.insert(name, slot);
    }
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
