//! Whether neighbours are unhurt: the times of one pipeline's answers while a mad plugin runs in another one, against those
//! while a good plugin stands in its place. The two take turns, so that what the machine does besides falls on both, and
//! the ratio of each turn is kept beside that of all: what a row says is worth as much as they agree. A turn in which other
//! processes computed much is repeated, and answers that one of their bursts may have held up do not count ([`Bystanders`]).

use crate::bystanders::Bystanders;
use crate::guests::retouched;
use crate::neighbours::{Pump, Scene, quantile};
use crate::plugins::stamp;
use crate::process::processor_time;
use crate::pulse::{Heard, Pulse};
use crate::sink;
use crate::spans::{Generator, attribute};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the neighbours of a mad plugin may take, of what they take beside a good one.
pub const ALLOWED: f64 = 1.5;
/// Between a swap and the times that count.
const SETTLE: Duration = Duration::from_millis(500);
/// Of one processor, what others may use during a turn that counts.
const DISTURBANCE: f64 = 0.15;
/// Turns that are repeated for it, of one row.
const REPEATED_MAX: u32 = 12;
/// Limits of the mad plugin; it may do its worst for as long as it likes, since nothing is taken back.
const SETTINGS: &str = "error_mode: propagate, limits: {memory_mib: 64, output_mib: 16}";
const PLATFORM: &str = "rollback: {window: 0s}";
/// Spans in a request of the neighbour, and in one of the mad pipeline.
const SPANS: (usize, usize) = (10, 100);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests of the neighbour in a second.
    pub requests: u32,
    /// Spans a second in the pipeline of the mad plugin.
    pub mad_spans: u32,
    /// How often good and mad take turns.
    pub turns: u32,
    /// Time of each.
    pub phase: Duration,
}

/// A collector with its two pipelines under load.
pub struct Bench {
    /// The collector.
    pub scene: Scene,
    /// Who else computes here.
    pub bystanders: Bystanders,
    neighbour: Pulse,
    mad: Pump,
    pace: Pace,
}

/// What a plugin did to its neighbour.
#[derive(Debug, Default)]
pub struct Row {
    /// Of each turn: times beside the good plugin and beside the other one, each in order.
    turns: Vec<(Vec<u64>, Vec<u64>)>,
    /// Answers to the neighbour that were not "ok".
    pub refused: u64,
    /// Memory of the collector in the end.
    pub memory_mib: u64,
    /// Turns that were repeated because other processes computed.
    pub disturbed: u32,
    /// Turns that count although other processes computed.
    pub doubtful: u32,
    /// Answers that do not count, of both.
    pub left_out: usize,
}

impl Bench {
    /// Starts both pipelines.
    pub async fn start(binary: &Path, pace: Pace) -> Self {
        let bystanders = Bystanders::watch();
        let scene = Scene::start(binary, SETTINGS, PLATFORM, [sink::start(), sink::start()]).await;
        let period = Duration::from_secs_f64(SPANS.1 as f64 / f64::from(pace.mad_spans));
        let mad = scene.pump(true, period, SPANS.1 / 10, 1).await;
        let mut request = Generator::new(2).request(SPANS.0 / 10);
        let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        scopes.flat_map(|scope| &mut scope.spans).for_each(|span| span.attributes.push(attribute("victim", "any")));
        let address = scene.process.address("otlp/neighbour/grpc").await;
        let neighbour = Pulse::start(address, Duration::from_secs(1) / pace.requests, &request);
        Self { scene, bystanders, neighbour, mad, pace }
    }

    /// A plugin in turn with a good one. Its first start is not measured: compiling is another question
    /// ([`Self::compiling`]).
    pub async fn row(&mut self, name: &str, wasm: &[u8]) -> Row {
        let mut row = Row::default();
        self.scene.swap(name, wasm).await;
        while !row.is_complete(self.pace) {
            let others = self.others();
            let good = self.calm().await;
            // Loading it is a part of what it does.
            self.scene.swap(name, wasm).await;
            tokio::time::sleep(self.pace.phase).await;
            self.turn(&mut row, name, good, others);
        }
        self.calm().await;
        row
    }

    /// A plugin while it is compiled, each time as another file; gives how long that took, too.
    pub async fn compiling(&mut self, name: &str, wasm: &[u8]) -> (Row, Vec<Duration>) {
        let (mut row, mut took) = (Row::default(), Vec::new());
        // No two runs of this find each other's machine code.
        let salt = std::process::id() as u8;
        while !row.is_complete(self.pace) {
            let wasm = retouched(&retouched(wasm, salt), took.len() as u8);
            let others = self.others();
            let good = self.calm().await;
            let start = Instant::now();
            self.scene.swap(name, &wasm).await;
            took.push(start.elapsed());
            self.turn(&mut row, name, good, others);
        }
        self.calm().await;
        (row, took)
    }

    /// Puts the good plugin in place and takes the neighbour's times beside it.
    async fn calm(&mut self) -> (Vec<u64>, usize) {
        self.scene.swap("good", &stamp("good")).await;
        tokio::time::sleep(SETTLE).await;
        self.neighbour.take();
        self.bystanders.take();
        tokio::time::sleep(self.pace.phase).await;
        let heard = self.neighbour.take();
        self.count(&heard)
    }

    /// The times that count, in microseconds and in order, and how many do not.
    fn count(&self, heard: &Heard) -> (Vec<u64>, usize) {
        let bursts = self.bystanders.take();
        let counts = heard.answers.iter().filter(|(sent, took)| !bursts.touch(*sent, *sent + *took));
        let micros: Vec<u64> = counts.map(|(_, took)| took.as_micros() as u64).collect();
        let left_out = heard.answers.len() - micros.len();
        (sorted(micros), left_out)
    }

    fn turn(&mut self, row: &mut Row, name: &str, good: (Vec<u64>, usize), before: (Instant, Duration)) {
        let heard = self.neighbour.take();
        let (mad, left_out) = self.count(&heard);
        let (now, others) = self.others();
        let disturbed = others.saturating_sub(before.1).as_secs_f64() / (now - before.0).as_secs_f64() > DISTURBANCE;
        row.refused += heard.refused;
        if disturbed && row.disturbed < REPEATED_MAX {
            row.disturbed += 1;
        } else {
            row.doubtful += u32::from(disturbed);
            row.turns.push((good.0, mad));
            row.left_out += good.1 + left_out;
        }
        row.memory_mib = self.scene.process.memory_mib().0;
        assert!(self.scene.process.lives(), "{name} has ended the process:\n{}", self.scene.process.log());
    }

    /// Processor time that all but the collector and this process have used so far.
    fn others(&self) -> (Instant, Duration) {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
        let ticks: Vec<u64> = fields.filter_map(|ticks| ticks.parse().ok()).collect();
        // All but what was idle or waited for a disk; time that was stolen from the machine is somebody's too.
        let busy: u64 = [0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| ticks.get(at)).sum();
        // The collector is a child of this process.
        let ours = processor_time(std::process::id());
        (Instant::now(), Duration::from_millis(10 * busy).saturating_sub(ours))
    }

    /// Ends the load; gives how many spans of the mad pipeline were accepted and refused.
    pub async fn stop(self) -> (usize, usize) {
        let books = self.mad.stop().await;
        (books.accepted.len(), books.refused.len())
    }
}

impl Row {
    fn is_complete(&self, pace: Pace) -> bool {
        self.turns.len() >= pace.turns as usize
    }

    /// A quantile beside the good plugin and beside the other, of all turns, in milliseconds.
    pub fn both(&self, q: f64) -> (f64, f64) {
        let (good, mad): (Vec<_>, Vec<_>) =
            self.turns.iter().map(|(good, mad)| (good.as_slice(), mad.as_slice())).unzip();
        (quantile(&sorted(good.concat()), q), quantile(&sorted(mad.concat()), q))
    }

    /// The ratio of the two.
    pub fn ratio(&self, q: f64) -> f64 {
        let (good, mad) = self.both(q);
        mad / good
    }

    /// The smallest and the greatest ratio of a single turn.
    pub fn spread(&self, q: f64) -> (f64, f64) {
        let ratios = self.turns.iter().map(|(good, mad)| quantile(mad, q) / quantile(good, q));
        ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (least.min(ratio), most.max(ratio)))
    }

    /// How many answers were timed, beside the good plugin and beside the other.
    pub fn answers(&self) -> (usize, usize) {
        self.turns.iter().fold((0, 0), |(good, mad), turn| (good + turn.0.len(), mad + turn.1.len()))
    }

    /// Whether the neighbour was hurt, where `noise` is the same row of a good plugin: its p99 is beyond what is allowed,
    /// and beyond what a good plugin does to it here.
    pub fn hurts(&self, noise: Option<&Self>) -> bool {
        let noise = noise.map_or(0.0, |noise| noise.spread(0.99).1);
        self.refused > 0 || self.ratio(0.99) > ALLOWED.max(noise)
    }
}

fn sorted(mut micros: Vec<u64>) -> Vec<u64> {
    micros.sort_unstable();
    micros
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(turns: &[(u64, u64)]) -> Row {
        let turns = turns.iter().map(|(good, mad)| (vec![*good; 100], vec![*mad; 100]));
        Row { turns: turns.collect(), ..Row::default() }
    }

    /// One bad turn shows in the spread, and a row hurts only beyond what a good plugin does.
    #[test]
    fn verdicts() {
        let row_of_two = row(&[(1000, 1000), (1000, 3000)]);
        assert_eq!((row_of_two.both(0.99), row_of_two.ratio(0.5)), ((1.0, 3.0), 3.0));
        assert_eq!((row_of_two.spread(0.99), row_of_two.answers()), ((1.0, 3.0), (200, 200)));
        assert!(row_of_two.hurts(None) && row_of_two.hurts(Some(&row(&[(1000, 2000)]))));
        assert!(!row_of_two.hurts(Some(&row(&[(1000, 3500)]))));
        assert!(!row(&[(1000, 1400)]).hurts(None));
        assert!(Row { refused: 1, ..row(&[(1000, 1000)]) }.hurts(None));
    }
}
