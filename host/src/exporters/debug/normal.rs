//! `verbosity: normal`: a line for each resource, scope and item.

use super::text::{Bare, Braces, Hex, Inline, Plain};
use crate::pdata::{Batch, Signal};
use std::fmt::Write;
use std::ops::Range;
use tailrace_otlp::{
    DataPointKind, DataPointView, LogRecordView, MetricView, Number, ResourceView, ScopeView, SpanView,
};

pub(super) fn text(batch: &Batch) -> String {
    let mut out = String::new();
    let (index, word) = (batch.index(), word(batch.signal()));
    for (number, resource) in index.resources.iter().enumerate() {
        let view = ResourceView::new(part(batch, resource.range()));
        let url = schema(view.schema_url());
        // Writing into a string cannot fail.
        let _ = writeln!(out, "Resource{word} #{number}{url}{}", Inline(view.attributes()));
        for (number, scope) in index.scopes.get(resource.scopes()).unwrap_or_default().iter().enumerate() {
            let view = ScopeView::new(part(batch, scope.range()));
            let name = Plain(view.name());
            let at = if view.version().is_empty() { "" } else { "@" };
            let (version, url) = (Plain(view.version()), schema(view.schema_url()));
            let _ = writeln!(out, "Scope{word} #{number} {name}{at}{version}{url}{}", Inline(view.attributes()));
            for child in scope.children() {
                line(&mut out, batch, child);
            }
        }
    }
    out
}

fn word(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "Traces",
        Signal::Metrics => "Metrics",
        Signal::Logs => "Log",
    }
}

fn schema(url: tailrace_otlp::Str<'_>) -> String {
    if url.is_empty() { String::new() } else { format!(" [{}]", Plain(url)) }
}

fn part(batch: &Batch, range: Range<usize>) -> &[u8] {
    batch.data().get(range).unwrap_or_default()
}

/// Child number `child` of a scope: a span, a log record or a metric with all its data points.
fn line(out: &mut String, batch: &Batch, child: usize) {
    let item = |number| batch.index().item(batch.data(), number).unwrap_or_default();
    let _ = match batch.signal() {
        Signal::Traces => {
            let span = SpanView::new(item(child));
            let (name, trace, id) = (Plain(span.name()), Hex::of(span.trace_id()), Hex::of(span.span_id()));
            writeln!(out, "{name} {trace} {id}{}", Inline(span.attributes()))
        }
        Signal::Logs => {
            let log = LogRecordView::new(item(child));
            writeln!(out, "{}{}", Bare(log.body()), Inline(log.attributes()))
        }
        Signal::Metrics => {
            let Some(metric) = batch.index().metrics.get(child) else { return };
            let name = MetricView::new(part(batch, metric.range())).name();
            let mut written = Ok(());
            for number in metric.items() {
                let point = DataPointView::new(metric.kind, item(number));
                written = written.and(writeln!(out, "{}{} {}", Plain(name), Braces(point.attributes()), value(point)));
            }
            written
        }
    };
}

fn value(point: DataPointView<'_>) -> String {
    match (point.kind(), point.value()) {
        (DataPointKind::Number, Some(Number::Int(value))) => value.to_string(),
        (DataPointKind::Number, Some(Number::Double(value))) => value.to_string(),
        (DataPointKind::Number, None) => String::new(),
        _ => match point.sum() {
            Some(sum) => format!("count={} sum={sum}", point.count()),
            None => format!("count={}", point.count()),
        },
    }
}
