//! What becomes of traffic, on a clock of its own; the figures of `README.md`; the cases in `cases/`.

use super::simulation::{Flow, Report, Simulation};
use super::*;
use actions::testing::sampler_cases;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use prost::Message;
use serde_json::Value as Json;
use std::path::Path;
use tailrace_sdk::testing;

/// Seeds of the scenarios: each must hold for all.
const SEEDS: [u64; 3] = [1, 2, 3];

fn about(found: f64, expected: f64, percent: f64, what: &str) {
    let off = (found / expected - 1.0) * 100.0;
    assert!(off.abs() <= percent, "{what}: {found:.1} instead of {expected:.1}, {off:+.1} %");
}

/// A steady load settles at the target within four windows, and stays there.
#[test]
fn a_steady_load_is_held_at_the_target() {
    for (seed, load) in SEEDS.into_iter().flat_map(|seed| [200.0, 1_000.0, 20_000.0].map(|load| (seed, load))) {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        let report = simulation.run(&[Flow::new(load / 10.0, &[("shop", 10)])], 320);
        let what = format!("{load} spans per second, seed {seed}");
        about(report.kept("shop", 20..320), 100.0, 5.0, &what);
        assert!(report.settles("shop") <= 20, "{what}: {}", report.settles("shop"));
    }
}

/// Ten times the load from one second to the next, and back: not much more than the target is kept, and it settles
/// again.
#[test]
fn a_tenfold_step_is_followed() {
    for seed in SEEDS {
        let flow = |load: f64| [Flow::new(load / 10.0, &[("shop", 10)])];
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        simulation.run(&flow(1_000.0), 60);
        let up = simulation.run(&flow(10_000.0), 120);
        assert!(up.kept("shop", 0..10) < 300.0, "seed {seed}: {}", up.kept("shop", 0..10));
        about(up.kept("shop", 10..120), 100.0, 8.0, "after the step up");
        let down = simulation.run(&flow(1_000.0), 120);
        about(down.kept("shop", 40..120), 100.0, 8.0, "after the step down");
        assert!(down.settles("shop") <= 40, "seed {seed}: {}", down.settles("shop"));
    }
}

/// Each of many services has its own target: those below it are kept whole, those above it are held at it.
#[test]
fn many_services_have_a_target_each() {
    let loads: Vec<f64> = (0..60).map(|number| 2.0 * 1.15_f64.powi(number)).collect();
    let flows: Vec<Flow> =
        loads.iter().enumerate().map(|(at, load)| Flow::new(load / 5.0, &[(&name(at), 5)])).collect();
    let mut simulation = Simulation::new(r#"{"spans_per_second": 50, "services": {"service-59": 500}}"#, 1);
    let report = simulation.run(&flows, 230);
    for (at, load) in loads.iter().enumerate() {
        let target = if at == 59 { 500.0 } else { 50.0 };
        let (kept, arrived) = (report.kept(&name(at), 30..230), report.arrived(&name(at), 30..230));
        about(kept, arrived.min(target), 12.0, &format!("{} with {load:.0} spans per second", name(at)));
    }
}

fn name(number: usize) -> String {
    format!("service-{number}")
}

/// A service that is only seen in few of the traces of a busy one is kept whole, and the busy one still does not get more
/// than its target.
#[test]
fn a_quiet_service_behind_a_busy_one_is_not_starved() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        let busy = Flow::new(990.0, &[("web", 10)]);
        let both = Flow::new(2.0, &[("web", 10), ("audit", 1)]);
        let report = simulation.run(&[busy, both], 330);
        about(report.kept("audit", 30..330), report.arrived("audit", 30..330), 0.1, "the quiet one");
        about(report.kept("web", 30..330), 100.0, 6.0, "the busy one");
    }
}

/// Services that occur in the very same traces do not push each other up and down.
#[test]
fn services_of_the_same_traces_agree() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        let report = simulation.run(&[Flow::new(200.0, &[("a", 5), ("b", 5), ("c", 2)])], 330);
        // The one with the fewest spans reaches its target; the others come along.
        about(report.kept("c", 30..330), 100.0, 6.0, "c");
        about(report.kept("a", 30..330), report.kept("b", 30..330), 6.0, "a and b");
        assert!(report.highest("a") < 500.0, "{}", report.highest("a"));
    }
}

/// Errors are all kept and count: what is left of the target goes to the others.
#[test]
fn errors_can_be_kept_and_count() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100, "keep_errors": true}"#, seed);
        let failing = Flow { errors: 1.0, ..Flow::new(6.0, &[("shop", 10)]) };
        let report = simulation.run(&[Flow::new(94.0, &[("shop", 10)]), failing], 330);
        about(report.kept("shop", 30..330), 100.0, 8.0, "together");
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        let failing = Flow { errors: 1.0, ..Flow::new(100.0, &[("shop", 10)]) };
        about(simulation.run(&[failing], 330).kept("shop", 30..330), 100.0, 5.0, "not asked for");
    }
}

/// Clients that sampled by the same randomness before: the rate is found all the same.
#[test]
fn traces_that_were_sampled_before_are_held_at_the_target_too() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, seed);
        let sampled = Flow { sampled: 0.1, ..Flow::new(100.0, &[("shop", 10)]) };
        let report = simulation.run(&[sampled], 900);
        about(report.kept("shop", 600..900), 100.0, 10.0, "sampled at a tenth before");
    }
}

/// What is kept stands for what arrived, through a step and over several services.
#[test]
fn counts_can_be_extrapolated() {
    let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, 5);
    let (mut arrived, mut extrapolated) = (0.0, 0.0);
    for traces in [50.0, 500.0, 100.0] {
        let report = simulation.run(&[Flow::new(traces, &[("a", 10)]), Flow::new(traces, &[("a", 3), ("b", 3)])], 200);
        arrived += report.arrived.values().flatten().sum::<f64>();
        extrapolated += report.extrapolated;
    }
    about(extrapolated, arrived, 3.0, "the sum of what kept spans stand for");
}

/// Two collectors that see different loads: what the one with the lower rate keeps, the other would keep too.
#[test]
fn collectors_agree_where_their_rates_do() {
    let collector = |load: f64| {
        let mut simulation = Simulation::new(r#"{"spans_per_second": 100}"#, 1);
        simulation.run(&[Flow::new(load, &[("shop", 10)])], 60);
        simulation
    };
    let (mut low, mut high) = (collector(500.0), collector(100.0));
    let mut random = fastrand::Rng::with_seed(9);
    let (mut of_low, mut of_high) = (0, 0);
    for _ in 0..20_000 {
        let id = randomness(&random.u128(..).to_be_bytes());
        // The same instant for all of them, so that rates stand still.
        let keeps = |simulation: &mut Simulation| {
            let now = simulation.now;
            simulation.services.decide(id, [("shop", 0.0)].into_iter(), false, now, |_, _| ()).kept
        };
        let (by_low, by_high) = (keeps(&mut low), keeps(&mut high));
        assert!(by_high || !by_low, "what the lower rate keeps the higher one keeps too");
        of_low += usize::from(by_low);
        of_high += usize::from(by_high);
    }
    assert!(of_low > 200 && of_high > 3 * of_low, "{of_low} {of_high}");
}

/// The same services after a swap: rates and half a window go along, whatever was configured before.
#[test]
fn rates_survive_a_swap() {
    let mut old = Simulation::new(r#"{"spans_per_second": 100}"#, 1);
    let flow = [Flow::new(1000.0, &[("shop", 10)])];
    old.run(&flow, 63);
    let state = old.services.save();
    let mut new = Simulation::new(r#"{"spans_per_second": 200}"#, 2);
    new.now = old.now;
    new.services.restore(&state).unwrap();
    about(new.run(&flow, 60).kept("shop", 0..60), 200.0, 10.0, "from the first second on");
    let mut small = Simulation::new(r#"{"spans_per_second": 1, "max_services": 1}"#, 2);
    let mut many = Simulation::new(r#"{"spans_per_second": 1}"#, 2);
    many.run(&[Flow::new(10.0, &[("a", 1), ("b", 1)])], 2);
    small.services.restore(&many.services.save()).unwrap();
    assert_eq!(small.services.len(), 1);
    assert!(small.services.restore(b"[]").unwrap_err().contains("cannot be read"));
    let newer = String::from_utf8(state).unwrap().replacen(r#""version":1"#, r#""version":2"#, 1);
    assert!(small.services.restore(newer.as_bytes()).unwrap_err().contains("version 2"));
    assert_eq!(small.services.len(), 1, "it is as it was");
}

/// Service names without end cost no memory without end: those beyond the limit share one rate, and those of the
/// configuration have one of their own nevertheless; silent ones make room.
#[test]
fn services_are_bounded() {
    let config = r#"{"spans_per_second": 100, "max_services": 10, "services": {"late": 100}}"#;
    let mut simulation = Simulation::new(config, 1);
    let flows: Vec<Flow> = (0..100).map(|at| Flow::new(20.0, &[(&name(at), 10)])).collect();
    let report = simulation.run(&flows, 90);
    assert_eq!(simulation.services.len(), 10);
    let together: f64 = (10..100).map(|at| report.kept(&name(at), 30..90)).sum();
    let own: f64 = (0..100).map(|at| report.kept(&name(at), 30..90)).sum::<f64>() - together;
    about(own, 1000.0, 8.0, "those with a place");
    about(together, 100.0, 25.0, "those without");
    let late = simulation.run(&[Flow::new(20.0, &[("late", 10)])], 30);
    about(late.kept("late", 10..30), 100.0, 25.0, "one that the configuration names");
    simulation.run(&[Flow::new(20.0, &[("late", 10)])], 700);
    simulation.run(&[Flow::new(20.0, &[("new", 10), ("late", 10)])], 2);
    assert_eq!(simulation.services.len(), 2, "the silent ones are gone");
}

/// The table in `README.md` is what comes out of this.
#[test]
fn the_figures_of_the_readme() {
    let shop = |load: f64| vec![Flow::new(load / 10.0, &[("shop", 10)])];
    let mut rows = Vec::new();
    let mut row = |what: &str, report: &Report, service: &str| {
        let (settled, end) = (30, report.kept[service].len());
        rows.push(format!(
            "| {what} | {:.0} | {:.0} | {:.0} | {} |",
            report.arrived(service, 0..end),
            report.kept(service, settled..end),
            report.highest(service),
            report.settles(service),
        ));
    };
    let new = |more: &str| Simulation::new(&format!(r#"{{"spans_per_second": 100{more}}}"#), 1);
    row("below the target", &new("").run(&shop(50.0), 330), "shop");
    row("twice the target", &new("").run(&shop(200.0), 330), "shop");
    row("100 times the target", &new("").run(&shop(10_000.0), 330), "shop");
    let mut step = new("");
    step.run(&shop(1_000.0), 60);
    row("a step from 1,000 to 10,000", &step.run(&shop(10_000.0), 330), "shop");
    row("and back", &step.run(&shop(1_000.0), 330), "shop");
    let failing = Flow { errors: 1.0, ..Flow::new(5.0, &[("shop", 10)]) };
    let errors = new(r#", "keep_errors": true"#).run(&[shop(950.0), vec![failing]].concat(), 330);
    row("`keep_errors`, 50 of 1,000 in failed traces", &errors, "shop");
    let both = Flow::new(2.0, &[("web", 10), ("audit", 1)]);
    let behind = new("").run(&[Flow::new(990.0, &[("web", 10)]), both], 330);
    row("a busy service", &behind, "web");
    row("a quiet one in 2 of its traces per second", &behind, "audit");
    let sampled = Flow { sampled: 0.1, ..Flow::new(100.0, &[("shop", 10)]) };
    row("sampled by clients before, at a tenth", &new("").run(&[sampled], 630), "shop");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let missing: Vec<_> = rows.iter().filter(|row| !readme.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "the README must say:\n{}", rows.join("\n"));
}

/// Every case: the decision on each trace is what is expected, and the threshold that goes with it does not contradict it.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = sampler_cases(&folder, |config, traces| {
        let decisions = testing::sampler::<AdaptiveSampler>(config).unwrap().run(traces).unwrap();
        for (id, decision) in &decisions {
            match decision {
                Decision::Sample(Some(threshold)) => assert!(*threshold <= randomness(id), "{config}: {id:02x?}"),
                Decision::NotSampled => {}
                other => panic!("{other:?} is nothing that this plugin says"),
            }
        }
        decisions
    });
    assert!(count >= 4, "{count} cases are too few to be all of them");
}

/// What is kept whole is said to be: threshold 0, a probability of one. And the plugin counts.
#[test]
fn probabilities_are_said_and_spans_are_counted() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/above-the-target-the-id-decides/input.json");
    let input: Json = serde_json::from_str(&std::fs::read_to_string(case).unwrap()).unwrap();
    let input: Traces = serde_json::from_value(input["traces"].clone()).unwrap();
    let mut plugin = testing::sampler::<AdaptiveSampler>(r#"{"spans_per_second": 0.1, "window_seconds": 1}"#).unwrap();
    let decisions = plugin.run(&input.encode_to_vec()).unwrap();
    let thresholds: Vec<_> = decisions.iter().map(|(_, decision)| *decision).collect();
    assert_eq!(thresholds[0], Decision::Sample(Some(0)), "the first of a service is kept whatever its id");
    assert!(matches!(thresholds[4], Decision::Sample(Some(threshold)) if threshold >> 40 == 0xe666), "{thresholds:?}");
    let value = |name| tailrace_sdk::metrics::value(name, &[]);
    assert_eq!(value("adaptive_spans_total"), Some(8.0));
    assert_eq!(value("adaptive_kept_spans_total"), Some(3.0));
    assert_eq!(value("adaptive_services"), Some(1.0));
    assert!(tailrace_sdk::metrics::value("adaptive_rate", &[("service", "shop")]).is_some_and(|rate| rate < 0.1));
}

#[test]
fn faults_of_the_configuration_are_named() {
    for (config, words) in [
        ("{}", "spans_per_second"),
        (r#"{"spans_per_second": 0}"#, "spans_per_second: must be"),
        (r#"{"spans_per_second": 1, "services": {"a": -1}}"#, "services.a: must be"),
        (r#"{"spans_per_second": 1, "service_key": "service.*"}"#, "service_key"),
        (r#"{"spans_per_second": 1, "window_seconds": 0.1}"#, "window_seconds"),
        (r#"{"spans_per_second": 1, "max_services": 0}"#, "max_services"),
        (r#"{"spans_per_second": 1, "span_per_second": 1}"#, "span_per_second"),
    ] {
        let refused = testing::sampler::<AdaptiveSampler>(config).map(drop).unwrap_err();
        assert!(refused.contains(words), "{config}: {refused}");
    }
}

/// The schema that is handed out names the keys that the configuration has, and their defaults.
#[test]
fn the_schema_fits() {
    let schema: Json = serde_json::from_str(AdaptiveSampler::CONFIG_SCHEMA.unwrap()).unwrap();
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    let known = ["keep_errors", "max_services", "service_key", "services", "spans_per_second", "window_seconds"];
    assert_eq!(keys, known);
    let config: Config = serde_json::from_str(r#"{"spans_per_second": 1}"#).unwrap();
    let default = |key: &str| schema["properties"][key]["default"].clone();
    assert_eq!(default("service_key"), Json::from(config.service_key));
    assert_eq!(default("keep_errors"), Json::from(config.keep_errors));
    assert_eq!(default("window_seconds").as_f64(), Some(config.window_seconds));
    assert_eq!(default("max_services"), Json::from(config.max_services));
}
