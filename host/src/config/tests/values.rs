//! Expansion and merging: what values come out.

use super::*;
use crate::config::{expand, source};
use crate::yaml::Node;
use serde_json::{Value as Json, json};

/// The merged and expanded tree.
fn tree(world: &Fake, sources: &[&str], sets: &[&str]) -> Result<Node, String> {
    let mut problems = Problems::default();
    let tree = source::read_all(world, &texts(sources), &texts(sets), &mut problems);
    let tree = tree.map(|tree| expand::expand(tree, world, &mut problems));
    match tree {
        Some(tree) if !problems.has_errors() => Ok(tree),
        _ => Err(problems.to_string()),
    }
}

/// The world of the table below, in which the Collector's own resolver gave the expected values too.
fn world() -> Fake {
    Fake::default()
        .variable("A", "5")
        .variable("Q", "\"q\"")
        .variable("L", "[1, \"${env:A}\"]")
        .variable("D", "a$$b")
        .variable("E", "")
        .variable("N", "A")
        .variable("BAD", "a: b: c")
        .variable("Z", "007")
        .variable("REF", "${env:A}")
        .variable("BRACE", "x}y")
        .variable("LINES", "a\nb")
        .variable("MAP", "{b: 1, c: {d: $$}}")
        .variable("LOOP", "${env:LOOP}")
        .variable("GROW", "${env:GROW}${env:GROW}x")
        .file("part.yaml", "b: 1\nc: ${env:A}\n")
        .file("token", "abc\n")
        .file("self.yaml", "again: ${file:self.yaml}\n")
}

/// `text` as a value, and as a setting that is text gets it.
fn check(text: &str, expected: Json, as_text: Option<&str>) {
    let world = world().file("t.yaml", &format!("v: {}", json!(text)));
    let tree = tree(&world, &["t.yaml"], &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
    let value = tree.get("v").unwrap();
    assert_eq!(value.to_json(), expected, "{text}");
    assert_eq!(value.as_str(), as_text, "{text} as text");
}

#[test]
fn values_of_expansions() {
    // One expansion: typed, but its text for those who want text.
    check("${env:A}", json!(5), Some("5"));
    check("${A}", json!(5), Some("5"));
    check("${env:Z}", json!(7), Some("007"));
    check("${env:REF}", json!(5), Some("5"));
    check("${env:E}", json!(null), Some(""));
    check("${env:UNSET}", json!(null), Some(""));
    check("${env:UNSET:-}", json!(""), Some(""));
    check("${env:UNSET:-7}", json!(7), Some("7"));
    check("${env:UNSET:-${env:A}}", json!(5), Some("5"));
    check("${env:UNSET:-a:b}", json!("a:b"), Some("a:b"));
    check("${env:A:-9}", json!(5), Some("5"));
    check("${env:${env:N}}", json!(5), Some("5"));
    check("${env:L}", json!([1, 5]), Some("[1, \"5\"]"));
    check("${env:MAP}", json!({"b": 1, "c": {"d": "$"}}), Some("{b: 1, c: {d: $}}"));
    check("${yaml:[1,2]}", json!([1, 2]), Some("[1,2]"));
    // Text stays as it is, quotes and all; so does what is no YAML.
    check("${env:Q}", json!("\"q\""), Some("\"q\""));
    check("${env:BAD}", json!("a: b: c"), Some("a: b: c"));
    check("${env:LINES}", json!("a\nb"), Some("a\nb"));
    check("${env:BRACE}", json!("x}y"), Some("x}y"));
    check("${file:token}", json!("abc\n"), Some("abc\n"));
    // Inside of text: pasted.
    check("x${env:A}y", json!("x5y"), Some("x5y"));
    check("x${env:E}y", json!("xy"), Some("xy"));
    check("x${env:REF}", json!("x5"), Some("x5"));
    check("${env:A}${env:A}", json!("55"), Some("55"));
    check("${env:A} ", json!("5 "), Some("5 "));
    // Dollars.
    check("$A", json!("$A"), Some("$A"));
    check("$$A", json!("$A"), Some("$A"));
    check("$${env:A}", json!("${env:A}"), Some("${env:A}"));
    check("$$${env:A}", json!("$5"), Some("$5"));
    check("$$$${env:A}", json!("$${env:A}"), Some("$${env:A}"));
    check("$${env:A} ${env:A}", json!("${env:A} 5"), Some("${env:A} 5"));
    check("${env:D}", json!("a$b"), Some("a$b"));
    check("${A", json!("${A"), Some("${A"));
    check("A}", json!("A}"), Some("A}"));
}

fn fails(text: &str, message: &str) {
    let world = world().file("t.yaml", &format!("a:\n  v: {}", json!(text)));
    assert_eq!(tree(&world, &["t.yaml"], &[]).unwrap_err(), format!("t.yaml:2:6: error: a::v: {message}"), "{text}");
}

#[test]
fn faults_of_expansions() {
    let name = |name: &str| {
        format!("{name:?} cannot be the name of an environment variable: letters, digits and '_', no digit first")
    };
    fails("${1A}", &name("1A"));
    fails("x${}", &name(""));
    fails("${env:a-b}", &name("a-b"));
    fails("${env:UNSET:-$$x}", "\"${env:UNSET:-$$x}\": a '$' cannot be part of what is looked up");
    fails("${file:gone}", "cannot open \"gone\": no such file");
    fails("${foo:x}", "\"foo:x\" has the unknown scheme \"foo\"; known are file, env and yaml");
    let remote = "configuration over https is not supported; fetch it into a file, then use file:";
    fails("${https://a/b}", &format!("\"https://a/b\": {remote}"));
    let endless = "more than 100 expansions behind each other: does it contain itself?";
    fails("${env:LOOP}", endless);
    fails("x${env:LOOP}", endless);
    fails("${env:GROW}", "expansions produce more than 33554432 bytes: does one contain itself?");
}

/// A file that contains itself ends somewhere, and soon.
#[test]
fn a_file_may_not_contain_itself() {
    let world = world().file("t.yaml", "v: ${file:self.yaml}");
    let error = tree(&world, &["t.yaml"], &[]).unwrap_err();
    assert!(error.contains("more than 100 expansions behind each other: does it contain itself?"), "{error}");
    assert!(*world.looked_up.borrow() < 10_000);
    let wide = format!("[{}]", vec!["\"${file:wide}\""; 50].join(", "));
    let world = Fake::default().file("wide", &wide).file("t.yaml", "v: ${file:wide}");
    let error = tree(&world, &["t.yaml"], &[]).unwrap_err();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.ends_with(": more than 100 expansions behind each other: does it contain itself?"), "{error}");
    let many = format!("[{}]", vec!["\"${A}\""; 6000].join(", "));
    let error = tree(&Fake::default().file("t.yaml", &format!("a: {many}\nb: {many}")), &["t.yaml"], &[]).unwrap_err();
    let last = "error: b[4000]: more than 10000 expansions in one configuration\n... and 9800 more";
    assert!(error.ends_with(last), "{error}");
}

/// Values from a file know their place in it; other values have the place of the expansion.
#[test]
fn places_of_expanded_values() {
    let world = world().file("t.yaml", "v: ${file:part.yaml}\nw:\n  - ${env:MAP}\n");
    let tree = tree(&world, &["t.yaml"], &[]).unwrap();
    let place = |node: &Node| node.origin.to_string();
    let from_file = tree.get("v").unwrap();
    assert_eq!(place(from_file.get("b").unwrap()), "part.yaml:1:4");
    assert_eq!(place(from_file.get("c").unwrap()), "part.yaml:2:4");
    let from_variable = &tree.get("w").unwrap().items()[0];
    assert_eq!(place(from_variable.get("c").unwrap().get("d").unwrap()), "t.yaml:3:5");
}

fn merged(sources: &[&str], sets: &[&str], expected: Json) {
    let tree = tree(&world(), sources, sets).unwrap_or_else(|error| panic!("{sources:?} {sets:?}: {error}"));
    assert_eq!(tree.to_json(), expected, "{sources:?} {sets:?}");
}

#[test]
fn merging() {
    // Maps merge, lists and everything else are replaced, null included.
    merged(&["yaml:a: {b: 1, c: [1, 2]}", "yaml:a: {c: [3], d: 4}"], &[], json!({"a": {"b": 1, "c": [3], "d": 4}}));
    merged(&["yaml:a: {b: 1}", "yaml:a: null"], &[], json!({"a": null}));
    merged(&["yaml:a: {b: 1}", "yaml:a: {}"], &[], json!({"a": {"b": 1}}));
    merged(&["yaml:a: {b: 1}", "yaml:a: {b: {c: 1}}"], &[], json!({"a": {"b": {"c": 1}}}));
    merged(&["yaml:a: null", "yaml:b: 1"], &[], json!({"a": null, "b": 1}));
    merged(&["yaml:"], &[], json!({}));
    merged(&["env:MAP"], &[], json!({"b": 1, "c": {"d": "$"}}));
    // Keys with "::" are written out, but not inside of lists.
    merged(&["yaml:a::b: 1", "yaml:a::c::d: 2"], &[], json!({"a": {"b": 1, "c": {"d": 2}}}));
    merged(&["yaml:a: {b::c: 1, b: {d: 2}}"], &[], json!({"a": {"b": {"c": 1, "d": 2}}}));
    merged(&["yaml:a: [{b::c: 1}]"], &[], json!({"a": [{"b::c": 1}]}));
    merged(&["yaml:a: {}", "yaml:a::b: null"], &[], json!({"a": {"b": null}}));
    // --set comes last, wherever it stands, and its value is YAML.
    merged(
        &["yaml:a: {b/c: {d: 1}}"],
        &["a.b/c.d=host:1", "a.e = [1, x]", "f.g=", "h={i: \"${A}\"}"],
        json!({"a": {"b/c": {"d": "host:1"}, "e": [1, "x"]}, "f": {"g": null}, "h": {"i": 5}}),
    );
}

fn unreadable(sources: &[&str], sets: &[&str], message: &str) {
    assert_eq!(tree(&world(), sources, sets).unwrap_err(), message, "{sources:?} {sets:?}");
}

#[test]
fn faults_of_sources() {
    unreadable(&[], &[], "error: no configuration: name at least one with --config");
    unreadable(&["gone.yaml"], &[], "error: cannot open \"gone.yaml\": no such file");
    unreadable(&["file:gone"], &["x"], "error: cannot open \"gone\": no such file\nerror: --set x: write key=value");
    unreadable(&["yaml:a: 1"], &["=x"], "error: --set =x: the key is empty");
    unreadable(&["yaml:[1]"], &[], "yaml:1:1: error: a configuration must be a map, found a list");
    unreadable(&["env:BAD"], &[], "env:BAD:1:5: error: no valid YAML: mapping values are not allowed in this context");
    unreadable(
        &["env:a-b"],
        &[],
        &format!(
            "error: {:?} cannot be the name of an environment variable: letters, digits and '_', no digit first",
            "a-b"
        ),
    );
    unreadable(
        &["http://host/c.yaml"],
        &[],
        "error: \"http://host/c.yaml\": configuration over http is not supported; fetch it into a file, then use file:",
    );
    unreadable(&["ftp:x"], &[], "error: \"ftp:x\" has the unknown scheme \"ftp\"; known are file, env and yaml");
}
