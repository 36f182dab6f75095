//! The tables. Field numbers and names follow opentelemetry-proto 1.9 with the fields that newer drafts add. Names are JSON's
//! (lowerCamelCase). OTLP has no maps.

use super::{Field, Id, Kind, Message};
use Kind::{Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int32, Int64, Sfixed64, Sint32, String, Uint32, Uint64};

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false, explicit: false, once: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { repeated: true, ..one(number, name, kind) }
}

/// A member of a oneof, or an `optional` field.
const fn maybe(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { explicit: true, ..one(number, name, kind) }
}

const fn once(field: Field) -> Field {
    Field { once: true, ..field }
}

const fn msg(message: &'static Message) -> Kind {
    Kind::Message(message)
}

const TRACE_ID: Kind = Kind::Id(Id::TraceId);
const SPAN_ID: Kind = Kind::Id(Id::SpanId);

macro_rules! messages {
    ($($(#[$doc:meta])* $constant:ident $name:literal [$($field:expr),* $(,)?];)*) => {$(
        $(#[$doc])*
        pub static $constant: Message = Message { name: $name, fields: &[$($field),*] };
    )*};
}

messages! {
    /// `ExportTraceServiceRequest`, also `TracesData`.
    EXPORT_TRACE_REQUEST "ExportTraceServiceRequest" [many(1, "resourceSpans", msg(&RESOURCE_SPANS))];
    /// `ExportMetricsServiceRequest`, also `MetricsData`.
    EXPORT_METRICS_REQUEST "ExportMetricsServiceRequest" [many(1, "resourceMetrics", msg(&RESOURCE_METRICS))];
    /// `ExportLogsServiceRequest`, also `LogsData`.
    EXPORT_LOGS_REQUEST "ExportLogsServiceRequest" [many(1, "resourceLogs", msg(&RESOURCE_LOGS))];
    /// `ExportTraceServiceResponse`.
    EXPORT_TRACE_RESPONSE "ExportTraceServiceResponse" [one(1, "partialSuccess", msg(&EXPORT_TRACE_PARTIAL_SUCCESS))];
    /// `ExportMetricsServiceResponse`.
    EXPORT_METRICS_RESPONSE "ExportMetricsServiceResponse" [one(1, "partialSuccess", msg(&EXPORT_METRICS_PARTIAL_SUCCESS))];
    /// `ExportLogsServiceResponse`.
    EXPORT_LOGS_RESPONSE "ExportLogsServiceResponse" [one(1, "partialSuccess", msg(&EXPORT_LOGS_PARTIAL_SUCCESS))];
    /// `ExportTracePartialSuccess`.
    EXPORT_TRACE_PARTIAL_SUCCESS "ExportTracePartialSuccess" [
        one(1, "rejectedSpans", Int64),
        one(2, "errorMessage", String),
    ];
    /// `ExportMetricsPartialSuccess`.
    EXPORT_METRICS_PARTIAL_SUCCESS "ExportMetricsPartialSuccess" [
        one(1, "rejectedDataPoints", Int64),
        one(2, "errorMessage", String),
    ];
    /// `ExportLogsPartialSuccess`.
    EXPORT_LOGS_PARTIAL_SUCCESS "ExportLogsPartialSuccess" [
        one(1, "rejectedLogRecords", Int64),
        one(2, "errorMessage", String),
    ];

    /// `AnyValue`: the value of an attribute or the body of a log record.
    ANY_VALUE "AnyValue" [
        maybe(1, "stringValue", String),
        maybe(2, "boolValue", Bool),
        maybe(3, "intValue", Int64),
        maybe(4, "doubleValue", Double),
        once(maybe(5, "arrayValue", msg(&ARRAY_VALUE))),
        once(maybe(6, "kvlistValue", msg(&KEY_VALUE_LIST))),
        maybe(7, "bytesValue", Bytes),
        maybe(8, "stringValueStrindex", Int32),
    ];
    /// `ArrayValue`.
    ARRAY_VALUE "ArrayValue" [many(1, "values", msg(&ANY_VALUE))];
    /// `KeyValueList`.
    KEY_VALUE_LIST "KeyValueList" [many(1, "values", msg(&KEY_VALUE))];
    /// `KeyValue`: an attribute.
    KEY_VALUE "KeyValue" [
        one(1, "key", String),
        once(one(2, "value", msg(&ANY_VALUE))),
        one(3, "keyStrindex", Int32),
    ];
    /// `InstrumentationScope`.
    INSTRUMENTATION_SCOPE "InstrumentationScope" [
        one(1, "name", String),
        one(2, "version", String),
        many(3, "attributes", msg(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ];
    /// `EntityRef`.
    ENTITY_REF "EntityRef" [
        one(1, "schemaUrl", String),
        one(2, "type", String),
        many(3, "idKeys", String),
        many(4, "descriptionKeys", String),
    ];
    /// `Resource`.
    RESOURCE "Resource" [
        many(1, "attributes", msg(&KEY_VALUE)),
        one(2, "droppedAttributesCount", Uint32),
        many(3, "entityRefs", msg(&ENTITY_REF)),
    ];

    /// `ResourceSpans`.
    RESOURCE_SPANS "ResourceSpans" [
        one(1, "resource", msg(&RESOURCE)),
        many(2, "scopeSpans", msg(&SCOPE_SPANS)),
        one(3, "schemaUrl", String),
    ];
    /// `ScopeSpans`.
    SCOPE_SPANS "ScopeSpans" [
        one(1, "scope", msg(&INSTRUMENTATION_SCOPE)),
        many(2, "spans", msg(&SPAN)),
        one(3, "schemaUrl", String),
    ];
    /// `Span`.
    SPAN "Span" [
        one(1, "traceId", TRACE_ID),
        one(2, "spanId", SPAN_ID),
        one(3, "traceState", String),
        one(4, "parentSpanId", SPAN_ID),
        one(5, "name", String),
        one(6, "kind", Enum),
        one(7, "startTimeUnixNano", Fixed64),
        one(8, "endTimeUnixNano", Fixed64),
        many(9, "attributes", msg(&KEY_VALUE)),
        one(10, "droppedAttributesCount", Uint32),
        many(11, "events", msg(&SPAN_EVENT)),
        one(12, "droppedEventsCount", Uint32),
        many(13, "links", msg(&SPAN_LINK)),
        one(14, "droppedLinksCount", Uint32),
        one(15, "status", msg(&STATUS)),
        one(16, "flags", Fixed32),
    ];
    /// `Span.Event`.
    SPAN_EVENT "Span.Event" [
        one(1, "timeUnixNano", Fixed64),
        one(2, "name", String),
        many(3, "attributes", msg(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ];
    /// `Span.Link`.
    SPAN_LINK "Span.Link" [
        one(1, "traceId", TRACE_ID),
        one(2, "spanId", SPAN_ID),
        one(3, "traceState", String),
        many(4, "attributes", msg(&KEY_VALUE)),
        one(5, "droppedAttributesCount", Uint32),
        one(6, "flags", Fixed32),
    ];
    /// `Status` of a span.
    STATUS "Status" [
        one(2, "message", String),
        one(3, "code", Enum),
    ];

    /// `ResourceLogs`.
    RESOURCE_LOGS "ResourceLogs" [
        one(1, "resource", msg(&RESOURCE)),
        many(2, "scopeLogs", msg(&SCOPE_LOGS)),
        one(3, "schemaUrl", String),
    ];
    /// `ScopeLogs`.
    SCOPE_LOGS "ScopeLogs" [
        one(1, "scope", msg(&INSTRUMENTATION_SCOPE)),
        many(2, "logRecords", msg(&LOG_RECORD)),
        one(3, "schemaUrl", String),
    ];
    /// `LogRecord`.
    LOG_RECORD "LogRecord" [
        one(1, "timeUnixNano", Fixed64),
        one(2, "severityNumber", Enum),
        one(3, "severityText", String),
        once(one(5, "body", msg(&ANY_VALUE))),
        many(6, "attributes", msg(&KEY_VALUE)),
        one(7, "droppedAttributesCount", Uint32),
        one(8, "flags", Fixed32),
        one(9, "traceId", TRACE_ID),
        one(10, "spanId", SPAN_ID),
        one(11, "observedTimeUnixNano", Fixed64),
        one(12, "eventName", String),
    ];

    /// `ResourceMetrics`.
    RESOURCE_METRICS "ResourceMetrics" [
        one(1, "resource", msg(&RESOURCE)),
        many(2, "scopeMetrics", msg(&SCOPE_METRICS)),
        one(3, "schemaUrl", String),
    ];
    /// `ScopeMetrics`.
    SCOPE_METRICS "ScopeMetrics" [
        one(1, "scope", msg(&INSTRUMENTATION_SCOPE)),
        many(2, "metrics", msg(&METRIC)),
        one(3, "schemaUrl", String),
    ];
    /// `Metric`. Of the five kinds of data only one may occur, and once.
    METRIC "Metric" [
        one(1, "name", String),
        one(2, "description", String),
        one(3, "unit", String),
        once(maybe(5, "gauge", msg(&GAUGE))),
        once(maybe(7, "sum", msg(&SUM))),
        once(maybe(9, "histogram", msg(&HISTOGRAM))),
        once(maybe(10, "exponentialHistogram", msg(&EXPONENTIAL_HISTOGRAM))),
        once(maybe(11, "summary", msg(&SUMMARY))),
        many(12, "metadata", msg(&KEY_VALUE)),
    ];
    /// `Gauge`.
    GAUGE "Gauge" [many(1, "dataPoints", msg(&NUMBER_DATA_POINT))];
    /// `Sum`.
    SUM "Sum" [
        many(1, "dataPoints", msg(&NUMBER_DATA_POINT)),
        one(2, "aggregationTemporality", Enum),
        one(3, "isMonotonic", Bool),
    ];
    /// `Histogram`.
    HISTOGRAM "Histogram" [
        many(1, "dataPoints", msg(&HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum),
    ];
    /// `ExponentialHistogram`.
    EXPONENTIAL_HISTOGRAM "ExponentialHistogram" [
        many(1, "dataPoints", msg(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum),
    ];
    /// `Summary`.
    SUMMARY "Summary" [many(1, "dataPoints", msg(&SUMMARY_DATA_POINT))];
    /// `NumberDataPoint`.
    NUMBER_DATA_POINT "NumberDataPoint" [
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        maybe(4, "asDouble", Double),
        many(5, "exemplars", msg(&EXEMPLAR)),
        maybe(6, "asInt", Sfixed64),
        many(7, "attributes", msg(&KEY_VALUE)),
        one(8, "flags", Uint32),
    ];
    /// `HistogramDataPoint`.
    HISTOGRAM_DATA_POINT "HistogramDataPoint" [
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        maybe(5, "sum", Double),
        many(6, "bucketCounts", Fixed64),
        many(7, "explicitBounds", Double),
        many(8, "exemplars", msg(&EXEMPLAR)),
        many(9, "attributes", msg(&KEY_VALUE)),
        one(10, "flags", Uint32),
        maybe(11, "min", Double),
        maybe(12, "max", Double),
    ];
    /// `ExponentialHistogramDataPoint`.
    EXPONENTIAL_HISTOGRAM_DATA_POINT "ExponentialHistogramDataPoint" [
        many(1, "attributes", msg(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        maybe(5, "sum", Double),
        one(6, "scale", Sint32),
        one(7, "zeroCount", Fixed64),
        one(8, "positive", msg(&BUCKETS)),
        one(9, "negative", msg(&BUCKETS)),
        one(10, "flags", Uint32),
        many(11, "exemplars", msg(&EXEMPLAR)),
        maybe(12, "min", Double),
        maybe(13, "max", Double),
        one(14, "zeroThreshold", Double),
    ];
    /// `ExponentialHistogramDataPoint.Buckets`.
    BUCKETS "ExponentialHistogramDataPoint.Buckets" [
        one(1, "offset", Sint32),
        many(2, "bucketCounts", Uint64),
    ];
    /// `SummaryDataPoint`.
    SUMMARY_DATA_POINT "SummaryDataPoint" [
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "quantileValues", msg(&VALUE_AT_QUANTILE)),
        many(7, "attributes", msg(&KEY_VALUE)),
        one(8, "flags", Uint32),
    ];
    /// `SummaryDataPoint.ValueAtQuantile`.
    VALUE_AT_QUANTILE "SummaryDataPoint.ValueAtQuantile" [
        one(1, "quantile", Double),
        one(2, "value", Double),
    ];
    /// `Exemplar`.
    EXEMPLAR "Exemplar" [
        one(2, "timeUnixNano", Fixed64),
        maybe(3, "asDouble", Double),
        one(4, "spanId", SPAN_ID),
        one(5, "traceId", TRACE_ID),
        maybe(6, "asInt", Sfixed64),
        many(7, "filteredAttributes", msg(&KEY_VALUE)),
    ];
}
