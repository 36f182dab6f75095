//! Whatever is written, nobody panics; and what is printed is read back.

use super::*;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Random trees of what a configuration can hold.
fn trees() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no infinity", |value| value.is_finite()).prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
        "[0-9xob_.+~eE-]{0,8}|true|null|<<|[ :#&*!|>{}\\[\\],'\"%@`\n\t$-]{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[a-z:./_ <-]{0,6}", inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Block style, where `print` is as plain as a person would write it.
fn print(value: &Json, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                print(item, indent + 2, out);
            }
        }
        Json::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&format!("\n{pad}{}:", Json::from(key.as_str())));
                print(value, indent + 2, out);
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

/// Equal up to the last bit of floats, which JSON and YAML may write as integers.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

proptest! {
    /// JSON is YAML, and so is the same in blocks.
    #[test]
    fn printed_trees_are_read_back(value in trees()) {
        let flow = tree(&value.to_string()).to_json();
        prop_assert!(same(&flow, &value), "{flow} is not {value}");
        let mut text = String::new();
        print(&value, 0, &mut text);
        let block = tree(&text).to_json();
        prop_assert!(same(&block, &value), "{text}\n{block} is not {value}");
    }

    /// Any tree against the settings: faults or settings, never both, each fault with its place.
    #[test]
    fn any_tree_as_settings(value in trees()) {
        let keys = ["endpoint", "timeout", "compression", "headers", "tags", "ratio", "enabled", "sending_queue", "policies"];
        for key in keys {
            let mut problems = Problems::default();
            let node = tree(&format!("{{{key}: {value}}}"));
            let settings = Section { path: "p", node: &node }.settings::<Exporter>(&mut problems);
            prop_assert_eq!(settings.is_none(), problems.has_errors());
            prop_assert!(problems.iter().all(|problem| problem.origin.is_some() && problem.key.starts_with("p")));
        }
    }

    /// Text that looks like YAML.
    #[test]
    fn any_text(text in "[ \n\ta:b\\-?\\[\\]{},&*!|>'\"#%<0.~x\u{e9}\u{1f600}\r]{0,60}") {
        let mut problems = Problems::default();
        let node = parse("t", &text, &mut problems);
        prop_assert_eq!(node.is_none(), problems.has_errors(), "{}", problems);
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut problems = Problems::default();
        let node = parse("t", &String::from_utf8_lossy(&bytes), &mut problems);
        prop_assert_eq!(node.is_none(), problems.has_errors(), "{}", problems);
    }
}
