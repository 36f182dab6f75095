//! Conditions on one span that has something of everything, and texts that are no conditions.

use crate::prelude::*;
use crate::{Condition, Context, Scene};
use proptest::prelude::*;
use tailrace_otlp::view::{EventView, put_attribute};
use tailrace_otlp::wire::{put_fixed64_field, put_len_field, put_varint_field};
use tailrace_otlp::{ResourceView, ScopeView, SpanView, Value as Otlp};

/// An encoded span, its resource and its scope.
struct Sample {
    resource: Vec<u8>,
    scope: Vec<u8>,
    span: Vec<u8>,
    event: Vec<u8>,
}

fn sample() -> Sample {
    let mut map = Vec::new();
    put_attribute(&mut map, 1, "city".into(), &Otlp::from("Bern"));
    put_attribute(&mut map, 1, "zip".into(), &Otlp::Int(3000));
    let mut list = Vec::new();
    for text in ["a", "b"] {
        let mut value = Vec::new();
        put_len_field(&mut value, 1, text.as_bytes());
        put_len_field(&mut list, 1, &value);
    }
    let mut event = Vec::new();
    put_fixed64_field(&mut event, 1, 7);
    put_len_field(&mut event, 2, b"exception");
    put_attribute(&mut event, 3, "exception.type".into(), &Otlp::from("Boom"));

    let mut span = Vec::new();
    put_len_field(&mut span, 1, &[0xab; 16]);
    put_len_field(&mut span, 2, &[0xcd; 8]);
    put_len_field(&mut span, 3, b"ot=th:8,vendor=x");
    put_len_field(&mut span, 5, b"GET /orders");
    put_varint_field(&mut span, 6, 2);
    put_fixed64_field(&mut span, 7, 1_000_000_000);
    put_fixed64_field(&mut span, 8, 3_500_000_000);
    for (key, value) in [
        ("text", Otlp::from("hello")),
        ("int", Otlp::Int(42)),
        ("double", Otlp::Double(2.5)),
        ("true", Otlp::Bool(true)),
        ("bytes", Otlp::Bytes(&[1, 255])),
        ("none", Otlp::Bytes(&[])),
        ("empty", Otlp::Empty),
        ("map", Otlp::KvList(tailrace_otlp::view::KvListView::new(&map))),
        ("list", Otlp::Array(tailrace_otlp::view::ArrayView::new(&list))),
    ] {
        put_attribute(&mut span, 9, key.into(), &value);
    }
    put_len_field(&mut span, 11, &event);
    let mut status = Vec::new();
    put_len_field(&mut status, 2, b"broken");
    put_varint_field(&mut status, 3, 2);
    put_len_field(&mut span, 15, &status);

    let mut inner = Vec::new();
    put_attribute(&mut inner, 1, "service.name".into(), &Otlp::from("shop"));
    let mut resource = Vec::new();
    put_len_field(&mut resource, 1, &inner);
    let mut scope = Vec::new();
    put_len_field(&mut scope, 1, b"\x0a\x03lib\x12\x031.2");
    Sample { resource, scope, span, event }
}

fn scene(sample: &Sample) -> Scene<'_> {
    Scene {
        resource: ResourceView::new(&sample.resource),
        scope: ScopeView::new(&sample.scope),
        span: SpanView::new(&sample.span),
        event: Some((0, EventView::new(&sample.event))),
        now: 10_000_000_000,
    }
}

/// Everything in the list must be `expected`.
fn all(context: Context, expected: bool, conditions: &[&str]) {
    let sample = sample();
    for text in conditions {
        let condition = Condition::parse(text, context).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(condition.eval(&scene(&sample)), Ok(expected), "{text}");
    }
}

#[test]
fn what_holds() {
    all(
        Context::Span,
        true,
        &[
            "true",
            "not false",
            r#"name == "GET /orders""#,
            r#"span.name == "GET /orders""#,
            r#"resource.attributes["service.name"] == "shop""#,
            r#"instrumentation_scope.name == "lib" and scope.version == "1.2""#,
            r#"trace_id == TraceID(0xabababababababababababababababab)"#,
            r#"trace_id.string == "abababababababababababababababab""#,
            r#"span_id == SpanID("cdcdcdcdcdcdcdcd") and span_id.string == "cdcdcdcdcdcdcdcd""#,
            r#"parent_span_id == SpanID(0x0000000000000000) and IsRootSpan()"#,
            r#"trace_state["vendor"] == "x" and trace_state["none"] == """#,
            "kind == SPAN_KIND_SERVER",
            r#"kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER""#,
            r#"status.code == STATUS_CODE_ERROR and status.message == "broken""#,
            "end_time - start_time >= Duration(\"2.5s\")",
            "end_time_unix_nano - start_time_unix_nano == 2500000000",
            "Now() - end_time == Duration(\"6s500ms\")",
            "Len(events) == 1 and Len(links) == 0 and dropped_events_count == 0",
            r#"attributes["int"] == 42 and attributes["int"] == 42.0 and attributes["double"] > 2"#,
            r#"attributes["int"] / 10 == 4 and attributes["int"] / 10.0 == 4.2"#,
            r#"attributes["int"] - -8 == 50 and 2 + 3 * 4 == 14 and (2 + 3) * 4 == 20 and -(2 + 3) == -5"#,
            r#"(attributes["int"] + 1) * 2 == 86"#,
            r#"((attributes["int"] + 1) * 2 == 86)"#,
            r#"attributes["nothing"] == nil and nil == attributes["empty"] and attributes["text"] != nil"#,
            r#"attributes["nothing"] <= nil"#,
            r#"attributes["map"]["city"] == "Bern" and attributes["map"]["street"]["name"] == nil"#,
            r#"attributes["list"][1] == "b" and attributes["list"] == ["a", "b"]"#,
            r#"attributes["map"] == {"zip": 3000, "city": "Bern"}"#,
            r#"attributes["bytes"] == 0x01ff and attributes["bytes"] > 0x01"#,
            r#"attributes[Concat(["te", "xt"], "")] == "hello""#,
            r#"attributes["true"] == true and attributes["true"] > false"#,
            r#"attributes["text"] != 1 and 1 != attributes["text"]"#,
            r#"IsMatch(name, "^GET /ord") and not IsMatch(name, "^POST")"#,
            r#"IsMatch(attributes["int"], "^\\d+$") and not IsMatch(attributes["nothing"], ".*")"#,
            r#"IsMatch(target=name, pattern=Concat(["^", "GET"], ""))"#,
            r#"IsString(name) and IsInt(attributes["int"]) and IsDouble(attributes["double"]) and IsBool(attributes["true"])"#,
            r#"IsMap(attributes["map"]) and IsList(attributes["list"]) and IsMap(attributes) and not IsString(nil)"#,
            r#"Len(attributes["text"]) == 5 and Len(attributes["map"]) == 2 and Len(attributes) == 9"#,
            r#"Int("12") == 12 and Int(nil) == nil and Int(2.9) == 2 and Double("1.5") == 1.5 and Int(true) == 1"#,
            r#"Bool("true") and String(1.5) == "1.5" and String(true) == "true" and String(nil) == nil"#,
            r#"String(attributes["map"]) == "{\"city\":\"Bern\",\"zip\":3000}""#,
            r#"Split("a|b|c", "|") == ["a", "b", "c"] and Split("a|b|c", "|")[2] == "c""#,
            r#"ContainsValue(attributes["list"], "b") and not ContainsValue([1, 2], 3)"#,
            r#"Index("hello", "ll") == 2 and Index([1, 2], 2) == 1 and Index("x", "y") == -1"#,
            r#"Substring("hello", 1, 3) == "ell" and ToUpperCase("a") == "A" and Trim(" a ") == "a" and Trim("xax", "x") == "a""#,
            r#"HasPrefix(name, "GET") and HasSuffix(name, "orders") and Hex(255) == "00000000000000ff""#,
            r#"Seconds(Duration("90s")) == 90 and Minutes(Duration("90s")) == 1.5 and Milliseconds(Duration("1.5s")) == 1500"#,
            r#"Duration("1h2m3.5s") == Duration("3723500ms") and Duration("-1.5us") < Duration("0")"#,
            r#"UnixSeconds(end_time) == 3 and UnixMilli(end_time) == 3500 and Unix(3, 500000000) == end_time"#,
            r#"Keys({"a": 1}) == ["a"] and Values({"a": 1}) == [1]"#,
            r#"false and attributes["list"][9] == 1 or true"#,
            r#"name == "\u0047ET \x2forders""#,
            ".5 < 1 and 1.5e3 == 1500",
            r#"TrimPrefix(name, "GET ") == "/orders" and TrimSuffix(name, "s") == "GET /order" and TrimPrefix("a", "b") == "a""#,
            r#"ConvertCase("someName", "snake") == "some_name" and ToCamelCase("some_name") == "SomeName" and ToSnakeCase("aB") == "a_b""#,
            r#"IsEmpty(nil) and IsEmpty("") and IsEmpty(0) and IsEmpty([]) and IsEmpty({}) and IsEmpty(parent_span_id)"#,
            r#"not IsEmpty(name) and not IsEmpty(-1) and not IsEmpty(start_time) and IsEmpty(links) and not IsEmpty(events)"#,
            r#"Coalesce([attributes["nothing"], attributes["int"], attributes["list"][9]]) == 42 and Coalesce([nil]) == nil"#,
            r#"Year(end_time) == 1970 and Month(end_time) == 1 and Day(end_time) == 1 and Weekday(end_time) == 4"#,
            r#"Hour(Unix(86399)) == 23 and Minute(Unix(86399)) == 59 and Second(Unix(-1)) == 59 and Nanosecond(end_time) == 500000000"#,
            r#"TruncateTime(end_time, Duration("2s")) == Unix(2) and TruncateTime(Unix(1700000123), Duration("1h")) == Unix(1699999200)"#,
            r#"MD5("a") == "0cc175b9c0f1b6a831c399e269772661" and SHA1("a") == "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8""#,
            r#"SHA256("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" and Len(SHA512("a")) == 128"#,
            r#"FNV("hello world") == 8618312879776256743 and Base64Encode("hi?>") == "aGk/Pg==" and Base64Encode("hi?>", "base64-raw-url") == "aGk_Pg""#,
            r#"IsInCIDR("10.1.2.3", ["192.168.0.0/16", "10.0.0.0/8"]) and not IsInCIDR("11.0.0.1", ["10.0.0.0/8"]) and not IsInCIDR("x", [])"#,
            r#"IsInCIDR("2001:db8::1", ["2001:db8::/32"]) and IsInCIDR("1.2.3.4", ["0.0.0.0/0"]) and not IsInCIDR("1.2.3.4", ["::/0"])"#,
            r#"ParseInt("ff", 16) == 255 and ParseInt("-12", 10) == -12 and Hex(nil) == "" and flags == 0"#,
            r#"String(start_time) == "\"1970-01-01T00:00:01Z\"" and String(end_time) == "\"1970-01-01T00:00:03.5Z\"""#,
            r#"String(span_id) == "[205,205,205,205,205,205,205,205]" and String(Duration("1s")) == "1000000000""#,
            r#"String([attributes, 1.5, links, [events], "<"]) == "[{},1.5,{},[{}],\"\\u003c\"]" and String(events) == "{}""#,
            r#"String({"k": [{"a": 1}, nil]}) == "{\"k\":[{\"a\":1},null]}" and String([attributes["none"]]) == "[null]""#,
            r#"ContainsValue([1, "a"], 1.0) and not ContainsValue([[1], "a"], [1.0]) and Index([1, 2], 2.0) == 1"#,
            r#"Int(1.0e300) == -9223372036854775807 - 1 and Int(-1.0e300) == Int(1.0e300) and Int(9.3e18) < 0"#,
            // Lists and maps of literals are literals, and what is always so settles a condition before anything is looked at.
            r#"not (Len(kind) == 1 and [1] < nil) and not ({"k": [1, "a"]} == nil and Len(kind) == 1)"#,
            r#"({} != nil or Len(kind) == 1)"#,
            r#"String(1.0e300) == "1e+300" and String(0.0000001) == "1e-07" and String(0.000001) == "0.000001""#,
            r#"{"a": nil} != {"b": 1} and {"a": nil} != {"b": nil} and {"a": nil} == {"a": nil}"#,
            r#"attributes["list"][9] == 1 or true"#,
            r#"attributes["none"] == nil and attributes["none"] == attributes["nothing"] and not attributes["none"] < 0x01"#,
            r#"not (attributes["list"][9] == 1 and 1 == 2)"#,
        ],
    );
}

#[test]
fn what_does_not_hold() {
    all(
        Context::Span,
        false,
        &[
            "not true",
            r#"attributes["int"] == "42""#,
            r#"attributes["text"] < 1"#,
            r#"attributes["nothing"] > 0 or attributes["nothing"] < 0 or attributes["nothing"] == 0"#,
            r#"attributes["map"] < {"a": 1}"#,
            "not (true or true)",
            "true and not true or false",
        ],
    );
}

#[test]
fn events_have_their_own_paths() {
    all(
        Context::SpanEvent,
        true,
        &[
            r#"name == "exception" and spanevent.name == "exception" and span.name == "GET /orders""#,
            r#"attributes["exception.type"] == "Boom" and span.attributes["int"] == 42"#,
            r#"event_index == 0 and time_unix_nano == 7 and UnixNano(time) == 7"#,
            r#"resource.attributes["service.name"] == "shop""#,
        ],
    );
}

/// Conditions without an answer.
#[test]
fn values_that_do_not_fit() {
    let sample = sample();
    for (text, expected) in [
        (r#"attributes["list"][9] == 1"#, "index 9 is out of bounds"),
        (r#"attributes["text"]["x"] == 1"#, "a string has no index that is a string"),
        ("1 / 0 == 1", "division by 0"),
        (r#"attributes["text"] + 1 == 2"#, "cannot add a string and an int"),
        (r#"Len(attributes["int"]) == 1"#, "a string, list or map is expected, not an int"),
        (r#"Duration("5 minutes") == Now()"#, "is no duration"),
        (r#"Len(name)"#, "a condition is true or false, but the function gives an int"),
        (r#"IsMatch(name, Concat(["("], ""))"#, "is no regular expression"),
        (r#"Substring(name, 0, 99) == "x""#, "has no part of 99 from 0"),
        (r#"TraceID("xy") == trace_id"#, "an id of 16 bytes"),
        (r#"attributes["empty"]["x"] == nil"#, "nil has no index"),
        (r#"IsMatch(Double("inf"), ".")"#, "has no text"),
        (r#"Int("x") == nil"#, "\"x\" is no whole number"),
        (r#"Double("x") == nil"#, "is no number"),
        (r#"Double("1e999") == nil"#, "is no number"),
        (r#"Int(attributes["list"]) == 1"#, "a string, number or bool is expected, not a list"),
        (r#"IsInCIDR("10.0.0.1", ["10.0.0.0"])"#, "is no network"),
        (r#"ConvertCase(name, "kebab") == name"#, "is no case"),
        (r#"String([Double("inf")]) == """#, "has no text"),
        (r#"Hex(span_id) == """#, "is expected, not a span id"),
        (r#"ContainsValue([attributes], 1)"#, "a map cannot be an element here"),
        (r#"Index([1, span_id], 1) == 0"#, "a span id cannot be an element here"),
        (r#"{"k": start_time} == nil"#, "a time cannot be an element here"),
        (r#"ContainsValue(links, 1)"#, "only the number can be asked"),
    ] {
        let error = Condition::parse(text, Context::Span).unwrap().eval(&scene(&sample)).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// Texts that are no conditions: the place and the advice.
#[test]
fn errors_say_where_and_what_instead() {
    for (text, at, expected) in [
        ("", 1, "a value is expected, not the end"),
        (r#"name == "x"#, 9, "a quote is missing"),
        (r#"name = "x""#, 6, "equality is written `==`"),
        ("name", 1, "this is a value, not a condition"),
        (r#"nmae == "x""#, 1, "a span has no `nmae`; do you mean `name`?"),
        (r#"attribute["x"] == 1"#, 1, "a span has no `attribute`; do you mean `attributes`?"),
        (r#"span.atributes["x"] == 1"#, 1, "a span has no `span.atributes`; do you mean `span.attributes`?"),
        (r#"attributes.http.route == "/""#, 1, r#"keys stand in brackets, as in `attributes["http.route"]`"#),
        (r#"resource.attributes.a == "/""#, 1, r#"a resource has no `resource.attributes.a`; keys stand in brackets"#),
        (r#"resource["a"] == "/""#, 1, "name what of it is meant: resource.attributes,"),
        (r#"scope.verison == "1""#, 1, "a scope has no `scope.verison`; do you mean `scope.version`?"),
        (r#"metric.name == "a""#, 1, "a span has no `metric.name`; there is trace_id,"),
        (r#"status == 2"#, 1, "status.code"),
        (r#"kind == SPAN_KIND_SEVER"#, 9, "do you mean `SPAN_KIND_SERVER`"),
        (r#"IsMach(name, "x")"#, 1, "there is no function `IsMach`; do you mean `IsMatch`"),
        (r#"isMatch(name, "x")"#, 1, "a condition only asks; do you mean `IsMatch`"),
        (r#"set(attributes["a"], 1)"#, 1, "a condition only asks"),
        (r#"IsMatch(name)"#, 1, "`IsMatch` takes 2: target, pattern"),
        (r#"IsMatch(name, "x", 1)"#, 20, "`IsMatch` takes 2"),
        (r#"IsMatch(name, regex="x")"#, 15, "has no parameter `regex`"),
        (r#"IsMatch(name, "(")"#, 1, r#""(" is no regular expression: unclosed group"#),
        (r#"IsMatch(name, "\d")"#, 16, "a backslash itself is written"),
        (r#"name == "a" name == "b""#, 13, "join conditions with `and` or `or`"),
        (r#"1 < 2 < 3"#, 7, "a comparison has two sides"),
        (r#"(name == "a""#, 13, "`)` is expected, not the end"),
        (r#"(name == )"#, 10, "a value is expected, not `)`"),
        (r#"attributes["a" == 1"#, 16, "`]` is expected"),
        (r#"name["a"] == 1"#, 1, "`name` has no keys"),
        (r#"cache["a"] == 1"#, 1, "nothing could have set it"),
        ("name == 'x'", 9, "'\\'' does not belong here; a text stands in double quotes"),
        (r#"name == "a" && kind == 1"#, 13, "joined with `and` and `or`"),
        ("!IsRootSpan()", 1, "the opposite is written `not`"),
        ("name == 0xabc", 9, "an even number of hexadecimal digits"),
        ("name == 99999999999999999999", 9, "is too large"),
        ("and == 1", 1, "not the word `and`"),
    ] {
        let error = Condition::parse(text, Context::Span).unwrap_err();
        assert!(error.message.contains(expected), "{text}: {error}");
        assert_eq!(error.at + 1, at, "{text}: {error}");
    }
}

/// What of an event is not its own is its span's.
#[test]
fn errors_about_events() {
    for (text, expected) in [
        ("kind == 1", "an event of a span has no `kind`; that of its span is `span.kind`"),
        ("nam == 1", "do you mean `name`"),
        ("links == nil and foo.bar == 1", "that of its span is `span.links`"),
        ("foo.bar == 1", "and what begins with `span.`, `resource.` and `scope.`"),
    ] {
        let error = Condition::parse(text, Context::SpanEvent).unwrap_err();
        assert!(error.message.contains(expected), "{text}: {error}");
    }
}

/// Depth costs an error, never the stack.
#[test]
fn depth_has_a_limit() {
    for (open, close) in [("(", ")"), ("not ", ""), ("[", "]"), ("-(", ")")] {
        let text = format!("{}true{} == 1", open.repeat(10_000), close.repeat(10_000));
        let text = text.get(..text.len().min(Condition::TEXT_BYTES_MAX)).unwrap();
        let error = Condition::parse(text, Context::Span).unwrap_err();
        assert!(error.message.contains("nested more than 64 times"), "{error}");
    }
    assert!(Condition::parse(&"x".repeat(100_000), Context::Span).is_err());
}

proptest! {
    /// Whatever the text, parsing and evaluating end without a panic.
    #[test]
    fn nothing_panics(text in r#"([a-zA-Z_. ()\[\]{},:+*/=<>!-]|"[a-z\\"]{0,4}"|[0-9]{1,3}|name|attributes|nil|not|and|or|IsMatch|Split|Substring|Duration|0x){0,24}"#) {
        let sample = sample();
        for context in [Context::Span, Context::SpanEvent] {
            if let Ok(condition) = Condition::parse(&text, context) {
                let _ = condition.eval(&scene(&sample));
            }
        }
    }

    /// `not`, `and` and `or` mean what Rust's operators mean.
    #[test]
    fn boolean_logic(parts in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 1..8)) {
        let (mut text, mut sum, mut product) = (String::new(), false, true);
        for (number, (not, truth, or)) in parts.into_iter().enumerate() {
            if number > 0 {
                text.push_str(if or { " or " } else { " and " });
                if or {
                    sum |= product;
                    product = true;
                }
            }
            text.push_str(&format!("{}{}", if not { "not " } else { "" }, truth));
            product &= truth != not;
        }
        let sample = sample();
        prop_assert_eq!(Condition::parse(&text, Context::Span).unwrap().eval(&scene(&sample)), Ok(sum | product));
    }
}
