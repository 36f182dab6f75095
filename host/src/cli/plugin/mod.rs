//! `tailrace plugin ...`: from an idea to a running plugin, in any language that has a [`languages::Language`].
//!
//! ```text
//! tailrace plugin new NAME --lang rust    a project, offline
//! tailrace plugin dev [PATH]              build, run the cases, show what it does to spans, on every save
//! tailrace plugin build [PATH]            dist/NAME.wasm
//! tailrace plugin test [PATH]             cases/*, under the limits of production
//! tailrace plugin inspect [FILE]          what a component is
//! tailrace plugin bench [FILE]            what it costs
//! tailrace plugin list                    what runs in a collector
//! ```
//! Exit codes: 0 all is well; 1 the plugin is at fault (it does not build, a case fails, it is no plugin); 2 the command
//! could not be carried out (wrong flags, no such file, a missing toolchain).

pub(super) mod admin;
mod bench;
mod build;
mod cases;
mod component;
mod componentize;
mod dev;
mod embedded;
mod hear;
mod inspect;
mod languages;
mod list;
mod new;
pub(super) mod paint;
mod progress;
mod project;
mod rust_sdk;
mod test;
mod tool;

use clap::{Args, Subcommand};
use std::fmt;
use std::process::ExitCode;

/// The subcommands.
#[derive(Args, Debug)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Write a new project: a plugin of few lines, a test, a case
    #[command(after_help = NEW_HELP)]
    New(new::NewArgs),
    /// Build, run the cases and show what it does to real spans, each time you save
    #[command(after_help = DEV_HELP)]
    Dev(dev::DevArgs),
    /// Build a project into dist/NAME.wasm
    #[command(after_help = BUILD_HELP)]
    Build(build::BuildArgs),
    /// Run the cases of a project, under the limits of production
    #[command(after_help = TEST_HELP)]
    Test(test::TestArgs),
    /// Say what a component is: version, contract, interest, configuration, imports
    #[command(after_help = INSPECT_HELP)]
    Inspect(inspect::InspectArgs),
    /// Measure what a component costs, step by step, beside the last run
    #[command(after_help = BENCH_HELP)]
    Bench(bench::BenchArgs),
    /// Show the plugins that run in a collector
    #[command(after_help = LIST_HELP)]
    List(list::ListArgs),
}

const NEW_HELP: &str = "\
Kinds:
  attributes  sees the attributes and fields it asks for, and changes, adds or removes them or drops their items. The
              collector does the parsing and the writing, so it is quick in every language and cannot break a batch
  processor   takes whole batches as OTLP bytes and hands back others; for what attributes cannot do
  sampler     decides which traces are kept, as a policy of tail sampling

Examples:
  tailrace plugin new mask-email --lang rust
  tailrace plugin new keep-orders --lang python --kind sampler

Then: tailrace plugin dev mask-email";

const BUILD_HELP: &str = "\
The component of the build before is removed first: after a build that failed there is none, never an old one.
A missing toolchain is named together with the command that installs it.

Put dist/NAME.wasm into the plugin directory of a collector; one that runs takes it over within a second.";

const DEV_HELP: &str = "\
Spans of a small shop and the inputs of cases/ flow through the plugin all the time, in the code and under the limits that
a collector has. Each save builds it, runs the cases, swaps it in and shows spans before and after:
  ~ user.email \"ann@x.org\" -> \"*********\"    changed
  - url.path \"/cart\"                          removed
  + team \"shop\"                               added
If it does not build, a case fails or it does not load, the last good version goes on and the reason is shown.

With --attach each good version also goes into a collector that runs:
  tailrace plugin dev --attach /etc/tailrace/plugins
  tailrace plugin dev --attach http://localhost:13190";

const BENCH_HELP: &str = "\
The component is that of the project in this folder, unless another one is named.

Steps, for each item:
  scan      the host finds the values that the plugin asked for
  crossing  into the guest and back with the same data: the same call of a plugin that does nothing
  guest     the plugin itself: its call, less the crossing
  splice    the host checks and applies what came back
One instance on one thread. The figures of the last run of the same file and input are kept in the user's cache directory.

Examples:
  tailrace plugin bench mask-email
  tailrace plugin bench redact.wasm --config '{\"keys\": [\"user.email\"]}' --input cases/one/input.json";

const LIST_HELP: &str = "\
Asks GET /plugins of the admin listener, which a collector has on localhost:13190 unless --admin-endpoint says otherwise.
--json prints everything: limits, failures by reason, where the machine code came from, the last errors.";

const TEST_HELP: &str = "\
A case is a folder in cases/:
  config.json    what the plugin is configured with
  input.json     {\"traces\": ...} and/or {\"metrics\": ...}, {\"logs\": ...}: OTLP JSON
  expected.json  what must come out, in the same form; or {\"changes\": [...]}, the lines of the difference only;
                 or {\"error\": \"words\"}; for a sampler {\"decisions\": {\"<trace id>\": \"sample\"}}

For each case: the time per item with everything around the call, the peak memory of the instance, bytes in and out, and
bytes of log. A call that takes too long, wants too much memory or hands back too much fails as it would in a collector;
`limits` in tailrace-plugin.yaml holds other limits than the defaults, as in the configuration of the wasm processor.";

const INSPECT_HELP: &str = "\
The component is that of the project in this folder, unless another one is named.

Examples:
  tailrace plugin inspect mask-email
  tailrace plugin inspect redact.wasm --config '{\"keys\": [\"user.email\"]}'
  tailrace plugin inspect redact.wasm --config @config.json --json";

/// Why a command failed. It decides the exit code.
#[derive(Debug)]
enum Fault {
    /// The plugin is at fault: 1.
    Plugin(String),
    /// The same, and everything has been said: 1.
    Said,
    /// The command could not be carried out: 2.
    Trouble(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugin(text) | Self::Trouble(text) => f.write_str(text.trim_end()),
            Self::Said => Ok(()),
        }
    }
}

/// The command could not be carried out.
fn fault(why: impl fmt::Display) -> Fault {
    Fault::Trouble(why.to_string())
}

/// Runs a subcommand.
pub(super) fn run(args: &PluginArgs) -> ExitCode {
    let done = match &args.command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Build(args) => build::run(args),
        PluginCommand::Dev(args) => dev::run(args),
        PluginCommand::Bench(args) => bench::run(args),
        PluginCommand::List(args) => list::run(args),
        PluginCommand::Test(args) => test::run(args),
        PluginCommand::Inspect(args) => inspect::run(args),
    };
    let Err(fault) = done else { return ExitCode::SUCCESS };
    if !matches!(fault, Fault::Said) {
        eprintln!("{} {fault}", paint::Paint::stderr().red("error:"));
    }
    ExitCode::from(if matches!(fault, Fault::Trouble(_)) { 2 } else { 1 })
}
