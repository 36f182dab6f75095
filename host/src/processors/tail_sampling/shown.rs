//! Traces as plugins see them: copied out of a shard for one call, which then happens outside of its lock.

use super::policies::Policies;
use super::policy::{Answer, Facts};
use super::store::OldRun;
use crate::pdata::{Limits, Signal};
use std::ops::Range;
use std::sync::Arc;
use tailrace_columns::{Traces, Wanted, project};
use tailrace_otlp::{Index, RequestWriter, validate, wire};

/// Bytes of spans in one call at most; a larger trace goes alone.
pub const BYTES_MAX: usize = 4 << 20;

/// A trace in [`Shown`].
#[derive(Clone, Copy, Debug)]
pub struct ShownTrace {
    /// Its id.
    pub id: [u8; 16],
    /// Keyed hash of the id.
    pub hash: u64,
    /// What is known of all its spans.
    pub facts: Facts,
    /// Where its spans end, of all.
    items_end: usize,
    /// Where its resources end, of all.
    resources_end: usize,
}

/// Traces that are about to be decided.
pub struct Shown {
    /// In the order in which they are decided.
    pub traces: Vec<ShownTrace>,
    /// The policies that will vote on them.
    pub policies: Arc<Policies>,
    data: Vec<u8>,
    index: Index,
}

impl Shown {
    /// What the plugin is shown of the traces of these numbers.
    pub fn traces(&self, range: Range<usize>, wanted: Wanted<'_>, wants_spans: bool) -> Traces {
        let traces = self.traces.get(range.clone()).unwrap_or_default();
        let before = range.start.checked_sub(1).and_then(|at| self.traces.get(at));
        let (first_item, first_byte) = before.map_or((0, 0), |trace| (trace.items_end, self.bytes_end(trace)));
        let end = traces.last().map_or(first_byte, |trace| self.bytes_end(trace));
        let data = self.data.get(first_byte..end).unwrap_or_default();
        let values = if data.len() == self.data.len() {
            project(Signal::Traces, data, &self.index, wanted).columns
        } else {
            // Part of a call that went wrong: rare enough to be looked at anew.
            let index = validate(Signal::Traces, data, &Limits::default()).unwrap_or_default();
            project(Signal::Traces, data, &index, wanted).columns
        };
        let mut shown = Traces { values, ..Traces::default() };
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        for trace in traces {
            let facts = &trace.facts;
            shown.ids.extend_from_slice(&trace.id);
            shown.span_counts.push(facts.spans);
            shown.error_counts.push(facts.errors);
            shown.starts.push(facts.start());
            shown.durations.push(facts.end_ns.saturating_sub(facts.start_ns));
            shown.sizes.push(facts.bytes);
            // Traces are shown when they are due, or when there is no more room for them.
            shown.last_calls.push(1);
            shown.item_ends.push(narrow(trace.items_end - first_item));
            if wants_spans {
                shown.span_ends.push(narrow(self.bytes_end(trace) - first_byte));
            }
        }
        if wants_spans {
            shown.spans = data.to_vec();
        }
        shown
    }

    fn bytes_end(&self, trace: &ShownTrace) -> usize {
        let last = trace.resources_end.checked_sub(1).and_then(|last| self.index.resources.get(last));
        last.map_or(0, |resource| resource.range().end)
    }
}

/// Gathers traces.
#[derive(Debug)]
pub struct Gather {
    traces: Vec<ShownTrace>,
    writer: RequestWriter,
    resources: usize,
    spans_max: usize,
    with_spans: bool,
}

impl Gather {
    /// Of each trace at most `spans_max` spans are shown, or none if nobody looks at spans.
    pub fn new(spans_max: usize, with_spans: bool) -> Self {
        Self { traces: Vec::new(), writer: RequestWriter::new(Signal::Traces), resources: 0, spans_max, with_spans }
    }

    /// Whether there is no trace.
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Whether there is room for another trace.
    pub fn has_room(&self) -> bool {
        self.writer.bytes() < BYTES_MAX
    }

    /// Begins a trace, whose runs follow.
    pub fn open(&mut self, id: [u8; 16], hash: u64, facts: Facts) -> OneTrace<'_> {
        let first_item = self.writer.items();
        OneTrace { gather: self, id, hash, facts, first_item, last: None }
    }

    /// All of them; `None` if there is none.
    pub fn finish(self, policies: Arc<Policies>) -> Option<Shown> {
        let (data, index) = self.writer.finish().ok()?;
        (!self.traces.is_empty()).then_some(Shown { traces: self.traces, policies, data, index })
    }
}

/// A trace that is being gathered.
pub struct OneTrace<'g> {
    gather: &'g mut Gather,
    id: [u8; 16],
    hash: u64,
    facts: Facts,
    first_item: usize,
    /// Hashes of the resource and of the context that are open.
    last: Option<(u64, u64)>,
}

impl OneTrace<'_> {
    /// Adds a run.
    pub fn run(&mut self, run: &OldRun<'_>) {
        let Gather { writer, resources, spans_max, with_spans, .. } = &mut *self.gather;
        let room = (self.first_item + *spans_max).saturating_sub(writer.items());
        if !*with_spans || room == 0 {
            return;
        }
        let (resource, context) = (run.context.resource_hash, run.context.hash);
        if self.last.is_none_or(|last| last.0 != resource) {
            writer.open_resource(run.context.resource);
            *resources += 1;
        }
        if self.last != Some((resource, context)) {
            writer.open_scope(run.context.scope);
        }
        self.last = Some((resource, context));
        writer.run(if usize::from(run.spans) <= room { run.bytes } else { first_records(run.bytes, room) });
    }

    /// Ends it.
    pub fn close(self) {
        let gather = self.gather;
        gather.traces.push(ShownTrace {
            id: self.id,
            hash: self.hash,
            facts: self.facts,
            items_end: gather.writer.items(),
            resources_end: gather.resources,
        });
    }
}

/// The first of some records.
fn first_records(records: &[u8], count: usize) -> &[u8] {
    let end = wire::Fields::new(records).take(count).last().map_or(0, |field| field.end);
    records.get(..end).unwrap_or_default()
}

/// What the plugins say of the traces of a [`Shown`].
#[derive(Debug, Default)]
pub struct Answers {
    plugins: usize,
    /// Those of one trace are neighbours.
    answers: Vec<Answer>,
}

impl Answers {
    /// From the answers of each plugin.
    pub fn new(traces: usize, by_plugin: &[Vec<Answer>]) -> Self {
        let answers = (0..traces)
            .flat_map(|trace| by_plugin.iter().map(move |answers| answers.get(trace).copied().flatten()))
            .collect();
        Self { plugins: by_plugin.len(), answers }
    }

    /// Those about one trace.
    pub fn of(&self, trace: usize) -> &[Answer] {
        let start = trace * self.plugins;
        self.answers.get(start..start + self.plugins).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::testing::{TestSpan, batch};
    use crate::processors::tail_sampling::fold;
    use crate::processors::tail_sampling::intake::{Keyed, Runs};
    use crate::processors::tail_sampling::policy::Layout;
    use tailrace_columns::{Intrinsic, Row};
    use tailrace_otlp::KeySet;

    /// Traces with these ids, one after the other as slices have them, in random contexts.
    fn spans(traces: u8, random: &mut fastrand::Rng) -> Vec<TestSpan> {
        let mut spans = Vec::new();
        for trace in 1..=traces {
            for number in 0..random.u8(1..6) {
                spans.push(TestSpan {
                    trace: vec![trace; 16],
                    name: format!("{trace}.{number}"),
                    error: random.bool(),
                    start_ms: random.u64(1..1_000),
                    end_ms: random.u64(1_000..2_000),
                    resource: random.u8(..3),
                    scope: random.u8(..2),
                    ..TestSpan::default()
                });
            }
        }
        spans
    }

    fn shown(traces: u8, spans: &[TestSpan], spans_max: usize) -> Shown {
        let request = batch(spans);
        let policies = Arc::new(Policies::new(Vec::new(), Layout::default(), false));
        let runs = Runs::new(&request, &policies, &Keyed::random());
        let mut gather = Gather::new(spans_max, true);
        for id in (1..=traces).map(|trace| [trace; 16]) {
            let of_trace = || runs.iter().filter(|run| run.id == Some(id));
            let mut facts = Facts::default();
            of_trace().for_each(|run| facts.fold(&run.facts));
            let mut open = gather.open(id, 0, facts);
            for run in of_trace() {
                let bytes = runs.pieces(run).concat();
                assert_eq!(fold::run(&runs.context(run), &bytes, &policies), run.facts, "folded again");
                open.run(&OldRun { context: runs.context(run), spans: run.spans, bytes: &bytes });
            }
            open.close();
        }
        gather.finish(policies).unwrap()
    }

    const INTRINSICS: [Intrinsic; 1] = [Intrinsic::SpanName];

    /// The values of each trace.
    fn values(traces: &Traces) -> Vec<Vec<String>> {
        let rows = traces.rows(&INTRINSICS);
        let text = |rows: &[Row<'_>]| rows.iter().map(|row| format!("{:?} {:?}", row.key, row.value)).collect();
        traces.rows_by_trace(&rows).into_iter().map(text).collect()
    }

    /// What plugins are shown of traces in a shard is what they are shown of the same traces in a request, also of a part of
    /// them, as it is when a call went wrong.
    #[test]
    fn the_same_as_gathered_from_a_request() {
        let keys = KeySet::exact(["service.name"]);
        let wanted = Wanted { keys: &keys, levels: &[], intrinsics: &INTRINSICS };
        for _ in 0..200 {
            let seed = fastrand::u64(..);
            println!("seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed);
            let traces = random.u8(1..8);
            let spans = spans(traces, &mut random);
            let shown = shown(traces, &spans, 100);
            let start = random.usize(..usize::from(traces));
            for range in [0..usize::from(traces), start..random.usize(start + 1..=usize::from(traces))] {
                let meant = spans.iter().filter(|span| range.contains(&(usize::from(span.trace[0]) - 1)));
                let meant = batch(&meant.cloned().collect::<Vec<_>>());
                let expected = Traces::gather(meant.data(), meant.index(), wanted, true).unwrap();
                let traces = shown.traces(range, wanted, true);
                assert_eq!(values(&traces), values(&expected));
                assert_eq!((&traces.ids, &traces.span_counts), (&expected.ids, &expected.span_counts));
                assert_eq!((&traces.error_counts, &traces.starts), (&expected.error_counts, &expected.starts));
                assert_eq!((&traces.durations, &traces.item_ends), (&expected.durations, &expected.item_ends));
                for trace in 0..traces.len() {
                    let index = validate(Signal::Traces, traces.spans(trace), &Limits::default()).unwrap();
                    assert_eq!(index.len(), traces.items(trace).len());
                }
            }
        }
    }

    /// Of a trace with very many spans the first ones are shown; the counts are of all.
    #[test]
    fn the_first_spans_of_many() {
        let span = |number: u8| TestSpan { trace: vec![1; 16], name: number.to_string(), ..TestSpan::default() };
        let spans: Vec<TestSpan> = (0..9).map(span).collect();
        let shown = shown(1, &spans, 4);
        let keys = KeySet::default();
        let traces = shown.traces(0..1, Wanted { keys: &keys, levels: &[], intrinsics: &INTRINSICS }, true);
        assert_eq!((traces.span_counts[0], traces.item_ends[0], values(&traces)[0].len()), (9, 4, 4));
    }
}
