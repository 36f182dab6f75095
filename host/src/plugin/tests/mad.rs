//! Guests that misbehave, one row each: what the host makes of the call, in which words, and how soon.
//!
//! What then becomes of the batch, by `error_mode`, and that neighbours do not notice, is shown through the whole
//! collector in `tests/tests/e2e/mad.rs`.

use super::*;
use std::time::Instant;
use tailrace_tests::{crafted, hoards};

/// No call may keep the host busy for longer than this, whatever the guest answers: the time limit of the tests, and
/// room for a slow machine.
const CALL_MAX: Duration = Duration::from_secs(8);

/// Little time, so that what never ends ends soon.
fn tight(what: &str) -> Options {
    // Room for what is allowed, if it is much.
    let output_bytes = if matches!(what, "a hundred thousand additions" | "drop everything again and again") {
        16 << 20
    } else {
        4 << 20
    };
    let limits = Limits { timeout: Duration::from_millis(300), output_bytes, ..options("").limits };
    Options { limits, ..options(&format!(r#"{{"do": "{what}"}}"#)) }
}

/// A batch of three spans that the guests are interested in.
fn victims() -> Batch {
    batch(&[&[("victim", "a"), ("other", "b")], &[("victim", "c")], &[("victim", "poison")]])
}

/// Runs one batch and checks what is counted: one accident of its kind, or none.
async fn check(guest: &str, bytes: Arc<[u8]>, what: &str, expected: Option<(Incident, &str)>) {
    let mut options = tight(what);
    if !matches!(expected, Some((Incident::Timeout, _))) {
        options.limits.timeout = Duration::from_secs(3);
    }
    let plugin = load(bytes, options).unwrap_or_else(|error| panic!("{guest}, {what}: {error}"));
    let before = victims();
    let start = Instant::now();
    let ran = plugin.run(&before).await;
    let took = start.elapsed();
    assert!(took < CALL_MAX, "{guest}, {what}: the call took {took:?}");
    let status = plugin.status();
    match (expected, ran) {
        (Some((incident, words)), Err(failed)) => {
            let RunError::Accident(failure) = failed.error else { panic!("{guest}, {what}: {:?}", failed.error) };
            assert_eq!(failure.incident, incident, "{guest}, {what}: {failure}");
            assert!(failure.message.contains(words), "{guest}, {what}: {failure}");
            assert!(failure.message.len() < 3000, "{guest}, {what}: a message of {} bytes", failure.message.len());
            assert_eq!(status["failures"], serde_json::json!({ incident.as_str(): 1 }), "{guest}, {what}");
            // The instance is gone, and with it everything that it had.
            assert_eq!((&status["instances"], &status["idle_memory_bytes"]), (&0.into(), &0.into()), "{guest}, {what}");
        }
        (None, Ok(_)) => assert_eq!(status["failures"], serde_json::json!({}), "{guest}, {what}"),
        (expected, ran) => panic!("{guest}, {what}: {ran:?} instead of {expected:?}"),
    }
}

/// Endless computing in all its forms.
#[tokio::test]
async fn what_never_ends_is_ended() {
    let attributes = guests::guest("mad-attributes");
    let timeout = Some((Incident::Timeout, "300ms"));
    for what in [
        "loop",
        "poll the clock",
        "poll the host's clock",
        "print without end",
        "a line without end",
        // The host itself computes for the guest.
        "match for ever",
        "hash for ever",
    ] {
        check("mad-attributes", Arc::clone(&attributes), what, timeout).await;
    }
    // While the host hands over a batch, or the answer of an import; after the call; without a loop.
    for name in [
        "loop in realloc",
        "loop in realloc of an import",
        "loop after the call",
        "tail calls without end",
        "memory fill",
    ] {
        check(name, crafted::guest(name).into(), "", timeout).await;
    }
}

/// Memory, tables and the stack have an end.
#[tokio::test]
async fn what_grows_is_stopped() {
    let attributes = guests::guest("mad-attributes");
    check("mad-attributes", Arc::clone(&attributes), "grow", Some((Incident::Memory, "memory_mib"))).await;
    check("mad-attributes", attributes, "recurse", Some((Incident::Trap, "it trapped"))).await;
    for (name, incident, words) in [
        ("tables", Incident::Trap, "unreachable"),
        ("recursion without end", Incident::Trap, "call stack exhausted"),
        ("recursion at the edge of a host call", Incident::Trap, "call stack exhausted"),
    ] {
        check(name, crafted::guest(name).into(), "", Some((incident, words))).await;
    }
    check("table in one step", crafted::guest("table in one step").into(), "", None).await;
}

/// Who takes memory with each call is not trusted on a worker, however quick the calls are; nor is who gives the host much
/// to do with the answer.
#[tokio::test]
async fn who_grows_or_says_much_is_slow() {
    for (config, calls) in [("{}", 1_000), (r#"{"do": "leak"}"#, 10), (r#"{"do": "giant"}"#, 10)] {
        let limits = Limits { output_bytes: 16 << 20, ..options("").limits };
        let plugin = load(guests::guest("mad-attributes"), Options { limits, ..options(config) }).unwrap();
        let is_slow = || plugin.inner.current.load().pool.habit.is_slow();
        for _ in 0..calls {
            plugin.run(&victims()).await.unwrap();
            if !is_slow() {
                break;
            }
        }
        assert_eq!(is_slow(), config != "{}", "{config}");
    }
}

/// What the host holds for a guest (timers, handles, lent handles) has an end too, and the message says which. A guest that
/// keeps a little with each call gets a fresh start when it is full.
#[tokio::test]
async fn what_is_hoarded_has_an_end() {
    for (name, words) in [
        ("pollables without end", "more streams and timers open"),
        ("resources of its own", "more resources of its own"),
    ] {
        check(name, hoards::guest(name).into(), "", Some((Incident::Trap, words))).await;
    }
    let name = "one pollable a million times";
    check(name, hoards::guest(name).into(), "", Some((Incident::Output, "output_mib"))).await;
    check("short naps", hoards::guest("short naps").into(), "", Some((Incident::Timeout, "longer than"))).await;
    let name = "a hundred pollables with each call";
    let plugin = load(hoards::guest(name), tight("")).unwrap();
    let mut ended = Vec::new();
    for number in 0..25 {
        let text = number.to_string();
        if plugin.run(&batch(&[&[("victim", &text)]])).await.is_err() {
            ended.push(number);
        }
    }
    assert_eq!(ended, [5, 11, 17, 23], "{name}");
}

/// Each instance opens other series, as long as they may be: there are as many as may be, and they stay.
#[tokio::test]
async fn hoards_of_series_are_bounded() {
    let metrics = Metrics::default();
    let candidate = Candidate::new(guests::guest("mad-attributes"));
    let plugin = Plugin::load(&candidate, tight("hoard series"), &metrics, &[]).unwrap();
    for _ in 0..10 {
        plugin.run(&victims()).await.unwrap();
    }
    let series = metrics.render().lines().filter(|line| line.starts_with("plugin_hoard_count")).count();
    assert_eq!(series, 100);
}

/// Traps, and lies about addresses and lengths that only a hand-written guest can tell.
#[tokio::test]
async fn lies_in_the_calling_convention_are_traps() {
    for (name, incident, words) in [
        ("trap in realloc", Incident::Trap, "unreachable"),
        ("trap after the call", Incident::Trap, "unreachable"),
        ("realloc beyond memory", Incident::Trap, "realloc"),
        ("realloc askew", Incident::Trap, "align"),
        ("host call in realloc", Incident::Trap, "cannot leave"),
        ("answer beyond memory", Incident::Trap, "out of bounds"),
        ("answer askew", Incident::Trap, "align"),
        ("a list of 1e9 bytes", Incident::Trap, "out of bounds"),
        ("a case that is not there", Incident::Trap, "discriminant"),
        ("a reason that is not UTF-8", Incident::Trap, "utf-8"),
        ("rows of 1e9 edits", Incident::Trap, "out of bounds"),
        ("columns in one place", Incident::Output, "output_mib"),
        ("log of 1e9 bytes", Incident::Trap, "out of bounds"),
        ("random bytes of 1e18", Incident::Trap, "exceeds limit"),
    ] {
        check(name, crafted::guest(name).into(), "", Some((incident, words))).await;
    }
    check("good", crafted::guest("good").into(), "", None).await;
}

/// Edits and additions: those that make no sense, and more of them than anybody wants.
#[tokio::test]
async fn mad_edits_are_refused_or_done_in_time() {
    let attributes = guests::guest("mad-attributes");
    for (what, expected) in [
        ("overlapping", Some((Incident::Malformed, "outside"))),
        ("giant", Some((Incident::Output, "output_mib"))),
        ("add without end", Some((Incident::Output, "output_mib"))),
        ("edit as often as fits", Some((Incident::Malformed, "does not exist"))),
        ("multiply", Some((Incident::Malformed, "output limit"))),
        ("add nonsense", Some((Incident::Malformed, "addition 0"))),
        ("add a key that is not there", Some((Incident::Malformed, "addition 0"))),
        ("add uneven", Some((Incident::Malformed, "lengths"))),
        ("a hundred thousand additions", None),
        ("drop everything again and again", None),
    ] {
        check("mad-attributes", Arc::clone(&attributes), what, expected).await;
    }
}

/// What a processor hands back is looked at as if a stranger had sent it.
#[tokio::test]
async fn mad_batches_are_refused() {
    let processor = guests::guest("mad-processor");
    for (what, expected) in [
        ("hand back metrics", Some((Incident::Malformed, "malformed OTLP"))),
        ("hand back half", Some((Incident::Malformed, "malformed OTLP"))),
        ("hand back ten times what it may", Some((Incident::Output, "output_mib"))),
        ("hand back a deep value", Some((Incident::Malformed, "malformed OTLP"))),
        ("drop at length", None),
        ("hand back crumbs", Some((Incident::Malformed, "too many sub-messages"))),
    ] {
        check("mad-processor", Arc::clone(&processor), what, expected).await;
    }
}

/// A sampler that miscounts, traps or loops: no decision of it counts.
#[tokio::test]
async fn mad_samplers_decide_nothing() {
    let batch = victims();
    for (what, incident, words) in [
        ("one too few", Incident::Malformed, "decided about 0 traces"),
        ("one too many", Incident::Malformed, "decided about 2 traces"),
        ("none", Incident::Malformed, "decided about 0 traces"),
        ("a million", Incident::Malformed, "decided about 100000 traces"),
        ("trap", Incident::Trap, "unreachable"),
        ("loop", Incident::Timeout, "300ms"),
    ] {
        let options = Options { role: Role::Traces, ..tight(what) };
        let plugin = load(guests::guest("mad-sampler"), options).unwrap();
        let failed = plugin.decide_batch(&batch).await.unwrap_err();
        let RunError::Accident(failure) = failed.error else { panic!("{what}: {:?}", failed.error) };
        assert_eq!(failure.incident, incident, "{what}: {failure}");
        assert!(failure.message.contains(words), "{what}: {failure}");
        assert_eq!(failed.mode, ErrorMode::Propagate);
    }
    let options = |what| Options { role: Role::Traces, ..tight(what) };
    // Asked about the same traces again and again, it is not called any more after the second time; about others it is.
    let trap = load(guests::guest("mad-sampler"), options("trap")).unwrap();
    for expected in [Incident::Trap, Incident::Trap, Incident::Quarantined, Incident::Quarantined] {
        let RunError::Accident(failure) = trap.decide_batch(&batch).await.unwrap_err().error else { panic!() };
        assert_eq!(failure.incident, expected, "{failure}");
    }
    assert_eq!((&trap.status()["quarantined"], &trap.status()["calls"]), (&1.into(), &2.into()));
    let RunError::Accident(failure) = trap.decide_batch(&super::batch(&[&[]])).await.unwrap_err().error else {
        panic!()
    };
    assert_eq!(failure.incident, Incident::Trap, "{failure}");
    let never = load(guests::guest("mad-sampler"), options("never")).unwrap();
    assert!(matches!(never.decide_batch(&batch).await.unwrap_err().error, RunError::Permanent(_)));
    let error = load(guests::guest("mad-sampler"), options("panic in wants-spans")).map(drop).unwrap_err().0;
    assert!(error.contains("wants-spans"), "{error}");
}

/// What is wrong before the first batch keeps a plugin from being used, and names the fault.
#[tokio::test]
async fn what_is_mad_from_the_start_never_runs() {
    for (name, words) in [
        ("trap in start", "unreachable"),
        ("trap in describe", "in describe"),
        ("a name of 1e9 bytes", "in describe"),
        ("many memories", "memory"),
        ("many tables", "table"),
        ("many instances", "instance"),
        ("a huge memory", "memory_mib"),
        ("sockets", "wasi:sockets/network"),
        ("an unknown package", "acme:cloud/keys"),
    ] {
        let start = Instant::now();
        let error = load(crafted::guest(name), tight("")).map(drop).unwrap_err().0;
        assert!(error.contains(words), "{name}: {error}");
        assert!(start.elapsed() < CALL_MAX, "{name} took {:?}", start.elapsed());
    }
    for (what, words) in
        [("ask for a million", "output_mib"), ("ask for the same field again", "span.name"), ("panic at length", "")]
    {
        if what == "panic at length" {
            continue;
        }
        let error = load(guests::guest("mad-attributes"), tight(what)).map(drop).unwrap_err().0;
        assert!(error.contains(words), "{what}: {error}");
    }
}

/// What a file has inside comes into messages, but neither a megabyte of it nor a line that looks like one of the host, nor
/// anything that a terminal obeys.
#[test]
fn words_of_a_file_stay_words() {
    let lifecycle = "(instance $i) (export \"tailrace:plugin/lifecycle@0.1.0\" (instance $i))";
    for (text, words) in [
        (format!("(component (import \"{}\" (func)) {lifecycle})", "b".repeat(90_000)), "plugins get"),
        (
            format!(
                "(component (instance $i) (export \"tailrace:plugin/lifecycle@9.9.9-{}\" (instance $i)))",
                "a".repeat(50_000)
            ),
            "newer Tailrace",
        ),
    ] {
        let error = load(wat::parse_str(text).unwrap(), tight("")).map(drop).unwrap_err().0;
        // The fix stands behind the words.
        assert!(error.contains(words), "{error:.200}");
        assert!(error.len() < 3000, "{} bytes: {error:.200}", error.len());
    }
    let error = load(guests::guest("mad-attributes"), tight("refuse and forge")).map(drop).unwrap_err();
    let answer = error.about_configuration().unwrap();
    assert_eq!(answer, "do: is not to my taste\n2026-01-01T00:00:00Z ERROR on fire\\u{1b}[2J\\r\\u{85}end");
    let failing = load(guests::behaving("mad-attributes", "stamp"), options("{}")).unwrap();
    let forging = Candidate::new(guests::behaving("mad-attributes", "refuse and forge"));
    assert!(matches!(failing.offer(&forging), Offer::Refused(_)));
    assert!(failing.status()["load_error"]["reason"].as_str().unwrap().contains("on fire"));
}

/// A loop before the first batch is ended too; it may take as long as the start of an interpreter.
#[tokio::test]
async fn endless_starts_are_ended() {
    for name in ["loop in start", "loop in describe"] {
        let start = Instant::now();
        let error = load(crafted::guest(name), tight("")).map(drop).unwrap_err().0;
        assert!(error.contains("10s"), "{name}: {error}");
        assert!(start.elapsed() < Duration::from_secs(60), "{name} took {:?}", start.elapsed());
    }
}

/// A name of 3 MiB is cut, a schema of that size refused, which would take gigabytes to read; a list of signals or levels that says the same a million times costs a batch nothing.
#[tokio::test]
async fn long_words_are_cut() {
    let plugin = load(crafted::guest("a long name"), tight("")).unwrap();
    assert!(plugin.status()["plugin"].as_str().unwrap().len() <= 100);
    let error = load(crafted::guest("a long schema"), tight("")).map(drop).unwrap_err();
    assert_eq!(error.0, "in describe: its JSON Schema has 3145728 bytes; 262144 are possible");
    let everywhere = load(guests::guest("mad-attributes"), tight("ask everywhere, again"));
    // What it does then is unknown to it: a trap, but one that comes at once.
    let start = Instant::now();
    assert_eq!(incident(everywhere.unwrap().run(&victims()).await).0, Incident::Trap);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let (_, message) = incident(mad("panic at length").unwrap().run(&victims()).await);
    assert!(message.len() < 3000 && !message.contains('\n'), "{} bytes: {message:.100}", message.len());
    let error = mad("refuse at length").unwrap().run(&victims()).await.unwrap_err().error;
    assert!(
        matches!(&error, RunError::Permanent(message) if message.len() <= 8000 && !message.contains('\r')),
        "{error:.100}"
    );
}

/// A further instance that refuses the configuration which the first one took: an accident of that batch, in few words.
#[tokio::test]
async fn a_later_instance_may_refuse() {
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let limits = Limits { recycle_calls: 1, ..options("").limits };
    let config = format!(r#"{{"do": "refuse after {soon}"}}"#);
    let plugin = load(guests::guest("mad-attributes"), Options { limits, ..options(&config) });
    let Ok(plugin) = plugin else { return };
    let start = Instant::now();
    let message = loop {
        assert!(start.elapsed() < Duration::from_secs(20), "it never refuses");
        if let Err(failed) = plugin.run(&victims()).await
            && let RunError::Accident(failure) = failed.error
            && failure.incident == Incident::Start
        {
            break failure.message;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(message.contains("a further instance refused") && message.len() < 3000, "{} bytes", message.len());
}

/// Each instance is shown what the first one asked for. One that asks for something else would take one field for another:
/// it is not used. The order of attributes and levels is nobody's business.
#[tokio::test]
async fn instances_want_the_same() {
    let limits = Limits { recycle_calls: 1, ..options("").limits };
    let load = |what: &str| {
        let config = format!(r#"{{"do": "{what}"}}"#);
        load(guests::guest("mad-attributes"), Options { limits: limits.clone(), ..options(&config) }).unwrap()
    };
    let another = load("another interest each time");
    assert!(another.run(&victims()).await.is_ok());
    let (kind, message) = incident(another.run(&victims()).await);
    assert_eq!(kind, Incident::Start, "{message}");
    assert!(message.contains("wants to see something else than the first one"), "{message}");
    let order = load("another order each time");
    for _ in 0..10 {
        assert!(order.run(&victims()).await.is_ok());
    }
}

/// Metrics and patterns without end: the host takes as many as the limits say, and the guest may go on.
#[tokio::test]
async fn floods_of_metrics_and_patterns_are_bounded() {
    let metrics = Metrics::default();
    let candidate = Candidate::new(guests::guest("mad-attributes"));
    let mut options = tight("flood of metrics");
    options.limits.timeout = Duration::from_secs(5);
    let plugin = Plugin::load(&candidate, options, &metrics, &[]).unwrap();
    let ran = plugin.run(&victims()).await;
    assert!(ran.is_ok(), "{ran:?}");
    let series = metrics.render().lines().filter(|line| line.starts_with("plugin_flood_")).count();
    assert!((1..=100).contains(&series), "{series} series");
    let start = Instant::now();
    let plugin = load(guests::guest("mad-attributes"), tight("compile for ever")).unwrap();
    let (kind, message) = incident(plugin.run(&victims()).await);
    assert!(matches!(kind, Incident::Timeout | Incident::Memory), "{message}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// A flood of log lines costs the rate and no more, and no guest can make a line look like one of the host.
#[tokio::test]
async fn the_log_stays_ours() {
    let metrics = Metrics::default();
    let candidate = Candidate::new(guests::guest("mad-attributes"));
    for (what, suppressed) in [("shout", 99_000.0), ("shout at length", 5.0)] {
        let before = metrics.total("tailrace_plugin_log_suppressed_lines_total", &[]);
        let mut options = tight(what);
        options.limits.timeout = Duration::from_secs(5);
        let plugin = Plugin::load(&candidate, options, &metrics, &[]).unwrap();
        let ran = plugin.run(&victims()).await;
        assert!(ran.is_ok(), "{what}: {ran:?}");
        let more = metrics.total("tailrace_plugin_log_suppressed_lines_total", &[]) - before;
        assert!(more >= suppressed, "{what}: {more} lines were suppressed");
    }
}
