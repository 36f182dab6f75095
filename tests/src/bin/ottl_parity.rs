//! Random OTTL conditions through the Collector's own evaluator and through ours, span by span.
//!
//! ```sh
//! (cd tests/peers/ottl && go build -o /tmp/ottlpeer .)
//! cargo run -p tailrace-tests --bin ottl_parity -- --peer /tmp/ottlpeer --conditions 20000
//! ```
//! `parity` does the same through two whole collectors; here a condition costs microseconds. The seed is printed, and of the
//! conditions about which the two differ the shortest first. What is different on purpose (`parity::kept`) is counted by reason.
//! It ends with an error if there was any other difference.

use clap::Parser;
use fastrand::Rng;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use tailrace_otlp::{ResourceView, ScopeView, SpanView};
use tailrace_ottl::{Condition, Context, Scene};
use tailrace_tests::parity::compare::short;
use tailrace_tests::parity::conditions::{About, Conditions};
use tailrace_tests::parity::kept;
use tailrace_tests::parity::traces::{Placed, random};

#[derive(Parser)]
struct Cli {
    /// The Collector's evaluator, built from tests/peers/ottl
    #[arg(long)]
    peer: PathBuf,
    /// Where chance begins; another one each time if not given
    #[arg(long)]
    seed: Option<u64>,
    /// How many conditions are compared
    #[arg(long, default_value_t = 20_000)]
    conditions: usize,
    /// On the spans of how many random traces
    #[arg(long, default_value_t = 30)]
    traces: usize,
    /// Differences shown in full; others are counted
    #[arg(long, default_value_t = 20)]
    show: usize,
}

/// What the Collector's evaluator says of a condition.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    refused: String,
    answers: String,
}

/// A span as our evaluator reads it.
struct Encoded {
    resource: Vec<u8>,
    scope: Vec<u8>,
    span: Vec<u8>,
}

impl Encoded {
    fn new(placed: &Placed) -> Self {
        let (resource, scope) = (Some(placed.resource.clone()), Some(placed.scope.clone()));
        let (resource_url, scope_url) = placed.schemas.clone();
        let resource = ResourceSpans { resource, schema_url: resource_url, ..ResourceSpans::default() };
        let scope = ScopeSpans { scope, schema_url: scope_url, ..ScopeSpans::default() };
        let (resource, scope) = (resource.encode_to_vec(), scope.encode_to_vec());
        Self { resource, scope, span: placed.span.encode_to_vec() }
    }

    fn scene(&self) -> Scene<'_> {
        let (resource, scope) = (ResourceView::new(&self.resource), ScopeView::new(&self.scope));
        Scene { resource, scope, span: SpanView::new(&self.span), event: None, now: 1_800_000_000_000_000_000 }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let seed = cli.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let spans = random(&mut rng, cli.traces).spans;
    let asked: Vec<(About, String)> = (0..cli.conditions)
        .map(|_| {
            let about = if rng.bool() { About::Span } else { About::Event };
            let depth = rng.u32(..3);
            (about, Conditions { random: &mut rng, about }.condition(depth))
        })
        // It is never the same time for both.
        .filter(|(_, text)| !text.contains("Now()"))
        .collect();
    let theirs = ask(&cli.peer, &spans, &asked);
    assert_eq!(theirs.len(), asked.len(), "the peer answered {} of {} questions", theirs.len(), asked.len());
    let encoded: Vec<Encoded> = spans.iter().map(Encoded::new).collect();
    let (mut on_purpose, mut differences) = (BTreeMap::<&str, usize>::new(), Vec::new());
    let mut compared = 0;
    for ((about, text), theirs) in asked.iter().zip(&theirs) {
        let difference = match answers(*about, text, &encoded) {
            Err(error) if theirs.refused.is_empty() => {
                Some((kept::refused_by_us(&error), format!("only tailrace refuses: {error}")))
            }
            Err(_) => None,
            Ok(_) if !theirs.refused.is_empty() => {
                Some((kept::refused_by_them(&theirs.refused), format!("only otelcol refuses: {}", theirs.refused)))
            }
            Ok(ours) => {
                compared += ours.len();
                differing(*about, &spans, &ours, &theirs.answers)
                    .map(|what| (kept::evaluated_otherwise(text).or_else(|| kept::cut_otherwise(text, &spans)), what))
            }
        };
        match difference {
            None => {}
            Some((Some(why), _)) => *on_purpose.entry(why).or_default() += 1,
            Some((None, what)) => differences.push((text, what)),
        }
    }
    println!("{} conditions, {compared} answers compared", asked.len());
    for (why, count) in on_purpose {
        println!("{count:6} on purpose: {why}");
    }
    differences.sort_by_key(|(text, _)| text.len());
    for (text, what) in differences.iter().take(cli.show) {
        println!("--- {text}\n    {what}");
    }
    println!("{} other differences", differences.len());
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Asks the Collector's evaluator.
fn ask(peer: &Path, spans: &[Placed], asked: &[(About, String)]) -> Vec<Answer> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let request = directory.path().join("request");
    std::fs::write(&request, message(spans).encode_to_vec()).expect("writable");
    let mut command = Command::new(peer);
    let started = command.arg(&request).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| panic!("{}: {error}", peer.display()));
    let mut questions = String::new();
    for (about, condition) in asked {
        let _ = writeln!(questions, "{}", json!({"event": *about == About::Event, "condition": condition}));
    }
    let mut input = child.stdin.take().expect("it is piped");
    // It answers while it reads.
    let writer = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("it was started");
    writer.join().expect("it does not panic").expect("it reads everything");
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("an answer")).collect()
}

/// Each span in a place of its own, in their order.
fn message(spans: &[Placed]) -> ExportTraceServiceRequest {
    let resource = |placed: &Placed| {
        let (resource_url, scope_url) = placed.schemas.clone();
        let spans = vec![placed.span.clone()];
        let scope = ScopeSpans { scope: Some(placed.scope.clone()), spans, schema_url: scope_url };
        ResourceSpans { resource: Some(placed.resource.clone()), scope_spans: vec![scope], schema_url: resource_url }
    };
    ExportTraceServiceRequest { resource_spans: spans.iter().map(resource).collect() }
}

/// What we say, a character for each span or event, and each error in words.
fn answers(about: About, text: &str, spans: &[Encoded]) -> Result<Vec<(char, String)>, String> {
    let context = if about == About::Span { Context::Span } else { Context::SpanEvent };
    let condition = Condition::parse(text, context).map_err(|error| error.to_string())?;
    let sign = |scene: &Scene<'_>| match condition.eval(scene) {
        Ok(true) => ('1', String::new()),
        Ok(false) => ('0', String::new()),
        Err(error) => ('E', error.to_string()),
    };
    let mut signs = Vec::new();
    for span in spans {
        let scene = span.scene();
        if about == About::Span {
            signs.push(sign(&scene));
            continue;
        }
        for event in (0..).zip(scene.span.events()) {
            signs.push(sign(&Scene { event: Some(event), ..scene }));
        }
    }
    Ok(signs)
}

/// In how many answers the two differ, and the first span about which they do.
fn differing(about: About, spans: &[Placed], ours: &[(char, String)], theirs: &str) -> Option<String> {
    let count = theirs.len();
    assert_eq!(ours.len(), count, "another number of spans");
    let of = |placed: &Placed| match about {
        About::Span => vec![format!("{placed:?}")],
        About::Event => placed.span.events.iter().map(|event| format!("{event:?} of {placed:?}")).collect(),
    };
    let scenes = spans.iter().flat_map(of);
    let pairs = ours.iter().zip(theirs.chars()).zip(scenes);
    let all: Vec<_> = pairs.filter(|((ours, theirs), _)| ours.0 != *theirs).collect();
    let (((ours, error), theirs), scene) = all.iter().min_by_key(|(_, scene)| scene.len())?;
    let scene = short(scene);
    Some(format!("{} of {count}: otelcol {theirs}, tailrace {ours} {error}\n    {scene}", all.len()))
}
