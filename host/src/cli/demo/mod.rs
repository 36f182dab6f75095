//! `tailrace demo`: a collector, a generator and a backend in one process, and what happens in between, on the screen.
//!
//! ```text
//! a shop of five services --OTLP gRPC--> redact (Wasm) -> tail sampling -> batch --OTLP gRPC--> backend
//! ```
//! Nothing is simulated: the collector is the one that `tailrace --config` runs, with the article's configuration on free
//! local ports, and the spans go over real sockets. It ends at Ctrl-C or after `--for`: the generator stops, the collector
//! drains, and the books of all three are compared by span id. The exit code is 0, or 1 if they do not agree.

mod audit;
mod backend;
mod config;
mod gauges;
pub(super) mod generator;
mod ledger;
mod plugins;
mod screen;
mod span_ids;
mod specimens;
mod summary;
mod terminal;
mod view;
mod welcome;
mod world;

use super::run::Signals;
use crate::telemetry::log;
use clap::Args;
use gauges::Gauges;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use terminal::Terminal;
use tokio::time::{Instant, MissedTickBehavior};
use view::{Fate, View};
use world::{StartError, World};

/// Time between two looks at the gauges.
const REFRESH: Duration = Duration::from_millis(250);
/// Time between two lines where nothing can be redrawn.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// Refreshes that the rate is taken from: two seconds, a whole number of the generator's ticks.
const RATE_REFRESHES: usize = 9;

/// Flags of the demo.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// End after this time with a summary, as in 20s or 5m [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = super::run::duration)]
    limit: Option<Duration>,
    /// Spans a second that the generator sends
    #[arg(long, value_name = "SPANS", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Watch this plugin directory instead of a temporary one; it gets a redact.wasm if it has none
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
}

/// Runs the demo until its end.
pub(super) fn run(args: &DemoArgs) -> ExitCode {
    let terminal = Terminal::stdout();
    // A log in the middle of the block would tear it apart; what matters of it is on the screen.
    if !terminal.redraws() || !io::stderr().is_terminal() {
        log::install("warn", log::Encoding::Console, std::env::var("RUST_LOG").ok().as_deref());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(StartError::from).and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            demo(args, terminal, signals.end()).await
        })
    });
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole demo; whether the ledger adds up.
async fn demo<W: Write>(
    args: &DemoArgs,
    mut terminal: Terminal<W>,
    interrupted: impl Future<Output = ()>,
) -> Result<bool, StartError> {
    let world = World::start(args.rate, args.plugins.as_deref()).await?;
    let gauges = world.gauges();
    let _ = terminal.print(&welcome::lines(&welcome::Welcome::of(&world), terminal.style()));
    let mut show = Show::new(gauges, args.limit, terminal);
    tokio::select! {
        // An error means that nobody reads any more.
        _ = show.run() => {}
        () = interrupted => {}
        () = after(args.limit) => {}
    }
    let ran = show.since.elapsed();
    let _ = show.terminal.print(&["".to_owned(), "Draining: what is held is decided and sent.".to_owned()]);
    let mut signals = Signals::listen()?;
    let drained = world.stop();
    let remains = tokio::select! {
        remains = drained => remains,
        () = signals.end() => return Err("interrupted again: ended without draining".into()),
    };
    let mut view = show.look();
    view.elapsed = ran;
    view.per_second = (view.accepted as f64 / ran.as_secs_f64().max(f64::EPSILON)).round() as u64;
    let style = show.terminal.style();
    let mut lines = screen::block(&view, style);
    lines.extend(summary::summary(&remains.audit, &remains.tally, style));
    let _ = show.terminal.print(&lines);
    Ok(remains.audit.faults.is_empty())
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Keeps the screen up to date.
struct Show<W> {
    gauges: Gauges,
    limit: Option<Duration>,
    terminal: Terminal<W>,
    since: Instant,
    /// Spans accepted at the last refreshes.
    past: VecDeque<(Instant, u64)>,
    /// What was seen at the last refresh.
    last: View,
    /// What became of the attributes of the pair that was printed last.
    printed_fates: Option<Vec<String>>,
}

impl<W: Write> Show<W> {
    fn new(gauges: Gauges, limit: Option<Duration>, terminal: Terminal<W>) -> Self {
        let (since, past, last) = (Instant::now(), VecDeque::new(), View::default());
        Self { gauges, limit, terminal, since, past, last, printed_fates: None }
    }

    /// Until nobody reads any more.
    async fn run(&mut self) -> io::Result<()> {
        let mut refreshes = tokio::time::interval(REFRESH);
        refreshes.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut next_line = self.since + LINE_EVERY;
        loop {
            refreshes.tick().await;
            let view = self.look();
            let mut lasting = view::events(&self.last, &view);
            if !self.terminal.redraws() {
                lasting.extend(self.new_pair(&view));
                if Instant::now() >= next_line {
                    next_line += LINE_EVERY;
                    lasting.push(screen::line(&view));
                }
            }
            if !lasting.is_empty() {
                self.terminal.print(&lasting)?;
            }
            self.terminal.redraw(&screen::block(&view, self.terminal.style()))?;
            self.last = view;
        }
    }

    /// The view of now, with the rate.
    fn look(&mut self) -> View {
        let now = Instant::now();
        let mut view = self.gauges.view(now - self.since);
        view.limit = self.limit;
        if self.past.len() == RATE_REFRESHES {
            self.past.pop_front();
        }
        self.past.push_back((now, view.accepted));
        if let Some((then, accepted)) = self.past.front() {
            let seconds = (now - *then).as_secs_f64();
            let spans = view.accepted.saturating_sub(*accepted) as f64;
            view.per_second = if seconds > 0.0 { (spans / seconds).round() as u64 } else { 0 };
        }
        view
    }

    /// The pair as lines, if something else became of its attributes than of those of the one before.
    fn new_pair(&mut self, view: &View) -> Vec<String> {
        let Some(pair) = &view.pair else { return Vec::new() };
        let fates = view::differences(&pair.before, &pair.after).into_iter().map(|(key, fate)| match fate {
            Fate::Gone => format!("-{key}"),
            Fate::Changed(_) => format!("~{key}"),
            Fate::Added(_) => format!("+{key}"),
        });
        let fates = Some(fates.collect());
        if self.printed_fates == fates {
            return Vec::new();
        }
        self.printed_fates = fates;
        screen::pair_lines(pair, self.terminal.style())
    }
}

#[cfg(test)]
mod tests;
