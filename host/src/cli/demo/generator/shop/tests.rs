use super::*;
use std::collections::{BTreeMap, BTreeSet};

const NOW_NS: u64 = 1_800_000_000_000_000_000;
const TRACES: usize = 10_000;

fn traces() -> Vec<Vec<Span>> {
    let mut shop = Shop::new(20_261_122);
    (0..TRACES).map(|_| shop.trace(NOW_NS)).collect()
}

fn share(traces: &[Vec<Span>], of: impl Fn(&[Span]) -> bool) -> f64 {
    traces.iter().filter(|trace| of(trace)).count() as f64 / traces.len() as f64 * 100.0
}

fn took_ms(trace: &[Span]) -> u64 {
    (trace[0].end_ns - trace[0].start_ns) / 1_000_000
}

/// Each child lies within its parent, in the same trace, the root comes first, and the last thing ended just now.
#[test]
fn spans_nest_in_time() {
    for trace in traces() {
        let by_number: BTreeMap<u64, &Span> = trace.iter().map(|span| (span.number, span)).collect();
        assert_eq!(by_number.len(), trace.len(), "numbers are unique");
        assert_eq!(trace[0].parent, None);
        assert_eq!(trace[0].end_ns, NOW_NS);
        for span in &trace[1..] {
            let parent = by_number[&span.parent.unwrap()];
            assert_eq!(span.trace_id, trace[0].trace_id);
            assert!(parent.start_ns < span.start_ns && span.start_ns < span.end_ns && span.end_ns < parent.end_ns);
        }
    }
}

/// The mix: some errors, some slow, most boring; and what is boring is clearly below a second.
#[test]
fn the_mix_is_the_articles() {
    let traces = traces();
    let failed = |trace: &[Span]| trace.iter().any(|span| span.end != End::Fine);
    let errors = share(&traces, failed);
    let slow = share(&traces, |trace| took_ms(trace) > 1_000);
    assert!((errors - f64::from(ERRORS_PERCENT)).abs() < 1.0, "{errors} % errors");
    assert!((slow - f64::from(SLOW_PERCENT)).abs() < 1.0, "{slow} % slow");
    assert_eq!(share(&traces, |trace| (500..=1_010).contains(&took_ms(trace))), 0.0, "nothing is nearly slow");
    let multi = share(&traces, |trace| trace.iter().map(|span| span.service).collect::<BTreeSet<_>>().len() > 1);
    assert!(multi > 75.0, "{multi} % of the traces cross services");
    let with_email =
        share(&traces, |trace| trace.iter().any(|span| span.attributes.iter().any(|(key, _)| *key == EMAIL)));
    assert!((30.0..70.0).contains(&with_email), "{with_email} % name a user");
    let everybody: BTreeSet<_> = traces.iter().flatten().map(|span| span.service).collect();
    assert_eq!(everybody.len(), Service::ALL.len());
}

/// A failure has one origin, and everybody who waited for it says so, up to the root.
#[test]
fn errors_rise_to_the_root() {
    for trace in traces() {
        let origins = trace.iter().filter(|span| matches!(span.end, End::Failed(_))).count();
        let failed = trace.iter().filter(|span| span.end != End::Fine).count();
        if failed == 0 {
            continue;
        }
        assert_eq!(origins, 1);
        assert_eq!(trace[0].end, End::CalleeFailed);
        for span in trace.iter().filter(|span| span.end != End::Fine) {
            assert!(span.attributes.iter().any(|(key, _)| *key == "error.type"), "{span:?}");
        }
    }
}

/// No key stands twice on a span.
#[test]
fn keys_are_unique() {
    for span in traces().iter().flatten() {
        let keys: BTreeSet<_> = span.attributes.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), span.attributes.len(), "{:?}", span.attributes);
    }
}

/// A seed gives the same shop day again.
#[test]
fn seeded() {
    let day = |seed| {
        format!(
            "{:?}",
            (0..50)
                .map({
                    let mut shop = Shop::new(seed);
                    move |_| shop.trace(NOW_NS)
                })
                .collect::<Vec<_>>()
        )
    };
    assert_eq!(day(1), day(1));
    assert_ne!(day(1), day(2));
}
