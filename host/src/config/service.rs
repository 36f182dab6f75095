//! The section `service`: extensions and telemetry. Its pipelines are [`pipelines`](super::pipelines)' business.

use super::pipelines::Reference;
use super::sections::{Defined, Role, unknown};
use super::{Service, pipelines, telemetry};
use crate::yaml::{Node, Problems, Section, Value};

const KEYS: [&str; 3] = ["extensions", "pipelines", "telemetry"];

/// Reads what is there; faults go to `problems`.
pub(super) fn read(tree: &Node, defined: &Defined, problems: &mut Problems) -> Service {
    let Some(node) = tree.get("service") else { return Service::default() };
    if !matches!(node.value, Value::Map(_) | Value::Null | Value::Broken) {
        problems.error(Some(&node.origin), "service", format!("expected a map, found {}", node.describe()));
    }
    for (key, _) in node.entries() {
        if !KEYS.contains(&key.name.as_str()) {
            let path = format!("service::{}", key.name);
            problems.error(Some(&key.origin), path, unknown("key", &key.name, &KEYS));
        }
    }
    let path = "service::extensions";
    let extensions = node.get("extensions").map(|list| pipelines::ids(list, path, Role::Extension, problems));
    let extensions = extensions.unwrap_or_default();
    for Reference { id, origin, path } in &extensions {
        if defined.signals(Role::Extension, id).is_none() {
            problems.error(Some(origin), path.clone(), defined.missing(Role::Extension, id));
        }
    }
    let section = node.get("telemetry").map(|node| Section { path: "service::telemetry", node });
    Service {
        extensions: extensions.into_iter().map(|reference| reference.id).collect(),
        telemetry: section.and_then(|section| telemetry::read(&section, problems)).unwrap_or_default(),
    }
}
