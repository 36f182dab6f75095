//! Flags and subcommands.
//!
//! ```text
//! tailrace --config FILE [--config FILE ...] [--set a.b=c ...]   run
//! tailrace validate --config FILE                                check, without listening
//! tailrace components                                            what is built in
//! tailrace demo [--for 20s]                                      see it work
//! tailrace why TRACE_ID                                          why a trace was kept or not
//! tailrace plugin new|dev|build|test|inspect|bench|list          write plugins
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod compile;
mod components;
mod demo;
mod gates;
mod plugin;
mod run;
mod why;

use crate::plugin::{Platform, PlatformSettings};
use crate::workers::large::keep_out_of_arenas;
use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// An OpenTelemetry collector that anyone can extend with WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "tailrace", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a configuration the way start-up does, without listening
    Validate(Sources),
    /// List the components that are built in
    Components,
    /// Run a collector, a generator and a backend on this machine, and show what happens
    Demo(demo::DemoArgs),
    /// The compiler of plugins: how a collector starts itself again, of no use to people
    #[command(name = crate::plugin::COMPILE_SUBCOMMAND, hide = true)]
    Compile(compile::CompileArgs),
    /// Ask a collector why it kept a trace or did not, or what it decided lately
    #[command(after_help = why::HELP)]
    Why(why::WhyArgs),
    /// Write, build, try, test and inspect plugins
    Plugin(plugin::PluginArgs),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug)]
struct Sources {
    /// A file, or a file:, env: or yaml: URI; several are merged in order, later ones win
    #[arg(long = "config", value_name = "URI", required = true)]
    config: Vec<String>,
    /// Set one value, as in --set exporters.otlp/tempo.endpoint=tempo:4317; applied last
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Feature gates of the Collector that mean a setting here, as in --feature-gates=processor.tailsamplingprocessor.recordpolicy
    #[arg(long = "feature-gates", value_name = "GATE,...", value_delimiter = ',', value_parser = gates::switch, allow_hyphen_values = true)]
    feature_gates: Vec<gates::Switch>,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    keep_out_of_arenas();
    let cli = Cli::parse();
    Platform::new(PlatformSettings::of_the_command()).install();
    match cli.command {
        None => run::run(&cli.run),
        Some(Command::Validate(sources)) => run::validate(&sources),
        Some(Command::Components) => components::list(),
        Some(Command::Demo(args)) => demo::run(&args),
        Some(Command::Compile(args)) => compile::run(&args),
        Some(Command::Why(args)) => why::run(&args),
        Some(Command::Plugin(args)) => plugin::run(&args),
    }
}
