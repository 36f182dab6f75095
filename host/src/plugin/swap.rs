//! How one version takes the place of another: from the directory, back to the last good one, and at the start.
//!
//! Another configuration is watched like another version: what runs badly in its first minutes, in what was new about it, is
//! taken back to what ran before, file and configuration. A configuration is forgotten by a restart, since what is kept on disk
//! is files: configurations may hold secrets.
//!
//! One swap at a time, on a thread that may block, never on a worker. A candidate that does not load leaves the running version
//! in place, and the reason stays in the status until the file is good again. One that loads is watched
//! ([`super::rollback`]); the program before it stays in memory meanwhile, so that going back needs no compiler. A version
//! that was taken back is not tried again until the file changes, not after a restart either ([`super::last_good`]).

use super::compile::Urgency;
use super::error::LoadError;
use super::generation::Generation;
use super::inner::Inner;
use super::last_good::LastGood;
use super::log::one_line;
use super::metrics::PluginMetrics;
use super::options::Options;
use super::platform::{Platform, enlist};
use super::program::{Candidate, Hash, Loader, Program};
use super::rollback::{Probation, Verdict};
use crate::telemetry::Counter;
use crate::workers::lane::step_aside;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

#[cfg(test)]
mod tests;

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It runs already.
    Same,
    /// It runs now, as this generation.
    Swapped(u64),
    /// It does not; the old version goes on.
    Refused(LoadError),
}

/// Why the file does not run: since when, which one, and the reason.
type Instead = (SystemTime, Option<Hash>, String);

/// The swaps of one plugin.
pub(super) struct Swaps {
    /// Held by whoever swaps.
    turn: Mutex<()>,
    history: Mutex<History>,
    kept: Option<LastGood>,
    cancelled: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct History {
    /// What ran before, while the version that runs is watched.
    before: Option<Before>,
    /// Which version was taken back, perhaps only in these options, and why. It is not tried again.
    condemned: Option<(Hash, String)>,
    last: Option<Rollback>,
}

struct Before {
    program: Arc<Program>,
    options: Arc<Options>,
    /// The part of its calls that failed.
    habit: f64,
}

/// A version that was taken back.
#[derive(Clone, Debug)]
pub(super) struct Rollback {
    pub(super) at: SystemTime,
    pub(super) from: Hash,
    pub(super) to: Hash,
    pub(super) reason: String,
}

impl Swaps {
    /// Of the plugin in this place, which follows `file`.
    pub(super) fn new(platform: &Platform, name: &str, file: Option<&Path>) -> Self {
        let kept = platform.cache().zip(file).map(|(cache, file)| LastGood::new(cache, name, file));
        Self {
            turn: Mutex::default(),
            history: Mutex::default(),
            kept,
            cancelled: AtomicBool::new(false),
            thread: Mutex::default(),
        }
    }

    /// Loads the first version: the file, or the last good version and why the file is not used.
    pub(super) fn first(
        &self,
        loader: Loader<'_>,
        candidate: &Candidate,
        options: &Arc<Options>,
        metrics: &PluginMetrics,
    ) -> Result<(Generation, Option<Instead>), LoadError> {
        let platform = loader.platform;
        let instead = self.kept.as_ref().filter(|_| platform.settings().start_with_last_good);
        let condemned = instead.and_then(|kept| kept.condemned(candidate.hash()));
        let loaded = match &condemned {
            Some(reason) => Err(LoadError(taken_back(reason))),
            None => {
                let probation = Probation::new(&platform.settings().rollback, 0.0);
                Generation::load(candidate, loader, 1, options, metrics, probation)
            }
        };
        let error = match loaded {
            Ok(first) => {
                self.propose(candidate);
                return Ok((first, None));
            }
            Err(error) => error,
        };
        let Some(good) = instead.and_then(LastGood::good).filter(|good| good.hash() != candidate.hash()) else {
            return match condemned {
                // There is nothing better any more.
                Some(_) => Generation::load(candidate, loader, 1, options, metrics, Probation::passed())
                    .map(|first| (first, None)),
                None => Err(error),
            };
        };
        let Ok(first) = Generation::load(&good, loader, 1, options, metrics, Probation::passed()) else {
            return Err(error);
        };
        tracing::error!(
            plugin = options.name,
            refused = candidate.hash().short(),
            running = good.hash().short(),
            version = first.version,
            "the plugin in the directory cannot be used, its last good version runs instead: {error}"
        );
        metrics.reload_failures.add(1);
        self.history().condemned = condemned.map(|reason| (candidate.hash(), taken_back(&reason)));
        Ok((first, Some((SystemTime::now(), Some(candidate.hash()), error.0))))
    }

    /// What is being compiled is given up.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// No more swaps; waits for one that is under way.
    pub(super) fn end(&self) {
        self.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }

    /// The last version that was taken back.
    pub(super) fn last_rollback(&self) -> Option<Rollback> {
        self.history().last.clone()
    }

    fn loader<'a>(&'a self, platform: &'a Platform, urgency: Urgency) -> Loader<'a> {
        Loader { platform, urgency, keep: true, cancelled: &self.cancelled }
    }

    /// Keeps a version that loads.
    fn propose(&self, candidate: &Candidate) {
        if let Some(kept) = &self.kept {
            kept.pardon();
            kept.propose(candidate);
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn taken_back(reason: &str) -> String {
    format!("this version was taken back and is not tried again until the file changes: {reason}")
}

fn configuration_taken_back(reason: &str) -> String {
    format!("this configuration was taken back, the one before runs until it changes or there is a restart: {reason}")
}

impl Inner {
    /// Puts another version in place, if it loads.
    pub(super) fn offer(&self, candidate: &Candidate) -> Offer {
        let _turn = self.swaps.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        // It may be the one that runs, and its configuration be the one that was taken back.
        let condemned = self.swaps.history().condemned.clone();
        if let Some((_, reason)) = condemned.filter(|(hash, _)| *hash == candidate.hash()) {
            self.note(Some(candidate.hash()), &reason, None);
            return Offer::Refused(LoadError(reason));
        }
        if current.hash() == candidate.hash() && current.options == self.options {
            self.trouble().load = None;
            return Offer::Same;
        }
        self.swaps.history().condemned = None;
        let before = self.going_back_to(&current);
        let probation = Probation::new(&self.platform.settings().rollback, before.habit);
        let loader = self.swaps.loader(&self.platform, Urgency::Reload);
        let number = current.number + 1;
        match Generation::load(candidate, loader, number, &self.options, &self.metrics, probation) {
            Ok(next) => {
                self.swaps.history().before = next.probation().map(|_| before);
                self.put(&current, next, &self.metrics.reloads, "plugin reloaded");
                self.trouble().load = None;
                self.swaps.propose(candidate);
                Offer::Swapped(number)
            }
            Err(error) => {
                self.refuse(Some(candidate.hash()), &error.to_string());
                Offer::Refused(error)
            }
        }
    }

    /// The plugin with other options, as the next generation.
    pub(super) fn reconfigured(&self, candidate: &Candidate, options: Options) -> Result<Arc<Self>, LoadError> {
        let _turn = self.swaps.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        let swaps = Swaps::new(&self.platform, &options.name, self.file.as_deref());
        let before = self.going_back_to(&current);
        let probation = Probation::new(&self.platform.settings().rollback, before.habit);
        let options = Arc::new(options);
        let loader = self.swaps.loader(&self.platform, Urgency::Reload);
        let (number, metrics) = (current.number + 1, Arc::clone(&self.metrics));
        let next = Generation::load(candidate, loader, number, &options, &metrics, probation)?;
        swaps.history().before = next.probation().map(|_| before);
        swaps.propose(candidate);
        let (platform, file, registry) = (Arc::clone(&self.platform), self.file.clone(), self.registry.clone());
        let (heir, trouble) = (self.current.succeed(Arc::new(next)), Mutex::default());
        let next = Self { options, platform, file, current: heir, metrics, registry, swaps, trouble };
        let now = next.current.load_full();
        tracing::info!(
            plugin = next.name(),
            generation = number,
            version = now.version,
            hash = now.hash().short(),
            "plugin reconfigured"
        );
        next.metrics.generation.set(i64::try_from(number).unwrap_or(i64::MAX));
        next.metrics.reloads.add(1);
        let next = Arc::new(next);
        enlist(&next);
        Ok(next)
    }

    /// The version to go back to if the next one is bad: the one that runs, or the one before it if it has not done
    /// anything yet.
    fn going_back_to(&self, current: &Generation) -> Before {
        let tally = current.pool.tally();
        let history = self.swaps.history();
        match &history.before {
            Some(Before { program, options, habit }) if tally.successes() == 0 => {
                Before { program: Arc::clone(program), options: Arc::clone(options), habit: *habit }
            }
            _ => Before {
                program: Arc::clone(&current.program),
                options: Arc::clone(&current.options),
                habit: tally.share(),
            },
        }
    }

    /// The switch.
    fn put(&self, current: &Generation, next: Generation, counter: &Counter, what: &str) {
        let next = Arc::new(next);
        // Before its first batch can be seen behind it, and said in the log once it is so.
        self.metrics.generation.set(i64::try_from(next.number).unwrap_or(i64::MAX));
        counter.add(1);
        self.current.store(Arc::clone(&next));
        tracing::info!(
            plugin = self.name(),
            generation = next.number,
            version = next.version,
            hash = next.hash().short(),
            replaced = current.hash().short(),
            "{what}"
        );
    }

    /// Does what a verdict about version `number` asks for, on a thread, since it blocks.
    pub(super) fn act_on(self: &Arc<Self>, number: u64, verdict: Verdict) {
        let plugin = Arc::clone(self);
        let act = move || {
            step_aside();
            match verdict {
                Verdict::Good => plugin.confirm(number),
                Verdict::Bad(reason) => plugin.take_back(number, &reason),
            }
        };
        match std::thread::Builder::new().name("plugin-swap".to_owned()).spawn(act) {
            // One verdict for each version: the thread of an earlier one has ended, or ends soon.
            Ok(thread) => *self.swaps.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(error) => tracing::error!(plugin = self.name(), %error, "no thread to act on a new version"),
        }
    }

    /// The version has proved itself: it is the one to go back to, and the one before it can go.
    fn confirm(&self, number: u64) {
        let _turn = self.swaps.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        if current.number != number {
            return;
        }
        self.swaps.history().before = None;
        if let Some(kept) = &self.swaps.kept {
            kept.confirm(current.hash());
        }
        tracing::info!(plugin = self.name(), generation = number, "this version of the plugin has proved itself");
    }

    /// Goes back to the last good version.
    fn take_back(&self, number: u64, reason: &str) {
        let _turn = self.swaps.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        if current.number != number || self.swaps.cancelled.load(Relaxed) {
            return;
        }
        let (plugin, bad) = (self.name(), current.hash());
        let before = self.swaps.history().before.take().map(|before| (before.program, before.options));
        let before = before.map_or_else(
            || Ok(self.last_good(bad)?.map(|program| (program, Arc::clone(&self.options)))),
            |before| Ok(Some(before)),
        );
        let next = before.and_then(|before| {
            let again = |(program, options)| {
                let (metrics, cancelled) = (&self.metrics, &self.swaps.cancelled);
                Generation::of(program, number + 1, &options, metrics, Probation::passed(), cancelled)
            };
            before.map(again).transpose()
        });
        let next = match next {
            Ok(Some(next)) => next,
            Ok(None) => {
                tracing::warn!(
                    plugin,
                    bad = bad.short(),
                    "the plugin fails, and no earlier version is known: {reason}"
                );
                return;
            }
            Err(error) => {
                tracing::error!(
                    plugin,
                    bad = bad.short(),
                    "the plugin fails ({reason}), and so does going back: {error}"
                );
                return;
            }
        };
        let to = next.hash();
        let other_options = next.options != current.options;
        let what = match (to == bad, other_options) {
            (true, _) => "the new configuration",
            (false, true) => "the new version, with its new configuration,",
            (false, false) => "the new version",
        };
        tracing::warn!(plugin, bad = bad.short(), good = to.short(), "{what} of the plugin is taken back: {reason}");
        self.put(&current, next, &self.metrics.rollbacks, "what last worked of the plugin runs again");
        let words = if to == bad { configuration_taken_back(reason) } else { taken_back(reason) };
        {
            let mut history = self.swaps.history();
            history.condemned = Some((bad, words.clone()));
            history.last = Some(Rollback { at: SystemTime::now(), from: bad, to, reason: reason.to_owned() });
        }
        self.trouble().load = Some((SystemTime::now(), Some(bad), words));
        if let Some(kept) = self.swaps.kept.as_ref().filter(|_| to != bad) {
            kept.condemn(bad, reason);
        }
    }

    /// The last good version on disk, unless it is this one.
    fn last_good(&self, but: Hash) -> Result<Option<Arc<Program>>, LoadError> {
        let good = self.swaps.kept.as_ref().and_then(LastGood::good).filter(|good| good.hash() != but);
        let loader = self.swaps.loader(&self.platform, Urgency::Reload);
        good.map(|good| Program::compile(&good, loader)).transpose()
    }

    /// Notes why the file cannot be used, and counts it if that is new.
    pub(super) fn refuse(&self, hash: Option<Hash>, reason: &str) {
        self.note(hash, reason, Some(&self.metrics.reload_failures));
    }

    /// Logs and keeps a reason, once; counted before anybody can see it.
    pub(super) fn note(&self, hash: Option<Hash>, reason: &str, counter: Option<&Counter>) {
        let mut trouble = self.trouble();
        if trouble.load.as_ref().is_some_and(|(_, before, text)| *before == hash && text == reason) {
            return;
        }
        if let Some(counter) = counter {
            counter.add(1);
        }
        let (plugin, generation) = (self.name(), self.current.load().number);
        let (hash_short, reason_said) = (hash.map(|hash| hash.short()), one_line(reason));
        tracing::warn!(
            plugin,
            generation,
            hash = hash_short,
            "the running version of the plugin goes on: {reason_said}"
        );
        trouble.load = Some((SystemTime::now(), hash, reason.to_owned()));
    }
}
