//! The same policies and the same traces through the real Collector and through Tailrace, every span that comes out compared.
//!
//! ```sh
//! parity --otelcol otelcol-contrib --tailrace target/release/tailrace --cases 200
//! parity ... --seed 42 --only ottl_condition
//! ```
//! A round gives a hundred processors, each in a pipeline of its own, the same traces; when all is decided, late spans; and in the end
//! traces that wait when both are told to end. Which configurations one accepts and the other refuses is compared too. The seed of each
//! round is printed, and for each difference the policy and the smallest trace that shows it. What is different on purpose
//! (`parity::kept`, and `host/CONFIG.md` for users) is counted by reason. It ends with an error if there was any other difference.

use clap::Parser;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tailrace_tests::parity::compare::{Outs, Scope, compare, count, outs, smallest};
use tailrace_tests::parity::kept;
use tailrace_tests::parity::peers::{Binary, Kind, Peer, named, refused, yaml};
use tailrace_tests::parity::policies::{Case, TYPES, Times, Traffic, WHOLE_AT_ONCE, blocking_case, case};
use tailrace_tests::parity::traces::{Pool, When, equal, random, whole};
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
/// `decision_wait`: everything but late spans is sent within it.
const WAIT: Duration = Duration::from_secs(15);
/// `decision_wait_after_root_received`, of some.
const ROOT_WAIT: Duration = Duration::from_secs(4);
/// When spans are sent for which a trace with a root is decided already. The Collector decides up to a second late.
const BETWEEN: Duration = Duration::from_secs(11);
/// Everything before is sent by then, or what waits for roots cannot be compared.
const EARLY: Duration = Duration::from_secs(5);
/// Traces for the processor that makes senders wait.
const BLOCKING_TRACES: usize = 150;

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
    let gates = Gates { tracestate: rng.u32(..3) == 0, record: rng.u32(..3) == 0 };
    let binary = |path: &Path| Binary { path: path.to_owned(), flags: gates.flags() };
    let (otelcol_binary, tailrace_binary) = (binary(&cli.otelcol), binary(&cli.tailrace));
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let times = Times { wait: seconds(WAIT), root_wait: seconds(ROOT_WAIT) };
    let kind = |number: usize| kinds[number % kinds.len()];
    let limits = |number| matches!(kind(number), "rate_limiting" | "bytes_limiting" | "composite");
    // One is enough: a sender that waits keeps the others waiting.
    let blocking = (0..cases).rev().find(|number| !limits(*number));
    let mut cases: BTreeMap<usize, Case> = (0..cases)
        .map(|number| match blocking == Some(number) {
            true => (number, blocking_case(&mut rng, kind(number))),
            false => (number, case(&mut rng, kind(number), &times, gates.tracestate)),
        })
        .collect();
    let pools = Pools {
        random: random(&mut rng, cli.traces),
        equal: equal(&mut rng, 30, 5),
        whole: whole(&mut rng, cli.traces, WHOLE_AT_ONCE),
        pending: random(&mut rng, cli.traces).at_once(),
        blocking: whole(&mut rng, BLOCKING_TRACES, 1),
    };
    let ours = refused(&tailrace_binary, &yaml(Kind::Tailrace, &cases));
    let sink = Wire::start().await;
    let (otelcol, theirs) = start_otelcol(&otelcol_binary, &mut cases, sink.address()).await;
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
        let again = Peer::start(Kind::Otelcol, &otelcol_binary, &yaml(Kind::Otelcol, &cases), sink.address()).await;
        otelcol = again.unwrap_or_else(|log| panic!("otelcol does not start:\n{log}"));
    }
    let tailrace = Peer::start(Kind::Tailrace, &tailrace_binary, &yaml(Kind::Tailrace, &cases), sink.address()).await;
    let tailrace = tailrace.unwrap_or_else(|log| panic!("tailrace does not start:\n{log}"));
    let in_time = exchange(&mut [otelcol, tailrace], &pools, &sink).await;
    Report { cli, cases: &cases, pools: &pools, gates, in_time }.write(&sink, totals);
}

/// Starts the Collector with the cases that it does not refuse; what it refuses it names one by one.
async fn start_otelcol(
    binary: &Binary,
    cases: &mut BTreeMap<usize, Case>,
    sink: SocketAddr,
) -> (Option<Peer>, BTreeMap<usize, (Case, String)>) {
    let mut refused = BTreeMap::new();
    loop {
        match Peer::start(Kind::Otelcol, binary, &yaml(Kind::Otelcol, cases), sink).await {
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

/// The Collector's feature gates that both get.
#[derive(Clone, Copy)]
struct Gates {
    tracestate: bool,
    record: bool,
}

impl Gates {
    fn flags(self) -> Vec<String> {
        let gates = [(self.tracestate, "usetracestate"), (self.record, "recordpolicy")];
        let gate = |name| format!("--feature-gates=processor.tailsamplingprocessor.{name}");
        gates.into_iter().filter(|(on, _)| *on).map(|(_, name)| gate(name)).collect()
    }
}

/// What is sent.
struct Pools {
    random: Pool,
    equal: Pool,
    whole: Pool,
    blocking: Pool,
    pending: Pool,
}

impl Pools {
    fn of(&self, traffic: Traffic) -> &Pool {
        match traffic {
            Traffic::Random => &self.random,
            Traffic::Equal => &self.equal,
            Traffic::Whole => &self.whole,
            Traffic::Blocking => &self.blocking,
            Traffic::Pending => &self.pending,
        }
    }
}

/// Sends everything to both, in the same order, waits until nothing more comes, and ends them. Whether all of it was sent when it
/// should be.
async fn exchange(peers: &mut [Peer; 2], pools: &Pools, sink: &Wire) -> bool {
    let in_time = exchange_running(peers, pools, sink).await;
    send_some(peers, pools, Traffic::Pending, When::Early).await;
    for peer in peers {
        peer.end().await;
    }
    in_time
}

async fn exchange_running(peers: &[Peer; 2], pools: &Pools, sink: &Wire) -> bool {
    let started = Instant::now();
    let others = async {
        let mut in_time = true;
        send(peers, pools, When::Early).await;
        let took = started.elapsed();
        in_time &= took < EARLY;
        tokio::time::sleep(BETWEEN.saturating_sub(took)).await;
        send(peers, pools, When::Between).await;
        in_time &= started.elapsed() < WAIT;
        assert!(took < WAIT, "sending took {took:?}: with fewer traces it is done before decisions begin");
        // Some of them began a trace.
        tokio::time::sleep(WAIT).await;
        quiet(sink, Duration::from_secs(2)).await;
        send(peers, pools, When::Late).await;
        in_time
    };
    let [first, second] = peers;
    let blocking = &pools.blocking;
    let (in_time, ..) = tokio::join!(others, send_blocking(first, blocking), send_blocking(second, blocking));
    quiet(sink, WAIT + Duration::from_secs(3)).await;
    in_time
}

/// Sends what comes then to both, request by request.
async fn send(peers: &[Peer], pools: &Pools, when: When) {
    for traffic in [Traffic::Random, Traffic::Equal, Traffic::Whole] {
        send_some(peers, pools, traffic, when).await;
    }
}

async fn send_some(peers: &[Peer], pools: &Pools, traffic: Traffic, when: When) {
    let requests = pools.of(traffic).requests.iter().filter(|(own, _)| *own == when);
    for (number, (_, request)) in requests.enumerate() {
        let mut statuses = Vec::new();
        for peer in peers {
            statuses.push(peer.send(traffic, request.clone()).await);
        }
        assert!(statuses.iter().all(|status| status.0 == 200), "{} {number}: {statuses:?}", traffic.name());
    }
}

/// Sends what makes senders wait, each request until it is taken.
async fn send_blocking(peer: &Peer, pool: &Pool) {
    for (_, request) in &pool.requests {
        while peer.send(Traffic::Blocking, request.clone()).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
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

/// What is to be said of a round.
struct Report<'a> {
    cli: &'a Cli,
    cases: &'a BTreeMap<usize, Case>,
    pools: &'a Pools,
    gates: Gates,
    in_time: bool,
}

impl Report<'_> {
    fn write(&self, sink: &Wire, totals: &mut Totals) {
        let arrivals = sink.arrivals();
        let (theirs, ours) = (outs(&arrivals, Kind::Otelcol), outs(&arrivals, Kind::Tailrace));
        let none = Outs::new();
        for (number, case) in self.cases {
            let (theirs, ours) = (theirs.get(number).unwrap_or(&none), ours.get(number).unwrap_or(&none));
            if !self.in_time && case.settings.get("decision_wait_after_root_received").is_some() {
                totals.note(
                    self.cli,
                    Some("not compared: this machine was too slow for waits after the root"),
                    "",
                    String::new,
                );
            } else if case.traffic == Traffic::Equal && !self.is_consistent(case) {
                totals.traces += 30;
                self.compare_counts(case, theirs, ours, totals);
            } else {
                self.compare_spans(case, theirs, ours, totals);
            }
        }
    }

    /// Whether it is said which of equal traces are kept: those with the highest randomness.
    fn is_consistent(&self, case: &Case) -> bool {
        self.gates.tracestate && case.kind == "rate_limiting"
    }

    fn compare_counts(&self, case: &Case, theirs: &Outs, ours: &Outs, totals: &mut Totals) {
        if count(theirs) != count(ours) {
            let text = || format!("otelcol {:?}, tailrace {:?}\n{}", count(theirs), count(ours), case.settings);
            let kept = kept::counted_otherwise(&case.settings, count(theirs).0, count(ours).0);
            totals.note(self.cli, kept, &format!("{}: another number of (traces, spans)", case.kind), text);
        }
    }

    fn compare_spans(&self, case: &Case, theirs: &Outs, ours: &Outs, totals: &mut Totals) {
        let pool = self.pools.of(case.traffic);
        let ids: BTreeSet<_> = pool.spans.iter().map(|placed| &placed.span.trace_id).collect();
        totals.traces += ids.len();
        let difference = compare(pool, theirs, ours, self.scope(case));
        let settings = || format!("{} {}", case.settings, case.ours);
        for (who, traces) in [("otelcol", &difference.only_otelcol), ("tailrace", &difference.only_tailrace)] {
            let why = |id: &[u8]| kept::decided_otherwise(&case.settings, pool, id);
            let (on_purpose, traces): (BTreeSet<_>, BTreeSet<_>) =
                traces.iter().cloned().partition(|id| why(id).is_some());
            for id in &on_purpose {
                totals.note(self.cli, why(id), "", String::new);
            }
            if !traces.is_empty() {
                let what = format!("{}: only {who} keeps spans", case.kind);
                let text = || format!("{}\n{} traces\n{}", settings(), traces.len(), smallest(pool, &traces));
                totals.note(self.cli, None, &what, text);
            }
        }
        let what = format!("{}: changed", case.kind);
        for (id, text) in &difference.spoiled {
            // Another decision of one policy is another mark.
            totals.note(self.cli, kept::decided_otherwise(&case.settings, pool, id), &what, || {
                format!("{}\n{text}", settings())
            });
        }
    }

    fn scope(&self, case: &Case) -> Scope {
        let size = |key: &str| case.settings["decision_cache"][key].as_i64().unwrap_or(0);
        let (sampled, other) = (size("sampled_cache_size"), size("non_sampled_cache_size"));
        // A small cache has forgotten some, and late spans of those are new traces there. Without one late spans have no mark there.
        let forgets = |size: i64| (1..1_000).contains(&size);
        let unmarked = self.gates.record && sampled <= 0;
        Scope {
            unchanged: !self.gates.tracestate && !self.gates.record,
            until: match forgets(sampled) || forgets(other) || unmarked {
                false => When::Late,
                true if case.settings.get("decision_wait_after_root_received").is_some() => When::Early,
                true => When::Between,
            },
            // There only what was voted on is marked, not what came before.
            marks: case.settings["sampling_strategy"] != "span-ingest",
        }
    }
}
