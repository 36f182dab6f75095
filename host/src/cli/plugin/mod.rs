//! `tailrace plugin ...`: from an idea to a running plugin, in any language that has a [`languages::Language`].
//!
//! ```text
//! tailrace plugin new NAME --lang rust    a project, offline
//! tailrace plugin dev [PATH]              build, run the cases, show what it does to spans, on every save
//! tailrace plugin build [PATH]            dist/NAME.wasm
//! tailrace plugin test [PATH]             cases/*, under the limits of production
//! tailrace plugin inspect FILE            what a component is
//! tailrace plugin bench FILE              what it costs
//! tailrace plugin list                    what runs in a collector
//! ```
//! Exit codes: 0 all is well; 1 the plugin is at fault (it does not build, a case fails, it is no plugin); 2 the command
//! could not be carried out (wrong flags, no such file, a missing toolchain).

mod build;
mod cases;
mod embedded;
mod hear;
mod inspect;
mod languages;
mod new;
mod paint;
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
    /// Build a project into dist/NAME.wasm
    #[command(after_help = BUILD_HELP)]
    Build(build::BuildArgs),
    /// Run the cases of a project, under the limits of production
    #[command(after_help = TEST_HELP)]
    Test(test::TestArgs),
    /// Say what a component is: version, contract, interest, configuration, imports
    #[command(after_help = INSPECT_HELP)]
    Inspect(inspect::InspectArgs),
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
Examples:
  tailrace plugin inspect dist/mask-email.wasm
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
        PluginCommand::Test(args) => test::run(args),
        PluginCommand::Inspect(args) => inspect::run(args),
    };
    let Err(fault) = done else { return ExitCode::SUCCESS };
    if !matches!(fault, Fault::Said) {
        eprintln!("{} {fault}", paint::Paint::stderr().red("error:"));
    }
    ExitCode::from(if matches!(fault, Fault::Trouble(_)) { 2 } else { 1 })
}
