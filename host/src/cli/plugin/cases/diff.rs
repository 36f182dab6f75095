//! What is different between two requests, in words: attributes and fields added, removed and changed, items dropped.
//!
//! Works on OTLP JSON in normal form. Spans are matched by their ids, other items by their order and what a plugin rarely
//! touches (time, metric, body); resources and scopes through the items in them. Attributes are named by their key, fields with
//! a dot before them: `user.email`, `.name`.

use serde_json::Value;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Sign {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It is there with another value.
    Changed,
    /// The whole item is gone.
    Dropped,
    /// The whole item was not there before.
    New,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) struct Line {
    /// Where: `span "GET /" b7ad6b7169203331`.
    pub thing: String,
    /// What happened.
    pub sign: Sign,
    /// To what: `user.email "a" -> "b"`; empty if it is the whole item.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { thing, sign, text } = self;
        match sign {
            Sign::Added => write!(f, "{thing}: + {text}"),
            Sign::Removed => write!(f, "{thing}: - {text}"),
            Sign::Changed => write!(f, "{thing}: ~ {text}"),
            Sign::Dropped => write!(f, "{thing}: dropped"),
            Sign::New => write!(f, "{thing}: new"),
        }
    }
}

/// The differences between two objects of requests in normal form.
pub(in crate::cli::plugin) fn changes(before: &Value, after: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    for names in &SIGNALS {
        compare(&flatten(before, names), &flatten(after, names), &mut lines);
    }
    if lines.is_empty() && before != after {
        let (thing, text) =
            ("request".to_owned(), "resources or scopes without items, or the order of things".to_owned());
        lines.push(Line { thing, sign: Sign::Changed, text });
    }
    lines
}

/// The names of things in the requests of a signal.
struct Names {
    signal: &'static str,
    resources: &'static str,
    scopes: &'static str,
    items: &'static str,
    item: &'static str,
}

const SIGNALS: [Names; 3] = [
    Names { signal: "traces", resources: "resourceSpans", scopes: "scopeSpans", items: "spans", item: "span" },
    Names { signal: "metrics", resources: "resourceMetrics", scopes: "scopeMetrics", items: "metrics", item: "metric" },
    Names { signal: "logs", resources: "resourceLogs", scopes: "scopeLogs", items: "logRecords", item: "log record" },
];

/// Something that has attributes and fields.
#[derive(Debug, Default)]
struct Thing {
    label: String,
    /// What it is known by on both sides.
    key: String,
    fields: Vec<(String, String)>,
}

/// A request, item by item; each item with the numbers of what it lies in.
#[derive(Debug, Default)]
struct Flat {
    around: Vec<Thing>,
    items: Vec<(Thing, Vec<usize>)>,
}

fn flatten(object: &Value, names: &Names) -> Flat {
    let mut flat = Flat::default();
    let request = object.get(names.signal).unwrap_or(&Value::Null);
    for resource_part in list(request, names.resources) {
        let resource = resource_part.get("resource").unwrap_or(&Value::Null);
        let service = attribute(resource, "service.name");
        let resource = flat.surround(thing("resource", &service, resource, &[]));
        for scope_part in list(resource_part, names.scopes) {
            let scope = scope_part.get("scope").unwrap_or(&Value::Null);
            let scope = flat.surround(thing("scope", &quoted(scope.get("name")), scope, &[]));
            for item in list(scope_part, names.items) {
                flat.item(item, names, vec![resource, scope]);
            }
        }
    }
    flat
}

impl Flat {
    fn surround(&mut self, thing: Thing) -> usize {
        self.around.push(thing);
        self.around.len() - 1
    }

    /// A span, a log record, or the data points of a metric.
    fn item(&mut self, item: &Value, names: &Names, mut around: Vec<usize>) {
        let text = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default();
        if names.signal == "traces" {
            let id = text("spanId");
            let mut thing =
                thing(names.item, &format!("{} {id}", quoted(item.get("name"))), item, &["traceId", "spanId"]);
            thing.key = format!("{}/{id}", text("traceId"));
            self.items.push((thing, around));
            return;
        }
        if names.signal == "logs" {
            let body = item.get("body").map(any).unwrap_or_default();
            let mut thing = thing(names.item, &short(&body), item, &[]);
            thing.key = format!("{} {} {body}", text("timeUnixNano"), text("observedTimeUnixNano"));
            self.items.push((thing, around));
            return;
        }
        let name = quoted(item.get("name"));
        let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
        let metric = self.surround(thing(names.item, &name, item, &kinds));
        around.push(metric);
        for data in kinds.iter().filter_map(|kind| item.get(kind)) {
            for point in list(data, "dataPoints") {
                let time = |field: &str| point.get(field).and_then(Value::as_str).unwrap_or_default();
                let mut thing = thing("data point of", &name, point, &[]);
                thing.key = format!("{} {}", time("startTimeUnixNano"), time("timeUnixNano"));
                self.items.push((thing, around.clone()));
            }
        }
    }
}

fn thing(what: &str, label: &str, value: &Value, left_out: &[&str]) -> Thing {
    let mut fields = Vec::new();
    if let Value::Object(entries) = value {
        for (name, value) in entries.iter().filter(|(name, _)| !left_out.contains(&name.as_str())) {
            collect("", name, value, &mut fields);
        }
    }
    let label = if label.is_empty() { what.to_owned() } else { format!("{what} {label}") };
    Thing { label, key: String::new(), fields }
}

/// The attributes and fields under a field of a message, each with a path and a text.
fn collect(path: &str, name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let is_any = |value: &Value| {
        let only = value.as_object().filter(|object| object.len() <= 1);
        only.is_some_and(|object| object.keys().all(|key| key.ends_with("Value")))
    };
    match value {
        Value::Array(attributes) if matches!(name, "attributes" | "metadata" | "filteredAttributes") => {
            for attribute in attributes {
                let key = attribute.get("key").and_then(Value::as_str).unwrap_or_default();
                let path = if path.is_empty() { key.to_owned() } else { format!("{path} {key}") };
                out.push((path, attribute.get("value").map_or_else(|| "nothing".to_owned(), any)));
            }
        }
        Value::Array(elements) if elements.iter().all(Value::is_object) => {
            for (number, element) in elements.iter().enumerate() {
                for (inner, value) in element.as_object().into_iter().flatten() {
                    collect(&format!("{path}.{name}[{number}]"), inner, value, out);
                }
            }
        }
        Value::Object(_) if is_any(value) && name == "body" => out.push((format!("{path}.{name}"), any(value))),
        Value::Object(fields) => {
            for (inner, value) in fields {
                collect(&format!("{path}.{name}"), inner, value, out);
            }
        }
        other => out.push((format!("{path}.{name}"), other.to_string())),
    }
}

/// A value of an attribute.
fn any(value: &Value) -> String {
    let Some((kind, value)) = value.as_object().and_then(|object| object.iter().next()) else {
        return "nothing".to_owned();
    };
    let members = |value: &Value| list(value, "values").cloned().collect::<Vec<_>>();
    match (kind.as_str(), value) {
        ("intValue", Value::String(number)) => number.clone(),
        ("bytesValue", Value::String(base64)) => format!("bytes({base64})"),
        ("arrayValue", array) => format!("[{}]", members(array).iter().map(any).collect::<Vec<_>>().join(", ")),
        ("kvlistValue", map) => {
            let entry = |entry: &Value| {
                let key = entry.get("key").and_then(Value::as_str).unwrap_or_default();
                format!("{key}: {}", entry.get("value").map_or_else(|| "nothing".to_owned(), any))
            };
            format!("{{{}}}", members(map).iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        (_, value) => value.to_string(),
    }
}

fn attribute(thing: &Value, key: &str) -> String {
    let mut attributes = list(thing, "attributes");
    let found = attributes.find(|attribute| attribute.get("key").and_then(Value::as_str) == Some(key));
    found.and_then(|attribute| attribute.get("value")).map(any).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn quoted(value: Option<&Value>) -> String {
    value.map(|value| short(&value.to_string())).unwrap_or_default()
}

/// Long texts are cut in labels.
fn short(text: &str) -> String {
    const CHARS: usize = 60;
    if text.chars().count() <= CHARS {
        text.to_owned()
    } else {
        text.chars().take(CHARS).chain("...".chars()).collect()
    }
}

fn compare(before: &Flat, after: &Flat, lines: &mut Vec<Line>) {
    let pairs = align(before, after);
    let mut seen = Vec::new();
    for (old, new) in &pairs {
        let (Some(old), Some(new)) = (old, new) else { continue };
        let ((_, old_around), (_, new_around)) = (old, new);
        for (old, new) in old_around.iter().zip(new_around) {
            if seen.contains(&(*old, *new)) {
                continue;
            }
            seen.push((*old, *new));
            if let (Some(old), Some(new)) = (before.around.get(*old), after.around.get(*new)) {
                fields(old, new, lines);
            }
        }
    }
    for (old, new) in pairs {
        match (old, new) {
            (Some((old, _)), Some((new, _))) => fields(old, new, lines),
            (Some((old, _)), None) => {
                lines.push(Line { thing: old.label.clone(), sign: Sign::Dropped, text: String::new() })
            }
            (None, Some((new, _))) => {
                lines.push(Line { thing: new.label.clone(), sign: Sign::New, text: String::new() })
            }
            (None, None) => {}
        }
    }
}

type Item = (Thing, Vec<usize>);

/// Which item became which: in the order of `before`, what is new at the end.
fn align<'a>(before: &'a Flat, after: &'a Flat) -> Vec<(Option<&'a Item>, Option<&'a Item>)> {
    let mut rest: Vec<Option<&Item>> = after.items.iter().map(Some).collect();
    let by_order = before.items.len() == after.items.len();
    let mut pairs = Vec::new();
    for (at, old) in before.items.iter().enumerate() {
        let same = |new: &Option<&Item>| new.is_some_and(|new| new.0.key == old.0.key && new.0.label == old.0.label);
        let alike = |new: &Option<&Item>| new.is_some_and(|new| new.0.key == old.0.key);
        let place = rest.iter().position(same).or_else(|| rest.iter().position(alike));
        let place = place.or_else(|| (by_order && rest.get(at).is_some_and(Option::is_some)).then_some(at));
        let new = place.and_then(|place| rest.get_mut(place)).and_then(Option::take);
        pairs.push((Some(old), new));
    }
    pairs.extend(rest.into_iter().flatten().map(|new| (None, Some(new))));
    pairs
}

fn fields(before: &Thing, after: &Thing, lines: &mut Vec<Line>) {
    let value = |thing: &Thing, name: &str| {
        thing.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut line = |sign, text| lines.push(Line { thing: before.label.clone(), sign, text });
    for (name, old) in &before.fields {
        match value(after, name) {
            None => line(Sign::Removed, format!("{name} {old}")),
            Some(new) if new != *old => line(Sign::Changed, format!("{name} {old} -> {new}")),
            Some(_) => {}
        }
    }
    for (name, new) in after.fields.iter().filter(|(name, _)| value(before, name).is_none()) {
        line(Sign::Added, format!("{name} {new}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::otlp::normal;
    use super::*;
    use serde_json::json;

    fn spans(spans: &Value) -> Value {
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
        let request = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
        normal(&json!({ "traces": request })).unwrap()
    }

    fn span(id: u8, name: &str, attributes: &[(&str, Value)]) -> Value {
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{id:016x}"), "name": name,
               "attributes": attributes})
    }

    fn text(before: &Value, after: &Value) -> Vec<String> {
        changes(before, after).iter().map(ToString::to_string).collect()
    }

    /// Every kind of change has a line of its own; what stayed has none.
    #[test]
    fn changes_are_named() {
        let (string, int) = (json!({"stringValue": "a"}), json!({"intValue": "7"}));
        let before = spans(&json!([
            span(1, "GET /", &[("gone", string.clone()), ("same", string.clone()), ("other", string.clone())]),
            span(2, "GET /healthz", &[]),
        ]));
        let after = spans(&json!([span(1, "GET", &[("same", string.clone()), ("other", int.clone()), ("new", int)])]));
        let one = "span \"GET /\" 0000000000000001";
        let expected = [
            format!("{one}: ~ .name \"GET /\" -> \"GET\""),
            format!("{one}: - gone \"a\""),
            format!("{one}: ~ other \"a\" -> 7"),
            format!("{one}: + new 7"),
            "span \"GET /healthz\" 0000000000000002: dropped".to_owned(),
        ];
        assert_eq!(text(&before, &after), expected);
        assert_eq!(text(&before, &before), [""; 0]);
        assert_eq!(text(&spans(&json!([])), &json!({"traces": {}})).len(), 1, "no item, but not the same");
    }

    /// Resources are compared once, events and nested values have a path, log records are matched without ids.
    #[test]
    fn everything_has_a_place() {
        let logs = |resource: &str, bodies: &[&str]| {
            let records: Vec<_> = bodies
                .iter()
                .map(|body| json!({"timeUnixNano": "5", "body": {"stringValue": body}, "severityNumber": 9}))
                .collect();
            let resource = json!({"attributes": [{"key": "host", "value": {"arrayValue": {"values": [
                {"stringValue": resource}, {"boolValue": true}]}}}]});
            let request = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
            normal(&json!({ "logs": request })).unwrap()
        };
        assert_eq!(
            text(&logs("a", &["x", "y"]), &logs("b", &["y"])),
            ["resource: ~ host [\"a\", true] -> [\"b\", true]", "log record \"x\": dropped"]
        );
        assert_eq!(text(&logs("a", &["x"]), &logs("a", &["z"])), ["log record \"x\": ~ .body \"x\" -> \"z\""]);
        let event = |value: &str| {
            let mut span = span(1, "a", &[]);
            span["events"] = json!([{"name": "e", "attributes": [{"key": "k", "value": {"stringValue": value}}]}]);
            spans(&json!([span]))
        };
        assert_eq!(text(&event("1"), &event("2")), ["span \"a\" 0000000000000001: ~ .events[0] k \"1\" -> \"2\""]);
    }

    #[test]
    fn data_points_belong_to_metrics() {
        let metric = |name: &str, values: &[i64]| {
            let points: Vec<_> = values
                .iter()
                .map(|value| json!({"timeUnixNano": value.to_string(), "asInt": value.to_string()}))
                .collect();
            let metrics = json!([{"name": name, "sum": {"dataPoints": points}}]);
            normal(&json!({"resourceMetrics": [{"scopeMetrics": [{ "metrics": metrics }]}]})).unwrap()
        };
        assert_eq!(text(&metric("a", &[1, 2]), &metric("a", &[2])), ["data point of \"a\": dropped"]);
        assert_eq!(text(&metric("a", &[1]), &metric("b", &[1])), ["metric \"a\": ~ .name \"a\" -> \"b\""]);
    }
}
