//! The processor beside a simple model of it: no shards, no folding, no cache that forgets, no segments. Policies are random ones of
//! every type ([`rules`]).

mod rules;

use super::pending::{Pending, Waits};
use super::{Seen, Stage, TestSpan, id};
use crate::component::ConsumeError;
use crate::component::testing::{Answer, line, settle};
use rules::Rule;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

struct Model {
    rules: Vec<Rule>,
    first_match: bool,
    traces_max: usize,
    pending: Pending,
    decided: BTreeMap<Vec<u8>, bool>,
    kept: Vec<Seen>,
    dropped: usize,
}

impl Model {
    fn out(&mut self, spans: Vec<TestSpan>, keep: bool) {
        if !keep {
            self.dropped += spans.len();
            return;
        }
        self.kept.extend(spans.into_iter().map(|span| Seen {
            name: span.name,
            trace: span.trace,
            resource: format!("service-{} schema-{}", span.resource, span.resource % 2),
            scope: format!("scope-{}", span.scope),
        }));
    }

    fn keeps(&mut self, id: &[u8], spans: &[TestSpan], now_ms: u64) -> bool {
        rules::keeps(&mut self.rules, self.first_match, id, spans, now_ms)
    }

    fn decide(&mut self, id: &[u8], now_ms: u64) {
        let spans = self.pending.remove(id);
        let keep = self.keeps(id, &spans, now_ms);
        self.decided.insert(id.to_vec(), keep);
        self.out(spans, keep);
    }

    /// A tick decides what is due.
    fn tick(&mut self, now_ms: u64) {
        while let Some(id) = self.pending.due(now_ms) {
            self.decide(&id, now_ms);
        }
    }

    fn take(&mut self, spans: &[TestSpan], now_ms: u64) {
        for span in spans {
            let id = &span.trace;
            if id.iter().all(|byte| *byte == 0) {
                let spans = vec![span.clone()];
                let keep = self.keeps(&[], &spans, now_ms);
                self.out(spans, keep);
                continue;
            }
            if let Some(keep) = self.decided.get(id).copied() {
                self.out(vec![span.clone()], keep);
                continue;
            }
            if !self.pending.contains(id) {
                self.shrink(self.traces_max - 1, now_ms);
            }
            self.pending.add(id, vec![span.clone()], now_ms);
        }
    }

    /// So many traces stay; the oldest are decided.
    fn shrink(&mut self, traces: usize, now_ms: u64) {
        while self.pending.len() > traces {
            let oldest = self.pending.oldest().unwrap();
            self.decide(&oldest, now_ms);
        }
    }
}

/// The model forgets no decision. The default, ten times `num_traces` of each kind, would with `num_traces: 1`.
const CACHE: &str = "decision_cache: {sampled_cache_size: 10000, non_sampled_cache_size: 10000}";

/// Random traces in random order, split over random requests at random times, with overflow and with hastened decisions, against a
/// next stage that is slow and refuses for now, while policies and bounds are changed at random times: exactly the spans of the kept traces come out, each once and in its context,
/// and the ledger adds up at every step.
#[tokio::test(start_paused = true)]
async fn beside_a_model() {
    for round in 0..60 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let overflows = round % 3 == 0;
        let hastens = round % 2 == 0;
        let wait_ms = random.u64(20..500) * 10;
        // Never due in the same millisecond as one that waits the full time: that order is nobody's business.
        let after_root_ms = hastens.then(|| random.u64(1..wait_ms / 10) * 10 + 5);
        let traces_max = if overflows { random.usize(1..30) } else { 100_000 };
        let shards = if overflows { 1 } else { random.usize(1..5) };
        let after_root =
            after_root_ms.map(|ms| format!("decision_wait_after_root_received: {ms}ms,")).unwrap_or_default();
        let section = |rules: &[Rule], first_match, traces_max| {
            let policies: Vec<_> =
                rules.iter().enumerate().map(|(number, rule)| rule.yaml(&format!("p{number}"))).collect();
            let policies = policies.join(", ");
            let section = format!(
                "{{policies: [{policies}], decision_wait: {wait_ms}ms, {after_root} num_traces: {traces_max}, {CACHE}, num_shards: {shards}, sample_on_first_match: {first_match}}}",
            );
            println!("{section}");
            section
        };
        // One shard decides in the order of time; with several nobody knows whom a limiter lets pass.
        let some_rules = |random: &mut fastrand::Rng| -> Vec<Rule> {
            (0..random.usize(1..5)).map(|_| Rule::random(random, shards == 1, 0)).collect()
        };
        let (rules, first_match) = (some_rules(&mut random), random.bool());
        let section_at_first = section(&rules, first_match, traces_max);
        let stage = Stage::start(&section_at_first).await;
        let start = Instant::now();
        let shorter = after_root_ms.map_or(wait_ms, |ms| ms.min(wait_ms));
        let tick = (Duration::from_millis(shorter) / 20).clamp(Duration::from_millis(10), Duration::from_millis(500));
        assert_eq!(stage.processor.inner.settings.load().tick, tick);
        let mut model = Model {
            rules,
            first_match,
            traces_max,
            pending: Pending::new(Waits { full_ms: wait_ms, after_root_ms }),
            decided: BTreeMap::new(),
            kept: Vec::new(),
            dropped: 0,
        };
        let mut ticks_done = 0u32;
        let mut names = 0;
        for _ in 0..150 {
            // At 3 ms behind a multiple of ten.
            let pause = random.u64(..wait_ms / 4) / 10 * 10;
            let now_ms = start.elapsed().as_millis() as u64;
            let target = (now_ms + pause).next_multiple_of(10) + 3;
            tokio::time::sleep(Duration::from_millis(target - now_ms)).await;
            settle().await;
            let now_ms = start.elapsed().as_millis() as u64;
            // The model ticks when the processor does; timers fire at whole milliseconds.
            while tick * ticks_done <= Duration::from_millis(now_ms) {
                model.tick((tick * ticks_done).as_nanos().div_ceil(1_000_000) as u64);
                ticks_done += 1;
            }
            if random.u8(..5) == 0 {
                stage.next.script([
                    Answer::Refuse(ConsumeError::retryable("later")),
                    Answer::TakeAfter(Duration::from_millis(random.u64(..2_000))),
                ]);
            }
            if random.u8(..30) == 0 {
                (model.rules, model.first_match) = (some_rules(&mut random), random.bool());
                model.traces_max = if overflows { random.usize(1..30) } else { traces_max };
                stage.change(&section(&model.rules, model.first_match, model.traces_max)).await.unwrap();
                settle().await;
                model.shrink(model.traces_max, now_ms);
                assert_eq!(start.elapsed().as_millis() as u64, now_ms, "a change takes no time");
            }
            let first = now_ms / 300;
            let spans: Vec<TestSpan> = (0..random.usize(..25))
                .map(|_| {
                    names += 1;
                    let start_ms = 1_700_000_000_000 + random.u64(..500);
                    let trace = match random.u8(..40) {
                        0 => vec![0; 16],
                        1 => Vec::new(),
                        _ => id(first + random.u64(..20)),
                    };
                    TestSpan {
                        trace,
                        name: format!("{names:06}"),
                        root: random.u8(..8) == 0,
                        error: random.u8(..30) == 0,
                        start_ms,
                        end_ms: start_ms + if random.u8(..30) == 0 { 1_200 } else { 100 },
                        resource: random.u8(..3),
                        scope: random.u8(..2),
                        ballast: random.usize(..200),
                        number: random.choice([0, 0, 1, 4, 5, 7, 12]).unwrap(),
                        flag: random.u8(..10) == 0,
                        sampled: random.u8(..15) == 0,
                        exception: random.u8(..15) == 0,
                        vendor: random.choice(["", "", "", "", "", "a", "b", "c"]).unwrap(),
                    }
                })
                // Sometimes neighbours, sometimes not.
                .collect();
            let spans = if random.bool() { sorted(spans) } else { spans };
            stage.put(&spans).await.unwrap();
            model.take(&spans, now_ms);
            let line = line(&stage.context);
            let out = line.handed_on as usize + line.dropped.values().sum::<u64>() as usize;
            assert!(out <= model.kept.len() + model.dropped && line.held as usize >= model.pending.spans());
            assert_eq!(line.dropped.values().sum::<u64>() as usize, model.dropped, "not sampled or vetoed");
            assert_eq!(stage.processor.inner.metrics.on_memory.get() as usize, model.pending.len());
        }
        let end_ms = start.elapsed().as_millis() as u64;
        stage.shutdown(Duration::from_secs(600)).await;
        while let Some(id) = model.pending.first() {
            model.decide(&id, end_ms);
        }
        model.kept.sort();
        assert_eq!(stage.next.spans(), model.kept);
        let line = line(&stage.context);
        assert_eq!((line.held, line.dropped.values().sum::<u64>() as usize), (0, model.dropped));
    }
}

fn sorted(mut spans: Vec<TestSpan>) -> Vec<TestSpan> {
    spans.sort_by(|a, b| (a.resource, a.scope, &a.trace).cmp(&(b.resource, b.scope, &b.trace)));
    spans
}
