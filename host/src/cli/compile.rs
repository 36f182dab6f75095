//! `tailrace __compile`: the process in which a collector has its plugins compiled. A component on stdin, machine code on
//! stdout, what is wrong with it on stderr.

use crate::plugin;
use clap::Args;
use std::process::ExitCode;

/// What it may use.
#[derive(Args, Debug)]
pub(super) struct CompileArgs {
    #[arg(long)]
    cpu_seconds: u64,
    #[arg(long)]
    memory_bytes: u64,
    /// At a low priority, on one core
    #[arg(long)]
    background: bool,
}

pub(super) fn run(args: &CompileArgs) -> ExitCode {
    let limits = (args.cpu_seconds, args.memory_bytes);
    match plugin::compiling_process(limits, args.background, std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            code.into()
        }
    }
}
