//! What a store holds beside the guest: its world, its limits and its clock.

use super::bindings::host::{self, LogLevel, Matches, MetricKind, Texts};
use super::bindings::types;
use super::limits::Memory;
use super::log::{LastWords, PluginLog, Printed};
use super::wasi;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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
}

impl Guest {
    /// With at most `memory_bytes`, writing to `log`.
    pub(super) fn new(log: Arc<PluginLog>, memory_bytes: usize) -> Self {
        let words = LastWords::default();
        let printed = |level| Printed::new(Arc::clone(&log), level, words.clone());
        let wasi = wasi::closed(printed(LogLevel::Info), printed(LogLevel::Error));
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { wasi, table, log, memory: Memory::new(memory_bytes), clock: CallClock::new(), words }
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
        _: MetricKind,
        _: String,
        _: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<u32, String>> {
        Ok(Err("not there yet".to_owned()))
    }

    fn record_metric(&mut self, _: u32, _: f64) -> wasmtime::Result<()> {
        Ok(())
    }

    fn compile_patterns(&mut self, _: Vec<String>) -> wasmtime::Result<Result<u32, String>> {
        Ok(Err("not there yet".to_owned()))
    }

    fn pattern_groups(&mut self, _: u32, _: u32) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn match_patterns(&mut self, _: u32, _: Texts) -> wasmtime::Result<Matches> {
        Ok(Matches { texts: Vec::new(), patterns: Vec::new(), starts: Vec::new(), ends: Vec::new() })
    }

    fn find_patterns(&mut self, _: u32, _: Texts) -> wasmtime::Result<Matches> {
        Ok(Matches { texts: Vec::new(), patterns: Vec::new(), starts: Vec::new(), ends: Vec::new() })
    }

    fn capture_groups(&mut self, _: u32, _: u32, _: String) -> wasmtime::Result<Vec<Option<(u32, u32)>>> {
        Ok(Vec::new())
    }

    fn hash_texts(&mut self, _: String, _: Vec<u8>, _: Texts) -> wasmtime::Result<Result<Vec<u8>, String>> {
        Ok(Err("not there yet".to_owned()))
    }
}

/// A call used up its time.
#[derive(Debug, thiserror::Error)]
#[error("it computed for longer than {0:?}")]
pub(super) struct TimedOut(Duration);

/// Counts the time in which a guest computes; the time in which it waits for its turn is not its fault.
pub(super) struct CallClock {
    born: Instant,
    budget: Duration,
    used: Duration,
    /// When it went on computing, in nanoseconds since `born`. Shared with the futures that yield.
    resumed: Arc<AtomicU64>,
}

impl CallClock {
    fn new() -> Self {
        Self { born: Instant::now(), budget: Duration::ZERO, used: Duration::ZERO, resumed: Arc::default() }
    }

    /// A call with this much time begins.
    pub(super) fn begin(&mut self, budget: Duration) {
        self.budget = budget;
        self.used = Duration::ZERO;
        self.resumed.store(nanos(self.born), Relaxed);
    }

    /// Called at a tick of the epoch while the guest computes: let others work, or end the call.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let computed = nanos(self.born).saturating_sub(self.resumed.load(Relaxed));
        self.used += Duration::from_nanos(computed);
        if self.used >= self.budget {
            return Err(TimedOut(self.budget).into());
        }
        let (born, resumed) = (self.born, Arc::clone(&self.resumed));
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                tokio::task::yield_now().await;
                resumed.store(nanos(born), Relaxed);
            }),
        ))
    }
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
