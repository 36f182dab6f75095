//! `tailrace plugin bench`: what a plugin costs, step by step, beside the last run.

use super::cases::otlp;
use super::component::{Component, read};
use super::paint::{self, Paint};
use super::{Fault, fault, project};
use crate::cli::demo::generator::traffic::Traffic;
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::plugin::{Bench, Candidate, Hash, Limits, Outline};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Traces of the shop in the batch that is used if there is no other: about 400 spans.
const TRACES: usize = 100;
/// Time that a call may take while it is measured, whatever a collector allows.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same traces in each run.
const SEED: u64 = 1;

/// Flags of `bench`.
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// The component: a .wasm file, or the folder of its project
    #[arg(default_value = ".")]
    file: PathBuf,
    /// What goes through it: OTLP JSON, as in the input.json of a case [default: about 400 spans of a small shop]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// What to configure it with, as JSON or @FILE [default: the config.json of the first case of its project, else
    /// {}]
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// How long to measure
    #[arg(long = "for", value_name = "DURATION", default_value = "2s", value_parser = crate::cli::run::duration)]
    time: Duration,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Measures, shows and remembers.
pub(super) fn run(args: &BenchArgs) -> Result<(), Fault> {
    let component = Component::at(&args.file)?;
    let config = component.config(args.config.as_deref())?;
    let Component { file, bytes, project } = component;
    let bad = |error: crate::plugin::LoadError| Fault::Plugin(format!("{}: {error}", file.display()));
    let (role, kind) = Outline::read(&bytes).and_then(|outline| outline.role()).map_err(bad)?;
    let batches = input(args.input.as_deref())?;
    let limits = match project {
        Some(project) => project.limits,
        None => project::limits(None).map_err(fault)?,
    };
    let candidate = Candidate::new(bytes);
    // What takes longer than a collector allows is measured too, and said so.
    let patient = Limits { timeout: limits.timeout.max(PATIENCE), ..limits.clone() };
    let bench = Bench::run(&candidate, role, &config, &patient, &batches, args.time).map_err(bad)?;
    let figures = figures(&bench, &candidate.hash().to_string(), &config);
    let record = Record::of(&file, args.input.as_deref());
    let last = record.as_ref().and_then(Record::read);
    if let Some(record) = &record {
        // Without a place to remember it there is only nothing to compare the next run with.
        let _ = record.write(&figures);
    }
    if args.json {
        println!("{:#}", json!({ "now": figures, "last": last }));
        return Ok(());
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    for line in lines(&format!("{name} ({kind})"), &bench, &figures, last.as_ref(), Paint::stdout()) {
        println!("{line}");
    }
    if let Some(slow) = too_slow(&bench, limits.timeout) {
        println!("{}", Paint::stdout().red(&slow));
    }
    Ok(())
}

/// Said of a plugin that would be cut off.
fn too_slow(bench: &Bench, allowed: Duration) -> Option<String> {
    let call = (bench.crossing + bench.guest).checked_div(u32::try_from(bench.calls).ok()?)?;
    let items = bench.items.checked_div(bench.calls)?;
    (call > allowed).then(|| {
        format!(
            "a call with {items} items takes {}, and a collector cuts it off after {}: give the plugin a longer \
             `limits: {{timeout: ...}}`, or smaller batches",
            paint::time(call.as_nanos() as f64),
            paint::time(allowed.as_nanos() as f64),
        )
    })
}

fn input(file: Option<&Path>) -> Result<Vec<Batch>, Fault> {
    let Some(file) = file else {
        let mut traffic = Traffic::new(SEED);
        let data: Vec<u8> = (0..TRACES).flat_map(|_| traffic.trace()).collect();
        return Ok(vec![Batch::validate(Signal::Traces, data.into(), &Validation::default()).map_err(fault)?]);
    };
    let failed = |error: String| fault(format!("{}: {error}", file.display()));
    let value: Value = serde_json::from_slice(&read(file)?).map_err(|error| failed(error.to_string()))?;
    otlp::batches(&value).map_err(failed)
}

/// The steps whose times are for each item, with what they are.
const STEPS: [(&str, &str); 4] = [
    ("scan", "the host looks for what the plugin asked for"),
    ("crossing", "into the guest and back, with a plugin that does nothing"),
    ("guest", "the plugin itself"),
    ("splice", "the host checks and applies what came back"),
];

/// The figures as they are remembered: nanoseconds, those of steps for each item.
fn figures(bench: &Bench, hash: &str, config: &str) -> Value {
    let each = |time: Duration| time.as_nanos() as f64 / f64::max(bench.items as f64, 1.0);
    let whole = |time: Duration| time.as_nanos() as f64;
    json!({
        "sha256": hash,
        "config": config,
        "items": bench.items,
        "calls": bench.calls,
        "repetitions": bench.repetitions,
        "memory_bytes": bench.memory_bytes,
        "compile": whole(bench.compile),
        "load": bench.load.map(whole),
        "instantiate": whole(bench.instantiate),
        "scan": each(bench.scan),
        "crossing": each(bench.crossing),
        "guest": each(bench.guest),
        "splice": each(bench.splice),
        "total": each(bench.scan + bench.crossing + bench.guest + bench.splice),
    })
}

fn lines(title: &str, bench: &Bench, now: &Value, last: Option<&Value>, paint: Paint) -> Vec<String> {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_f64);
    let row = |key: &str, what: &str| {
        let figure = number(now, key).unwrap_or_default();
        let before = last.and_then(|last| number(last, key));
        let before = before.map(|before| (paint::time(before), change(before, figure, paint)));
        let (before, change) = before.unwrap_or_default();
        format!("  {key:<12}{:>10}  {before:>10}  {change:>7}  {}", paint::time(figure), paint.dim(what))
            .trim_end()
            .to_owned()
    };
    let Bench { items, calls, repetitions, .. } = bench;
    let mut lines = vec![
        format!(
            "{title}: {items} items in {}, {repetitions} times; {} of memory",
            if *calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") },
            paint::bytes(bench.memory_bytes)
        ),
        paint.bold(&format!("  {:<12}{:>10}  {:>10}  {:>7}", "per item", "now", "last run", "")).trim_end().to_owned(),
    ];
    lines.extend(STEPS.iter().map(|(key, what)| row(key, what)));
    lines.push(paint.bold(&row("total", "")));
    lines.push(paint.bold("  once"));
    lines.push(row("instantiate", "an instance, configured"));
    lines.push(row("compile", "once for each version and machine"));
    if bench.load.is_some() {
        lines.push(row("load", "what was compiled before, from the cache"));
    }
    if *calls == 0 {
        lines
            .push(paint.yellow(
                "nothing of what the plugin asks for is in the input: give it one with --input, or a --config",
            ));
    }
    if last.is_some_and(|last| last.get("config") != now.get("config") || last.get("items") != now.get("items")) {
        lines.push(paint.yellow("the last run had another configuration or input"));
    }
    lines
}

/// How much more or less, coloured if that is more than noise.
fn change(before: f64, now: f64, paint: Paint) -> String {
    if before < 1.0 {
        return String::new();
    }
    let percent = (now / before - 1.0) * 100.0;
    let text = format!("{percent:+.0} %");
    match percent {
        percent if percent > 10.0 => paint.red(&text),
        percent if percent < -10.0 => paint.green(&text),
        _ => text,
    }
}

/// Where the last run of a component with an input is remembered.
struct Record(PathBuf);

impl Record {
    /// In the user's cache directory; `None` if there is none.
    fn of(component: &Path, input: Option<&Path>) -> Option<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        let path = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        let key = format!("{}\n{}", path(component), input.map(path).unwrap_or_default());
        Some(Self(cache.join("tailrace/bench").join(format!("{}.json", Hash::of(key.as_bytes()).short()))))
    }

    fn read(&self) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(&self.0).ok()?).ok()
    }

    fn write(&self, figures: &Value) -> std::io::Result<()> {
        if let Some(folder) = self.0.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.0, figures.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_stands_beside_this_one() {
        let nanos = Duration::from_nanos;
        let bench = |guest| Bench {
            items: 10,
            calls: 1,
            compile: nanos(5_000_000),
            load: Some(nanos(700_000)),
            instantiate: nanos(20_000),
            scan: nanos(1_000),
            crossing: nanos(500),
            guest: nanos(guest),
            splice: nanos(200),
            repetitions: 3,
            memory_bytes: 65_536,
        };
        let (now, last) = (figures(&bench(4_000), "b", "{}"), figures(&bench(2_000), "a", "{}"));
        let shown = lines("tidy (attributes)", &bench(4_000), &now, Some(&last), Paint::plain());
        assert_eq!(shown[0], "tidy (attributes): 10 items in 1 call, 3 times; 65.5 kB of memory");
        assert_eq!(shown[9], "  compile        5.00 ms     5.00 ms     +0 %  once for each version and machine");
        assert_eq!(
            shown[10],
            "  load            700 us      700 us     +0 %  what was compiled before, from the cache"
        );
        assert_eq!(shown[4], "  guest           400 ns      200 ns   +100 %  the plugin itself");
        assert_eq!(shown[6], "  total           570 ns      370 ns    +54 %");
        assert_eq!(too_slow(&bench(4_000), nanos(4_500)), None);
        let slow = too_slow(&bench(4_000), nanos(4_400)).unwrap();
        assert!(
            slow.starts_with("a call with 10 items takes 4.50 us, and a collector cuts it off after 4.40 us"),
            "{slow}"
        );
        let first = lines("tidy (attributes)", &bench(4_000), &now, None, Paint::plain());
        assert_eq!(first[6], "  total           570 ns");
    }

    #[test]
    fn the_shop_is_the_default_input() {
        let batches = input(None).unwrap();
        assert!(batches[0].items() > TRACES);
        // The same but for the time of day.
        assert_eq!(batches[0].items(), input(None).unwrap()[0].items());
    }
}
