//! `sampling_strategy: span-ingest`, in stories and beside a model of its own.

use super::pending::{Pending, Waits};
use super::*;
use std::collections::BTreeMap;

const MODE: &str = "sampling_strategy: span-ingest";

/// The spans of a kept trace leave when the vote falls, with what was stored of it and what follows; nothing of it stays in
/// memory. Traces that nobody wanted are not kept when they are due.
#[tokio::test(start_paused = true)]
async fn kept_traces_leave_at_once() {
    let stage = Stage::start(&format!("{{{ERRORS}, {MODE}, decision_wait: 10s, num_shards: 1}}")).await;
    stage.put(&[span(1, "a"), span(2, "x")]).await.unwrap();
    stage.put(&[error(1, "b"), span(1, "c")]).await.unwrap();
    assert_eq!(stage.metric("sampling_traces_on_memory", ""), 1.0);
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b", "c"]);
    assert_eq!(line(&stage.context).held, 1);
    stage.put(&[span(1, "d")]).await.unwrap();
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b", "c", "d"]);
    pass(9_500).await;
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (1, 0));
    assert_eq!(stage.processor.inner.metrics.bytes.get(), 0, "nothing stays in memory");
    stage.put(&[error(2, "y")]).await.unwrap();
    assert_eq!(stage.dropped("not_sampled"), 2, "that decision was the first, and late spans follow it");
    // Votes are counted for every piece that was voted on, decisions once.
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"errors\",decision=\"not_sampled\""), 2.0);
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"errors\",decision=\"sampled\""), 1.0);
    assert_eq!(stage.metric("global_count_traces_sampled_total", ""), 2.0);
    stage.put(&[span(3, "z")]).await.unwrap();
    stage.shutdown(Duration::from_secs(5)).await;
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (3, 0));
}

/// Policies see what arrived together, not the whole trace; only the number of spans is that of the trace.
#[tokio::test(start_paused = true)]
async fn votes_are_on_what_arrived_together() {
    let policies = "policies: [
        {name: both, type: and, and: {and_sub_policy: [
            {name: a, type: status_code, status_code: {status_codes: [ERROR]}},
            {name: b, type: string_attribute, string_attribute: {key: service.name, values: [service-1]}}]}},
        {name: slow, type: latency, latency: {threshold_ms: 1000}},
        {name: many, type: span_count, span_count: {min_spans: 4}}]";
    let stage = Stage::start(&format!("{{{policies}, {MODE}, decision_wait: 10s}}")).await;
    let of = |trace, name, resource, error| TestSpan { resource, error, ..span(trace, name) };
    // The error and the service are not in the same piece, first by request and then by resource.
    stage.put(&[of(1, "1a", 0, true)]).await.unwrap();
    stage.put(&[of(1, "1b", 1, false)]).await.unwrap();
    stage.put(&[of(2, "2a", 1, false), of(2, "2b", 0, true)]).await.unwrap();
    // They are, although in different scopes and with another trace in between.
    stage
        .put(&[of(3, "3a", 1, false), of(4, "4a", 1, false), TestSpan { scope: 1, ..of(3, "3b", 1, true) }])
        .await
        .unwrap();
    // Long only over two requests.
    let timed = |name, start_ms, end_ms| TestSpan { start_ms, end_ms, ..span(5, name) };
    stage.put(&[timed("5a", 10_000, 10_001)]).await.unwrap();
    stage.put(&[timed("5b", 12_000, 12_001)]).await.unwrap();
    for name in ["6a", "6b", "6c", "6d", "6e"] {
        stage.put(&[span(6, name)]).await.unwrap();
    }
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["3a", "3b", "6a", "6b", "6c", "6d", "6e"]);
}

/// A drop policy acts at once; beside one that has not matched nothing is kept.
#[tokio::test(start_paused = true)]
async fn a_drop_policy_may_still_match() {
    let policies = "policies: [{name: all, type: always_sample}, {name: no, type: drop, drop: {drop_sub_policy: [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]}}]";
    let stage = Stage::start(&format!("{{{policies}, {MODE}, decision_wait: 1s}}")).await;
    stage.put(&[span(1, "a"), span(2, "x")]).await.unwrap();
    stage.put(&[error(1, "b")]).await.unwrap();
    assert_eq!((stage.dropped("dropped_by_policy"), line(&stage.context).held), (2, 1));
    pass(1_100).await;
    assert_eq!((stage.dropped("not_sampled"), stage.next.spans().len()), (1, 0));
}

/// A trace that passes its size is dropped before anybody votes on it; spans without an id are decided each by itself.
#[tokio::test(start_paused = true)]
async fn bounds_and_strays() {
    let stage = Stage::start(&format!("{{{ERRORS}, {MODE}, maximum_trace_size_bytes: 1000, decision_wait: 1s}}")).await;
    let large = |name, error| TestSpan { ballast: 600, error, ..span(1, name) };
    stage.put(&[large("a", false)]).await.unwrap();
    stage.put(&[large("b", true)]).await.unwrap();
    assert_eq!((stage.dropped("too_large"), line(&stage.context).held), (2, 0));
    let stray = |name: &str, error| TestSpan { trace: vec![], error, ..span(0, name) };
    stage.put(&[stray("c", true), stray("d", false), stray("e", true)]).await.unwrap();
    pass(600).await;
    assert_eq!((names(&stage.next.spans()), stage.dropped("not_sampled")), (vec!["c", "e"], 1));
}

/// Pieces, votes and what is pending; no shards, no folding, no segments.
struct Model {
    traces_max: usize,
    vetoes: bool,
    pending: Pending,
    decided: BTreeMap<Vec<u8>, bool>,
    kept: Vec<String>,
    not_sampled: usize,
    vetoed: usize,
}

impl Model {
    /// What is decided about a piece of a trace that has so many spans now: it is kept, dropped, or nothing.
    fn vote(&self, piece: &[TestSpan], count: usize) -> Option<bool> {
        let errors = piece.iter().any(|span| span.error);
        if self.vetoes {
            return (errors && piece[0].resource == 2).then_some(false);
        }
        let start = piece.iter().map(|span| span.start_ms).min().unwrap();
        let end = piece.iter().map(|span| span.end_ms).max().unwrap();
        (errors && piece[0].resource == 1 || end.saturating_sub(start) > 1000 || count >= 9).then_some(true)
    }

    fn out(&mut self, spans: Vec<TestSpan>, decision: Option<bool>, late: bool) {
        match decision {
            Some(true) => self.kept.extend(spans.into_iter().map(|span| span.name)),
            Some(false) if !late => self.vetoed += spans.len(),
            _ => self.not_sampled += spans.len(),
        }
    }

    fn give_up(&mut self, id: &[u8]) {
        let spans = self.pending.remove(id);
        self.decided.insert(id.to_vec(), false);
        self.out(spans, None, false);
    }

    fn tick(&mut self, now_ms: u64) {
        while let Some(id) = self.pending.due(now_ms) {
            self.give_up(&id);
        }
    }

    fn take(&mut self, request: &[TestSpan], now_ms: u64) {
        for spans in request.chunk_by(|a, b| a.resource == b.resource) {
            let mut pieces: Vec<Vec<TestSpan>> = Vec::new();
            for span in spans {
                let known = pieces.iter_mut().find(|piece| !span.trace.is_empty() && piece[0].trace == span.trace);
                match known {
                    Some(piece) => piece.push(span.clone()),
                    None => pieces.push(vec![span.clone()]),
                }
            }
            pieces.into_iter().for_each(|piece| self.take_piece(piece, now_ms));
        }
    }

    fn take_piece(&mut self, piece: Vec<TestSpan>, now_ms: u64) {
        let id = piece[0].trace.clone();
        if id.is_empty() {
            let decision = self.vote(&piece, 1);
            return self.out(piece, decision, false);
        }
        if let Some(kept) = self.decided.get(&id).copied() {
            return self.out(piece, Some(kept), true);
        }
        if !self.pending.contains(&id) && self.pending.len() >= self.traces_max {
            let oldest = self.pending.oldest().unwrap();
            self.give_up(&oldest);
        }
        let decision = self.vote(&piece, self.pending.count(&id) + piece.len());
        if decision.is_some() {
            let mut spans = self.pending.remove(&id);
            spans.extend(piece);
            self.decided.insert(id, decision == Some(true));
            return self.out(spans, decision, false);
        }
        self.pending.add(&id, piece, now_ms);
    }
}

/// Random traces in random order, split over random requests at random times, with overflow: exactly the spans that the model
/// keeps come out, and everything is counted as the model counts it at every step.
#[tokio::test(start_paused = true)]
async fn beside_a_model() {
    for round in 0..30 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let overflows = round % 3 == 0;
        let vetoes = round % 5 == 0;
        let wait_ms = random.u64(20..500) * 10;
        // Never due in the same millisecond as one that waits the full time.
        let after_root_ms = random.u64(1..wait_ms / 10) * 10 + 5;
        let traces_max = if overflows { random.usize(1..30) } else { 100_000 };
        let shards = if overflows { 1 } else { random.usize(1..5) };
        let pair = |service: u8| {
            format!(
                "{{name: a, type: status_code, status_code: {{status_codes: [ERROR]}}}}, \
                 {{name: b, type: string_attribute, string_attribute: {{key: service.name, values: [service-{service}]}}}}"
            )
        };
        let policies = match vetoes {
            true => format!(
                "{{name: no, type: drop, drop: {{drop_sub_policy: [{}]}}}}, {{name: all, type: always_sample}}",
                pair(2)
            ),
            false => format!(
                "{{name: both, type: and, and: {{and_sub_policy: [{}]}}}}, {{name: slow, type: latency, latency: {{threshold_ms: 1000}}}}, \
                 {{name: many, type: span_count, span_count: {{min_spans: 9}}}}",
                pair(1)
            ),
        };
        let stage = Stage::start(&format!(
            "{{policies: [{policies}], {MODE}, decision_wait: {wait_ms}ms, decision_wait_after_root_received: {after_root_ms}ms, \
             num_traces: {traces_max}, num_shards: {shards}, \
             decision_cache: {{sampled_cache_size: 10000, non_sampled_cache_size: 10000}}}}"
        ))
        .await;
        let start = Instant::now();
        let tick = stage.processor.inner.settings.load().tick;
        let mut model = Model {
            traces_max,
            vetoes,
            pending: Pending::new(Waits { full_ms: wait_ms, after_root_ms: Some(after_root_ms) }),
            decided: BTreeMap::new(),
            kept: Vec::new(),
            not_sampled: 0,
            vetoed: 0,
        };
        let (mut ticks_done, mut names) = (0u32, 0);
        for _ in 0..150 {
            // At 3 ms behind a multiple of ten.
            let now_ms = start.elapsed().as_millis() as u64;
            let target = (now_ms + random.u64(..wait_ms / 4) / 10 * 10).next_multiple_of(10) + 3;
            pass(target - now_ms).await;
            settle().await;
            let now_ms = start.elapsed().as_millis() as u64;
            while tick * ticks_done <= Duration::from_millis(now_ms) {
                model.tick((tick * ticks_done).as_nanos().div_ceil(1_000_000) as u64);
                ticks_done += 1;
            }
            let first = now_ms / 300;
            let mut spans: Vec<TestSpan> = (0..random.usize(..25))
                .map(|_| {
                    names += 1;
                    let start_ms = 1_700_000_000_000 + random.u64(..500);
                    TestSpan {
                        trace: if random.u8(..30) == 0 { Vec::new() } else { id(first + random.u64(..20)) },
                        name: format!("{names:06}"),
                        root: random.u8(..8) == 0,
                        error: random.u8(..10) == 0,
                        start_ms,
                        end_ms: start_ms + random.u64(..600),
                        resource: random.u8(..3),
                        scope: random.u8(..2),
                        ballast: random.usize(..200),
                        ..TestSpan::default()
                    }
                })
                .collect();
            if random.bool() {
                spans.sort_by_key(|span| (span.resource, span.scope));
            }
            stage.put(&spans).await.unwrap();
            model.take(&spans, now_ms);
            line(&stage.context);
            assert_eq!(stage.dropped("not_sampled") as usize, model.not_sampled);
            assert_eq!(stage.dropped("dropped_by_policy") as usize, model.vetoed);
            assert_eq!(stage.metric("sampling_traces_on_memory", "") as usize, model.pending.len());
        }
        stage.shutdown(Duration::from_secs(600)).await;
        while let Some(id) = model.pending.first() {
            model.give_up(&id);
        }
        model.kept.sort();
        assert_eq!(super::names(&stage.next.spans()), model.kept);
        assert_eq!((line(&stage.context).held, stage.dropped("not_sampled") as usize), (0, model.not_sampled));
    }
}
