//! The `tailrace` command. The only place that exits.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tailrace::workers::Allocator = tailrace::workers::Allocator;

fn main() -> ExitCode {
    tailrace::cli::run()
}
