//! Running a case.

use super::super::hear;
use super::diff::{Line, changes};
use super::load::{Case, Expected};
use super::otlp;
use crate::pdata::{Batch, Signal};
use crate::plugin::{Candidate, Incident, Limits, LoadError, Options, Outcome, Plugin, Role, RunError};
use crate::telemetry::{Counter, Metrics, names};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tailrace_columns::Decision;
use tokio::runtime::Runtime;

/// How long, and how often, a case is repeated to find out what an item costs.
const REPEAT_FOR: Duration = Duration::from_millis(100);
const REPEAT_MAX: usize = 500;

/// What became of a case.
#[derive(Clone, Debug)]
pub(in crate::cli::plugin) struct Report {
    /// Whether it is as it must be.
    pub verdict: Verdict,
    /// What came out, as `expected.json` has it; `None` if the plugin failed.
    pub actual: Option<Value>,
    /// What it cost; `None` if the plugin failed.
    pub costs: Option<Costs>,
    /// Limits that it exceeded.
    pub over: Vec<String>,
    /// What the plugin wrote into its log.
    pub log: Vec<String>,
}

/// Whether a case is as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Verdict {
    /// It is.
    Passed,
    /// Something else came out; from what was expected to what came.
    Differs(Vec<String>),
    /// The plugin failed.
    Failed(String),
    /// Nobody has said yet what must come out.
    Unwritten,
}

/// What a case cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli::plugin) struct Costs {
    /// Spans, data points and log records.
    pub items: usize,
    /// Time for each, with everything around the call; the median of many runs.
    pub ns_per_item: f64,
    /// The highest memory of the instance.
    pub memory_bytes: usize,
    /// Size of what went in.
    pub bytes_in: usize,
    /// Size of what came out.
    pub bytes_out: usize,
    /// Bytes of its log.
    pub log_bytes: usize,
}

/// What came out of one run of all batches of a case.
enum Came {
    Batches(Vec<(Signal, Vec<u8>)>),
    Decisions(BTreeMap<String, String>),
}

/// The plugin with the configuration of the first case that it accepts, to be held while cases run: a component is compiled
/// once as long as somebody uses it, and to compile an interpreter takes many seconds.
pub(in crate::cli::plugin) fn hold(
    candidate: &Candidate,
    role: Role,
    cases: &[Case],
    limits: &Limits,
) -> Option<Plugin> {
    cases.iter().find_map(|case| load(candidate, role, case, limits, &Metrics::default()).ok())
}

fn load(
    candidate: &Candidate,
    role: Role,
    case: &Case,
    limits: &Limits,
    metrics: &Metrics,
) -> Result<Plugin, LoadError> {
    let options = Options {
        name: case.name.clone(),
        role,
        config: case.config.as_str().into(),
        error_mode: None,
        limits: limits.clone(),
    };
    Plugin::load(candidate, options, metrics, &[])
}

/// Runs a case. Blocks; not to be called inside of a runtime.
pub(in crate::cli::plugin) fn run(
    candidate: &Candidate,
    role: Role,
    case: &Case,
    limits: &Limits,
    hearing: &hear::Hearing,
) -> Report {
    let failed = |error: String, over: Vec<String>, log: Vec<String>| Report {
        verdict: verdict_of_failure(case, error),
        actual: None,
        costs: None,
        over,
        log,
    };
    let metrics = Metrics::default();
    hearing.take();
    let plugin = match load(candidate, role, case, limits, &metrics) {
        Ok(plugin) => plugin,
        Err(error) => return failed(error.to_string(), Vec::new(), hearing.take()),
    };
    // The same runtime as a worker's.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error.to_string(), Vec::new(), Vec::new()),
    };
    let suppressed = metrics.counter(&names::PLUGIN_LOG_SUPPRESSED, None, &[]);
    let came = once(&plugin, role, &case.input, &runtime);
    let log = hearing.take();
    let mut over = noisy(&suppressed, limits);
    let came = match came {
        Ok(came) => came,
        Err(error) => {
            over.extend(limit_of(&error));
            return failed(error.to_string(), over, log);
        }
    };
    let (actual, bytes_out) = match shown(&came) {
        Ok(shown) => shown,
        Err(error) => return failed(error, over, log),
    };
    let items = case.input.iter().map(Batch::items).sum();
    let costs = Costs {
        items,
        ns_per_item: time(&plugin, role, &case.input, &runtime).as_nanos() as f64 / f64::max(items as f64, 1.0),
        memory_bytes: memory(&plugin),
        bytes_in: case.input.iter().map(Batch::bytes).sum(),
        bytes_out,
        log_bytes: log.iter().map(String::len).sum(),
    };
    // Of the log only what the first run wrote counts.
    hearing.take();
    let verdict = verdict(case, &actual);
    Report { verdict, actual: Some(actual), costs: Some(costs), over, log }
}

/// All batches, once.
fn once(plugin: &Plugin, role: Role, input: &[Batch], runtime: &Runtime) -> Result<Came, RunError> {
    runtime.block_on(async {
        if role == Role::Traces {
            let mut decisions = BTreeMap::new();
            for batch in input.iter().filter(|batch| batch.signal() == Signal::Traces) {
                let decided = plugin.decide_batch(batch).await.map_err(|failed| failed.error)?;
                decisions.extend(decided.into_iter().map(|(id, decision)| (hex(&id), word(decision).to_owned())));
            }
            return Ok(Came::Decisions(decisions));
        }
        let mut batches = Vec::new();
        for batch in input {
            let bytes = match plugin.run(batch).await.map_err(|failed| failed.error)? {
                Outcome::Unchanged => batch.data().to_vec(),
                Outcome::Replaced(new) => new.data().to_vec(),
                Outcome::Dropped { .. } => Vec::new(),
            };
            batches.push((batch.signal(), bytes));
        }
        Ok(Came::Batches(batches))
    })
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A decision in the words of the contract; a threshold is left out.
pub(in crate::cli::plugin) fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Sample(_) => "sample",
        Decision::NotSampled => "not-sampled",
        Decision::Drop => "drop",
        Decision::Undecided => "undecided",
    }
}

/// In the form of `expected.json`, and the size of it as bytes.
fn shown(came: &Came) -> Result<(Value, usize), String> {
    match came {
        Came::Decisions(decisions) => Ok((json!({ "decisions": decisions }), 0)),
        Came::Batches(batches) => {
            let requests = batches.iter().map(|(signal, bytes)| Ok((*signal, otlp::request(*signal, bytes)?)));
            let requests = requests.collect::<Result<Vec<_>, String>>()?;
            Ok((otlp::object(requests), batches.iter().map(|(_, bytes)| bytes.len()).sum()))
        }
    }
}

/// The median time of a run, once it is warm.
fn time(plugin: &Plugin, role: Role, input: &[Batch], runtime: &Runtime) -> Duration {
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < REPEAT_MAX && (times.is_empty() || start.elapsed() < REPEAT_FOR) {
        let before = Instant::now();
        if once(plugin, role, input, runtime).is_err() {
            break;
        }
        times.push(before.elapsed());
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The memory of its instances; it never shrinks.
fn memory(plugin: &Plugin) -> usize {
    let bytes = plugin.status().get("idle_memory_bytes").and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The limit on the log, if it was exceeded.
fn noisy(suppressed: &Counter, limits: &Limits) -> Vec<String> {
    match suppressed.get() {
        0 => Vec::new(),
        lines => {
            vec![format!("log_lines_per_second: {lines} lines more than the {} allowed", limits.log_lines_per_second)]
        }
    }
}

/// The limit that a failure is about.
fn limit_of(error: &RunError) -> Option<String> {
    let RunError::Accident(failure) = error else { return None };
    let key = match failure.incident {
        Incident::Timeout => "timeout",
        Incident::Memory => "memory_mib",
        Incident::Output => "output_mib",
        _ => return None,
    };
    Some(format!("{key}: {}", failure.message))
}

fn verdict_of_failure(case: &Case, error: String) -> Verdict {
    match &case.expected {
        Some(Expected::Error(words)) if error.contains(words) => Verdict::Passed,
        Some(Expected::Error(words)) => Verdict::Failed(format!("{error} (an error with {words:?} was expected)")),
        _ => Verdict::Failed(error),
    }
}

fn verdict(case: &Case, actual: &Value) -> Verdict {
    let differences = match &case.expected {
        None => return Verdict::Unwritten,
        Some(Expected::Error(words)) => vec![format!("an error with {words:?} was expected, and there was none")],
        Some(Expected::Output(expected)) => changes(expected, actual).iter().map(ToString::to_string).collect(),
        Some(Expected::Changes(expected)) => match input(case) {
            Ok(before) => lists(expected, &texts(&changes(&before, actual))),
            Err(error) => vec![error],
        },
        Some(Expected::Decisions(expected)) => decisions(expected, actual),
    };
    if differences.is_empty() { Verdict::Passed } else { Verdict::Differs(differences) }
}

/// The input in normal form.
pub(super) fn input(case: &Case) -> Result<Value, String> {
    let requests = case.input.iter().map(|batch| Ok((batch.signal(), otlp::request(batch.signal(), batch.data())?)));
    Ok(otlp::object(requests.collect::<Result<Vec<_>, String>>()?))
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

/// What is in one list only.
fn lists(expected: &[String], actual: &[String]) -> Vec<String> {
    let missing = expected.iter().filter(|line| !actual.contains(line)).map(|line| format!("did not happen: {line}"));
    let surplus = actual.iter().filter(|line| !expected.contains(line)).map(|line| format!("not expected: {line}"));
    missing.chain(surplus).collect()
}

fn decisions(expected: &BTreeMap<String, String>, actual: &Value) -> Vec<String> {
    let of = |id: &str| actual.get("decisions").and_then(|decisions| decisions.get(id)).and_then(Value::as_str);
    let mut differences: Vec<String> = expected
        .iter()
        .filter(|(id, decision)| of(id) != Some(decision))
        .map(|(id, decision)| format!("trace {id}: {decision} -> {}", of(id).unwrap_or("not in the input")))
        .collect();
    let known = actual.get("decisions").and_then(Value::as_object).into_iter().flatten();
    let surplus = known.filter(|(id, _)| !expected.contains_key(*id));
    differences.extend(surplus.map(|(id, decision)| format!("trace {id}: nothing was expected -> {decision}")));
    differences
}

impl Report {
    /// What `--bless` writes: in the form that the file has, or else what came out.
    pub(in crate::cli::plugin) fn blessing(&self, case: &Case) -> Option<Value> {
        match (&self.actual, &case.expected, &self.verdict) {
            (Some(actual), Some(Expected::Changes(_)), _) => {
                Some(json!({ "changes": texts(&changes(&input(case).ok()?, actual)) }))
            }
            (Some(actual), _, _) => Some(actual.clone()),
            (None, Some(Expected::Error(_)), Verdict::Failed(error)) => {
                let error = error.split(" (an error with ").next().unwrap_or(error);
                Some(json!({ "error": error }))
            }
            _ => None,
        }
    }

    /// Whether nothing is wrong.
    pub(in crate::cli::plugin) fn is_good(&self) -> bool {
        self.verdict == Verdict::Passed && self.over.is_empty()
    }
}
