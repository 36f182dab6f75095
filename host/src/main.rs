//! The `tailrace` command. The only place that exits.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tailrace::cli::run()
}
