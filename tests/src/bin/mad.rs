//! What mad plugins do to their neighbours, what swaps cost, and what is dear to compile: measured from outside, on the real
//! binary.
//!
//! ```sh
//! cargo build --release
//! cargo run --release -p tailrace-tests --bin mad -- neighbours --tailrace target/release/tailrace
//! cargo run --release -p tailrace-tests --bin mad -- neighbours --tailrace target/release/tailrace --only none --compile p.wasm
//! cargo run --release -p tailrace-tests --bin mad -- swaps --tailrace target/release/tailrace --swaps 10000
//! cargo run --release -p tailrace-tests --bin mad -- bombs --tailrace target/release/tailrace
//! ```

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tailrace_tests::neighbours::{Pump, Scene, mad_plugins, quantile, small_bombs};
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tailrace_tests::swaps;
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
        /// Spans a second, in each of the two pipelines
        #[arg(long, default_value_t = 5_000)]
        rate: u64,
        /// Measured time for each plugin
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Only plugins whose name contains this
        #[arg(long, default_value = "")]
        only: String,
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
        /// Time between two swaps, in milliseconds
        #[arg(long, default_value_t = 30)]
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
        Work::Neighbours { tailrace, rate, seconds, only, compile } => {
            neighbours(tailrace, rate, seconds, &only, &compile).await;
        }
        Work::Swaps { tailrace, swaps, rate, pause_ms, versions } => {
            let pause = Duration::from_millis(pause_ms);
            swaps::run(&tailrace, swaps, rate, pause, versions).await;
        }
        Work::Bombs { tailrace, memory_mib, only } => bombs(tailrace, memory_mib, &only),
    }
}

/// Spans in a request.
const SPANS: u64 = 100;

async fn neighbours(tailrace: PathBuf, rate: u64, seconds: u64, only: &str, compile: &[PathBuf]) {
    // All made before anything is measured: this thread sends and takes the times, and must not be busy with something else.
    let plugins = mad_plugins().into_iter().chain(small_bombs()).filter(|(name, _)| name.contains(only));
    let plugins: Vec<_> = plugins.collect();
    let compile = compile.iter().map(|file| {
        let wasm = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file.file_name().unwrap_or_default().to_string_lossy().into_owned(), wasm)
    });
    let compile: Vec<_> = compile.collect();
    let settings = "error_mode: propagate, limits: {memory_mib: 64, output_mib: 16}";
    let mut scene = Scene::start(&tailrace, settings).await;
    let period = Duration::from_secs_f64(SPANS as f64 / rate as f64);
    let mad = scene.pump(true, period, SPANS as usize / 10, 1).await;
    let neighbour = scene.pump(false, period, SPANS as usize / 10, 2).await;
    let measured = Duration::from_secs(seconds);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let calm = measure(&neighbour, measured).await;
    println!("{rate} spans/s in each pipeline, {seconds} s each");
    println!("{:36} {:>8} {:>8} {:>6} {:>6} {:>8}", "plugin", "p50 ms", "p99 ms", "p50 x", "p99 x", "MiB");
    print_row("good", &calm, &calm, &scene);
    for (name, wasm) in plugins {
        // The swap and the compiling are part of what is measured.
        neighbour.take_micros();
        scene.swap(&name, &wasm).await;
        let times = measure_on(&neighbour, measured).await;
        print_row(&name, &times, &calm, &scene);
        assert!(scene.process.lives(), "{name} has ended the process:\n{}", scene.process.log());
        scene.swap("good", &stamp(&format!("good after {}", name.chars().take(18).collect::<String>()))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (name, wasm) in compile {
        neighbour.take_micros();
        let start = Instant::now();
        scene.swap(&name, &wasm).await;
        print_row(&format!("{name}, compiled in {:.1?}", start.elapsed()), &neighbour.take_micros(), &calm, &scene);
        scene.swap("good", &stamp(&format!("good after {}", name.chars().take(18).collect::<String>()))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let calm_again = measure(&neighbour, measured).await;
    print_row("good again", &calm_again, &calm, &scene);
    let (mad, neighbour) = (mad.stop().await, neighbour.stop().await);
    println!(
        "neighbour: {} accepted, {} refused; mad pipeline: {} accepted, {} refused",
        neighbour.accepted.len(),
        neighbour.refused.len(),
        mad.accepted.len(),
        mad.refused.len()
    );
}

async fn measure(pump: &Pump, time: Duration) -> Vec<u64> {
    pump.take_micros();
    measure_on(pump, time).await
}

async fn measure_on(pump: &Pump, time: Duration) -> Vec<u64> {
    tokio::time::sleep(time).await;
    pump.take_micros()
}

fn print_row(name: &str, times: &[u64], calm: &[u64], scene: &Scene) {
    let of = |q| (quantile(times, q), quantile(times, q) / quantile(calm, q).max(0.001));
    let ((p50, p50_ratio), (p99, p99_ratio)) = (of(0.5), of(0.99));
    let (now, _) = scene.process.memory_mib();
    println!("{name:36} {p50:8.2} {p99:8.2} {p50_ratio:6.2} {p99_ratio:6.2} {now:8}");
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
        let child = command.args(["-c", &script]).arg(&tailrace).arg(&yaml).stdout(std::process::Stdio::null());
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
        let words: String = words.lines().last().unwrap_or("valid").chars().take(100).collect();
        println!("{name:32} {:10} {:9.2} {most:9}  {outcome}: {words}", wasm.len(), start.elapsed().as_secs_f64());
    }
}

/// Memory of a process and everything that it started.
fn tree_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_ascii_whitespace().next()?.parse().ok());
    let own: u64 = own.unwrap_or_default();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    own / 1024 + children.split_ascii_whitespace().filter_map(|child| child.parse().ok()).map(tree_mib).sum::<u64>()
}
