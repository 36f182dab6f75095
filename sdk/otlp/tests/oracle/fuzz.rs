//! Some seconds of random and damaged requests against prost, with another seed every time.
//!
//! `TAILRACE_FUZZ_SECONDS` (3) says how long, `TAILRACE_FUZZ_SEED` repeats a run, `TAILRACE_FUZZ_CASE` one case (its number is in the
//! message of the failure).

use crate::support::check::check;
use crate::support::mangle::{damage, mangle};
use crate::support::objects::encoded;
use crate::support::source::{Random, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tailrace_otlp::{Signal, schema};

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One case, made of its seed alone. Returns whether it was valid.
fn case(seed: u64) -> bool {
    let mut random = Random(seed);
    let entropy = random.entropy(1 << (4 + random.0 % 10));
    let mut s = Source::new(&entropy);
    let signal = Signal::ALL[s.below(3)];
    let mut data = encoded(signal, &mut s);
    let choices = random.next();
    if choices & 1 == 1 {
        data = mangle(&mut s, schema::request(signal), &data);
    }
    let more = random.entropy(200);
    let mut s = Source::new(&more);
    if choices & 6 == 6 {
        damage(&mut s, &mut data);
    }
    check(signal, &data, &mut s)
}

/// Whatever the bytes are, this crate and prost agree, and nothing panics.
#[test]
fn some_seconds() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    if let Some(seed) = env("TAILRACE_FUZZ_CASE") {
        case(seed);
        return;
    }
    let seed = env("TAILRACE_FUZZ_SEED").unwrap_or(now);
    let time = Duration::from_secs(env("TAILRACE_FUZZ_SECONDS").unwrap_or(3));
    eprintln!("TAILRACE_FUZZ_SEED={seed}");
    let start = Instant::now();
    let mut seeds = Random(seed);
    let (mut cases, mut valid) = (0u64, 0u64);
    while start.elapsed() < time {
        let seed = seeds.next();
        match catch_unwind(AssertUnwindSafe(|| case(seed))) {
            Ok(was_valid) => valid += u64::from(was_valid),
            Err(_) => panic!("failing case: TAILRACE_FUZZ_CASE={seed}"),
        }
        cases += 1;
    }
    eprintln!("{cases} cases, {valid} of them valid");
    assert!(valid * 10 > cases * 3, "too few valid cases to mean much: {valid} of {cases}");
    assert!(valid < cases || cases < 100, "no invalid cases");
}
