//! The same policies and the same traces through the real Collector and through Tailrace, every span that comes out compared.
//!
//! ```sh
//! parity --otelcol otelcol-contrib --tailrace target/release/tailrace --cases 200
//! parity ... --seed 42 --only ottl_condition
//! ```
//! A round gives a hundred processors, each in a pipeline of its own, the same traces; when all is decided, late spans. Which
//! configurations one accepts and the other refuses is compared too. The seed of each round is printed, and for each difference the
//! policy and the smallest trace that shows it. What is different on purpose (`parity::kept`, and `host/CONFIG.md` for users) is
//! counted by reason. It ends with an error if there was any other difference.

use clap::Parser;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tailrace_tests::parity::compare::{Outs, compare, count, outs, smallest};
use tailrace_tests::parity::kept;
use tailrace_tests::parity::peers::{Kind, Peer, named, refused, yaml};
use tailrace_tests::parity::policies::{Case, TYPES, Traffic, case};
use tailrace_tests::parity::traces::{Pool, equal, random};
use tailrace_tests::wire::Wire;

#[derive(Parser)]
struct Cli {
    /// The Collector
    #[arg(long)]
    otelcol: PathBuf,
    /// Tailrace
    #[arg(long)]
    tailrace: PathBuf,
    /// Where chance begins; another one each time if not given
    #[arg(long)]
    seed: Option<u64>,
    /// How many processors are compared
    #[arg(long, default_value_t = 200)]
    cases: usize,
    /// Only policies of this type
    #[arg(long)]
    only: Option<String>,
    /// How many random traces each of them gets
    #[arg(long, default_value_t = 400)]
    traces: usize,
    /// Differences shown in full; others are counted
    #[arg(long, default_value_t = 10)]
    show: usize,
}

/// How many processors share a process.
const ROUND: usize = 100;
/// `decision_wait`: everything on time is sent within it.
const WAIT: Duration = Duration::from_secs(4);

#[derive(Default)]
struct Totals {
    cases: usize,
    traces: usize,
    shown: usize,
    differences: BTreeMap<String, usize>,
    kept: BTreeMap<&'static str, usize>,
}

impl Totals {
    /// Notes a difference, or one that is kept on purpose and why.
    fn note(&mut self, cli: &Cli, kept: Option<&'static str>, what: &str, text: impl FnOnce() -> String) {
        if let Some(kept) = kept {
            *self.kept.entry(kept).or_default() += 1;
            return;
        }
        *self.differences.entry(what.to_owned()).or_default() += 1;
        if self.shown < cli.show {
            self.shown += 1;
            println!("--- {what}\n{}", text());
        }
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let kinds: Vec<&'static str> =
        TYPES.iter().copied().filter(|kind| cli.only.as_ref().is_none_or(|only| only == kind)).collect();
    assert!(!kinds.is_empty(), "there is no type {:?}; there are {TYPES:?}", cli.only);
    let mut totals = Totals::default();
    let first_seed = cli.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    for (seed, start) in (first_seed..).zip((0..cli.cases).step_by(ROUND)) {
        let cases = ROUND.min(cli.cases - start);
        println!("seed {seed}, {cases} cases");
        round(&cli, seed, &kinds, cases, &mut totals).await;
    }
    println!("{} processors, {} decisions compared", totals.cases, totals.traces);
    for (why, count) in &totals.kept {
        println!("{count:6} on purpose: {why}");
    }
    if totals.differences.is_empty() {
        println!("no other difference");
        return std::process::ExitCode::SUCCESS;
    }
    for (what, count) in &totals.differences {
        println!("{count:6} {what}");
    }
    std::process::ExitCode::FAILURE
}

async fn round(cli: &Cli, seed: u64, kinds: &[&'static str], cases: usize, totals: &mut Totals) {
    let mut rng = Rng::with_seed(seed);
    let wait = format!("{}s", WAIT.as_secs());
    let mut cases: BTreeMap<usize, Case> =
        (0..cases).map(|number| (number, case(&mut rng, kinds[number % kinds.len()], &wait))).collect();
    let pools = [random(&mut rng, cli.traces), equal(&mut rng, 30, 5)];
    let ours = refused(&cli.tailrace, &yaml(&cases));
    let sink = Wire::start().await;
    let (otelcol, theirs) = start_otelcol(cli, &mut cases, sink.address()).await;
    for (number, case) in &cases {
        if let Some(why) = ours.get(number) {
            let what = format!("{}: only tailrace refuses", case.kind);
            totals.note(cli, kept::refused_by_us(why), &what, || format!("{why}\n{}", case.settings));
        }
    }
    for (number, (case, why)) in &theirs {
        totals.cases += 1;
        if !ours.contains_key(number) {
            let what = format!("{}: only otelcol refuses", case.kind);
            totals.note(cli, kept::refused_by_them(why), &what, || format!("{why}\n{}", case.settings));
        }
    }
    totals.cases += cases.len();
    let Some(mut otelcol) = otelcol else { return };
    if cases.keys().any(|number| ours.contains_key(number)) {
        cases.retain(|number, _| !ours.contains_key(number));
        let again = Peer::start(Kind::Otelcol, &cli.otelcol, &yaml(&cases), sink.address()).await;
        otelcol = again.unwrap_or_else(|log| panic!("otelcol does not start:\n{log}"));
    }
    let tailrace = Peer::start(Kind::Tailrace, &cli.tailrace, &yaml(&cases), sink.address()).await;
    let tailrace = tailrace.unwrap_or_else(|log| panic!("tailrace does not start:\n{log}"));
    exchange(&[otelcol, tailrace], &pools, &sink).await;
    report(cli, &cases, &pools, &sink, totals);
}

/// Starts the Collector with the cases that it does not refuse; what it refuses it names one by one.
async fn start_otelcol(
    cli: &Cli,
    cases: &mut BTreeMap<usize, Case>,
    sink: SocketAddr,
) -> (Option<Peer>, BTreeMap<usize, (Case, String)>) {
    let mut refused = BTreeMap::new();
    loop {
        match Peer::start(Kind::Otelcol, &cli.otelcol, &yaml(cases), sink).await {
            Ok(peer) => return (Some(peer), refused),
            Err(log) => {
                let found: Vec<_> = named(&log).into_iter().filter(|(number, _)| cases.contains_key(number)).collect();
                assert!(!found.is_empty(), "otelcol does not start:\n{log}");
                for (number, why) in found {
                    let case = cases.remove(&number).expect("it was looked for");
                    refused.insert(number, (case, why));
                }
            }
        }
    }
}

/// Sends everything to both, in the same order, and waits until nothing more comes.
async fn exchange(peers: &[Peer], pools: &[Pool; 2], sink: &Wire) {
    let [random, equal] = pools;
    let started = Instant::now();
    let mut statuses = Vec::new();
    for peer in peers {
        let mut all = Vec::new();
        for request in &random.requests {
            all.push(peer.send(Traffic::Random, request.clone()).await);
        }
        all.push(peer.send(Traffic::Equal, equal.requests[0].clone()).await);
        statuses.push(all);
    }
    for (number, (theirs, ours)) in statuses[0].iter().zip(&statuses[1]).enumerate() {
        assert_eq!((theirs.0, ours.0), (200, 200), "request {number}: otelcol {theirs:?}, tailrace {ours:?}");
    }
    let took = started.elapsed();
    assert!(took < WAIT, "sending took {took:?}: with fewer traces it is done before decisions begin");
    quiet(sink, took + WAIT + Duration::from_secs(2)).await;
    for peer in peers {
        for request in &random.late {
            assert_eq!(peer.send(Traffic::Random, request.clone()).await.0, 200);
        }
    }
    quiet(sink, WAIT + Duration::from_secs(3)).await;
}

/// Waits so long, and then until nothing has come for a second.
async fn quiet(sink: &Wire, at_least: Duration) {
    tokio::time::sleep(at_least).await;
    let mut before = sink.arrivals().len();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = sink.arrivals().len();
        if now == before {
            return;
        }
        before = now;
    }
}

fn report(cli: &Cli, cases: &BTreeMap<usize, Case>, pools: &[Pool; 2], sink: &Wire, totals: &mut Totals) {
    let arrivals = sink.arrivals();
    let (theirs, ours) = (outs(&arrivals, Kind::Otelcol), outs(&arrivals, Kind::Tailrace));
    let none = Outs::new();
    for (number, case) in cases {
        let (theirs, ours) = (theirs.get(number).unwrap_or(&none), ours.get(number).unwrap_or(&none));
        if case.traffic == Traffic::Equal {
            totals.traces += 30;
            if count(theirs) != count(ours) {
                let text = || format!("otelcol {:?}, tailrace {:?}\n{}", count(theirs), count(ours), case.settings);
                let kept = kept::counted_otherwise(&case.settings, count(theirs).0, count(ours).0);
                totals.note(cli, kept, &format!("{}: another number of (traces, spans)", case.kind), text);
            }
            continue;
        }
        totals.traces += cli.traces;
        let difference = compare(&pools[0], theirs, ours);
        for (who, traces) in [("otelcol", &difference.only_otelcol), ("tailrace", &difference.only_tailrace)] {
            let (on_purpose, traces): (BTreeSet<_>, BTreeSet<_>) =
                traces.iter().cloned().partition(|id| kept::decided_otherwise(&case.settings, &pools[0], id).is_some());
            for id in &on_purpose {
                totals.note(cli, kept::decided_otherwise(&case.settings, &pools[0], id), "", String::new);
            }
            if !traces.is_empty() {
                let what = format!("{}: only {who} keeps spans", case.kind);
                let text = || format!("{}\n{} traces\n{}", case.settings, traces.len(), smallest(&pools[0], &traces));
                totals.note(cli, None, &what, text);
            }
        }
        if let Some(first) = difference.spoiled.first() {
            totals.note(cli, None, &format!("{}: changed", case.kind), || format!("{}\n{first}", case.settings));
        }
    }
}
