//! The one engine of the process, and the ticker that makes calls yield.
//!
//! The ticker runs only while calls do: an idle collector has no thread that wakes up. It lives as long as the process,
//! as the engine does; nothing has to be flushed when it ends.

use super::foreground::Foreground;
use super::functions::Functions;
use super::guest::Guest;
use super::{bindings, wasi};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, OptLevel};

/// How often a running call yields to the runtime and looks at its deadline.
pub(super) const TICK: Duration = Duration::from_millis(2);
/// How long the ticker goes on after the last call before it sleeps.
const TICKS_BEFORE_SLEEP: u32 = 50;

/// The engine, what guests may import, and the ticker.
pub(super) struct Engine {
    pub(super) wasm: wasmtime::Engine,
    pub(super) linker: Linker<Guest>,
    /// For what batches wait for.
    pub(super) foreground: Foreground,
    ticker: Ticker,
}

/// The engine of this process; the error is why this machine cannot run Wasm.
///
/// Its threads have the priority of the thread that asks first, which must not be one that stepped aside: while the ticker
/// waits for a processor, no call is interrupted.
pub(super) fn engine() -> Result<&'static Engine, String> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().map_err(|error| format!("{error:#}"))).as_ref().map_err(Clone::clone)
}

impl Engine {
    fn new() -> wasmtime::Result<Self> {
        let wasm = wasmtime::Engine::new(&settings())?;
        let mut linker = Linker::new(&wasm);
        wasi::link(&mut linker)?;
        bindings::host::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        let (ticker, foreground) = (Ticker::start(wasm.clone())?, Foreground::start()?);
        Ok(Self { wasm, linker, foreground, ticker })
    }

    /// Ticks until the guard is dropped.
    pub(super) fn ticking(&self) -> Ticking<'_> {
        self.ticker.begin()
    }
}

/// An engine that only compiles, with the settings of [`engine`]; on all cores if nothing else has to run meanwhile. It takes those
/// functions that are compiled already; what comes out, and the key in the cache, are the same.
pub(super) fn for_compiling(parallel: bool, functions: Option<Arc<Functions>>) -> wasmtime::Result<wasmtime::Engine> {
    let mut settings = settings();
    settings.parallel_compilation(parallel);
    if let Some(functions) = functions {
        settings.enable_incremental_compilation(functions)?;
    }
    wasmtime::Engine::new(&settings)
}

/// Only what the contract needs is switched on: each feature of Wasm is code that a guest can aim at.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        // A reload costs one core for a moment, never all of them.
        .parallel_compilation(false)
        .cranelift_opt_level(OptLevel::Speed)
        .shared_memory(false)
        .wasm_memory64(false)
        .wasm_gc(false)
        .wasm_relaxed_simd(false)
        .wasm_stack_switching(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .async_stack_zeroing(true)
        .generate_address_map(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(32));
    config
}

struct Ticker {
    calls: Arc<AtomicUsize>,
    asleep: Arc<AtomicBool>,
    thread: Thread,
}

/// Keeps the ticker awake.
pub(super) struct Ticking<'a>(&'a Ticker);

impl Ticker {
    fn start(engine: wasmtime::Engine) -> wasmtime::Result<Self> {
        let calls = Arc::new(AtomicUsize::new(0));
        let asleep = Arc::new(AtomicBool::new(false));
        let (counted, sleeping) = (Arc::clone(&calls), Arc::clone(&asleep));
        let tick = move || {
            let mut idle = 0;
            loop {
                std::thread::sleep(TICK);
                engine.increment_epoch();
                idle = if counted.load(SeqCst) == 0 { idle + 1 } else { 0 };
                if idle < TICKS_BEFORE_SLEEP {
                    continue;
                }
                sleeping.store(true, SeqCst);
                // A call that began before it could see the flag is seen here; one that begins later wakes us.
                while counted.load(SeqCst) == 0 {
                    std::thread::park();
                }
                sleeping.store(false, SeqCst);
                idle = 0;
            }
        };
        let thread = std::thread::Builder::new().name("plugin-ticker".to_owned()).spawn(tick)?.thread().clone();
        Ok(Self { calls, asleep, thread })
    }

    fn begin(&self) -> Ticking<'_> {
        self.calls.fetch_add(1, SeqCst);
        if self.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Ticking(self)
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, SeqCst);
    }
}
