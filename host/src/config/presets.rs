//! Settings that sections of a type have unless they say something else: how a flag of the command line can mean a setting.

use crate::yaml::{Key, Node, Origin, Value};
use std::sync::Arc;

/// A boolean that is set in every section of a type that does not say it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The group of sections, as in `processors`.
    pub group: &'static str,
    /// The type, in front of the slash.
    pub kind: &'static str,
    /// The key in the section, set to `true`.
    pub key: &'static str,
    /// Which flag says so: what faults name as the place.
    pub flag: &'static str,
}

/// Sets what the presets say.
pub(super) fn apply(tree: &mut Node, presets: &[Preset]) {
    for preset in presets {
        let Some(Value::Map(sections)) = entry(&mut tree.value, preset.group).map(|group| &mut group.value) else {
            continue;
        };
        let of_kind = |(key, _): &&mut (Key, Node)| key.name.split('/').next().map(str::trim) == Some(preset.kind);
        for (_, section) in sections.iter_mut().filter(of_kind) {
            set(section, preset);
        }
    }
}

fn set(section: &mut Node, preset: &Preset) {
    if section.is_null() {
        section.value = Value::Map(Vec::new());
    }
    if entry(&mut section.value, preset.key).is_some() {
        return;
    }
    if let Value::Map(entries) = &mut section.value {
        let origin = Origin { source: Arc::from(preset.flag), line: 0, column: 0 };
        let key = Key { origin: origin.clone(), name: preset.key.to_owned() };
        entries.push((key, Node::new(origin, Value::Bool(true))));
    }
}

fn entry<'a>(map: &'a mut Value, name: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = map else { return None };
    entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Problems, parse};

    /// Only sections of the type, with or without a name, and only where nothing else is written.
    #[test]
    fn where_nothing_is_said() {
        let text = "{processors: {batch: {}, tail_sampling: , tail_sampling/a: {x: 1}, tail_sampling/b: {on: false}, \
                    tail_sampling/c: 5}, exporters: {tail_sampling: {}}}";
        let mut tree = parse("t", text, &mut Problems::default()).unwrap();
        let preset = Preset { group: "processors", kind: "tail_sampling", key: "on", flag: "--flag" };
        apply(&mut tree, &[preset, Preset { group: "connectors", ..preset }]);
        let expected = serde_json::json!({
            "processors": {
                "batch": {}, "tail_sampling": {"on": true}, "tail_sampling/a": {"x": 1, "on": true},
                "tail_sampling/b": {"on": false}, "tail_sampling/c": 5,
            },
            "exporters": {"tail_sampling": {}},
        });
        assert_eq!(tree.to_json(), expected);
    }
}
