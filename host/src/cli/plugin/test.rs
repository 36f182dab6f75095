//! `tailrace plugin test`: every case, under the limits of production, and what each costs.

use super::build;
use super::cases::{self, Case, Report, Verdict};
use super::component::read;
use super::hear::Hearing;
use super::paint::{self, Paint};
use super::progress::Progress;
use super::project::{self, Found};
use super::{Fault, fault};
use crate::plugin::{Candidate, Limits, Outline, Role};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Lines of a difference that are shown.
const LINES_MAX: usize = 40;
/// From this part of a limit on, what is used is pointed out.
const NEARLY: f64 = 0.8;

/// Flags of `test`.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// The folder of a project, which is built first, or a component
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The folder with the cases [default: cases/ of the project]
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Run this case only
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Accept what comes out: write it into each expected.json that differs
    #[arg(long)]
    bless: bool,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the cases.
pub(super) fn run(args: &TestArgs) -> Result<(), Fault> {
    let subject = Subject::of(args)?;
    let cases = cases::load(&subject.cases, args.case.as_deref()).map_err(fault)?;
    let outline = Outline::read(&subject.bytes).map_err(|error| Fault::Plugin(error.to_string()))?;
    let (role, _) = outline.role().map_err(|error| Fault::Plugin(error.to_string()))?;
    let candidate = Candidate::new(subject.bytes);
    let hearing = Hearing::begin();
    let _held = cases::hold(&candidate, role, &cases, &subject.limits);
    let mut results = Vec::new();
    for case in cases {
        let report = cases::run(&candidate, role, &case, &subject.limits, &hearing);
        let blessed = args.bless && bless(&case, &report)?;
        if !args.json {
            for line in lines(&case, &report, blessed, &subject.limits, Paint::stdout()) {
                println!("{line}");
            }
        }
        results.push((case, report, blessed));
    }
    let bad = results.iter().filter(|(_, report, blessed)| !good(report, *blessed)).count();
    if args.json {
        println!("{}", as_json(&results, bad));
    } else {
        println!("{}", conclusion(results.len(), bad, &results, Paint::stdout()));
    }
    if bad == 0 { Ok(()) } else { Err(Fault::Said) }
}

/// What is tested.
struct Subject {
    bytes: Vec<u8>,
    cases: PathBuf,
    limits: Limits,
}

impl Subject {
    fn of(args: &TestArgs) -> Result<Self, Fault> {
        if args.path.is_file() {
            let bytes = read(&args.path)?;
            let cases = args.cases.clone().ok_or_else(|| {
                fault("a component comes without cases: name their folder, as in `tailrace plugin test x.wasm --cases cases`")
            })?;
            let limits = project::limits(None).map_err(fault)?;
            return Ok(Self { bytes, cases, limits });
        }
        let found = Found::at(&args.path).map_err(fault)?;
        let built = build::to_file(&found, &found.component(), &Progress::start("building"), None)?;
        let cases = args.cases.clone().unwrap_or_else(|| found.cases());
        Ok(Self { bytes: built.bytes, cases, limits: found.limits })
    }
}

/// Accepts what came out; whether there was something to write.
fn bless(case: &Case, report: &Report) -> Result<bool, Fault> {
    if report.verdict == Verdict::Passed {
        return Ok(false);
    }
    let Some(blessing) = report.blessing(case) else { return Ok(false) };
    let file = case.dir.join(cases::EXPECTED);
    let text = format!("{blessing:#}\n");
    std::fs::write(&file, text).map_err(|error| fault(format!("{}: {error}", file.display())))?;
    Ok(true)
}

fn good(report: &Report, blessed: bool) -> bool {
    report.is_good() || (blessed && report.over.is_empty())
}

/// What is said about a case.
pub(super) fn lines(case: &Case, report: &Report, blessed: bool, limits: &Limits, paint: Paint) -> Vec<String> {
    let (mark, name) = (mark(report, blessed, paint), paint.bold(&case.name));
    let mut lines = vec![format!("{mark}  {name}{}", costs(report, limits, paint))];
    match &report.verdict {
        Verdict::Passed => {}
        _ if blessed => lines.push(format!("      {} now holds what came out", cases::EXPECTED)),
        Verdict::Differs(differences) => {
            lines.push(paint.dim("      expected -> what came out"));
            lines.extend(differences.iter().take(LINES_MAX).map(|line| format!("      {line}")));
            if let Some(more) = differences.len().checked_sub(LINES_MAX).filter(|more| *more > 0) {
                lines.push(format!("      and {more} more"));
            }
        }
        Verdict::Failed(error) => lines.push(format!("      {}", paint.red(error))),
        Verdict::Unwritten => {
            lines.push(format!("      there is no {} yet: --bless accepts what came out", cases::EXPECTED));
        }
    }
    lines.extend(report.over.iter().map(|over| format!("      {}", paint.red(&format!("over the limit: {over}")))));
    if !good(report, blessed) {
        lines.extend(report.log.iter().map(|line| paint.dim(&format!("      log: {line}"))));
    }
    lines
}

fn mark(report: &Report, blessed: bool, paint: Paint) -> String {
    match (good(report, blessed), blessed) {
        (true, true) => paint.yellow("new "),
        (true, false) => paint.green("ok  "),
        (false, _) => paint.red("FAIL"),
    }
}

fn costs(report: &Report, limits: &Limits, paint: Paint) -> String {
    let Some(costs) = &report.costs else { return String::new() };
    let memory = paint::bytes(costs.memory_bytes);
    let near = costs.memory_bytes as f64 > limits.memory_bytes as f64 * NEARLY;
    let memory =
        if near { paint.yellow(&format!("{memory} of {}", paint::bytes(limits.memory_bytes))) } else { memory };
    let items = if costs.items == 1 { "1 item".to_owned() } else { format!("{} items", costs.items) };
    format!(
        "  {items}, {} each; memory {memory}; {} in, {} out; log {}",
        paint::time(costs.ns_per_item),
        paint::bytes(costs.bytes_in),
        paint::bytes(costs.bytes_out),
        paint::bytes(costs.log_bytes)
    )
}

fn conclusion(all: usize, bad: usize, results: &[(Case, Report, bool)], paint: Paint) -> String {
    let cases = |count: usize| if count == 1 { "1 case".to_owned() } else { format!("{count} cases") };
    if bad == 0 {
        return paint.green(&format!("{} passed", cases(all)));
    }
    let over = results.iter().any(|(_, report, _)| !report.over.is_empty());
    let differs = results.iter().any(|(_, report, blessed)| !blessed && matches!(report.verdict, Verdict::Differs(_)));
    let mut text = paint.red(&format!("{} of {} failed", bad, cases(all)));
    if differs {
        text.push_str("; if what came out is right, --bless accepts it");
    }
    if over {
        text.push_str("; limits are those of production, `limits` in tailrace-plugin.yaml says what those will be");
    }
    text
}

fn as_json(results: &[(Case, Report, bool)], bad: usize) -> Value {
    let cases: Vec<Value> = results
        .iter()
        .map(|(case, report, blessed)| {
            let (result, detail) = match &report.verdict {
                Verdict::Passed => ("passed", json!([])),
                _ if *blessed => ("blessed", json!([])),
                Verdict::Differs(differences) => ("differs", json!(differences)),
                Verdict::Failed(error) => ("failed", json!([error])),
                Verdict::Unwritten => ("no expected.json", json!([])),
            };
            json!({
                "case": case.name,
                "ok": good(report, *blessed),
                "result": result,
                "detail": detail,
                "over_limit": report.over,
                "items": report.costs.map(|costs| costs.items),
                "nanoseconds_per_item": report.costs.map(|costs| costs.ns_per_item.round()),
                "peak_memory_bytes": report.costs.map(|costs| costs.memory_bytes),
                "bytes_in": report.costs.map(|costs| costs.bytes_in),
                "bytes_out": report.costs.map(|costs| costs.bytes_out),
                "log_bytes": report.costs.map(|costs| costs.log_bytes),
                "log": report.log,
            })
        })
        .collect();
    json!({ "ok": bad == 0, "failed": bad, "cases": cases })
}

/// Every case of a project against a component, for `dev`: what is said about those that fail.
pub(super) fn check(candidate: &Candidate, role: Role, found: &Found, hearing: &Hearing) -> Result<usize, Vec<String>> {
    let cases = cases::load(&found.cases(), None).map_err(|error| vec![error])?;
    let _held = cases::hold(candidate, role, &cases, &found.limits);
    let mut faults = Vec::new();
    for case in &cases {
        let report = cases::run(candidate, role, case, &found.limits, hearing);
        if !good(&report, false) {
            faults.extend(lines(case, &report, false, &found.limits, Paint::stdout()));
        }
    }
    if faults.is_empty() { Ok(cases.len()) } else { Err(faults) }
}
