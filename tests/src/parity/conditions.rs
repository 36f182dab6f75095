//! Random conditions in OTTL: every function, path and operator, mostly with values that they take.

use super::values::{DOUBLES, INTS, KEYS, NAMES, STATES, TEXTS, one, pattern, rarely};
use fastrand::Rng;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A span.
    Span,
    /// An event of a span.
    Event,
}

const SPAN_TEXTS: &[&str] = &[
    "name",
    "trace_id.string",
    "span_id.string",
    "parent_span_id.string",
    "trace_state",
    "trace_state[\"vendor\"]",
    "status.message",
    "kind.string",
    "kind.deprecated_string",
];
const SPAN_NUMBERS: &[&str] = &[
    "kind",
    "status.code",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "flags",
];
const SPAN_OTHERS: &[&str] =
    &["attributes", "trace_id", "span_id", "parent_span_id", "start_time", "end_time", "status", "events", "links"];
const EVENT_TEXTS: &[&str] = &["name"];
const EVENT_NUMBERS: &[&str] = &["time_unix_nano", "dropped_attributes_count", "event_index"];
const EVENT_OTHERS: &[&str] = &["time", "attributes"];
const AROUND_TEXTS: &[&str] = &[
    "instrumentation_scope.name",
    "instrumentation_scope.version",
    "scope.name",
    "scope.version",
    "resource.schema_url",
    "scope.schema_url",
];
const AROUND_NUMBERS: &[&str] =
    &["resource.dropped_attributes_count", "instrumentation_scope.dropped_attributes_count"];
const AROUND_OTHERS: &[&str] = &["resource.attributes", "instrumentation_scope.attributes", "scope.attributes"];

/// A generator of conditions.
pub struct Conditions<'r> {
    /// Where chance comes from.
    pub random: &'r mut Rng,
    /// What they are about.
    pub about: About,
}

impl Conditions<'_> {
    fn one(&mut self, of: &[&str]) -> String {
        (*one(self.random, of)).to_owned()
    }

    /// A condition.
    pub fn condition(&mut self, depth: u32) -> String {
        match self.random.u32(..if depth == 0 { 12 } else { 20 }) {
            0..=6 => self.comparison(depth),
            7..=10 => self.test(depth),
            11 => self.one(&["true", "false"]),
            12..=13 => format!("not {}", self.part(depth - 1)),
            14..=16 => format!("{} and {}", self.part(depth - 1), self.part(depth - 1)),
            17 => format!("{} or {} and {}", self.part(depth - 1), self.part(depth - 1), self.part(depth - 1)),
            _ => format!("{} or {}", self.part(depth - 1), self.part(depth - 1)),
        }
    }

    fn part(&mut self, depth: u32) -> String {
        let inner = self.condition(depth);
        let joined = inner.contains(" and ") || inner.contains(" or ") || inner.starts_with("not ");
        if joined || rarely(self.random, 4) { format!("({inner})") } else { inner }
    }

    fn comparison(&mut self, depth: u32) -> String {
        let op = self.one(&["==", "!=", "<", "<=", ">", ">="]);
        let (left, right) = match self.random.u32(..12) {
            0..=3 => (self.text(depth), self.text(depth)),
            4..=7 => (self.number(depth), self.number(depth)),
            8 => (self.any(depth), "nil".to_owned()),
            9 => (self.time(), self.time()),
            _ => (self.any(depth), self.any(depth)),
        };
        if rarely(self.random, 5) { format!("{right} {op} {left}") } else { format!("{left} {op} {right}") }
    }

    /// A function that is true or false.
    fn test(&mut self, depth: u32) -> String {
        let any = self.any(depth);
        match self.random.u32(..14) {
            0 => format!("IsString({any})"),
            1 => format!("IsInt({any})"),
            2 => format!("IsDouble({any})"),
            3 => format!("IsBool({any})"),
            4 => format!("IsMap({any})"),
            5 => format!("IsList({any})"),
            6 => format!("IsEmpty({any})"),
            7 => format!("HasPrefix({}, {})", self.text(depth), self.literal()),
            8 => format!("HasSuffix({}, {})", self.text(depth), self.literal()),
            9 if self.about == About::Span => "IsRootSpan()".to_owned(),
            10 => format!("ContainsValue({}, {})", self.list(depth), self.any(depth)),
            11 => format!("Bool({any})"),
            12 => format!("IsMatch({any}, {})", self.pattern()),
            _ => format!("IsMatch({}, {})", self.text(depth), self.pattern()),
        }
    }

    /// A backslash is written twice in a text.
    fn pattern(&mut self) -> String {
        format!("\"{}\"", pattern(self.random).replace('\\', r"\\"))
    }

    fn literal(&mut self) -> String {
        let words = if self.random.bool() { TEXTS } else { NAMES };
        format!("\"{}\"", self.one(words))
    }

    fn attribute(&mut self) -> String {
        let path = match (self.about, self.random.u32(..8)) {
            (_, 0) => "resource.attributes",
            (_, 1) => "instrumentation_scope.attributes",
            (About::Span, 2) => "span.attributes",
            (About::Event, 2) => "spanevent.attributes",
            (About::Event, 3) => "span.attributes",
            _ => "attributes",
        };
        let keys = if rarely(self.random, 8) {
            let inner =
                if self.random.bool() { format!("\"{}\"", self.one(KEYS)) } else { self.random.u8(..3).to_string() };
            format!("[\"{}\"][{inner}]", self.one(KEYS))
        } else {
            format!("[\"{}\"]", self.one(KEYS))
        };
        format!("{path}{keys}")
    }

    fn path(&mut self, span: &[&str], event: &[&str], around: &[&str]) -> String {
        match (self.about, self.random.u32(..8)) {
            (_, 0) => self.one(around),
            (About::Span, 1) | (About::Event, 1..=2) => format!("span.{}", self.one(span)),
            (About::Event, 3) => format!("spanevent.{}", self.one(event)),
            (About::Span, _) => self.one(span),
            (About::Event, _) => self.one(event),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        match self.random.u32(..if depth == 0 { 7 } else { 12 }) {
            0..=1 => self.literal(),
            2..=4 => self.attribute(),
            5..=6 => self.path(SPAN_TEXTS, EVENT_TEXTS, AROUND_TEXTS),
            7 => {
                let delimiter = self.one(&["", "-", "/"]);
                format!("Concat([{}, {}], \"{delimiter}\")", self.any(depth - 1), self.any(depth - 1))
            }
            8 => {
                let name = self.one(&["ToLowerCase", "ToUpperCase", "Trim", "String", "ToSnakeCase", "ToCamelCase"]);
                format!("{name}({})", self.text(depth - 1))
            }
            9 => {
                let name = self.one(&["String", "Hex", "MD5", "SHA1", "SHA256", "SHA512", "Base64Encode"]);
                format!("{name}({})", self.any(depth - 1))
            }
            10 => {
                format!("Substring({}, {}, {})", self.text(depth - 1), self.random.u8(..3), self.random.u8(..4))
            }
            _ => match self.random.u32(..5) {
                0 => format!("Trim({}, \"ay\")", self.text(depth - 1)),
                1 => format!("TrimPrefix({}, \"pa\")", self.text(depth - 1)),
                2 => format!("TrimSuffix({}, \"t\")", self.text(depth - 1)),
                3 => format!(
                    "ConvertCase({}, \"{}\")",
                    self.text(depth - 1),
                    self.one(&["lower", "upper", "snake", "camel"])
                ),
                _ => format!("Split({}, \"{}\")[{}]", self.text(depth - 1), self.one(&["a", ""]), self.random.u8(..2)),
            },
        }
    }

    fn number(&mut self, depth: u32) -> String {
        match self.random.u32(..if depth == 0 { 9 } else { 16 }) {
            0..=1 => one(self.random, INTS).clamp(&-(i64::MAX), &i64::MAX).to_string(),
            2 => {
                let number = one(self.random, &DOUBLES[..7]);
                format!("{number:?}")
            }
            3..=5 => self.attribute(),
            6..=7 => self.path(SPAN_NUMBERS, EVENT_NUMBERS, AROUND_NUMBERS),
            8 => self.one(&[
                "STATUS_CODE_UNSET",
                "STATUS_CODE_OK",
                "STATUS_CODE_ERROR",
                "SPAN_KIND_SERVER",
                "SPAN_KIND_CLIENT",
                "SPAN_KIND_INTERNAL",
                "SPAN_KIND_UNSPECIFIED",
                "SPAN_KIND_PRODUCER",
                "SPAN_KIND_CONSUMER",
            ]),
            9..=10 => format!("Int({})", self.any(depth - 1)),
            11 => format!("Double({})", self.any(depth - 1)),
            12 => format!("Len({})", self.any(depth - 1)),
            13 => format!("Index({}, {})", self.text(depth - 1), self.literal()),
            14 => {
                let unit = self.one(&[
                    "UnixNano",
                    "UnixMicro",
                    "UnixMilli",
                    "UnixSeconds",
                    "Year",
                    "Month",
                    "Day",
                    "Hour",
                    "Minute",
                    "Second",
                    "Nanosecond",
                    "Weekday",
                ]);
                format!("{unit}({})", self.time())
            }
            _ => {
                let op = self.one(&["+", "-", "*", "/"]);
                format!("({} {op} {})", self.number(depth - 1), self.number(depth - 1))
            }
        }
    }

    fn time(&mut self) -> String {
        let path = match self.about {
            About::Span => self.one(&["start_time", "end_time", "span.end_time"]),
            About::Event => self.one(&["time", "span.start_time", "spanevent.time", "span.end_time"]),
        };
        match self.random.u32(..5) {
            0 => format!("{path} + Duration(\"{}\")", self.one(&["1s", "-1ms", "1h2m", "0", "1.5us"])),
            1 => format!("Unix({}, {})", self.one(&["1700000000", "1700000001", "0", "-1"]), self.random.u8(..)),
            2 => "Now()".to_owned(),
            _ => path,
        }
    }

    fn list(&mut self, depth: u32) -> String {
        match self.random.u32(..4) {
            0 => self.attribute(),
            1 if depth > 0 => format!("Split({}, \"{}\")", self.text(depth - 1), self.one(&["a", "", ","])),
            2 if depth > 0 => format!("Keys({})", self.any(0)),
            _ => format!("[{}, {}]", self.any(depth.min(1)), self.any(0)),
        }
    }

    fn any(&mut self, depth: u32) -> String {
        match self.random.u32(..if depth == 0 { 12 } else { 16 }) {
            0..=3 => self.attribute(),
            4..=5 => self.text(0),
            6..=7 => self.number(0),
            8 => self.path(SPAN_OTHERS, EVENT_OTHERS, AROUND_OTHERS),
            9 => self.one(&["nil", "true", "false", "0x00", "0x0102", "0x"]).replace("0x\u{0}", ""),
            10 => match self.random.u32(..4) {
                0 => "TraceID(0x00000000000000000000000000000007)".to_owned(),
                1 => "SpanID(0x0000000000000007)".to_owned(),
                2 => format!("\"{}\"", self.one(STATES)),
                _ => self.time(),
            },
            11 => self.one(&["[]", "{}", "[1, 2]", "[\"a\"]", "{\"k\": 1}", "{\"k\": \"a\", \"n\": nil}"]),
            12 => self.list(depth - 1),
            13 => format!("Duration(\"{}\")", self.one(&["1s", "5ms", "bad"])),
            14 => {
                let name = self.one(&["Hours", "Minutes", "Seconds", "Milliseconds", "Microseconds", "Nanoseconds"]);
                format!("{name}({} - {})", self.time(), self.time())
            }
            _ => {
                if self.random.bool() {
                    self.text(depth - 1)
                } else {
                    self.number(depth - 1)
                }
            }
        }
    }
}
