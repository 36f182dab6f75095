//! What mad plugins do to their neighbours, what swaps cost, and what is dear to compile: measured from outside, on the real
//! binary.
//!
//! ```sh
//! cargo build --release
//! cargo run --release -p tailrace-tests --bin mad -- neighbours --tailrace target/release/tailrace
//! cargo run --release -p tailrace-tests --bin mad -- neighbours --tailrace target/release/tailrace --only nothing --compile p.wasm
//! cargo run --release -p tailrace-tests --bin mad -- swaps --tailrace target/release/tailrace --swaps 10000
//! cargo run --release -p tailrace-tests --bin mad -- bombs --tailrace target/release/tailrace
//! ```

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tailrace_tests::neighbours::{mad_plugins, small_bombs};
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tailrace_tests::process::children;
use tailrace_tests::swaps;
use tailrace_tests::unhurt::{Bench, Pace, Row};
use tailrace_tests::{bomb, crafted};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// Times of a neighbouring pipeline's answers, with each mad plugin and with a good one
    Neighbours {
        /// The binary
        #[arg(long)]
        tailrace: PathBuf,
        /// Spans a second in the pipeline of the mad plugin
        #[arg(long, default_value_t = 5_000)]
        rate: u32,
        /// Requests a second in the other one, whose answers are timed
        #[arg(long, default_value_t = 2_000)]
        requests: u32,
        /// How often a good plugin and the mad one take turns
        #[arg(long, default_value_t = 4)]
        turns: u32,
        /// Measured time of each turn of each of the two, in milliseconds
        #[arg(long, default_value_t = 1_500)]
        phase_ms: u64,
        /// Only plugins whose name contains one of these
        #[arg(long, value_delimiter = ',', default_value = "")]
        only: Vec<String>,
        /// Further mad plugins
        #[arg(long, value_name = "FILE")]
        plugin: Vec<PathBuf>,
        /// Further plugins, measured while they are compiled: an interpreter with a plugin in it takes a while
        #[arg(long, value_name = "FILE")]
        compile: Vec<PathBuf>,
    },
    /// Swaps of good and bad versions under load: nothing may be lost or doubled, and memory must not grow
    Swaps {
        /// The binary
        #[arg(long)]
        tailrace: PathBuf,
        /// How often the file is replaced
        #[arg(long, default_value_t = 10_000)]
        swaps: u64,
        /// Spans a second
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        /// Time between two swaps, in milliseconds: of those that are closer together, a collector loads the last
        #[arg(long, default_value_t = 150)]
        pause_ms: u64,
        /// Good versions that take turns; with few of them compiled code is found again
        #[arg(long, default_value_t = 200)]
        versions: u64,
    },
    /// Time and memory that plugins take which are dear to compile
    Bombs {
        /// The binary
        #[arg(long)]
        tailrace: PathBuf,
        /// Address space that `tailrace` may take, in MiB; it is killed after two minutes
        #[arg(long, default_value_t = 12_000)]
        memory_mib: u64,
        /// Only bombs whose name contains this
        #[arg(long, default_value = "")]
        only: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match Cli::parse().work {
        Work::Neighbours { tailrace, rate, requests, turns, phase_ms, only, plugin, compile } => {
            let pace = Pace { requests, mad_spans: rate, turns, phase: Duration::from_millis(phase_ms) };
            neighbours(tailrace, pace, &only, &plugin, &compile).await;
        }
        Work::Swaps { tailrace, swaps, rate, pause_ms, versions } => {
            let pause = Duration::from_millis(pause_ms);
            swaps::run(&tailrace, swaps, rate, pause, versions).await;
        }
        Work::Bombs { tailrace, memory_mib, only } => bombs(tailrace, memory_mib, &only),
    }
}

async fn neighbours(tailrace: PathBuf, pace: Pace, only: &[String], more: &[PathBuf], compile: &[PathBuf]) {
    let wanted = |(name, _): &(String, Vec<u8>)| only.iter().any(|part| name.contains(part));
    let plugins = mad_plugins().into_iter().chain(small_bombs()).filter(wanted);
    let read = |file: &PathBuf| {
        let wasm = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file.file_name().unwrap_or_default().to_string_lossy().into_owned(), wasm)
    };
    let plugins: Vec<_> = plugins.chain(more.iter().map(read)).collect();
    let compile: Vec<_> = compile.iter().map(read).collect();
    let mut bench = Bench::start(&tailrace, pace).await;
    println!("answers during bursts of these processes do not count: {:?}", bench.bystanders.names());
    println!(
        "the neighbour's answers beside a good plugin, beside this one, and how often longer they took (of single turns)"
    );
    println!(
        "{:36} {:>15} {:>6} {:>17} {:>6} {:>13} {:>13} {:>5}",
        "plugin", "p50 ms", "", "p99 ms", "", "", "answers", "MiB"
    );
    let good = bench.row("good", &stamp("another good one")).await;
    print_row("good", &good, None);
    let mut hurt = Vec::new();
    for (name, wasm) in plugins {
        let row = bench.row(&name, &wasm).await;
        print_row(&name, &row, Some(&good));
        hurt.extend(row.hurts(Some(&good)).then_some(name));
    }
    for (name, wasm) in compile {
        let (row, took) = bench.compiling(&name, &wasm).await;
        print_row(&format!("compiling {name}"), &row, Some(&good));
        println!("  compiled in {took:.1?}");
        hurt.extend(row.hurts(Some(&good)).then_some(name));
    }
    let (accepted, refused) = bench.stop().await;
    println!("mad pipeline: {accepted} spans accepted, {refused} refused; hurt by {hurt:?}");
}

fn print_row(name: &str, row: &Row, noise: Option<&Row>) {
    let ((p50_good, p50), (p99_good, p99)) = (row.both(0.5), row.both(0.99));
    let ((least, most), answers) = (row.spread(0.99), row.answers());
    let verdict = if row.hurts(noise) { " HURT" } else { "" };
    println!(
        "{name:36.36} {p50_good:7.2} {p50:7.2} {:6.2} {p99_good:8.2} {p99:8.2} {:6.2} ({least:5.2}-{most:5.2}) {:>6}/{:<6} {:5}{verdict}",
        row.ratio(0.5),
        row.ratio(0.99),
        answers.0,
        answers.1,
        row.memory_mib
    );
    if row.left_out > 0 {
        println!("  {} answers do not count", row.left_out);
    }
    if row.disturbed > 0 {
        println!(
            "  {} turns were repeated, since the machine had other work; {} are disturbed all the same",
            row.disturbed, row.doubtful
        );
    }
}

fn bombs(tailrace: PathBuf, memory_mib: u64, only: &str) {
    type Bomb = (String, Box<dyn Fn() -> Vec<u8>>);
    let bombs: Vec<Bomb> = vec![
        ("good".into(), Box::new(|| crafted::guest("good"))),
        ("1 MiB of code".into(), Box::new(|| bomb::large(1 << 10))),
        ("5 MiB of code".into(), Box::new(|| bomb::large(5 << 10))),
        ("1,000 values in 1,000 loops".into(), Box::new(|| bomb::locals(1000, 1000))),
        ("5,000 values in 5,000 loops".into(), Box::new(|| bomb::locals(5000, 5000))),
        ("20,000 values in 20,000 loops".into(), Box::new(|| bomb::locals(20_000, 20_000))),
        ("nested 10 deep".into(), Box::new(|| bomb::nested(10))),
        ("nested 16 deep".into(), Box::new(|| bomb::nested(16))),
        ("nested 20 deep".into(), Box::new(|| bomb::nested(20))),
        ("nested 30 deep".into(), Box::new(|| bomb::nested(30))),
    ];
    println!("{:32} {:>10} {:>9} {:>9}  outcome of `tailrace validate`", "bomb", "bytes", "seconds", "MiB");
    for (name, make) in bombs.into_iter().filter(|(name, _)| name.contains(only)) {
        let wasm = make();
        let plugins = PluginDirectory::with("bomb", &wasm);
        let yaml = format!(
            "yaml:{{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}, exporters: {{nop: {{}}}}, \
             processors: {{wasm: {{directory: '{}', module: bomb}}}}, service: {{pipelines: {{traces: {{receivers: [otlp], \
             processors: [wasm], exporters: [nop]}}}}}}}}",
            plugins.path().display()
        );
        // `ulimit` counts address space, of which each memory of a guest reserves 4 GiB.
        let script = format!("ulimit -v {}; exec timeout 120 \"$0\" validate --config \"$1\"", memory_mib << 10);
        let start = Instant::now();
        let mut command = std::process::Command::new("sh");
        // What is in a cache is not compiled.
        command.args(["-c", &script]).arg(&tailrace).arg(&yaml).env("TAILRACE_CACHE_DIR", "");
        let child = command.stdout(std::process::Stdio::null());
        let mut child = child.stderr(std::process::Stdio::piped()).spawn().expect("a shell");
        let mut most = 0;
        let outcome = loop {
            // `exec` makes `timeout` of the shell; `tailrace` is its child.
            most = most.max(tree_mib(child.id()));
            match child.try_wait().expect("a child") {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut words = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut words);
        }
        let words = words.lines().last().unwrap_or("valid");
        // Behind the places in the configuration and in the file system.
        let words = words.rsplit_once(" as a plugin: ").map_or(words, |(_, reason)| reason);
        let words: String = words.chars().take(160).collect();
        println!("{name:32} {:10} {:9.2} {most:9}  {outcome}: {words}", wasm.len(), start.elapsed().as_secs_f64());
    }
}

/// Memory of a process and everything that it started.
fn tree_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_ascii_whitespace().next()?.parse().ok());
    let own: u64 = own.unwrap_or_default();
    own / 1024 + children(pid).into_iter().map(tree_mib).sum::<u64>()
}
