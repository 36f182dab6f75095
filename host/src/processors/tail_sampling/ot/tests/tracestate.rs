use super::*;
use serde::Deserialize;

/// A line of `tracestate.jsonl`: what the Collector's library (`pkg/sampling` 0.161) makes of a tracestate.
#[derive(Deserialize)]
struct Line {
    r#in: String,
    rv: Option<u64>,
    th: Option<u64>,
    /// As it is written after sampling with four thresholds; `null` if it is not valid.
    out: Option<Vec<String>>,
}

/// Valid or not, what is read and what is written, for some ninety cases.
#[test]
fn as_the_collector() {
    let thresholds =
        [Threshold::ALWAYS, Threshold::new(1 << 55), Threshold::new(0xe6_6666_6666_6666), Threshold::NEVER];
    for line in include_str!("tracestate.jsonl").lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        let state = TraceState::parse(line.r#in.as_bytes());
        let Some(expected) = line.out else {
            assert_eq!(state, Err(Unparseable), "{:?}", line.r#in);
            continue;
        };
        let state = state.unwrap_or_else(|_| panic!("{:?} is valid", line.r#in));
        let found = (state.randomness(), state.threshold());
        assert_eq!(found, (line.rv, line.th.map(Threshold::new)), "{:?}", line.r#in);
        for (threshold, expected) in thresholds.into_iter().zip(expected) {
            let written = if state.threshold().is_some_and(|own| own > threshold) {
                "stricter".to_owned()
            } else {
                let mut out = Vec::new();
                state.write_with(threshold, &mut out);
                String::from_utf8(out).unwrap()
            };
            assert_eq!(written, expected, "{:?} with {threshold}", line.r#in);
        }
    }
}

/// What is written is valid and says what it should, and writing it again changes nothing.
#[test]
fn what_is_written_can_be_read() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pieces =
        ["ot=", "rv:0123456789abcd", "th:4", ";", ",", " ", "a=b", "x:y", "=", "t@s=1", "th:", "\t", "Z", "k*=~"];
    let mut valid = 0;
    for _ in 0..50_000 {
        let text: String = (0..random.usize(..7)).map(|_| *random.choice(&pieces).unwrap()).collect();
        let Ok(state) = TraceState::parse(text.as_bytes()) else { continue };
        valid += 1;
        let threshold = Threshold::new(random.u64(..1 << 56));
        let mut out = Vec::new();
        state.write_with(threshold, &mut out);
        let again = TraceState::parse(&out).unwrap();
        assert_eq!((again.randomness(), again.threshold()), (state.randomness(), Some(threshold)), "{text:?}");
        let mut twice = Vec::new();
        again.write_with(threshold, &mut twice);
        assert_eq!(out, twice, "{text:?}");
    }
    assert!(valid > 500, "{valid}");
}
