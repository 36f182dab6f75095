//! Compiling where it can hurt nobody: in a process of its own, with limits, at a low priority.
//!
//! Compiling is the one step of a plugin's life that wasmtime cannot interrupt or bound: a large file takes half a minute
//! of a core, and a file made for the purpose takes as long and as much memory as its author likes. So the host starts
//! itself again as `tailrace __compile`, hands it the bytes that it has hashed, and takes machine code back:
//!
//! - its processor time and its memory are limited by the kernel (`compile.timeout`, `compile.memory_mib`), and no more of its
//!   machine code is taken than `compile.code_mib`;
//! - its niceness is 19 unless the collector is only starting, and it is the first that goes when the machine runs out of memory;
//! - it opens no file, writes none, gets no environment, and dies with the thread that waits for it;
//! - `compile.concurrency` of them run at once, one by default.
//!
//! A process is also what a thread cannot be: killed. The program is `/proc/self/exe`, the very build that runs, even if
//! the file on disk has been replaced, so its machine code fits. Where a process cannot be started (no such program is
//! known, as in a test, or the system forbids it) the plugin is compiled on a thread of ours at niceness 19, which is said
//! in the log and in `GET /plugins`; such a thread is no longer waited for after the time, but cannot be ended.
//!
//! `tailrace plugin dev` compiles in its own process ([`CompileSettings::functions_bytes`]): it compiles the plugin of who runs it at every
//! save, and a process that ends could not keep the functions that stay the same from one save to the next.
//!
//! In a container with a limit on processor time the compiler takes from the same quota as the workers, whatever its
//! niceness: fill the cache first (`tailrace validate` does, as an init container).

use super::engine;
use super::error::LoadError;
use super::functions::Functions;
use crate::workers::{Priority, take_place};
use rustix::process::{Resource, Rlimit, Signal};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__compile";
/// Waiting for a processor on a busy machine may take so many times the limit on processor time.
const WAITING_FACTOR: u32 = 10;
/// How often who waits looks whether it still should.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// Threads of the compiler while the collector starts.
const THREADS_MAX: usize = 8;
/// Time to end after the last byte of machine code.
const ENDING: Duration = Duration::from_secs(5);
/// What is kept of the compiler's words.
const WORDS_BYTES: u64 = 16 << 10;
/// Exit code for a file that is no valid WebAssembly.
const INVALID: u8 = 65;

/// What compiling may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileSettings {
    /// Processor time for one plugin.
    pub timeout: Duration,
    /// Memory for one plugin, counted as address space.
    pub memory_bytes: u64,
    /// Machine code of one plugin, which this process takes.
    pub code_bytes: u64,
    /// How many are compiled at once.
    pub concurrency: usize,
    /// The program that compiles: this one, started again. Without it, a thread does.
    pub program: Option<PathBuf>,
    /// For who compiles the same plugin again and again: a thread does, and keeps compiled functions in memory, at most so many bytes
    /// of them.
    pub functions_bytes: Option<usize>,
}

impl Default for CompileSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            memory_bytes: 2 << 30,
            code_bytes: 128 << 20,
            concurrency: 1,
            program: None,
            functions_bytes: None,
        }
    }
}

/// Whether anything else has to be done meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// The collector starts: nothing flows yet.
    Start,
    /// Batches flow.
    Reload,
}

/// Where it was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Process,
    Thread,
}

/// Compiles, a few at once.
#[derive(Debug)]
pub(super) struct Compiler {
    settings: CompileSettings,
    slots: Arc<Slots>,
    functions: Option<Arc<Functions>>,
    /// Whether it has been said that there is no process for it.
    said: AtomicBool,
}

impl Compiler {
    /// With these limits.
    pub(super) fn new(settings: CompileSettings) -> Self {
        let slots = Slots { free: Mutex::new(settings.concurrency.max(1)), freed: Condvar::new() };
        let functions = settings.functions_bytes.map(Functions::new);
        Self { settings, slots: Arc::new(slots), functions, said: AtomicBool::new(false) }
    }

    /// Functions that are kept, if they are.
    #[cfg(test)]
    pub(super) fn functions(&self) -> Option<&Functions> {
        self.functions.as_deref()
    }

    /// Machine code for a component. Blocks until it is there, a limit is reached or `cancelled`.
    pub(super) fn compile(
        &self,
        bytes: &Arc<[u8]>,
        urgency: Urgency,
        cancelled: &AtomicBool,
    ) -> Result<(Vec<u8>, Where), LoadError> {
        let slot = self.slots.take(cancelled).ok_or_else(ending)?;
        let program = self.settings.program.as_ref().filter(|_| self.functions.is_none());
        match program.map(|program| self.process(program, urgency).spawn()) {
            Some(Ok(child)) => {
                let code = self.in_a_process(&mut Process(child), bytes, cancelled)?;
                return Ok((self.of_allowed_size(code)?, Where::Process));
            }
            Some(Err(error)) if !self.said.swap(true, Relaxed) => {
                tracing::warn!(
                    "plugins are compiled in this process, without limits: no other can be started: {error}"
                );
            }
            Some(Err(_)) | None => {}
        }
        let code = self.on_a_thread(bytes, urgency, slot, cancelled)?;
        if let Some(functions) = &self.functions {
            tracing::debug!(reuse = ?functions.reuse(), "functions of all plugins so far");
        }
        Ok((self.of_allowed_size(code)?, Where::Thread))
    }

    fn of_allowed_size(&self, code: Vec<u8>) -> Result<Vec<u8>, LoadError> {
        let bytes_max = self.settings.code_bytes;
        if code.len() as u64 <= bytes_max {
            return Ok(code);
        }
        Err(LoadError(format!(
            "its machine code is larger than the {} MiB that compile.code_mib of the extension `plugins` allows",
            bytes_max >> 20
        )))
    }

    fn process(&self, program: &Path, urgency: Urgency) -> Command {
        let mut command = Command::new(program);
        let (seconds, bytes) = (self.settings.timeout.as_secs().max(1), self.settings.memory_bytes);
        command.arg0("tailrace").arg(SUBCOMMAND);
        command.arg(format!("--cpu-seconds={seconds}")).arg(format!("--memory-bytes={bytes}"));
        let threads = match urgency {
            Urgency::Start => std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX),
            Urgency::Reload => 1,
        };
        if urgency == Urgency::Reload {
            command.arg("--background");
        }
        // Each arena of malloc would reserve address space, which is what is limited.
        command.env_clear().env("MALLOC_ARENA_MAX", "2").env("RAYON_NUM_THREADS", threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn in_a_process(&self, process: &mut Process, bytes: &[u8], cancelled: &AtomicBool) -> Result<Vec<u8>, LoadError> {
        let child = &mut process.0;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(output), Some(errors)) = pipes else {
            return Err(LoadError::new("the compiler has no pipes"));
        };
        // One byte more tells that there is more.
        let code_max = self.settings.code_bytes.saturating_add(1);
        std::thread::scope(|scope| {
            // If it dies early, its exit says why.
            scope.spawn(move || input.write_all(bytes));
            let words = scope.spawn(move || read(errors, WORDS_BYTES).unwrap_or_default());
            let (tell, told) = channel();
            scope.spawn(move || tell.send(read(output, code_max)));
            let code = wait(&told, self.settings.timeout * WAITING_FACTOR, cancelled);
            let ended = process.end(if code.is_ok() { ENDING } else { Duration::ZERO });
            let words = words.join().unwrap_or_default();
            let code = code?.map_err(|error| LoadError(format!("cannot read from the compiler: {error}")))?;
            let ended = ended.map_err(|error| LoadError(format!("cannot wait for the compiler: {error}")))?;
            self.judge(ended, &String::from_utf8_lossy(&words)).map(|()| code)
        })
    }

    /// What the end of the process means.
    fn judge(&self, ended: ExitStatus, words: &str) -> Result<(), LoadError> {
        let words = words.trim();
        let (timeout, mib) = (self.settings.timeout, self.settings.memory_bytes >> 20);
        if ended.success() {
            return Ok(());
        }
        let (code, signal) = (ended.code(), ended.signal());
        Err(LoadError(if code == Some(INVALID.into()) {
            words.to_owned()
        } else if words.contains("memory allocation of") || words.contains("Cannot allocate memory") {
            format!(
                "compiling it takes more than the {mib} MiB that compile.memory_mib of the extension `plugins` allows"
            )
        } else if signal == Some(Signal::XCPU.as_raw()) || signal == Some(Signal::KILL.as_raw()) {
            format!(
                "compiling it was stopped: it takes more than the {timeout:?} of processor time that compile.timeout of \
                 the extension `plugins` allows, or the machine ran out of memory"
            )
        } else {
            format!("the compiler failed on it ({ended}): {words}")
        }))
    }

    fn on_a_thread(
        &self,
        bytes: &Arc<[u8]>,
        urgency: Urgency,
        slot: Slot,
        cancelled: &AtomicBool,
    ) -> Result<Vec<u8>, LoadError> {
        let (tell, told) = channel();
        let (bytes, functions) = (Arc::clone(bytes), self.functions.clone());
        let compile = move || {
            // The slot stays taken for as long as this runs, whoever still waits for it.
            let _slot = slot;
            if urgency == Urgency::Reload {
                take_place(Priority::Low);
            }
            let parallel = urgency == Urgency::Start && functions.is_some();
            let engine = engine::for_compiling(parallel, functions).map_err(LoadError::new);
            let _ = tell.send(engine.and_then(|engine| precompile(&engine, &bytes)));
        };
        std::thread::Builder::new()
            .name("plugin-compiler".to_owned())
            .spawn(compile)
            .map_err(|error| LoadError(format!("there is no thread for compiling it: {error}")))?;
        wait(&told, self.settings.timeout * WAITING_FACTOR, cancelled)?
    }
}

/// Killed and waited for, whatever happens.
struct Process(Child);

impl Process {
    /// Gives it `grace` to end by itself.
    fn end(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < grace {
            if let Some(ended) = self.0.try_wait()? {
                return Ok(ended);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(from: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut from = from.take(bytes_max);
    from.read_to_end(&mut bytes)?;
    io::copy(&mut from.into_inner(), &mut io::sink())?;
    Ok(bytes)
}

/// Waits for a result, until the time is up or nobody wants it any more.
fn wait<T>(told: &Receiver<T>, limit: Duration, cancelled: &AtomicBool) -> Result<T, LoadError> {
    let start = Instant::now();
    loop {
        match told.recv_timeout(LOOK) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => return Err(LoadError::new("the compiler ended without a result")),
            Err(RecvTimeoutError::Timeout) if cancelled.load(Relaxed) => return Err(ending()),
            Err(RecvTimeoutError::Timeout) if start.elapsed() > limit => {
                return Err(LoadError(format!(
                    "compiling it takes longer than {limit:?} (ten times compile.timeout of the extension `plugins`)"
                )));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

pub(super) fn ending() -> LoadError {
    LoadError::new("it is not needed any more: the collector ends")
}

fn precompile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    engine
        .precompile_component(bytes)
        .map_err(|error| LoadError(format!("it is damaged or not valid WebAssembly: {error:#}")))
}

/// The compiling process: limits itself, compiles `input` and writes machine code to `output`.
///
/// # Errors
/// What is wrong with the file, and the exit code that says so; or with the process.
pub fn compiling_process(
    (cpu_seconds, memory_bytes): (u64, u64),
    background: bool,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), (u8, String)> {
    let broken = |error: &dyn std::fmt::Display| (1, error.to_string());
    restrain(cpu_seconds, memory_bytes).map_err(|error| broken(&error))?;
    if background {
        take_place(Priority::Low);
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    let engine = engine::for_compiling(!background, None).map_err(|error| broken(&error))?;
    let code = precompile(&engine, &bytes).map_err(|error| (INVALID, error.0))?;
    output.write_all(&code).and_then(|()| output.flush()).map_err(|error| broken(&error))
}

/// Limits this process for good.
fn restrain(cpu_seconds: u64, memory_bytes: u64) -> io::Result<()> {
    let at_most = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    rustix::process::setrlimit(Resource::Core, at_most(0))?;
    rustix::process::setrlimit(Resource::Fsize, at_most(0))?;
    rustix::process::setrlimit(Resource::As, at_most(memory_bytes))?;
    let cpu = Rlimit { current: Some(cpu_seconds), maximum: Some(cpu_seconds.saturating_add(1)) };
    rustix::process::setrlimit(Resource::Cpu, cpu)?;
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The first to go when memory is short. Where it cannot be said, the limit above remains.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    Ok(())
}

#[derive(Debug)]
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Slot(Arc<Slots>);

impl Slots {
    fn take(self: &Arc<Self>, cancelled: &AtomicBool) -> Option<Slot> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            if cancelled.load(Relaxed) {
                return None;
            }
            free = self.freed.wait_timeout(free, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Slot(Arc::clone(self)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
