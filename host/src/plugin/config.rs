//! The configuration that a plugin gets, as it was written: JSON for the plugin, places for what it has against it.
//!
//! A value that came whole from an expansion (`${env:KEY}`) is typed like YAML, so that a key of digits only would be a number.
//! Where the plugin's JSON Schema asks for a text, it gets the text. Without a schema it gets what YAML makes of it.

use crate::yaml::{Node, Problems, Section, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// Steps that are followed in a schema: it may refer to itself.
const STEPS_MAX: usize = 100;

/// What `configure` gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginConfig {
    json: Arc<str>,
    /// Values that came from an expansion and are not texts: where they are, and what they were.
    texts: Vec<(Vec<Step>, Arc<str>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

impl<T: Into<Arc<str>>> From<T> for PluginConfig {
    /// A JSON text that stands nowhere.
    fn from(json: T) -> Self {
        Self { json: json.into(), texts: Vec::new() }
    }
}

impl PluginConfig {
    /// What is written at `node`; nothing is an empty object.
    pub fn written(node: Option<&Node>) -> Self {
        Self::with(node, |_| ())
    }

    /// The same, with something added to it by the host.
    pub fn with(node: Option<&Node>, add: impl FnOnce(&mut serde_json::Map<String, Json>)) -> Self {
        let mut settings = match node.map(Node::to_json) {
            Some(Json::Object(settings)) => settings,
            _ => serde_json::Map::new(),
        };
        add(&mut settings);
        let mut texts = Vec::new();
        if let Some(node) = node {
            originals(node, &mut Vec::new(), &mut texts);
        }
        Self { json: Json::Object(settings).to_string().into(), texts }
    }

    /// What a plugin with this JSON Schema gets.
    pub(crate) fn for_schema(&self, schema: Option<&str>) -> Arc<str> {
        let schema = schema.filter(|_| !self.texts.is_empty()).and_then(|schema| serde_json::from_str(schema).ok());
        let (Some(schema), Ok(mut settings)) = (schema, serde_json::from_str::<Json>(&self.json)) else {
            return Arc::clone(&self.json);
        };
        for (path, text) in &self.texts {
            if is_text(&schema, path)
                && let Some(value) = at(&mut settings, path)
            {
                *value = Json::String(text.to_string());
            }
        }
        settings.to_string().into()
    }
}

/// What a plugin has against a section: each line of its answer at its place, if it begins with a path and a colon, as in
/// `actions[0].key: is required`.
pub fn faults(section: &Section<'_>, answer: &str, says: &str) -> Problems {
    let mut problems = Problems::default();
    for line in answer.lines() {
        let (key, message) = match line.split_once(": ") {
            Some((key, message)) if is_path(key) => (key, message),
            _ => ("", line),
        };
        section.fault(key, format!("{message}{says}"), &mut problems);
    }
    problems.sort();
    problems
}

/// Whether a plugin means a key with this: `actions[0].key`.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c))
}

fn originals(node: &Node, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Arc<str>)>) {
    if let Some(text) = node.original.as_ref().filter(|_| !matches!(node.value, Value::String(_))) {
        found.push((path.clone(), Arc::clone(text)));
    }
    for (number, item) in node.items().iter().enumerate() {
        path.push(Step::Item(number));
        originals(item, path, found);
        path.pop();
    }
    for (key, value) in node.entries() {
        path.push(Step::Key(key.name.clone()));
        originals(value, path, found);
        path.pop();
    }
}

fn at<'a>(value: &'a mut Json, path: &[Step]) -> Option<&'a mut Json> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Item(number) => value.get_mut(number),
    })
}

/// What is meant at this place of a schema, which may refer to another one.
fn follow<'s>(schema: &'s Json, mut at: &'s Json) -> Option<&'s Json> {
    for _ in 0..STEPS_MAX {
        let Some(reference) = at.get("$ref").and_then(Json::as_str) else { return Some(at) };
        at = schema.pointer(reference.strip_prefix('#')?)?;
    }
    None
}

/// Whether a schema allows nothing but a text there.
fn is_text(schema: &Json, path: &[Step]) -> bool {
    let mut here = follow(schema, schema);
    for step in path {
        here = here.and_then(|here| {
            let next = match step {
                Step::Key(key) => {
                    here.get("properties").and_then(|known| known.get(key)).or_else(|| here.get("additionalProperties"))
                }
                Step::Item(_) => here.get("items"),
            };
            follow(schema, next?)
        });
    }
    here.is_some_and(|here| here.get("type").and_then(Json::as_str) == Some("string"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Origin, parse};

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "count": {"type": "integer"},
            "either": {"type": ["string", "integer"]},
            "list": {"type": "array", "items": {"$ref": "#/$defs/entry"}},
            "loop": {"$ref": "#/properties/loop"}
        },
        "additionalProperties": {"type": "string"},
        "$defs": {"entry": {"properties": {"token": {"type": "string"}}}}
    }"##;

    /// A number that came from the environment.
    fn expanded(text: &str) -> Node {
        let origin = Origin { source: "c.yaml".into(), line: 1, column: 1 };
        let mut node = Node::new(origin, Value::Int(text.parse().unwrap()));
        node.original = Some(text.into());
        node
    }

    fn replace(node: &mut Node, key: &str, new: Node) {
        let Value::Map(entries) = &mut node.value else { panic!("no map") };
        entries.iter_mut().find(|(known, _)| known.name == key).unwrap().1 = new;
    }

    /// A text where the schema asks for one, a number everywhere else.
    #[test]
    fn what_was_a_text_is_one_where_a_text_is_wanted() {
        let mut problems = Problems::default();
        let keys = "{key: 1, count: 1, either: 1, other: 1, list: [{token: 1}], loop: 1}";
        let mut node = parse("c.yaml", keys, &mut problems).unwrap();
        for key in ["key", "count", "either", "other", "loop"] {
            replace(&mut node, key, expanded("0042"));
        }
        let mut list = node.get("list").unwrap().clone();
        let Value::Seq(items) = &mut list.value else { panic!("no list") };
        replace(&mut items[0], "token", expanded("007"));
        replace(&mut node, "list", list);
        let config = PluginConfig::written(Some(&node));
        let given: Json = serde_json::from_str(&config.for_schema(Some(SCHEMA))).unwrap();
        let expected = serde_json::json!({
            "key": "0042", "count": 42, "either": 42, "other": "0042", "list": [{"token": "007"}], "loop": 42,
        });
        assert_eq!(given, expected);
        for schema in [None, Some("no schema"), Some("{}")] {
            let given: Json = serde_json::from_str(&config.for_schema(schema)).unwrap();
            assert_eq!((&given["key"], &given["list"][0]["token"]), (&42.into(), &7.into()), "{schema:?}");
        }
    }

    /// What is written as a number is one, and the plugin may refuse it.
    #[test]
    fn a_number_stays_a_number() {
        let node = parse("c.yaml", "{key: 42}", &mut Problems::default()).unwrap();
        assert_eq!(&*PluginConfig::written(Some(&node)).for_schema(Some(SCHEMA)), r#"{"key":42}"#);
        assert_eq!(&*PluginConfig::written(None).for_schema(Some(SCHEMA)), "{}");
    }
}
