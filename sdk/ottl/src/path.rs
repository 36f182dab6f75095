//! Paths: what of a span, its event, scope and resource a condition can name.

use crate::near::near;
use crate::prelude::*;
use crate::{Items, List, Map, Value};
use tailrace_otlp::{EventView, ResourceView, ScopeView, SpanView};

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A span. Its paths may be written with or without `span.`.
    Span,
    /// An event of a span. Its paths may be written with or without `spanevent.`; those of the span need `span.`.
    SpanEvent,
}

/// What a condition is evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The resource of the span.
    pub resource: ResourceView<'a>,
    /// The scope of the span.
    pub scope: ScopeView<'a>,
    /// The span.
    pub span: SpanView<'a>,
    /// For [`Context::SpanEvent`]: the event and its number in the span.
    pub event: Option<(u32, EventView<'a>)>,
    /// What time it is, in nanoseconds since 1970, for `Now()`.
    pub now: i64,
}

/// A path that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    TraceId,
    TraceIdText,
    SpanId,
    SpanIdText,
    ParentSpanId,
    ParentSpanIdText,
    TraceState,
    Name,
    Kind,
    KindText,
    KindDeprecatedText,
    Start,
    StartNanos,
    End,
    EndNanos,
    Attributes,
    DroppedAttributes,
    Events,
    DroppedEvents,
    Links,
    DroppedLinks,
    StatusCode,
    StatusMessage,
    Flags,
    EventName,
    EventTime,
    EventTimeNanos,
    EventAttributes,
    EventDroppedAttributes,
    EventIndex,
    ResourceAttributes,
    ResourceDroppedAttributes,
    ResourceSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    ScopeDroppedAttributes,
    ScopeSchemaUrl,
}

/// The paths of each context, in the Collector's words.
const SPAN: &[(&str, Path)] = &[
    ("trace_id", Path::TraceId),
    ("trace_id.string", Path::TraceIdText),
    ("span_id", Path::SpanId),
    ("span_id.string", Path::SpanIdText),
    ("parent_span_id", Path::ParentSpanId),
    ("parent_span_id.string", Path::ParentSpanIdText),
    ("trace_state", Path::TraceState),
    ("name", Path::Name),
    ("kind", Path::Kind),
    ("kind.string", Path::KindText),
    ("kind.deprecated_string", Path::KindDeprecatedText),
    ("start_time", Path::Start),
    ("start_time_unix_nano", Path::StartNanos),
    ("end_time", Path::End),
    ("end_time_unix_nano", Path::EndNanos),
    ("attributes", Path::Attributes),
    ("dropped_attributes_count", Path::DroppedAttributes),
    ("events", Path::Events),
    ("dropped_events_count", Path::DroppedEvents),
    ("links", Path::Links),
    ("dropped_links_count", Path::DroppedLinks),
    ("status.code", Path::StatusCode),
    ("status.message", Path::StatusMessage),
    ("flags", Path::Flags),
];
const SPAN_EVENT: &[(&str, Path)] = &[
    ("name", Path::EventName),
    ("time", Path::EventTime),
    ("time_unix_nano", Path::EventTimeNanos),
    ("attributes", Path::EventAttributes),
    ("dropped_attributes_count", Path::EventDroppedAttributes),
    ("event_index", Path::EventIndex),
];
const RESOURCE: &[(&str, Path)] = &[
    ("attributes", Path::ResourceAttributes),
    ("dropped_attributes_count", Path::ResourceDroppedAttributes),
    ("schema_url", Path::ResourceSchemaUrl),
];
const SCOPE: &[(&str, Path)] = &[
    ("name", Path::ScopeName),
    ("version", Path::ScopeVersion),
    ("attributes", Path::ScopeAttributes),
    ("dropped_attributes_count", Path::ScopeDroppedAttributes),
    ("schema_url", Path::ScopeSchemaUrl),
];

impl Path {
    /// The path with these segments.
    ///
    /// # Errors
    /// What is wrong with it, and what there is instead.
    pub(crate) fn find(segments: &[&str], context: Context) -> Result<Self, String> {
        let (first, rest) = segments.split_first().ok_or("a path is missing")?;
        let (table, prefix, rest) = match (*first, context) {
            ("span", _) => (SPAN, "span.", rest),
            ("spanevent", Context::SpanEvent) => (SPAN_EVENT, "spanevent.", rest),
            ("resource", _) => (RESOURCE, "resource.", rest),
            ("instrumentation_scope", _) => (SCOPE, "instrumentation_scope.", rest),
            ("scope", _) => (SCOPE, "scope.", rest),
            ("cache" | "otelcol", _) => {
                return Err(format!("`{first}` is not there in conditions of Tailrace: nothing could have set it"));
            }
            (_, Context::Span) => (SPAN, "", segments),
            (_, Context::SpanEvent) => (SPAN_EVENT, "", segments),
        };
        let name = rest.join(".");
        in_table(table, &name).ok_or_else(|| missing(table, prefix, &name, context))
    }

    /// Whether keys may follow: it is a map, a list or the trace state.
    pub(crate) fn has_keys(self) -> bool {
        matches!(
            self,
            Self::Attributes
                | Self::EventAttributes
                | Self::ResourceAttributes
                | Self::ScopeAttributes
                | Self::TraceState
        )
    }

    /// The value of this path.
    pub(crate) fn get<'a>(self, scene: &Scene<'a>) -> Value<'a> {
        let Scene { span, scope, resource, .. } = *scene;
        let text = |text: tailrace_otlp::Str<'a>| Value::Text(text.to_str().into());
        let count = |number: u32| Value::Int(number.into());
        let event = scene.event.map(|(_, event)| event);
        match self {
            Self::TraceId => Value::TraceId(span.trace_id().copied().unwrap_or_default()),
            Self::TraceIdText => hex(&span.trace_id().copied().unwrap_or_default()),
            Self::SpanId => Value::SpanId(span.span_id().copied().unwrap_or_default()),
            Self::SpanIdText => hex(&span.span_id().copied().unwrap_or_default()),
            Self::ParentSpanId => Value::SpanId(span.parent_span_id().copied().unwrap_or_default()),
            Self::ParentSpanIdText => hex(&span.parent_span_id().copied().unwrap_or_default()),
            Self::TraceState => text(span.trace_state()),
            Self::Name => text(span.name()),
            Self::Kind => Value::Int(span.kind().into()),
            Self::KindText => Value::Text(kind(span.kind()).0.into()),
            Self::KindDeprecatedText => Value::Text(kind(span.kind()).1.into()),
            Self::Start => Value::Time(span.start_time_unix_nano().cast_signed()),
            Self::StartNanos => Value::Int(span.start_time_unix_nano().cast_signed()),
            Self::End => Value::Time(span.end_time_unix_nano().cast_signed()),
            Self::EndNanos => Value::Int(span.end_time_unix_nano().cast_signed()),
            Self::Attributes => Value::Map(Map::Attributes(span.attributes())),
            Self::DroppedAttributes => count(span.dropped_attributes_count()),
            // Only their number can be of use in a condition.
            Self::Events => Value::List(List::Items(Items { links: false, count: span.events().count() })),
            Self::DroppedEvents => count(span.dropped_events_count()),
            Self::Links => Value::List(List::Items(Items { links: true, count: span.links().count() })),
            Self::DroppedLinks => count(span.dropped_links_count()),
            Self::StatusCode => Value::Int(span.status_code_number().into()),
            Self::Flags => count(span.flags()),
            Self::StatusMessage => text(span.status_message()),
            Self::EventName => event.map(|event| text(event.name())).unwrap_or_default(),
            Self::EventTime => event.map(|event| Value::Time(event.time_unix_nano().cast_signed())).unwrap_or_default(),
            Self::EventTimeNanos => {
                event.map(|event| Value::Int(event.time_unix_nano().cast_signed())).unwrap_or_default()
            }
            Self::EventAttributes => {
                event.map(|event| Value::Map(Map::Attributes(event.attributes()))).unwrap_or_default()
            }
            Self::EventDroppedAttributes => {
                event.map(|event| count(event.dropped_attributes_count())).unwrap_or_default()
            }
            Self::EventIndex => scene.event.map(|(number, _)| count(number)).unwrap_or_default(),
            Self::ResourceAttributes => Value::Map(Map::Resource(resource)),
            Self::ResourceDroppedAttributes => count(resource.dropped_attributes_count()),
            Self::ResourceSchemaUrl => text(resource.schema_url()),
            Self::ScopeName => text(scope.name()),
            Self::ScopeVersion => text(scope.version()),
            Self::ScopeAttributes => Value::Map(Map::Scope(scope)),
            Self::ScopeDroppedAttributes => count(scope.dropped_attributes_count()),
            Self::ScopeSchemaUrl => text(scope.schema_url()),
        }
    }
}

fn in_table(table: &[(&str, Path)], name: &str) -> Option<Path> {
    table.iter().find(|(known, _)| *known == name).map(|(_, path)| *path)
}

/// What is said of a path that is not there: what may be meant, else all that there is.
fn missing(table: &[(&str, Path)], prefix: &str, name: &str, context: Context) -> String {
    let names: Vec<String> = table.iter().map(|(known, _)| format!("{prefix}{known}")).collect();
    if name.is_empty() {
        return format!("name what of it is meant: {}", names.join(", "));
    }
    let what = match (prefix, context) {
        ("resource.", _) => "a resource",
        ("scope." | "instrumentation_scope.", _) => "a scope",
        ("span.", _) | (_, Context::Span) => "a span",
        (_, Context::SpanEvent) => "an event of a span",
    };
    let has_no = format!("{what} has no `{prefix}{name}`");
    let keyed = name.match_indices('.').filter_map(|(dot, _)| Some((name.get(..dot)?, name.get(dot + 1..)?)));
    let mut keyed = keyed.filter(|(path, _)| in_table(table, path).is_some_and(Path::has_keys));
    if let Some((path, key)) = keyed.next() {
        return format!("{has_no}; keys stand in brackets, as in `{prefix}{path}[{key:?}]`");
    }
    if context == Context::SpanEvent && prefix.is_empty() && in_table(SPAN, name).is_some() {
        return format!("{has_no}; that of its span is `span.{name}`");
    }
    match near(&format!("{prefix}{name}"), names.iter().map(String::as_str)) {
        hint if !hint.is_empty() => format!("{has_no}{hint}"),
        _ => {
            let around = if context == Context::SpanEvent {
                "`span.`, `resource.` and `scope.`"
            } else {
                "`resource.` and `scope.`"
            };
            format!("{has_no}; there is {}, and what begins with {around}", names.join(", "))
        }
    }
}

fn hex<'a>(id: &[u8]) -> Value<'a> {
    Value::Text(crate::text::hex(id).into())
}

/// The names of a span's kind.
fn kind(kind: i32) -> (&'static str, &'static str) {
    match kind {
        0 => ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
        1 => ("Internal", "SPAN_KIND_INTERNAL"),
        2 => ("Server", "SPAN_KIND_SERVER"),
        3 => ("Client", "SPAN_KIND_CLIENT"),
        4 => ("Producer", "SPAN_KIND_PRODUCER"),
        5 => ("Consumer", "SPAN_KIND_CONSUMER"),
        _ => ("", ""),
    }
}
