//! `tailrace --config ...` and `tailrace validate --config ...`: one path to a checked configuration, one to run it.

use super::{Sources, gates};
use crate::collector::{self, Built, Options, StartError};
use crate::components::FACTORIES;
use crate::config::{self, Config};
use crate::plugin::Platform;
use crate::shutdown::Deadline;
use crate::telemetry::{Line, log};
use crate::yaml::GoDuration;
use clap::Args;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Flags of a run.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    sources: Sources,
    /// Where GET /status listens; "none" turns it off
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:13190")]
    admin_endpoint: String,
    /// How long a SIGTERM may take: what is still held then is dropped and counted
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    shutdown_timeout: Duration,
    /// Threads that move data [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

#[cfg(test)]
impl RunArgs {
    /// Where the configuration comes from.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }
}

/// A duration as Go writes it, for flags.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<GoDuration>().map(|duration| duration.0).map_err(|error| error.to_string())
}

/// Checks a configuration the way start-up does.
pub(super) fn validate(sources: &Sources) -> ExitCode {
    log::install("warn", log::Encoding::Console, None);
    let Some(config) = load(sources) else { return ExitCode::FAILURE };
    match collector::check(&config) {
        Ok(()) => {
            println!("OK: the configuration is valid");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(args: &RunArgs) -> ExitCode {
    let Some(config) = load(&args.sources) else { return ExitCode::FAILURE };
    let mut platform = Platform::of_process().settings().clone();
    platform.start_with_last_good = true;
    Platform::new(platform).install();
    let logs = &config.service.telemetry.logs;
    log::install(&logs.level, logs.encoding, std::env::var("RUST_LOG").ok().as_deref());
    let mut options = Options { admin_endpoint: Some(args.admin_endpoint.clone()), ..Options::default() };
    if args.admin_endpoint == "none" {
        options.admin_endpoint = None;
    }
    if let Some(workers) = args.workers {
        options.workers = workers.into();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(async {
        // Until here a signal ends the process at once: nothing is taken yet, and loading plugins may take long. From here on
        // none is missed.
        let started = async {
            let built = Built::new(&config, &options)?;
            let signals = Signals::listen()?;
            Ok::<_, StartError>((built.start().await?, signals))
        };
        let (collector, mut signals) = match started.await {
            Ok(started) => started,
            Err(error) => return fail(&error),
        };
        signals.end().await;
        tracing::info!(timeout = ?args.shutdown_timeout, "draining; a second signal ends at once");
        let drained = collector.shutdown(Deadline::after(args.shutdown_timeout));
        tokio::select! {
            ledger = drained => summarise(&ledger),
            () = signals.end() => tracing::warn!("second signal: ended without draining"),
        }
        ExitCode::SUCCESS
    })
}

/// The configuration, or every fault of it on stderr.
fn load(sources: &Sources) -> Option<Config> {
    let presets = gates::presets(&sources.feature_gates);
    match config::load_from(&config::Process, &sources.config, &sources.set, &presets, &FACTORIES) {
        Ok(config) => {
            if !config.warnings.is_empty() {
                eprintln!("{}", config.warnings);
            }
            Some(config)
        }
        Err(problems) => {
            eprintln!("{problems}");
            None
        }
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// What is said to the process. Once they are listened for, signals end it no more, and none is missed.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens, in a runtime.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns at the next SIGINT or SIGTERM. SIGHUP is no reason to end: it is logged.
    pub(super) async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP: plugins reload by themselves; reloading the configuration needs a restart");
                }
            }
        }
    }
}

/// Says where everything went, component by component.
fn summarise(ledger: &[Line]) {
    for line in ledger.iter().filter(|line| line.taken > 0) {
        let component = line.component.as_str();
        let dropped = serde_json::json!(line.dropped).to_string();
        tracing::info!(
            component,
            accepted = line.taken,
            handed_on = line.handed_on,
            dropped,
            held = line.held,
            "ledger"
        );
    }
    tracing::info!("stopped");
}
