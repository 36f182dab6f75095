//! Traces that wait for a decision: the record `traces` of the contract, written by the host and read by the SDK.

use crate::{Columns, Level, Row, Rows, Shape, Wanted, project};
use alloc::vec::Vec;
use core::ops::Range;
use tailrace_otlp::{Error, Index, Limits, Signal, SpanView, StatusCode, select, validate};

/// The columns of the record `traces`, owned; the fields are those of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// 16 bytes per trace.
    pub ids: Vec<u8>,
    /// Per trace: how many spans arrived.
    pub span_counts: Vec<u32>,
    /// Per trace: how many of them have status error.
    pub error_counts: Vec<u32>,
    /// Per trace: the earliest start, in nanoseconds since 1970.
    pub starts: Vec<u64>,
    /// Per trace: from the earliest start to the latest end, in nanoseconds.
    pub durations: Vec<u64>,
    /// Per trace: how many bytes its spans have.
    pub sizes: Vec<u64>,
    /// Per trace: 1 if it is shown for the last time.
    pub last_calls: Vec<u8>,
    /// The values that the plugin asked for.
    pub values: Columns,
    /// Per trace: where its items end in `values`.
    pub item_ends: Vec<u32>,
    /// Per trace: where its encoded spans end in `spans`.
    pub span_ends: Vec<u32>,
    /// Per trace an encoded `TracesData`.
    pub spans: Vec<u8>,
}

/// What is to become of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Keep it. The threshold, if there is one, is that of OpenTelemetry's consistent probability sampling (56 bits): traces
    /// whose randomness is below were rejected.
    Sample(Option<u64>),
    /// Do not keep it because of this plugin; another policy may.
    NotSampled,
    /// Do not keep it, whatever other policies say.
    Drop,
    /// Not known yet: ask again, with the spans that will have come by then.
    Undecided,
}

impl Traces {
    /// How many traces there are.
    pub fn len(&self) -> usize {
        self.span_counts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.span_counts.is_empty()
    }

    /// Makes a record of the traces in one request, in the order in which they occur, as if nothing more of them would
    /// come. For tests, of plugins and of the host; tail sampling has its own way.
    ///
    /// # Errors
    /// If the request is longer than `u32::MAX` bytes.
    pub fn gather(data: &[u8], index: &Index, wanted: Wanted<'_>, wants_spans: bool) -> Result<Self, Error> {
        let span = |item: usize| SpanView::new(index.item(data, item).unwrap_or_default());
        let id = |item: usize| span(item).trace_id().copied().unwrap_or_default();
        let mut ids: Vec<[u8; 16]> = Vec::new();
        for item in 0..index.len() {
            if !ids.contains(&id(item)) {
                ids.push(id(item));
            }
        }
        let (mut traces, mut all) = (Self::default(), Vec::new());
        for trace in ids {
            let items = (0..index.len()).filter(|item| id(*item) == trace);
            let count = |errors_only: bool| {
                let counted =
                    items.clone().filter(|item| !errors_only || span(*item).status_code() == StatusCode::Error);
                u32::try_from(counted.count()).unwrap_or(u32::MAX)
            };
            let start = items.clone().map(|item| span(item).start_time_unix_nano()).min().unwrap_or(0);
            let end = items.clone().map(|item| span(item).end_time_unix_nano()).max().unwrap_or(0);
            let size: usize = items.clone().map(|item| index.item(data, item).unwrap_or_default().len()).sum();
            let (encoded, _) = select(Signal::Traces, data, index, |item| id(item) == trace)?;
            traces.ids.extend_from_slice(&trace);
            traces.span_counts.push(count(false));
            traces.error_counts.push(count(true));
            traces.starts.push(start);
            traces.durations.push(end.saturating_sub(start));
            traces.sizes.push(size as u64);
            traces.last_calls.push(1);
            traces.item_ends.push(traces.item_ends.last().unwrap_or(&0) + count(false));
            all.extend_from_slice(&encoded);
            if wants_spans {
                traces.span_ends.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
            }
        }
        let index = validate(Signal::Traces, &all, &Limits::default())?;
        traces.values = project(Signal::Traces, &all, &index, wanted).columns;
        if wants_spans {
            traces.spans = all;
        }
        Ok(traces)
    }

    /// The id of a trace.
    pub fn id(&self, trace: usize) -> Option<[u8; 16]> {
        self.ids.get(trace.checked_mul(16)?..)?.first_chunk().copied()
    }

    /// The encoded spans of a trace; empty unless the plugin wanted spans.
    pub fn spans(&self, trace: usize) -> &[u8] {
        let part = part(&self.span_ends, trace);
        self.spans.get(part.start as usize..part.end as usize).unwrap_or_default()
    }

    /// The items of a trace in `values`.
    pub fn items(&self, trace: usize) -> Range<u32> {
        part(&self.item_ends, trace)
    }

    /// Splits rows, which must be those of `values` in their order, into those of each trace.
    pub fn rows_by_trace<'r, 'a>(&self, mut rows: &'r [Row<'a>]) -> Vec<&'r [Row<'a>]> {
        let traces = 0..self.len();
        traces
            .map(|trace| {
                let end = self.items(trace).end;
                let (own, rest) = rows.split_at(rows.partition_point(|row| first_item(&self.values.shape, row) < end));
                rows = rest;
                own
            })
            .collect()
    }

    /// The resources of a trace that have items, in their order: of each its items, and its rows out of `rows`, which must
    /// be those of the trace.
    pub fn by_resource<'s, 'a>(
        &'s self,
        trace: usize,
        mut rows: &'s [Row<'a>],
    ) -> impl Iterator<Item = (Range<u32>, &'s [Row<'a>])> + use<'s, 'a> {
        let (shape, items) = (&self.values.shape, self.items(trace));
        let end = |scopes: u32| scopes.checked_sub(1).map_or(0, |last| shape.children(last).end);
        let first = shape.resource_ends.partition_point(|scopes| end(*scopes) <= items.start);
        let ends = shape.resource_ends.get(first..).unwrap_or_default().iter().map(move |scopes| end(*scopes));
        let mut start = items.start;
        let parts = ends.map_while(move |end| {
            let part = (start < items.end).then(|| start..end.min(items.end));
            start = end;
            part
        });
        parts.filter(|part| !part.is_empty()).map(move |part| {
            let (own, rest) = rows.split_at(rows.partition_point(|row| first_item(shape, row) < part.end));
            rows = rest;
            (part, own)
        })
    }

    /// All rows of `values`.
    pub fn rows<'a>(&'a self, intrinsics: &'a [crate::Intrinsic]) -> Vec<Row<'a>> {
        Rows::new(&self.values, intrinsics).iter().collect()
    }
}

/// The first item of what a row belongs to.
fn first_item(shape: &Shape, row: &Row<'_>) -> u32 {
    match row.level {
        Level::Resource => shape.children(shape.scopes(row.owner).start).start,
        Level::Scope => shape.children(row.owner).start,
        _ => row.owner,
    }
}

fn part(ends: &[u32], at: usize) -> Range<u32> {
    let end = |at: usize| ends.get(at).copied();
    let start = at.checked_sub(1).map_or(Some(0), end);
    start.zip(end(at)).filter(|(start, end)| start <= end).map_or(0..0, |(start, end)| start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Intrinsic, Key, Value};
    use tailrace_otlp::{KeySet, NONE, RequestWriter, view};

    /// A span of trace `trace` with an attribute `n`.
    fn span(trace: u8, start: u64, end: u64, number: i64) -> Vec<u8> {
        let mut span = Vec::new();
        span.extend_from_slice(&[0x0a, 16]);
        span.extend_from_slice(&[trace; 16]);
        span.extend_from_slice(&[0x12, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        for (field, time) in [(7, start), (8, end)] {
            span.push(field << 3 | 1);
            span.extend_from_slice(&time.to_le_bytes());
        }
        view::put_attribute(&mut span, 9, "n".into(), &tailrace_otlp::Value::Int(number));
        span
    }

    /// Resources of several traces, among them one without spans and one without scopes.
    #[test]
    fn resources_are_told_apart() {
        let shape = Shape {
            resource_ends: alloc::vec![2, 2, 3, 4, 5],
            scope_ends: alloc::vec![1, 3, 3, 7, 8],
            metric_ends: Vec::new(),
            items: 8,
        };
        let values = Columns { shape, ..Columns::default() };
        let traces =
            Traces { span_counts: alloc::vec![3, 4, 1], item_ends: alloc::vec![3, 7, 8], values, ..Traces::default() };
        let row = |level, owner| Row { index: 0, level, owner, key: Key::Attribute("k"), value: Value::Empty };
        let rows = [
            row(Level::Resource, 0),
            row(Level::Item, 2),
            row(Level::Resource, 3),
            row(Level::Scope, 3),
            row(Level::Item, 4),
            row(Level::Item, 7),
        ];
        let by_trace = traces.rows_by_trace(&rows);
        let parts = |trace: usize| -> Vec<_> {
            let parts = traces.by_resource(trace, by_trace[trace]);
            parts.map(|(items, rows)| (items, rows.len())).collect()
        };
        assert_eq!(
            (parts(0), parts(1), parts(2)),
            (alloc::vec![(0..3, 2)], alloc::vec![(3..7, 3)], alloc::vec![(7..8, 1)])
        );
        assert_eq!(traces.by_resource(3, &[]).count(), 0);
    }

    #[test]
    fn interleaved_traces_are_sorted_out() {
        let mut writer = RequestWriter::new(Signal::Traces);
        for (trace, start, end, number) in [(1, 10, 20, 0), (2, 5, 6, 1), (1, 15, 40, 2)] {
            writer.item(&span(trace, start, end, number), NONE);
        }
        let (data, index) = writer.finish().unwrap();
        let keys = KeySet::exact(["n"]);
        let wanted = Wanted { keys: &keys, levels: &[], intrinsics: &[Intrinsic::ScopeName] };
        let traces = Traces::gather(&data, &index, wanted, true).unwrap();
        assert_eq!((traces.len(), traces.id(0), traces.id(1)), (2, Some([1; 16]), Some([2; 16])));
        assert_eq!(
            (&*traces.span_counts, &*traces.starts, &*traces.durations),
            (&[2, 1][..], &[10, 5][..], &[30, 1][..])
        );
        let intrinsics = [Intrinsic::ScopeName];
        let rows = traces.rows(&intrinsics);
        let numbers = |rows: &[Row<'_>]| -> Vec<_> {
            let of_items = rows.iter().filter(|row| row.key == Key::Attribute("n"));
            of_items.map(|row| if let Value::Int(number) = row.value { number } else { -1 }).collect()
        };
        let by_trace = traces.rows_by_trace(&rows);
        assert_eq!((numbers(by_trace[0]), numbers(by_trace[1])), (alloc::vec![0, 2], alloc::vec![1]));
        assert_eq!(by_trace[1][0].key, Key::Intrinsic(Intrinsic::ScopeName), "the scope's row is with its trace");
        assert_eq!(validate(Signal::Traces, traces.spans(0), &Limits::default()).unwrap().len(), 2);
        assert_eq!(traces.spans(2), b"");
    }
}
