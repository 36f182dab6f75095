//! A version of a plugin, configured, with its instances.
//!
//! Loading goes: hash, header, compile, contract, instantiate, describe, configure, check of the interest, self-test. It
//! blocks, and runs beside the data path.

use super::bindings::lifecycle;
use super::compile::{self, LOOK};
use super::contract::Kind;
use super::error::{Failure, LoadError, RunError};
use super::guest::Shared;
use super::instance::Instance;
use super::interest::Interest;
use super::limits::Limits;
use super::log::{self, PluginLog, cut};
use super::metrics::PluginMetrics;
use super::options::{ErrorMode, Options};
use super::pool::Pool;
use super::program::{Candidate, Hash, Loader, Program};
use super::quarantine::{Input, Quarantine};
use super::rollback::{Probation, Verdict};
use super::state;
use crate::pdata::Signal;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tailrace_columns::{Columns, Traces};
use tokio::time::Instant;

/// What runs between two swaps.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) program: Arc<Program>,
    pub(super) kind: Kind,
    /// Whether a sampler wants whole spans.
    pub(super) wants_spans: bool,
    pub(super) interest: Interest,
    pub(super) pool: Pool,
    pub(super) limits: Arc<Limits>,
    pub(super) name: String,
    pub(super) version: String,
    /// What the plugin wishes for when a call fails.
    wish: Option<ErrorMode>,
    /// How it runs.
    pub(super) options: Arc<Options>,
    pub(super) loaded: SystemTime,
    probation: Probation,
    quarantine: Mutex<Quarantine>,
    /// Whether the quarantine remembers anything; asked for each batch, without a lock.
    accident_prone: AtomicBool,
}

impl Generation {
    /// Makes generation `number` of a candidate, to be watched as `probation` says.
    pub(super) fn load(
        candidate: &Candidate,
        loader: Loader<'_>,
        number: u64,
        options: &Arc<Options>,
        metrics: &PluginMetrics,
        probation: Probation,
    ) -> Result<Self, LoadError> {
        let limit = options.limits.module_bytes;
        if candidate.len() > limit {
            let message = format!("it has {} bytes; module_mib allows {limit}", candidate.len());
            return Err(LoadError(message));
        }
        Self::of(Program::compile(candidate, loader)?, number, options, metrics, probation, loader.cancelled)
    }

    /// Makes generation `number` of a program, unless it is not wanted any more.
    pub(super) fn of(
        program: Arc<Program>,
        number: u64,
        options: &Arc<Options>,
        metrics: &PluginMetrics,
        probation: Probation,
        cancelled: &AtomicBool,
    ) -> Result<Self, LoadError> {
        // Guests run in futures with timers. Loading happens wherever a thread may block, with or without a runtime
        // around, so it brings its own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(LoadError::new)?;
        let started = runtime.block_on(async {
            let mut start = pin!(Self::start(program, number, options, metrics, probation));
            // A guest may sleep, and nobody waits for it when the collector ends.
            loop {
                tokio::select! {
                    started = &mut start => return started,
                    () = tokio::time::sleep(LOOK) => {}
                }
                if cancelled.load(Relaxed) {
                    return Err(compile::ending());
                }
            }
        });
        started.map_err(LoadError::tidy)
    }

    async fn start(
        program: Arc<Program>,
        number: u64,
        options: &Arc<Options>,
        metrics: &PluginMetrics,
        probation: Probation,
    ) -> Result<Self, LoadError> {
        let kind = program.interfaces.kind(options.role)?;
        let limits = Arc::new(options.limits.clone());
        let log = PluginLog::new(&options.name, limits.log_lines_per_second, metrics.log_suppressed.clone());
        let shared = Arc::new(Shared { log: Arc::new(log), series: Arc::clone(&metrics.series) });
        let during = |what: &str| {
            let what = what.to_owned();
            move |failure: Failure| LoadError(format!("in {what}: {failure}"))
        };
        let mut first =
            Instance::new(&program, &limits, &shared).await.map_err(|failure| LoadError(failure.message))?;
        let info = first.describe().await.map_err(during("describe"))?;
        let config = options.config.for_schema(info.config_schema.as_deref());
        let stated = match first.configure(&config).await.map_err(during("configure"))? {
            Ok(interest) => interest,
            Err(answer) => {
                return Err(LoadError::configuration(cut(&answer, 1024)));
            }
        };
        let interest = Interest::check(stated, kind)?;
        state::check(&program, interest.single)?;
        let wants_spans = match kind {
            Kind::Sampler => first.wants_spans().await.map_err(during("wants-spans"))?,
            _ => false,
        };
        self_test(&mut first, kind, &interest).await.map_err(during("its self-test with an empty batch"))?;
        let (asked, held, metrics) = (interest.clone(), Arc::clone(&limits), metrics.clone());
        let pool = Pool::new(Arc::clone(&program), config, asked, held, shared, first, metrics);
        Ok(Self {
            number,
            program,
            kind,
            wants_spans,
            interest,
            pool,
            limits,
            name: log::name(&info.name),
            version: log::name(&info.version),
            options: Arc::clone(options),
            wish: info.error_mode.map(|mode| match mode {
                lifecycle::ErrorMode::Propagate => ErrorMode::Propagate,
                lifecycle::ErrorMode::Ignore => ErrorMode::Ignore,
                lifecycle::ErrorMode::Drop => ErrorMode::Drop,
            }),
            loaded: SystemTime::now(),
            probation,
            quarantine: Mutex::default(),
            accident_prone: AtomicBool::new(false),
        })
    }

    /// What is to be done when a call fails: the operator's word, else the plugin's, else "propagate".
    pub(super) fn error_mode(&self) -> ErrorMode {
        self.options.error_mode.or(self.wish).unwrap_or(ErrorMode::Propagate)
    }

    /// How long this input fails without a call, and after how many accidents; or nothing.
    pub(super) fn held(&self, input: Input<'_>) -> Option<(Duration, u32)> {
        if !self.accident_prone.load(Relaxed) {
            return None;
        }
        self.quarantine().held(input, Instant::now())
    }

    /// How a batch, or a call about traces, ended; the verdict about this version, if it is due.
    pub(super) fn ended<T>(&self, input: Input<'_>, result: &Result<T, RunError>) -> Option<Verdict> {
        let (tally, now) = (self.pool.tally(), Instant::now());
        let failed = tally.ended(result);
        let mut last = None;
        match result {
            Err(RunError::Accident(failure)) if failure.incident.is_without_a_call() => {}
            Err(RunError::Accident(failure)) => {
                last = Some(failure.incident);
                let first = self.quarantine().accident(input, failure.incident, now);
                self.accident_prone.store(!self.quarantine().is_empty(), Relaxed);
                if first {
                    self.pool.accident();
                }
            }
            _ if self.accident_prone.load(Relaxed) => {
                let mut quarantine = self.quarantine();
                quarantine.good(input, now);
                self.accident_prone.store(!quarantine.is_empty(), Relaxed);
            }
            _ => {}
        }
        self.probation.judge(tally, failed, last, now)
    }

    /// Inputs that are answered without a call now.
    pub(super) fn quarantined(&self) -> usize {
        self.quarantine().count(Instant::now())
    }

    /// How long this version is watched still.
    pub(super) fn probation(&self) -> Option<Duration> {
        self.probation.rest(Instant::now())
    }

    fn quarantine(&self) -> MutexGuard<'_, Quarantine> {
        self.quarantine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hash of the file.
    pub(super) fn hash(&self) -> Hash {
        self.program.hash
    }
}

/// An empty batch of the first signal it wants: what traps on nothing does not go live. The answer itself is free.
async fn self_test(instance: &mut Instance, kind: Kind, interest: &Interest) -> Result<(), Failure> {
    let Some(signal) = Signal::ALL.into_iter().find(|signal| interest.wants(*signal)) else { return Ok(()) };
    match kind {
        Kind::Attributes => instance.apply(signal, &Columns::default()).await.map(drop),
        Kind::Processor => instance.process(signal, &[]).await.map(drop),
        Kind::Sampler => instance.sample(&Traces::default()).await.map(drop),
    }
}
