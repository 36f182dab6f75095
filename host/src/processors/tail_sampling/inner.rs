//! The processor at work: batches in, shards, decisions in time, batches out.

use super::BACKLOG_BYTES_MAX;
use super::config::Config;
use super::intake::{Keyed, Runs};
use super::policies::Policies;
use super::roster::Roster;
use super::samplers::{Sampler, ask_all};
use super::settings::Settings;
use super::shard::{Behind, Plan, Room, Shard, Which, Yield};
use super::shown::{Answers, Gather};
use super::store::OldRun;
use super::tally::Metrics;
use crate::component::handover::{Bound, Handover};
use crate::component::{BuildError, ConsumeError, Consumer, Context};
use crate::pdata::Batch;
use crate::shutdown::Deadline;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// A shard, and what others want of its keeper.
pub(super) struct Seat {
    shard: Mutex<Shard>,
    /// Senders wait for room for so many new traces.
    wanted: AtomicUsize,
    wake: Notify,
}

/// Everything that senders and keepers share.
pub(super) struct Inner {
    /// The shards.
    pub(super) seats: Box<[Seat]>,
    /// What it goes by now.
    pub(super) settings: ArcSwap<Settings>,
    /// What it counts.
    pub(super) metrics: Arc<Metrics>,
    /// The next stage.
    pub(super) handover: Handover,
    /// Which processor it is.
    pub(super) context: Context,
    keyed: Keyed,
    epoch: Instant,
    /// Traces were decided: there may be room for others.
    decided: Notify,
    closed: AtomicBool,
    /// Callers that are between looking at `closed` and having stored their spans.
    storing: AtomicUsize,
}

/// A caller that is storing spans.
struct Storing<'a>(&'a AtomicUsize);

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    /// Loads plugins; blocks.
    ///
    /// # Errors
    /// What is wrong with a plugin.
    pub(super) fn new(config: &Config, context: &Context, next: Arc<dyn Consumer>) -> Result<Self, BuildError> {
        let keyed = Keyed::random();
        let count = config.shards(context.workers.count());
        let metrics = Arc::new(Metrics::new(context));
        let settings = Settings::new(config, context, &metrics, count, keyed, None)?;
        let seat = |number| Seat {
            shard: Mutex::new(Shard::new(number, settings.rules.clone())),
            wanted: AtomicUsize::new(0),
            wake: Notify::new(),
        };
        let backlog = Bound { batches: usize::MAX, bytes: BACKLOG_BYTES_MAX };
        Ok(Self {
            seats: (0..count).map(seat).collect(),
            settings: ArcSwap::from_pointee(settings),
            metrics,
            handover: Handover::new(context, next, backlog),
            keyed,
            context: context.clone(),
            epoch: Instant::now(),
            decided: Notify::new(),
            closed: AtomicBool::new(false),
            storing: AtomicUsize::new(0),
        })
    }

    /// Goes by another configuration from now on, also with the traces that wait and with what the decision cache knows.
    /// Loads plugins; blocks. Returns the plugins that are no longer asked.
    ///
    /// # Errors
    /// What is wrong with a plugin, or which key cannot be changed; everything is as it was then.
    pub(super) fn reconfigure(&self, config: &Config) -> Result<Vec<Arc<Sampler>>, BuildError> {
        let old = self.settings.load_full();
        let shards = self.seats.len();
        let settings =
            Settings::new(config, &self.context, &self.metrics, shards, self.keyed, Some(&old.rules.policies))?;
        let fixed = [
            ("num_shards", config.shards(self.context.workers.count()) == shards),
            ("decision_cache", settings.rules.cache == old.rules.cache),
            ("sampling_strategy", settings.rules.on_ingest == old.rules.on_ingest),
            ("decision_history", settings.rules.history == old.rules.history),
        ];
        if let Some((key, _)) = fixed.iter().find(|(_, same)| !same) {
            return Err(self.context.error(format_args!("`{key}` cannot be changed while traces wait")));
        }
        let samplers = settings.rules.policies.samplers();
        samplers.iter().try_for_each(|sampler| sampler.start(&self.context))?;
        let gone = |old: &&Arc<Sampler>| !samplers.iter().any(|sampler| Arc::ptr_eq(sampler, old));
        let gone = old.rules.policies.samplers().iter().filter(gone).map(Arc::clone).collect();
        let rules = settings.rules.clone();
        self.settings.store(Arc::new(settings));
        for seat in &self.seats {
            let counted_before = self.with(seat, |shard| {
                let counted = shard.harvest();
                shard.follow_rules(rules.clone());
                counted
            });
            self.report(counted_before);
            // Its tick may be another one, and it may hold more than it may now.
            seat.wake.notify_one();
        }
        Ok(gone)
    }

    /// Stores a batch.
    ///
    /// # Errors
    /// Retryable ones: too much waits for the next stage, or it is shutting down.
    pub(super) async fn consume(&self, batch: Batch) -> Result<(), ConsumeError> {
        self.handover.room().await?;
        let settings = self.settings.load_full();
        let policies = &settings.rules.policies;
        let runs = Runs::new(&batch, policies, &self.keyed);
        let parts = self.deal(&runs);
        let asks = !policies.samplers().is_empty();
        if settings.block_on_overflow || asks {
            self.wait_for_room(&runs, &parts, !settings.block_on_overflow).await;
        }
        let strays = if asks { self.ask_about_strays(&runs, policies).await } else { Answers::default() };
        let mut strays = (0..).map(|number| strays.of(number));
        // From here to the end nothing is awaited: the batch is taken whole or, if the caller gives up before, not at all.
        let storing = Storing(&self.storing);
        self.storing.fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            return Err(ConsumeError::retryable(format!("{}: shutting down", self.context.id)));
        }
        self.context.account.held().add(runs.spans() as i64);
        let now_ms = self.now_ms();
        for (seat, numbers) in self.seats.iter().zip(&parts) {
            if !numbers.is_empty() {
                // Policies that vote on arrival see what arrived of a trace and a resource together.
                let mut rest = numbers.as_slice();
                while !rest.is_empty() {
                    let (portion, others) = rest.split_at(runs.portion(rest, settings.rules.on_ingest));
                    self.with(seat, |shard| shard.append(&runs, portion, &mut strays, now_ms));
                    rest = others;
                }
            }
        }
        drop(storing);
        Ok(())
    }

    /// Who votes now.
    pub(super) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.settings.load().rules.policies.roster())
    }

    /// Looks at each shard in turn, in its lock.
    pub(super) fn each_shard(&self, mut look: impl FnMut(&Mutex<Shard>)) {
        self.seats.iter().for_each(|seat| look(&seat.shard));
    }

    /// Looks into the shard of a trace, in its lock; gets the hash of the id as well.
    pub(super) fn in_shard_of<R>(&self, id: &[u8; 16], look: impl FnOnce(&mut Shard, u64) -> R) -> Option<R> {
        let hash = self.keyed.hash(id);
        let seat = self.seats.get(self.shard_of(hash))?;
        Some(look(&mut lock(&seat.shard), hash))
    }

    /// The number of the shard for traces of this hash.
    fn shard_of(&self, hash: u64) -> usize {
        // Bits of the hash that the tables inside do not look at.
        ((hash >> 24 & 0xffff) as usize * self.seats.len()) >> 16
    }

    /// The numbers of the runs for each shard. Those without a trace id are all for the first one.
    fn deal(&self, runs: &Runs<'_>) -> Vec<Vec<u32>> {
        let mut parts = vec![Vec::new(); self.seats.len()];
        for (number, run) in runs.iter().enumerate() {
            if let Some(part) = parts.get_mut(self.shard_of(run.hash)) {
                part.push(number as u32);
            }
        }
        parts
    }

    /// What the plugins say of the spans without a trace id, each of which is decided by itself.
    async fn ask_about_strays(&self, runs: &Runs<'_>, policies: &Arc<Policies>) -> Answers {
        let mut gather = Gather::new(1, true);
        for run in runs.iter().filter(|run| run.id.is_none()) {
            let mut trace = gather.open([0; 16], run.hash, run.facts);
            let bytes = runs.pieces(run).concat();
            trace.run(&OldRun { context: runs.context(run), spans: run.spans, bytes: &bytes });
            trace.close();
        }
        match gather.finish(Arc::clone(policies)) {
            Some(shown) => ask_all(&shown).await,
            None => Answers::default(),
        }
    }

    /// Waits until all of them can be stored without deciding anything early, or, if it must be made, until room was made.
    /// Several callers can see the same room, so the limit can be passed by as many batches as are under way.
    async fn wait_for_room(&self, runs: &Runs<'_>, parts: &[Vec<u32>], make: bool) {
        loop {
            let decided = self.decided.notified();
            tokio::pin!(decided);
            decided.as_mut().enable();
            let mut enough = true;
            for (seat, numbers) in self.seats.iter().zip(parts) {
                if let Room::For { new_traces } = lock(&seat.shard).room(runs, numbers) {
                    enough = false;
                    if make {
                        seat.wanted.fetch_max(new_traces, Ordering::SeqCst);
                        seat.wake.notify_one();
                    }
                }
            }
            if enough || self.closed.load(Ordering::SeqCst) {
                return;
            }
            decided.await;
        }
    }

    /// Time of its clock.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does something in a shard's lock; what came of it is reported and handed on behind it.
    pub(super) fn with<R>(&self, seat: &Seat, act: impl FnOnce(&mut Shard) -> R) -> R {
        let mut locked = lock(&seat.shard);
        let began = std::time::Instant::now();
        let before = (locked.traces() as i64, locked.bytes() as i64);
        let result = act(&mut locked);
        let change = (locked.traces() as i64 - before.0, locked.bytes() as i64 - before.1);
        let harvest = locked.harvest();
        drop(locked);
        self.metrics.locked.record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.metrics.on_memory.add(change.0);
        self.metrics.bytes.add(change.1);
        self.report(harvest);
        if change.0 < 0 || change.1 < 0 {
            self.decided.notify_waiters();
        }
        result
    }

    fn report(&self, harvest: Yield) {
        self.metrics.report(harvest.tally, &harvest.policies);
        for batch in harvest.ready {
            self.handover.push(batch);
        }
    }

    /// Decides in one shard what is due, tick by tick, and what has to make room.
    pub(super) async fn keep(&self, seat: &Seat) {
        let every = |tick| {
            let mut ticks = tokio::time::interval(tick);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut ticks = every(self.settings.load().tick);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tick(seat).await,
                () = seat.wake.notified() => {
                    // One slice: who needs more room wakes it again, and who has got it may have used it already.
                    let room_for = seat.wanted.swap(0, Ordering::SeqCst);
                    self.decide_slice(seat, Which::Oldest { room_for }, self.now_ms()).await;
                    self.decide_all(seat, Which::Oldest { room_for: 0 }).await;
                }
            }
            let tick = self.settings.load().tick;
            if tick != ticks.period() {
                ticks = every(tick);
            }
        }
    }

    async fn tick(&self, seat: &Seat) {
        let started = std::time::Instant::now();
        self.decide_all(seat, Which::Due).await;
        let now_ms = self.now_ms();
        while self.with(seat, |shard| shard.compact(now_ms)) {
            tokio::task::yield_now().await;
        }
        self.with(seat, Shard::flush);
        self.metrics.ticks.record(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    }

    /// Decides those of a shard, slice by slice, as fast as the next stage takes them. While it is behind, traces wait here,
    /// undecided.
    async fn decide_all(&self, seat: &Seat, which: Which) {
        let now_ms = self.now_ms();
        loop {
            match self.with(seat, |shard| shard.plan_some(which, now_ms)) {
                Plan::More => tokio::task::yield_now().await,
                Plan::Heard { policies, shard } => break policies.plan(shard, now_ms),
                Plan::Nothing => break,
            }
        }
        loop {
            self.handover.any_room().await;
            // First what is left of those that are decided.
            if !self.with(seat, Shard::release_more) && !self.decide_slice(seat, which, now_ms).await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Decides a slice. Returns whether there may be more.
    async fn decide_slice(&self, seat: &Seat, which: Which, now_ms: u64) -> bool {
        let asks = !self.settings.load().rules.policies.samplers().is_empty();
        let unasked = matches!(which, Which::Due | Which::Any) && !asks;
        if unasked {
            return self.with(seat, |shard| shard.decide_some(which, now_ms));
        }
        let shown = loop {
            match self.with(seat, |shard| shard.show(which, now_ms)) {
                Ok(shown) => break shown,
                Err(Behind) => tokio::task::yield_now().await,
            }
        };
        let Some(shown) = shown else { return false };
        let answers = ask_all(&shown).await;
        shown.policies.renew_roster();
        self.with(seat, |shard| shard.decide_shown(&shown, &answers, which, now_ms));
        true
    }

    /// Takes nothing any more, decides what it holds, or drops it, and waits for the next stage.
    pub(super) async fn close(&self, deadline: Deadline) {
        self.closed.store(true, Ordering::SeqCst);
        self.decided.notify_waiters();
        while self.storing.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
        if !self.settings.load().drop_pending_traces_on_shutdown {
            let decide_all = async {
                for seat in &self.seats {
                    self.decide_all(seat, Which::Any).await;
                }
            };
            // What could not be decided in time is dropped below.
            let _ = deadline.bound(decide_all).await;
        }
        let now_ms = self.now_ms();
        for seat in &self.seats {
            while self.with(seat, |shard| shard.drop_any(now_ms)) {}
            while self.with(seat, Shard::release_more) {}
            self.with(seat, Shard::flush);
        }
        self.handover.shutdown(deadline).await;
    }
}

pub(super) fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
