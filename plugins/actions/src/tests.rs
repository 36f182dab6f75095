//! What the actions are made of; the actions themselves are tested in `attributes` and `resource`.

use crate::settings::read;
use crate::{ActionSettings, Actions, pattern, text};
use tailrace_sdk::otlp::view::{put_attribute, put_value};
use tailrace_sdk::otlp::{KvListView, Value};

/// Each expression, a text that it matches in Go, and one that it does not.
#[test]
fn expressions_mean_what_they_mean_in_go() {
    let cases = [
        (r"^\d+$", "42", "٤٢"),
        (r"^\w+$", "a_1", "ä"),
        (r"^\s$", " ", "\u{a0}"),
        (r"^[\d.]+$", "1.2", "٤"),
        (r"^[^\w]$", "-", "x"),
        (r"^[\W]$", "ä", "x"),
        (r"^[\D\S]$", "x", "xx"),
        (r"\bcat\b", "a cat.", "concat"),
        (r"\Bcat", "concat", "cat"),
        // A word ends at a letter that is not ASCII.
        (r"\bend\b", "endä", "ends"),
        (r#"{"token":"[^"]+"}"#, r#"x{"token":"abc"}"#, r#"{"token":""}"#),
        (r"^a{2}$", "aa", "a{2}"),
        (r"^a{2,}$", "aaa", "a"),
        (r"^a{1,2}$", "aa", "aaa"),
        (r"^a{,2}$", "a{,2}", "aa"),
        (r"^a{$", "a{", "a"),
        (r"^[[]$", "[", "x"),
        (r"^[]x]+$", "]x", "y"),
        (r"^[^]]$", "x", "]"),
        (r"^[[:alpha:]]+$", "abc", "1"),
        (r"^[[:^alpha:]]+$", "1", "a"),
        (r"^[a&&b]+$", "a&b", "c"),
        (r"^[a~~b]+$", "a~b", "c"),
        (r"\<b\>", "<b>", "b"),
        (r"^[\<\>]+$", "<>", "x"),
        (r"^\Qa.b[\E+$", "a.b[[", "axb["),
        (r"^\Qa.b", "a.b", "axb"),
        (r"(?i)^straSSe$", "STRASSE", "str"),
        (r"^\x{41}\n\t\.$", "A\n\t.", "A"),
        (r"(?P<a>x)(?:y)", "xy", "x"),
        (r"^.$", "ä", "\n"),
        (r"(?s)^.$", "\n", "ab"),
        (r"^\pL+$", "äb", "1"),
    ];
    for (written, matching, other) in cases {
        let compiled = pattern::compile(&[written]).unwrap_or_else(|error| panic!("{written}: {error:?}"));
        assert!(compiled.is_match(matching), "{written} should match {matching:?}");
        assert!(!compiled.is_match(other), "{written} should not match {other:?}");
    }
}

/// The fault says which expression it is about.
#[test]
fn a_wrong_expression_is_named() {
    let (at, error) = pattern::compile(&["a", "b(", "c("]).map(drop).unwrap_err();
    assert_eq!(at, 1);
    assert!(error.contains("b("), "{error}");
}

/// The texts that Go writes, checked against what the Collector does with `convert` to string.
#[test]
fn texts_of_values() {
    let check = |value: Value<'_>, expected: &str| assert_eq!(text::of(&value), expected, "{value:?}");
    check(Value::Empty, "");
    check(true.into(), "true");
    check(Value::Int(-5), "-5");
    check(Value::Double(1.0), "1");
    check(Value::Double(0.1), "0.1");
    check(Value::Double(1e20), "100000000000000000000");
    check(Value::Double(1e21), "1e+21");
    check(Value::Double(-1.5e300), "-1.5e+300");
    check(Value::Double(1e-6), "0.000001");
    check(Value::Double(1.5e-7), "1.5e-7");
    check(Value::Double(1e-10), "1e-10");
    check(Value::Double(0.0), "0");
    check(Value::Double(f64::NAN), "NaN");
    check(Value::Double(f64::NEG_INFINITY), "-Infinity");
    check(Value::Bytes(&[0xff, 0xfe, 1]), "//4B");
    let mut map = Vec::new();
    let text = Value::from("<a> & \"b\"\n\u{1}\u{2028}ä");
    for (key, value) in [("z", text), ("a", Value::Empty), ("b", Value::Bytes(&[1])), ("c", Value::Bytes(&[]))] {
        put_attribute(&mut map, 1, key.into(), &value);
    }
    let inner = Value::KvList(KvListView::new(&map));
    check(inner, "{\"a\":null,\"b\":\"AQ==\",\"c\":null,\"z\":\"<a> & \\\"b\\\"\\n\\u0001\\u2028ä\"}");
    let mut broken = Vec::new();
    put_attribute(&mut broken, 1, "x".into(), &Value::Double(f64::NAN));
    check(Value::KvList(KvListView::new(&broken)), "");
    let mut message = Vec::new();
    put_value(&mut message, &inner);
    assert_eq!(Value::new(&message), inner);
}

fn faults(actions: &str) -> String {
    let settings: Vec<ActionSettings> = match read(serde_json::from_str(actions).unwrap()) {
        Ok(settings) => settings,
        Err(error) => return error,
    };
    Actions::new("actions", &settings).map(drop).unwrap_err()
}

/// Each rule that the Collector has for actions is kept, and its fault names the key.
#[test]
fn faults_of_actions_name_their_key() {
    let cases = [
        (r#"[]"#, "actions: name at least one"),
        (r#"[{"action": "insert", "value": 1}]"#, "actions[0].key: is required"),
        (r#"[{"action": "delete"}]"#, "actions[0].key: is required, or `pattern`"),
        (r#"[{"key": "a"}]"#, "actions[0].action: is required"),
        (r#"[{"key": "a", "action": "burn"}]"#, "actions[0].action: \"burn\" is no action"),
        (r#"[{"key": "a", "action": "insert"}]"#, "actions[0]: needs `value`"),
        (
            r#"[{"key": "a", "action": "insert", "value": 1, "from_attribute": "b"}]"#,
            "actions[0].from_attribute: cannot",
        ),
        (r#"[{"key": "a", "action": "upsert", "value": 1, "pattern": "b"}]"#, "actions[0].pattern: is not used"),
        (
            r#"[{"key": "a", "action": "upsert", "value": 1, "converted_type": "int"}]"#,
            "actions[0].converted_type: is not",
        ),
        (
            r#"[{"key": "a", "action": "upsert", "from_context": "metadata.x"}]"#,
            "actions[0].from_context: is not supported",
        ),
        (
            r#"[{"key": "a", "action": "insert", "value": 18446744073709551615}]"#,
            "actions[0].value: 18446744073709551615",
        ),
        (r#"[{"key": "a", "action": "hash", "value": 1}]"#, "actions[0].value: is not used"),
        (r#"[{"key": "a", "action": "delete", "from_attribute": "b"}]"#, "actions[0].from_attribute: is not used"),
        (r#"[{"action": "delete", "pattern": "("}]"#, "actions[0].pattern: "),
        (r#"[{"key": "a", "action": "delete"}, {"action": "hash", "pattern": "a(?=b)"}]"#, "actions[1].pattern: "),
        (r#"[{"key": "a", "action": "extract"}]"#, "actions[0].pattern: is required"),
        (r#"[{"key": "a", "action": "extract", "pattern": "x"}]"#, "actions[0].pattern: has no named group"),
        (r#"[{"key": "a", "action": "extract", "pattern": "(?P<b>x)(y)"}]"#, "actions[0].pattern: has a group without"),
        (r#"[{"key": "a", "action": "extract", "pattern": "(?P<b>x)", "value": 1}]"#, "actions[0].value: is not used"),
        (r#"[{"key": "a", "action": "convert"}]"#, "actions[0].converted_type: is required"),
        (r#"[{"key": "a", "action": "convert", "converted_type": "bool"}]"#, "actions[0].converted_type: \"bool\""),
        (r#"[{"key": "a", "acton": "delete"}]"#, "[0].acton: unknown field"),
        (r#"[{"key": 5, "action": "delete"}]"#, "[0].key: invalid type"),
    ];
    for (actions, expected) in cases {
        let faults = faults(actions);
        assert!(faults.starts_with(expected), "{actions}: {faults}");
    }
    let both = faults(r#"[{"key": "a"}, {"key": "b", "action": "burn"}]"#);
    assert_eq!(both.lines().count(), 2, "{both}");
}
