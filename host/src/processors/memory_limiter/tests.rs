use super::config::Config;
use super::gate::{Gate, Limits};
use super::*;
use crate::component::testing::{Next, TestSpan, batch, context, line, put, settle};
use crate::yaml::from_str;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;

/// A memory that the test sets, and how often it was read.
#[derive(Clone, Default)]
struct Memory(Arc<(AtomicU64, AtomicU64)>);

impl Memory {
    fn set(&self, bytes: u64) {
        self.0.0.store(bytes, Ordering::Relaxed);
    }

    fn readings(&self) -> u64 {
        self.0.1.load(Ordering::Relaxed)
    }

    fn gate(&self, soft: u64, hard: u64) -> Gate {
        let memory = self.clone();
        Gate::new(Limits { soft, hard }, move || {
            memory.0.1.fetch_add(1, Ordering::Relaxed);
            Some(memory.0.0.load(Ordering::Relaxed))
        })
    }
}

/// Above the soft limit everything is refused as retryable until a reading is below it again; the counts say so.
#[tokio::test(start_paused = true)]
async fn refuses_above_the_soft_limit() {
    let context = context("memory_limiter");
    let next = Next::new(&context);
    let memory = Memory::default();
    let limiter = MemoryLimiter::new(context.clone(), next.clone(), memory.gate(80, 100), Duration::from_secs(1));
    limiter.start().await.unwrap();
    let one = batch(&[TestSpan { trace: vec![1; 16], name: "a".into(), ..TestSpan::default() }]);

    put(&*limiter, &context, one.clone()).await.unwrap();
    memory.set(80);
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let refusal = put(&*limiter, &context, one.clone()).await.unwrap_err();
    assert!(matches!(refusal, ConsumeError::Retryable { after: Some(after), .. } if after == Duration::from_secs(1)));
    let readings = memory.readings();
    for _ in 0..100 {
        assert!(put(&*limiter, &context, one.clone()).await.is_err());
    }
    assert_eq!(memory.readings(), readings, "refusing reads nothing");
    memory.set(20);
    tokio::time::sleep(Duration::from_secs(1)).await;
    put(&*limiter, &context, one.clone()).await.unwrap();

    let text = context.telemetry.metrics().render();
    assert!(
        text.contains("otelcol_processor_memory_limiter_accepted_spans_total{processor=\"memory_limiter\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("otelcol_processor_memory_limiter_refused_spans_total{processor=\"memory_limiter\"} 101\n"),
        "{text}"
    );
    let line = line(&context);
    assert_eq!((line.taken, line.handed_on, line.held), (2, 2, 0));
    limiter.shutdown(Deadline::after(Duration::from_secs(1))).await;
    let readings = memory.readings();
    tokio::time::sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(memory.readings(), readings, "its task has ended");
}

/// Beside a process whose every admitted byte stays resident twice over: however fast bytes come between two checks, the
/// limit holds; and as long as nothing stays, nothing is refused.
#[test]
fn bursts_between_checks() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let hard = random.u64(50..2_000) * MIB;
        let soft = hard - random.u64(1..hard / 2);
        let memory = Memory::default();
        memory.set(random.u64(..hard));
        let gate = memory.gate(soft, hard);
        let mut largest = 0;
        for _ in 0..2_000 {
            let bytes = random.u64(1..4 * MIB);
            if gate.admit(bytes as usize) {
                memory.0.0.fetch_add(2 * bytes, Ordering::Relaxed);
                largest = largest.max(bytes);
            }
        }
        let used = memory.0.0.load(Ordering::Relaxed);
        assert!(used <= hard + 2 * largest, "{used} of {hard}");
        assert!(gate.refuses() || used < soft, "{used} of {soft}");

        memory.set(soft - 1);
        gate.check();
        let refused = (0..2_000).filter(|_| !gate.admit(random.usize(1..4 << 20))).count();
        assert_eq!(refused, 0, "bytes that only pass through are not held against anybody");
    }
}

/// A memory that cannot be read any more changes nothing.
#[test]
fn failed_readings() {
    let reading = Arc::new(AtomicU64::new(10));
    let source = Arc::clone(&reading);
    let gate = Gate::new(Limits { soft: 80, hard: 100 }, move || {
        Some(source.load(Ordering::Relaxed)).filter(|used| *used > 0)
    });
    assert!(gate.admit(1));
    reading.store(0, Ordering::Relaxed);
    gate.check();
    assert!(gate.admit(1000) && gate.last_reading() == 10);
    reading.store(90, Ordering::Relaxed);
    assert!(!gate.admit(1000));
    reading.store(0, Ordering::Relaxed);
    gate.check();
    assert!(!gate.admit(1));
}

/// Limits in bytes from what is written.
#[test]
fn limits() {
    let check = |text: &str, soft: u64, hard: u64| {
        let config: Config = from_str("t", text).unwrap();
        assert_eq!(config.limits(|| Some(1000 * MIB)), Some(Limits { soft, hard }), "{text}");
    };
    check("{check_interval: 1s, limit_mib: 500}", 400 * MIB, 500 * MIB);
    check("{check_interval: 1s, limit_mib: 500, spike_limit_mib: 200}", 300 * MIB, 500 * MIB);
    check("{check_interval: 1s, limit_percentage: 50}", 400 * MIB, 500 * MIB);
    check("{check_interval: 1s, limit_percentage: 75, spike_limit_percentage: 25}", 500 * MIB, 750 * MIB);
    check("{check_interval: 1s, limit_mib: 100, limit_percentage: 75}", 80 * MIB, 100 * MIB);
    let percent: Config = from_str("t", "{check_interval: 1s, limit_percentage: 50}").unwrap();
    assert_eq!(percent.limits(|| None), None);
}

/// What cannot work, or cannot be honoured, is refused by its name.
#[test]
fn faults() {
    let check = |text: &str, key: &str| {
        let problems = from_str::<Config>("t", text).unwrap_err().to_string();
        assert!(problems.contains(key), "{text}: {problems}");
    };
    check("limit_mib: 500", "check_interval");
    check("{check_interval: 0s, limit_mib: 500}", "check_interval");
    check("check_interval: 1s", "limit_mib or limit_percentage");
    check("{check_interval: 1s, limit_mib: 500, spike_limit_mib: 500}", "spike_limit_mib");
    check("{check_interval: 1s, limit_percentage: 101}", "limit_percentage");
    check("{check_interval: 1s, limit_percentage: 20, spike_limit_percentage: 20}", "spike_limit_percentage");
    check("{check_interval: 1s, limit_percentage: 20, spike_limit_mib: 20}", "spike_limit_mib");
    for key in ["min_gc_interval_when_soft_limited", "max_gc_interval_when_hard_limited"] {
        check(&format!("{{check_interval: 1s, limit_mib: 500, {key}: 3s}}"), key);
    }
    let usual = "{check_interval: 1s, limit_mib: 500, min_gc_interval_when_soft_limited: 10s}";
    assert!(from_str::<Config>("t", usual).is_ok());
}
