//! `verbosity: detailed`: everything there is, many lines for each item.

use super::text::{Hex, Plain, Time, Typed};
use crate::pdata::{Batch, Signal};
use std::fmt::{self, Write};
use std::ops::Range;
use tailrace_otlp::{
    DataPointKind, DataPointView, KeyValue, LogRecordView, Metric, MetricKind, MetricView, Number, ResourceView,
    ScopeView, SpanView, StatusCode,
};

pub(super) fn text(batch: &Batch) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = all(&mut out, batch);
    out
}

fn all(out: &mut String, batch: &Batch) -> fmt::Result {
    let (index, word) = (batch.index(), word(batch.signal()));
    for (number, resource) in index.resources.iter().enumerate() {
        let view = ResourceView::new(part(batch, resource.range()));
        writeln!(out, "Resource{word} #{number}")?;
        writeln!(out, "Resource SchemaURL: {}", Plain(view.schema_url()))?;
        attributes(out, "Resource attributes:", "     ", view.attributes())?;
        for (number, scope) in index.scopes.get(resource.scopes()).unwrap_or_default().iter().enumerate() {
            let view = ScopeView::new(part(batch, scope.range()));
            writeln!(out, "Scope{word} #{number}")?;
            writeln!(out, "Scope{word} SchemaURL: {}", Plain(view.schema_url()))?;
            writeln!(out, "InstrumentationScope {} {}", Plain(view.name()), Plain(view.version()))?;
            attributes(out, "InstrumentationScope attributes:", "     ", view.attributes())?;
            for (number, child) in scope.children().enumerate() {
                let message = || index.item(batch.data(), child).unwrap_or_default();
                match batch.signal() {
                    Signal::Traces => span(out, number, SpanView::new(message()))?,
                    Signal::Logs => log(out, number, LogRecordView::new(message()))?,
                    Signal::Metrics => {
                        if let Some(of) = index.metrics.get(child) {
                            metric(out, number, batch, of)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn word(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "Spans",
        Signal::Metrics => "Metrics",
        Signal::Logs => "Log",
    }
}

fn part(batch: &Batch, range: Range<usize>) -> &[u8] {
    batch.data().get(range).unwrap_or_default()
}

fn attributes<'a>(
    out: &mut String,
    title: &str,
    indent: &str,
    attributes: impl Iterator<Item = KeyValue<'a>>,
) -> fmt::Result {
    for (i, KeyValue { key, value }) in attributes.enumerate() {
        if i == 0 {
            writeln!(out, "{title}")?;
        }
        writeln!(out, "{indent}-> {}: {}", Plain(key), Typed(value))?;
    }
    Ok(())
}

fn span(out: &mut String, number: usize, span: SpanView<'_>) -> fmt::Result {
    let kind = match span.kind() {
        1 => "Internal",
        2 => "Server",
        3 => "Client",
        4 => "Producer",
        5 => "Consumer",
        _ => "Unspecified",
    };
    let status = match span.status_code() {
        StatusCode::Unset => "Unset",
        StatusCode::Ok => "Ok",
        StatusCode::Error => "Error",
    };
    writeln!(out, "Span #{number}")?;
    writeln!(out, "    Trace ID       : {}", Hex::of(span.trace_id()))?;
    writeln!(out, "    Parent ID      : {}", Hex::of(span.parent_span_id()))?;
    writeln!(out, "    ID             : {}", Hex::of(span.span_id()))?;
    writeln!(out, "    Name           : {}", Plain(span.name()))?;
    writeln!(out, "    Kind           : {kind}")?;
    if !span.trace_state().is_empty() {
        writeln!(out, "    TraceState     : {}", Plain(span.trace_state()))?;
    }
    writeln!(out, "    Start time     : {}", Time(span.start_time_unix_nano()))?;
    writeln!(out, "    End time       : {}", Time(span.end_time_unix_nano()))?;
    writeln!(out, "    Status code    : {status}")?;
    writeln!(out, "    Status message : {}", Plain(span.status_message()))?;
    for (name, count) in [
        ("attributes", span.dropped_attributes_count()),
        ("events", span.dropped_events_count()),
        ("links", span.dropped_links_count()),
    ] {
        if count > 0 {
            writeln!(out, "    Dropped {name}: {count}")?;
        }
    }
    attributes(out, "Attributes:", "     ", span.attributes())?;
    for (i, event) in span.events().enumerate() {
        if i == 0 {
            writeln!(out, "Events:")?;
        }
        writeln!(out, "SpanEvent #{i}\n     -> Name: {}", Plain(event.name()))?;
        writeln!(out, "     -> Timestamp: {}", Time(event.time_unix_nano()))?;
        writeln!(out, "     -> DroppedAttributesCount: {}", event.dropped_attributes_count())?;
        attributes(out, "     -> Attributes::", "          ", event.attributes())?;
    }
    for (i, link) in span.links().enumerate() {
        if i == 0 {
            writeln!(out, "Links:")?;
        }
        writeln!(out, "SpanLink #{i}\n     -> Trace ID: {}", Hex::of(link.trace_id()))?;
        writeln!(out, "     -> ID: {}", Hex::of(link.span_id()))?;
        writeln!(out, "     -> TraceState: {}", Plain(link.trace_state()))?;
        writeln!(out, "     -> DroppedAttributesCount: {}", link.dropped_attributes_count())?;
        attributes(out, "     -> Attributes::", "          ", link.attributes())?;
    }
    Ok(())
}

fn log(out: &mut String, number: usize, log: LogRecordView<'_>) -> fmt::Result {
    writeln!(out, "LogRecord #{number}")?;
    writeln!(out, "ObservedTimestamp: {}", Time(log.observed_time_unix_nano()))?;
    writeln!(out, "Timestamp: {}", Time(log.time_unix_nano()))?;
    writeln!(out, "SeverityText: {}", Plain(log.severity_text()))?;
    writeln!(out, "SeverityNumber: {}({})", severity(log.severity_number()), log.severity_number())?;
    if !log.event_name().is_empty() {
        writeln!(out, "EventName: {}", Plain(log.event_name()))?;
    }
    writeln!(out, "Body: {}", Typed(log.body()))?;
    attributes(out, "Attributes:", "     ", log.attributes())?;
    if log.dropped_attributes_count() > 0 {
        writeln!(out, "Dropped attributes: {}", log.dropped_attributes_count())?;
    }
    writeln!(out, "Trace ID: {}", Hex::of(log.trace_id()))?;
    writeln!(out, "Span ID: {}", Hex::of(log.span_id()))?;
    writeln!(out, "Flags: {}", log.flags())
}

fn severity(number: i32) -> String {
    let name = match number {
        1..=4 => "Trace",
        5..=8 => "Debug",
        9..=12 => "Info",
        13..=16 => "Warn",
        17..=20 => "Error",
        21..=24 => "Fatal",
        _ => return "Unspecified".to_owned(),
    };
    match (number - 1) % 4 {
        0 => name.to_owned(),
        step => format!("{name}{}", step + 1),
    }
}

fn metric(out: &mut String, number: usize, batch: &Batch, of: &Metric) -> fmt::Result {
    let view = MetricView::new(part(batch, of.range()));
    writeln!(out, "Metric #{number}\nDescriptor:")?;
    writeln!(out, "     -> Name: {}", Plain(view.name()))?;
    writeln!(out, "     -> Description: {}", Plain(view.description()))?;
    writeln!(out, "     -> Unit: {}", Plain(view.unit()))?;
    writeln!(out, "     -> DataType: {:?}", of.kind)?;
    if of.kind == MetricKind::Sum {
        writeln!(out, "     -> IsMonotonic: {}", view.is_monotonic())?;
    }
    if matches!(of.kind, MetricKind::Sum | MetricKind::Histogram | MetricKind::ExponentialHistogram) {
        let temporality = match view.aggregation_temporality() {
            1 => "Delta",
            2 => "Cumulative",
            _ => "Unspecified",
        };
        writeln!(out, "     -> AggregationTemporality: {temporality}")?;
    }
    for (number, item) in of.items().enumerate() {
        let message = batch.index().item(batch.data(), item).unwrap_or_default();
        data_point(out, number, DataPointView::new(of.kind, message))?;
    }
    Ok(())
}

fn data_point(out: &mut String, number: usize, point: DataPointView<'_>) -> fmt::Result {
    writeln!(out, "{:?}DataPoints #{number}", point.kind())?;
    attributes(out, "Data point attributes:", "     ", point.attributes())?;
    writeln!(out, "StartTimestamp: {}", Time(point.start_time_unix_nano()))?;
    writeln!(out, "Timestamp: {}", Time(point.time_unix_nano()))?;
    match (point.kind(), point.value()) {
        (DataPointKind::Number, Some(Number::Int(value))) => writeln!(out, "Value: {value}"),
        (DataPointKind::Number, Some(Number::Double(value))) => writeln!(out, "Value: {value:.6}"),
        (DataPointKind::Number, None) => Ok(()),
        _ => {
            writeln!(out, "Count: {}", point.count())?;
            point.sum().map_or(Ok(()), |sum| writeln!(out, "Sum: {sum:.6}"))
        }
    }
}
