//! Text to tree: types, places, merge keys, and what is refused.

use super::*;

/// What the Collector's YAML library (go-yaml v3) makes of plain scalars, asked on 2026-11-22. Dates are the exception.
#[test]
fn plain_scalars_have_the_collectors_types() {
    let ints = [
        ("1", 1),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b101", 5),
        ("017", 15),
        ("+5", 5),
        ("-7", -7),
        ("1_000", 1000),
        ("1__0", 10),
        ("1_", 1),
        ("18446744073709551615", u64::MAX.into()),
        ("-9223372036854775808", i64::MIN.into()),
        ("-0x10", -16),
        ("-0o7", -7),
        ("-0b11", -3),
        ("+0b11", 3),
        ("0_1", 1),
        ("00", 0),
        ("-0", 0),
        ("0x_1F", 31),
    ];
    for (text, expected) in ints {
        let node = tree(&format!("[{text}]"));
        assert!(matches!(node.items()[0].value, Value::Int(found) if found == expected), "{text}: {node:?}");
    }
    let floats = [
        ("08", 8.0),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775809", -9223372036854775809.0),
        (".inf", f64::INFINITY),
        ("-.INF", f64::NEG_INFINITY),
        ("1e+5", 1e5),
        ("0.", 0.0),
        ("1_0.5", 10.5),
        ("-.5", -0.5),
        ("+.5e-3", 0.0005),
        ("12e03", 12000.0),
    ];
    for (text, expected) in floats {
        let node = tree(&format!("[{text}]"));
        assert!(matches!(node.items()[0].value, Value::Float(found) if found == expected), "{text}: {node:?}");
    }
    assert!(matches!(tree(".nan").value, Value::Float(found) if found.is_nan()));
    let texts = [
        "1e400",
        "yes",
        "on",
        "tRue",
        "0x",
        "0xg",
        "_1",
        "1:30",
        "2020-01-02",
        "1.2.3",
        "1e",
        "0x1p3",
        "++1",
        "inf",
        "NaN",
        "0o8",
        "_",
        "+",
        ".",
        "123abc",
        "off",
        "n",
    ];
    for text in texts {
        assert_eq!(tree(text).as_str(), Some(text));
    }
    for text in ["", "~", "null", "Null", "NULL"] {
        assert!(tree(text).is_null(), "{text}");
    }
    for (text, expected) in [("true", true), ("False", false), ("TRUE", true)] {
        assert!(matches!(tree(text).value, Value::Bool(found) if found == expected), "{text}");
    }
}

/// Quotes and tags decide over the look of a scalar.
#[test]
fn quotes_and_tags() {
    let json = tree("['1', \"true\", !!str 1, ! 5, !!int 7, !!float 2, !!bool true, !!null ]").to_json();
    assert_eq!(json.to_string(), r#"["1","true","1","5",7,2.0,true,null]"#);
    assert_eq!(tree("a: |\n  1\n").get("a").unwrap().as_str(), Some("1\n"));
    assert_eq!(refusal("a: !!int x"), "t.yaml:1:4: error: \"x\" is no !!int");
    assert_eq!(refusal("a: !!binary eA=="), "t.yaml:1:4: error: tag !!binary is not supported here");
    assert_eq!(refusal("a: !secret x"), "t.yaml:1:4: error: tag !secret is not supported");
    assert_eq!(refusal("a: !!set {x}"), "t.yaml:1:4: error: tag !!set is not supported here");
}

#[test]
fn places() {
    let node = tree("\u{feff}# é\nä: {b: [1,\n    x]}\nc:\n\nd: |\n  text\n");
    let place = |node: &Node| node.origin.to_string();
    let (key, a) = node.entry("ä").unwrap();
    assert_eq!(key.origin.to_string(), "t.yaml:2:1");
    assert_eq!(place(a), "t.yaml:2:4");
    assert_eq!(place(&a.get("b").unwrap().items()[1]), "t.yaml:3:5");
    assert_eq!(place(node.get("c").unwrap()), "t.yaml:4:1", "nothing stands where its key does");
    assert_eq!(place(node.get("d").unwrap()), "t.yaml:7:3");
}

/// As go-yaml: what is written wins wherever it stands, and of several the first.
#[test]
fn merge_keys() {
    let text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\none: {b: 0, <<: *base}\nmany:\n  <<: [*base, *more]\n  d: 5\n'<<': text\n";
    let node = tree(text);
    assert_eq!(node.get("one").unwrap().to_json().to_string(), r#"{"b":0,"a":1}"#);
    assert_eq!(node.get("many").unwrap().to_json().to_string(), r#"{"d":5,"a":1,"b":2,"c":4}"#);
    assert_eq!(node.get("<<").unwrap().as_str(), Some("text"));
    assert_eq!(node.get("one").unwrap().get("a").unwrap().origin.to_string(), "t.yaml:1:17");
    assert_eq!(refusal("<<: 5"), "t.yaml:1:5: error: \"<<\" takes a map or a list of maps");
    assert_eq!(refusal("<<: {}\n<<: {}"), "t.yaml:2:1: error: key \"<<\" is already defined at line 1");
}

#[test]
fn refusals() {
    assert_eq!(
        refusal("a: 1\nb: {c: 1, c: 2}\n\"a\": 3\n"),
        "t.yaml:2:11: error: key \"c\" is already defined at line 2\nt.yaml:3:1: error: key \"a\" is already defined at line 1"
    );
    assert_eq!(refusal("200: x"), "t.yaml:1:1: error: a key must be text, found number 200: put it in quotes");
    assert_eq!(refusal("true: x"), "t.yaml:1:1: error: a key must be text, found true: put it in quotes");
    assert_eq!(refusal("{[a]: x}"), "t.yaml:1:2: error: a key must be text, not a list or a map");
    assert_eq!(refusal("a: &a x\n*a : y"), "t.yaml:2:1: error: an alias cannot be a key");
    assert_eq!(refusal("a: *b"), "t.yaml:1:4: error: no valid YAML: while parsing node, found unknown anchor");
    assert_eq!(refusal("a: &a [*a]"), "t.yaml:1:8: error: an alias that contains itself");
    assert_eq!(refusal("a: 1\n---\nb: 2"), "t.yaml:2:1: error: a second document in one source: split it into several");
    assert_eq!(
        refusal("a: [1"),
        "t.yaml:2:1: error: no valid YAML: while parsing a flow sequence, expected ',' or ']'"
    );
    assert!(refusal("a:\n\t- b").starts_with("t.yaml:2:"));
    assert!(tree("---\na: 1\n...\n").get("a").is_some());
}

/// Depth, size and aliases have limits.
#[test]
fn limits() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    tree(&nested(100));
    assert_eq!(refusal(&nested(101)), "t.yaml:1:101: error: lists and maps nest deeper than 100 levels");
    let blocks = (0..150).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    assert!(refusal(&blocks).contains("deeper than 100"));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..30 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    assert!(refusal(&bomb).contains("more than 200000 values once aliases are written out"));
    // Few nodes, but each of them is long: a value, and a key.
    let (long, aliases) = ("x".repeat(100_000), ["*x"; 400].join(", "));
    let bombs = [format!("a: &x {long}\nb: [{aliases}]"), format!("a: &x {{{long}: 1}}\nb: [{aliases}]")];
    for bomb in bombs {
        assert!(refusal(&bomb).contains("bytes of text once aliases are written out"));
    }
    let long = refusal(&" ".repeat(BYTES_MAX + 1));
    assert_eq!(long, format!("error: t.yaml: {} bytes of YAML, at most {BYTES_MAX} are read", BYTES_MAX + 1));
}
