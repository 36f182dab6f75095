//! `tailrace plugin dev`: on every save build, run the cases, swap, and show what became of real spans.
//!
//! ```text
//! save -> build -> cases -> swap -> before/after
//!           |        |       |
//!           +--------+-------+--> on a failure: the last good version goes on, and the reason is shown
//! ```

mod attach;
mod show;
mod stage;
mod watch;

use super::build::{self, NotBuilt};
use super::cases;
use super::component;
use super::hear::Hearing;
use super::languages::Kept;
use super::paint::{self, Paint};
use super::progress::Progress;
use super::project::Found;
use super::{Fault, fault, test};
use crate::pdata::Batch;
use crate::plugin::{Candidate, Compiled, Offer, Options, Platform};
use attach::Target;
use clap::Args;
use stage::Stage;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use watch::Watch;

/// Rounds of the flow that are shown after a swap, and how long they may take.
const ROUNDS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(10);
/// Said below cases that fail: the first thing that an author changes is what the case of the template expects.
const ACCEPT: &str = "if what came out is what you want, `tailrace plugin test --bless` accepts it";
/// How often what the flow has to say is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Machine code of functions that is kept from one save to the next: CPython has 35 MB of it, and half of the room is for what was
/// used before the last.
const FUNCTIONS_BYTES: usize = 256 << 20;
/// How often a missing toolchain is looked for again: it is installed in another terminal.
const AGAIN: Duration = Duration::from_secs(3);

/// Flags of `dev`.
#[derive(Args, Debug)]
pub(super) struct DevArgs {
    /// The folder of the project
    #[arg(default_value = ".")]
    path: PathBuf,
    /// What to configure the plugin with, as JSON or @FILE [default: the config.json of the first case]
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Also put each good version into the plugin directory of a running collector: its path, or the address of its
    /// admin listener, as in http://localhost:13190
    #[arg(long, value_name = "DIR|URL")]
    attach: Option<String>,
    /// End after this time, as in 20s or 5m [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::cli::run::duration)]
    limit: Option<Duration>,
}

/// Runs until Ctrl-C.
pub(super) fn run(args: &DevArgs) -> Result<(), Fault> {
    let paint = Paint::stdout();
    let found = Found::at(&args.path).map_err(fault)?;
    let target = args.attach.as_deref().map(|attach| Target::of(attach, &found.project.name)).transpose()?;
    let config = args.config.as_deref().map(component::config).transpose()?;
    keep_functions();
    let kept = Kept::default();
    let mut watch = Watch::new(&found.project.dir, found.language.sources());
    let mut dev =
        Dev { args, config, target, stage: None, staged: None, missing: None, kept, hearing: Hearing::begin(), paint };
    let start = Instant::now();
    let rest = |limit: Option<Duration>| limit.map_or(LOOK, |limit| limit.saturating_sub(start.elapsed()).min(LOOK));
    println!("{}  {}, {}", paint.bold(&found.project.name), found.language.name(), found.project.kind.as_str());
    println!("{}", paint.dim("spans of a small shop and the inputs of cases/ flow through it; Ctrl-C ends it"));
    dev.cycle(start);
    while args.limit.is_none_or(|limit| start.elapsed() < limit) {
        let changed = watch.changed(rest(args.limit));
        if changed.is_empty() {
            dev.listen();
            if dev.missing.as_ref().is_some_and(|(_, since)| since.elapsed() >= AGAIN) {
                dev.cycle(Instant::now());
            }
            continue;
        }
        dev.missing = None;
        let saved = Instant::now();
        let here = |path: &PathBuf| path.strip_prefix(&found.project.dir).unwrap_or(path).display().to_string();
        let names: Vec<String> = changed.iter().take(3).map(here).collect();
        println!("\n{}", paint.bold(&format!("saved {}", names.join(", "))));
        dev.cycle(saved);
    }
    Ok(())
}

/// From now on this process compiles by itself, and only those functions that it has not compiled before.
fn keep_functions() {
    let mut settings = Platform::of_process().settings().clone();
    settings.compile.functions_bytes = Some(FUNCTIONS_BYTES);
    Platform::new(settings).install();
}

/// Why what was saved is not live.
enum NotLive {
    /// The machine lacks something.
    Missing(String),
    /// The plugin is at fault.
    Bad(String),
}

impl From<String> for NotLive {
    fn from(text: String) -> Self {
        Self::Bad(text)
    }
}

struct Dev<'a> {
    args: &'a DevArgs,
    config: Option<String>,
    target: Option<Target>,
    stage: Option<Stage>,
    /// What runs: its configuration, and the component, held compiled.
    staged: Option<(String, Compiled)>,
    /// What the machine lacks to build, as it was said, and when that was found out.
    missing: Option<(String, Instant)>,
    /// What makes the next build quicker.
    kept: Kept,
    hearing: Hearing,
    paint: Paint,
}

impl Dev<'_> {
    /// From sources to spans; what goes wrong is said, and the last good version goes on.
    fn cycle(&mut self, since: Instant) {
        let said = self.missing.take().map(|(said, _)| said);
        let text = match self.try_cycle(since) {
            Ok(()) => return,
            Err(NotLive::Missing(text)) => {
                self.missing = Some((text.clone(), Instant::now()));
                text
            }
            Err(NotLive::Bad(text)) => text,
        };
        if said.as_ref() == Some(&text) {
            return;
        }
        println!("{}", text.trim_end());
        let then =
            if self.missing.is_some() { "this goes on by itself once that is mended" } else { "save to try again" };
        let stayed = match &self.stage {
            Some(stage) => format!("generation {} goes on; {then}", stage.generation()),
            None => format!("nothing runs yet; {then}"),
        };
        println!("{}", self.paint.yellow(&stayed));
    }

    fn try_cycle(&mut self, since: Instant) -> Result<(), NotLive> {
        let paint = self.paint;
        // Read again each time: the manifest and the cases may be what was saved.
        let found = Found::at(&self.args.path)?;
        let progress = Progress::start("building");
        let built =
            build::to_file(&found, &found.component(), &progress, Some(&mut self.kept)).map_err(|why| match why {
                NotBuilt::Sources(text) => NotLive::Bad(format!("{}\n{text}", paint.red("it does not build:"))),
                NotBuilt::Machine(text) => NotLive::Missing(format!("{} {text}", paint.red("error:"))),
            })?;
        drop(progress);
        let (role, _) = built.outline.role().map_err(|error| error.to_string())?;
        let size = paint::bytes(built.bytes.len());
        let candidate = Candidate::new(built.bytes);
        let compiled = Compiled::of(&candidate).map_err(|error| error.to_string())?;
        let ran = test::check(&candidate, role, &found, &self.hearing)
            .map_err(|faults| format!("{}\n{}\n{ACCEPT}", paint.red("cases fail:"), faults.join("\n")))?;
        let cases = cases::load(&found.cases(), None)?;
        let inputs: Vec<Batch> = cases.iter().flat_map(|case| case.input.iter().cloned()).collect();
        let of_case = || cases.first().map_or("{}".to_owned(), |case| case.config.clone());
        let config = self.config.clone().unwrap_or_else(of_case);
        let generation = self.swap(&candidate, compiled, config, role, &found, inputs)?;
        let cases = if ran == 1 { "1 case".to_owned() } else { format!("{ran} cases") };
        println!(
            "{} after {:.1} s: built in {:.1} s, {size}; {cases} passed; generation {generation}",
            paint.green("live"),
            since.elapsed().as_secs_f64(),
            built.took.as_secs_f64()
        );
        if let Some(stage) = &self.stage {
            for line in show::lines(&stage.watch(ROUNDS, PATIENCE), paint) {
                println!("{line}");
            }
        }
        if let Some(target) = &self.target {
            println!("{}", target.deploy(&candidate, &found.component(), since)?);
        }
        self.listen();
        Ok(())
    }

    /// Puts a version where spans flow: beside the running one if only the code is new, in a new place if the
    /// configuration is.
    fn swap(
        &mut self,
        candidate: &Candidate,
        compiled: Compiled,
        config: String,
        role: crate::plugin::Role,
        found: &Found,
        inputs: Vec<Batch>,
    ) -> Result<u64, String> {
        let same = self.staged.as_ref().is_some_and(|(staged, _)| *staged == config);
        let refused = |error| format!("{} {error}", self.paint.red("it cannot run:"));
        let generation = match self.stage.as_mut().filter(|_| same) {
            Some(stage) => match stage.offer(candidate, inputs) {
                Offer::Refused(error) => return Err(refused(error)),
                _ => stage.generation(),
            },
            None => {
                let options = Options {
                    name: found.project.name.clone(),
                    role,
                    config: config.as_str().into(),
                    error_mode: None,
                    limits: found.limits.clone(),
                };
                let stage = Stage::start(candidate, options, inputs).map_err(refused)?;
                let generation = stage.generation();
                self.stage = Some(stage);
                generation
            }
        };
        self.staged = Some((config, compiled));
        Ok(generation)
    }

    /// Says what the plugin writes into its log, and what goes wrong in the flow.
    fn listen(&self) {
        let mut lines = self.hearing.take();
        lines.dedup();
        for line in lines.iter().take(20) {
            println!("{}", self.paint.dim(&format!("  log: {line}")));
        }
        if let Some(error) = self.stage.as_ref().and_then(Stage::trouble) {
            println!("  {}", self.paint.red(&format!("the plugin fails: {error}")));
        }
    }
}
