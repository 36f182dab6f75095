//! What a store holds beside the guest: its world, its limits and its clock.

use super::bindings::host::{self, LogLevel, Matches, MetricKind, Texts};
use super::bindings::types;
use super::engine::TICK;
use super::imports::{self, Opened, Patterns, PluginSeries};
use super::limits::{Limits, Memory};
use super::log::{LastWords, PluginLog, Printed};
use super::wasi;
use crate::workers::lane::{Moment, leave_worker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime::UpdateDeadline;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Handles a guest may have open: streams and pollables, of which it needs a handful.
const HANDLES_MAX: usize = 1000;

/// The host's side of one instance.
pub(super) struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    log: Arc<PluginLog>,
    pub(super) memory: Memory,
    pub(super) clock: CallClock,
    pub(super) words: LastWords,
    metrics: Opened,
    patterns: Patterns,
    /// What one call into the host may hand back.
    output_bytes: usize,
}

/// What all instances of a version share.
pub(super) struct Shared {
    pub(super) log: Arc<PluginLog>,
    pub(super) series: Arc<PluginSeries>,
}

impl Guest {
    /// Under these limits.
    pub(super) fn new(shared: &Shared, limits: &Limits) -> Self {
        let (words, log) = (LastWords::default(), Arc::clone(&shared.log));
        let printed = |level| Printed::new(Arc::clone(&log), level, words.clone());
        let wasi = wasi::closed(printed(LogLevel::Info), printed(LogLevel::Error));
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self {
            wasi,
            table,
            log,
            memory: Memory::new(limits.memory_bytes),
            clock: CallClock::new(),
            words,
            metrics: Opened::new(Arc::clone(&shared.series), limits.metric_series),
            patterns: Patterns::default(),
            output_bytes: limits.output_bytes,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for Guest {}

impl host::Host for Guest {
    fn log(&mut self, level: LogLevel, message: String) -> wasmtime::Result<()> {
        self.words.heard(&message);
        self.log.line(level, &message);
        Ok(())
    }

    fn now(&mut self) -> wasmtime::Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        Ok(fastrand::u64(..))
    }

    fn open_metric(
        &mut self,
        kind: MetricKind,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<u32, String>> {
        Ok(self.metrics.open(kind, name, labels))
    }

    fn record_metric(&mut self, metric: u32, value: f64) -> wasmtime::Result<()> {
        self.metrics.record(metric, value);
        Ok(())
    }

    async fn compile_patterns(&mut self, patterns: Vec<String>) -> wasmtime::Result<Result<u32, String>> {
        self.patterns.compile(patterns, &mut self.memory, &mut self.clock.pace()).await
    }

    fn pattern_groups(&mut self, set: u32, pattern: u32) -> wasmtime::Result<Vec<String>> {
        Ok(self.patterns.groups(set, pattern))
    }

    async fn match_patterns(&mut self, set: u32, texts: Texts) -> wasmtime::Result<Matches> {
        self.patterns.matching(set, &texts, self.output_bytes, &mut self.clock.pace()).await
    }

    async fn find_patterns(&mut self, set: u32, texts: Texts) -> wasmtime::Result<Matches> {
        self.patterns.find(set, &texts, self.output_bytes, &mut self.clock.pace()).await
    }

    async fn capture_groups(
        &mut self,
        set: u32,
        pattern: u32,
        text: String,
    ) -> wasmtime::Result<Vec<Option<(u32, u32)>>> {
        self.patterns.captures(set, pattern, &text, &mut self.clock.pace()).await
    }

    async fn hash_texts(
        &mut self,
        algorithm: String,
        key: Vec<u8>,
        texts: Texts,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        imports::hash(&algorithm, &key, &texts, self.output_bytes, &mut self.clock.pace()).await
    }
}

/// A call used up its time.
#[derive(Debug, thiserror::Error)]
#[error("it computed for longer than {0:?}")]
pub(super) struct TimedOut(Duration);

/// What can be told of a call while it runs, by who waits for it.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Nanoseconds that it has computed.
    used: AtomicU64,
    /// It has stopped to let others work, and will go on as soon as it may. If it has not, it sleeps.
    gives_way: AtomicBool,
}

impl Signs {
    /// How long it has computed.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Relaxed))
    }

    /// More was computed.
    pub(super) fn add(&self, computed: Duration) {
        self.used.fetch_add(u64::try_from(computed.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Whether it only waits for its turn.
    pub(super) fn gives_way(&self) -> bool {
        self.gives_way.load(Relaxed)
    }

    /// Lets others work.
    pub(super) async fn give_way(&self, others: impl Future<Output = ()>) {
        self.gives_way.store(true, Relaxed);
        others.await;
        self.gives_way.store(false, Relaxed);
    }
}

/// Counts the time in which a guest computes; the time in which it waits for its turn is not its fault.
pub(super) struct CallClock {
    born: Instant,
    budget: Duration,
    signs: Arc<Signs>,
    /// The [`Moment`] when it went on computing. Shared with the futures that yield.
    resumed: Arc<AtomicU64>,
}

impl CallClock {
    pub(super) fn new() -> Self {
        Self { born: Instant::now(), budget: Duration::ZERO, signs: Arc::default(), resumed: Arc::default() }
    }

    /// A call with this much time begins.
    pub(super) fn begin(&mut self, budget: Duration) {
        self.budget = budget;
        self.signs.used.store(0, Relaxed);
        self.signs.gives_way.store(false, Relaxed);
        self.resumed.store(Moment::now(self.born).to_bits(), Relaxed);
    }

    /// What has been computed so far is added up.
    fn pause(&mut self) {
        let now = Moment::now(self.born);
        let computed = now.since(Moment::from_bits(self.resumed.swap(now.to_bits(), Relaxed)));
        self.signs.add(computed);
    }

    /// The call is over.
    pub(super) fn end(&mut self) {
        self.pause();
    }

    /// Time that calls have computed since this was last asked for, or since the last call began.
    pub(super) fn take_used(&mut self) -> Duration {
        Duration::from_nanos(self.signs.used.swap(0, Relaxed))
    }

    /// For who waits for the call, and cannot look at the clock while it runs.
    pub(super) fn signs(&self) -> Arc<Signs> {
        Arc::clone(&self.signs)
    }

    /// For a call into the host that may take long.
    pub(super) fn pace(&mut self) -> Pace<'_> {
        Pace { clock: self, left: SLICE }
    }

    /// Called now and then in the midst of a long call into the host: let others work, or end the call.
    async fn breathe(&mut self) -> Result<(), TimedOut> {
        let computed = Moment::now(self.born).since(Moment::from_bits(self.resumed.load(Relaxed)));
        if self.signs.used() + computed >= self.budget {
            return Err(TimedOut(self.budget));
        }
        if computed >= TICK {
            self.signs.add(computed);
            self.signs.give_way(tokio::task::yield_now()).await;
            self.resumed.store(Moment::now(self.born).to_bits(), Relaxed);
        }
        Ok(())
    }

    /// Called before what takes long and cannot be interrupted.
    async fn leave_worker(&mut self) {
        self.pause();
        self.signs.give_way(leave_worker()).await;
        self.resumed.store(Moment::now(self.born).to_bits(), Relaxed);
    }

    /// Called at a tick of the epoch while the guest computes: let others work, or end the call.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.pause();
        if self.signs.used() >= self.budget {
            return Err(TimedOut(self.budget).into());
        }
        let (born, signs, resumed) = (self.born, Arc::clone(&self.signs), Arc::clone(&self.resumed));
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                signs.give_way(tokio::task::yield_now()).await;
                resumed.store(Moment::now(born).to_bits(), Relaxed);
            }),
        ))
    }
}

/// Steps between two looks at the clock; a step is some nanoseconds.
pub(super) const SLICE: usize = 100_000;

/// Counts the steps of a long call into the host against the clock of the guest's call.
pub(super) struct Pace<'a> {
    clock: &'a mut CallClock,
    left: usize,
}

impl Pace<'_> {
    /// So many steps were taken.
    ///
    /// # Errors
    /// The time of the call is over.
    pub(super) async fn spent(&mut self, steps: usize) -> wasmtime::Result<()> {
        self.left = self.left.saturating_sub(steps);
        if self.left == 0 {
            self.left = SLICE;
            self.clock.breathe().await?;
        }
        Ok(())
    }

    /// What comes next has pieces of more than a slice: it is not for a worker.
    pub(super) async fn leave_worker(&mut self) {
        self.clock.leave_worker().await;
    }
}
