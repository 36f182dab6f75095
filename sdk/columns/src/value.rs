//! Values, where they live, and the fields that are projected like attributes.

/// The value of an attribute or of an intrinsic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// None at all.
    Empty,
    /// Text.
    String(&'a str),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array or a map, as an encoded `AnyValue`.
    Nested(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The code of its type in the columns.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::String(_) => 1,
            Self::Bool(_) => 2,
            Self::Int(_) => 3,
            Self::Double(_) => 4,
            Self::Bytes(_) => 5,
            Self::Nested(_) => 6,
        }
    }

    /// Reads a value as the columns hold it; `None` if the bytes are not of that kind or the kind is unknown.
    pub fn read(kind: u8, bytes: &'a [u8]) -> Option<Self> {
        Some(match kind {
            0 if bytes.is_empty() => Self::Empty,
            1 => Self::String(core::str::from_utf8(bytes).ok()?),
            2 => match bytes {
                [0] => Self::Bool(false),
                [1] => Self::Bool(true),
                _ => return None,
            },
            3 => Self::Int(i64::from_le_bytes(bytes.try_into().ok()?)),
            4 => Self::Double(f64::from_le_bytes(bytes.try_into().ok()?)),
            5 => Self::Bytes(bytes),
            6 => Self::Nested(bytes),
            _ => return None,
        })
    }

    /// Appends the bytes of the value to a buffer of a column.
    pub fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        match self {
            Self::Empty => {}
            Self::String(text) => to.extend_from_slice(text.as_bytes()),
            Self::Bool(truth) => to.push(u8::from(*truth)),
            Self::Int(number) => to.extend_from_slice(&number.to_le_bytes()),
            Self::Double(number) => to.extend_from_slice(&number.to_le_bytes()),
            Self::Bytes(bytes) | Self::Nested(bytes) => to.extend_from_slice(bytes),
        }
    }

    /// Whether a plugin may give an attribute this value: there is one, and an array or map is valid down to its leaves.
    pub fn can_be_set(&self) -> bool {
        match self {
            Self::Empty => false,
            Self::Nested(message) => is_array_or_map(message),
            _ => true,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&'a str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }
}

/// Whether this is an encoded `AnyValue` with an array or map in it. Validated as the body of a log record, which is where
/// values lie least deep; those that lie deepest have four messages more around them.
fn is_array_or_map(message: &[u8]) -> bool {
    use tailrace_otlp::{Limits, NONE, RequestWriter, Signal, Value as Otlp, validate, wire};
    let mut record = alloc::vec::Vec::new();
    wire::put_len_field(&mut record, 5, message);
    let mut writer = RequestWriter::new(Signal::Logs);
    writer.item(&record, NONE);
    let limits = Limits { depth: Limits::default().depth - 4, ..Limits::default() };
    let valid = writer.finish().is_ok_and(|(request, _)| validate(Signal::Logs, &request, &limits).is_ok());
    valid && matches!(Otlp::new(message), Otlp::Array(_) | Otlp::KvList(_))
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $code:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$case_doc])* $case = $code,)* }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$case,)*];

            /// Its name in the contract and in messages.
            pub fn name(self) -> &'static str {
                match self { $(Self::$case => $text,)* }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$case),)* _ => None }
            }

            /// The one with this code.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$case),)* _ => None }
            }
        }
    };
}

codes! {
    /// Where a value lives; the codes are those of the contract.
    Level {
        /// On a resource.
        Resource = 0 "resource",
        /// On an instrumentation scope.
        Scope = 1 "scope",
        /// On a span, a log record or a metric data point.
        Item = 2 "item",
        /// On an event of a span.
        Event = 3 "event",
        /// On a link of a span.
        Link = 4 "link",
        /// On an exemplar of a data point.
        Exemplar = 5 "exemplar",
        /// On a metric.
        Metric = 6 "metric",
    }
}

codes! {
    /// A field that is projected like an attribute.
    Intrinsic {
        /// Name of the span; can be set.
        SpanName = 0 "span.name",
        /// Kind of the span, as a number; can be set.
        SpanKind = 1 "span.kind",
        /// Status code of the span: 0 unset, 1 ok, 2 error; can be set.
        SpanStatus = 2 "span.status",
        /// Nanoseconds from start to end.
        SpanDuration = 3 "span.duration",
        /// Severity number of the log record; can be set.
        LogSeverity = 4 "log.severity",
        /// Body of the log record; can be set.
        LogBody = 5 "log.body",
        /// Name of the metric; can be set.
        MetricName = 6 "metric.name",
        /// Name of the instrumentation scope; can be set.
        ScopeName = 7 "scope.name",
        /// Message of the span's status; can be set.
        SpanStatusMessage = 8 "span.status_message",
        /// Id of the trace, 16 bytes.
        SpanTraceId = 9 "span.trace_id",
        /// Id of the parent, 8 bytes; root spans have none.
        SpanParentId = 10 "span.parent_id",
        /// Version of the instrumentation scope.
        ScopeVersion = 11 "scope.version",
        /// Severity of the log record as its source called it; can be set.
        LogSeverityText = 12 "log.severity_text",
    }
}

impl Intrinsic {
    /// Whether a plugin may set it, and to what: `log.body` takes any value, texts take text, numbers those that OTLP has.
    pub fn accepts(self, value: &Value<'_>) -> bool {
        let number =
            |range: core::ops::RangeInclusive<i64>| matches!(value, Value::Int(number) if range.contains(number));
        match self {
            Self::SpanName | Self::SpanStatusMessage | Self::LogSeverityText | Self::MetricName | Self::ScopeName => {
                matches!(value, Value::String(_))
            }
            Self::SpanKind => number(0..=5),
            Self::SpanStatus => number(0..=2),
            Self::LogSeverity => number(0..=24),
            Self::LogBody => !matches!(value, Value::Empty),
            Self::SpanDuration | Self::SpanTraceId | Self::SpanParentId | Self::ScopeVersion => false,
        }
    }
}
